//! Waits until the pods of a Deployment run where they belong, each with its proxy, and reports why one does not.
//!
//! A Deployment can be Available although injection skipped some of its pods or they run on the wrong nodes, and it does not
//! report why a pod is missing. The wait fails at once if only a new pod can fix the problem.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::cluster_error::of_cluster;
use super::clusters::{Clients, connect};
use super::injection::Injection;
use super::permissions;
use super::spec::Observed;
use super::wait::Wait;
use super::{conditions, isolation, nodes, pod_events, refused};
use crate::cluster::{ClusterClient, ObjectRef};
use crate::google::ApiError;
use egress::injection::has_proxy;
use egress::placement::tolerates;

/// Waits for the pods of a Deployment.
pub static WAIT: Wait = Wait {
    hint: "`kubectl -n {namespace} describe pods` says what each pod lacks. A pod without a sidecar does not get one later: fix the cause, then run `kubectl -n {namespace} rollout restart deployment {deployment}`.",
    ..Wait::in_cluster(
        "kubernetes.pods",
        "projects/{project}/locations/{location}/clusters/{cluster}/pods/{namespace}/{deployment}",
        |clients, at, want| Box::pin(look(clients, at, want)),
        permissions::reads(&[
            "container.clusters.get",
            "container.deployments.get",
            "container.pods.list",
            "container.nodes.list",
        ]),
    )
};

/// Reads the Deployment's pods; `want` names the `nodePool` that they belong on.
async fn look(
    clients: &Clients,
    at: &Map<String, Value>,
    want: &Value,
) -> Result<Observed, ApiError> {
    let Some(cluster) = connect(clients, at).await? else {
        return Ok(Observed::Absent);
    };
    let text = |key: &str| at.get(key).and_then(Value::as_str).unwrap_or_default();
    let deployment = ObjectRef {
        api_version: "apps/v1".to_owned(),
        kind: "Deployment".to_owned(),
        namespace: Some(text("namespace").to_owned()),
        name: text("deployment").to_owned(),
    };
    let Some(live) = cluster.get(&deployment).await.map_err(of_cluster)? else {
        return Ok(Observed::Settling(
            "the Deployment does not exist yet".to_owned(),
        ));
    };
    let pods = of_workload(&cluster, &deployment, &live).await?;
    let pool = want
        .get("nodePool")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let selector = nodes::of_pool(pool);
    let nodes = cluster
        .list(&nodes::any(), &selector)
        .await
        .map_err(of_cluster)?;
    let others = elsewhere(&cluster, &pods, &nodes).await?;
    let seen = DeploymentState {
        deployment: &live,
        pods: &pods,
        pool,
        nodes: &nodes,
        others: &others,
    };
    if let Some(bare) = seen.bare() {
        let injection = Injection::of(&cluster, text("namespace")).await?;
        let why = format!("injection missing: {}", injection.why_not(bare));
        // If the Deployment is still replacing its pods, the next one may have the proxy.
        return Ok(if conditions::rolling(&live).is_some() {
            Observed::Settling(why)
        } else {
            Observed::Broken(why)
        });
    }
    let Some(why) = seen.missing() else {
        return Ok(Observed::Here(Value::Null));
    };
    let more = deeper(&cluster, &deployment, &live, &pods).await;
    Ok(Observed::Settling([vec![why], more].concat().join("; ")))
}

/// Reasons that neither the Deployment nor its pods report: when their creation is retried, what isolates them, and what their
/// probes returned.
async fn deeper(
    cluster: &ClusterClient,
    deployment: &ObjectRef,
    live: &Value,
    pods: &[Value],
) -> Vec<String> {
    let again = refused::of(cluster, deployment, live).await;
    let kept = isolation::of(cluster, pods).await;
    let probes = pod_events::of(cluster, pods).await;
    [again, kept, probes].concat()
}

/// The nodes outside the pool that pods run on.
async fn elsewhere(
    cluster: &ClusterClient,
    pods: &[Value],
    nodes: &[Value],
) -> Result<Vec<Value>, ApiError> {
    let placed = pods
        .iter()
        .filter_map(|pod| pod.pointer("/spec/nodeName")?.as_str());
    let names: BTreeSet<&str> = placed
        .filter(|node| !nodes.iter().any(|one| name(one) == *node))
        .collect();
    let mut found = Vec::new();
    for name in names {
        let node = ObjectRef {
            name: name.to_owned(),
            ..nodes::any()
        };
        found.extend(cluster.get(&node).await.map_err(of_cluster)?);
    }
    Ok(found)
}

/// The pods that a workload selects, without those that are being deleted.
async fn of_workload(
    cluster: &ClusterClient,
    object: &ObjectRef,
    live: &Value,
) -> Result<Vec<Value>, ApiError> {
    let Some(labels) = live
        .pointer("/spec/selector/matchLabels")
        .and_then(Value::as_object)
    else {
        return Ok(Vec::new());
    };
    let selector: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    let mut pods = cluster
        .list(&object.beside("v1", "Pod", ""), &selector.join(","))
        .await
        .map_err(of_cluster)?;
    pods.retain(|pod| pod.pointer("/metadata/deletionTimestamp").is_none());
    Ok(pods)
}

/// What blocks the pods of a workload: unschedulable, an image that cannot be pulled, a container that does not start.
pub async fn reasons(
    cluster: &ClusterClient,
    object: &ObjectRef,
    live: &Value,
) -> Result<Vec<String>, ApiError> {
    let pods = of_workload(cluster, object, live).await?;
    let reasons: Vec<String> = pods.iter().filter_map(reason).collect();
    let more = deeper(cluster, object, live, &pods).await;
    Ok([reasons, more].concat())
}

/// A Deployment with its pods, and the nodes that they belong on.
struct DeploymentState<'a> {
    deployment: &'a Value,
    pods: &'a [Value],
    pool: &'a str,
    nodes: &'a [Value],
    /// The other nodes that pods run on.
    others: &'a [Value],
}

impl<'a> DeploymentState<'a> {
    /// A pod that injection skipped.
    fn bare(&self) -> Option<&'a Value> {
        self.pods.iter().find(|pod| !has_proxy(&pod["spec"]))
    }

    /// Whether a node belongs to the pool. In a cluster that is not GKE's, nodes may belong to no pool: a user who keeps pods
    /// away from those nodes configures that in the Deployment, and the scheduler respects it.
    fn is_at_home(&self, node: &str) -> bool {
        let of_none = self
            .others
            .iter()
            .filter(|other| nodes::pool(other).is_none());
        self.nodes
            .iter()
            .chain(of_none)
            .any(|one| name(one) == node)
    }

    /// What the pods lack; `None` if each of them runs where it belongs.
    fn missing(&self) -> Option<String> {
        let mut lacking: Vec<String> = conditions::rolling(self.deployment).into_iter().collect();
        if self.pods.is_empty() {
            // If a webhook or a quota rejects pods, the Deployment reports it.
            let refused = condition(self.deployment, "ReplicaFailure");
            lacking.push(
                refused.map_or_else(|| "no pods yet".to_owned(), |why| format!("no pods: {why}")),
            );
        }
        for pod in self.pods {
            let placed = pod.pointer("/spec/nodeName").and_then(Value::as_str);
            lacking.extend(reason(pod));
            match placed {
                None if self.nodes.is_empty() => {
                    lacking.push(format!("the node pool {} has no nodes", self.pool));
                }
                None => lacking.extend(untolerated(pod, self.nodes)),
                Some(node) if !self.is_at_home(node) => {
                    lacking.push(format!(
                        "pod {} is on {node}, which is not in the node pool {}",
                        name(pod),
                        self.pool
                    ));
                }
                Some(_) => {}
            }
        }
        (!lacking.is_empty()).then(|| lacking.join("; "))
    }
}

/// The message of a condition that is true.
fn condition(object: &Value, kind: &str) -> Option<String> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let found = conditions
        .iter()
        .find(|c| c["type"] == kind && c["status"] == "True")?;
    Some(found["message"].as_str()?.to_owned())
}

/// A taint of the pool's nodes that the pod does not tolerate, if there is one.
fn untolerated(pod: &Value, nodes: &[Value]) -> Option<String> {
    let list = |value: &Value, at: &str| -> Vec<Value> {
        value
            .pointer(at)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let taints = nodes.iter().flat_map(|node| list(node, "/spec/taints"));
    let mut strict = taints.filter(|taint| taint["effect"] != "PreferNoSchedule");
    let parts = |taint: &Value| {
        ["key", "value", "effect"].map(|field| taint[field].as_str().unwrap_or_default().to_owned())
    };
    let tolerated = |taint: &Value| {
        let [key, value, effect] = parts(taint);
        tolerates(&pod["spec"], &key, &value, &effect)
    };
    let [key, value, effect] = parts(&strict.find(|taint| !tolerated(taint))?);
    Some(format!(
        "the pod does not tolerate the taint {key}={value}:{effect}"
    ))
}

fn name(object: &Value) -> &str {
    object
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or("?")
}

/// What blocks one pod; `None` if it is ready. Pure.
fn reason(pod: &Value) -> Option<String> {
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
    Some(format!("pod {}: {why}", name(pod)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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

    #[test]
    fn says_where_pods_belong() {
        let done =
            json!({"spec": {"replicas": 1}, "status": {"replicas": 1, "updatedReplicas": 1}});
        let running = json!({"conditions": [{"type": "Ready", "status": "True"}]});
        let pod = |node: Value, status: &Value| json!({"metadata": {"name": "p"}, "spec": {"nodeName": node, "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "gateway"}]}, "status": status});
        let node = |value: &str| json!({"metadata": {"name": "gw"}, "spec": {"taints": [{"key": "dedicated", "value": value, "effect": "NoSchedule"}]}});
        let pending = json!({"phase": "Pending"});
        let label = json!({"cloud.google.com/gke-nodepool": "another"});
        let others = [
            json!({"metadata": {"name": "other", "labels": label}}),
            json!({"metadata": {"name": "of-none", "labels": {}}}),
        ];
        for (deployment, pods, nodes, expected) in [
            // In a user's own cluster, a node may belong to no pool.
            (
                &done,
                vec![pod(json!("of-none"), &running)],
                vec![node("gateway")],
                None,
            ),
            (
                &done,
                vec![pod(json!("gw"), &running)],
                vec![node("gateway")],
                None,
            ),
            (
                &done,
                vec![pod(json!("other"), &running)],
                vec![node("gateway")],
                Some("pod p is on other, which is not in the node pool gateway"),
            ),
            (
                &done,
                vec![pod(Value::Null, &pending)],
                vec![],
                Some("pod p: Pending; the node pool gateway has no nodes"),
            ),
            (
                &done,
                vec![pod(Value::Null, &pending)],
                vec![node("batch")],
                Some(
                    "pod p: Pending; the pod does not tolerate the taint dedicated=batch:NoSchedule",
                ),
            ),
            (
                &json!({"status": {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": "admission webhook denied the request"}]}}),
                vec![],
                vec![node("gateway")],
                Some("no pods: admission webhook denied the request"),
            ),
            (&json!({}), vec![], vec![], Some("no pods yet")),
        ] {
            let seen = DeploymentState {
                deployment,
                pods: &pods,
                pool: "gateway",
                nodes: &nodes,
                others: &others,
            };
            assert_eq!(seen.missing().as_deref(), expected);
        }
    }
}
