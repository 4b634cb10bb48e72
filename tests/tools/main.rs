//! Outside programs: gcloud and kubectl as clients, the public validators of manifests, and Python for the script in `fixtures`.

// What a test calls may unwrap like the test itself.
#![allow(clippy::unwrap_used)]

// Each binary uses its part of what is common.
#[allow(dead_code)]
#[path = "../common/mod.rs"]
mod common;

mod dns_endpoint;
mod gcloud;
mod kubectl;
mod kubectl_after_up;
mod manifests;
mod readme;
mod traffic_director;
mod trim;
