//! Lists of compute: of one scope, of all scopes (`aggregatedList`), filtered and in pages.

use serde_json::{Map, Value, json};

use super::catalogue;
use super::filter::Filter;
use super::pages;
use super::printed;
use super::scope::{self, Scope};
use crate::answer::{ErrorResponse, Response};
use crate::regions;
use crate::request::Request;
use crate::world::World;

/// The places that a collection can have members in, as an aggregated list names them.
#[derive(Debug, Clone, Copy)]
pub enum Scopes {
    /// Every region.
    Regions,
    /// `global`, and every region.
    GlobalAndRegions,
    /// `global`, and every zone.
    GlobalAndZones,
}

/// GET on a collection.
pub fn list(world: &World, request: &Request, scope: &Scope) -> Result<Response, ErrorResponse> {
    catalogue::known(scope)?;
    let collection = format!("{}/{}", scope.path, scope.collection);
    let found = world.list(&scope::key(&collection));
    let items = found
        .into_iter()
        .map(|(key, value)| printed::printed(world, key, value))
        .collect();
    pages::page(request, &format!("{}List", kind(scope)), &collection, items)
}

/// GET on `aggregated/<collection>`: every scope there is, an empty one with the warning that it is empty.
pub fn aggregated(
    world: &World,
    request: &Request,
    scope: &Scope,
    scopes: Scopes,
) -> Result<Response, ErrorResponse> {
    let filter = Filter::of(request)?;
    let prefix = scope::key(&format!("{}/", scope.path));
    let within = format!("/{}/", scope.collection);
    let mut items: Map<String, Value> = Map::new();
    for place in places(scopes) {
        items.insert(place, json!({}));
    }
    for (key, value) in world.shuffled(&prefix, |key| key.contains(&within)) {
        let place = key[prefix.len()..]
            .split(&within)
            .next()
            .unwrap_or_default();
        if filter.holds(value)
            && let Some(members) = items.get_mut(place)
        {
            if members[&scope.collection].is_null() {
                members[&scope.collection] = json!([]);
            }
            if let Some(list) = members[&scope.collection].as_array_mut() {
                list.push(printed::printed(world, key, value));
            }
        }
    }
    for (place, members) in &mut items {
        if members[&scope.collection].is_null() {
            *members = json!({"warning": {
                "code": "NO_RESULTS_ON_PAGE",
                "message": format!("There are no results for scope '{place}' on this page."),
                "data": [{"key": "scope", "value": place}],
            }});
        }
    }
    let id = format!("{}/aggregated/{}", scope.path, scope.collection);
    Ok(json!({
        "kind": format!("{}AggregatedList", kind(scope)),
        "id": id,
        "items": items,
        "selfLink": scope::link(&id),
    })
    .into())
}

fn kind(scope: &Scope) -> String {
    format!("compute#{}", scope.singular())
}

fn places(scopes: Scopes) -> Vec<String> {
    let global = std::iter::once("global".to_owned());
    let regions = regions::regions().map(|region| format!("regions/{region}"));
    let zones = regions::zones().map(|zone| format!("zones/{zone}"));
    match scopes {
        Scopes::Regions => regions.collect(),
        Scopes::GlobalAndRegions => global.chain(regions).collect(),
        Scopes::GlobalAndZones => global.chain(zones).collect(),
    }
}
