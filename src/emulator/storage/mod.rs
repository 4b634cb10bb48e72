//! Cloud Storage: buckets, objects in one version, bucket policies.
//!
//! Permissions are checked in one place only ([`access`]). There are no versions, ACLs, folders, notifications or resumable
//! uploads. Lists of objects are in the order of their names, as Google promises.

pub mod access;
mod bucket_lookup;
mod buckets;
mod checksums;
mod generations;
mod objects;
mod policy;

use bucket_lookup::bucket;
use serde_json::json;

use super::answer::{ErrorResponse, Response};
use super::request::Request;
use super::world::World;

/// Serves one request to storage.
///
/// # Errors
/// What Google would refuse, with Google's text.
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
