//! What GKE, its load balancing and Traffic Director leave behind in a network, where it blocks the deletion of the network and its
//! subnetwork.
//!
//! Only resources in the given network with names that Google itself gives count (`google_names`). A user's firewall rule in the
//! same network is never touched, and while a cluster lives in the network or subnetwork, nothing is.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::clusters::Clients;
use super::difference::same_name;
use super::google_names::{is_gke_group, is_gke_rule, is_mesh_rule, is_reserved, reserved_for};
use super::living_clusters::{self, LivingClusters};
use super::mesh_resources::{self, text};
use super::path_template;
use super::resource_id::ResourceId;
use super::spec::FoundLeftovers;
use crate::google::{Api, ApiError, Call};

/// The leftovers in the network or subnetwork with the path `own`, in the order in which they can be deleted: backend services,
/// health checks, endpoint groups, firewall rules.
///
/// # Errors
/// Google's error.
pub async fn inside(
    clients: &Clients,
    own: &str,
    at: &Map<String, Value>,
) -> Result<FoundLeftovers, ApiError> {
    let project = at
        .get("project")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let rules = path_template::path("projects/{project}/global/firewalls", at)?;
    let mut rules = list(clients, rules).await?;
    rules.retain(|rule| {
        let name = text(rule, "name");
        is_here(rule, own) && (is_gke_rule(&name) || is_mesh_rule(&name))
    });
    let mut groups = mesh_resources::groups(clients, project).await?;
    groups.retain(|group| {
        let name = text(group, "name");
        is_here(group, own) && (is_gke_group(&name) || is_reserved(&name))
    });
    if rules.is_empty() && groups.is_empty() {
        return Ok(FoundLeftovers::default());
    }
    let living = living_clusters::of_project(clients, project).await?;
    if let Some(why) = in_use(&living, own) {
        let count = rules.len() + groups.len();
        return Ok(FoundLeftovers {
            kept: Some(format!(
                "{count} with names that Google gives are left: {why}"
            )),
            lived_in: living
                .clusters
                .iter()
                .any(|cluster| living_clusters::is_in(cluster, own)),
            ..FoundLeftovers::default()
        });
    }

    let mut found = Vec::new();
    if groups.iter().any(|group| is_reserved(&text(group, "name"))) {
        let services = path_template::path("projects/{project}/global/backendServices", at)?;
        let services = services_of(list(clients, services).await?, &groups);
        let checks = path_template::path("projects/{project}/global/healthChecks", at)?;
        let checks = checks_of(&list(clients, checks).await?, &services, &groups);
        found.extend(services.iter().map(|service| {
            let at = json!({"project": project, "backendService": service["name"]});
            resource("compute.backendService", at)
        }));
        found.extend(checks.into_iter().map(|check| {
            let at = json!({"project": project, "healthCheck": check});
            resource("compute.healthCheck", at)
        }));
    }
    found.extend(groups.iter().filter_map(|group| {
        let zone = group.get("zone")?.as_str()?.rsplit('/').next()?;
        let at = json!({"project": project, "zone": zone, "networkEndpointGroup": group["name"]});
        Some(resource("compute.networkEndpointGroup", at))
    }));
    found.extend(rules.iter().map(|rule| {
        let at = json!({"project": project, "firewall": rule["name"]});
        resource("compute.firewall", at)
    }));
    Ok(FoundLeftovers {
        found,
        ..FoundLeftovers::default()
    })
}

async fn list(clients: &Clients, path: String) -> Result<Vec<Value>, ApiError> {
    let call = Call::get(Api::Compute, path);
    clients.client.list(&call, "items", &*clients.watch).await
}

/// Whether a rule or group is in the network or subnetwork with the path `own`. Pure.
fn is_here(item: &Value, own: &str) -> bool {
    let links = ["network", "subnetwork"]
        .into_iter()
        .filter_map(|field| item.get(field)?.as_str());
    links.into_iter().any(|link| same_name(link, own))
}

/// Why nothing here may be taken for a leftover, if so. Pure.
fn in_use(living: &LivingClusters, own: &str) -> Option<String> {
    let here = living.clusters.iter();
    let here = here.filter(|cluster| living_clusters::is_in(cluster, own));
    let names: Vec<&str> = here.map(living_clusters::name).collect();
    match (names.as_slice(), living.missing.as_slice()) {
        ([], []) => None,
        ([], missing) => Some(format!(
            "whether a cluster uses them is unknown, because {} did not answer",
            missing.join(", ")
        )),
        (names, _) => Some(format!("the cluster {} lives here", names.join(", "))),
    }
}

/// The reserved backend services all of whose groups are among `groups`: one that also serves groups elsewhere is another
/// cluster's, too. Pure.
fn services_of(mut services: Vec<Value>, groups: &[Value]) -> Vec<Value> {
    services.retain(|service| {
        let backends = service.get("backends").and_then(Value::as_array);
        let mut links = backends
            .into_iter()
            .flatten()
            .filter_map(|backend| backend.get("group")?.as_str())
            .peekable();
        is_reserved(&text(service, "name"))
            && links.peek().is_some()
            && links.all(|link| {
                let mut here = groups.iter();
                here.any(|group| same_name(link, &text(group, "selfLink")))
            })
    });
    services
}

/// The names of the reserved health checks that these services use, or that have the names of the same cluster. After a run that was
/// killed the services may be gone. Pure.
fn checks_of(checks: &[Value], services: &[Value], groups: &[Value]) -> Vec<String> {
    let used: Vec<&str> = services
        .iter()
        .filter_map(|service| service.get("healthChecks")?.as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let names: Vec<String> = services
        .iter()
        .chain(groups)
        .map(|one| text(one, "name"))
        .collect();
    let clusters: BTreeSet<&str> = names.iter().filter_map(|name| reserved_for(name)).collect();
    let is_left = |check: &&Value| {
        let name = text(check, "name");
        let link = text(check, "selfLink");
        let of_cluster = reserved_for(&name).is_some_and(|cluster| clusters.contains(cluster));
        is_reserved(&name) && (of_cluster || used.iter().any(|used| same_name(used, &link)))
    };
    let left = checks.iter().filter(is_left);
    left.map(|check| text(check, "name")).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: &str = "projects/p/global/networks/net";

    fn link(path: &str) -> String {
        format!("https://www.googleapis.com/compute/v1/projects/p/{path}")
    }

    fn group(name: &str) -> Value {
        let path = format!("zones/z/networkEndpointGroups/{name}");
        json!({"name": name, "selfLink": link(&path)})
    }

    fn service(name: &str, groups: &[&str], check: &str) -> Value {
        let backends: Vec<Value> = groups
            .iter()
            .map(|name| json!({"group": group(name)["selfLink"]}))
            .collect();
        let check = link(&format!("global/healthChecks/{check}"));
        json!({"name": name, "backends": backends, "healthChecks": [check]})
    }

    #[test]
    fn a_backend_service_is_a_leftover_by_its_name_and_all_of_its_groups() {
        let here = [group("gsmrsvd-a-1"), group("gsmrsvd-a-2")];
        for (name, groups, expected) in [
            ("gsmrsvd-a-x", vec!["gsmrsvd-a-1"], true),
            ("gsmrsvd-a-x", vec!["gsmrsvd-a-1", "gsmrsvd-a-2"], true),
            // Another cluster's, and one that serves both.
            ("gsmrsvd-b-x", vec!["gsmrsvd-b-1"], false),
            ("gsmrsvd-a-x", vec!["gsmrsvd-a-1", "gsmrsvd-b-1"], false),
            // A user's own, and one of which nothing says where it is.
            ("shop", vec!["gsmrsvd-a-1"], false),
            ("gsmrsvd-a-x", vec![], false),
        ] {
            let found = services_of(vec![service(name, &groups, "h")], &here);
            assert_eq!(!found.is_empty(), expected, "{name} {groups:?}");
        }
    }

    #[test]
    fn a_health_check_goes_with_its_service_or_with_its_cluster() {
        let check = |name: &str| json!({"name": name, "selfLink": link(&format!("global/healthChecks/{name}"))});
        let services = [service("gsmrsvd-a-x", &["gsmrsvd-a-1"], "gsmrsvdused")];
        let checks = ["gsmrsvdused", "gsmrsvd-a-h", "gsmrsvd-b-h", "mine"].map(check);
        assert_eq!(
            checks_of(&checks, &services, &[]),
            ["gsmrsvdused", "gsmrsvd-a-h"]
        );
        // The service was deleted by an earlier run.
        let groups = [group("gsmrsvd-a-1")];
        assert_eq!(checks_of(&checks, &[], &groups), ["gsmrsvd-a-h"]);
        // A user's check that a reserved service uses stays.
        let services = [service("gsmrsvd-c-x", &["gsmrsvd-a-1"], "mine")];
        assert_eq!(checks_of(&checks, &services, &[]), [""; 0]);
    }

    #[test]
    fn what_lives_here_is_no_leftover() {
        let cluster = |name: &str, network: &str| json!({"name": name, "networkConfig": {"network": format!("projects/p/global/networks/{network}")}});
        for (clusters, missing, expected) in [
            (vec![], vec![], None),
            (vec![cluster("c", "other")], vec![], None),
            (
                vec![cluster("c", "other"), cluster("d", "net")],
                vec![],
                Some("the cluster d lives here"),
            ),
            (vec![], vec!["z".to_owned()], Some("z did not answer")),
        ] {
            let living = LivingClusters { clusters, missing };
            let said = in_use(&living, NETWORK);
            assert_eq!(said.is_some(), expected.is_some(), "{said:?}");
            let said = said.unwrap_or_default();
            assert!(said.contains(expected.unwrap_or_default()), "{said}");
        }
    }
}
