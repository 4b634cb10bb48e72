//! Routes: those that every network has by itself, to the internet and to each range of its subnetworks. None can be made here.

use serde_json::{Value, json};

use super::pages;
use super::scope::{self, Scope};
use crate::answer::{ErrorResponse, Response};
use crate::names;
use crate::request::Request;
use crate::world::World;

/// routes.list.
pub fn list(world: &World, request: &Request, scope: &Scope) -> Result<Response, ErrorResponse> {
    let collection = format!("{}/routes", scope.path);
    let networks = world.list(&scope::key(&format!("{}/networks", scope.path)));
    let mut items = Vec::new();
    for (_, network) in networks {
        items.push(printed(scope, network, "0.0.0.0/0", None));
    }
    let prefix = scope::key(&format!("projects/{}/", scope.project));
    let subnetworks = world.shuffled(&prefix, |key| key.contains("/subnetworks/"));
    for (_, subnetwork) in subnetworks {
        let link = subnetwork["network"].as_str().unwrap_or_default();
        let network = world.get(&scope::key(names::path(link)));
        let more = subnetwork["secondaryIpRanges"].as_array();
        let ranges = std::iter::once(subnetwork).chain(more.into_iter().flatten());
        let ranges = ranges.filter_map(|one| one["ipCidrRange"].as_str());
        for (range, network) in ranges.zip(std::iter::repeat(network)) {
            items.extend(network.map(|network| printed(scope, network, range, Some(link))));
        }
    }
    pages::page(request, "compute#routeList", &collection, items)
}

/// A route of a network, to the internet or within the network.
fn printed(scope: &Scope, network: &Value, range: &str, within: Option<&str>) -> Value {
    let link = network["selfLink"].as_str().unwrap_or_default();
    let seed = format!("{link} {range}");
    let name = format!("default-route-{}", names::hex(&seed, 16));
    let (description, priority) = match within {
        None => ("Default route to the Internet.".to_owned(), 1000),
        Some(_) => (format!("Default local route to the subnetwork {range}."), 0),
    };
    let mut route = json!({
        "kind": "compute#route",
        "id": names::hash(&seed).to_string(),
        "creationTimestamp": network["creationTimestamp"],
        "name": name,
        "description": description,
        "network": link,
        "destRange": range,
        "priority": priority,
        "selfLink": scope::link(&scope.member(&name)),
    });
    match within {
        None => {
            let gateway = format!(
                "projects/{}/global/gateways/default-internet-gateway",
                scope.project
            );
            route["nextHopGateway"] = scope::link(&gateway).into();
        }
        Some(network) => route["nextHopNetwork"] = network.into(),
    }
    route
}
