//! What happens to a request that leaves a pod, and which object decides: VPC firewall, DNS, NetworkPolicy and Istio
//! together.
//!
//! Pure: data in, a trace out. There is no clock, no network, no randomness; the same snapshot and request give the same
//! trace. It is not a proxy: it models how Istio's configuration becomes Envoy's and what Envoy answers, as far as a real
//! Envoy's record and Istio's source confirm it (`fixtures/egress/`), and lists what it does not model (`Unknown`) instead of
//! guessing. The live data plane may apply a change later: the trace describes the state that the objects request.
//!
//! [`snapshot::Snapshot::read`] creates a snapshot from [`snapshot_input::SnapshotInput`]; [`snapshot::Snapshot`] then
//! answers: `trace` (a request, hop by hop), `matrix` (many callers and requests, in brief), `clusters` (what a proxy knows). A
//! trace and a cell of the matrix have a [`verdict::Verdict`].
//! Most other modules parse one kind of object each; `sidecar_scope` is the view that one proxy has of all of them, and
//! `dataplane` traces a request through it.

mod ambient;
pub mod analyze;
#[cfg(test)]
mod cases_tests;
pub mod config_dump;
mod dataplane;
mod destination_rule;
mod dns;
pub mod envoy_cluster;
mod field;
pub mod firewall;
mod gateway;
mod host;
mod host_index;
pub mod injection;
mod internet;
pub mod log;
pub mod matrix;
mod mesh_config;
pub mod network_policy;
pub mod object;
pub mod path;
mod peer;
pub mod placement;
mod pod;
mod rbac;
mod redirection;
pub mod request;
pub mod selector;
mod service;
mod service_entry;
mod service_registry;
pub mod sidecar;
mod sidecar_scope;
pub mod snapshot;
pub mod snapshot_input;
pub mod trace;
pub mod unsupported;
pub mod verdict;
mod virtual_service;
pub mod vpc;
