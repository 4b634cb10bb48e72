//! Zones by the names in requests, pages of lists, and the errors that zones, record sets and changes share.

use serde_json::{Value, json};

use crate::answer::{ErrorResponse, Response};
use crate::names;
use crate::request::Request;
use crate::world::World;

/// A page of `items` under `field`, selected by the request's `maxResults` and `pageToken`.
///
/// # Errors
/// 400 for an invalid token.
pub fn page(
    request: &Request,
    kind: &str,
    field: &str,
    items: &[Value],
) -> Result<Response, ErrorResponse> {
    let from: usize = match request.query("pageToken") {
        None | Some("") => 0,
        Some(token) => token.parse().map_err(|_| {
            ErrorResponse::invalid(format!(
                "Invalid value for 'parameters.pageToken': '{token}'"
            ))
        })?,
    };
    let size = request
        .query("maxResults")
        .and_then(|text| text.parse().ok())
        .unwrap_or(100)
        .clamp(1, 100_usize);
    let page: Vec<&Value> = items.iter().skip(from).take(size).collect();
    let mut body = json!({ "kind": kind });
    body[field] = json!(page);
    if items.len() > from + size {
        body["nextPageToken"] = json!((from + size).to_string());
    }
    Ok(body.into())
}

/// The key of a zone of the request's project.
pub fn zone_key(request: &Request, zone: &str) -> String {
    names::key(
        "dns",
        &format!("projects/{}/managedZones/{zone}", request.param("project")),
    )
}

/// The zone that a request's path names, by name or number: its key and value.
///
/// # Errors
/// 404.
pub fn zone(world: &World, request: &Request) -> Result<(String, Value), ErrorResponse> {
    let name = request.param("managedZone");
    let key = zone_key(request, name);
    if let Some(value) = world.get(&key) {
        return Ok((key, value.clone()));
    }
    let all = world.list(&names::key(
        "dns",
        &format!("projects/{}/managedZones", request.param("project")),
    ));
    let numbered = all.into_iter().find(|(_, value)| value["id"] == name);
    numbered
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .ok_or_else(|| missing("parameters.managedZone", name))
}

/// The error for a resource that does not exist.
pub fn missing(what: &str, name: &str) -> ErrorResponse {
    ErrorResponse::not_found(format!(
        "The '{what}' resource named '{name}' does not exist."
    ))
}

/// The error for a resource that exists already.
pub fn exists(what: &str, name: &str) -> ErrorResponse {
    ErrorResponse::already_exists(format!(
        "The resource '{what}' named '{name}' already exists"
    ))
}

/// The error for an invalid value.
pub fn invalid(what: &str, value: &str) -> ErrorResponse {
    ErrorResponse::invalid(format!("Invalid value for '{what}': '{value}'"))
}
