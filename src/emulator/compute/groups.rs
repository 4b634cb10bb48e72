//! Network endpoint groups: GKE makes them, a client may only find and delete them.

use serde_json::{Value, json};

use super::scope;
use crate::clock;
use crate::operation::Effect;
use crate::world::World;

/// The effect by which GKE makes the group `name` for a service of a cluster, in a zone of a subnetwork (both paths as
/// `projects/…`).
pub fn group(
    world: &mut World,
    project: &str,
    zone: &str,
    name: &str,
    network: &str,
    subnetwork: &str,
) -> Effect {
    let path = format!("projects/{project}/zones/{zone}/networkEndpointGroups/{name}");
    let value: Value = json!({
        "kind": "compute#networkEndpointGroup",
        "id": world.next_id().to_string(),
        "creationTimestamp": clock::pacific(world.now()),
        "name": name,
        "networkEndpointType": "GCE_VM_IP_PORT",
        "size": 0,
        "network": scope::link(network),
        "subnetwork": scope::link(subnetwork),
        "zone": scope::link(&format!("projects/{project}/zones/{zone}")),
        "selfLink": scope::link(&path),
    });
    Effect::Put {
        key: scope::key(&path),
        value,
    }
}
