//! The rules of the house: what stands where, and what the program depends on.

// What a test calls may unwrap like the test itself.
#![allow(clippy::unwrap_used)]

// Each binary uses its part of what is common.
#[allow(dead_code)]
#[path = "../common/mod.rs"]
mod common;

mod circles;
mod dependencies;
mod house;
