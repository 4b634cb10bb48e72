//! The conditions of a Kubernetes object, and the progress of its controller. Pure.

use serde_json::Value;

/// Why a live object does not meet a condition; `None` if it does. A status that is older than the object's generation does not
/// count. Pure.
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

/// What a controller still has to do until the live state is the requested one; `None` if nothing is left. Pure.
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
