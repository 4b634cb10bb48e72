//! Static external addresses of a region.
//!
//! There is no recording of this collection. Fields and their defaults are from the API's documentation; that a router with a NAT
//! on an address counts as its user is not documented. Addresses come from a range for documentation (RFC 5737), so nobody takes
//! them for Google's. Internal and global addresses are refused.

use serde_json::{Value, json};

use super::resource;
use super::scope::{self, Scope};
use crate::answer::ErrorResponse;
use crate::names;
use crate::world::World;

/// What the address of a new resource begins with.
const RANGE: &str = "198.51.100";

/// A new address.
pub fn draft(world: &World, scope: &Scope, body: &Value) -> Result<Value, ErrorResponse> {
    let defaults = json!({
        "addressType": "EXTERNAL",
        "networkTier": "PREMIUM",
        "ipVersion": "IPV4",
        "status": "RESERVED",
        "labelFingerprint": "42WmSpB8rSM=",
    });
    let mut value = resource::merged(&defaults, body);
    for (field, only) in [("addressType", "EXTERNAL"), ("ipVersion", "IPV4")] {
        if value[field] != only {
            return Err(ErrorResponse::invalid(format!(
                "Invalid value for field 'resource.{field}': '{}'. This emulator reserves {only} addresses only.",
                value[field].as_str().unwrap_or_default()
            )));
        }
    }
    // Only an address that a running instance has can be named, and there are no instances here.
    if let Some(named) = body["address"].as_str() {
        return Err(ErrorResponse::invalid(format!(
            "Invalid value for field 'resource.address': '{named}'. Specified IP address is not in use and cannot be reserved."
        )));
    }
    let path = scope.member(body["name"].as_str().unwrap_or_default());
    value["address"] = json!(free(world, &path)?);
    if let Value::Object(fields) = &mut value {
        // It is the default, and is not printed back.
        fields.remove("ipVersion");
    }
    Ok(value)
}

/// An address that no other resource has; the same for the same path in the same world.
fn free(world: &World, path: &str) -> Result<String, ErrorResponse> {
    let taken: Vec<&str> = world
        .shuffled("//compute.googleapis.com/projects/", |key| {
            key.contains("/addresses/")
        })
        .into_iter()
        .filter_map(|(_, value)| value["address"].as_str())
        .collect();
    let first = names::hash(path);
    (0..254)
        .map(|n| format!("{RANGE}.{}", (first.wrapping_add(n)) % 254 + 1))
        .find(|address| !taken.contains(&address.as_str()))
        .ok_or_else(|| ErrorResponse::invalid("This emulator has no more addresses."))
}

/// The addresses of the resources that a list names.
pub fn of(world: &World, scope: &Scope, list: &Value) -> Vec<String> {
    let links = list.as_array().into_iter().flatten();
    let found = links.filter_map(|link| {
        let body = json!({ "address": link });
        let path = scope::reference(scope, &body, "address").ok()??;
        let resource = world.get(&scope::key(&path))?;
        Some(resource["address"].as_str()?.to_owned())
    });
    found.collect()
}

/// Checks that every address that a field of a body lists exists.
///
/// # Errors
/// 400; the text is not recorded for addresses.
pub fn exist(world: &World, scope: &Scope, field: &str, list: &Value) -> Result<(), ErrorResponse> {
    for link in list.as_array().into_iter().flatten() {
        let body = json!({ "address": link });
        let path = scope::reference(scope, &body, "address")?.unwrap_or_default();
        if world.get(&scope::key(&path)).is_none() {
            return Err(ErrorResponse::invalid(format!(
                "Invalid value for field 'resource.{field}': '{}'. The referenced address resource cannot be found.",
                link.as_str().unwrap_or_default()
            )));
        }
    }
    Ok(())
}
