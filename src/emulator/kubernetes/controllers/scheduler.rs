//! The scheduler: a node for each pod, by taints, node selector and node affinity; and why there is none.

use std::collections::BTreeMap;

use egress::placement::tolerates;
use serde_json::{Value, json};

use super::super::cluster::Cluster;
use super::super::selectors;
use super::objects::{leaving, objects, save, set_condition, tell, text};

/// Finds nodes for pods that have none.
pub fn run(cluster: &mut Cluster) {
    for pod in objects(cluster, "pods") {
        if pod["spec"]["nodeName"].as_str().is_none() && !leaving(&pod) {
            schedule(cluster, pod);
        }
    }
}

fn schedule(cluster: &mut Cluster, mut pod: Value) {
    let nodes = objects(cluster, "nodes");
    let mut obstacles: BTreeMap<String, usize> = BTreeMap::new();
    let mut fitting: Vec<&Value> = Vec::new();
    for node in &nodes {
        match obstacle(&pod["spec"], node) {
            Some(why) => *obstacles.entry(why).or_insert(0) += 1,
            None => fitting.push(node),
        }
    }
    let pods = objects(cluster, "pods");
    let load = |node: &&Value| {
        let name = &node["metadata"]["name"];
        (
            pods.iter()
                .filter(|pod| pod["spec"]["nodeName"] == *name)
                .count(),
            name.to_string(),
        )
    };
    let time = cluster.time();
    let Some(node) = fitting.into_iter().min_by_key(load) else {
        let message = unschedulable(nodes.len(), &obstacles);
        let conditions = pod["status"]["conditions"].as_array();
        let told = conditions.is_some_and(|all| {
            all.iter()
                .any(|condition| condition["message"] == message.as_str())
        });
        set_condition(
            &mut pod,
            &time,
            "PodScheduled",
            false,
            "Unschedulable",
            &message,
        );
        save(cluster, "pods", pod.clone());
        if !told {
            tell(
                cluster,
                "Pod",
                &pod,
                "default-scheduler",
                false,
                "FailedScheduling",
                &message,
            );
        }
        return;
    };
    let node = text(&node["metadata"]["name"]).to_owned();
    pod["spec"]["nodeName"] = json!(node);
    set_condition(&mut pod, &time, "PodScheduled", true, "", "");
    save(cluster, "pods", pod.clone());
    let message = format!(
        "Successfully assigned {}/{} to {node}",
        text(&pod["metadata"]["namespace"]),
        text(&pod["metadata"]["name"])
    );
    tell(
        cluster,
        "Pod",
        &pod,
        "default-scheduler",
        true,
        "Scheduled",
        &message,
    );
}

/// The scheduler's message when no node fits.
fn unschedulable(nodes: usize, obstacles: &BTreeMap<String, usize>) -> String {
    if nodes == 0 {
        return "no nodes available to schedule pods".to_owned();
    }
    let mut told: Vec<String> = obstacles
        .iter()
        .map(|(why, count)| format!("{count} {why}"))
        .collect();
    told.sort();
    let told = told.join(", ");
    format!(
        "0/{nodes} nodes are available: {told}. preemption: 0/{nodes} nodes are available: {nodes} Preemption is not helpful for scheduling."
    )
}

/// Why a pod of this spec cannot be on the node.
pub fn obstacle(spec: &Value, node: &Value) -> Option<String> {
    if node["spec"]["unschedulable"] == true {
        return Some("node(s) were unschedulable".to_owned());
    }
    let taints = node["spec"]["taints"].as_array().into_iter().flatten();
    for taint in taints.filter(|taint| taint["effect"] != "PreferNoSchedule") {
        let [key, value, effect] = ["key", "value", "effect"].map(|field| text(&taint[field]));
        if !tolerates(spec, key, value, effect) {
            return Some(format!("node(s) had untolerated taint {{{key}: {value}}}"));
        }
    }
    let labels = &node["metadata"]["labels"];
    let selected = spec["nodeSelector"]
        .as_object()
        .into_iter()
        .flatten()
        .all(|(key, value)| labels.get(key) == Some(value));
    let terms = &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        ["nodeSelectorTerms"];
    // One term that holds is enough; in a term everything has to hold.
    let wanted = terms
        .as_array()
        .is_none_or(|terms| terms.iter().any(|term| holds(term, node)));
    if selected && wanted {
        None
    } else {
        Some("node(s) didn't match Pod's node affinity/selector".to_owned())
    }
}

fn holds(term: &Value, node: &Value) -> bool {
    let each = |list: &str| term[list].as_array().cloned().unwrap_or_default();
    let (labels, fields) = (each("matchExpressions"), each("matchFields"));
    let label = |expression: &Value| {
        let value = node["metadata"]["labels"]
            .get(text(&expression["key"]))
            .and_then(Value::as_str);
        selectors::expression_holds(expression, value)
    };
    let field = |expression: &Value| {
        selectors::expression_holds(expression, node["metadata"]["name"].as_str())
    };
    // An empty term selects nothing.
    !(labels.is_empty() && fields.is_empty())
        && labels.iter().all(label)
        && fields.iter().all(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(pool: &str, tainted: bool) -> Value {
        let taints = if tainted {
            json!([{"key": "dedicated", "value": "gateway", "effect": "NoSchedule"}])
        } else {
            json!([])
        };
        json!({"metadata": {"name": pool, "labels": {"cloud.google.com/gke-nodepool": pool}}, "spec": {"taints": taints}})
    }

    fn affinity(pool: &str) -> Value {
        json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "cloud.google.com/gke-nodepool", "operator": "In", "values": [pool]}]}]}}})
    }

    #[test]
    fn taints_selectors_and_affinity_decide() {
        let tolerates = json!([{"key": "dedicated", "operator": "Equal", "value": "gateway"}]);
        let cases = [
            (json!({}), node("default-pool", false), None),
            (
                json!({}),
                node("gateway", true),
                Some("node(s) had untolerated taint {dedicated: gateway}"),
            ),
            (
                json!({"tolerations": tolerates}),
                node("gateway", true),
                None,
            ),
            (
                json!({"tolerations": [{"operator": "Exists"}]}),
                node("gateway", true),
                None,
            ),
            (
                json!({"tolerations": [{"key": "dedicated", "value": "other"}]}),
                node("gateway", true),
                Some("node(s) had untolerated taint {dedicated: gateway}"),
            ),
            (
                json!({"affinity": affinity("gateway")}),
                node("default-pool", false),
                Some("node(s) didn't match Pod's node affinity/selector"),
            ),
            (
                json!({"affinity": affinity("gateway"), "tolerations": tolerates}),
                node("gateway", true),
                None,
            ),
            (
                json!({"nodeSelector": {"cloud.google.com/gke-nodepool": "x"}}),
                node("y", false),
                Some("node(s) didn't match Pod's node affinity/selector"),
            ),
        ];
        for (spec, node, want) in cases {
            assert_eq!(obstacle(&spec, &node).as_deref(), want, "{spec} {node}");
        }
    }

    #[test]
    fn the_scheduler_counts_its_reasons() {
        let obstacles = BTreeMap::from([("b".to_owned(), 3), ("a".to_owned(), 1)]);
        let want = "0/4 nodes are available: 1 a, 3 b. preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling.";
        assert_eq!(unschedulable(4, &obstacles), want);
    }
}
