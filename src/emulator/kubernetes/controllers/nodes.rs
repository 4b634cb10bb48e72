//! Nodes: one for each machine of the pools that run.

use serde_json::{Map, Value, json};

use super::super::addresses;
use super::super::cluster::{Cluster, Pool, letters};
use super::objects::{make, objects, save, set_condition, text};

/// Makes the nodes that are missing and removes those whose pool is gone.
pub fn run(cluster: &mut Cluster) {
    let pools = cluster.site.pools.clone();
    let mut wanted: Vec<(String, Pool, String)> = Vec::new();
    for pool in &pools {
        for (at, group) in pool.groups.iter().enumerate() {
            let zone = pool.zones.get(at).cloned().unwrap_or_default();
            for machine in 0..pool.size {
                let name = format!("{group}-{}", letters(&format!("{group} {machine}"), 4));
                wanted.push((name, pool.clone(), zone.clone()));
            }
        }
    }
    for node in objects(cluster, "nodes") {
        let name = text(&node["metadata"]["name"]).to_owned();
        if !wanted.iter().any(|(wanted, ..)| *wanted == name) {
            cluster.store.remove(&format!("nodes//{name}"));
            evict(cluster, &name);
        }
    }
    for (name, pool, zone) in wanted {
        if cluster.store.get(&format!("nodes//{name}")).is_none() {
            join(cluster, &name, &pool, &zone);
        }
    }
}

/// The pods of a node that is gone are gone too.
fn evict(cluster: &mut Cluster, node: &str) {
    for pod in objects(cluster, "pods") {
        if pod["spec"]["nodeName"] == node {
            let (namespace, name) = (
                text(&pod["metadata"]["namespace"]),
                text(&pod["metadata"]["name"]),
            );
            cluster.store.remove(&format!("pods/{namespace}/{name}"));
        }
    }
}

fn join(cluster: &mut Cluster, name: &str, pool: &Pool, zone: &str) {
    let place = u32::try_from(cluster.count("node")).unwrap_or_default();
    let range = format!(
        "{}/24",
        addresses::nth(&cluster.site.pods, (place - 1) * 256)
    );
    let region = zone.rsplit_once('-').map_or(zone, |(region, _)| region);
    let family = pool.machine.split('-').next().unwrap_or_default();
    let mut labels: Map<String, Value> = [
        ("beta.kubernetes.io/arch", "amd64"),
        ("beta.kubernetes.io/instance-type", pool.machine.as_str()),
        ("beta.kubernetes.io/os", "linux"),
        ("cloud.google.com/gke-boot-disk", "pd-balanced"),
        ("cloud.google.com/gke-container-runtime", "containerd"),
        ("cloud.google.com/gke-nodepool", pool.name.as_str()),
        ("cloud.google.com/gke-os-distribution", "cos"),
        ("cloud.google.com/machine-family", family),
        ("iam.gke.io/gke-metadata-server-enabled", "true"),
        ("kubernetes.io/arch", "amd64"),
        ("kubernetes.io/hostname", name),
        ("kubernetes.io/os", "linux"),
        ("node.kubernetes.io/instance-type", pool.machine.as_str()),
        ("topology.kubernetes.io/region", region),
        ("topology.kubernetes.io/zone", zone),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), json!(value)))
    .collect();
    labels.extend(
        pool.labels
            .iter()
            .map(|(key, value)| (key.clone(), json!(value))),
    );
    let mut spec = json!({
        "podCIDR": range,
        "podCIDRs": [range],
        "providerID": format!("gce://{}/{zone}/{name}", cluster.site.project),
    });
    if !pool.taints.is_empty() {
        spec["taints"] = json!(pool.taints);
    }
    let node = json!({"metadata": {"name": name, "labels": labels}, "spec": spec});
    let Ok(mut node) = make(cluster, "Node", "", node) else {
        return;
    };
    let version = format!("v{}", cluster.site.version);
    let amounts = json!({"cpu": "2", "memory": "4015820Ki", "pods": "110", "ephemeral-storage": "98831908Ki"});
    node["status"] = json!({
        "addresses": [
            {"type": "InternalIP", "address": addresses::nth(&cluster.site.nodes, 1 + place)},
            {"type": "Hostname", "address": name},
        ],
        "allocatable": amounts,
        "capacity": amounts,
        "nodeInfo": {
            "architecture": "amd64", "bootID": "", "containerRuntimeVersion": "containerd://2.0.6", "kernelVersion": "6.6.93+",
            "kubeProxyVersion": version, "kubeletVersion": version, "machineID": "", "operatingSystem": "linux",
            "osImage": "Container-Optimized OS from Google", "systemUUID": "",
        },
    });
    let time = cluster.time();
    set_condition(
        &mut node,
        &time,
        "Ready",
        true,
        "KubeletReady",
        "kubelet is posting ready status",
    );
    save(cluster, "nodes", node);
}
