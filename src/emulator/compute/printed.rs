//! Resources of compute as they are printed: as they are stored, except for networks and addresses.

use serde_json::{Value, json};

use super::{auto_mode, ranges, scope};
use crate::names;
use crate::world::World;

/// A resource as it is printed. A network lists its subnetworks, which are stored in the subnetworks only.
pub fn printed(world: &World, key: &str, value: &Value) -> Value {
    let mut value = auto_mode::unmarked(value.clone());
    if value["kind"] == "compute#network" {
        let subnetworks: Vec<Value> = ranges::subnetworks(world, names::path(key))
            .into_iter()
            .map(|one| one["selfLink"].clone())
            .collect();
        if !subnetworks.is_empty() {
            value["subnetworks"] = json!(subnetworks);
        }
    }
    if value["kind"] == "compute#address" {
        // Where something refers to it, it is in use.
        let users = world.users(key);
        if !users.is_empty() {
            let links = users.iter().map(|user| scope::link(names::path(user)));
            value["users"] = links.collect();
            value["status"] = json!("IN_USE");
        }
    }
    value
}
