//! The objects of a cluster that decide about a request or that an analyzer reads. Nothing is changed.

use serde_json::Value;

use super::cluster_error::of_cluster;
use crate::cluster::{ClusterClient, ClusterError, ClusterErrorKind, ObjectRef};
use crate::google::ApiError;
use egress::object::{Object, Unknown};
use egress::unsupported::uncovered_kinds;

/// The kinds that analyzers read; most of them decide too.
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

/// Kinds that decide about a request and that no analyzer reads.
const DECIDING: &[(&str, &str)] = &[
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "StatefulSet"),
    ("batch/v1", "CronJob"),
    ("batch/v1", "Job"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
];

/// The namespace of the mesh's ConfigMaps.
const MESH: &str = "istio-system";

/// Whether analyzers read a kind.
pub fn is_analyzed(kind: &str) -> bool {
    KINDS.iter().any(|(_, own)| *own == kind)
}

/// The cluster's objects that decide, and what could not be read of them.
#[derive(Debug, Default)]
pub(super) struct LiveObjects {
    /// The objects.
    pub objects: Vec<Value>,
    /// The kinds that the caller may not list.
    pub unread: Vec<Unknown>,
}

impl LiveObjects {
    /// Adds the objects of a kind, in a namespace or in all. A kind that the cluster does not know has none; one that the
    /// caller may not list is noted.
    async fn add(
        &mut self,
        cluster: &ClusterClient,
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
    ) -> Result<(), ApiError> {
        match list(cluster, api_version, kind, namespace).await {
            Ok(found) => self.objects.extend(found),
            Err(error) if error.fault == ClusterErrorKind::Forbidden => {
                self.unread.push(Unknown {
                    object: Object::new(kind, namespace.unwrap_or_default(), "*"),
                    field: "(listing them is forbidden)".to_owned(),
                });
            }
            Err(error) => return Err(of_cluster(error)),
        }
        Ok(())
    }
}

/// The cluster's objects that decide about a request, also those of kinds that are not covered.
///
/// # Errors
/// The cluster does not answer. A kind that may not be listed is no error.
pub(super) async fn deciding(cluster: &ClusterClient) -> Result<LiveObjects, ApiError> {
    let mut all = LiveObjects::default();
    for (api_version, kind) in KINDS.iter().chain(DECIDING) {
        all.add(cluster, api_version, kind, None).await?;
    }
    all.add(cluster, "v1", "ConfigMap", Some(MESH)).await?;
    let mut groups: Vec<&str> = uncovered_kinds().map(|(group, _)| group).collect();
    groups.dedup();
    for (api_version, kind) in cluster.kinds_of(&groups).await.map_err(of_cluster)? {
        let group = api_version.split('/').next().unwrap_or_default();
        let read = KINDS
            .iter()
            .any(|(own, other)| *other == kind && own.split('/').next() == Some(group));
        if !read && uncovered_kinds().any(|each| each == (group, kind.as_str())) {
            all.add(cluster, &api_version, &kind, None).await?;
        }
    }
    Ok(all)
}

/// The cluster's objects that an analyzer reads.
///
/// # Errors
/// The cluster does not answer, or denies access.
pub(super) async fn objects(cluster: &ClusterClient) -> Result<Vec<Value>, ApiError> {
    let mut all = Vec::new();
    for (api_version, kind) in KINDS {
        let found = list(cluster, api_version, kind, None).await;
        all.extend(found.map_err(of_cluster)?);
    }
    Ok(all)
}

/// The objects of a kind; none if the cluster does not know it.
async fn list(
    cluster: &ClusterClient,
    api_version: &str,
    kind: &str,
    namespace: Option<&str>,
) -> Result<Vec<Value>, ClusterError> {
    let like = ObjectRef {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: String::new(),
    };
    match cluster.list(&like, "").await {
        Ok(found) => Ok(found
            .into_iter()
            .map(|mut object| {
                // The items of a list carry neither their API version nor their kind.
                object["apiVersion"] = api_version.into();
                object["kind"] = kind.into();
                object
            })
            .collect()),
        Err(error) if error.is_absent() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::extract::Request;
    use axum::http::StatusCode;
    use axum::http::header::CONTENT_TYPE;
    use axum::response::{IntoResponse, Response};
    use serde_json::json;

    use super::*;

    fn answered(status: StatusCode, body: &Value) -> Response {
        let json = [(CONTENT_TYPE, "application/json")];
        (status, json, body.to_string()).into_response()
    }

    /// A cluster with a policy of Cilium in its second version, whose EnvoyFilters may not be listed.
    async fn answer(request: Request) -> Response {
        let list = |items: Value| json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items});
        let version =
            |name: &str| json!({"groupVersion": format!("cilium.io/{name}"), "version": name});
        let found = match request.uri().path() {
            "/apis" => json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": [
                {"name": "cilium.io", "versions": [version("v3"), version("v2")], "preferredVersion": version("v3")},
                {"name": "example.com", "versions": [{"groupVersion": "example.com/v1", "version": "v1"}]}]}),
            "/apis/cilium.io/v3" => {
                json!({"kind": "APIResourceList", "groupVersion": "cilium.io/v3", "resources": []})
            }
            "/apis/cilium.io/v2" => {
                let of = |name: &str| json!({"name": name, "singularName": "", "namespaced": true, "kind": "CiliumNetworkPolicy", "verbs": ["list"]});
                let all = [
                    of("ciliumnetworkpolicies"),
                    of("ciliumnetworkpolicies/status"),
                ];
                json!({"kind": "APIResourceList", "groupVersion": "cilium.io/v2", "resources": all})
            }
            "/apis/cilium.io/v2/ciliumnetworkpolicies" => {
                list(json!([{"metadata": {"name": "p", "namespace": "n"}}]))
            }
            path if path.ends_with("/envoyfilters") => {
                let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403, "message": "envoyfilters is forbidden: User \"u\" cannot list"});
                return answered(StatusCode::FORBIDDEN, &status);
            }
            _ => list(json!([])),
        };
        answered(StatusCode::OK, &found)
    }

    #[tokio::test]
    async fn a_kind_is_read_in_the_version_that_serves_it_and_one_that_is_forbidden_is_noted() {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        let cluster = ClusterClient::connect_by_name(&server, "token").unwrap();
        let live = deciding(&cluster).await.unwrap();
        let [policy] = &live.objects[..] else {
            panic!("{:?}", live.objects)
        };
        assert_eq!(
            (&policy["apiVersion"], &policy["kind"]),
            (&json!("cilium.io/v2"), &json!("CiliumNetworkPolicy"))
        );
        let unread: Vec<String> = live.unread.iter().map(ToString::to_string).collect();
        assert_eq!(unread, ["EnvoyFilter * (listing them is forbidden)"]);
        // An analyzer needs them all.
        assert!(objects(&cluster).await.is_err());
    }
}
