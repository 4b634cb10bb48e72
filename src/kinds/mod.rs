//! What a step can be: a plain Google resource (a row of `resource_table.rs`), a wait, a check, or one of a few behaviours.
//!
//! `spec.rs` defines what a kind states and does, `kind.rs` lists all kinds, and `step.rs` binds steps to them.

pub mod checks;
pub mod cluster_endpoint;
mod cluster_error;
mod clusters;
mod conditions;
mod definitions;
mod derived_output;
mod difference;
mod evidence;
mod google_names;
pub mod iam_policy;
mod injection;
mod isolation;
mod kind;
mod kubernetes;
mod leftovers;
mod live_objects;
pub mod live_snapshot;
mod live_vpc;
mod living_clusters;
pub mod mesh;
mod mesh_resources;
pub mod nodes;
mod nodes_ready;
mod object;
mod object_permissions;
pub mod outputs;
pub mod own;
mod own_mesh;
mod ownership;
mod path_template;
pub mod permissions;
mod pod_events;
mod pods;
pub mod proxy_dump;
mod readiness;
mod ready;
mod records;
mod refused;
mod residents;
mod resource;
mod resource_id;
pub mod resource_spec;
pub mod resource_table;
mod restart;
mod revision;
mod services;
mod spec;
mod step;
#[cfg(test)]
mod testing;
mod wait;
mod waits;

pub use clusters::{Clients, Clusters};
pub use difference::{FieldDiff, same_name};
pub use google_names::is_of_google;
pub use kind::Kind;
pub use live_objects::is_analyzed;
pub use resource_id::ResourceId;
pub use spec::{AGAIN, FoundLeftovers, KindSpec, MutationResult, Observed};
pub use step::{Step, bind, check};
