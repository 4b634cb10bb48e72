//! What a kubelet reports only in events: why a running pod is not ready, and why a pod that has a node does not start.
//!
//! A pod's status names only the container; the result of its probe, and the volume that is not mounted, are in events.

use serde_json::Value;

use crate::cluster::ClusterClient;

/// The ConfigMap that every sidecar mounts, and that istiod writes to each namespace.
const ROOT_CERTIFICATE: &str = "configmap \"istio-ca-root-cert\" not found";

/// The last events of those of these pods that are not ready. What cannot be read is not reported: the wait is not about it.
pub async fn of(cluster: &ClusterClient, pods: &[Value]) -> Vec<String> {
    let mut told = Vec::new();
    for pod in pods {
        let text = |pointer: &str| pod.pointer(pointer).and_then(Value::as_str);
        let names = [
            text("/metadata/uid"),
            text("/metadata/namespace"),
            text("/metadata/name"),
        ];
        if let (Some(reason), [Some(uid), Some(namespace), Some(name)]) = (event_of(pod), names) {
            let events = cluster.events(namespace, uid, reason).await;
            if let Some(message) = last(&events.unwrap_or_default()) {
                let advice = advice(&message, namespace).unwrap_or_default();
                told.push(format!("pod {name}: {message}{advice}"));
            }
        }
    }
    told
}

/// The reason of the events that say what a pod lacks; `None` if it is ready or has no node yet. Pure.
fn event_of(pod: &Value) -> Option<&'static str> {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    let ready = conditions.and_then(|all| all.iter().find(|one| one["type"] == "Ready"));
    let is_unready = ready.is_some_and(|ready| ready["status"] == "False");
    match pod.pointer("/status/phase").and_then(Value::as_str) {
        Some("Running") if is_unready => Some("Unhealthy"),
        Some("Pending") if pod.pointer("/spec/nodeName").is_some() => Some("FailedMount"),
        _ => None,
    }
}

/// What to do if a volume waits for istiod. Pure.
///
/// istiod tries five times within a second to write its certificate to a new namespace, and then gives up until the namespace
/// changes (met with the real istiod, whose API server was killed at that moment). Whether Google's managed control plane does the
/// same is unknown.
fn advice(message: &str, namespace: &str) -> Option<String> {
    message.contains(ROOT_CERTIFICATE).then(|| {
        format!(
            " (istiod writes it; if it is still missing after a minute, istiod has given up, and `kubectl annotate --overwrite namespace {namespace} retry=now` makes it try again)"
        )
    })
}

/// The message of the newest event, on one line. Pure.
fn last(events: &[Value]) -> Option<String> {
    // RFC 3339 in UTC sorts as text.
    let youngest = events
        .iter()
        .max_by_key(|event| event["lastTimestamp"].as_str());
    let message = youngest?["message"].as_str()?;
    Some(message.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_that_is_not_ready_has_events_to_report() {
        let pod = |phase: &str, ready: &str, node: Value| json!({"spec": node, "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]}});
        let (placed, free) = (json!({"nodeName": "n"}), json!({}));
        for (pod, expected) in [
            (pod("Running", "False", placed.clone()), Some("Unhealthy")),
            (pod("Running", "True", placed.clone()), None),
            (pod("Pending", "False", placed.clone()), Some("FailedMount")),
            (pod("Pending", "False", free), None),
            (
                json!({"spec": placed, "status": {"phase": "Pending"}}),
                Some("FailedMount"),
            ),
            (json!({}), None),
        ] {
            assert_eq!(event_of(&pod), expected, "{pod}");
        }
    }

    #[test]
    fn what_waits_for_istiod_is_said() {
        let missing = |name: &str| {
            format!("MountVolume.SetUp failed for volume \"v\" : configmap \"{name}\" not found")
        };
        assert_eq!(advice(&missing("other"), "team-y"), None);
        let told = advice(&missing("istio-ca-root-cert"), "team-y").unwrap();
        assert!(told.contains("namespace team-y retry=now"), "{told}");
    }

    #[test]
    fn the_youngest_event_says_it() {
        let event =
            |time: Value, message: Value| json!({"lastTimestamp": time, "message": message});
        let old = || event(json!("2026-11-29T18:00:00Z"), json!("connection refused"));
        let probe = "Readiness probe failed: HTTP probe failed with statuscode: 503";
        let new = event(json!("2026-11-29T18:00:10Z"), json!(format!("{probe}\n")));
        for (events, expected) in [
            (vec![], None),
            (vec![old(), new.clone()], Some(probe)),
            (vec![new, old()], Some(probe)),
            (
                vec![old(), event(Value::Null, json!("x"))],
                Some("connection refused"),
            ),
            (vec![event(Value::Null, Value::Null)], None),
        ] {
            assert_eq!(last(&events).as_deref(), expected);
        }
    }
}
