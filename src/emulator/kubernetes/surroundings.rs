//! What a pod's programs meet outside: the network around the cluster and who they are to Google, read from the world.

use serde_json::Value;

use super::cluster::Cluster;
use super::resource;
use super::write;
use crate::egress::scene::{Mesh, Ranges, Scene, Sources};
use crate::emulator::dns;
use crate::emulator::names;
use crate::emulator::world::World;

/// Everything that has a say in a request that leaves one of the cluster's pods.
pub fn scene(world: &World, key: &str, cluster: &Cluster) -> Scene {
    Scene::read(&sources(world, key, cluster))
}

fn sources(world: &World, key: &str, cluster: &Cluster) -> Sources {
    let stored = world.get(key).cloned().unwrap_or_default();
    let text = |pointer: &str| {
        stored
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let network = names::path(text("/networkConfig/network")).to_owned();
    let project = names::segment(key, "projects").unwrap_or_default();
    let rules = names::key("compute", &format!("projects/{project}/global/firewalls"));
    let firewalls = world.list(&rules).into_iter().map(|(_, rule)| rule.clone());
    let mine = |link: &Value| names::path(link.as_str().unwrap_or_default()) == network;
    let usual = Ranges::default();
    let range = |text: &str, usual| text.parse().unwrap_or(usual);
    let pools = world.list(&format!("{key}/nodePools"));
    Sources {
        kubernetes: objects(cluster),
        firewalls: firewalls.filter(|rule| mine(&rule["network"])).collect(),
        zones: dns::seen_by(world, project, &network),
        pools: pools.into_iter().map(|(_, pool)| pool.clone()).collect(),
        ranges: Ranges {
            nodes: range(&cluster.site.nodes, usual.nodes),
            pods: range(&cluster.site.pods, usual.pods),
            services: range(&cluster.site.services, usual.services),
            control_plane: range(
                text("/privateClusterConfig/masterIpv4CidrBlock"),
                usual.control_plane,
            ),
        },
        mesh: Mesh {
            trust_domain: format!("{}.svc.id.goog", cluster.site.project),
            ..Mesh::default()
        },
    }
}

/// The cluster's objects as clients get them.
fn objects(cluster: &Cluster) -> Vec<Value> {
    let kinds = resource::all(&cluster.store);
    let of = |kind: &resource::Resource| -> Vec<Value> {
        let version = kind.versions.first().map_or("v1", String::as_str);
        let found = cluster.store.list(&kind.prefix(None)).into_iter();
        found
            .map(|(_, object)| write::printed(kind, version, object))
            .collect()
    };
    // Definitions are the largest objects and decide nothing.
    let deciding = kinds
        .iter()
        .filter(|kind| kind.kind != "CustomResourceDefinition");
    deciding.flat_map(of).collect()
}

/// Who a pod is to Google: the account that the metadata server names, and whether that account lets it act as it.
pub fn identity(
    world: &World,
    cluster: &Cluster,
    namespace: &str,
    account: &str,
) -> (String, bool) {
    let pool = format!("{}.svc.id.goog", cluster.site.project);
    let found = cluster
        .store
        .get(&format!("serviceaccounts/{namespace}/{account}"));
    let annotated = found.and_then(|found| {
        found["metadata"]["annotations"]["iam.gke.io/gcp-service-account"].as_str()
    });
    let Some(email) = annotated else {
        // Without an annotation the pod is nobody but itself, which needs nobody's leave.
        return (pool, true);
    };
    let member = format!("serviceAccount:{pool}[{namespace}/{account}]");
    let project = email
        .split_once('@')
        .and_then(|(_, domain)| domain.split('.').next())
        .unwrap_or_default();
    let policy = names::key(
        "iam",
        &format!("projects/{project}/serviceAccounts/{email}/iamPolicy"),
    );
    let granted = [
        "roles/iam.workloadIdentityUser",
        "roles/iam.serviceAccountTokenCreator",
    ];
    let allowed = world.get(&policy).is_some_and(|policy| {
        let mut bindings = policy["bindings"].as_array().into_iter().flatten();
        bindings.any(|binding| {
            let members = binding["members"].as_array().into_iter().flatten();
            granted.iter().any(|role| binding["role"] == *role)
                && members.into_iter().any(|one| *one == member.as_str())
        })
    });
    (email.to_owned(), allowed)
}
