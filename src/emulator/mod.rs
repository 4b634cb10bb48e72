//! Google's APIs on a loopback port.
//!
//! The same wire as the real thing and another teacher: routes and schemas come from Google's discovery documents, behaviour
//! from what was recorded of the real services, and where the two leave room it is stricter. It imports nothing from the rest
//! of the program. It does not check credentials, and it does not imitate quotas or latency beyond [`Pace`].

mod account_visibility;
pub mod answer;
pub mod apis;
mod batch;
mod billing;
mod bindings;
mod catalogue;
mod check;
pub mod clock;
mod compute;
mod container;
pub mod discovery;
mod dns;
mod document;
mod etag;
mod exports;
mod fields;
mod front;
mod hub;
mod iam;
mod kubernetes;
mod labels;
mod loopback;
mod lro;
mod members;
mod multipart;
pub mod names;
mod operation;
mod org_policy;
mod pace;
mod paging;
mod pattern;
mod pod;
mod policy;
mod project_lookup;
mod projects;
pub mod regions;
pub mod request;
mod roles;
pub mod schema;
mod server;
mod services;
mod settings;
mod state;
mod storage;
mod template;
mod traffic_director;
pub mod world;

pub use exports::exports;
pub use pace::{BadPace, Pace};
pub use server::{RequestRecord, Running, StartError, look, start};
pub use settings::{Leftovers, MeshCleanup, Settings, Withdrawal};
pub use state::StateError;
