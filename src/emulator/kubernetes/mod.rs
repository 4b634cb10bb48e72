//! An emulated cluster's Kubernetes API: https on a loopback port of its own, one for each cluster that runs.
//!
//! Good enough that the real kubectl and Kubernetes clients run against it: discovery, schemas, every form of patch with the
//! ownership of fields, watches, tables, logs, exec; and controllers for what a user waits for: nodes, workloads, pods,
//! the mesh's injection. It evaluates no permissions, calls no mutating webhooks (it knows whether one would be answered),
//! does not convert between versions that differ, and runs no container: what `exec` starts there is emulated
//! ([`crate::pod`]).

mod access_log;
mod addresses;
mod admission;
mod api;
mod call;
mod cluster;
mod cluster_snapshot;
mod columns;
mod controllers;
mod crd;
mod decode;
mod defaults;
mod delete;
mod deletion;
mod discovery;
pub mod dns_endpoint;
mod exec;
mod exec_stream;
mod fields;
mod handle;
mod hosting;
mod ingress_rules;
mod inject;
mod kinds;
mod listener;
mod log;
mod managed;
mod mesh;
mod modify;
mod object;
mod openapi;
mod patch;
mod pods;
mod protobuf;
mod reach;
mod reply;
mod requested;
mod resource;
mod reviews;
mod scale;
mod selectors;
mod served_kinds;
mod server;
mod socket;
mod status;
mod store;
mod stream;
mod table;
mod telemetry;
mod tls;
mod tokens;
mod validate;
mod watch;
mod webhook_service;
mod webhooks;
mod write;

use validation::schema;

pub use cluster::Cluster;
pub use handle::{Keeper, NotStored};
pub use hosting::{Hosting, refresh};
