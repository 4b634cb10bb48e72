//! What NetworkPolicies block for a pod's proxy. A proxy that cannot reach istiod or the cluster's DNS never becomes ready, and
//! reports neither.
//!
//! A managed control plane is not one of the cluster's pods; the connection to it is not checked here.

use serde_json::Value;

use crate::cluster::{ClusterClient, ObjectRef};
use egress::firewall::Direction;
use egress::injection::has_proxy;
use egress::network_policy::{NetworkPolicy, OtherEnd, PodEnd, named_ports, rule};
use egress::object;

/// A service that a proxy depends on.
struct ProxyDependency {
    what: &'static str,
    namespace: &'static str,
    pods: &'static str,
    protocol: &'static str,
    port: u16,
}

/// Istio's own ports and labels: 15012 serves configuration and certificates. DNS has the labels of two Services; GKE and CoreDNS
/// each use one of them.
const NEEDED: &[ProxyDependency] = &[
    ProxyDependency {
        what: "istiod",
        namespace: "istio-system",
        pods: "app=istiod",
        protocol: "tcp",
        port: 15012,
    },
    ProxyDependency {
        what: "the cluster's DNS",
        namespace: "kube-system",
        pods: "k8s-app=kube-dns",
        protocol: "udp",
        port: 53,
    },
];

/// What NetworkPolicies block for those of these pods that have a proxy and are not ready. What cannot be read is not reported:
/// the wait is not about it.
pub async fn of(cluster: &ClusterClient, pods: &[Value]) -> Vec<String> {
    let mut kept = Vec::new();
    let waiting = pods.iter().filter(|pod| waits_for_its_proxy(pod));
    let Some(namespace) = waiting.clone().find_map(namespace_of) else {
        return kept;
    };
    let mut needed = Vec::new();
    for each in NEEDED {
        if let Some(found) = DependencyPods::of(cluster, namespace, each).await {
            needed.push(found);
        }
    }
    let own = labels_of(cluster, namespace).await.unwrap_or_default();
    for pod in waiting {
        let from = end(pod, &own);
        let name = pod.pointer("/metadata/name").and_then(Value::as_str);
        let why = needed.iter().filter_map(|needed| needed.kept_from(&from));
        kept.extend(why.map(|why| format!("pod {}: {why}", name.unwrap_or("?"))));
    }
    kept
}

/// Whether a pod has an address and a proxy, and is not ready. Pure.
fn waits_for_its_proxy(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    let mut conditions = conditions.into_iter().flatten();
    let ready = conditions.any(|one| one["type"] == "Ready" && one["status"] == "True");
    let placed = pod.pointer("/status/podIP").is_some_and(Value::is_string);
    placed && !ready && has_proxy(&pod["spec"])
}

fn namespace_of(pod: &Value) -> Option<&str> {
    pod.pointer("/metadata/namespace")?.as_str()
}

/// One end of a connection. Pure.
fn end(pod: &Value, namespace_labels: &object::Labels) -> PodEnd {
    let address = pod.pointer("/status/podIP").and_then(Value::as_str);
    PodEnd {
        namespace: namespace_of(pod).unwrap_or_default().to_owned(),
        namespace_labels: namespace_labels.clone(),
        labels: object::labels(pod, "/metadata/labels"),
        address: address.and_then(|address| address.parse().ok()),
        ports: named_ports(pod),
    }
}

/// The labels of a namespace.
async fn labels_of(cluster: &ClusterClient, namespace: &str) -> Option<object::Labels> {
    let object = ObjectRef {
        api_version: "v1".to_owned(),
        kind: "Namespace".to_owned(),
        namespace: None,
        name: namespace.to_owned(),
    };
    let live = cluster.get(&object).await.ok()??;
    Some(object::labels(&live, "/metadata/labels"))
}

/// The NetworkPolicies of a namespace.
async fn policies(cluster: &ClusterClient, namespace: &str) -> Option<Vec<NetworkPolicy>> {
    let like = inside(namespace, "networking.k8s.io/v1", "NetworkPolicy");
    let mut found = cluster.list(&like, "").await.ok()?;
    for policy in &mut found {
        // The items of a list do not carry their kind.
        policy["kind"] = like.kind.as_str().into();
    }
    Some(found.iter().filter_map(NetworkPolicy::read).collect())
}

fn inside(namespace: &str, api_version: &str, kind: &str) -> ObjectRef {
    ObjectRef {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: Some(namespace.to_owned()),
        name: String::new(),
    }
}

/// The pods of a dependency, and the policies of both ends.
struct DependencyPods<'a> {
    needed: &'a ProxyDependency,
    ends: Vec<PodEnd>,
    near: Vec<NetworkPolicy>,
    far: Vec<NetworkPolicy>,
}

impl<'a> DependencyPods<'a> {
    async fn of(
        cluster: &ClusterClient,
        from: &str,
        needed: &'a ProxyDependency,
    ) -> Option<DependencyPods<'a>> {
        let like = inside(needed.namespace, "v1", "Pod");
        let pods = cluster.list(&like, needed.pods).await.ok()?;
        let labels = labels_of(cluster, needed.namespace).await?;
        Some(DependencyPods {
            needed,
            ends: pods.iter().map(|pod| end(pod, &labels)).collect(),
            near: policies(cluster, from).await?,
            far: policies(cluster, needed.namespace).await?,
        })
    }

    /// Why a pod reaches none of them; `None` if it reaches one, or if there is none. Pure.
    fn kept_from(&self, from: &PodEnd) -> Option<String> {
        let ProxyDependency {
            what,
            protocol,
            port,
            ..
        } = self.needed;
        let refused = |to: &PodEnd| {
            let there = OtherEnd::Pod(to.clone());
            let here = OtherEnd::Pod(from.clone());
            let out = rule(&self.near, Direction::Egress, from, &there, protocol, *port);
            let into = rule(&self.far, Direction::Ingress, to, &here, protocol, *port);
            match (out.passes, into.passes) {
                (false, _) => Some((out.because, isolating(&self.near, Direction::Egress, from))),
                (_, false) => Some((into.because, isolating(&self.far, Direction::Ingress, to))),
                (true, true) => None,
            }
        };
        let mut refusals = self.ends.iter().map(refused);
        let (because, policies) = refusals.next().flatten()?;
        let all = refusals.all(|refusal| refusal.is_some());
        all.then(|| format!("cannot reach {what}: {because} ({policies})"))
    }
}

/// The policies that isolate a pod, as text. Pure.
fn isolating(policies: &[NetworkPolicy], direction: Direction, of: &PodEnd) -> String {
    let own = policies
        .iter()
        .filter(|policy| policy.isolates(direction, &of.namespace, &of.labels));
    let names: Vec<String> = own.map(|policy| policy.object.to_string()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(namespace: &str, labels: Value, ready: &str) -> Value {
        json!({"metadata": {"name": "p", "namespace": namespace, "labels": labels},
            "spec": {"containers": [{"name": "app"}, {"name": "istio-proxy"}]},
            "status": {"podIP": "10.1.0.7", "conditions": [{"type": "Ready", "status": ready}]}})
    }

    fn policy(namespace: &str, name: &str, types: &str, rules: Value) -> NetworkPolicy {
        let field = types.to_lowercase();
        let policy = json!({"kind": "NetworkPolicy", "metadata": {"name": name, "namespace": namespace},
            "spec": {"podSelector": {}, "policyTypes": [types], field: rules}});
        NetworkPolicy::read(&policy).unwrap()
    }

    #[test]
    fn a_pod_that_has_a_proxy_and_is_not_ready_may_be_kept_from_something() {
        let with = pod("team-x", json!({}), "False");
        let mut bare = with.clone();
        bare["spec"]["containers"].as_array_mut().unwrap().pop();
        let mut nowhere = with.clone();
        nowhere["status"]["podIP"] = Value::Null;
        for (pod, expected) in [
            (with, true),
            (pod("team-x", json!({}), "True"), false),
            (bare, false),
            (nowhere, false),
        ] {
            assert_eq!(waits_for_its_proxy(&pod), expected, "{pod}");
        }
    }

    #[test]
    fn the_policies_that_keep_a_proxy_from_istiod_are_named() {
        let labels = object::Labels::new();
        let to = |label: Value| {
            json!([{"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "istio-system"}},
                "podSelector": {"matchLabels": label}}]}])
        };
        let istiod = |label: Value| end(&pod("istio-system", label, "True"), &labels);
        let from = end(&pod("team-x", json!({"app": "test"}), "False"), &labels);
        let googles = || istiod(json!({"app": "istiod", "istio": "istiod"}));
        let open = || istiod(json!({"app": "istiod", "istio": "pilot"}));
        let by_googles = || {
            policy(
                "team-x",
                "by-google",
                "Egress",
                to(json!({"istio": "istiod"})),
            )
        };
        let by_both = || policy("team-x", "by-both", "Egress", to(json!({"app": "istiod"})));
        let shut = policy("istio-system", "shut", "Ingress", json!([]));
        let kept =
            "cannot reach istiod: one NetworkPolicy isolates the pod, and does not allow tcp:15012";
        for (ends, near, far, expected) in [
            (vec![open()], vec![], vec![], None),
            (vec![], vec![by_googles()], vec![], None),
            (vec![googles()], vec![by_googles()], vec![], None),
            (
                vec![open()],
                vec![by_googles()],
                vec![],
                Some(format!(
                    "{kept} to pods of istio-system (NetworkPolicy team-x/by-google)"
                )),
            ),
            // One reachable pod is enough.
            (vec![open(), googles()], vec![by_googles()], vec![], None),
            (vec![googles(), open()], vec![by_googles()], vec![], None),
            (vec![open(), googles()], vec![by_both()], vec![], None),
            (
                vec![open()],
                vec![by_both()],
                vec![shut],
                Some(format!(
                    "{kept} from pods of team-x (NetworkPolicy istio-system/shut)"
                )),
            ),
        ] {
            let found = DependencyPods {
                needed: &NEEDED[0],
                ends,
                near,
                far,
            };
            assert_eq!(found.kept_from(&from), expected);
        }
    }
}
