//! Network endpoint groups: GKE and Traffic Director make them, a client may only find and delete them.

use serde_json::{Value, json};

use super::scope;
use crate::clock;
use crate::names;
use crate::world::World;

/// The zonal group at this path (`projects/p/zones/z/networkEndpointGroups/n`), in a subnetwork of a network (both paths as
/// `projects/…`). It has no endpoints.
pub fn group(world: &mut World, path: &str, network: &str, subnetwork: &str) -> Value {
    let (zone, _) = path
        .split_once("/networkEndpointGroups/")
        .unwrap_or((path, ""));
    json!({
        "kind": "compute#networkEndpointGroup",
        "id": world.next_id().to_string(),
        "creationTimestamp": clock::pacific(world.now()),
        "name": names::leaf(path),
        "networkEndpointType": "GCE_VM_IP_PORT",
        "size": 0,
        "network": scope::link(network),
        "subnetwork": scope::link(subnetwork),
        "zone": scope::link(zone),
        "selfLink": scope::link(path),
    })
}
