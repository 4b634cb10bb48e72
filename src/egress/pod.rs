//! Pods: the running ones, and those that a workload's template would create.
//!
//! A workload that has pods is represented by them, and one without pods by its template, so that the same questions can be
//! answered before anything exists.

use std::collections::BTreeMap;
use std::net::IpAddr;

use json::{list, text};
use serde_json::Value;

use super::field::empty;
use super::injection::{PROXY, has_proxy, injects, proxy_container};
use super::network_policy::named_ports;
use super::object::{Labels, Object, labels, texts};
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
}

impl Pod {
    /// Its namespace.
    pub fn namespace(&self) -> &str {
        &self.object.namespace
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
        let none_wanted = workload.pointer("/spec/replicas") == Some(&Value::from(0));
        if !has_pods && !none_wanted {
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
        let template = workload.pointer("/spec/template")?;
        let mut pod = self.made(
            &Object::new("Pod", &object.namespace, &object.name),
            template,
        );
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
        Pod {
            object: object.clone(),
            labels: labels(pod, "/metadata/labels"),
            service_account: account.to_owned(),
            address: None,
            proxy: Proxy::Absent,
            because: String::new(),
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
        }
    }

    /// The first pool, by name, that accepts a pod.
    fn pool(&self, spec: &Value) -> Option<usize> {
        self.pools.iter().position(|pool| pool.takes(spec))
    }
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
