//! The network around a cluster, and the Google identity of its pods, read from the world.

use serde_json::{Value, json};

use super::cluster::Cluster;
use super::object;
use super::resource;
use super::served_kinds;
use crate::container;
use crate::dns;
use crate::members;
use crate::names;
use crate::pod::metadata::Identity;
use crate::world::World;
use egress::snapshot::Snapshot;
use egress::snapshot_input::{ClusterRanges, MeshInstall, SnapshotInput};

/// Everything that a request from one of the cluster's pods depends on.
pub fn snapshot(world: &World, key: &str, cluster: &Cluster) -> Snapshot {
    Snapshot::read(&sources(world, key, cluster))
}

fn sources(world: &World, key: &str, cluster: &Cluster) -> SnapshotInput {
    let stored = world.get(key).cloned().unwrap_or_default();
    let text = |pointer: &str| {
        stored
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let network = names::path(text("/networkConfig/network")).to_owned();
    let project = names::segment(key, "projects").unwrap_or_default();
    // With a Shared VPC, the rules are in the host project, and the zones may be in either.
    let host = names::segment(&network, "projects").unwrap_or(project);
    let rules = names::key("compute", &format!("projects/{host}/global/firewalls"));
    let firewalls = world.list(&rules).into_iter().map(|(_, rule)| rule.clone());
    let mine = |link: &Value| names::path(link.as_str().unwrap_or_default()) == network;
    let usual = ClusterRanges::default();
    let range = |text: &str, usual| text.parse().unwrap_or(usual);
    let id = text("/id");
    let tag = container::node_tag(text("/name"), id.get(..8).unwrap_or(id));
    let pools = world.list(&format!("{key}/nodePools"));
    let pools = pools.into_iter().map(|(_, pool)| tagged(pool, &tag));
    let mut zones = dns::seen_by(world, host, &network);
    if host != project {
        zones.extend(dns::seen_by(world, project, &network));
    }
    SnapshotInput {
        outside_vpc: false,
        network: None,
        no_internet: false,
        kubernetes: objects(cluster),
        firewalls: firewalls.filter(|rule| mine(&rule["network"])).collect(),
        zones,
        pools: pools.collect(),
        ranges: ClusterRanges {
            nodes: range(&cluster.site.nodes, usual.nodes),
            pods: range(&cluster.site.pods, usual.pods),
            services: range(&cluster.site.services, usual.services),
            control_plane: range(
                text("/privateClusterConfig/masterIpv4CidrBlock"),
                usual.control_plane,
            ),
        },
        mesh: MeshInstall {
            trust_domain: members::pool_of(&cluster.site.project),
            ..MeshInstall::default()
        },
        firewall_policies: Vec::new(),
        way_out: None,
        unread: Vec::new(),
    }
}

/// A node pool with the tag that its machines have beside those that it names.
fn tagged(pool: &Value, tag: &str) -> Value {
    let mut pool = pool.clone();
    let mut tags = pool["config"]["tags"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    tags.push(json!(tag));
    pool["config"]["tags"] = json!(tags);
    pool
}

/// The cluster's objects as clients get them.
fn objects(cluster: &Cluster) -> Vec<Value> {
    let kinds = served_kinds::all(&cluster.store);
    let of = |kind: &resource::Resource| -> Vec<Value> {
        let version = kind.versions.first().map_or("v1", String::as_str);
        let found = cluster.store.list(&kind.prefix(None)).into_iter();
        found
            .map(|(_, object)| object::printed(kind, version, object))
            .collect()
    };
    // Definitions are the largest objects and have no effect on requests.
    let deciding = kinds
        .iter()
        .filter(|kind| kind.kind != "CustomResourceDefinition");
    deciding.flat_map(of).collect()
}

/// A pod's identity at Google: the account in the annotation of its Kubernetes account, and whether it may act as that account.
pub fn identity(world: &World, cluster: &Cluster, namespace: &str, account: &str) -> Identity {
    let project = cluster.site.project.clone();
    let pool = members::pool_of(&project);
    let found = cluster
        .store
        .get(&format!("serviceaccounts/{namespace}/{account}"));
    let annotated = found.and_then(|found| {
        found["metadata"]["annotations"]["iam.gke.io/gcp-service-account"].as_str()
    });
    let (email, impersonates) = match annotated {
        // Without an annotation the pod has its own identity, which needs no permission.
        None => (pool, true),
        Some(email) => {
            let member = format!("serviceAccount:{pool}[{namespace}/{account}]");
            (email.to_owned(), impersonates(world, email, &member))
        }
    };
    Identity {
        email,
        impersonates,
        project,
    }
}

/// Roles that let a member make tokens of a service account.
const IMPERSONATORS: &[&str] = &[
    "roles/iam.workloadIdentityUser",
    "roles/iam.serviceAccountTokenCreator",
];

/// Whether the policy of a service account lets `member` act as it. Bindings of the project are not looked at: they would let
/// it act as every account.
fn impersonates(world: &World, email: &str, member: &str) -> bool {
    let domain = email.split_once('@').map_or("", |(_, domain)| domain);
    let project = domain.split('.').next().unwrap_or_default();
    let name = format!("projects/{project}/serviceAccounts/{email}/iamPolicy");
    let policy = world.get(&names::key("iam", &name));
    let mut bindings = policy
        .and_then(|policy| policy["bindings"].as_array())
        .into_iter()
        .flatten();
    bindings.any(|binding| {
        let mut members = binding["members"].as_array().into_iter().flatten();
        IMPERSONATORS.iter().any(|role| binding["role"] == *role)
            && members.any(|one| *one == member)
    })
}
