//! What others have put into one of our namespaces in a user's own cluster: it would be deleted with the namespace.
//!
//! The search covers what people create on purpose: workloads, Services, PersistentVolumeClaims, policies, objects of the mesh.
//! What the cluster and the mesh themselves put into every namespace (accounts, certificates, secrets, events) is no loss.

use serde_json::{Map, Value};

use super::cluster_error::of_cluster;
use super::clusters::{Clients, connect, object};
use crate::cluster::{ClusterErrorKind, ObjectRef};
use crate::google::{ApiError, Class};

/// The kinds that are searched for.
const KINDS: &[(&str, &str)] = &[
    ("v1", "Pod"),
    ("v1", "Service"),
    ("v1", "PersistentVolumeClaim"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("networking.k8s.io/v1", "Ingress"),
    ("networking.istio.io/v1beta1", "DestinationRule"),
    ("networking.istio.io/v1beta1", "Gateway"),
    ("networking.istio.io/v1beta1", "ServiceEntry"),
    ("networking.istio.io/v1beta1", "Sidecar"),
    ("networking.istio.io/v1beta1", "VirtualService"),
    ("security.istio.io/v1beta1", "AuthorizationPolicy"),
    ("security.istio.io/v1beta1", "PeerAuthentication"),
];

/// The advice for the user.
const ADVICE: &str = "the namespace is kept while it contains objects that provision did not create: move or delete them, then run again";

/// Checks that the object of `at` may be deleted: it is not a namespace of a user's own cluster, or it contains nothing of
/// others'. Our own objects in it are deleted by now.
///
/// # Errors
/// The objects that the namespace contains; the error of the cluster.
pub async fn none(clients: &Clients, at: &Map<String, Value>) -> Result<(), ApiError> {
    let namespace = object(at)?;
    if !clients.clusters.is_own() || namespace.kind != "Namespace" {
        return Ok(());
    }
    let Some(cluster) = connect(clients, at).await? else {
        return Ok(());
    };
    let mut theirs = Vec::new();
    for (api_version, kind) in KINDS {
        let like = ObjectRef {
            api_version: (*api_version).to_owned(),
            kind: (*kind).to_owned(),
            namespace: Some(namespace.name.clone()),
            name: String::new(),
        };
        match cluster.list(&like, "").await {
            Ok(found) => theirs.extend(found.iter().filter_map(|live| resident(kind, live))),
            Err(error)
                if matches!(
                    error.fault,
                    ClusterErrorKind::NotFound | ClusterErrorKind::UnknownKind
                ) => {}
            Err(error) => return Err(of_cluster(error)),
        }
    }
    if theirs.is_empty() {
        return Ok(());
    }
    Err(ApiError {
        class: Class::Other,
        advice: Some(ADVICE),
        ..ApiError::unsent(
            namespace.to_string(),
            format!(
                "it contains objects that provision did not create: {}",
                theirs.join(", ")
            ),
        )
    })
}

/// An object that no controller would create again and that is not being deleted. Pure.
fn resident(kind: &str, live: &Value) -> Option<String> {
    let metadata = live.get("metadata")?;
    let owned = metadata["ownerReferences"]
        .as_array()
        .is_some_and(|owners| !owners.is_empty());
    if owned || metadata.get("deletionTimestamp").is_some() {
        return None;
    }
    Some(format!("{kind} {}", metadata["name"].as_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_controller_made_or_is_on_its_way_out_lives_nowhere() {
        for (metadata, expected) in [
            (json!({"name": "theirs"}), Some("Pod theirs")),
            (
                json!({"name": "theirs", "ownerReferences": []}),
                Some("Pod theirs"),
            ),
            (
                json!({"name": "made", "ownerReferences": [{"kind": "ReplicaSet"}]}),
                None,
            ),
            (
                json!({"name": "going", "deletionTimestamp": "2026-01-01T00:00:00Z"}),
                None,
            ),
        ] {
            let told = resident("Pod", &json!({"metadata": metadata}));
            assert_eq!(told.as_deref(), expected);
        }
    }
}
