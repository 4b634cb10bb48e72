//! The tutorial on a real control plane: kube-apiserver, istiod and Envoys say whether the program is right. Each test has a
//! laboratory of its own (`tests/lab`), and is passed over, with a line that says so, where `PROVISION_LAB` names none.

// What a test calls may unwrap like the test itself.
#![allow(clippy::unwrap_used)]

mod analyze;
// Each test file uses its part of what is common.
#[allow(dead_code)]
#[path = "../common/cloud.rs"]
mod cloud;
mod conflicts;
#[allow(dead_code)]
#[path = "../common/dice.rs"]
mod dice;
mod faults;
#[allow(dead_code)]
#[path = "../common/inside.rs"]
mod inside;
mod inventory;
mod kills;
mod lab;
mod laboratory;
// Each test file uses its part of what is common.
#[allow(dead_code)]
#[path = "../common/program.rs"]
mod program;
mod rehearsal;
mod tutorial;
mod under_way;
mod wire;
