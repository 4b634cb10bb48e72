//! A ReplicaSet that is not allowed to create its pods. It retries after pauses that double, up to 1000 s, and does not report
//! when.
//!
//! Its events contain the times of the first and the last attempt. As the pauses double, the next attempt is about as long after
//! the last one as the last one is after the first (client-go's `ItemExponentialFailureRateLimiter`, 5 ms to 1000 s). This is
//! only reported, not corrected: a wait changes nothing, and a restart of the rollout would also replace the running pods.

use serde_json::Value;

use crate::cluster::{ClusterClient, ObjectRef};

/// The longest pause of a controller, in seconds.
const LONGEST: i64 = 1_000;

/// When the ReplicaSets of a Deployment retry the creation of pods that were rejected. What cannot be read is not reported: the
/// wait is not about it.
pub async fn of(cluster: &ClusterClient, deployment: &ObjectRef, live: &Value) -> Vec<String> {
    let mut told = Vec::new();
    if !is_refused(live) {
        return told;
    }
    let like = deployment.beside("apps/v1", "ReplicaSet", "");
    let sets = cluster.list(&like, "").await.unwrap_or_default();
    for set in sets.iter().filter(|set| is_refused(set)) {
        let text = |pointer: &str| set.pointer(pointer).and_then(Value::as_str);
        let owner = live.pointer("/metadata/uid");
        let owned = set.pointer("/metadata/ownerReferences/0/uid") == owner;
        if let (true, Some(uid), Some(namespace)) =
            (owned, text("/metadata/uid"), text("/metadata/namespace"))
        {
            let events = cluster.events(namespace, uid, "FailedCreate").await;
            let name = text("/metadata/name").unwrap_or("?");
            told.extend(next(name, &events.unwrap_or_default()));
        }
    }
    told
}

/// Whether the creation of pods failed. Pure.
fn is_refused(live: &Value) -> bool {
    let conditions = live.pointer("/status/conditions").and_then(Value::as_array);
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|one| one["type"] == "ReplicaFailure" && one["status"] == "True")
}

/// The time of the next attempt, from the events of the failed ones; `None` if there are no such events. Pure.
fn next(name: &str, events: &[Value]) -> Option<String> {
    let time = |event: &Value, field: &str| event[field].as_str()?.parse::<jiff::Timestamp>().ok();
    let tries = events.iter().filter_map(|event| {
        let last = time(event, "lastTimestamp")?;
        Some((last, time(event, "firstTimestamp").unwrap_or(last)))
    });
    let (last, first) = tries.max()?;
    let at = |time: jiff::Timestamp| time.strftime("%H:%M:%S UTC");
    let tried = format!("ReplicaSet {name} was last refused a pod at {}", at(last));
    let pause = (last.as_second() - first.as_second()).min(LONGEST);
    let again = last.checked_add(jiff::SignedDuration::from_secs(pause));
    Some(match again {
        Ok(again) if pause > 0 => format!(
            "{tried} and retries with exponential back-off, next at about {}; `kubectl rollout restart` retries at once",
            at(again)
        ),
        _ => format!("{tried} and retries by itself"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_next_try_is_as_long_after_the_last_as_that_after_the_first() {
        let event = |first: &str, last: &str| {
            let time = |time: &str| format!("2026-11-29T{time}Z");
            json!({"firstTimestamp": time(first), "lastTimestamp": time(last)})
        };
        let again = |last: &str, next: &str| {
            format!(
                "ReplicaSet test-1 was last refused a pod at {last} UTC and retries with exponential back-off, \
                 next at about {next} UTC; `kubectl rollout restart` retries at once"
            )
        };
        let once = "ReplicaSet test-1 was last refused a pod at 18:00:00 UTC and retries by itself";
        for (events, expected) in [
            (vec![], None),
            (
                vec![json!({"firstTimestamp": null, "lastTimestamp": null})],
                None,
            ),
            (vec![event("18:00:00", "18:00:00")], Some(once.to_owned())),
            (
                vec![event("18:00:00", "18:00:57")],
                Some(again("18:00:57", "18:01:54")),
            ),
            // A different message is a different event.
            (
                vec![event("18:02:00", "18:02:41"), event("17:00:00", "17:00:30")],
                Some(again("18:02:41", "18:03:22")),
            ),
            (
                vec![event("18:00:00", "18:30:00")],
                Some(again("18:30:00", "18:46:40")),
            ),
        ] {
            assert_eq!(next("test-1", &events), expected, "{events:?}");
        }
    }

    #[test]
    fn a_refusal_is_a_condition_that_holds() {
        let with = |status: &str| json!({"status": {"conditions": [{"type": "ReplicaFailure", "status": status}]}});
        assert!(is_refused(&with("True")));
        assert!(!is_refused(&with("False")));
        assert!(!is_refused(&json!({})));
    }
}
