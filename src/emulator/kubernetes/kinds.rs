//! The table of built-in kinds: adding a row adds the kind to discovery, to the routes, to the schemas and to validation.

use super::resource::{Column, Resource, Verbs};

/// A row: group, version, kind, plural, short names, and what the flags say.
struct BuiltinKind(
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [Flag],
);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flag {
    /// Has no namespace.
    Cluster,
    /// The server counts changes of its spec.
    Counted,
    /// Has a `/status`.
    Status,
    /// Has a `/scale`.
    Scale,
    /// Listed by `kubectl get all`.
    InAll,
    /// See [`Verbs::Review`].
    Review,
}
use Flag::{Cluster, Counted, InAll, Review, Scale, Status};

const ADMISSION: &str = "admissionregistration.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";
const AUTHORIZATION: &str = "authorization.k8s.io";

/// Discovery lists groups in this order, as the real server does by priority.
const ROWS: &[BuiltinKind] = &[
    BuiltinKind(
        "",
        "v1",
        "Namespace",
        "namespaces",
        &["ns"],
        &[Cluster, Status],
    ),
    BuiltinKind("", "v1", "Node", "nodes", &["no"], &[Cluster, Status]),
    BuiltinKind("", "v1", "Pod", "pods", &["po"], &[Status, InAll, Counted]),
    BuiltinKind("", "v1", "Service", "services", &["svc"], &[Status, InAll]),
    BuiltinKind("", "v1", "ServiceAccount", "serviceaccounts", &["sa"], &[]),
    BuiltinKind("", "v1", "ConfigMap", "configmaps", &["cm"], &[]),
    BuiltinKind("", "v1", "Secret", "secrets", &[], &[]),
    BuiltinKind("", "v1", "Event", "events", &["ev"], &[]),
    BuiltinKind("", "v1", "Endpoints", "endpoints", &["ep"], &[]),
    BuiltinKind("", "v1", "LimitRange", "limitranges", &["limits"], &[]),
    BuiltinKind(
        "",
        "v1",
        "ResourceQuota",
        "resourcequotas",
        &["quota"],
        &[Status],
    ),
    BuiltinKind(
        "",
        "v1",
        "PersistentVolumeClaim",
        "persistentvolumeclaims",
        &["pvc"],
        &[Status],
    ),
    BuiltinKind(
        "apps",
        "v1",
        "Deployment",
        "deployments",
        &["deploy"],
        &[Status, Scale, InAll, Counted],
    ),
    BuiltinKind(
        "apps",
        "v1",
        "ReplicaSet",
        "replicasets",
        &["rs"],
        &[Status, Scale, InAll, Counted],
    ),
    BuiltinKind(
        "apps",
        "v1",
        "DaemonSet",
        "daemonsets",
        &["ds"],
        &[Status, InAll, Counted],
    ),
    BuiltinKind(
        "apps",
        "v1",
        "StatefulSet",
        "statefulsets",
        &["sts"],
        &[Status, Scale, InAll, Counted],
    ),
    BuiltinKind(
        "autoscaling",
        "v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        &["hpa"],
        &[Status, InAll],
    ),
    BuiltinKind("batch", "v1", "Job", "jobs", &[], &[Status, InAll, Counted]),
    BuiltinKind(
        "networking.k8s.io",
        "v1",
        "NetworkPolicy",
        "networkpolicies",
        &["netpol"],
        &[Counted],
    ),
    BuiltinKind(
        "policy",
        "v1",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        &["pdb"],
        &[Status, Counted],
    ),
    BuiltinKind(RBAC, "v1", "Role", "roles", &[], &[]),
    BuiltinKind(RBAC, "v1", "RoleBinding", "rolebindings", &[], &[]),
    BuiltinKind(RBAC, "v1", "ClusterRole", "clusterroles", &[], &[Cluster]),
    BuiltinKind(
        RBAC,
        "v1",
        "ClusterRoleBinding",
        "clusterrolebindings",
        &[],
        &[Cluster],
    ),
    BuiltinKind("coordination.k8s.io", "v1", "Lease", "leases", &[], &[]),
    BuiltinKind(
        "discovery.k8s.io",
        "v1",
        "EndpointSlice",
        "endpointslices",
        &[],
        &[],
    ),
    BuiltinKind(
        "scheduling.k8s.io",
        "v1",
        "PriorityClass",
        "priorityclasses",
        &["pc"],
        &[Cluster],
    ),
    BuiltinKind(
        "storage.k8s.io",
        "v1",
        "StorageClass",
        "storageclasses",
        &["sc"],
        &[Cluster],
    ),
    BuiltinKind(
        ADMISSION,
        "v1",
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        &[],
        &[Cluster, Counted],
    ),
    BuiltinKind(
        ADMISSION,
        "v1",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        &[],
        &[Cluster, Counted],
    ),
    BuiltinKind(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        &["crd", "crds"],
        &[Cluster, Status, Counted],
    ),
    BuiltinKind(
        "authentication.k8s.io",
        "v1",
        "SelfSubjectReview",
        "selfsubjectreviews",
        &[],
        &[Cluster, Review],
    ),
    BuiltinKind(
        "authentication.k8s.io",
        "v1",
        "TokenReview",
        "tokenreviews",
        &[],
        &[Cluster, Review],
    ),
    BuiltinKind(
        AUTHORIZATION,
        "v1",
        "SelfSubjectAccessReview",
        "selfsubjectaccessreviews",
        &[],
        &[Cluster, Review],
    ),
    BuiltinKind(
        AUTHORIZATION,
        "v1",
        "SelfSubjectRulesReview",
        "selfsubjectrulesreviews",
        &[],
        &[Cluster, Review],
    ),
    BuiltinKind(
        AUTHORIZATION,
        "v1",
        "SubjectAccessReview",
        "subjectaccessreviews",
        &[],
        &[Cluster, Review],
    ),
];

/// Where a group's schemas are named in Kubernetes' own API description.
fn schema_prefix(group: &str) -> String {
    match group {
        "" => "io.k8s.api.core".to_owned(),
        "apiextensions.k8s.io" => {
            "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions".to_owned()
        }
        _ => format!("io.k8s.api.{}", group.split('.').next().unwrap_or(group)),
    }
}

/// The built-in kinds, as the server knows any kind.
pub fn built_in() -> Vec<Resource> {
    ROWS.iter().map(resource).collect()
}

fn resource(BuiltinKind(group, version, kind, plural, short, flags): &BuiltinKind) -> Resource {
    let has = |flag| flags.contains(&flag);
    let mut below: Vec<String> = Vec::new();
    if has(Status) {
        below.push("status".to_owned());
    }
    if has(Scale) {
        below.push("scale".to_owned());
    }
    if *kind == "Pod" {
        below.extend(["log", "exec"].map(str::to_owned));
    }
    if *kind == "Namespace" {
        below.push("finalize".to_owned());
    }
    Resource {
        group: (*group).to_owned(),
        versions: vec![(*version).to_owned()],
        kind: (*kind).to_owned(),
        plural: (*plural).to_owned(),
        singular: kind.to_lowercase(),
        short: short.iter().map(|name| (*name).to_owned()).collect(),
        categories: if has(InAll) {
            vec!["all".to_owned()]
        } else {
            Vec::new()
        },
        namespaced: !has(Cluster),
        verbs: if has(Review) {
            Verbs::Review
        } else {
            Verbs::All
        },
        subresources: below,
        counted: has(Counted),
        custom: false,
        schema: serde_json::json!({"$ref": format!("{}.{version}.{kind}", schema_prefix(group))}),
        columns: Vec::<Column>::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::schema;

    #[test]
    fn every_kind_has_a_schema_of_its_own() {
        for resource in built_in() {
            let found = schema::resolved(&resource.schema);
            let named = &found["x-kubernetes-group-version-kind"];
            assert!(
                named
                    .to_string()
                    .contains(&format!("\"kind\":\"{}\"", resource.kind)),
                "{}: {found}",
                resource.kind
            );
        }
    }
}
