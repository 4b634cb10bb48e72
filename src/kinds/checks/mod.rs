//! Claims: what the tutorial checks. A claim changes nothing and is nobody's; it looks, and says what it expected and what it saw.
//!
//! Adding one: a row in [`ALL`], a file beside this one, and its arm in [`look`]. Claims speak to real pods through the cluster's
//! API only; whether an emulated data plane or a real one answers is not theirs to know.

mod analysis;
mod clusters;
mod command;
mod diagnose;
mod flush;
mod log;
mod objects;
mod pods;
mod request;

use std::time::Duration;

use serde_json::{Map, Value};

use super::clusters::{advised, connect, of_cluster};
use super::{Clients, path_template};
use crate::cluster::{ClusterClient, ObjectRef};
use crate::google::{ApiError, Class};

/// A kind of claim.
#[derive(Debug)]
pub struct Check {
    /// The name that steps use.
    pub kind: &'static str,
    /// Where it is about, for the journal's and the reader's eyes; its keys are those that `at` has.
    pub path: &'static str,
    /// Keys that `at` may have beside those.
    pub optional: &'static [&'static str],
    /// What `want` may say.
    pub fields: &'static [&'static str],
    what: CheckKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CheckKind {
    Request,
    Log,
    Objects,
    Analysis,
    Clusters,
    Command,
}

/// The place of a cluster, as every path begins.
macro_rules! in_cluster {
    ($rest:literal) => {
        concat!(
            "projects/{project}/locations/{location}/clusters/{cluster}/",
            $rest
        )
    };
}

/// Every kind of claim.
pub const ALL: &[Check] = &[
    Check {
        kind: "check.request",
        path: in_cluster!("namespaces/{namespace}/pods/{pods}/{container}/{request}"),
        optional: &[],
        fields: &["status", "exit", "body", "times"],
        what: CheckKind::Request,
    },
    Check {
        kind: "check.log",
        path: in_cluster!(
            "namespaces/{namespace}/pods/{pods}/{container}/{request}/logs/{log_namespace}/{log_pods}"
        ),
        optional: &[],
        fields: egress::log::FIELDS.as_slice(),
        what: CheckKind::Log,
    },
    Check {
        kind: "check.objects",
        path: in_cluster!("{apiVersion}/{kind}/{selector}"),
        optional: &["namespace"],
        fields: &["count", "each"],
        what: CheckKind::Objects,
    },
    Check {
        kind: "check.analysis",
        path: in_cluster!("namespaces/{namespace}/analysis"),
        optional: &[],
        fields: &["codes"],
        what: CheckKind::Analysis,
    },
    Check {
        kind: "check.clusters",
        path: in_cluster!("namespaces/{namespace}/pods/{pods}/outbound"),
        optional: &[],
        fields: &["names", "includes", "count"],
        what: CheckKind::Clusters,
    },
    Check {
        kind: "check.command",
        path: in_cluster!("namespaces/{namespace}/pods/{pods}/{container}/{command}"),
        optional: &[],
        fields: &["prints", "exit", ONLY_GKE],
        what: CheckKind::Command,
    },
];

/// How long one command in a pod may take: a request that a firewall drops takes curl two minutes.
const WITHIN: Duration = Duration::from_secs(150);

/// The field that says what a claim asks and only a cluster of Google's has.
const ONLY_GKE: &str = "only_gke";

/// What a claim asks and only a cluster of Google's has, in its step's words; none where any cluster will do. Pure.
pub fn only_gke(want: &Value) -> Option<&str> {
    want.get(ONLY_GKE)?.as_str()
}

/// What a claim expected and what it saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckResult {
    /// Whether it holds.
    pub holds: bool,
    /// What it expected.
    pub expected: String,
    /// What it saw.
    pub seen: String,
}

impl CheckResult {
    /// By whether both say the same.
    fn same(expected: String, seen: String) -> CheckResult {
        CheckResult {
            holds: expected == seen,
            expected,
            seen,
        }
    }

    /// It could not be looked at: the claim does not hold, for this reason.
    fn not(expected: String, why: impl Into<String>) -> CheckResult {
        CheckResult {
            holds: false,
            expected,
            seen: why.into(),
        }
    }
}

/// Where a claim looks.
struct CheckTarget<'a> {
    cluster: ClusterClient,
    at: &'a Map<String, Value>,
}

impl CheckTarget<'_> {
    /// What `at` says under a key; its keys are checked when steps are loaded.
    fn text(&self, key: &str) -> &str {
        self.at.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Looks whether a claim holds.
///
/// # Errors
/// Google or the cluster does not answer, or forbids. A pod that is not there is no error: the claim does not hold.
pub async fn look(
    check: &Check,
    clients: &Clients,
    at: &Map<String, Value>,
    want: &Value,
) -> Result<CheckResult, ApiError> {
    let Some(cluster) = connect(clients, at).await? else {
        let path = path_template::path(super::clusters::PATH, at)?;
        return Ok(CheckResult::not(
            "a cluster".to_owned(),
            format!("{path} not found"),
        ));
    };
    let place = CheckTarget { cluster, at };
    match check.what {
        CheckKind::Request => request::look(&place, want).await,
        CheckKind::Log => log::look(&place, want).await,
        CheckKind::Objects => objects::look(&place, want).await,
        CheckKind::Analysis => analysis::look(&place, want).await,
        CheckKind::Clusters => clusters::look(&place, want).await,
        CheckKind::Command => command::look(&place, want).await,
    }
}

/// Whether the cluster of `at` is there and answers. Where its API is off there is none.
///
/// # Errors
/// Google or the cluster does not answer, or forbids.
pub async fn answers(clients: &Clients, at: &Map<String, Value>) -> Result<bool, ApiError> {
    let cluster = match connect(clients, at).await {
        Err(error) if error.class == Class::ApiDisabled => return Ok(false),
        found => found?,
    };
    let Some(cluster) = cluster else {
        return Ok(false);
    };
    // Every cluster has it.
    let namespace = ObjectRef {
        api_version: "v1".to_owned(),
        kind: "Namespace".to_owned(),
        namespace: None,
        name: "default".to_owned(),
    };
    let found = cluster.get(&namespace).await;
    let found = found.map_err(|error| advised(clients, of_cluster(error)));
    found.map(|_| true)
}

/// What decides otherwise than a claim expected, where that can be said.
pub async fn hint(
    check: &Check,
    clients: &Clients,
    at: &Map<String, Value>,
    want: &Value,
) -> Option<String> {
    match check.what {
        CheckKind::Request | CheckKind::Log => diagnose::why(clients, at, want).await,
        CheckKind::Objects | CheckKind::Analysis | CheckKind::Clusters | CheckKind::Command => None,
    }
}

/// What a reader calls a claim: `team-x GET http://example.com/`, `Node cloud.google.com/gke-nodepool=gateway`. Pure.
pub fn title(at: &Map<String, Value>) -> String {
    // In the order of reading; each claim has some of them.
    let words = ["namespace", "kind", "selector", "request", "command"];
    let mut said: Vec<&str> = words
        .iter()
        .filter_map(|key| at.get(*key)?.as_str())
        .collect();
    let pods = at
        .get("log_pods")
        .or(at.get("pods"))
        .and_then(Value::as_str);
    let is_of_pods = !at.contains_key("request") && !at.contains_key("command");
    said.extend(pods.filter(|_| is_of_pods || at.contains_key("log_pods")));
    if said.len() == 1 && at.contains_key("namespace") {
        // An analysis is of a namespace as a whole.
        said.push("analysis");
    }
    said.join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_claim_has_a_name_that_says_what_it_is_about() {
        for (at, expected) in [
            (
                json!({"cluster": "c", "namespace": "team-x", "pods": "app=test", "container": "test", "request": "GET http://a/"}),
                "team-x GET http://a/",
            ),
            (
                json!({"namespace": "team-x", "pods": "app=test", "request": "GET http://a/", "log_namespace": "g", "log_pods": "istio=gw"}),
                "team-x GET http://a/ istio=gw",
            ),
            (
                json!({"apiVersion": "v1", "kind": "Node", "selector": "pool=gateway"}),
                "Node pool=gateway",
            ),
            (
                json!({"namespace": "team-x", "pods": "app=test"}),
                "team-x app=test",
            ),
            (json!({"namespace": "team-x"}), "team-x analysis"),
        ] {
            assert_eq!(title(at.as_object().unwrap()), expected);
        }
    }
}
