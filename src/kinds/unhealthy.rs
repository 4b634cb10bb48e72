//! Why a running pod is not ready, in its kubelet's words. A pod's status names only the container; the result of its probe is
//! only in an event.

use serde_json::Value;

use crate::cluster::ClusterClient;

/// The last probe results of those of these pods that run and are not ready. What cannot be read is not reported: the wait is not
/// about it.
pub async fn of(cluster: &ClusterClient, pods: &[Value]) -> Vec<String> {
    let mut told = Vec::new();
    for pod in pods.iter().filter(|pod| runs_and_is_not_ready(pod)) {
        let text = |pointer: &str| pod.pointer(pointer).and_then(Value::as_str);
        let names = [
            text("/metadata/uid"),
            text("/metadata/namespace"),
            text("/metadata/name"),
        ];
        if let [Some(uid), Some(namespace), Some(name)] = names {
            let events = cluster.events(namespace, uid, "Unhealthy").await;
            let last = last(&events.unwrap_or_default());
            told.extend(last.map(|message| format!("pod {name}: {message}")));
        }
    }
    told
}

/// Whether a pod runs and is not ready. Pure.
fn runs_and_is_not_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    let mut conditions = conditions.into_iter().flatten();
    let unready = conditions.any(|one| one["type"] == "Ready" && one["status"] == "False");
    unready
        && pod
            .pointer("/status/phase")
            .is_some_and(|phase| phase == "Running")
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
    fn only_a_pod_that_runs_has_probes_to_tell_of() {
        let pod = |phase: &str, ready: &str| json!({"status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]}});
        for (pod, expected) in [
            (pod("Running", "False"), true),
            (pod("Running", "True"), false),
            (pod("Pending", "False"), false),
            (json!({}), false),
        ] {
            assert_eq!(runs_and_is_not_ready(&pod), expected, "{pod}");
        }
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
