//! The tutorial on a real control plane: kube-apiserver, istiod and Envoys say whether the program is right. Each test has a
//! laboratory of its own (`tests/lab`), and is passed over, with a line that says so, where `PROVISION_LAB` names none.

// What a test calls may unwrap like the test itself.
#![allow(clippy::unwrap_used)]

// Each binary uses its part of what is common.
#[allow(dead_code)]
#[path = "../common/mod.rs"]
mod common;

mod analyze;
mod conflicts;
mod faults;
mod inventory;
mod kills;
mod lab;
mod laboratory;
mod proxy_config;
mod rehearsal;
mod tutorial;
mod under_way;
mod wire;
