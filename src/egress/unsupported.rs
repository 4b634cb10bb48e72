//! Kinds that may affect a decision and are not covered: a trace that passes one of their proxies or pods lists them.

use json::text;
use serde_json::Value;

use super::object::{Labels, Object, Unknown};
use super::selector::Selector;

/// An object of a kind that is not covered, and the pods that it may apply to.
#[derive(Debug, Clone)]
pub struct Unsupported {
    object: Object,
    selector: Selector,
}

/// The kinds by API group, and whether they concern every pod or only those of a mesh. Kinds that only affect telemetry are
/// not listed.
const KINDS: &[(&str, &str)] = &[
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
    ("cilium.io", "CiliumNetworkPolicy"),
    ("cilium.io", "CiliumClusterwideNetworkPolicy"),
    ("networking.gke.io", "FQDNNetworkPolicy"),
    ("policy.networking.k8s.io", "AdminNetworkPolicy"),
    ("policy.networking.k8s.io", "BaselineAdminNetworkPolicy"),
];

/// Whether an object is of a kind that is not covered.
pub fn is(object: &Value) -> bool {
    let group = text(object, "/apiVersion").split('/').next();
    KINDS.contains(&(group.unwrap_or_default(), text(object, "/kind")))
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
        }
    }

    /// Whether it may apply to a pod with these labels in this namespace; an object that is cluster-scoped or in the root
    /// namespace applies to all.
    pub fn concerns(&self, namespace: &str, labels: &Labels, root: &str) -> bool {
        let own = &self.object.namespace;
        (own.is_empty() || own == root || own == namespace) && self.selector.matches(labels)
    }

    /// The entry for a trace.
    pub fn unknown(&self) -> Unknown {
        Unknown {
            object: self.object.clone(),
            field: String::new(),
        }
    }
}
