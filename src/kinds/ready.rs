//! Waiting for an object of a cluster to be in a condition, and saying why it is not: nothing is changed.

use serde_json::{Map, Value};

use super::clusters::{connect, of_cluster};
use super::{Clients, Observed, kubernetes, pods};
use crate::google::ApiError;

/// The object; the condition is part of the path, so that two of one object are two waits.
pub const PATH: &str = "projects/{project}/locations/{location}/clusters/{cluster}/ready/{condition}/{apiVersion}/{kind}/{name}";

/// Whether the object of `at` is in the condition that `at` names.
pub async fn look(clients: &Clients, at: &Map<String, Value>) -> Result<Observed, ApiError> {
    let object = kubernetes::object(at)?;
    let Some(cluster) = connect(clients, at).await? else {
        return Ok(Observed::Absent);
    };
    let Some(live) = cluster.get(&object).await.map_err(of_cluster)? else {
        return Ok(Observed::Settling("not found yet".to_owned()));
    };
    let condition = at
        .get("condition")
        .and_then(Value::as_str)
        .unwrap_or_default();
    match missing(&live, condition) {
        None => Ok(Observed::Here(live)),
        Some(why) => {
            let pods = pods::reasons(&cluster, &object, &live).await?;
            Ok(Observed::Settling(if pods.is_empty() {
                why
            } else {
                format!("{why}; {}", pods.join("; "))
            }))
        }
    }
}

/// Why a live object is not in a condition; none where it is. What its controller has not seen yet does not count. Pure.
pub fn missing(live: &Value, condition: &str) -> Option<String> {
    if let Some(why) = rolling(live) {
        return Some(why);
    }
    let conditions = live.pointer("/status/conditions").and_then(Value::as_array);
    match conditions
        .into_iter()
        .flatten()
        .find(|c| c["type"] == condition)
    {
        Some(found) if found["status"] == "True" => None,
        Some(found) => Some(format!(
            "not {condition}: {}",
            found["message"].as_str().unwrap_or("no reason given")
        )),
        None => Some(format!("not {condition} yet")),
    }
}

/// What a controller has still to do before what is there is what was asked for; none where it is. Pure.
pub fn rolling(live: &Value) -> Option<String> {
    let number = |pointer: &str| live.pointer(pointer).and_then(Value::as_i64);
    let (generation, observed) = (
        number("/metadata/generation"),
        number("/status/observedGeneration"),
    );
    if observed.is_some() && observed < generation {
        return Some("its controller has not seen the change yet".to_owned());
    }
    let replicas = number("/spec/replicas");
    let updated = number("/status/updatedReplicas").unwrap_or(0);
    if let Some(wanted) = replicas.filter(|wanted| updated < *wanted) {
        return Some(format!("{updated} of {wanted} pods are of the new version"));
    }
    let total = number("/status/replicas").unwrap_or(0);
    if replicas.is_some() && total > updated {
        return Some(format!(
            "{} of the old version's pods still there",
            total - updated
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn says_what_an_object_lacks() {
        let available = json!([{"type": "Available", "status": "True"}]);
        for (live, condition, expected) in [
            (
                json!({"status": {"conditions": [{"type": "Established", "status": "True"}]}}),
                "Established",
                None,
            ),
            (json!({}), "Established", Some("not Established yet")),
            (
                json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 1, "conditions": available}}),
                "Available",
                Some("its controller has not seen the change yet"),
            ),
            (
                json!({"spec": {"replicas": 2}, "status": {"updatedReplicas": 1, "conditions": available}}),
                "Available",
                Some("1 of 2 pods are of the new version"),
            ),
            (
                json!({"spec": {"replicas": 1}, "status": {"updatedReplicas": 1, "replicas": 2, "conditions": available}}),
                "Available",
                Some("1 of the old version's pods still there"),
            ),
            (
                json!({"spec": {"replicas": 1}, "status": {"updatedReplicas": 1, "replicas": 1, "conditions": available}}),
                "Available",
                None,
            ),
        ] {
            assert_eq!(missing(&live, condition).as_deref(), expected, "{live}");
        }
    }
}
