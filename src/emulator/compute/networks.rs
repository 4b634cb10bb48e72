//! Networks: custom and auto mode. Legacy networks can no longer be created: Google announced it for June 2021, as users quote it; the
//! API's reference still describes them.

use serde_json::{Value, json};

use super::auto_mode;
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
    // Without the field it would be a legacy network (reference). The text is not recorded.
    if !body["autoCreateSubnetworks"].is_boolean() || body.get("IPv4Range").is_some() {
        return Err(ErrorResponse::invalid(
            "Invalid value for field 'resource.autoCreateSubnetworks': ''. Legacy networks can no longer be created; set \
             autoCreateSubnetworks to true (auto mode) or false (custom mode).",
        ));
    }
    check(body)?;
    let mut value = resource::merged(
        &json!({
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

/// Checks the fields that have limits. Source of the limits: the reference of `mtu`. The text is not recorded.
fn check(sent: &Value) -> Result<(), ErrorResponse> {
    match sent["mtu"].as_i64() {
        Some(mtu) if !(1300..=8896).contains(&mtu) => Err(ErrorResponse::invalid(format!(
            "Invalid value for field 'resource.mtu': '{mtu}'. Must be between 1300 and 8896."
        ))),
        _ => Ok(()),
    }
}

/// The subnetworks that come with an auto mode network.
pub fn beside(world: &mut World, scope: &Scope, network: &Value) -> Vec<Effect> {
    if network["autoCreateSubnetworks"] == json!(true) {
        auto_mode::subnetworks(world, &scope.project, network)
    } else {
        Vec::new()
    }
}

/// A network after a PATCH.
pub fn patched(_: &World, _: &Scope, old: &Value, sent: &Value) -> Result<Value, ErrorResponse> {
    check(sent)?;
    let mut new = resource::keep_immutable(old, resource::merged(old, sent))?;
    // switchToCustomMode is a method of its own.
    new["autoCreateSubnetworks"] = old["autoCreateSubnetworks"].clone();
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
    // The subnetworks of an auto mode network go with it.
    let own = auto_mode::own_subnetworks(world, &old);
    let users = world.users(&key);
    let outcome = match users
        .iter()
        .find(|user| !own.iter().any(|one| one == *user))
    {
        Some(user) => Err(Failure {
            code: "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE".to_owned(),
            http: 400,
            message: resource::in_use("network", &path, user),
        }),
        None => {
            let all = own.iter().chain([&key]);
            Ok(all.map(|key| Effect::Remove { key: key.clone() }).collect())
        }
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
    let rules: Vec<Value> = rules
        .into_iter()
        .map(|(_, rule)| auto_mode::unmarked(rule.clone()))
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
