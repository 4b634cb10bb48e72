//! The clusters of a project, and which of them live in a network or subnetwork: what they use there is never taken for a leftover.
//!
//! Only the clusters of this project are seen. A cluster of a service project uses the network of a host project, which is never
//! ours: the steps only look it up.

use serde_json::Value;

use super::clusters::Clients;
use super::difference::same_name;
use crate::google::{Api, ApiError, Call, Class};

/// The clusters of a project.
#[derive(Debug, Default)]
pub struct LivingClusters {
    /// As GKE lists them.
    pub clusters: Vec<Value>,
    /// The zones that did not answer: what is there is unknown.
    pub missing: Vec<String>,
}

/// Lists the clusters of a project in every location.
///
/// # Errors
/// GKE's error. A project in which its API is disabled has no clusters.
pub async fn of_project(clients: &Clients, project: &str) -> Result<LivingClusters, ApiError> {
    let path = format!("v1/projects/{project}/locations/-/clusters");
    let call = Call::get(Api::Container, path);
    let answer = match clients.client.send(&call, &*clients.watch).await {
        Err(error) if matches!(error.class, Class::NotFound | Class::ApiDisabled) => {
            return Ok(LivingClusters::default());
        }
        answer => answer?,
    };
    let list = |field: &str| answer.get(field).and_then(Value::as_array).cloned();
    let missing = list("missingZones").unwrap_or_default();
    Ok(LivingClusters {
        clusters: list("clusters").unwrap_or_default(),
        missing: missing
            .iter()
            .filter_map(|zone| zone.as_str().map(str::to_owned))
            .collect(),
    })
}

/// A cluster's subnetworks, as paths where GKE states them. Pure.
pub fn subnetworks(cluster: &Value) -> Vec<&str> {
    let one = ["/networkConfig/subnetwork", "/subnetwork"];
    let own = one
        .iter()
        .find_map(|field| cluster.pointer(field)?.as_str());
    // A cluster may have got more ranges for pods in further subnetworks.
    let more = cluster.pointer("/ipAllocationPolicy/additionalIpRangesConfigs");
    let more = more.and_then(Value::as_array).into_iter().flatten();
    let more = more.filter_map(|config| config.get("subnetwork")?.as_str());
    own.into_iter().chain(more).collect()
}

/// Whether a cluster lives in the network or subnetwork with this path. Pure.
pub fn is_in(cluster: &Value, own: &str) -> bool {
    let network = ["/networkConfig/network", "/network"];
    let network = network
        .iter()
        .find_map(|field| cluster.pointer(field)?.as_str());
    let links = subnetworks(cluster).into_iter().chain(network);
    links.into_iter().any(|link| same_name(link, own))
}

/// The name of a cluster, for messages. Pure.
pub fn name(cluster: &Value) -> &str {
    cluster
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or("without a name")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cluster_is_in_its_network_and_in_each_of_its_subnetworks() {
        let path = |subnetwork: &str| format!("projects/p/regions/r/subnetworks/{subnetwork}");
        let full = json!({
            "network": "net", "subnetwork": "sub",
            "networkConfig": {"network": "projects/p/global/networks/net", "subnetwork": path("sub")},
            "ipAllocationPolicy": {"additionalIpRangesConfigs": [{"subnetwork": path("more")}]},
        });
        let short = json!({"network": "net", "subnetwork": "sub"});
        for (cluster, own, expected) in [
            (&full, "projects/p/global/networks/net".to_owned(), true),
            (&full, path("sub"), true),
            (&full, path("more"), true),
            (&full, path("other"), false),
            (&full, "projects/p/global/networks/other".to_owned(), false),
            // The same name in another project or region is another resource.
            (&full, "projects/q/global/networks/net".to_owned(), false),
            (
                &full,
                "projects/p/regions/s/subnetworks/sub".to_owned(),
                false,
            ),
            // Without a path, the name decides: rather too many live here than too few.
            (&short, path("sub"), true),
            (&short, "projects/p/global/networks/net".to_owned(), true),
            (&json!({}), path("sub"), false),
        ] {
            assert_eq!(is_in(cluster, &own), expected, "{cluster} {own}");
        }
    }
}
