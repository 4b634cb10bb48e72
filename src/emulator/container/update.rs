//! Changes to a cluster: one `desired…` at a time, and its labels.

use serde_json::{Map, Value, json};

use super::config;
use super::endpoints;
use super::location::Location;
use super::new_cluster::labels_fingerprint;
use super::operations;
use super::pool_rules;
use super::pools;
use crate::answer::{ErrorResponse, Response};
use crate::discovery;
use crate::hub;
use crate::labels;
use crate::names;
use crate::operation::Effect;
use crate::project_lookup;
use crate::request::Request;
use crate::world::World;

/// Fields of an update that say where or when, not what.
const COMPANIONS: &[&str] = &["etag", "desiredNodePoolId"];

/// Fields that one update may have together: gcloud sets logging and monitoring in one request.
const TOGETHER: &[&[&str]] = &[
    &["desiredLoggingService", "desiredMonitoringService"],
    &["desiredLoggingConfig", "desiredMonitoringConfig"],
];

/// What an update is to leave.
struct Plan {
    /// The cluster as it will be.
    after: Value,
    /// What it changes beside the cluster.
    effects: Vec<Effect>,
    /// What the operation is said to be about: the cluster, or one of its pools.
    target: String,
}

/// PUT. The API's reference allows one field in each request; the recorded clients keep to it.
pub fn cluster(
    world: &mut World,
    request: &Request,
    place: &Location,
) -> Result<Response, ErrorResponse> {
    let name = names::leaf(request.param("name")).to_owned();
    let (key, before) = place.cluster(world, &name)?;
    let update = &request.body["update"];
    let fields: Vec<(&String, &Value)> = update
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(field, _)| !COMPANIONS.contains(&field.as_str()))
        .collect();
    let Some((field, value)) = fields.first().copied() else {
        return Err(ErrorResponse::bad_request(
            "Must specify a field to update.",
        ));
    };
    let fit = |group: &&[&str]| {
        fields
            .iter()
            .all(|(field, _)| group.contains(&field.as_str()))
    };
    // No record of these words; gcloud and the recorded clients never send two others.
    if fields.len() > 1 && !TOGETHER.iter().any(fit) {
        return Err(ErrorResponse::bad_request(
            "Only one field can be updated at a time.",
        ));
    }
    operations::idle(world, place, &name)?;
    let pool = update["desiredNodePoolId"].as_str().unwrap_or_default();
    let mut plan = match field.as_str() {
        "desiredFleet" => fleet(world, place, &before, value)?,
        "desiredNodePoolAutoscaling" => autoscaling(world, place, &before, pool, value)?,
        _ => plain(&before, field, value)?,
    };
    for (field, value) in fields.iter().skip(1) {
        plan.after = plain(&plan.after, field, value)?.after;
    }
    plan.effects.push(Effect::Merge {
        key: key.clone(),
        fields: changes(&before, &config::printed(plan.after)),
    });
    reconciling(world, &key);
    Ok(operations::begin(
        world,
        request,
        place,
        "UPDATE_CLUSTER",
        &plan.target,
        plan.effects,
    ))
}

/// A change to the cluster's own fields and to nothing else.
fn plain(before: &Value, field: &str, value: &Value) -> Result<Plan, ErrorResponse> {
    let mut after = before.clone();
    let ip = |after: &mut Value, name: &str, value: Value| {
        after["controlPlaneEndpointsConfig"]["ipEndpointsConfig"][name] = value;
        endpoints::set_endpoints(after);
    };
    match field {
        "desiredControlPlaneEndpointsConfig" => {
            let old = before["controlPlaneEndpointsConfig"].clone();
            after["controlPlaneEndpointsConfig"] = config::merged(old, value);
            if let Some(sent) = value.pointer("/ipEndpointsConfig/authorizedNetworksConfig") {
                set_networks(&mut after, sent)?;
            }
            endpoints::set_endpoints(&mut after);
        }
        "desiredMasterAuthorizedNetworksConfig" => set_networks(&mut after, value)?,
        "desiredEnablePrivateEndpoint" => {
            ip(
                &mut after,
                "enablePublicEndpoint",
                json!(*value != json!(true)),
            );
        }
        "desiredPrivateClusterConfig" => {
            let old = before["privateClusterConfig"].clone();
            after["privateClusterConfig"] = config::merged(old, value);
            if let Some(global) = value.pointer("/masterGlobalAccessConfig/enabled") {
                ip(&mut after, "globalAccess", global.clone());
            }
        }
        other => {
            let Some((home, own)) = home_of(other) else {
                return Err(ErrorResponse::not_served(&format!(
                    "a cluster update with {other}"
                )));
            };
            let home = match home {
                "" => &mut after,
                home => &mut after[home],
            };
            let old = home[&own].take();
            home[&own] = config::merged(old, value);
        }
    }
    Ok(Plan {
        target: target(before),
        effects: Vec::new(),
        after,
    })
}

/// Into the fleet of a project, or out of it with an empty one. Who is in it already stays as registered.
fn fleet(
    world: &mut World,
    place: &Location,
    before: &Value,
    value: &Value,
) -> Result<Plan, ErrorResponse> {
    let mut after = before.clone();
    let mut effects = Vec::new();
    let name = before["name"].as_str().unwrap_or_default();
    let member = before.get("fleet").is_some();
    match value["project"].as_str().unwrap_or_default() {
        "" => {
            effects = hub::unregistered_by_gke(world, before);
            if let Some(fields) = after.as_object_mut() {
                fields.remove("fleet");
            }
        }
        _ if member => {}
        project => {
            let (owner, region) = (project_lookup::named(world, project)?, place.region());
            (after["fleet"], effects) =
                hub::registered_by_gke(world, &owner, region, &place.path(), name);
        }
    }
    Ok(Plan {
        target: target(before),
        effects,
        after,
    })
}

/// Autoscaling is the pool's, and the operation is said to be about the pool: recorded.
fn autoscaling(
    world: &World,
    place: &Location,
    before: &Value,
    pool: &str,
    value: &Value,
) -> Result<Plan, ErrorResponse> {
    let target = format!("{}/nodePools/{pool}", target(before));
    let key = place.key(&target);
    let Some(mut stored) = world.get(&key).cloned() else {
        return Err(pools::missing(pool));
    };
    pool_rules::check_autoscaling(value)?;
    stored["autoscaling"] = value.clone();
    let value = config::printed(stored);
    Ok(Plan {
        target,
        effects: vec![Effect::Put { key, value }],
        after: before.clone(),
    })
}

fn target(cluster: &Value) -> String {
    format!("clusters/{}", cluster["name"].as_str().unwrap_or_default())
}

/// POST `:setResourceLabels`: all of them, under the fingerprint of those that were read.
pub fn labels(
    world: &mut World,
    request: &Request,
    place: &Location,
) -> Result<Response, ErrorResponse> {
    let name = names::leaf(request.param("name")).to_owned();
    let (key, cluster) = place.cluster(world, &name)?;
    if request.text("labelFingerprint") != cluster["labelFingerprint"].as_str() {
        // The words are those that users of GKE quote, not a record.
        return Err(ErrorResponse::failed_precondition(
            "Labels could not be set due to fingerprint mismatch.",
        ));
    }
    operations::idle(world, place, &name)?;
    let sent = request.body["resourceLabels"].clone();
    labels::check_cluster("resource_labels", &sent)?;
    let mut after = cluster.clone();
    after["labelFingerprint"] = json!(labels_fingerprint(&sent));
    after["resourceLabels"] = sent;
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

fn set_networks(cluster: &mut Value, sent: &Value) -> Result<(), ErrorResponse> {
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
