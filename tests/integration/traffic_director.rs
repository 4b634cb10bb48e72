//! What Traffic Director keeps in a project for a managed mesh, over HTTP: it appears, it holds the network, it refuses and is refused
//! deletion, it is withdrawn while the cluster lives, and it stays when the cluster goes first.

use std::time::Duration;

use emulator::{Leftovers, MeshCleanup, Withdrawal};
use serde_json::{Value, json};

use crate::common::emulator::longrunning::{ZONE, assert_fits};
use crate::common::emulator::{Cloud, compute, message, reason};
use crate::common::kubernetes::EmulatedCluster;

const BACKEND_SERVICES: &str = "global/backendServices";
const HEALTH_CHECKS: &str = "global/healthChecks";
const GROUPS: &str = "zones/us-central1-a/networkEndpointGroups";
const FIREWALLS: &str = "global/firewalls";
const MEMBERSHIP: &str = "projects/demo-proj/locations/us-central1/memberships/cluster1";
/// kube-dns, metrics-server and default-http-backend: every cluster has these Services with a selector.
const OF_GKE: usize = 3;

/// How many there are of each kind: backend services, health checks, groups, rules.
type Counts = [usize; 4];

/// The reserved names in each collection. What is used is read before what uses it, so that no look shows more users than there were.
async fn reserved(cloud: &Cloud) -> [Vec<String>; 4] {
    let mut found: [Vec<String>; 4] = Default::default();
    let collections = [BACKEND_SERVICES, HEALTH_CHECKS, GROUPS, FIREWALLS];
    for (names, collection) in found.iter_mut().zip(collections).rev() {
        let all = cloud.names(collection).await.into_iter();
        let is_reserved =
            |name: &String| name.starts_with("gsmrsvd-") || name.starts_with("gke-csm-thc-");
        *names = all.filter(is_reserved).collect();
    }
    found
}

async fn counts(cloud: &Cloud) -> Counts {
    reserved(cloud).await.map(|names| names.len())
}

/// Looks until there are so many of each kind; the different counts on the way.
async fn until(cloud: &Cloud, wanted: Counts) -> Vec<Counts> {
    let mut seen: Vec<Counts> = Vec::new();
    let looking = async {
        loop {
            let now = counts(cloud).await;
            if seen.last() != Some(&now) {
                seen.push(now);
            }
            if now == wanted {
                return;
            }
            // The emulator has no event to wait for.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), looking).await;
    assert!(in_time.is_ok(), "{wanted:?} did not come: {seen:?}");
    seen
}

/// Looks until so many are left, none of which loses what it uses before it goes itself.
async fn until_withdrawn(cloud: &Cloud, left: Counts) -> Vec<Counts> {
    let seen = until(cloud, left).await;
    let is_in_order = |[users, checks, groups, rules]: &Counts| {
        users <= checks && users <= groups && *users.min(&1) <= *rules
    };
    assert!(seen.iter().all(is_in_order), "{seen:?}");
    seen
}

const fn all(services: usize) -> Counts {
    [services, services, services, 1]
}

/// A cluster whose mesh is active and has all that its Services ask for.
async fn meshed(cleanup: MeshCleanup) -> EmulatedCluster {
    let cluster = EmulatedCluster::start().await;
    cluster.cloud.running.set_mesh_cleanup(cleanup);
    assert_eq!(counts(&cluster.cloud).await, [0; 4], "there is no mesh yet");
    cluster.mesh().await;
    until(&cluster.cloud, all(OF_GKE)).await;
    cluster
}

async fn manage(cloud: &Cloud, management: &str) {
    let path =
        format!("/gkehub.googleapis.com/v2/{MEMBERSHIP}/features/servicemesh?updateMask=spec");
    let spec = json!({"spec": {"servicemesh": {"management": management}}});
    let begun = cloud.patch(&path, spec).await;
    cloud.finish("/gkehub.googleapis.com/v2", begun).await;
}

async fn delete_cluster(cloud: &Cloud) {
    let path = format!("{ZONE}/clusters/cluster1");
    let begun = cloud.delete(&path).await;
    cloud.finish(&path, begun).await;
    assert_eq!(cloud.get(&path).await.0, 404);
}

async fn refused(cloud: &Cloud, path: &str) -> (u16, String, String) {
    let (status, refusal) = cloud.delete(&compute(path)).await;
    (
        status,
        reason(&refusal).to_owned(),
        message(&refusal).to_owned(),
    )
}

fn service(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80}]}})
}

#[tokio::test]
async fn a_service_gets_a_backend_service_with_a_check_and_a_group_and_loses_them() {
    let cluster = meshed(MeshCleanup::default()).await;
    let cloud = &cluster.cloud;
    let before = reserved(cloud).await;
    cluster
        .create("/api/v1/namespaces/default/services", service("test"))
        .await;
    until(cloud, all(OF_GKE + 1)).await;
    let [after, ..] = reserved(cloud).await;
    let new = after.iter().find(|name| !before[0].contains(name)).unwrap();

    let path = compute(&format!("{BACKEND_SERVICES}/{new}"));
    let (status, backend_service) = cloud.get(&path).await;
    assert_fits("GET", &path, status, &backend_service);
    assert_eq!(
        backend_service["loadBalancingScheme"],
        "INTERNAL_SELF_MANAGED"
    );
    let link = |field: &Value| {
        field
            .as_str()
            .unwrap()
            .split_once("/demo-proj/")
            .unwrap()
            .1
            .to_owned()
    };
    let group = link(&backend_service["backends"][0]["group"]);
    let check = link(&backend_service["healthChecks"][0]);
    assert_eq!(
        (group.as_str(), check.as_str()),
        (
            format!("{GROUPS}/{new}").as_str(),
            format!("{HEALTH_CHECKS}/{new}").as_str()
        )
    );
    for path in [&group, &check] {
        let path = compute(path);
        let (status, found) = cloud.get(&path).await;
        assert_eq!(status, 200, "{path}");
        assert_fits("GET", &path, status, &found);
        assert!(found.get("_reserved").is_none(), "{found}");
    }
    let (_, found) = cloud.get(&compute(&group)).await;
    assert_eq!(found["networkEndpointType"], "GCE_VM_IP_PORT");
    assert_eq!(link(&found["network"]), "global/networks/vpc");
    assert_eq!(
        link(&found["subnetwork"]),
        "regions/us-central1/subnetworks/subnet-gke"
    );
    for collection in ["backendServices", "healthChecks", "networkEndpointGroups"] {
        let path = compute(&format!("aggregated/{collection}"));
        let (status, list) = cloud.get(&path).await;
        assert_fits("GET", &path, status, &list);
        assert!(list["items"].to_string().contains(new.as_str()), "{list}");
    }

    cluster
        .delete("/api/v1/namespaces/default/services/test")
        .await;
    until_withdrawn(cloud, all(OF_GKE)).await;
}

#[tokio::test]
async fn what_a_mesh_holds_refuses_deletion_and_names_who_uses_it() {
    let cluster = meshed(MeshCleanup::default()).await;
    let cloud = &cluster.cloud;
    let [backend_services, checks, groups, rules] = reserved(cloud).await;
    let name = &backend_services[0];
    let path = format!("projects/demo-proj/{BACKEND_SERVICES}/{name}");
    assert_eq!(
        refused(cloud, &format!("{BACKEND_SERVICES}/{name}")).await,
        (
            403,
            "forbidden".to_owned(),
            format!("Required 'compute.backendServices.delete' permission for '{path}'")
        )
    );
    for (collection, kind, names) in [
        (HEALTH_CHECKS, "health_check", checks),
        (GROUPS, "network_endpoint_group", groups),
    ] {
        assert!(names.contains(name), "{names:?}");
        let used = format!("projects/demo-proj/{collection}/{name}");
        let words = format!("The {kind} resource '{used}' is already being used by '{path}'");
        assert_eq!(
            refused(cloud, &format!("{collection}/{name}")).await,
            (400, "resourceInUseByAnotherResource".to_owned(), words)
        );
    }
    // A rule that somebody deletes is made again.
    cloud
        .operate("DELETE", &format!("{FIREWALLS}/{}", rules[0]), None)
        .await;
    until(cloud, all(OF_GKE)).await;
    let rule = compute(&format!("{FIREWALLS}/{}", rules[0]));
    let (status, rule) = cloud.get(&rule).await;
    assert_eq!(status, 200);
    assert_eq!(
        (&rule["allowed"], &rule["sourceRanges"], &rule["direction"]),
        (
            &json!([{"IPProtocol": "tcp", "ports": ["7877"]}]),
            &json!(["35.191.0.0/16", "130.211.0.0/22"]),
            &json!("INGRESS")
        )
    );
}

#[tokio::test]
async fn everything_is_withdrawn_while_the_cluster_lives_and_the_network_can_go() {
    let ways = [
        (
            "PATCH",
            "/gkehub.googleapis.com/v2/MEMBERSHIP/features/servicemesh?updateMask=spec",
            Some(json!({"spec": {"servicemesh": {"management": "MANAGEMENT_MANUAL"}}})),
        ),
        (
            "DELETE",
            "/gkehub.googleapis.com/v2/MEMBERSHIP/features/servicemesh",
            None,
        ),
        (
            "PATCH",
            "/gkehub.googleapis.com/v1/projects/demo-proj/locations/global/features/servicemesh?updateMask=membershipSpecs",
            Some(json!({"membershipSpecs": {MEMBERSHIP: {}}})),
        ),
    ];
    for (method, path, body) in ways {
        let cluster = meshed(MeshCleanup::default()).await;
        let cloud = &cluster.cloud;
        let path = path.replace("MEMBERSHIP", MEMBERSHIP);
        let begun = cloud.call(method, &path, body).await;
        let version = if path.contains("/v2/") { "v2" } else { "v1" };
        cloud
            .finish(&format!("/gkehub.googleapis.com/{version}"), begun)
            .await;
        until_withdrawn(cloud, [0; 4]).await;
        assert_eq!(cloud.get(&format!("{ZONE}/clusters/cluster1")).await.0, 200);
    }
}

#[tokio::test]
async fn what_is_there_when_the_cluster_goes_stays_and_holds_the_network() {
    let cluster = meshed(MeshCleanup::default()).await;
    let cloud = &cluster.cloud;
    // Withdrawal has begun, and the cluster does not live to its end.
    cloud.running.set_mesh_cleanup(MeshCleanup {
        withdrawal: Withdrawal::After(Duration::from_secs(3_600)),
        ..MeshCleanup::default()
    });
    manage(cloud, "MANAGEMENT_MANUAL").await;
    let held = |cloud: &Cloud| {
        let inventory = cloud.running.inventory().into_iter();
        inventory
            .filter(|(name, _)| name.contains("gsmrsvd-") || name.contains("gke-csm-thc-"))
            .count()
    };
    assert_eq!(
        held(cloud),
        0,
        "what comes and goes by itself is not listed"
    );
    delete_cluster(cloud).await;
    cloud.running.set_mesh_cleanup(MeshCleanup::default());
    assert_eq!(counts(cloud).await, all(OF_GKE));
    assert_eq!(held(cloud), 3 * OF_GKE + 1);

    // The groups are in the subnetwork, and neither they nor the rule let the network go.
    let subnetwork = "regions/us-central1/subnetworks/subnet-gke";
    let (status, reason, _) = refused(cloud, subnetwork).await;
    assert_eq!(
        (status, reason.as_str()),
        (400, "resourceInUseByAnotherResource")
    );
    let [backend_services, checks, groups, rules] = reserved(cloud).await;
    let (status, _, words) = refused(cloud, &format!("{GROUPS}/{}", groups[0])).await;
    assert!(
        status == 400 && words.contains("/backendServices/gsmrsvd-"),
        "{words}"
    );
    for (collection, names) in [
        (BACKEND_SERVICES, backend_services),
        (HEALTH_CHECKS, checks),
        (GROUPS, groups),
    ] {
        for name in names {
            let done = cloud
                .operate("DELETE", &format!("{collection}/{name}"), None)
                .await;
            assert!(done.get("error").is_none(), "{done}");
        }
    }
    let network_users = || async {
        let done = cloud.operate("DELETE", "global/networks/vpc", None).await;
        done["error"]["errors"][0]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert!(!network_users().await.is_empty());
    cloud
        .operate("DELETE", &format!("{FIREWALLS}/{}", rules[0]), None)
        .await;
    // What GKE itself leaves is no part of this test.
    for rule in cloud.names(FIREWALLS).await {
        if rule.ends_with("-mcsd") {
            cloud
                .operate("DELETE", &format!("{FIREWALLS}/{rule}"), None)
                .await;
        }
    }
    for group in cloud.names(GROUPS).await {
        cloud
            .operate("DELETE", &format!("{GROUPS}/{group}"), None)
            .await;
    }
    cloud.operate("DELETE", subnetwork, None).await;
    assert_eq!(network_users().await, "");
}

#[tokio::test]
async fn a_withdrawal_may_never_come_and_comes_when_that_is_changed() {
    let never = MeshCleanup {
        withdrawal: Withdrawal::Never,
        ..MeshCleanup::default()
    };
    let cluster = meshed(never).await;
    let cloud = &cluster.cloud;
    manage(cloud, "MANAGEMENT_MANUAL").await;
    // Longer than a usual withdrawal takes at this pace.
    let until_then = std::time::Instant::now() + Duration::from_millis(400);
    while std::time::Instant::now() < until_then {
        assert_eq!(counts(cloud).await, all(OF_GKE));
    }
    let [backend_services, ..] = reserved(cloud).await;
    let path = format!("{BACKEND_SERVICES}/{}", backend_services[0]);
    assert_eq!(refused(cloud, &path).await.0, 403, "it is still held");
    cloud.running.set_mesh_cleanup(MeshCleanup::default());
    until_withdrawn(cloud, [0; 4]).await;
}

#[tokio::test]
async fn what_is_reserved_after_the_cluster_is_refused_until_google_collects_it() {
    let collected = MeshCleanup {
        leftovers: Leftovers::Collected(Duration::from_millis(500)),
        ..MeshCleanup::default()
    };
    let cluster = meshed(collected).await;
    let cloud = &cluster.cloud;
    delete_cluster(cloud).await;
    let [backend_services, ..] = reserved(cloud).await;
    let last = backend_services.last().unwrap();
    assert_eq!(
        refused(cloud, &format!("{BACKEND_SERVICES}/{last}"))
            .await
            .0,
        403
    );
    let seen = until_withdrawn(cloud, [0; 4]).await;
    let services: Vec<usize> = seen.iter().map(|counts| counts[0]).collect();
    assert!(services.is_sorted_by(|one, other| one >= other), "{seen:?}");
    assert!(services.contains(&1), "one after another: {seen:?}");
}
