//! What surrounds a cluster in its VPC network, read live: the effective firewall policies, the routes and the routers with
//! their NATs. What the caller may not read is noted, and is no error: the rest can still be explained.

use serde_json::{Map, Value};

use super::clusters::Clients;
use super::difference::same_name;
use super::path_template;
use crate::google::{Api, ApiError, Call, Class, segment};
use egress::object::{Object, Unknown};
use egress::vpc::WayOut;

/// The surroundings of a cluster.
#[derive(Debug, Default)]
pub(super) struct VpcSurroundings {
    /// The firewall policies of the network, and those of the folders and the organization above it.
    pub policies: Vec<Value>,
    /// The way out of the network; `None` if a part of it may not be read.
    pub way_out: Option<WayOut>,
}

/// Reads them; `at` is in the project of the network.
///
/// # Errors
/// Google does not answer.
pub(super) async fn read(
    clients: &Clients,
    at: &Map<String, Value>,
    cluster: &Value,
    network: &str,
    unread: &mut Vec<Unknown>,
) -> Result<VpcSurroundings, ApiError> {
    let mut found = VpcSurroundings::default();
    let name = network.rsplit('/').next().unwrap_or_default();
    let project = path_template::path("projects/{project}", at)?;
    let path = format!(
        "{project}/global/networks/{}/getEffectiveFirewalls",
        segment(name)
    );
    let call = Call::get(Api::Compute, path);
    let effective = clients.client.send(&call, &*clients.watch).await;
    if let Some(effective) = allowed(effective, "firewallPolicy", unread)? {
        // The spelling of Google's API.
        found.policies = effective["firewallPolicys"]
            .as_array()
            .cloned()
            .unwrap_or_default();
    }
    let subnetwork = text(cluster, "/networkConfig/subnetwork");
    let region = region(subnetwork, text(cluster, "/location"));
    let regional = format!("{project}/regions/{}", segment(&region));
    let listed = [
        (format!("{project}/global/routes"), "route"),
        (format!("{regional}/routers"), "router"),
    ];
    let mut both = Vec::new();
    for (path, kind) in listed {
        let call = Call::get(Api::Compute, path);
        let items = clients.client.list(&call, "items", &*clients.watch).await;
        both.extend(allowed(items, kind, unread)?);
    }
    if let Ok([routes, routers]) = <[Vec<Value>; 2]>::try_from(both) {
        let ours = |items: Vec<Value>| -> Vec<Value> {
            let own = |item: &Value| same_name(text(item, "/network"), network);
            items.into_iter().filter(own).collect()
        };
        found.way_out = Some(WayOut {
            routes: ours(routes),
            routers: ours(routers),
            subnetwork: subnetwork.to_owned(),
            private_nodes: has_private_nodes(cluster),
        });
    }
    Ok(found)
}

/// An answer; `None` if the caller may not have it, which is noted.
pub(super) fn allowed<T>(
    answer: Result<T, ApiError>,
    kind: &str,
    unread: &mut Vec<Unknown>,
) -> Result<Option<T>, ApiError> {
    match answer {
        Err(error) if error.class == Class::PermissionDenied => {
            unread.push(Unknown {
                object: Object::new(kind, "", "*"),
                field: "(reading them is forbidden)".to_owned(),
            });
            Ok(None)
        }
        answer => answer.map(Some),
    }
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The region of a subnetwork by its link, otherwise of the cluster's location. Pure.
fn region(subnetwork: &str, location: &str) -> String {
    let mut words = subnetwork.split('/').skip_while(|word| *word != "regions");
    if let Some(region) = words.nth(1) {
        return region.to_owned();
    }
    match location.rsplit_once('-') {
        Some((region, zone)) if zone.len() == 1 => region.to_owned(),
        _ => location.to_owned(),
    }
}

/// Whether any of a cluster's node pools has nodes without external addresses. Pure.
fn has_private_nodes(cluster: &Value) -> bool {
    let is_set = |value: &Value, pointer: &str| value.pointer(pointer) == Some(&Value::Bool(true));
    let pools = cluster["nodePools"].as_array().into_iter().flatten();
    is_set(cluster, "/privateClusterConfig/enablePrivateNodes")
        || is_set(cluster, "/networkConfig/defaultEnablePrivateNodes")
        || pools
            .into_iter()
            .any(|pool| is_set(pool, "/networkConfig/enablePrivateNodes"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_region_follows_from_the_subnetwork_or_the_location() {
        for (subnetwork, location, expected) in [
            (
                "projects/p/regions/us-east1/subnetworks/s",
                "us-west1-a",
                "us-east1",
            ),
            ("", "us-west1-a", "us-west1"),
            ("s", "us-west1", "us-west1"),
        ] {
            assert_eq!(region(subnetwork, location), expected);
        }
    }

    #[test]
    fn private_nodes_are_stated_in_three_places() {
        for (cluster, expected) in [
            (json!({}), false),
            (
                json!({"privateClusterConfig": {"enablePrivateNodes": true}}),
                true,
            ),
            (
                json!({"networkConfig": {"defaultEnablePrivateNodes": true}}),
                true,
            ),
            (
                json!({"nodePools": [{}, {"networkConfig": {"enablePrivateNodes": true}}]}),
                true,
            ),
        ] {
            assert_eq!(has_private_nodes(&cluster), expected, "{cluster}");
        }
    }

    #[test]
    fn only_a_refusal_is_noted() {
        let error = |class| ApiError {
            class,
            ..ApiError::unsent("x", "y")
        };
        let mut unread = Vec::new();
        assert!(allowed::<()>(Err(error(Class::LostConnection)), "route", &mut unread).is_err());
        assert_eq!(unread, []);
        let refused = allowed::<()>(Err(error(Class::PermissionDenied)), "route", &mut unread);
        assert!(refused.unwrap().is_none());
        assert_eq!(unread[0].to_string(), "route * (reading them is forbidden)");
    }
}
