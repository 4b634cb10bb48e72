//! Programs of others as clients and judges: gcloud, kubectl, and the public validators of manifests, where they are installed.

// What a test calls may unwrap like the test itself.
#![allow(clippy::unwrap_used)]

// Each binary uses its part of what is common.
#[allow(dead_code)]
#[path = "../common/mod.rs"]
mod common;

mod gcloud;
mod kubectl;
mod kubectl_after_up;
mod manifests;
