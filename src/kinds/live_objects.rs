//! The objects of a cluster that decide about a request or that an analyzer reads. Nothing is changed.

use serde_json::Value;

use super::cluster_error::of_cluster;
use crate::cluster::{ClusterClient, ClusterErrorKind, ObjectRef};
use crate::google::ApiError;

/// The kinds that decide, and those that the analyzers read.
const KINDS: &[(&str, &str)] = &[
    ("v1", "Namespace"),
    ("v1", "Node"),
    ("v1", "Pod"),
    ("v1", "Service"),
    ("v1", "Endpoints"),
    ("apps/v1", "Deployment"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("networking.istio.io/v1beta1", "DestinationRule"),
    ("networking.istio.io/v1alpha3", "EnvoyFilter"),
    ("networking.istio.io/v1beta1", "Gateway"),
    ("networking.istio.io/v1beta1", "ProxyConfig"),
    ("networking.istio.io/v1beta1", "ServiceEntry"),
    ("networking.istio.io/v1beta1", "Sidecar"),
    ("networking.istio.io/v1beta1", "VirtualService"),
    ("networking.istio.io/v1beta1", "WorkloadEntry"),
    ("networking.istio.io/v1beta1", "WorkloadGroup"),
    ("security.istio.io/v1beta1", "AuthorizationPolicy"),
    ("security.istio.io/v1beta1", "PeerAuthentication"),
    ("security.istio.io/v1beta1", "RequestAuthentication"),
    ("telemetry.istio.io/v1alpha1", "Telemetry"),
    ("extensions.istio.io/v1alpha1", "WasmPlugin"),
];

/// The cluster's objects of all these kinds.
///
/// # Errors
/// The cluster does not answer, or denies access.
pub(super) async fn objects(cluster: &ClusterClient) -> Result<Vec<Value>, ApiError> {
    let mut all = Vec::new();
    for (api_version, kind) in KINDS {
        let like = ObjectRef {
            api_version: (*api_version).to_owned(),
            kind: (*kind).to_owned(),
            namespace: None,
            name: String::new(),
        };
        match cluster.list(&like, "").await {
            Ok(found) => all.extend(found.into_iter().map(|mut object| {
                // The items of a list carry neither their API version nor their kind.
                object["apiVersion"] = (*api_version).into();
                object["kind"] = (*kind).into();
                object
            })),
            Err(error) if error.fault == ClusterErrorKind::NotFound => {}
            Err(error) => return Err(of_cluster(error)),
        }
    }
    Ok(all)
}
