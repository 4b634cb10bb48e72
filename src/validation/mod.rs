//! Whether a Kubernetes API server takes an object, and if not, what it answers: Kubernetes' own kinds and Istio's, with the webhook
//! of istiod.
//!
//! Pure: one object in, a refusal or none out. The layers stand in the order of the real server, and the first that refuses ends the
//! examination:
//!
//! 1. [`typed`]: the fields and types of the published schema (500 to server-side apply).
//! 2. `decode`: what Go's decoder of a built-in kind does not read (500).
//! 3. `structural` and `rules`: the schema of a definition and its rules in CEL (422), or `builtin`: the API server's own code (422).
//! 4. `istio`: istiod's webhook (400).
//!
//! Schemas and rules are data (`fixtures/kubernetes/`); only what is published as code is written as code. Nothing that depends on
//! another object or on the cluster is known here: quotas, names that are taken, node ports. A kind that nobody publishes is not
//! refused, as a definition of the user's may bring it.

mod at;
mod builtin;
mod decode;
mod fault;
mod istio;
mod kind;
mod names;
mod refusal;
mod rules;
pub mod schema;
mod structural;
pub mod typed;

pub use at::Path;
pub use fault::{Fault, Reason};
pub use kind::{Kind, is_namespaced, kind_of};
pub use refusal::{Layer, Refusal};

use serde_json::Value;

/// What the API server answers to a server-side apply of an object that is not there yet; none if it takes it, or if nobody knows its
/// kind.
///
/// `namespace` is that of the request, in which an object without one is put.
pub fn refusal(object: &Value, namespace: &str) -> Option<Refusal> {
    let kind = match kind_of(object) {
        Ok(Some(kind)) => kind,
        Ok(None) => return None,
        Err(refusal) => return Some(refusal),
    };
    typed::refusal(&kind, object).or_else(|| admission(&kind, object, namespace))
}

/// What is judged of an object as it would be stored, after its fields and types: decoding, the definition or the server's own
/// validation, and the webhook.
pub fn admission(kind: &Kind<'_>, object: &Value, namespace: &str) -> Option<Refusal> {
    if kind.custom {
        structural::refusal(kind, object).or_else(|| istio::refusal(kind, object, namespace))
    } else {
        decode::refusal(kind, object).or_else(|| builtin::refusal(kind, object))
    }
}

#[cfg(test)]
mod refusals_tests;
