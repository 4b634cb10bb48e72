//! The nodes of a cluster and the node pools that they belong to. Pure: nothing is read here.

use serde_json::{Map, Value};

use crate::cluster::ObjectRef;

/// The label with which GKE marks the pool of a node.
const POOL: &str = "cloud.google.com/gke-nodepool";

/// Any node.
pub fn any() -> ObjectRef {
    ObjectRef {
        api_version: "v1".to_owned(),
        kind: "Node".to_owned(),
        namespace: None,
        name: String::new(),
    }
}

/// The pool of a node, if its label names one. Pure.
pub fn pool(node: &Value) -> Option<&str> {
    node.get("metadata")?.get("labels")?.get(POOL)?.as_str()
}

/// The selector of a pool's nodes.
pub fn of_pool(pool: &str) -> String {
    format!("{POOL}={pool}")
}

/// What the nodes of a pool lack of `want`: a `count` of Ready nodes, `taints` in kubectl's notation. Pure.
pub fn missing(nodes: &[Value], want: &Value) -> Option<String> {
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

/// Why a node is not Ready, in its kubelet's words; `None` if it is Ready.
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

/// A pool that a step waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredPool {
    /// The name: the label's value.
    pub name: String,
    /// How many nodes must be Ready.
    pub count: u64,
    /// The taints that each of the nodes must have, in kubectl's notation.
    pub taints: Vec<String>,
}

impl RequiredPool {
    /// The required pool of a step, from its `at` and `want`.
    pub fn of(at: &Map<String, Value>, want: &Value) -> RequiredPool {
        let name = at.get("nodePool").and_then(Value::as_str);
        let taints = want.get("taints").and_then(Value::as_array);
        let taints = taints.into_iter().flatten().filter_map(Value::as_str);
        RequiredPool {
            name: name.unwrap_or_default().to_owned(),
            count: want.get("count").and_then(Value::as_u64).unwrap_or(1),
            taints: taints.map(str::to_owned).collect(),
        }
    }
}

/// What the nodes of a cluster lack to form the required pools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingNodes {
    /// What is missing: one entry per pool or node.
    pub says: Vec<String>,
    /// The kubectl arguments that correct it: `label node NAME KEY=VALUE`, `taint node NAME KEY=VALUE:EFFECT`. Empty if labels do
    /// not help because there are too few nodes.
    pub kubectl: Vec<String>,
}

/// What a cluster's nodes lack of the pools; `None` if they lack nothing. Ready nodes without a pool that accept any pod are
/// distributed over the pools in their order. Pure.
pub fn lack(nodes: &[Value], pools: &[RequiredPool]) -> Option<MissingNodes> {
    let mut free: Vec<&str> = nodes
        .iter()
        .filter(|node| is_free(node))
        .map(name)
        .collect();
    free.sort_unstable();
    let mut free = free.into_iter();
    let (mut says, mut kubectl, mut short) = (Vec::new(), Vec::new(), false);
    for RequiredPool {
        name: pool,
        count,
        taints,
    } in pools
    {
        let own: Vec<&Value> = nodes.iter().filter(|node| pool_of(node) == pool).collect();
        let ready = own.iter().filter(|node| unready(node).is_none()).count();
        let missing = usize::try_from(*count)
            .unwrap_or(usize::MAX)
            .saturating_sub(ready);
        let found: Vec<&str> = free.by_ref().take(missing).collect();
        if missing > 0 {
            says.push(format!(
                "{ready} of {count} nodes with the label {POOL}={pool} are Ready"
            ));
            says.extend(own.iter().filter_map(|node| unready(node)));
        }
        short |= found.len() < missing;
        for node in &found {
            kubectl.push(format!("label node {node} {POOL}={pool}"));
        }
        for taint in taints {
            let bare = own
                .iter()
                .filter(|node| !carries(node, taint))
                .map(|node| name(node));
            let bare: Vec<&str> = bare.collect();
            says.extend(
                bare.iter()
                    .map(|node| format!("{node} lacks the taint {taint}")),
            );
            let all = bare.iter().chain(&found);
            kubectl.extend(all.map(|node| format!("taint node {node} {taint}")));
        }
    }
    if short {
        kubectl.clear();
    }
    (!says.is_empty()).then_some(MissingNodes { says, kubectl })
}

/// The pool that a node's label names.
fn pool_of(node: &Value) -> &str {
    let labels = node.pointer("/metadata/labels");
    let pool = labels.and_then(|labels| labels.get(POOL));
    pool.and_then(Value::as_str).unwrap_or_default()
}

/// Whether a node belongs to no pool, is Ready, and accepts pods without tolerations.
fn is_free(node: &Value) -> bool {
    let taints = node.pointer("/spec/taints").and_then(Value::as_array);
    let closed = |taint: &Value| taint["effect"] != "PreferNoSchedule";
    let open = !taints.into_iter().flatten().any(closed);
    let cordoned = node.pointer("/spec/unschedulable") == Some(&true.into());
    pool_of(node).is_empty() && unready(node).is_none() && open && !cordoned
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
            // An additional node may not be Ready yet.
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

    #[test]
    fn says_which_nodes_to_label() {
        let node = |name: &str, pool: &str, taints: Value, ready: bool| {
            let labels = match pool {
                "" => json!({}),
                pool => json!({POOL: pool}),
            };
            let status = if ready { "True" } else { "False" };
            json!({"metadata": {"name": name, "labels": labels}, "spec": {"taints": taints},
                "status": {"conditions": [{"type": "Ready", "status": status, "message": "down"}]}})
        };
        let bare = |name: &str| node(name, "", Value::Null, true);
        let plane =
            json!([{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]);
        let dedicated = json!([{"key": "dedicated", "value": "gateway", "effect": "NoSchedule"}]);
        let pool = |name: &str, count, taints: &[&str]| RequiredPool {
            name: name.to_owned(),
            count,
            taints: taints.iter().map(|taint| (*taint).to_owned()).collect(),
        };
        let pools = [
            pool("default-pool", 1, &[]),
            pool("gateway", 1, &["dedicated=gateway:NoSchedule"]),
        ];
        let (apps, gateway) = (
            "label node w1 cloud.google.com/gke-nodepool=default-pool",
            "label node w2 cloud.google.com/gke-nodepool=gateway",
        );
        let taint = "taint node w2 dedicated=gateway:NoSchedule";
        // (nodes, number of reported deficiencies, kubectl arguments)
        let cases: [(Vec<Value>, usize, &[&str]); 6] = [
            (
                vec![
                    bare("w2"),
                    bare("w1"),
                    node("plane", "", plane, true),
                    node("down", "", Value::Null, false),
                ],
                2,
                &[apps, gateway, taint],
            ),
            (vec![bare("w1")], 2, &[]),
            (
                vec![node("w1", "default-pool", Value::Null, true), bare("w2")],
                1,
                &[gateway, taint],
            ),
            (
                vec![
                    node("w1", "default-pool", Value::Null, true),
                    node("w2", "gateway", Value::Null, true),
                ],
                1,
                &[taint],
            ),
            (
                vec![
                    node("w1", "default-pool", Value::Null, true),
                    node("w2", "gateway", dedicated.clone(), true),
                ],
                0,
                &[],
            ),
            // A node that is not Ready is named.
            (
                vec![
                    node("w1", "default-pool", Value::Null, false),
                    node("w2", "gateway", dedicated, true),
                ],
                2,
                &[],
            ),
        ];
        for (nodes, missing, kubectl) in cases {
            let found = lack(&nodes, &pools);
            let says = found.as_ref().map_or(0, |lack| lack.says.len());
            assert_eq!(says, missing, "{found:?}");
            let told = found.map(|lack| lack.kubectl).unwrap_or_default();
            assert_eq!(told, kubectl, "{nodes:?}");
        }
    }
}
