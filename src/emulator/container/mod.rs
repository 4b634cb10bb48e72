//! Kubernetes Engine: clusters and node pools, what GKE puts into their network, and what it leaves there.
//!
//! Only what the API says about a cluster; its Kubernetes API is in [`crate::kubernetes`]. Autopilot, sandboxes,
//! upgrades and maintenance are not emulated: their fields are stored and printed, and have no effect.

mod clusters;
mod config;
mod defaults;
mod endpoints;
mod firewalls;
mod footprint;
mod gke_side_effects;
mod location;
mod network;
mod new_cluster;
mod operations;
mod pool_rules;
mod pools;
mod shared_vpc;
mod update;
mod versions;
mod zonal;

pub use firewalls::node_tag;

use super::answer::{ErrorResponse, Response};
use super::request::Request;
use super::world::World;
use location::Location;

/// Serves one call.
///
/// # Errors
/// What Google would refuse, with Google's text.
pub fn serve(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let newer = zonal::newer(request);
    let request = newer.as_ref().unwrap_or(request);
    let name = request
        .params
        .get("name")
        .or_else(|| request.params.get("parent"));
    let place = Location::of(world, name.map_or("", String::as_str))?;
    let method = request
        .method_id
        .strip_prefix("container.projects.locations.")
        .unwrap_or_default();
    match method {
        "getServerConfig" => Ok(versions::server_config().into()),
        "clusters.get" => clusters::get(world, request, &place),
        "clusters.list" => clusters::list(world, &place),
        "clusters.create" => clusters::create(world, request, &place),
        "clusters.update" => update::cluster(world, request, &place),
        "clusters.setResourceLabels" => update::labels(world, request, &place),
        "clusters.delete" => clusters::delete(world, request, &place),
        "clusters.nodePools.get" => pools::get(world, request, &place),
        "clusters.nodePools.list" => pools::list(world, request, &place),
        "clusters.nodePools.create" => pools::create(world, request, &place),
        "clusters.nodePools.update" => pools::update(world, request, &place),
        "clusters.nodePools.setManagement" => pools::set_management(world, request, &place),
        "clusters.nodePools.setSize" => pools::set_size(world, request, &place),
        "clusters.nodePools.delete" => pools::delete(world, request, &place),
        "operations.get" => operations::get(world, request, &place),
        "operations.list" => operations::list(world, &place),
        _ => Err(ErrorResponse::not_served(&request.method_id)),
    }
}
