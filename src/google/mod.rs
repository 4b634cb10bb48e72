//! The only client of Google's APIs: a call goes in, Google's JSON or a classified error comes out.
//!
//! It knows hosts, tokens, error envelopes, long-running operations, and which failures may be repeated. It
//! deliberately knows no resource, no step, no journal and no screen: waits, retries and failures are reported
//! through [`Watch`], and everything that the caller has to decide (a busy cluster, an API that was just enabled, a
//! policy that another client changed) is returned with its [`Class`] and never waited out here.

pub mod address;
mod advice;
mod answer;
mod api;
mod auth;
mod call;
mod class;
mod client;
mod cloud;
mod connection_advice;
mod credentials;
mod details;
mod dialect;
mod endpoints;
mod envelope;
mod error;
mod holder;
#[cfg(test)]
mod hostile_tests;
mod http;
#[cfg(test)]
mod nonsense_tests;
mod operation;
pub mod outside;
pub mod properties;
mod quota;
mod quota_probe;
#[cfg(test)]
mod quota_tests;
mod reach;
mod refusal_rules;
pub mod retry;
#[cfg(test)]
mod scripted;
mod token;
#[cfg(test)]
mod wire_tests;

pub use advice::missing_account;
pub use api::Api;
pub use auth::Auth;
pub use call::{Body, Call, segment};
pub use class::Class;
pub use client::Client;
pub use cloud::Cloud;
pub use connection_advice::proxy_words;
pub use credentials::{AuthError, AuthFlags, Identity};
pub use dialect::Dialect;
pub use endpoints::{Endpoints, SetupError};
pub use error::{ApiError, MayHaveApplied};
pub use holder::holder;
pub use operation::Operation;
pub use token::Token;

use std::time::Duration;

/// How this module reads the environment: `std::env::var(name).ok()`, or a table in a test.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A variable of this process's environment.
pub fn process_env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Receives reports of retries and progress. Both methods are called from the task that sends.
pub trait Watch: Send + Sync {
    /// `call` failed with `why` and is sent again after a pause; `attempt` is the number of attempts so far, from 1.
    fn retrying(&self, call: &str, why: &str, attempt: u32, after: Duration);
    /// Google's own message on the progress of an operation; reported once per change.
    fn progress(&self, says: &str);
}

/// Ignores all reports.
#[derive(Debug, Clone, Copy)]
pub struct NoWatch;

impl Watch for NoWatch {
    fn retrying(&self, _: &str, _: &str, _: u32, _: Duration) {}
    fn progress(&self, _: &str) {}
}
