//! What Traffic Director keeps in a project for a managed mesh: for each Kubernetes Service a backend service with a health check
//! and endpoint groups, and a firewall rule for its health checks.
//!
//! It makes them while the mesh of a cluster is active, and withdraws them while the cluster lives: in steps, each some time after
//! its cause. What it holds when the cluster is deleted stays. Nothing here carries traffic: the groups have no endpoints, and
//! what happens to a request is computed from the cluster's objects. An in-cluster control plane and Google's istiod make nothing
//! of this kind.
//!
//! Sources: the form of the names and that a backend service belongs to a cluster is in Google's log viewer for clusters
//! (GoogleCloudPlatform/khi, `csm` tasks); whole names are in public scripts and logs. That the endpoint groups block the network
//! is in the network clean-up of Google's sample `terraform` modules and in others' (`gsmrsvd*`), that the firewall rule outlives
//! its cluster in the bootstrap of a public CI project, and that it opens TCP 7877 in a public report about gateways. How long
//! each step takes, and the values beside names and links: own knowledge, no record.

mod controller;
mod leftovers;
mod names;
mod resources;
mod services;
mod state;

pub use controller::reconcile;
pub use leftovers::collection;
pub use state::State;
