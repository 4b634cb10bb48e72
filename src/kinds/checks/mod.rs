//! The tutorial's checks. A check changes nothing: it reads, and reports what it expected and what it saw.
//!
//! A check is a file in this module with a `static` [`Check`] that [`CHECKS`] lists. Checks reach pods only through the cluster's
//! API; they do not know whether an emulated data plane or a real one answers.

mod analysis;
mod check;
mod clusters;
mod command;
mod diagnose;
mod flush;
mod log;
mod objects;
mod outbound;
mod pods;
mod request;
pub(super) mod result;

use serde_json::{Map, Value};

use super::cluster_error::of_cluster;
use super::clusters::{Clients, advised, connect};
use crate::cluster::ObjectRef;
use crate::google::ApiError;
use check::Check;
pub use check::only_gke;
pub use result::CheckResult;

/// Every check.
pub static CHECKS: [&Check; 6] = [
    &request::CHECK,
    &log::CHECK,
    &objects::CHECK,
    &analysis::CHECK,
    &clusters::CHECK,
    &command::CHECK,
];

/// Whether the cluster of `at` exists and answers.
///
/// # Errors
/// Google or the cluster does not answer, or denies access.
pub async fn answers(clients: &Clients, at: &Map<String, Value>) -> Result<bool, ApiError> {
    let Some(cluster) = connect(clients, at).await? else {
        return Ok(false);
    };
    // Every cluster has this namespace.
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

/// The title of a check for the reader: `team-x GET http://example.com/`, `Node cloud.google.com/gke-nodepool=gateway`. Pure.
pub fn title(at: &Map<String, Value>) -> String {
    // In reading order; each check has some of them.
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
        // An analysis covers a whole namespace.
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
