//! What Traffic Director holds in a project for the mesh of one membership, and removes by itself after that mesh is gone, for as long
//! as the cluster lives: endpoint groups in the cluster's subnetwork, with the backend services and health checks that use them.
//!
//! That it removes nothing after the cluster is deleted is reported (the groups then block the deletion of the network). An
//! implementation other than Traffic Director reserves no names, so that nothing is found and nothing is awaited. The firewall rule
//! of the mesh is not awaited: whether Google withdraws it is not recorded.

use serde_json::{Map, Value};

use super::clusters::Clients;
use super::difference::same_name;
use super::google_names::is_reserved;
use super::living_clusters;
use super::mesh;
use super::path_template;
use super::spec::HeldResources;
use crate::google::{Api, ApiError, Call, Class};

/// What is awaited, in words.
const WHAT: &str = "endpoint groups of Traffic Director";

/// What Traffic Director still holds for the mesh of the membership of `at`.
///
/// # Errors
/// Google's error.
pub async fn held(clients: &Clients, at: &Map<String, Value>) -> Result<HeldResources, ApiError> {
    let none = || HeldResources {
        what: WHAT,
        ..HeldResources::default()
    };
    // The mesh of a user's own cluster has a control plane of its own.
    if clients.clusters.is_own() || !mesh::is_mesh(at) {
        return Ok(none());
    }
    let membership = "v1/projects/{project}/locations/{location}/memberships/{membership}";
    let call = Call::get(Api::GkeHub, path_template::path(membership, at)?);
    let membership = match clients.client.send(&call, &*clients.watch).await {
        Err(error) if error.class == Class::NotFound => return Ok(none()),
        membership => membership?,
    };
    let Some(path) = cluster_of(&membership) else {
        return Ok(none());
    };
    let Some(project) = path.split('/').nth(1) else {
        return Ok(none());
    };
    let living = living_clusters::of_project(clients, project).await?;
    let (own, others): (Vec<&Value>, Vec<&Value>) = living
        .clusters
        .iter()
        .partition(|cluster| is_at(cluster, path));
    let Some(own) = own.first() else {
        return Ok(none());
    };
    let reserved = groups_in(clients, project, &living_clusters::subnetworks(own)).await?;
    let left: Vec<String> = reserved.iter().map(|group| text(group, "name")).collect();
    let unknown = match left.is_empty() {
        true => None,
        false => neighbour(own, &others, &living.missing),
    };
    Ok(HeldResources {
        left,
        unknown,
        what: WHAT,
    })
}

/// The reserved endpoint groups in these subnetworks.
async fn groups_in(
    clients: &Clients,
    project: &str,
    subnetworks: &[&str],
) -> Result<Vec<Value>, ApiError> {
    let mut groups = groups(clients, project).await?;
    groups.retain(|group| {
        let of = text(group, "subnetwork");
        is_reserved(&text(group, "name"))
            && subnetworks
                .iter()
                .any(|subnetwork| same_name(&of, subnetwork))
    });
    Ok(groups)
}

/// Every endpoint group of a project.
///
/// # Errors
/// Google's error.
pub async fn groups(clients: &Clients, project: &str) -> Result<Vec<Value>, ApiError> {
    let path = format!("projects/{project}/aggregated/networkEndpointGroups");
    let call = Call::get(Api::Compute, path);
    let (client, watch) = (&clients.client, &*clients.watch);
    client
        .list_aggregated(&call, "networkEndpointGroups", watch)
        .await
}

/// The path of the cluster that a membership is of: `projects/P/locations/L/clusters/C`. Pure.
fn cluster_of(membership: &Value) -> Option<&str> {
    let link = membership.pointer("/endpoint/gkeCluster/resourceLink")?;
    let link = link.as_str()?;
    link.find("projects/").map(|start| &link[start..])
}

/// Whether a cluster that GKE lists is the one with this path; older links name a zone as a zone. Pure.
fn is_at(cluster: &Value, path: &str) -> bool {
    let mut words = path.rsplit('/');
    let (name, location) = (words.next(), words.nth(1));
    cluster.get("name").and_then(Value::as_str) == name
        && cluster.get("location").and_then(Value::as_str) == location
}

/// Why it cannot be told whose the groups are, if it cannot: no field of a group names its cluster, and its subnetwork is that of
/// another cluster too. Pure.
fn neighbour(own: &Value, others: &[&Value], missing: &[String]) -> Option<String> {
    let subnetworks = living_clusters::subnetworks(own);
    let shares = |other: &&&Value| {
        subnetworks
            .iter()
            .any(|subnetwork| living_clusters::is_in(other, subnetwork))
    };
    let names: Vec<&str> = others
        .iter()
        .filter(shares)
        .map(|other| living_clusters::name(other))
        .collect();
    if !names.is_empty() {
        let names = names.join(", ");
        return Some(format!(
            "the cluster {names} is in the same subnetwork, and an endpoint group does not say whose it is"
        ));
    }
    (!missing.is_empty()).then(|| {
        let missing = missing.join(", ");
        format!(
            "whether another cluster is in the same subnetwork is unknown: {missing} did not answer"
        )
    })
}

/// A field of text; empty if it is missing.
pub fn text(value: &Value, field: &str) -> String {
    let text = value.get(field).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cluster(name: &str, location: &str, subnetwork: &str) -> Value {
        json!({
            "name": name, "location": location,
            "networkConfig": {"subnetwork": format!("projects/p/regions/r/subnetworks/{subnetwork}")},
        })
    }

    #[test]
    fn the_cluster_of_a_membership_is_found_by_its_name_and_location() {
        let link = "//container.googleapis.com/projects/p/locations/z/clusters/c";
        let membership = json!({"endpoint": {"gkeCluster": {"resourceLink": link}}});
        let path = cluster_of(&membership).unwrap();
        assert_eq!(path, "projects/p/locations/z/clusters/c");
        for (name, location, expected) in [("c", "z", true), ("c", "y", false), ("d", "z", false)] {
            let cluster = cluster(name, location, "s");
            assert_eq!(is_at(&cluster, path), expected, "{cluster}");
        }
        assert!(is_at(
            &cluster("c", "z", "s"),
            "projects/p/zones/z/clusters/c"
        ));
        assert_eq!(cluster_of(&json!({})), None);
    }

    #[test]
    fn groups_of_two_clusters_in_one_subnetwork_are_not_told_apart() {
        let own = cluster("c", "z", "s");
        let (same, other) = (cluster("d", "z", "s"), cluster("e", "z", "t"));
        for (others, missing, expected) in [
            (vec![], vec![], None),
            (vec![&other], vec![], None),
            (
                vec![&other, &same],
                vec![],
                Some("the cluster d is in the same"),
            ),
            (vec![&other], vec!["y".to_owned()], Some("y did not answer")),
        ] {
            let said = neighbour(&own, &others, &missing);
            assert_eq!(said.is_some(), expected.is_some(), "{said:?}");
            let said = said.unwrap_or_default();
            assert!(said.contains(expected.unwrap_or_default()), "{said}");
        }
    }
}
