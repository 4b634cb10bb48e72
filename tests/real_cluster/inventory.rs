//! What stands in a cluster, by name.

use serde_json::Value;

use crate::lab::Lab;

/// Kind, namespace and name of an object.
pub type Named = (String, String, String);

/// Kinds that come and go by themselves, and addresses, of which a Service gets another each time.
const PASSING: &[&str] = &["Event", "Lease", "IPAddress"];

/// Every object but those that come and go by themselves; of what a controller names by itself, whose it is.
pub fn inventory(lab: &Lab) -> Vec<Named> {
    let kinds = lab
        .kubectl(&["api-resources", "--verbs=list", "--output=name"])
        .ends(0)
        .out;
    let kinds: Vec<&str> = kinds
        .lines()
        .filter(|kind| !kind.starts_with("events") && !kind.starts_with("componentstatuses"))
        .collect();
    let all = lab
        .get(&[
            &kinds.join(","),
            "--all-namespaces",
            "--show-managed-fields=false",
        ])
        .unwrap();
    let mut found: Vec<Named> = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(named)
        .collect();
    found.sort();
    found.dedup();
    found
}

fn named(object: &Value) -> Option<Named> {
    let text = |pointer: &str| {
        let value = object.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    let kind = text("/kind");
    // A ReplicaSet, a pod, an EndpointSlice go under the name of their owner: theirs is another each time.
    let owner = "/metadata/ownerReferences/0/kind";
    if PASSING.contains(&kind.as_str()) || object.pointer(owner).is_some() {
        return None;
    }
    Some((kind, text("/metadata/namespace"), text("/metadata/name")))
}
