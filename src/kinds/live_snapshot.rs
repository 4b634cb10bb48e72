//! Everything that decides about a request from a pod, read live: the cluster's objects, and Google's resources around it.

use serde_json::{Map, Value};

use super::clusters::{Clients, PATH, connect};
use super::difference::same_name;
use super::live_vpc::allowed;
use super::{live_objects, live_vpc, own_mesh, path_template};
use crate::google::{Api, ApiError, Call, Class, segment};
use egress::snapshot_input::{ClusterRanges, MeshInstall, SnapshotInput};

/// Reads it; `None` if there is no such cluster. A kind that the cluster does not know has no objects. `has_zones` is whether
/// private DNS zones are known to exist: then a disabled API is an error, because the zones still answer.
///
/// # Errors
/// Google or the cluster does not answer, or denies access to the cluster itself. What else may not be read is noted in the input.
pub async fn read(
    clients: &Clients,
    at: &Map<String, Value>,
    has_zones: bool,
) -> Result<Option<SnapshotInput>, ApiError> {
    let Some(inside) = connect(clients, at).await? else {
        return Ok(None);
    };
    if clients.clusters.is_own() {
        let emulated = get(clients, &path_template::path(PATH, at)?).await;
        let emulated = match emulated {
            Err(error) if matches!(error.class, Class::NotFound | Class::ApiDisabled) => {
                Value::Null
            }
            emulated => emulated?,
        };
        let pools = emulated["nodePools"].as_array().cloned();
        let sources = own_mesh::sources(clients, &inside, pools.unwrap_or_default()).await?;
        return Ok(Some(sources));
    }
    let cluster = get(clients, &path_template::path(PATH, at)?).await?;
    let text = |pointer: &str| cluster.pointer(pointer).and_then(Value::as_str);
    let network = text("/networkConfig/network")
        .or(text("/network"))
        .unwrap_or_default();
    let range = |pointer: &str| text(pointer)?.parse().ok();
    let usual = (ClusterRanges::default(), MeshInstall::default());
    let host = of_network(at, network);
    let mut unread = Vec::new();
    let rules = firewalls(clients, &host, network).await;
    let firewalls = allowed(rules, "firewall", &mut unread)?.unwrap_or_default();
    let mut pools = cluster["nodePools"].as_array().cloned().unwrap_or_default();
    for pool in &mut pools {
        mark(pool, text("/name").unwrap_or_default(), &firewalls);
    }
    let live = live_objects::deciding(&inside).await?;
    unread.extend(live.unread);
    let surroundings = live_vpc::read(clients, &host, &cluster, network, &mut unread).await?;
    let zones = all_zones(clients, at, network, has_zones).await;
    let zones = allowed(zones, "managedZone", &mut unread)?.unwrap_or_default();
    let of_nodes = nodes(clients, &cluster).await;
    let of_nodes = allowed(of_nodes, "subnetwork", &mut unread)?.flatten();
    Ok(Some(SnapshotInput {
        kubernetes: live.objects,
        firewalls,
        firewall_policies: surroundings.policies,
        way_out: surroundings.way_out,
        zones,
        pools,
        ranges: ClusterRanges {
            nodes: of_nodes.unwrap_or(usual.0.nodes),
            pods: range("/clusterIpv4Cidr").unwrap_or(usual.0.pods),
            services: range("/servicesIpv4Cidr").unwrap_or(usual.0.services),
            control_plane: range("/privateClusterConfig/masterIpv4CidrBlock")
                .unwrap_or(usual.0.control_plane),
        },
        mesh: MeshInstall {
            trust_domain: text("/workloadIdentityConfig/workloadPool")
                .map_or(usual.1.trust_domain, str::to_owned),
            ..MeshInstall::default()
        },
        outside_vpc: false,
        network: None,
        no_internet: false,
        unread,
    }))
}

/// Gives a pool's nodes the network tag that GKE puts on every node of a cluster: `gke-CLUSTER-HASH-node`. The pool does not
/// contain it, and GKE's own firewall rules select by it. Pure.
fn mark(pool: &mut Value, cluster: &str, firewalls: &[Value]) {
    let is_of_nodes = |tag: &&Value| {
        let name = tag.as_str().and_then(|tag| tag.strip_prefix("gke-"));
        let name = name.and_then(|name| name.strip_prefix(cluster)?.strip_suffix("-node"));
        name.is_some()
    };
    let tags = firewalls
        .iter()
        .filter_map(|rule| rule["targetTags"].as_array());
    let mut tags: Vec<Value> = tags.flatten().filter(is_of_nodes).cloned().collect();
    tags.sort_by_key(Value::to_string);
    tags.dedup();
    let stated = pool["config"]["tags"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    pool["config"]["tags"] = stated.into_iter().chain(tags).collect();
}

async fn get(clients: &Clients, path: &str) -> Result<Value, ApiError> {
    let call = Call::get(Api::Container, path);
    clients.client.send(&call, &*clients.watch).await
}

/// The firewall rules of the cluster's network.
async fn firewalls(
    clients: &Clients,
    at: &Map<String, Value>,
    network: &str,
) -> Result<Vec<Value>, ApiError> {
    let path = path_template::path("projects/{project}/global/firewalls", at)?;
    let call = Call::get(Api::Compute, path);
    let mut rules = clients.client.list(&call, "items", &*clients.watch).await?;
    rules.retain(|rule| {
        rule["network"]
            .as_str()
            .is_some_and(|link| same_name(link, network))
    });
    Ok(rules)
}

/// `at` in the project of the network: with a Shared VPC, the host project. Pure.
fn of_network(at: &Map<String, Value>, network: &str) -> Map<String, Value> {
    let mut at = at.clone();
    let mut words = network.split('/').skip_while(|word| *word != "projects");
    if let Some(project) = words.nth(1) {
        at.insert("project".to_owned(), project.into());
    }
    at
}

/// The private zones that are visible to the cluster's network: those of the network's project, and those of the cluster's.
async fn all_zones(
    clients: &Clients,
    at: &Map<String, Value>,
    network: &str,
    has_zones: bool,
) -> Result<Vec<(Value, Vec<Value>)>, ApiError> {
    let host = of_network(at, network);
    let mut found = zones(clients, &host, network, has_zones).await?;
    if host != *at {
        found.extend(zones(clients, at, network, has_zones).await?);
    }
    Ok(found)
}

/// The private zones of a project that are visible to the cluster's network, with their records.
async fn zones(
    clients: &Clients,
    at: &Map<String, Value>,
    network: &str,
    has_zones: bool,
) -> Result<Vec<(Value, Vec<Value>)>, ApiError> {
    let path = path_template::path("projects/{project}/managedZones", at)?;
    let call = Call::get(Api::Dns, &path);
    let zones = match clients
        .client
        .list(&call, "managedZones", &*clients.watch)
        .await
    {
        // While the API is off nobody can read its zones, and the journal has none of ours.
        Err(error) if error.class == Class::ApiDisabled && !has_zones => return Ok(Vec::new()),
        zones => zones?,
    };
    let mut found = Vec::new();
    for zone in zones {
        let networks = zone.pointer("/privateVisibilityConfig/networks");
        let mut networks = networks.and_then(Value::as_array).into_iter().flatten();
        let link = |one: &Value| {
            one["networkUrl"]
                .as_str()
                .is_some_and(|link| same_name(link, network))
        };
        if !networks.any(link) {
            continue;
        }
        let name = zone["name"].as_str().unwrap_or_default();
        let call = Call::get(Api::Dns, format!("{path}/{}/rrsets", segment(name)));
        let records = clients
            .client
            .list(&call, "rrsets", &*clients.watch)
            .await?;
        found.push((zone, records));
    }
    Ok(found)
}

/// The primary range of the cluster's subnetwork.
async fn nodes(clients: &Clients, cluster: &Value) -> Result<Option<ipnet::Ipv4Net>, ApiError> {
    let subnetwork = cluster
        .pointer("/networkConfig/subnetwork")
        .and_then(Value::as_str);
    let Some(subnetwork) = subnetwork else {
        return Ok(None);
    };
    let live = clients
        .client
        .send(&Call::get(Api::Compute, subnetwork), &*clients.watch)
        .await?;
    Ok(live["ipCidrRange"]
        .as_str()
        .and_then(|range| range.parse().ok()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nodes_carry_the_tag_that_gkes_rules_go_by() {
        let rule = |tags: &[&str]| json!({"targetTags": tags});
        let rules = [
            rule(&["gke-one-0a1b2c3d-node"]),
            rule(&["gke-one-0a1b2c3d-node"]),
            rule(&["gke-other-0a1b2c3d-node", "web"]),
            json!({}),
        ];
        for (mut pool, tags) in [
            (json!({}), json!(["gke-one-0a1b2c3d-node"])),
            (
                json!({"config": {"tags": ["web"]}}),
                json!(["web", "gke-one-0a1b2c3d-node"]),
            ),
        ] {
            mark(&mut pool, "one", &rules);
            assert_eq!(pool["config"]["tags"], tags);
        }
    }
}
