//! What takes minutes: kills at every point, faults, nonsense. The points and inputs are sampled; each file says how all are taken.

// What a test calls may unwrap like the test itself.
#![allow(clippy::unwrap_used)]

// Each binary uses its part of what is common.
#[allow(dead_code)]
#[path = "../common/mod.rs"]
mod common;

mod changes;
mod crash;
mod faults;
mod hardships;
mod nonsense;
mod rehearsal_crash;
