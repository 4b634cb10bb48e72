//! `provision`: Google's Cloud Service Mesh egress-gateway tutorial as ordered, resumable steps.
//!
//! Imports go one way, and a test holds them to it:
//! `cli -> command -> {ui, engine -> kinds -> {google, cluster} -> recording, steps, egress}`; `emulator` sees `egress` alone, and only
//! `command` starts it.

pub mod cli;
pub mod cluster;
pub mod command;
pub mod engine;
pub mod error;
pub mod google;
pub mod kinds;
mod proxy;
pub mod recording;
pub mod steps;
mod text;
pub mod ui;
