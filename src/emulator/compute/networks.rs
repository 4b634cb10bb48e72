//! Networks: custom mode only.

use serde_json::{Value, json};

use super::operations;
use super::resource;
use super::scope::{self, Scope};
use crate::answer::{ErrorResponse, Response};
use crate::names;
use crate::operation::{Effect, Failure};
use crate::request::Request;
use crate::world::World;

/// A new network.
pub fn draft(_: &World, scope: &Scope, body: &Value) -> Result<Value, ErrorResponse> {
    // Legacy and auto mode networks would need a default subnetwork in every region; nothing here asks for one.
    if body["autoCreateSubnetworks"] != json!(false) {
        return Err(ErrorResponse::invalid(
            "Invalid value for field 'resource.autoCreateSubnetworks': this emulator makes custom mode networks only (false).",
        ));
    }
    let mut value = resource::merged(
        &json!({
            "autoCreateSubnetworks": false,
            "routingConfig": {"routingMode": "REGIONAL", "bgpBestPathSelectionMode": "LEGACY"},
            "networkFirewallPolicyEnforcementOrder": "AFTER_CLASSIC_FIREWALL",
        }),
        body,
    );
    let path = scope.member(body["name"].as_str().unwrap_or_default());
    value["selfLinkWithId"] = json!(scope::link(&path));
    with_derived(&path, &mut value);
    Ok(value)
}

/// A network after a PATCH.
pub fn patched(_: &World, _: &Scope, old: &Value, sent: &Value) -> Result<Value, ErrorResponse> {
    let mut new = resource::keep_immutable(old, resource::merged(old, sent))?;
    let path = names::path(old["selfLink"].as_str().unwrap_or_default()).to_owned();
    with_derived(&path, &mut new);
    Ok(new)
}

/// DELETE. A network in use is not refused: its operation fails, as recorded.
pub fn delete(
    world: &mut World,
    request: &Request,
    scope: &Scope,
) -> Result<Response, ErrorResponse> {
    if let Some(before) = operations::remembered(world, request, scope) {
        return Ok(before);
    }
    let (path, key) = resource::located(request, scope);
    let old = resource::existing(world, &path, &key)?;
    let outcome = match world.users(&key).first() {
        Some(user) => Err(Failure {
            code: "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE".to_owned(),
            http: 400,
            message: resource::in_use("network", &path, user),
        }),
        None => Ok(vec![Effect::Remove { key: key.clone() }]),
    };
    Ok(operations::begin(
        world, request, scope, "delete", &key, &old["id"], outcome,
    ))
}

/// The rules that hold in a network: all of its firewall rules; there are no hierarchical policies here.
pub fn effective_firewalls(
    world: &World,
    request: &Request,
    scope: &Scope,
) -> Result<Response, ErrorResponse> {
    let (path, key) = resource::located(request, scope);
    world.get(&key).ok_or_else(|| scope::missing(&path))?;
    let rules = world.list(&scope::key(&format!("{}/firewalls", scope.path)));
    let rules: Vec<&Value> = rules
        .into_iter()
        .map(|(_, rule)| rule)
        .filter(|rule| {
            rule["network"]
                .as_str()
                .is_some_and(|network| names::path(network) == path)
        })
        .collect();
    Ok(json!({ "firewalls": rules }).into())
}

/// Google's changes to what was sent: a network with unique local addresses gets a /48 of its own, one without has no such
/// field, and a profile is named by its whole link.
fn with_derived(path: &str, value: &mut Value) {
    if value["enableUlaInternalIpv6"] == json!(true) && value["internalIpv6Range"].is_null() {
        let hex = names::hex(path, 7);
        let (middle, low) = (&hex[..3], &hex[3..]);
        value["internalIpv6Range"] = json!(format!("fd20:{middle}:{low}:0:0:0:0:0/48"));
    }
    let profile = value["networkProfile"]
        .as_str()
        .map(|link| scope::link(names::path(link)));
    if let Value::Object(fields) = value {
        fields.retain(|name, value| name != "enableUlaInternalIpv6" || *value != json!(false));
        if let Some(profile) = profile {
            fields.insert("networkProfile".to_owned(), json!(profile));
        }
    }
}
