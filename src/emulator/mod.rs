//! Google's APIs on a loopback port.

pub mod check;
pub mod discovery;
pub mod fields;
pub mod schema;
pub mod template;
