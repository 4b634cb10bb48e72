//! What Traffic Director still holds when its cluster is deleted. It stays: scripts of others delete it by hand before they
//! delete the network.
//!
//! That whoever may delete such resources can delete it then is read from these scripts; a program that deletes everything in a
//! project says that nobody may (arehmandev/gcp-nuke). No record settles it, so that a setting chooses.

use std::time::Duration;

use super::resources::MeshCluster;
use crate::clock::Millis;
use crate::compute::RESERVED;
use crate::names;
use crate::operation::Effect;
use crate::settings::Leftovers;
use crate::world::World;

/// What the deletion of a cluster brings about later: Google's collection of what is left, if the setting says so.
pub fn collection(world: &World, key: &str) -> Vec<Effect> {
    let Leftovers::Collected(each) = world.mesh_cleanup().leftovers else {
        return Vec::new();
    };
    let Some(cluster) = MeshCluster::of(world, key) else {
        return Vec::new();
    };
    let held = world.shuffled("//compute.googleapis.com/projects/", |_| true);
    let mut held: Vec<&str> = held
        .into_iter()
        .filter(|(_, value)| value[RESERVED]["id"] == cluster.id.as_str())
        .map(|(key, _)| key)
        .collect();
    // Everything of a Service goes at once, and the rule after the last of them.
    held.sort_by_key(|key| (key.contains("/firewalls/"), names::leaf(key).to_owned()));
    let mut effects: Vec<Effect> = Vec::new();
    for group in held.chunk_by(|one, other| names::leaf(one) == names::leaf(other)) {
        let turn = u32::try_from(effects.len()).unwrap_or(u32::MAX) + 1;
        effects.push(Effect::After {
            delay: millis(each.saturating_mul(turn)),
            effects: group
                .iter()
                .map(|key| Effect::Remove {
                    key: (*key).to_owned(),
                })
                .collect(),
        });
    }
    effects
}

fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}
