//! The part of a feature that belongs to one membership, as it is stored: its spec, and its state read off the clock.
//!
//! v1 (`membershipSpecs` of a feature) and v2 (membership features) are two ways to set it; it is stored once, in v2's form.

use serde_json::{Value, json};

use super::mesh::{self, Implementation};
use super::resource::key;
use crate::answer::ErrorResponse;
use crate::clock;
use crate::kubernetes::Cluster;
use crate::names;
use crate::operation::Effect;
use crate::world::{Project, World};

/// The field with the time since which the mesh's present management has been requested.
const SINCE: &str = "_since";
/// The field with the implementation that Google chose for the control plane then.
const IMPLEMENTATION: &str = "_implementation";

/// The membership feature with this spec. The time of the mesh starts again only when its management changes.
pub fn object(world: &World, name: &str, before: Option<&Value>, spec: Value) -> Value {
    let now = world.now();
    let management = |spec: &Value| spec.pointer("/servicemesh/management").cloned();
    let same = before.filter(|half| management(&half["spec"]) == management(&spec));
    let since = same.and_then(|half| half[SINCE].as_i64()).unwrap_or(now);
    let implementation = same
        .and_then(|half| half[IMPLEMENTATION].as_str())
        .unwrap_or_else(|| chosen(world, name).word())
        .to_owned();
    let born = before
        .and_then(|half| half["createTime"].as_str())
        .map_or_else(|| clock::utc(now), str::to_owned);
    let mut half = json!({"name": name, "spec": spec, "createTime": born, "updateTime": clock::utc(now), SINCE: since, IMPLEMENTATION: implementation});
    if let Some(labels) = before.and_then(|half| half.get("labels")) {
        half["labels"] = labels.clone();
    }
    half
}

/// What Google chooses for a fleet: Traffic Director, unless a cluster of the fleet runs a control plane of its own.
fn chosen(world: &World, name: &str) -> Implementation {
    let project = names::segment(name, "projects").unwrap_or_default();
    let prefix = key(&format!("projects/{project}/locations/"));
    let members = world.shuffled(&prefix, |key| {
        let (_, rest) = key.rsplit_once("/memberships/").unwrap_or_default();
        !rest.is_empty() && !rest.contains('/')
    });
    let mut clusters = members
        .into_iter()
        .filter_map(|(_, member)| world.cluster(&cluster_key(member)?));
    if clusters.any(Cluster::has_control_plane) {
        Implementation::Istiod
    } else {
        Implementation::TrafficDirector
    }
}

/// The present state of the membership in the feature.
pub fn state(world: &World, name: &str, half: &Value) -> Option<Value> {
    let (membership, feature) = name.split_once("/features/")?;
    if feature != "servicemesh" {
        return None;
    }
    // The state is computed from the clock each time, so no timer is needed.
    let cluster = world.get(&cluster_key(world.get(&key(membership))?)?);
    let has_identity = cluster.is_some_and(|cluster| {
        cluster
            .pointer("/workloadIdentityConfig/workloadPool")
            .is_some()
    });
    mesh::state(&mesh::Situation {
        automatic: half.pointer("/spec/servicemesh/management")
            == Some(&json!("MANAGEMENT_AUTOMATIC")),
        implementation: if half[IMPLEMENTATION] == Implementation::Istiod.word() {
            Implementation::Istiod
        } else {
            Implementation::TrafficDirector
        },
        has_identity,
        since: half[SINCE].as_i64().unwrap_or_default(),
        now: world.now(),
        takes: world.duration("mesh.control_plane"),
    })
}

/// A feature's membership features, with the key of v1's maps: `(membership's name, spec as v1 has it, state)`.
pub fn of_feature(
    world: &World,
    project: &Project,
    feature: &str,
) -> Vec<(String, Value, Option<Value>)> {
    let prefix = key(&format!("projects/{}/locations/", project.id));
    let end = format!("/features/{feature}");
    let found = world.shuffled(&prefix, |key| {
        key.contains("/memberships/") && key.ends_with(&end)
    });
    found
        .into_iter()
        .map(|(key, half)| {
            let name = names::path(key);
            let membership = name.strip_suffix(&end).unwrap_or(name).to_owned();
            (membership, as_v1(&half["spec"]), state(world, name, half))
        })
        .collect()
}

/// The implementation of the mesh's control plane in a cluster, by the cluster's key, once it is active there.
pub fn mesh_of(world: &World, cluster: &str) -> Option<String> {
    let all = world.shuffled("//gkehub.googleapis.com/projects/", |key| {
        key.ends_with("/features/servicemesh") && key.contains("/memberships/")
    });
    all.into_iter().find_map(|(at, half)| {
        let name = names::path(at);
        let (membership, _) = name.split_once("/features/")?;
        let member = world.get(&key(membership))?;
        if cluster_key(member)? != cluster {
            return None;
        }
        let state = state(world, name, half)?;
        let plane = &state["servicemesh"]["controlPlaneManagement"];
        let active = plane["state"] == "ACTIVE";
        active.then(|| {
            plane["implementation"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        })
    })
}

/// The keys of a membership's features.
pub fn of_membership(world: &World, membership: &str) -> Vec<String> {
    world
        .list(&key(&format!("{membership}/features")))
        .into_iter()
        .map(|(key, _)| key.to_owned())
        .collect()
}

/// The effect of a spec that v1 sets for a membership; an empty one removes the membership feature.
pub fn set_by_v1(world: &World, membership: &str, feature: &str, spec: &Value) -> Effect {
    let name = format!("{membership}/features/{feature}");
    let key = key(&name);
    if spec.as_object().is_none_or(serde_json::Map::is_empty) {
        return Effect::Remove { key };
    }
    let value = object(world, &name, world.get(&key), as_v2(spec));
    Effect::Put { key, value }
}

/// Refuses a membership feature if the feature is not enabled in the fleet. The text is not recorded.
pub fn check_enabled(world: &World, project: &Project, feature: &str) -> Result<(), ErrorResponse> {
    let name = name(project, feature);
    match world.get(&key(&name)) {
        Some(_) => Ok(()),
        None => Err(ErrorResponse::failed_precondition(format!(
            "Feature '{name}' is not enabled in the fleet."
        ))),
    }
}

/// The mesh feature's default configuration of new members, if it has one.
fn default_mesh(world: &World, project: &Project) -> Option<Value> {
    let feature = world.get(&key(&name(project, "servicemesh")))?;
    feature.pointer("/fleetDefaultMemberConfig/mesh").cloned()
}

fn name(project: &Project, feature: &str) -> String {
    format!(
        "projects/{}/locations/global/features/{feature}",
        project.id
    )
}

/// The effect of the fleet's default configuration on a new member.
pub fn wanted_by_fleet(world: &World, project: &Project, membership: &str) -> Option<Effect> {
    let wanted = default_mesh(world, project)?;
    let spec = json!({"mesh": wanted, "origin": {"type": "FLEET"}});
    Some(set_by_v1(world, membership, "servicemesh", &spec))
}

/// The key of the cluster of a membership.
pub fn cluster_key(membership: &Value) -> Option<String> {
    let link = membership
        .pointer("/endpoint/gkeCluster/resourceLink")?
        .as_str()?;
    Some(names::key("container", names::path(link)))
}

/// v1 calls the mesh's spec `mesh`, v2 `servicemesh`.
fn as_v2(spec: &Value) -> Value {
    renamed(spec, "mesh", "servicemesh")
}

fn as_v1(spec: &Value) -> Value {
    renamed(spec, "servicemesh", "mesh")
}

fn renamed(spec: &Value, from: &str, to: &str) -> Value {
    let fields = spec.as_object().into_iter().flatten();
    fields
        .map(|(name, value)| {
            (
                if name == from {
                    to.to_owned()
                } else {
                    name.clone()
                },
                value.clone(),
            )
        })
        .collect()
}
