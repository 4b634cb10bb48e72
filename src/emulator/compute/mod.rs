//! Compute Engine: networks, subnetworks, routers, firewall rules, addresses, network endpoint groups, backend services, health
//! checks and the catalogue around them.
//!
//! No instance or disk: node machines belong to GKE and are not in this API. IPv6 is refused or left out. Of Shared VPC, that a project is attached to its host project is not modelled: every project may use every network for
//! clusters, if GKE's agents have their roles there.

mod addresses;
mod auto_mode;
mod catalogue;
mod collections;
mod filter;
mod firewalls;
mod groups;
mod lists;
mod machines;
mod nat;
mod nat_sources;
mod networks;
mod operations;
mod pages;
mod printed;
mod ranges;
mod reserved;
mod resource;
mod routers;
mod routes;
mod scope;
mod subnetworks;

pub use auto_mode::{GIVEN, default_network};
pub use groups::group as network_endpoint_group;
pub use machines::find as machine_type;
pub use reserved::{RESERVED, is_held};
pub use scope::link;
pub use subnetworks::conflict as range_conflict;

use super::answer::{ErrorResponse, Response};
use super::request::Request;
use super::world::World;
use collections::Collection;
use scope::Scope;

/// Serves one request to compute.
///
/// # Errors
/// What Google would refuse, with Google's text.
pub fn serve(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let scope = Scope::of(request);
    operations::check_request_id(request)?;
    let method = request.method_id.trim_start_matches("compute.");
    match method {
        "networks.delete" => networks::delete(world, request, &scope),
        "networks.getEffectiveFirewalls" => networks::effective_firewalls(world, request, &scope),
        "subnetworks.setPrivateIpGoogleAccess" => {
            resource::change(world, request, &scope, subnetworks::with_google_access)
        }
        "subnetworks.getIamPolicy" => subnetworks::policy(world, request, &scope),
        "subnetworks.setIamPolicy" => subnetworks::set_policy(world, request, &scope),
        "routes.list" => routes::list(world, request, &scope),
        "routers.getRouterStatus" => routers::status(world, request, &scope),
        "globalOperations.get" | "regionOperations.get" | "zoneOperations.get" => {
            operations::get(world, request, &scope)
        }
        "globalOperations.wait" | "regionOperations.wait" | "zoneOperations.wait" => {
            operations::wait(world, request, &scope)
        }
        "globalOperations.list" | "regionOperations.list" | "zoneOperations.list" => {
            operations::list(world, request, &scope)
        }
        "projects.get" => catalogue::project(world, request, &scope),
        "regions.get" => catalogue::region(world, request, &scope),
        "regions.list" => catalogue::regions(world, request, &scope),
        "zones.get" => catalogue::zone(request, &scope),
        "zones.list" => catalogue::zones(request, &scope),
        "machineTypes.get" => catalogue::machine_type(request, &scope),
        "machineTypes.list" => catalogue::machine_types(request, &scope),
        _ => {
            let (collection, verb) = method.split_once('.').unwrap_or_default();
            match Collection::find(collection) {
                Some(row) => row.serve(world, request, &scope, verb),
                None => Err(ErrorResponse::not_served(&request.method_id)),
            }
        }
    }
}
