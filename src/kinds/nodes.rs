//! Waiting until as many nodes of a pool as asked for are Ready, each with the pool's taints.

use serde_json::{Map, Value};

use super::clusters::{connect, of_cluster};
use super::{Door, Look};
use crate::cluster::Object;
use crate::google::ApiError;

/// What it is.
pub const SAYS: &str = "nodes of a pool that are Ready, with its taints";
/// The pool.
pub const PATH: &str =
    "projects/{project}/locations/{location}/clusters/{cluster}/nodes/{nodePool}";

/// The label by which GKE says which pool a node is of.
const POOL: &str = "cloud.google.com/gke-nodepool";

/// Looks at the nodes of the pool.
pub async fn look(door: &Door, at: &Map<String, Value>, want: &Value) -> Result<Look, ApiError> {
    let Some(cluster) = connect(door, at).await? else {
        return Ok(Look::Absent);
    };
    let pool = at
        .get("nodePool")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let nodes = cluster
        .list(&any(), &of_pool(pool))
        .await
        .map_err(of_cluster)?;
    Ok(match missing(&nodes, want) {
        None => Look::Here(Value::Null),
        Some(why) => Look::Settling(why),
    })
}

/// Any node.
pub fn any() -> Object {
    Object {
        api_version: "v1".to_owned(),
        kind: "Node".to_owned(),
        namespace: None,
        name: String::new(),
    }
}

/// The selector of a pool's nodes.
pub fn of_pool(pool: &str) -> String {
    format!("{POOL}={pool}")
}

/// What the nodes of a pool lack of `want`: a `count` that is Ready, `taints` as kubectl writes them. Pure.
fn missing(nodes: &[Value], want: &Value) -> Option<String> {
    let count = want.get("count").and_then(Value::as_u64).unwrap_or(1);
    let unready: Vec<String> = nodes.iter().filter_map(unready).collect();
    let ready = (nodes.len() - unready.len()) as u64;
    let mut lacking = Vec::new();
    if ready < count {
        lacking.push(format!("{ready} of {count} nodes are Ready"));
        lacking.extend(unready);
    }
    let taints = want.get("taints").and_then(Value::as_array);
    for taint in taints.into_iter().flatten().filter_map(Value::as_str) {
        let bare = nodes.iter().filter(|node| !carries(node, taint)).map(name);
        lacking.extend(bare.map(|node| format!("{node} lacks the taint {taint}")));
    }
    (!lacking.is_empty()).then(|| lacking.join("; "))
}

fn name(node: &Value) -> &str {
    node.pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or("?")
}

/// Why a node is not Ready, in its kubelet's words; none where it is.
fn unready(node: &Value) -> Option<String> {
    let conditions = node.pointer("/status/conditions").and_then(Value::as_array);
    let ready = conditions
        .into_iter()
        .flatten()
        .find(|c| c["type"] == "Ready");
    let why = match ready {
        Some(ready) if ready["status"] == "True" => return None,
        Some(ready) => ready["message"].as_str().unwrap_or("no reason given"),
        None => "has not reported yet",
    };
    Some(format!("{}: {why}", name(node)))
}

/// Whether a node has a taint, written `key=value:effect`.
fn carries(node: &Value, taint: &str) -> bool {
    let taints = node.pointer("/spec/taints").and_then(Value::as_array);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    taints.into_iter().flatten().any(|have| {
        let have = [&have["key"], &have["value"], &have["effect"]].map(text);
        format!("{}={}:{}", have[0], have[1], have[2]) == taint
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn says_what_a_pool_lacks() {
        let node = |name: &str, ready: Option<&str>, taints: Value| {
            let conditions: Vec<Value> = ready
                .map(|status| json!({"type": "Ready", "status": status, "message": "container runtime network not ready"}))
                .into_iter()
                .collect();
            json!({"metadata": {"name": name}, "spec": {"taints": taints}, "status": {"conditions": conditions}})
        };
        let gateway = json!([{"key": "dedicated", "value": "gateway", "effect": "NoSchedule"}]);
        let fresh = json!([{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]);
        let taint = "dedicated=gateway:NoSchedule";
        for (nodes, want, expected) in [
            (vec![], json!({"count": 3}), Some("0 of 3 nodes are Ready")),
            (
                vec![node("a", Some("True"), Value::Null)],
                json!({"count": 1}),
                None,
            ),
            (
                vec![
                    node("a", Some("True"), Value::Null),
                    node("b", Some("False"), Value::Null),
                    node("c", None, Value::Null),
                ],
                json!({"count": 2}),
                Some(
                    "1 of 2 nodes are Ready; b: container runtime network not ready; c: has not reported yet",
                ),
            ),
            // A node more than asked for may still be on its way.
            (
                vec![
                    node("a", Some("True"), Value::Null),
                    node("b", None, Value::Null),
                ],
                json!({"count": 1}),
                None,
            ),
            (
                vec![node("a", Some("True"), gateway.clone())],
                json!({"count": 1, "taints": [taint]}),
                None,
            ),
            (
                vec![
                    node("a", Some("True"), gateway),
                    node("b", Some("True"), fresh),
                ],
                json!({"count": 1, "taints": [taint]}),
                Some("b lacks the taint dedicated=gateway:NoSchedule"),
            ),
        ] {
            assert_eq!(missing(&nodes, &want).as_deref(), expected, "{nodes:?}");
        }
    }
}
