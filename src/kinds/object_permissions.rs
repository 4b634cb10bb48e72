//! The permissions of GKE that the requests for a Kubernetes object need, by its kind and API group. Source: as in `permissions.rs`.

use serde_json::{Map, Value};

use super::permissions::Permissions;

/// The permissions of GKE for one sort of Kubernetes object.
macro_rules! objects {
    ($plural:literal) => {
        Permissions {
            read: &[
                "container.clusters.get",
                concat!("container.", $plural, ".get"),
            ],
            change: &[
                concat!("container.", $plural, ".create"),
                concat!("container.", $plural, ".update"),
            ],
            delete: &[concat!("container.", $plural, ".delete")],
        }
    };
}

/// Kubernetes' own kinds that a step may create. IAM knows all custom resources by one name.
const OBJECTS: &[(&str, Permissions)] = &[
    ("ClusterRole", objects!("clusterRoles")),
    ("ClusterRoleBinding", objects!("clusterRoleBindings")),
    ("ConfigMap", objects!("configMaps")),
    ("CronJob", objects!("cronJobs")),
    ("DaemonSet", objects!("daemonSets")),
    ("Deployment", objects!("deployments")),
    (
        "HorizontalPodAutoscaler",
        objects!("horizontalPodAutoscalers"),
    ),
    ("Ingress", objects!("ingresses")),
    ("Job", objects!("jobs")),
    ("Namespace", objects!("namespaces")),
    ("NetworkPolicy", objects!("networkPolicies")),
    ("PersistentVolumeClaim", objects!("persistentVolumeClaims")),
    ("Pod", objects!("pods")),
    ("PodDisruptionBudget", objects!("podDisruptionBudgets")),
    ("Role", objects!("roles")),
    ("RoleBinding", objects!("roleBindings")),
    ("Secret", objects!("secrets")),
    ("Service", objects!("services")),
    ("ServiceAccount", objects!("serviceAccounts")),
    ("StatefulSet", objects!("statefulSets")),
];

/// The permissions for the Kubernetes object of `at`. A custom resource may have the name of a kind of Kubernetes' own, so that
/// the group decides.
pub fn of_object(at: &Map<String, Value>) -> Permissions {
    let text = |key: &str| at.get(key).and_then(Value::as_str).unwrap_or_default();
    let group = text("apiVersion")
        .split_once('/')
        .map_or("", |(group, _)| group);
    let is_own = !group.contains('.') || group.ends_with(".k8s.io");
    let own = OBJECTS
        .iter()
        .find(|(kind, _)| is_own && *kind == text("kind"));
    own.map_or(objects!("thirdPartyObjects"), |(_, permissions)| {
        *permissions
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_objects_group_decides() {
        for (api_version, kind, read) in [
            ("v1", "Service", "container.services.get"),
            ("apps/v1", "Deployment", "container.deployments.get"),
            (
                "rbac.authorization.k8s.io/v1",
                "Role",
                "container.roles.get",
            ),
            (
                "networking.istio.io/v1beta1",
                "Sidecar",
                "container.thirdPartyObjects.get",
            ),
            // Knative has a kind of this name.
            (
                "serving.knative.dev/v1",
                "Service",
                "container.thirdPartyObjects.get",
            ),
        ] {
            let at = json!({"apiVersion": api_version, "kind": kind});
            let found = of_object(at.as_object().unwrap());
            assert!(found.read.contains(&read), "{api_version} {kind}");
        }
    }
}
