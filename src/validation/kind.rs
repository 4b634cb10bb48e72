//! Which kind an object is of: Kubernetes' own, Istio's, somebody else's, or none that could be.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::at::Path;
use crate::fault::{Fault, Reason};
use crate::refusal::{Layer, Refusal};
use crate::schema;

/// A kind and its schema.
#[derive(Debug, Clone, Copy)]
pub struct Kind<'k> {
    /// The group; empty for the core.
    pub group: &'k str,
    /// `v1`.
    pub version: &'k str,
    /// `Deployment`.
    pub name: &'k str,
    /// Whether a definition brings it.
    pub custom: bool,
    /// Its schema, maybe a reference.
    pub schema: &'k Value,
}

impl Kind<'_> {
    /// `Deployment.apps`, or `Pod`.
    pub fn full(&self) -> String {
        match self.group {
            "" => self.name.to_owned(),
            group => format!("{}.{group}", self.name),
        }
    }

    /// `apps/v1, Kind=Deployment`; the core's version has a slash too.
    pub fn grouped(&self) -> String {
        format!("{}/{}, Kind={}", self.group, self.version, self.name)
    }
}

/// A row of the kinds that are known: group, version, name, and the schema if there is one here.
struct Known {
    group: String,
    version: String,
    name: String,
    custom: bool,
    schema: Option<Value>,
}

static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| built_in().chain(istio()).collect());

/// Kubernetes' own kinds, whose names are published and of which some have their schema here.
fn built_in() -> impl Iterator<Item = Known> {
    let names = include_str!("../../fixtures/kubernetes/kinds.txt");
    names.lines().filter_map(|line| {
        let (version, name) = line.split_once(' ')?;
        let (group, version) = split(version);
        Some(Known {
            schema: schema_of(group, version, name).map(|name| json!({"$ref": name})),
            group: group.to_owned(),
            version: version.to_owned(),
            name: name.to_owned(),
            custom: false,
        })
    })
}

/// The name of the schema of a built-in kind.
fn schema_of(group: &str, version: &str, name: &str) -> Option<&'static String> {
    static NAMES: LazyLock<Vec<(Value, &'static String)>> = LazyLock::new(|| {
        let all = schema::built_in().as_object().into_iter().flatten();
        all.flat_map(|(name, schema)| {
            let kinds = schema["x-kubernetes-group-version-kind"].as_array();
            kinds
                .into_iter()
                .flatten()
                .map(move |kind| (kind.clone(), name))
        })
        .collect()
    });
    let wanted =
        |kind: &Value| kind["group"] == group && kind["version"] == version && kind["kind"] == name;
    NAMES
        .iter()
        .find(|(kind, _)| wanted(kind))
        .map(|(_, name)| *name)
}

/// Istio's kinds, in each of their versions.
fn istio() -> impl Iterator<Item = Known> {
    schema::istio().iter().flat_map(|(plural, row)| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let versions = row["versions"].as_array().into_iter().flatten();
        versions.map(move |version| Known {
            group: text(&row["group"]),
            version: text(version),
            name: text(&row["names"]["kind"]),
            custom: true,
            schema: Some(json!({"$ref": format!("istio/{plural}")})),
        })
    })
}

/// `apps/v1` as group and version; the core's group is empty.
fn split(api_version: &str) -> (&str, &str) {
    api_version.rsplit_once('/').unwrap_or(("", api_version))
}

/// The kind of an object; none if somebody else's definition may bring it, or if it has no schema here.
///
/// # Errors
/// A kind that no API server serves: none of its group, or a group that no definition can have.
pub fn kind_of(object: &Value) -> Result<Option<Kind<'static>>, Refusal> {
    let text = |field: &str| object[field].as_str().unwrap_or_default();
    let (name, api_version) = (text("kind"), text("apiVersion"));
    let (group, version) = split(api_version);
    if name.is_empty() || version.is_empty() {
        return Ok(None);
    }
    let of_name = |known: &&Known| known.name == name;
    let of_group = |known: &&Known| known.group == group;
    let found = KNOWN
        .iter()
        .filter(of_group)
        .filter(of_name)
        .find(|known| known.version == version);
    if let Some(known) = found {
        return Ok(known.schema.as_ref().map(|schema| Kind {
            group: &known.group,
            version: &known.version,
            name: &known.name,
            custom: known.custom,
            schema,
        }));
    }
    let kinds = KNOWN
        .iter()
        .filter(of_group)
        .map(|known| known.name.as_str());
    if KNOWN
        .iter()
        .filter(of_group)
        .any(|known| known.version == version)
        && !KNOWN
            .iter()
            .filter(of_group)
            .any(|known| known.name == name)
    {
        // The path of the kind that was meant exists; the object in it is of another.
        let message = format!("invalid object type: {group}/{version}, Kind={name}");
        let fault = Fault::new(
            &Path::default().field("kind"),
            Reason::NotFound,
            message.clone(),
        );
        let fault = fault.meant(name, kinds);
        if fault.near.is_some() {
            let mut refusal = no_such(message, fault);
            (refusal.layer, refusal.status, refusal.reason) = (Layer::Schema, 400, "BadRequest");
            return Err(refusal);
        }
    }
    // A definition's group has a dot, so any other is Kubernetes' own.
    let is_taken = KNOWN.iter().any(|known| known.group == group) || !group.contains('.');
    let part = |known: &&Known| known.group.ends_with(&format!(".{group}"));
    let is_part = KNOWN.iter().filter(part).any(|known| known.name == name);
    if !is_taken && !is_part {
        return Ok(None);
    }
    let right: Vec<String> = KNOWN
        .iter()
        .filter(of_name)
        .map(|known| match known.group.as_str() {
            "" => known.version.clone(),
            group => format!("{group}/{}", known.version),
        })
        .collect();
    let message = format!("no kind {name:?} is registered for version {api_version:?}");
    let path = Path::default().field("apiVersion");
    let mut fault = Fault::new(&path, Reason::NotFound, message.clone());
    // Of the same group before another, a stable version before others, the newest of those.
    let rank = |right: &&String| {
        let (its, version) = split(right);
        let is_stable = !version.contains("alpha") && !version.contains("beta");
        (its == group, is_stable, version.to_owned())
    };
    fault.near = right.iter().max_by_key(rank).cloned();
    Err(no_such(message, fault))
}

/// Kubernetes' own kinds whose objects are in no namespace.
const CLUSTER_SCOPED: &[&str] = &[
    "APIService",
    "CSIDriver",
    "CSINode",
    "CertificateSigningRequest",
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterTrustBundle",
    "ComponentStatus",
    "CustomResourceDefinition",
    "DeviceClass",
    "DeviceTaintRule",
    "FlowSchema",
    "IPAddress",
    "IngressClass",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "PriorityLevelConfiguration",
    "ResourceSlice",
    "RuntimeClass",
    "SelfSubjectAccessReview",
    "SelfSubjectReview",
    "SelfSubjectRulesReview",
    "ServiceCIDR",
    "StorageClass",
    "StorageVersion",
    "StorageVersionMigration",
    "SubjectAccessReview",
    "TokenReview",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "VolumeAttachment",
    "VolumeAttributesClass",
];

/// Whether objects of this kind are in namespaces; none if the kind is somebody else's.
pub fn is_namespaced(object: &Value) -> Option<bool> {
    let text = |field: &str| object[field].as_str().unwrap_or_default();
    let (name, (group, _)) = (text("kind"), split(text("apiVersion")));
    if group == "gateway.networking.k8s.io" {
        return Some(name != "GatewayClass");
    }
    let known = KNOWN
        .iter()
        .find(|known| known.group == group && known.name == name)?;
    Some(known.custom || !CLUSTER_SCOPED.contains(&name))
}

fn no_such(message: String, fault: Fault) -> Refusal {
    Refusal {
        layer: Layer::NoSuchKind,
        status: 404,
        reason: "NotFound",
        message,
        faults: vec![fault],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_without_namespaces_are_known() {
        for (version, kind, namespaced) in [
            ("v1", "Pod", Some(true)),
            ("v1", "Namespace", Some(false)),
            ("security.istio.io/v1", "AuthorizationPolicy", Some(true)),
            ("example.com/v1", "Thing", None),
        ] {
            let object = json!({"apiVersion": version, "kind": kind});
            assert_eq!(is_namespaced(&object), namespaced, "{kind}");
        }
        for name in CLUSTER_SCOPED {
            assert!(KNOWN.iter().any(|known| known.name == *name), "{name}");
        }
        let scopes = schema::istio().values().map(|row| &row["scope"]);
        assert!(scopes.into_iter().all(|scope| scope == "Namespaced"));
    }

    #[test]
    fn kinds_that_nobody_serves_are_told_from_those_of_others() {
        // (apiVersion, kind, status of the refusal, what was meant)
        let cases = [
            ("v1", "Pod", None, None),
            ("apps/v1", "Deployment", None, None),
            ("example.com/v1", "Thing", None, None),
            ("cert-manager.io/v1", "Certificate", None, None),
            ("gateway.networking.k8s.io/v1", "Gateway", None, None),
            ("install.istio.io/v1alpha1", "IstioOperator", None, None),
            ("storage.k8s.io/v1", "CSIDriver", None, None),
            (
                "extensions/v1beta1",
                "Deployment",
                Some(404),
                Some("apps/v1"),
            ),
            (
                "autoscaling/v2beta2",
                "HorizontalPodAutoscaler",
                Some(404),
                Some("autoscaling/v2"),
            ),
            (
                "networking.istio.io/v1",
                "Virtualservice",
                Some(400),
                Some("VirtualService"),
            ),
            (
                "istio.io/v1",
                "VirtualService",
                Some(404),
                Some("networking.istio.io/v1"),
            ),
            ("v1", "Deployment", Some(404), Some("apps/v1")),
        ];
        for (version, kind, status, near) in cases {
            let told = kind_of(&json!({"apiVersion": version, "kind": kind})).err();
            assert_eq!(
                told.as_ref().map(|told| told.status),
                status,
                "{version} {kind}: {told:?}"
            );
            if let (Some(told), Some(near)) = (told, near) {
                assert_eq!(
                    told.faults[0].near.as_deref(),
                    Some(near),
                    "{version} {kind}"
                );
            }
        }
    }
}
