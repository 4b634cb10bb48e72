//! Kinds that may affect a decision and are not covered: a trace that passes one of their proxies or pods lists them.

use json::text;
use serde_json::Value;

use super::object::{Object, Unknown};
use super::pod::{Pod, Proxy};
use super::selector::Selector;

/// An object of a kind that is not covered, and the pods that it may apply to.
#[derive(Debug, Clone)]
pub struct Unsupported {
    object: Object,
    selector: Selector,
    /// Whether it concerns every pod, not only those with a proxy.
    every_pod: bool,
}

/// The kinds of a mesh by API group, which concern only pods with a proxy. Kinds that only affect telemetry are not listed.
const OF_MESH: &[(&str, &str)] = &[
    ("networking.istio.io", "EnvoyFilter"),
    ("networking.istio.io", "ProxyConfig"),
    ("networking.istio.io", "WorkloadEntry"),
    ("extensions.istio.io", "WasmPlugin"),
    ("security.istio.io", "RequestAuthentication"),
    ("gateway.networking.k8s.io", "Gateway"),
    ("gateway.networking.k8s.io", "HTTPRoute"),
    ("gateway.networking.k8s.io", "TLSRoute"),
    ("gateway.networking.k8s.io", "TCPRoute"),
    ("gateway.networking.k8s.io", "GRPCRoute"),
];

/// The kinds that concern every pod.
const OF_NETWORK: &[(&str, &str)] = &[
    ("cilium.io", "CiliumNetworkPolicy"),
    ("cilium.io", "CiliumClusterwideNetworkPolicy"),
    ("networking.gke.io", "FQDNNetworkPolicy"),
    ("policy.networking.k8s.io", "AdminNetworkPolicy"),
    ("policy.networking.k8s.io", "BaselineAdminNetworkPolicy"),
    ("policy.networking.k8s.io", "ClusterNetworkPolicy"),
    ("projectcalico.org", "NetworkPolicy"),
    ("projectcalico.org", "GlobalNetworkPolicy"),
    ("crd.projectcalico.org", "NetworkPolicy"),
    ("crd.projectcalico.org", "GlobalNetworkPolicy"),
];

/// Whether an object is of a kind that is not covered.
pub fn is(object: &Value) -> bool {
    let kind = kind(object);
    OF_MESH.contains(&kind) || OF_NETWORK.contains(&kind)
}

/// The API group and the kind of an object.
fn kind(object: &Value) -> (&str, &str) {
    let group = text(object, "/apiVersion").split('/').next();
    (group.unwrap_or_default(), text(object, "/kind"))
}

impl Unsupported {
    /// Parses an object for which [`is`] holds.
    pub fn read(object: &Value) -> Unsupported {
        let spec = object.get("spec").unwrap_or(&Value::Null);
        let fields = [
            "workloadSelector",
            "selector",
            "podSelector",
            "endpointSelector",
        ];
        let selector = fields.iter().find_map(|field| spec.get(field));
        Unsupported {
            object: Object::of(object),
            selector: selector.map(Selector::read).unwrap_or_default(),
            every_pod: OF_NETWORK.contains(&kind(object)),
        }
    }

    /// Whether it may apply to a pod; an object that is cluster-scoped applies to all, and one of the mesh in the root namespace to
    /// all with a proxy.
    pub fn concerns(&self, pod: &Pod, root: &str) -> bool {
        let own = self.object.namespace.as_str();
        let here = own.is_empty() || own == pod.namespace() || own == root && !self.every_pod;
        let has_proxy = pod.proxy != Proxy::Absent;
        here && (self.every_pod || has_proxy) && self.selector.matches(&pod.labels)
    }

    /// The entry for a trace.
    pub fn unknown(&self) -> Unknown {
        Unknown {
            object: self.object.clone(),
            field: String::new(),
        }
    }
}
