//! Fleets (GKE Hub), v1 and v2: memberships, features and membership features, of which only the service mesh has an effect.
//!
//! Ids and numbers of a project are both accepted in the keys of a feature's maps; the number comes back. Other features than
//! `servicemesh` can be enabled and have no effect.

mod catalogue;
mod features;
mod fleets;
mod membership_features;
mod membership_specs;
mod memberships;
mod mesh;
mod operations;
mod resource;

pub use membership_specs::mesh_of;
pub use memberships::{registered_by_gke, unregistered_by_gke};

use super::answer::{ErrorResponse, Response};
use super::project_lookup;
use super::request::Request;
use super::world::World;

/// Serves one call.
///
/// # Errors
/// What Google would refuse, with Google's text.
pub fn serve(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let name = request
        .params
        .get("name")
        .or_else(|| request.params.get("parent"));
    let project = project_lookup::named(world, name.map_or("", String::as_str))?;
    operations::check_request_id(request)?;
    let method = request
        .method_id
        .strip_prefix("gkehub.projects.locations.")
        .unwrap_or_default();
    match method {
        "memberships.get" => memberships::get(world, request),
        "memberships.list" => memberships::list(world, request),
        "memberships.create" => memberships::create(world, request, &project),
        "memberships.patch" => memberships::patch(world, request, &project),
        "memberships.delete" => memberships::delete(world, request, &project),
        "memberships.features.get" => membership_features::get(world, request),
        "memberships.features.list" => membership_features::list(world, request),
        "memberships.features.create" => membership_features::create(world, request, &project),
        "memberships.features.patch" => membership_features::patch(world, request, &project),
        "memberships.features.delete" => membership_features::delete(world, request, &project),
        "features.get" => features::get(world, request, &project),
        "features.list" => features::list(world, request, &project),
        "features.create" => features::create(world, request, &project),
        "features.patch" => features::patch(world, request, &project),
        "features.delete" => features::delete(world, request, &project),
        "fleets.get" => fleets::get(world, request),
        "fleets.list" => fleets::list(world, request),
        "fleets.create" => fleets::create(world, request, &project),
        "operations.get" => operations::get(world, request),
        "operations.list" => operations::list(world, request),
        _ => Err(ErrorResponse::not_served(&request.method_id)),
    }
}
