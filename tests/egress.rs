//! The account of a request, against what a real Envoy did and what the tutorial says.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test does"
)]

#[path = "egress/envoy.rs"]
mod envoy;
#[path = "egress/gateway_servers.rs"]
mod gateway_servers;
#[path = "egress/laws.rs"]
mod laws;
#[path = "egress/scenes.rs"]
mod scenes;
#[path = "egress/shapes.rs"]
mod shapes;
#[path = "egress/size.rs"]
mod size;
#[path = "egress/tables.rs"]
mod tables;
#[path = "egress/tutorial.rs"]
mod tutorial;
