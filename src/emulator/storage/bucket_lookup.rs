//! Buckets by the names in requests.

use serde_json::Value;

use crate::answer::ErrorResponse;
use crate::names;
use crate::request::Request;
use crate::world::World;

/// The key of a bucket: its name is unique in the world, and its project is not part of it.
pub fn bucket_key(name: &str) -> String {
    names::key("storage", &format!("projects/_/buckets/{name}"))
}

/// The bucket that a request's path names: its key and value.
///
/// # Errors
/// 404.
pub fn bucket(world: &World, request: &Request) -> Result<(String, Value), ErrorResponse> {
    let key = bucket_key(request.param("bucket"));
    let value = world.get(&key).cloned();
    value
        .map(|value| (key, value))
        .ok_or_else(|| ErrorResponse::not_found("The specified bucket does not exist."))
}
