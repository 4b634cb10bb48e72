//! The resources that the steps will create, as the evaluator reads them: no request is sent. Pure.
//!
//! A value that Google sets when a resource is created is predicted if it follows from the name (a service account's address). Of
//! what every cluster has without a step, only the namespaces are here; the evaluator knows the rest, such as DNS.

use serde_json::{Map, Value, json};

use crate::kinds::ResourceId;
use crate::kinds::Step;
use crate::steps::refs;
use egress::object::Object;
use egress::snapshot_input::{ClusterRanges, MeshInstall, SnapshotInput};

/// Namespaces that no step creates: Kubernetes' own, and the one of the mesh.
pub const NAMESPACES: [&str; 5] = [
    "default",
    "kube-node-lease",
    "kube-public",
    "kube-system",
    "istio-system",
];

/// The kind of a firewall policy, in Google's list.
const POLICY: &str = "compute#firewallPolicy";

/// The sources of a snapshot in which every step is done.
pub fn of_steps(steps: &[Step]) -> SnapshotInput {
    let filled: Vec<(&Step, Map<String, Value>, Value)> = steps
        .iter()
        .map(|step| (step, step.at.clone(), fill(&step.want, steps)))
        .collect();
    let of = |kind: &'static str| {
        filled
            .iter()
            .filter(move |(step, ..)| step.kind.name() == kind)
    };
    let named = |key: &'static str| {
        move |(_, at, want): &(&Step, Map<String, Value>, Value)| {
            let mut object = want.clone();
            object["name"] = at.get(key).cloned().unwrap_or_default();
            object
        }
    };
    let zones = of("dns.managedZone").map(|zone| {
        let here = |records: &&(&Step, Map<String, Value>, Value)| {
            records.1.get("managedZone") == zone.1.get("managedZone")
        };
        let sets = of("dns.records").filter(here);
        let sets = sets.filter_map(|(_, _, want)| want.get("rrsets")?.as_array());
        (
            named("managedZone")(zone),
            sets.flatten().cloned().collect(),
        )
    });
    let cluster = of("container.cluster").next();
    let cluster = cluster.map_or(Value::Null, |(_, _, want)| want.clone());
    let subnetwork = of("compute.subnetwork").next();
    let subnetwork = subnetwork.map_or(Value::Null, |(_, _, want)| want.clone());
    let namespace =
        |name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    // A step's own namespace comes later in the list, and replaces these.
    let kubernetes = NAMESPACES.map(namespace).into_iter();
    let kubernetes = kubernetes.chain(of("kubernetes.object").map(|(_, _, want)| want.clone()));
    let network = network(&cluster);
    let nats = of("compute.router").filter(|(_, _, router)| {
        let nats = router.get("nats").and_then(Value::as_array);
        nats.is_some_and(|nats| !nats.is_empty()) && is_of(router, &network)
    });
    let private = cluster.pointer("/privateClusterConfig/enablePrivateNodes");
    SnapshotInput {
        outside_vpc: false,
        no_internet: private == Some(&Value::Bool(true)) && nats.count() == 0,
        network: Some(network),
        kubernetes: kubernetes.collect(),
        firewalls: of("compute.firewall").map(named("firewall")).collect(),
        zones: zones.collect(),
        pools: of("container.nodePool").map(named("nodePool")).collect(),
        ranges: ranges(&cluster, &subnetwork),
        mesh: mesh(&cluster),
        firewall_policies: Vec::new(),
        way_out: None,
        unread: Vec::new(),
    }
}

/// What the steps want of Kubernetes objects, with references to future resources filled in.
pub fn objects_of(steps: &[Step]) -> impl Iterator<Item = (&Step, Value)> {
    let of_cluster = steps
        .iter()
        .filter(|step| step.kind.name() == "kubernetes.object");
    of_cluster.map(|step| (step, fill(&step.want, steps)))
}

/// The value with references to future resources replaced by predicted values, where these can be predicted.
fn fill(value: &Value, steps: &[Step]) -> Value {
    let foreseen = |reference: &refs::Ref| {
        let step = steps.iter().find(|step| step.id == reference.step)?;
        let resource = ResourceId::new(step.kind, step.at.clone());
        let link = || match reference.field.as_str() {
            "selfLink" => step.kind.path(&step.at).ok().map(Value::from),
            _ => None,
        };
        // Another value that cannot be predicted decides nothing about a request.
        let value = resource.predict(&reference.field).or_else(link);
        Some(value.unwrap_or_else(|| reference.to_string().into()))
    };
    refs::fill(value, &foreseen).unwrap_or_else(|_| value.clone())
}

/// The ranges that the cluster and its subnetwork set; the tutorial's where they set none.
fn ranges(cluster: &Value, subnetwork: &Value) -> ClusterRanges {
    let usual = ClusterRanges::default();
    let range = |value: Option<&Value>| value.and_then(Value::as_str)?.parse().ok();
    let secondary = |field: &str| {
        let name = cluster.pointer(&format!("/ipAllocationPolicy/{field}"))?;
        let list = subnetwork.get("secondaryIpRanges")?.as_array()?;
        let found = list
            .iter()
            .find(|range| range.get("rangeName") == Some(name));
        range(found?.get("ipCidrRange"))
    };
    let control_plane = cluster.pointer("/privateClusterConfig/masterIpv4CidrBlock");
    ClusterRanges {
        nodes: range(subnetwork.get("ipCidrRange")).unwrap_or(usual.nodes),
        pods: secondary("clusterSecondaryRangeName").unwrap_or(usual.pods),
        services: secondary("servicesSecondaryRangeName").unwrap_or(usual.services),
        control_plane: range(control_plane).unwrap_or(usual.control_plane),
    }
}

/// The network of a cluster; without one, GKE takes `default`.
fn network(cluster: &Value) -> String {
    let stated = cluster.pointer("/networkConfig/network");
    let stated = stated.or_else(|| cluster.get("network"));
    let stated = stated.and_then(Value::as_str);
    stated.unwrap_or("default").to_owned()
}

/// Whether a resource names a network, as a URL or a name, or none at all.
fn is_of(resource: &Value, network: &str) -> bool {
    let name = |network: &str| network.rsplit('/').next().unwrap_or_default().to_owned();
    let own = resource.get("network").and_then(Value::as_str);
    own.is_none_or(|own| name(own) == name(network))
}

/// The mesh of a cluster: its identities are those of its workload pool.
fn mesh(cluster: &Value) -> MeshInstall {
    let pool = cluster.pointer("/workloadIdentityConfig/workloadPool");
    let usual = MeshInstall::default();
    MeshInstall {
        trust_domain: pool
            .and_then(Value::as_str)
            .map_or(usual.trust_domain, str::to_owned),
        ..MeshInstall::default()
    }
}

/// The sources with the user's objects added, each in place of the object with the same kind and name if there is one: Kubernetes
/// objects, and firewall rules and firewall policies as Google's API lists them.
pub fn with(mut sources: SnapshotInput, objects: Vec<Value>) -> SnapshotInput {
    for object in objects {
        if object.get("apiVersion").is_some() {
            let same = Object::of(&object);
            sources.kubernetes.retain(|other| Object::of(other) != same);
            sources.kubernetes.push(object);
        } else if object["kind"] == POLICY {
            sources
                .firewall_policies
                .retain(|other| other["name"] != object["name"]);
            sources.firewall_policies.push(object);
        } else {
            sources
                .firewalls
                .retain(|other| other["name"] != object["name"]);
            sources.firewalls.push(object);
        }
    }
    sources
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_clusters_network_is_compared_by_its_name() {
        // (cluster, the router's network, whether the router is of the cluster's network)
        for (cluster, router, expected) in [
            (json!({}), json!("projects/p/global/networks/default"), true),
            (json!({}), json!("other"), false),
            (
                json!({"network": "projects/p/global/networks/vpc"}),
                json!("vpc"),
                true,
            ),
            (
                json!({"network": "a", "networkConfig": {"network": "b"}}),
                json!("b"),
                true,
            ),
            (json!({"network": "vpc"}), json!(null), true),
        ] {
            let found = is_of(&json!({"network": router}), &network(&cluster));
            assert_eq!(found, expected, "{cluster} {router}");
        }
    }

    #[test]
    fn a_users_object_stands_instead_of_the_one_of_its_name() {
        let pod = |namespace: &str, image: &str| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": namespace}, "spec": {"image": image}});
        let sources = SnapshotInput {
            kubernetes: vec![pod("a", "old"), pod("b", "old")],
            firewalls: vec![json!({"name": "deny", "priority": 1})],
            ..SnapshotInput::default()
        };
        let rule = json!({"kind": "compute#firewall", "name": "deny", "priority": 2});
        let sources = with(sources, vec![pod("a", "new"), rule]);
        let images: Vec<&Value> = sources
            .kubernetes
            .iter()
            .map(|pod| &pod["spec"]["image"])
            .collect();
        assert_eq!(images, ["old", "new"]);
        assert_eq!(sources.firewalls[0]["priority"], 2);
    }
}
