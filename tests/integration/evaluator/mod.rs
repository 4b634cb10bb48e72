//! The account of a request, against what a real Envoy did and what the tutorial says.

mod analyze;
mod envoy;
mod gateway_servers;
mod laws;
mod scenes;
mod shapes;
mod size;
mod tables;
mod tutorial;
mod verdicts;
