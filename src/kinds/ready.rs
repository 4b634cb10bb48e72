//! Waiting for an object of a cluster to be in a condition, and saying why it is not: nothing is changed.

use serde_json::{Map, Value};

use super::clusters::{connect, of_cluster};
use super::{Door, Look, kubernetes};
use crate::cluster::{Cluster, Object};
use crate::google::ApiError;

/// The name that steps use.
pub const KIND: &str = "kubernetes.ready";
/// What it is.
pub const SAYS: &str = "a Kubernetes object in a condition";

/// Whether the object of `at` is in the condition that the step names.
pub async fn look(door: &Door, at: &Map<String, Value>, want: &Value) -> Result<Look, ApiError> {
    let object = kubernetes::object(at)?;
    let Some(cluster) = connect(door, at).await? else {
        return Ok(Look::Absent);
    };
    let Some(live) = cluster.get(&object).await.map_err(of_cluster)? else {
        return Ok(Look::Settling("not there yet".to_owned()));
    };
    let condition = want
        .get("condition")
        .and_then(Value::as_str)
        .unwrap_or("Ready");
    match missing(&live, condition) {
        None => Ok(Look::Here(live)),
        Some(why) => {
            let pods = reasons(&cluster, &object, &live).await?;
            Ok(Look::Settling(if pods.is_empty() {
                why
            } else {
                format!("{why}; {}", pods.join("; "))
            }))
        }
    }
}

/// Why a live object is not in a condition; none where it is. What its controller has not seen yet does not count. Pure.
pub fn missing(live: &Value, condition: &str) -> Option<String> {
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
            "{} pods of the old version are still there",
            total - updated
        ));
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

/// What keeps the pods of a workload: unschedulable, an image that cannot be pulled, a container that does not start.
pub async fn reasons(
    cluster: &Cluster,
    object: &Object,
    live: &Value,
) -> Result<Vec<String>, ApiError> {
    let Some(labels) = live
        .pointer("/spec/selector/matchLabels")
        .and_then(Value::as_object)
    else {
        return Ok(Vec::new());
    };
    let selector = labels
        .iter()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    let selector = selector.collect::<Vec<_>>().join(",");
    let pods = cluster
        .list(&object.beside("v1", "Pod", ""), &selector)
        .await
        .map_err(of_cluster)?;
    Ok(pods.iter().filter_map(reason).collect())
}

/// What keeps one pod; none where it is ready. Pure.
fn reason(pod: &Value) -> Option<String> {
    let name = pod
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or("?");
    let list = |pointer: &str| {
        pod.pointer(pointer)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let waiting = list("/status/initContainerStatuses")
        .chain(list("/status/containerStatuses"))
        .find_map(|status| {
            let waiting = status.pointer("/state/waiting")?;
            let words = [waiting["reason"].as_str(), waiting["message"].as_str()];
            let words: Vec<&str> = words.into_iter().flatten().collect();
            Some(format!(
                "{}: {}",
                status["name"].as_str().unwrap_or("?"),
                words.join(": ")
            ))
        });
    let unmet = || {
        let unmet = list("/status/conditions")
            .find(|c| c["status"] == "False" && c["message"].is_string())?;
        Some(format!(
            "{}: {}",
            unmet["reason"].as_str().unwrap_or("?"),
            unmet["message"].as_str().unwrap_or_default()
        ))
    };
    let ready = list("/status/conditions").any(|c| c["type"] == "Ready" && c["status"] == "True");
    if ready {
        return None;
    }
    let why = waiting.or_else(unmet).unwrap_or_else(|| {
        pod.pointer("/status/phase")
            .and_then(Value::as_str)
            .unwrap_or("no status")
            .to_owned()
    });
    Some(format!("pod {name}: {why}"))
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
                Some("1 pods of the old version are still there"),
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

    #[test]
    fn says_what_keeps_a_pod() {
        for (status, expected) in [
            (
                json!({"conditions": [{"type": "Ready", "status": "True"}]}),
                None,
            ),
            (
                json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"}]}),
                Some("pod p: Unschedulable: 0/3 nodes are available"),
            ),
            (
                json!({"containerStatuses": [{"name": "test", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]}),
                Some("pod p: test: ImagePullBackOff: no such image"),
            ),
            (json!({"phase": "Pending"}), Some("pod p: Pending")),
        ] {
            let pod = json!({"metadata": {"name": "p"}, "status": status});
            assert_eq!(reason(&pod).as_deref(), expected);
        }
    }
}
