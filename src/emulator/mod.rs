//! Google's APIs on a loopback port.
//!
//! The same wire as the real thing and another teacher: routes and schemas come from Google's discovery documents, behaviour
//! from what was recorded of the real services, and where the two leave room it is stricter. It imports nothing from the rest
//! of the program. It does not check credentials, and it does not imitate quotas or latency beyond [`Pace`].

pub mod answer;
pub mod check;
pub mod clock;
pub mod discovery;
pub mod fields;
pub mod names;
pub mod operation;
pub mod pace;
pub mod request;
pub mod schema;
pub mod template;
pub mod world;

pub use pace::Pace;
