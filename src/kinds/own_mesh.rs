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
    let (ranges, mesh) = (ranges(&kubernetes), mesh(&kubernetes));
    Ok(SnapshotInput {
        ranges,
        mesh,
        kubernetes: kubernetes.into_iter().chain(config).collect(),
        pools,
        outside_vpc: true,
        unread: live.unread,
        ..SnapshotInput::default()
    })
}

/// The mesh of a control plane of this version; what its ConfigMap states is the evaluator's to read. Pure.
fn mesh(objects: &[Value]) -> MeshInstall {
    let usual = MeshInstall::default();
    MeshInstall {
        version: version(objects).unwrap_or(usual.version),
        ..usual
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

    use super::*;

    #[test]
    fn the_version_is_that_of_the_control_plane() {
        let usual = MeshInstall::default().version;
        let labelled = |label: &str, version: &str| json!({"kind": "Deployment", "metadata": {"labels": {"app": "istiod", label: version}}});
        for (objects, expected) in [
            (vec![], usual),
            (
                vec![labelled("operator.istio.io/version", "1.30.2")],
                (1, 30),
            ),
            (
                vec![labelled("app.kubernetes.io/version", "1.23-dev")],
                (1, 23),
            ),
            (vec![labelled("version", "1.2.3")], usual),
        ] {
            assert_eq!(mesh(&objects).version, expected);
        }
    }
}
