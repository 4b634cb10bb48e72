//! Cloud Storage: buckets, objects in one version, bucket policies.
//!
//! Who may do what is asked in one place alone ([`access`]). No versioning, ACLs, folders, notifications or resumable uploads. Lists of objects are in order of name: that is promised.

pub mod access;
mod buckets;
mod checksums;
mod objects;
mod policy;

use serde_json::{Value, json};

use super::answer::{ErrorResponse, Response};
use super::names;
use super::request::Request;
use super::world::World;

/// Serves one request to storage.
///
/// # Errors
/// What Google would refuse, in Google's words.
pub fn serve(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    match request.method_id.trim_start_matches("storage.") {
        "buckets.insert" => buckets::insert(world, request),
        "buckets.get" => buckets::get(world, request),
        "buckets.list" => buckets::list(world, request),
        "buckets.patch" => buckets::change(world, request, false),
        "buckets.update" => buckets::change(world, request, true),
        "buckets.delete" => buckets::delete(world, request),
        "buckets.getStorageLayout" => buckets::layout(world, request),
        "buckets.getIamPolicy" => policy::get(world, request),
        "buckets.setIamPolicy" => policy::set(world, request),
        "buckets.testIamPermissions" => policy::test(world, request),
        "objects.insert" => objects::insert(world, request),
        "objects.get" => objects::get(world, request),
        "objects.list" => objects::list(world, request),
        "objects.patch" => objects::patch(world, request),
        "objects.delete" => objects::delete(world, request),
        "managedFolders.list" => {
            bucket(world, request)?;
            Ok(json!({ "kind": "storage#managedFolders" }).into())
        }
        _ => Err(ErrorResponse::not_served(&request.method_id)),
    }
}

/// The key of a bucket: its name is unique in the world, and its project is not part of it.
fn bucket_key(name: &str) -> String {
    names::key("storage", &format!("projects/_/buckets/{name}"))
}

/// The bucket that a request's path names: its key and value.
fn bucket(world: &World, request: &Request) -> Result<(String, Value), ErrorResponse> {
    let key = bucket_key(request.param("bucket"));
    let value = world.get(&key).cloned();
    value
        .map(|value| (key, value))
        .ok_or_else(|| ErrorResponse::not_found("The specified bucket does not exist."))
}

/// Holds the request's `if…Match` parameters against what is there; nothing there counts as generation 0.
///
/// # Errors
/// 412.
fn preconditions(request: &Request, there: Option<&Value>) -> Result<(), ErrorResponse> {
    let at = |field: &str| there.map_or("0", |value| value[field].as_str().unwrap_or_default());
    let holds = [
        ("ifGenerationMatch", "generation", true),
        ("ifGenerationNotMatch", "generation", false),
        ("ifMetagenerationMatch", "metageneration", true),
        ("ifMetagenerationNotMatch", "metageneration", false),
    ]
    .into_iter()
    .all(|(name, field, equal)| {
        request
            .query(name)
            .is_none_or(|wanted| (at(field) == wanted) == equal)
    });
    if holds {
        Ok(())
    } else {
        Err(ErrorResponse::condition_not_met(
            "At least one of the pre-conditions you specified did not hold.",
        ))
    }
}

/// `value` with the next metageneration, and the etag that goes with it.
fn touched(mut value: Value, now: String) -> Value {
    let last: u64 = value["metageneration"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    value["metageneration"] = json!((last + 1).to_string());
    value["updated"] = json!(now);
    value["etag"] = json!(etag(&value));
    value
}

/// The etag of a bucket (`CAE=`: its metageneration) or of an object (its generation too), a small message in base64.
fn etag(value: &Value) -> String {
    let number = |field: &str| {
        value[field]
            .as_str()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let metageneration = number("metageneration").unwrap_or(1);
    match value["kind"].as_str() {
        Some("storage#object") => {
            checksums::etag(&[(1, number("generation").unwrap_or(0)), (2, metageneration)])
        }
        _ => checksums::etag(&[(1, metageneration)]),
    }
}
