//! Clusters: created, read, deleted. Changing one is in [`super::update`].

use serde_json::{Value, json};

use super::footprint::NetworkFootprint;
use super::gke_side_effects;
use super::location::Location;
use super::new_cluster::{self, NewCluster};
use super::operations;
use super::pools;
use crate::answer::{ErrorResponse, Response};
use crate::hub;
use crate::members;
use crate::names;
use crate::operation::Effect;
use crate::project_lookup;
use crate::request::Request;
use crate::traffic_director;
use crate::world::World;

/// POST: the cluster is there at once, PROVISIONING, and runs when the operation is over.
pub fn create(
    world: &mut World,
    request: &Request,
    place: &Location,
) -> Result<Response, ErrorResponse> {
    let sent = &request.body["cluster"];
    let name = sent["name"].as_str().unwrap_or_default().to_owned();
    let below = format!("clusters/{name}");
    let key = place.key(&below);
    if world.get(&key).is_some() {
        return Err(ErrorResponse::already_exists(format!(
            "Already exists: {}.",
            place.legacy_path(&below)
        )));
    }
    let fleet = sent
        .pointer("/fleet/project")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    // The fleet may be another project's. All that can be refused is refused before anything is changed.
    let owner = match fleet.as_str() {
        "" => None,
        project => Some(project_lookup::named(world, project)?),
    };
    let NewCluster {
        mut cluster,
        pools: sent_pools,
        footprint,
        pods,
    } = new_cluster::cluster(world, place, sent)?;
    let mut drafted = Vec::new();
    for pool in &sent_pools {
        drafted.push(pools::draft(world, place, &cluster, pool)?);
    }
    let pods = match pods {
        Some(range) => Some(range),
        None => {
            let range_name = pods_range(&footprint);
            let added = gke_side_effects::add_pods_range(
                world,
                place,
                &footprint.subnetwork,
                &footprint.network,
                &range_name,
            );
            cluster["ipAllocationPolicy"]["clusterSecondaryRangeName"] = json!(range_name);
            added
        }
    };
    if let Some(range) = pods {
        new_cluster::set_pods(&mut cluster, range);
        footprint.appear(world, place, &range.to_string());
    }
    let mut effects = vec![footprint.endpoint_group(world, place)];
    effects.extend(drafted.into_iter().map(|mut pool| {
        pools::set_pods(&mut pool, &cluster);
        pools::coming(world, place, &name, pool)
    }));
    // From the first cluster with workload identity on, the project's identity pool exists for ever.
    if let Some(pool) = cluster
        .pointer("/workloadIdentityConfig/workloadPool")
        .and_then(Value::as_str)
    {
        effects.push(Effect::Put {
            key: members::pool_key(pool),
            value: json!({"name": pool, "state": "ACTIVE"}),
        });
    }
    // GKE registers a cluster that names a fleet by itself, in the same operation.
    if let Some(owner) = owner {
        let (fleet, more) =
            hub::registered_by_gke(world, &owner, place.region(), &place.path(), &name);
        cluster["fleet"] = fleet;
        effects.extend(more);
    }
    effects.push(Effect::Put {
        key: key.clone(),
        value: cluster.clone(),
    });
    world.put(key, provisioning(cluster));
    Ok(operations::begin(
        world,
        request,
        place,
        "CREATE_CLUSTER",
        &below,
        effects,
    ))
}

/// A cluster has no address before it runs.
fn provisioning(mut cluster: Value) -> Value {
    cluster["status"] = json!("PROVISIONING");
    if let Some(fields) = cluster.as_object_mut() {
        for later in ["endpoint", "masterAuth", "fleet"] {
            fields.remove(later);
        }
    }
    cluster
}

/// The name of the range that GKE makes for pods.
fn pods_range(footprint: &NetworkFootprint) -> String {
    format!("gke-{}-pods-{}", footprint.cluster, footprint.hash)
}

/// GET.
pub fn get(world: &World, request: &Request, place: &Location) -> Result<Response, ErrorResponse> {
    let name = names::leaf(request.param("name"));
    let (key, cluster) = place.cluster(world, name)?;
    Ok(print(world, &key, cluster).into())
}

/// LIST, of one location or of all.
pub fn list(world: &World, place: &Location) -> Result<Response, ErrorResponse> {
    let prefix = names::key(
        "container",
        &format!("projects/{}/locations/", place.project.id),
    );
    let here = |key: &str| {
        let location = names::segment(key, "locations");
        let direct = key
            .split("/clusters/")
            .nth(1)
            .is_some_and(|rest| !rest.contains('/'));
        direct && (place.location == "-" || location == Some(&place.location))
    };
    let found: Vec<Value> = world
        .shuffled(&prefix, here)
        .into_iter()
        .map(|(key, value)| print(world, key, value.clone()))
        .collect();
    Ok(if found.is_empty() {
        json!({})
    } else {
        json!({"clusters": found})
    }
    .into())
}

/// The cluster with its pools, and what it says of the first of them as if it were its own.
fn print(world: &World, key: &str, mut cluster: Value) -> Value {
    let (pools, oldest) = pools::shown(world, key);
    let zones = cluster["locations"].as_array().map_or(1, Vec::len);
    if let Some(first) = pools.get(oldest) {
        cluster["nodeConfig"] = first["config"].clone();
        if let Some(count) = first.get("initialNodeCount") {
            cluster["initialNodeCount"] = count.clone();
        }
        let urls: Vec<&Value> = pools
            .iter()
            .filter_map(|pool| pool["instanceGroupUrls"].as_array())
            .flatten()
            .collect();
        cluster["instanceGroupUrls"] = json!(urls);
        let running = pools.iter().filter(|pool| pool["status"] == "RUNNING");
        let nodes: i64 = running
            .filter_map(|pool| pool["initialNodeCount"].as_i64())
            .sum();
        if nodes > 0 {
            cluster["currentNodeCount"] = json!(nodes * i64::try_from(zones).unwrap_or(1));
        }
        cluster["nodePools"] = json!(pools);
    }
    cluster
}

/// DELETE: the pools go with it, and most of what GKE put into the network.
pub fn delete(
    world: &mut World,
    request: &Request,
    place: &Location,
) -> Result<Response, ErrorResponse> {
    let name = names::leaf(request.param("name")).to_owned();
    let (key, cluster) = place.cluster(world, &name)?;
    operations::idle(world, place, &name)?;
    let text = |pointer: &str| {
        cluster
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let footprint = NetworkFootprint {
        network: text("/networkConfig/network"),
        subnetwork: text("/networkConfig/subnetwork"),
        cluster: name.clone(),
        hash: text("/id").chars().take(8).collect(),
        master: text("/privateClusterConfig/masterIpv4CidrBlock")
            .parse()
            .ok(),
    };
    // Recorded: the range for pods goes early, before the operation is over; one that a user made stays.
    gke_side_effects::remove_pods_range(world, &footprint.subnetwork, &pods_range(&footprint));
    let pools: Vec<String> = world
        .list(&format!("{key}/nodePools"))
        .into_iter()
        .map(|(key, _)| key.to_owned())
        .collect();
    for doomed in pools.iter().chain([&key]) {
        if let Some(stored) = world.edit(doomed) {
            stored["status"] = json!("STOPPING");
        }
    }
    let left_by_mesh = traffic_director::collection(world, &key);
    let mut effects: Vec<Effect> = pools
        .into_iter()
        .chain([key])
        .map(|key| Effect::Remove { key })
        .collect();
    effects.extend(footprint.vanish(world, place));
    effects.extend(hub::unregistered_by_gke(world, &cluster));
    effects.extend(left_by_mesh);
    Ok(operations::begin(
        world,
        request,
        place,
        "DELETE_CLUSTER",
        &format!("clusters/{name}"),
        effects,
    ))
}
