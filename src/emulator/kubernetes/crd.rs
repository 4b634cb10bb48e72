//! CustomResourceDefinitions: what the server completes in them, and when the kinds that they define are served.

use serde_json::{Value, json};

use super::cluster::Cluster;

/// Completes a definition. Names never conflict here, so it is established at once.
pub fn admit(cluster: &Cluster, definition: &mut Value) {
    let time = cluster.time();
    complete(definition, &time);
}

/// Completes a definition as of `time`.
pub fn complete(definition: &mut Value, time: &str) {
    let names = &mut definition["spec"]["names"];
    let kind = names["kind"].as_str().unwrap_or_default().to_owned();
    if names.get("singular").is_none() {
        names["singular"] = json!(kind.to_lowercase());
    }
    if names.get("listKind").is_none() {
        names["listKind"] = json!(format!("{kind}List"));
    }
    if definition["status"]["conditions"].is_array() {
        definition["status"]["acceptedNames"] = definition["spec"]["names"].clone();
        return;
    }
    let condition = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "lastTransitionTime": time, "reason": reason, "message": message});
    let stored = definition["spec"]["versions"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|version| version["storage"] == true);
    let stored: Vec<Value> = stored
        .map(|version| version["name"].clone())
        .into_iter()
        .collect();
    definition["status"] = json!({
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
        "acceptedNames": definition["spec"]["names"],
        "storedVersions": stored,
    });
}
