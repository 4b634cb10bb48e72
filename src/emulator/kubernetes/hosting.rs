//! The servers of the clusters: a cluster that runs has one, and a cluster that is gone has none.
//!
//! What a cluster shows of Google's side (nodes of pools, the mesh) is read from the world each time, so there is no
//! second copy that could differ.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use serde_json::{Value, json};

use super::cluster::{Pool, Site};
use super::controllers;
use super::handle::Keeper;
use super::ingress_rules;
use super::mesh;
use super::server::{self, Serving};
use super::tls::Authority;
use crate::hub;
use crate::names;
use crate::traffic_director;
use crate::world::World;

/// The servers of the clusters that run, by the clusters' full resource names.
#[derive(Debug, Default)]
pub struct Hosting {
    servers: BTreeMap<String, Serving>,
}

impl Hosting {
    /// The servers that run, by the clusters' full resource names.
    pub fn serving(&self) -> impl Iterator<Item = (&str, &Serving)> {
        let all = self.servers.iter();
        all.map(|(key, serving)| (key.as_str(), serving))
    }

    /// Starts and stops servers for the clusters of the present world. A cluster whose server cannot start keeps an address
    /// that does not answer.
    pub fn reconcile(&mut self, world: &mut World, keeper: &Arc<dyn Keeper>) {
        let wanted: Vec<String> = clusters(world);
        self.servers.retain(|key, _| wanted.contains(key));
        world.keep_clusters(&wanted);
        for key in wanted {
            refresh(world, &key);
            if !self.servers.contains_key(&key)
                && let Some(serving) = start(world, &key, keeper)
            {
                self.servers.insert(key.clone(), serving);
            }
            if let Some(serving) = self.servers.get(&key) {
                announce(world, &key, &serving.addr().to_string());
            }
        }
    }
}

/// The clusters that have an API server: all except those that are being created.
fn clusters(world: &World) -> Vec<String> {
    let found = world.shuffled("//container.googleapis.com/projects/", |key| {
        key.split("/clusters/")
            .nth(1)
            .is_some_and(|rest| !rest.contains('/'))
    });
    let running = found
        .into_iter()
        .filter(|(_, cluster)| cluster["status"] != "PROVISIONING");
    running.map(|(key, _)| key.to_owned()).collect()
}

/// Updates what a cluster shows of Google's side. Does nothing for a cluster that does not run.
pub fn refresh(world: &mut World, key: &str) {
    let Some(stored) = world
        .get(key)
        .filter(|cluster| cluster["status"] != "PROVISIONING")
    else {
        return;
    };
    let site = site(world, key, stored);
    let mesh = hub::mesh_of(world, key);
    let revision = revision(stored);
    let (clock, pace) = (world.clock(), world.pace());
    if world.cluster(key).is_none() {
        let Ok(authority) = Authority::new() else {
            return;
        };
        world.add_cluster(
            key,
            controllers::new_cluster(site.clone(), authority, clock, pace),
        );
    }
    world.change_cluster(key, |cluster| {
        cluster.run(clock, pace);
        cluster.set_site(&site);
        if let Some(implementation) = &mesh {
            mesh::ready(cluster, implementation, revision);
        }
        controllers::tick(cluster);
    });
    let is_active = mesh.as_deref() == Some("TRAFFIC_DIRECTOR");
    traffic_director::reconcile(world, key, is_active);
}

/// The mesh's revision that belongs to the cluster's release channel.
fn revision(cluster: &Value) -> &'static str {
    match cluster["releaseChannel"]["channel"].as_str() {
        Some("RAPID") => "asm-managed-rapid",
        Some("STABLE") => "asm-managed-stable",
        _ => "asm-managed",
    }
}

fn start(world: &World, key: &str, keeper: &Arc<dyn Keeper>) -> Option<Serving> {
    // The previous port if it is free, so that clients' files stay valid.
    let before = world.get(key)?["endpoint"]
        .as_str()
        .and_then(|endpoint| endpoint.strip_prefix("127.0.0.1:"));
    let port = before.and_then(|port| port.parse().ok());
    server::serve(Arc::clone(keeper), key, world.cluster(key)?, port).ok()
}

/// The fields of Google's description that hold a cluster's address.
const ADDRESSES: &[&str] = &[
    "/endpoint",
    "/privateClusterConfig/publicEndpoint",
    "/controlPlaneEndpointsConfig/ipEndpointsConfig/publicEndpoint",
];

/// Writes the cluster's address and certificate authority into Google's description of it.
fn announce(world: &mut World, key: &str, endpoint: &str) {
    let (Some(inside), Some(stored)) = (world.cluster(key), world.get(key)) else {
        return;
    };
    let authority =
        base64::engine::general_purpose::STANDARD.encode(inside.authority.certificate());
    let mut told = stored.clone();
    for pointer in ADDRESSES {
        if let Some(address) = told.pointer_mut(pointer) {
            *address = json!(endpoint);
        }
    }
    told["masterAuth"]["clusterCaCertificate"] = json!(authority);
    if told != *stored {
        world.put(key, told);
    }
}

fn site(world: &World, key: &str, cluster: &Value) -> Site {
    let text = |pointer: &str| {
        cluster
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let subnetwork = names::key("compute", names::path(&text("/networkConfig/subnetwork")));
    let nodes = world
        .get(&subnetwork)
        .and_then(|subnetwork| subnetwork["ipCidrRange"].as_str());
    let mut pools: Vec<Pool> = world
        .list(&format!("{key}/nodePools"))
        .into_iter()
        .filter(|(_, pool)| pool["status"] != "PROVISIONING")
        .map(|(_, stored)| pool(stored))
        .collect();
    pools.sort_by(|one, other| one.name.cmp(&other.name));
    // GKE gives the nodes of a cluster a tag for its own rules.
    let tag = format!(
        "gke-{}-{}-node",
        text("/name"),
        text("/id").get(..8).unwrap_or_default()
    );
    for pool in &mut pools {
        pool.goes_by.push(tag.clone());
    }
    let master = text("/privateClusterConfig/masterIpv4CidrBlock").parse();
    Site {
        name: text("/name"),
        project: names::segment(key, "projects")
            .unwrap_or_default()
            .to_owned(),
        version: text("/currentMasterVersion"),
        pods: text("/ipAllocationPolicy/clusterIpv4CidrBlock"),
        services: text("/ipAllocationPolicy/servicesIpv4CidrBlock"),
        nodes: nodes.unwrap_or("10.128.0.0/20").to_owned(),
        pools,
        inbound: master
            .ok()
            .map(|range| ingress_rules::inbound(world, &text("/networkConfig/network"), range)),
    }
}

fn pool(stored: &Value) -> Pool {
    let texts = |value: &Value| -> Vec<String> {
        value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    let groups = texts(&stored["instanceGroupUrls"]);
    let config = &stored["config"];
    let labels = config["labels"].as_object().into_iter().flatten();
    let size = stored["initialNodeCount"].as_u64().unwrap_or(0);
    Pool {
        name: stored["name"].as_str().unwrap_or_default().to_owned(),
        groups: groups
            .iter()
            .map(|url| names::leaf(url).trim_end_matches("-grp").to_owned())
            .collect(),
        zones: groups
            .iter()
            .map(|url| names::segment(url, "zones").unwrap_or_default().to_owned())
            .collect(),
        size: usize::try_from(size).unwrap_or(0),
        labels: labels
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect(),
        taints: config["taints"]
            .as_array()
            .into_iter()
            .flatten()
            .map(taint)
            .collect(),
        goes_by: [
            texts(&json!([config["serviceAccount"]])),
            texts(&config["tags"]),
        ]
        .concat(),
        machine: config["machineType"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
    }
}

/// Google writes `NO_SCHEDULE`, Kubernetes `NoSchedule`.
fn taint(stored: &Value) -> Value {
    let words = stored["effect"].as_str().unwrap_or_default().split('_');
    let effect: String = words
        .map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            format!("{first}{}", rest.to_lowercase())
        })
        .collect();
    json!({"key": stored["key"], "value": stored["value"], "effect": effect})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taints_are_written_as_each_side_writes_them() {
        for (google, kubernetes) in [
            ("NO_SCHEDULE", "NoSchedule"),
            ("PREFER_NO_SCHEDULE", "PreferNoSchedule"),
            ("NO_EXECUTE", "NoExecute"),
        ] {
            let found = taint(&json!({"key": "k", "value": "v", "effect": google}));
            assert_eq!(found["effect"], kubernetes);
        }
    }
}
