//! Changes to a cluster: one `desired…` at a time, and its labels.

use serde_json::{Map, Value, json};

use super::config;
use super::draft::labels_fingerprint;
use super::endpoints;
use super::operations;
use super::place::Place;
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::discovery;
use crate::emulator::hub;
use crate::emulator::names;
use crate::emulator::operation::Effect;
use crate::emulator::request::Request;
use crate::emulator::world::World;

/// Fields of an update that say where or when, not what.
const COMPANIONS: &[&str] = &["etag", "desiredNodePoolId"];

/// PUT. The API's reference allows one field in each request; the recorded clients keep to it.
pub fn cluster(world: &mut World, request: &Request, place: &Place) -> Result<Answer, Refusal> {
    let name = names::leaf(request.param("name")).to_owned();
    let (key, before) = place.cluster(world, &name)?;
    let update = request.body["update"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let mut fields = update
        .iter()
        .filter(|(field, _)| !COMPANIONS.contains(&field.as_str()));
    let Some((field, value)) = fields.next() else {
        return Err(Refusal::bad_request("Must specify a field to update."));
    };
    if fields.next().is_some() {
        return Err(Refusal::bad_request(
            "Only one field can be updated at a time.",
        ));
    }
    operations::idle(world, place, &name)?;
    let mut effects = Vec::new();
    let below = format!("clusters/{name}");
    let mut after = before.clone();
    let mut target = below.clone();
    match field.as_str() {
        "desiredControlPlaneEndpointsConfig" => {
            after["controlPlaneEndpointsConfig"] =
                config::merged(before["controlPlaneEndpointsConfig"].clone(), value);
            let sent = value.pointer("/ipEndpointsConfig/authorizedNetworksConfig");
            if let Some(sent) = sent {
                set_networks(&mut after, sent)?;
            }
            endpoints::settle(&mut after);
        }
        "desiredEnablePrivateEndpoint" => {
            let public = json!(*value != json!(true));
            after["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]["enablePublicEndpoint"] =
                public;
            endpoints::settle(&mut after);
        }
        "desiredPrivateClusterConfig" => {
            if let Some(global) = value.pointer("/masterGlobalAccessConfig/enabled") {
                after["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]["globalAccess"] =
                    global.clone();
            }
            endpoints::settle(&mut after);
        }
        "desiredMasterAuthorizedNetworksConfig" => set_networks(&mut after, value)?,
        "desiredNodePoolAutoscaling" => {
            let pool = update
                .get("desiredNodePoolId")
                .and_then(Value::as_str)
                .unwrap_or_default();
            target = format!("{below}/nodePools/{pool}");
            let pool_key = place.key(&target);
            let Some(stored) = world.get(&pool_key) else {
                return Err(Refusal::not_found(format!(
                    "Not found: node pool \"{pool}\" not found."
                )));
            };
            let mut stored = stored.clone();
            stored["autoscaling"] = value.clone();
            effects.push(Effect::Put {
                key: pool_key,
                value: config::printed(stored),
            });
        }
        "desiredFleet" => {
            let wanted = value["project"].as_str().unwrap_or_default();
            if wanted.is_empty() {
                effects.extend(hub::unregistered_by_gke(world, &before));
                if let Some(fields) = after.as_object_mut() {
                    fields.remove("fleet");
                }
            } else {
                let (fleet, more) = hub::registered_by_gke(
                    world,
                    &place.project,
                    place.region(),
                    &place.path(),
                    &name,
                );
                after["fleet"] = fleet;
                effects.extend(more);
            }
        }
        other => {
            let (home, own) = home_of(other).ok_or_else(|| {
                Refusal::not_served(&format!("{} with {other}", request.method_id))
            })?;
            let home = match home {
                "" => &mut after,
                home => &mut after[home],
            };
            let old = home[&own].take();
            home[&own] = config::merged(old, value);
        }
    }
    effects.push(Effect::Merge {
        key: key.clone(),
        fields: changes(&before, &config::printed(after)),
    });
    reconciling(world, &key);
    Ok(operations::begin(
        world,
        request,
        place,
        "UPDATE_CLUSTER",
        &target,
        effects,
    ))
}

/// POST `:setResourceLabels`: all of them, under the fingerprint of those that were read.
pub fn labels(world: &mut World, request: &Request, place: &Place) -> Result<Answer, Refusal> {
    let name = names::leaf(request.param("name")).to_owned();
    let (key, cluster) = place.cluster(world, &name)?;
    if request.text("labelFingerprint") != cluster["labelFingerprint"].as_str() {
        // The words are those that users of GKE quote, not a record.
        return Err(Refusal::failed_precondition(
            "Labels could not be set due to fingerprint mismatch.",
        ));
    }
    operations::idle(world, place, &name)?;
    let labels = request.body["resourceLabels"].clone();
    let mut after = cluster.clone();
    after["labelFingerprint"] = json!(labels_fingerprint(&labels));
    after["resourceLabels"] = labels;
    let effects = vec![Effect::Merge {
        key: key.clone(),
        fields: changes(&cluster, &after),
    }];
    reconciling(world, &key);
    Ok(operations::begin(
        world,
        request,
        place,
        "UPDATE_CLUSTER",
        &format!("clusters/{name}"),
        effects,
    ))
}

fn set_networks(cluster: &mut Value, sent: &Value) -> Result<(), Refusal> {
    let private = cluster.pointer("/networkConfig/defaultEnablePrivateNodes") == Some(&json!(true));
    let networks = config::authorized_networks(sent, private)?;
    config::set_networks(cluster, &networks);
    Ok(())
}

/// Where a cluster keeps what a `desired…` field is about, if under the same name: `("", "workloadIdentityConfig")` for
/// `desiredWorkloadIdentityConfig`.
fn home_of(desired: &str) -> Option<(&'static str, String)> {
    let rest = desired.strip_prefix("desired")?;
    let mut chars = rest.chars();
    let own: String = chars.next()?.to_lowercase().chain(chars).collect();
    let (document, _) = discovery::method("container.projects.locations.clusters.get")?;
    [("Cluster", ""), ("NetworkConfig", "networkConfig")]
        .into_iter()
        .find(|(schema, _)| {
            document
                .schemas
                .get(*schema)
                .is_some_and(|found| found.has(&own))
        })
        .map(|(_, home)| (home, own))
}

/// The fields that an update leaves otherwise, null for those that go. The others stay whatever they are when it ends: the
/// fleet may have written its own meanwhile.
fn changes(before: &Value, after: &Value) -> Map<String, Value> {
    let fields = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let (before, after) = (fields(before), fields(after));
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    let mut changed: Map<String, Value> = gone.map(|name| (name.clone(), Value::Null)).collect();
    changed.extend(
        after
            .into_iter()
            .filter(|(name, value)| before.get(name) != Some(value)),
    );
    changed.insert("status".to_owned(), json!("RUNNING"));
    changed
}

/// While a change is made the cluster says so; the effects put the running one back.
fn reconciling(world: &mut World, key: &str) {
    if let Some(stored) = world.edit(key) {
        stored["status"] = json!("RECONCILING");
    }
}
