//! Istio's ambient mode, which is not modelled: which pods ztunnel carries, and which services have a waypoint, by their labels
//! (`istio.io/dataplane-mode`, `istio.io/use-waypoint`). A pod with a sidecar is not carried by ztunnel.

use std::collections::BTreeMap;

use json::text;
use serde_json::Value;

use super::object::{Labels, Object, Unknown, labels};
use super::pod::{Pod, Proxy};

const MODE: &str = "istio.io/dataplane-mode";
const WAYPOINT: &str = "istio.io/use-waypoint";

/// The label by which ztunnel carries a pod's connections: the pod's own, otherwise that of its namespace.
pub fn carried(pod: &Pod, namespace: Option<&Labels>) -> Option<Unknown> {
    if pod.proxy != Proxy::Absent {
        return None;
    }
    let of_namespace = namespace.and_then(|labels| labels.get(MODE));
    let (mode, object) = match (pod.labels.get(MODE), of_namespace) {
        (Some(own), _) => (own, pod.object.clone()),
        (None, Some(mode)) => (mode, Object::new("Namespace", "", pod.namespace())),
        (None, None) => return None,
    };
    (mode == "ambient").then(|| Unknown {
        object,
        field: format!("metadata.labels[{MODE}]"),
    })
}

/// The Services and ServiceEntries that ask for a waypoint, by their own label or by that of their namespace.
pub fn waypoints<'v>(objects: impl Iterator<Item = &'v Value> + Clone) -> Vec<Unknown> {
    let stated = |object: &Value| labels(object, "/metadata/labels").remove(WAYPOINT);
    let of = |kind: &'static str| {
        objects
            .clone()
            .filter(move |each| text(each, "/kind") == kind)
    };
    let namespaces: BTreeMap<&str, String> = of("Namespace")
        .filter_map(|each| Some((text(each, "/metadata/name"), stated(each)?)))
        .collect();
    let asking = of("Service").chain(of("ServiceEntry")).filter(|each| {
        let of_namespace = namespaces.get(text(each, "/metadata/namespace")).cloned();
        let name = stated(each).or(of_namespace);
        name.is_some_and(|name| name != "none")
    });
    let unknown = asking.map(|each| Unknown {
        object: Object::of(each),
        field: format!("metadata.labels[{WAYPOINT}]"),
    });
    unknown.collect()
}
