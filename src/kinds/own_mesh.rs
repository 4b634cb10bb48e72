//! The mesh of a user's own cluster, as its control plane is configured, and what else of such a cluster decides about a request:
//! only its objects, because the cluster is not in Google's network.
//!
//! The field names are those of Istio's MeshConfig; `istioctl install` puts it into the ConfigMap `istio`.

use ipnet::Ipv4Net;
use serde_json::Value;

use super::cluster_error::of_cluster;
use super::clusters::{Clients, advised};
use super::live_objects;
use crate::cluster::{ClusterClient, ObjectRef};
use crate::google::ApiError;
use egress::sidecar::OutboundPolicy;
use egress::snapshot_input::{ClusterRanges, MeshInstall, SnapshotInput};

/// The namespace into which `istioctl install` puts the control plane.
const NAMESPACE: &str = "istio-system";

/// Reads what decides; `pools` are the node pools that the nodes' labels name.
///
/// # Errors
/// The cluster does not answer, or denies access.
pub async fn sources(
    clients: &Clients,
    cluster: &ClusterClient,
    pools: Vec<Value>,
) -> Result<SnapshotInput, ApiError> {
    let live = live_objects::deciding(cluster).await;
    let live = live.map_err(|error| advised(clients, error))?;
    let kubernetes = live.objects;
    let config = ObjectRef {
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        name: "istio".to_owned(),
    };
    let config = cluster.get(&config).await;
    let config = config.map_err(|error| advised(clients, of_cluster(error)))?;
    Ok(SnapshotInput {
        ranges: ranges(&kubernetes),
        mesh: mesh(&config.unwrap_or_default(), &kubernetes),
        kubernetes,
        pools,
        outside_vpc: true,
        unread: live.unread,
        ..SnapshotInput::default()
    })
}

/// The mesh that a control plane's ConfigMap describes, with Istio's defaults for missing fields. Pure.
fn mesh(config: &Value, objects: &[Value]) -> MeshInstall {
    let usual = MeshInstall::default();
    let text = config.pointer("/data/mesh").and_then(Value::as_str);
    let stated: Value = text
        .and_then(|text| serde_saphyr::from_str(text).ok())
        .unwrap_or_default();
    let text = |pointer: &str| {
        let value = stated.pointer(pointer).and_then(Value::as_str);
        value.filter(|value| !value.is_empty()).map(str::to_owned)
    };
    MeshInstall {
        root_namespace: text("/rootNamespace").unwrap_or(usual.root_namespace),
        trust_domain: text("/trustDomain").unwrap_or(usual.trust_domain),
        version: version(objects).unwrap_or(usual.version),
        outbound: match text("/outboundTrafficPolicy/mode").as_deref() {
            Some("REGISTRY_ONLY") => OutboundPolicy::RegistryOnly,
            _ => OutboundPolicy::AllowAny,
        },
        connect_timeout: text("/connectTimeout")
            .and_then(|text| text.strip_suffix('s')?.parse().ok())
            .and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok())
            .unwrap_or(usual.connect_timeout),
    }
}

/// Istio's version, major and minor, from the label that its installers put on istiod. Pure.
fn version(objects: &[Value]) -> Option<(u32, u32)> {
    let istiod = objects.iter().find(|object| {
        object["kind"] == "Deployment" && object["metadata"]["labels"]["app"] == "istiod"
    })?;
    let labels = &istiod["metadata"]["labels"];
    let said = ["operator.istio.io/version", "app.kubernetes.io/version"];
    said.iter().find_map(|label| {
        let (major, rest) = labels[*label].as_str()?.split_once('.')?;
        let minor = rest.split(['.', '-']).next()?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    })
}

/// Address ranges of the cluster, for pods that do not exist yet: the pod range that a node reports, otherwise the defaults.
/// Pure.
fn ranges(objects: &[Value]) -> ClusterRanges {
    let usual = ClusterRanges::default();
    let nodes = objects.iter().filter(|object| object["kind"] == "Node");
    let mut pods = nodes.filter_map(|node| node["spec"]["podCIDR"].as_str()?.parse().ok());
    let pods: Option<Ipv4Net> = pods.next();
    ClusterRanges {
        pods: pods.unwrap_or(usual.pods),
        ..usual
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_mesh_is_as_its_control_plane_says() {
        let usual = MeshInstall::default;
        let labelled = |label: &str, version: &str| json!({"kind": "Deployment", "metadata": {"labels": {"app": "istiod", label: version}}});
        let map = |mesh: &str| json!({"data": {"mesh": mesh}});
        for (config, objects, expected) in [
            (Value::Null, vec![], usual()),
            (map("not: [yaml"), vec![], usual()),
            (
                map(
                    "trustDomain: td\nrootNamespace: root\nconnectTimeout: 2.5s\noutboundTrafficPolicy:\n  mode: REGISTRY_ONLY\n",
                ),
                vec![labelled("operator.istio.io/version", "1.30.2")],
                MeshInstall {
                    trust_domain: "td".to_owned(),
                    root_namespace: "root".to_owned(),
                    connect_timeout: Duration::from_millis(2500),
                    outbound: OutboundPolicy::RegistryOnly,
                    version: (1, 30),
                },
            ),
            (
                map("connectTimeout: soon\n"),
                vec![labelled("app.kubernetes.io/version", "1.23-dev")],
                MeshInstall {
                    version: (1, 23),
                    ..usual()
                },
            ),
            (map(""), vec![labelled("version", "1.2.3")], usual()),
        ] {
            assert_eq!(mesh(&config, &objects), expected, "{config}");
        }
    }
}
