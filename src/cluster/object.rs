//! The identity of an object: kind, namespace and name, and the path that follows from them.

use std::fmt;

use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Map, Value};

/// The identity of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRef {
    /// `networking.istio.io/v1beta1`, or `v1`.
    pub api_version: String,
    /// `VirtualService`.
    pub kind: String,
    /// The namespace; `None` for a cluster-scoped object.
    pub namespace: Option<String>,
    /// The name of the object.
    pub name: String,
}

/// A missing key of the object's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`at` has no `{0}`")]
pub struct MissingKey(pub &'static str);

impl ObjectRef {
    /// Reads the identity from a step's `at`; an error names the missing key.
    pub fn at(at: &Map<String, Value>) -> Result<ObjectRef, MissingKey> {
        let text = |key: &str| at.get(key).and_then(Value::as_str).map(str::to_owned);
        let needed = |key: &'static str| text(key).ok_or(MissingKey(key));
        Ok(ObjectRef {
            api_version: needed("apiVersion")?,
            kind: needed("kind")?,
            namespace: text("namespace"),
            name: needed("name")?,
        })
    }

    /// An object of another kind in the same namespace.
    pub fn beside(&self, api_version: &str, kind: &str, name: &str) -> ObjectRef {
        ObjectRef {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            ..self.clone()
        }
    }

    /// Whether its path is that of one object, or of one list: see [`is_segment`].
    pub(super) fn is_one_path(&self) -> bool {
        let (group, version) = self.group_and_version();
        let namespace = self.namespace.as_deref().unwrap_or_default();
        let all = [group, version, &self.kind, namespace, &self.name];
        all.into_iter().all(is_segment)
    }

    fn group_and_version(&self) -> (&str, &str) {
        let both = self.api_version.split_once('/');
        both.unwrap_or(("", &self.api_version))
    }

    /// How the API names its kind. The plural follows the English rules, as for every kind that the tutorial uses.
    pub(super) fn resource(&self) -> ApiResource {
        let (group, version) = self.group_and_version();
        ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &self.kind))
    }
}

/// Whether a name stays one segment of a path, by Kubernetes' own rule (no `/` and no `%`, neither `.` nor `..`), and
/// does not end the path.
pub(super) fn is_segment(name: &str) -> bool {
    let odd = |c: char| "/%?#\\".contains(c) || c.is_whitespace() || c.is_control();
    name != "." && name != ".." && !name.contains(odd)
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plurals_are_those_of_the_kinds_in_use() {
        for (api_version, kind, plural) in [
            ("v1", "Namespace", "namespaces"),
            ("apps/v1", "Deployment", "deployments"),
            ("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
            (
                "autoscaling/v2",
                "HorizontalPodAutoscaler",
                "horizontalpodautoscalers",
            ),
            ("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
            (
                "networking.istio.io/v1beta1",
                "ServiceEntry",
                "serviceentries",
            ),
            ("networking.istio.io/v1beta1", "Gateway", "gateways"),
            ("networking.istio.io/v1beta1", "Sidecar", "sidecars"),
            (
                "security.istio.io/v1beta1",
                "PeerAuthentication",
                "peerauthentications",
            ),
            (
                "security.istio.io/v1beta1",
                "AuthorizationPolicy",
                "authorizationpolicies",
            ),
            ("telemetry.istio.io/v1alpha1", "Telemetry", "telemetries"),
            (
                "rbac.authorization.k8s.io/v1",
                "RoleBinding",
                "rolebindings",
            ),
        ] {
            let at = json!({"apiVersion": api_version, "kind": kind, "name": "x"});
            let object = ObjectRef::at(at.as_object().unwrap()).unwrap();
            assert_eq!(object.resource().plural, plural);
            assert_eq!(object.resource().api_version, api_version);
        }
        assert_eq!(ObjectRef::at(&Map::new()), Err(MissingKey("apiVersion")));
    }
}
