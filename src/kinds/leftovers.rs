//! What GKE and its load balancing leave behind in a network, where it blocks the deletion of the network and its subnetwork.
//!
//! Only resources in the given network with names that GKE itself gives count (public reports; there is no record of all of
//! them). A user's firewall rule in the same network is never touched.

use serde_json::{Map, Value, json};

use super::clusters::Clients;
use super::difference::same_name;
use super::path_template;
use super::resource_id::ResourceId;
use crate::google::{Api, ApiError, Call};

/// GKE's leftovers in the network or subnetwork with the given path, firewall rules first.
pub async fn inside(
    clients: &Clients,
    own: &str,
    at: &Map<String, Value>,
) -> Result<Vec<ResourceId>, ApiError> {
    let project = at.get("project").cloned().unwrap_or_default();
    let here = |item: &Value| {
        let links = ["network", "subnetwork"]
            .into_iter()
            .filter_map(|field| item.get(field)?.as_str());
        links.into_iter().any(|link| same_name(link, own))
    };

    let mut found = Vec::new();
    let rules = path_template::path("projects/{project}/global/firewalls", at)?;
    let rules = Call::get(Api::Compute, rules);
    for rule in clients
        .client
        .list(&rules, "items", &*clients.watch)
        .await?
    {
        let name = rule.get("name").and_then(Value::as_str).unwrap_or_default();
        if here(&rule) && is_gke_rule(name) {
            found.push(resource(
                "compute.firewall",
                json!({"project": project, "firewall": name}),
            ));
        }
    }
    let groups = path_template::path("projects/{project}/aggregated/networkEndpointGroups", at)?;
    let groups = Call::get(Api::Compute, groups);
    let within = "networkEndpointGroups";
    let groups = clients
        .client
        .list_aggregated(&groups, within, &*clients.watch);
    for group in groups.await? {
        let name = group
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let zone = group
            .get("zone")
            .and_then(Value::as_str)
            .and_then(|zone| zone.rsplit('/').next());
        if let (true, true, Some(zone)) = (here(&group), is_gke_group(name), zone) {
            let at = json!({"project": project, "zone": zone, "networkEndpointGroup": name});
            found.push(resource("compute.networkEndpointGroup", at));
        }
    }
    Ok(found)
}

fn resource(kind: &str, at: Value) -> ResourceId {
    let at = if let Value::Object(at) = at {
        at
    } else {
        Map::new()
    };
    ResourceId {
        kind: kind.to_owned(),
        at,
    }
}

/// `gke-CLUSTER-<8 hex>-WHAT` of a cluster, `k8s-fw-…` and `k8s-…-node-hc`, `k8s-…-node-http-hc` of load balancers.
fn is_gke_rule(name: &str) -> bool {
    let of_cluster = || {
        let mut words = name.strip_prefix("gke-")?.rsplit('-').skip(1);
        let hash = words.next()?;
        words.next()?;
        Some(is_hex(hash, 8))
    };
    of_cluster().unwrap_or(false)
        || name.starts_with("k8s-fw-")
        || name.starts_with("k8s2-fw-")
        || (name.starts_with("k8s-")
            && (name.ends_with("-node-hc") || name.ends_with("-node-http-hc")))
}

/// `k8s1-<8 hex of the cluster>-…-<8 hex>`, the ingress controller's naming scheme.
fn is_gke_group(name: &str) -> bool {
    let of_controller = || {
        let rest = name
            .strip_prefix("k8s1-")
            .or_else(|| name.strip_prefix("k8s2-"))?;
        let (cluster, end) = (rest.split('-').next()?, rest.rsplit('-').next()?);
        Some(rest.len() > 16 && is_hex(cluster, 8) && is_hex(end, 8))
    };
    of_controller().unwrap_or(false)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_gkes_own_names_count() {
        for (name, ours) in [
            ("gke-cluster1-0a1b2c3d-mcsd", true),
            ("gke-my-long-cluster-0a1b2c3d-all", true),
            ("k8s-fw-a1b2c3", true),
            ("k8s-0a1b2c3d4e5f6071-node-http-hc", true),
            ("gke-cluster1-mcsd", false),
            ("gke-allow-office", false),
            ("vpc-network-odm2l5xrgkhkgaqqdwsg4qbt", false),
            ("k8s-my-rule", false),
            ("allow-ssh", false),
        ] {
            assert_eq!(is_gke_rule(name), ours, "{name}");
        }
        for (name, ours) in [
            ("k8s1-0a1b2c3d-ns-svc-80-9f8e7d6c", true),
            ("k8s1-0a1b2c3d", false),
            ("k8s1-mine-ns-svc-80-9f8e7d6c", false),
            ("my-neg", false),
        ] {
            assert_eq!(is_gke_group(name), ours, "{name}");
        }
    }
}
