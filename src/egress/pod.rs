//! Pods: the running ones, and those that a workload's template would create.
//!
//! A workload that has pods is represented by them, and one without pods by its template, so that the same questions can be
//! answered before anything exists.

use std::collections::BTreeMap;
use std::net::IpAddr;

use json::{list, text};
use serde_json::Value;

use super::field::{empty, port};
use super::injection::{PROXY, has_proxy, injects, proxy_container};
use super::network_policy::named_ports;
use super::object::{Labels, Object, Unknown, labels, texts};
use super::placement::Pool;
use super::redirection::Redirection;
use super::selector::Selector;

/// The proxy of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Proxy {
    /// No proxy.
    Absent,
    /// A proxy next to the application, which receives all its connections.
    Sidecar,
    /// The pod itself is a proxy: a gateway.
    Gateway,
}

/// Who resolves names for a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resolver {
    /// The cluster's DNS.
    Cluster,
    /// The resolver of its node, which knows no name of the cluster: `dnsPolicy: Default`, and pods in their node's network without
    /// `ClusterFirstWithHostNet`.
    Node,
    /// Servers that the pod names itself (`dnsPolicy: None`).
    Own,
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// The pod; a pod that does not exist yet has the name of its workload.
    pub object: Object,
    /// Its labels.
    pub labels: Labels,
    /// The Kubernetes service account of the pod.
    pub service_account: String,
    /// Its address.
    pub address: Option<IpAddr>,
    /// The proxy of the pod.
    pub proxy: Proxy,
    /// The reason for `proxy`, in a clause.
    pub because: String,
    /// The ports that its containers declare.
    pub declared: Vec<u16>,
    /// The numbers of its containers' named ports.
    pub ports: BTreeMap<String, u16>,
    /// The index of its node pool in the snapshot; `None` if no pool is known or none accepts it.
    pub pool: Option<usize>,
    /// Whether it can receive requests.
    pub ready: bool,
    /// The name of its node; `None` if it is not known.
    pub node: Option<String>,
    /// Whether it uses its node's network (`hostNetwork`).
    pub host_network: bool,
    /// Who resolves names for it.
    pub resolver: Resolver,
    /// Whether it adds servers or search paths of its own (`dnsConfig`).
    pub own_dns: bool,
    /// The names that it resolves itself (`hostAliases`), in lower case.
    pub hosts: BTreeMap<String, IpAddr>,
    /// Its name below a headless Service, and that Service (`hostname` and `subdomain`).
    pub host_name: Option<(String, String)>,
    /// Which connections its sidecar takes.
    pub redirection: Redirection,
    /// Annotations that change what its proxy takes, and are not covered.
    pub uncovered: Vec<String>,
}

impl Pod {
    /// Its namespace.
    pub fn namespace(&self) -> &str {
        &self.object.namespace
    }

    /// What of it is not covered.
    pub fn unknown(&self) -> impl Iterator<Item = Unknown> {
        let fields = self.uncovered.iter();
        fields.map(|name| Unknown {
            object: self.object.clone(),
            field: format!("metadata.annotations[{name}]"),
        })
    }

    /// Its identity in the mesh.
    pub fn identity(&self, trust_domain: &str) -> String {
        let (namespace, account) = (self.namespace(), &self.service_account);
        format!("spiffe://{trust_domain}/ns/{namespace}/sa/{account}")
    }
}

/// What is known of the cluster when pods are placed.
pub struct PlacementContext<'s> {
    /// Node pools, in the snapshot's order.
    pub pools: &'s [Pool],
    /// The name of each node's pool.
    pub nodes: &'s BTreeMap<String, String>,
    /// The labels of each namespace.
    pub namespaces: &'s BTreeMap<String, Labels>,
}

/// The kinds with a pod template.
const WORKLOADS: &[&str] = &[
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "ReplicationController",
];

/// All pods of these objects, sorted by namespace and name; those of workloads without pods have no address yet.
pub fn read(objects: &[&Value], ground: &PlacementContext) -> Vec<Pod> {
    let of = |kind: &'static str| {
        objects
            .iter()
            .filter(move |each| text(each, "/kind") == kind)
    };
    let mut pods: Vec<Pod> = of("Pod")
        .filter(|pod| !over(pod))
        .map(|pod| ground.pod(pod))
        .collect();
    let live = pods.len();
    let workloads = objects
        .iter()
        .filter(|each| WORKLOADS.contains(&text(each, "/kind")) && !owned(each));
    for workload in workloads {
        let object = Object::of(workload);
        let selector = Selector::read(workload.pointer("/spec/selector").unwrap_or(&Value::Null));
        let has_pods = pods[..live].iter().any(|pod| {
            pod.object.namespace == object.namespace
                && !selector.is_empty()
                && selector.matches(&pod.labels)
        });
        if !has_pods && !is_idle(workload) {
            pods.extend(ground.planned(workload, &object));
        }
    }
    pods.sort_by(|a, b| a.object.cmp(&b.object));
    pods
}

/// Whether a pod has ended or is being deleted.
fn over(pod: &Value) -> bool {
    matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
        || pod.pointer("/metadata/deletionTimestamp").is_some()
}

/// Whether a workload without pods is to have none: it is scaled to zero, has no node to run on, is suspended, or has ended.
fn is_idle(workload: &Value) -> bool {
    let zero = |pointer: &str| workload.pointer(pointer) == Some(&Value::from(0));
    let ended = |condition: &Value| {
        matches!(text(condition, "/type"), "Complete" | "Failed")
            && text(condition, "/status") == "True"
    };
    zero("/spec/replicas")
        || zero("/status/desiredNumberScheduled")
        || workload.pointer("/spec/suspend") == Some(&Value::Bool(true))
        || list(workload, "/status/conditions").any(ended) && text(workload, "/kind") == "Job"
}

/// Whether another workload owns it; then that one is read instead.
fn owned(workload: &Value) -> bool {
    list(workload, "/metadata/ownerReferences").next().is_some()
}

impl PlacementContext<'_> {
    /// A live pod.
    fn pod(&self, pod: &Value) -> Pod {
        let object = Object::of(pod);
        let running = ["/spec/nodeName", "/metadata/uid", "/status/podIP"]
            .iter()
            .any(|pointer| pod.pointer(pointer).is_some());
        if !running {
            return self.made(&Object::new("Pod", &object.namespace, &object.name), pod);
        }
        let spec = pod.get("spec").unwrap_or(&Value::Null);
        let mut conditions = list(pod, "/status/conditions");
        let ready = conditions
            .find(|condition| text(condition, "/type") == "Ready")
            .is_some_and(|condition| text(condition, "/status") == "True");
        let proxy = match (has_proxy(spec), gateway(pod)) {
            (false, _) => Proxy::Absent,
            (true, true) => Proxy::Gateway,
            (true, false) => Proxy::Sidecar,
        };
        let because = match proxy {
            Proxy::Absent => "runs without a proxy",
            Proxy::Sidecar => "runs with its sidecar",
            Proxy::Gateway => "runs as a gateway",
        };
        let named = self.nodes.get(text(pod, "/spec/nodeName"));
        let pool = match named {
            Some(name) => self.pools.iter().position(|pool| pool.name == *name),
            None => self.pool(spec),
        };
        Pod {
            address: text(pod, "/status/podIP").parse().ok(),
            proxy,
            because: because.to_owned(),
            pool,
            ready: ready || pod.get("status").is_none(),
            node: Some(text(pod, "/spec/nodeName").to_owned()).filter(|name| !name.is_empty()),
            ..self.described(&object, pod)
        }
    }

    /// The pod that a workload would create.
    fn planned(&self, workload: &Value, object: &Object) -> Option<Pod> {
        let pod = Object::new("Pod", &object.namespace, &object.name);
        if object.kind == "CronJob" {
            // It runs at its times only, so it receives nothing.
            let template = workload.pointer("/spec/jobTemplate/spec/template")?;
            let ready = false;
            return Some(Pod {
                ready,
                ..self.made(&pod, template)
            });
        }
        let template = workload.pointer("/spec/template")?;
        let mut pod = self.made(&pod, template);
        let service = text(workload, "/spec/serviceName");
        if object.kind == "StatefulSet" && !service.is_empty() {
            pod.host_name = Some((format!("{}-0", object.name), service.to_owned()));
        }
        Some(pod)
    }

    /// A future pod, from `metadata` and `spec`.
    pub fn made(&self, object: &Object, template: &Value) -> Pod {
        let empty = Labels::new();
        let metadata = template.get("metadata").unwrap_or(&Value::Null);
        let spec = template.get("spec").unwrap_or(&Value::Null);
        let namespace = self.namespaces.get(&object.namespace).unwrap_or(&empty);
        let (injected, because) = injects(namespace, metadata, spec);
        let proxy = match (injected, gateway(template)) {
            (true, true) => Proxy::Gateway,
            (true, false) => Proxy::Sidecar,
            (false, _) => Proxy::Absent,
        };
        let pool = self.pool(spec);
        // A pod that waits for the webhook to set its image cannot start without it.
        let waits = proxy == Proxy::Absent && proxy_container(spec).is_some() && !has_proxy(spec);
        Pod {
            address: None,
            proxy,
            because,
            ready: !waits && (pool.is_some() || self.pools.is_empty()),
            pool,
            ..self.described(object, template)
        }
    }

    /// The properties that are read in the same way from a pod and from a template.
    fn described(&self, object: &Object, pod: &Value) -> Pod {
        let account = match text(pod, "/spec/serviceAccountName") {
            "" => "default",
            account => account,
        };
        let host_network = pod.pointer("/spec/hostNetwork") == Some(&Value::Bool(true));
        let containers = list(pod, "/spec/containers");
        let ports = containers.flat_map(|container| list(container, "/ports"));
        let declared = ports.filter_map(|each| port(each, "/containerPort"));
        Pod {
            object: object.clone(),
            labels: labels(pod, "/metadata/labels"),
            service_account: account.to_owned(),
            address: None,
            proxy: Proxy::Absent,
            because: String::new(),
            declared: declared.collect(),
            ports: named_ports(pod),
            pool: None,
            ready: false,
            node: None,
            host_network,
            resolver: match (text(pod, "/spec/dnsPolicy"), host_network) {
                ("None", _) => Resolver::Own,
                ("Default", _) | ("" | "ClusterFirst", true) => Resolver::Node,
                _ => Resolver::Cluster,
            },
            own_dns: ["nameservers", "searches"].iter().any(|field| {
                let listed = pod.pointer(&format!("/spec/dnsConfig/{field}"));
                listed.is_some_and(|listed| !empty(listed))
            }),
            hosts: list(pod, "/spec/hostAliases")
                .filter_map(|each| Some((each, text(each, "/ip").parse().ok()?)))
                .flat_map(|(each, address)| {
                    let names = texts(each, "/hostnames").into_iter();
                    names.map(move |name| (name.to_ascii_lowercase(), address))
                })
                .collect(),
            host_name: match (text(pod, "/spec/hostname"), text(pod, "/spec/subdomain")) {
                ("", _) | (_, "") => None,
                (name, service) => Some((name.to_owned(), service.to_owned())),
            },
            redirection: Redirection::read(pod),
            uncovered: uncovered(pod),
        }
    }

    /// The first pool, by name, that accepts a pod.
    fn pool(&self, spec: &Value) -> Option<usize> {
        self.pools.iter().position(|pool| pool.takes(spec))
    }
}

/// The annotations of a pod that change how its proxy is configured, and are not covered; those of its redirection are
/// ([`Redirection`]).
fn uncovered(pod: &Value) -> Vec<String> {
    let is_usual = |name: &str, value: &str| match name {
        "sidecar.istio.io/interceptionMode" => {
            ["REDIRECT", "TPROXY", "NONE"].contains(&value.to_ascii_uppercase().as_str())
        }
        "proxy.istio.io/config" | "istio.io/reroute-virtual-interfaces" => value.trim().is_empty(),
        _ => true,
    };
    let all = labels(pod, "/metadata/annotations").into_iter();
    all.filter(|(name, value)| !is_usual(name, value))
        .map(|(name, _)| name)
        .collect()
}

/// Whether a pod's proxy is a gateway: by its requested injection template, or by the arguments of its proxy.
fn gateway(pod: &Value) -> bool {
    let annotations = labels(pod, "/metadata/annotations");
    let templates = annotations.get("inject.istio.io/templates");
    let asks = templates.is_some_and(|names| names.split(',').any(|name| name.trim() == "gateway"));
    let started = list(pod, "/spec/containers").any(|container| {
        text(container, "/name") == PROXY
            && texts(container, "/args").contains(&"router".to_owned())
    });
    asks || started
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_workload_without_pods_has_those_that_it_would_create() {
        let template = json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": []}});
        let workload = |kind: &str, spec: Value, status: Value| {
            let mut spec = spec;
            match kind {
                "CronJob" => spec["jobTemplate"] = json!({"spec": {"template": template}}),
                _ => spec["template"] = template.clone(),
            }
            json!({"kind": kind, "metadata": {"name": "w", "namespace": "n"}, "spec": spec, "status": status})
        };
        let ended = json!({"conditions": [{"type": "Complete", "status": "True"}]});
        // (workload, whether a pod is expected, whether it can receive requests)
        for (workload, expected, ready) in [
            (workload("StatefulSet", json!({}), json!({})), true, true),
            (
                workload("StatefulSet", json!({"replicas": 0}), json!({})),
                false,
                false,
            ),
            (workload("DaemonSet", json!({}), json!({})), true, true),
            (
                workload("DaemonSet", json!({}), json!({"desiredNumberScheduled": 0})),
                false,
                false,
            ),
            (workload("Job", json!({}), json!({})), true, true),
            (workload("Job", json!({}), ended.clone()), false, false),
            (
                workload("Job", json!({"suspend": true}), json!({})),
                false,
                false,
            ),
            (workload("Deployment", json!({}), ended), true, true),
            (workload("CronJob", json!({}), json!({})), true, false),
            (
                workload("CronJob", json!({"suspend": true}), json!({})),
                false,
                false,
            ),
        ] {
            let (nodes, namespaces) = (BTreeMap::new(), BTreeMap::new());
            let ground = PlacementContext {
                pools: &[],
                nodes: &nodes,
                namespaces: &namespaces,
            };
            let found: Vec<bool> = read(&[&workload], &ground)
                .iter()
                .map(|pod| pod.ready)
                .collect();
            let wanted = if expected { vec![ready] } else { Vec::new() };
            assert_eq!(found, wanted, "{workload}");
        }
    }
}
