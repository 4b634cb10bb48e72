//! The ways in which a cluster rejects a request, as far as callers handle them differently.

use std::fmt;

use http_body_util::LengthLimitError;
use kube::core::response::StatusCause;
use serde::{Deserialize, Serialize};

use super::plugin_error::refusal;
use crate::text::beginning;
use crate::text::{chain, errors};

/// A call that failed.
///
/// The client's own error is not kept as the source: it may quote an answer that contains the token. Its text is in
/// `message`, truncated and without the token.
#[derive(Debug, Clone)]
pub struct ClusterError {
    /// The subject of the call.
    pub what: String,
    /// The kind of failure.
    pub fault: ClusterErrorKind,
    /// The HTTP code, if there was an answer.
    pub http: Option<u16>,
    /// The message of the cluster or of the operating system.
    pub message: String,
    /// The fields that an apply would take over from other managers.
    pub conflicts: Vec<Conflict>,
}

/// A field that another manager owns, as the conflict of an apply names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The path of the field, in the notation of `managedFields`.
    pub field: String,
    /// The field manager, with its subresource in parentheses if it wrote one.
    pub owner: String,
}

impl Conflict {
    /// Reads a cause of the conflict, whose message is `conflict with "kubectl" with subresource "scale" using
    /// apps/v1`.
    fn of(cause: &StatusCause) -> Option<Conflict> {
        let words = cause.message.strip_prefix("conflict with ")?;
        let quoted = |words: &str| Some(words.split('"').nth(1)?.to_owned());
        let subresource = words.split_once(" with subresource ");
        let subresource = subresource.and_then(|(_, words)| quoted(words));
        let manager = quoted(words).unwrap_or_else(|| words.to_owned());
        let owner = match subresource {
            Some(subresource) => format!("{manager} ({subresource})"),
            None => manager,
        };
        (cause.reason == "FieldManagerConflict").then(|| Conflict {
            field: beginning(&cause.field),
            owner: beginning(&owner),
        })
    }
}

/// The failures that a caller handles differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterErrorKind {
    /// The object does not exist.
    NotFound,
    /// The cluster does not know the kind of the object.
    UnknownKind,
    /// Another manager owns a field, or changed the object in between.
    Conflict,
    /// The token was not accepted.
    Unauthenticated,
    /// The caller lacks a permission.
    Forbidden,
    /// A ResourceQuota of the namespace is exhausted.
    Quota,
    /// The object is invalid.
    Invalid,
    /// A webhook did not answer.
    Webhook,
    /// A webhook, or an admission policy of the cluster itself, denied the request.
    Denied,
    /// The namespace is being deleted.
    Terminating,
    /// Too many requests, or the server is not ready.
    Busy,
    /// The server failed.
    Server,
    /// No connection: this machine's address may not be in the cluster's allow list.
    Unreachable,
    /// The request was not sent.
    Local,
}

impl ClusterError {
    /// Whether the requested object does not exist, or cannot exist.
    pub fn is_absent(&self) -> bool {
        matches!(
            self.fault,
            ClusterErrorKind::NotFound | ClusterErrorKind::UnknownKind
        )
    }

    /// A call that was never sent.
    pub fn local(what: String, message: String) -> ClusterError {
        ClusterError {
            what,
            fault: ClusterErrorKind::Local,
            http: None,
            message,
            conflicts: Vec::new(),
        }
    }

    /// Converts the client's error. `token` is removed from the text: a proxy's error page, or a message that quotes
    /// the answer, may repeat it.
    pub(super) fn of(what: String, error: kube::Error, token: &str) -> ClusterError {
        let mut conflicts = Vec::new();
        let (fault, http, words) = match error {
            kube::Error::Api(status) => {
                let causes = status.details.iter().flat_map(|details| &details.causes);
                conflicts.extend(causes.filter_map(Conflict::of));
                let fault = fault(status.code, &status.reason, &status.message);
                (fault, Some(status.code), status.message)
            }
            kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => {
                let words = format!("the answer is not a Kubernetes object: {error}");
                (ClusterErrorKind::Server, None, words)
            }
            _ if too_long(&error) => {
                let words = "the answer is too long".to_owned();
                (ClusterErrorKind::Server, None, words)
            }
            other => match refusal(&other) {
                // A plugin that was asked for another token: its environment and its output must not be shown.
                Some(why) => {
                    let words = format!("the kubeconfig's plugin {why}");
                    (ClusterErrorKind::Unauthenticated, None, words)
                }
                None => (ClusterErrorKind::Unreachable, None, chain(&other)),
            },
        };
        ClusterError {
            what,
            fault,
            http,
            // The token is removed before the text is truncated: a token that is cut in its middle would not be
            // found.
            message: beginning(&without(&words, token)),
            conflicts,
        }
    }
}

/// The shortest token that is searched for, in bytes: a word as short as `anonymous` is no secret.
const SHORTEST: usize = 12;

/// A text from outside, without the token.
fn without(words: &str, token: &str) -> String {
    if token.len() < SHORTEST {
        return words.to_owned();
    }
    words.replace(token, "(the access token)")
}

/// Whether the answer was longer than the limit.
fn too_long(error: &kube::Error) -> bool {
    errors(error).any(|error| error.is::<LengthLimitError>())
}

/// Classifies by the code first, then by the reason, then by the message.
fn fault(code: u16, reason: &str, message: &str) -> ClusterErrorKind {
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    match (code, reason) {
        // A webhook chooses the code of its denial; the sentence around its message is the API server's.
        _ if says(&["denied the request", "denied request"]) => ClusterErrorKind::Denied,
        (404, _) if says(&["could not find the requested resource", "page not found"]) => {
            ClusterErrorKind::UnknownKind
        }
        (404, _) => ClusterErrorKind::NotFound,
        (403, _) if message.contains("is being terminated") => ClusterErrorKind::Terminating,
        // The quota admission uses this wording for every resource that it counts.
        (403, _) if says(&["exceeded quota: "]) => ClusterErrorKind::Quota,
        (403, _) => ClusterErrorKind::Forbidden,
        (401, _) => ClusterErrorKind::Unauthenticated,
        // Another client wrote in between, or created the same object: a repeated apply merges our fields into that
        // object.
        (409, _) if says(&["the object has been modified", "already exists"]) => {
            ClusterErrorKind::Busy
        }
        (409, _) => ClusterErrorKind::Conflict,
        (_, _) if message.contains("webhook") => ClusterErrorKind::Webhook,
        (400 | 422, _) => ClusterErrorKind::Invalid,
        (429 | 503 | 504, _) => ClusterErrorKind::Busy,
        (_, "ServiceUnavailable" | "Timeout" | "ServerTimeout") => ClusterErrorKind::Busy,
        (500.., _) => ClusterErrorKind::Server,
        _ => ClusterErrorKind::Invalid,
    }
}

impl fmt::Display for ClusterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.http {
            Some(http) => write!(f, "{} (HTTP {http})", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for ClusterError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_a_field_is_is_read_from_the_refusal() {
        for (message, owner) in [
            (
                "conflict with \"kubectl-edit\" using v1",
                Some("kubectl-edit"),
            ),
            (
                "conflict with \"kubectl\" with subresource \"scale\" using apps/v1",
                Some("kubectl (scale)"),
            ),
            ("conflict with \"flux\"", Some("flux")),
            ("conflict with nobody", Some("nobody")),
            ("something else", None),
        ] {
            let cause = StatusCause {
                reason: "FieldManagerConflict".to_owned(),
                message: message.to_owned(),
                field: ".spec.replicas".to_owned(),
            };
            let conflict = Conflict::of(&cause);
            assert_eq!(conflict.map(|one| one.owner).as_deref(), owner, "{message}");
        }
    }

    #[test]
    fn refusals_are_told_apart() {
        for (code, reason, message, expected) in [
            (
                404,
                "NotFound",
                "the server could not find the requested resource",
                ClusterErrorKind::UnknownKind,
            ),
            (404, "", "404 page not found", ClusterErrorKind::UnknownKind),
            (
                404,
                "NotFound",
                "namespaces \"x\" not found",
                ClusterErrorKind::NotFound,
            ),
            (
                409,
                "Conflict",
                "Apply failed with 1 conflict: conflict with \"kubectl\": .spec.replicas",
                ClusterErrorKind::Conflict,
            ),
            (
                409,
                "Conflict",
                "Operation cannot be fulfilled on deployments.apps \"x\": the object has been modified; please apply your changes to the latest version and try again",
                ClusterErrorKind::Busy,
            ),
            (
                409,
                "AlreadyExists",
                "namespaces \"x\" already exists",
                ClusterErrorKind::Busy,
            ),
            (
                401,
                "Unauthorized",
                "Unauthorized",
                ClusterErrorKind::Unauthenticated,
            ),
            (
                403,
                "Forbidden",
                "namespaces \"x\" is forbidden: User \"u\" cannot get resource",
                ClusterErrorKind::Forbidden,
            ),
            (
                403,
                "Forbidden",
                "services \"x\" is forbidden: exceeded quota: none, requested: services=1, used: services=0, limited: services=0",
                ClusterErrorKind::Quota,
            ),
            (
                403,
                "Forbidden",
                "unable to create new content in namespace x because it is being terminated",
                ClusterErrorKind::Terminating,
            ),
            (
                500,
                "InternalError",
                "failed calling webhook \"namespace.sidecar-injector.istio.io\": context deadline exceeded",
                ClusterErrorKind::Webhook,
            ),
            (
                400,
                "",
                "admission webhook \"validation.istio.io\" denied the request: x",
                ClusterErrorKind::Denied,
            ),
            (
                403,
                "Forbidden",
                "admission webhook \"validation.gatekeeper.sh\" denied the request: x",
                ClusterErrorKind::Denied,
            ),
            (
                422,
                "Invalid",
                "gateways \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
                ClusterErrorKind::Denied,
            ),
            (
                422,
                "Invalid",
                "Deployment.apps \"x\" is invalid",
                ClusterErrorKind::Invalid,
            ),
            (
                400,
                "BadRequest",
                "strict decoding error: unknown field \"spec.replicaz\"",
                ClusterErrorKind::Invalid,
            ),
            (
                503,
                "ServiceUnavailable",
                "the server is currently unable to handle the request",
                ClusterErrorKind::Busy,
            ),
            (
                500,
                "InternalError",
                "etcdserver: leader changed",
                ClusterErrorKind::Server,
            ),
        ] {
            assert_eq!(fault(code, reason, message), expected, "{code} {message}");
        }
    }
}
