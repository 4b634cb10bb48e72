//! What happens to a request that leaves a pod, and which object decides: VPC firewall, DNS, NetworkPolicy and Istio together.
//!
//! Pure: data in, a trace out. No clock, no network, no randomness; the same snapshot and request give the same trace. It is
//! not a proxy: it knows how Istio's configuration becomes Envoy's and what Envoy answers, as far as a real Envoy's record and
//! Istio's source bear it out (`fixtures/egress/`), and names what it does not know (`Unknown`) instead of guessing.
//! The live data plane may be slower to take a change over: the trace is of the state that the objects ask for.
//!
//! [`snapshot::Snapshot::read`] makes a snapshot of [`snapshot_input::SnapshotInput`]; [`snapshot::Snapshot`] then answers: `trace` (a request, hop by hop),
//! `matrix` (many callers and requests, in brief), `clusters` (what a proxy knows). The modules between are one kind of object
//! each, read on its own; `scope` is what one proxy sees of them together, and `dataplane` takes a request through.

pub mod analyze;
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
pub mod network_policy;
pub mod object;
mod peer;
pub mod placement;
mod pod;
mod rbac;
pub mod request;
pub mod selector;
mod service;
mod service_entry;
pub mod sidecar;
mod sidecar_scope;
pub mod snapshot;
pub mod snapshot_input;
pub mod trace;
mod unsupported;
mod virtual_service;
