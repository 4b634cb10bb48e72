//! The identity of objects: kind and name, and which fields of them are not covered here.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// Labels of an object.
pub type Labels = std::collections::BTreeMap<String, String>;

/// An object by kind and name: `VirtualService istio-egress/example-com`, `firewall global-deny-egress-all`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Object {
    /// The kind, in the spelling of its API.
    pub kind: String,
    /// The namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Object {
    /// An object of this kind and name.
    pub fn new(kind: &str, namespace: &str, name: &str) -> Object {
        let [kind, namespace, name] = [kind, namespace, name].map(str::to_owned);
        Object {
            kind,
            namespace,
            name,
        }
    }

    /// The object of a manifest or of a live answer of Kubernetes.
    pub fn of(manifest: &Value) -> Object {
        let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str);
        Object::new(
            text("/kind").unwrap_or_default(),
            text("/metadata/namespace").unwrap_or_default(),
            text("/metadata/name").unwrap_or_default(),
        )
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => write!(f, "{} {}", self.kind, self.name),
            namespace => write!(f, "{} {namespace}/{}", self.kind, self.name),
        }
    }
}

/// Kinds without a namespace, as far as they are known here.
const CLUSTER_SCOPED: &[&str] = &[
    "Namespace",
    "Node",
    "ClusterNetworkPolicy",
    "AdminNetworkPolicy",
    "BaselineAdminNetworkPolicy",
    "CiliumClusterwideNetworkPolicy",
    "GlobalNetworkPolicy",
    "GatewayClass",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "PersistentVolume",
    "StorageClass",
    "PriorityClass",
    "IngressClass",
    "RuntimeClass",
    "APIService",
];

/// The namespaced kinds of other API groups.
const NAMESPACED: &[&str] = &["CiliumNetworkPolicy", "FQDNNetworkPolicy", "NetworkPolicy"];

/// An object with the namespace in which `kubectl apply` creates it: without one, `default`. One of a kind whose scope is not
/// known keeps none, so that it may apply everywhere.
pub fn placed(object: &Value) -> std::borrow::Cow<'_, Value> {
    let identity = Object::of(object);
    let kind = identity.kind.as_str();
    let version = object.get("apiVersion").and_then(Value::as_str);
    let group = version.and_then(|version| version.split_once('/'));
    let group = group.map_or("", |(group, _)| group);
    let is_known = !group.contains('.')
        || [".k8s.io", ".istio.io"]
            .iter()
            .any(|end| group.ends_with(end));
    let is_namespaced = match is_known {
        true => !CLUSTER_SCOPED.contains(&kind),
        false => NAMESPACED.contains(&kind),
    };
    if !is_namespaced || identity.name.is_empty() || !identity.namespace.is_empty() {
        return std::borrow::Cow::Borrowed(object);
    }
    let mut placed = object.clone();
    placed["metadata"]["namespace"] = Value::from("default");
    std::borrow::Cow::Owned(placed)
}

/// A part of an object that may affect a decision and is not covered here. Traces that depend on it list it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unknown {
    /// The object that contains it.
    pub object: Object,
    /// The field, as a path (`spec.http[0].mirror`), or empty if the whole kind is not covered.
    pub field: String,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => write!(f, "{}", self.object),
            field => write!(f, "{} {field}", self.object),
        }
    }
}

/// The labels at `pointer` of an object.
pub fn labels(object: &Value, pointer: &str) -> Labels {
    let fields = object.pointer(pointer).and_then(Value::as_object);
    let texts = fields
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
    texts.collect()
}

/// The texts in the list at `pointer` of an object.
pub fn texts(object: &Value, pointer: &str) -> Vec<String> {
    let list = object.pointer(pointer).and_then(Value::as_array);
    let texts = list.into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}
