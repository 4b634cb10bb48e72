//! The pods as istioctl counts them: every Pod of the cluster, ended or not. Added are the pods that workloads without any would
//! create, so that a configuration can be analyzed before it is applied.

use std::collections::{BTreeMap, BTreeSet};

use json::text;
use serde_json::Value;

use crate::injection::proxy_container;
use crate::object::{Labels, Object, labels};
use crate::pod::{Pod, Proxy};

const INJECT: &str = "sidecar.istio.io/inject";
const NAMESPACE_LABEL: &str = "istio-injection";

/// A pod, or the template of a workload without pods.
#[derive(Debug, Clone)]
pub struct Workload<'a> {
    /// The object for a finding: the Pod, or the workload that would create it.
    pub object: Object,
    /// The labels of the pod.
    pub labels: Labels,
    /// The annotations of the pod.
    pub annotations: Labels,
    /// The pod's `spec`.
    pub spec: &'a Value,
    /// Whether istioctl counts it as a part of the mesh with a sidecar or as a gateway.
    pub in_mesh: bool,
    /// Whether ztunnel takes its traffic.
    pub ambient: bool,
    /// The proxy that it has, or will have.
    pub proxy: Proxy,
}

/// Everything that has pods, or would have them.
pub fn read<'a>(
    objects: &[&'a Value],
    pods: &[Pod],
    namespaces: &BTreeMap<String, Labels>,
) -> Vec<Workload<'a>> {
    let key = |object: &Object| (object.namespace.clone(), object.name.clone());
    let proxies: BTreeMap<(String, String), Proxy> = pods
        .iter()
        .map(|pod| (key(&pod.object), pod.proxy))
        .collect();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for value in objects.iter().filter(|each| text(each, "/kind") == "Pod") {
        let object = Object::of(value);
        let proxy = proxies.get(&key(&object)).copied();
        seen.insert(key(&object));
        found.push(workload(object, value, proxy, namespaces, created(value)));
    }
    let templates = objects.iter().filter(|each| {
        text(each, "/kind") != "Pod" && each.pointer("/spec/template/spec").is_some()
    });
    for value in templates {
        let object = Object::of(value);
        let proxy = proxies.get(&key(&object)).copied();
        if proxy.is_some() && seen.insert(key(&object)) {
            let template = &value["spec"]["template"];
            found.push(workload(object, template, proxy, namespaces, false));
        }
    }
    found
}

/// Whether an object was read from a cluster.
pub fn created(value: &Value) -> bool {
    value.pointer("/metadata/uid").is_some()
}

fn workload<'a>(
    object: Object,
    pod: &'a Value,
    proxy: Option<Proxy>,
    namespaces: &BTreeMap<String, Labels>,
    created: bool,
) -> Workload<'a> {
    let labels_of_pod = labels(pod, "/metadata/labels");
    let annotations = labels(pod, "/metadata/annotations");
    let proxy = proxy.unwrap_or(Proxy::Absent);
    let namespace = namespaces.get(&object.namespace);
    let own = labels_of_pod
        .get(INJECT)
        .or_else(|| annotations.get(INJECT));
    let has_container = proxy_container(&pod["spec"])
        .is_some_and(|container| !text(container, "/image").is_empty());
    let asked = match own {
        Some(value) => value == "true",
        None => namespace.is_some_and(|labels| {
            labels
                .get(NAMESPACE_LABEL)
                .is_some_and(|value| value == "enabled")
        }),
    };
    Workload {
        in_mesh: has_container || asked || (!created && proxy != Proxy::Absent),
        ambient: annotations
            .get("ambient.istio.io/redirection")
            .is_some_and(|value| value == "enabled"),
        object,
        labels: labels_of_pod,
        annotations,
        spec: pod.get("spec").unwrap_or(&Value::Null),
        proxy,
    }
}
