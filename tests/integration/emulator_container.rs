//! Clusters and node pools, over HTTP.

use std::time::Duration;

use crate::common::emulator::longrunning::{ZONE, cluster_body};
use crate::common::emulator::{Cloud, compute, message, reason};
use serde_json::{Value, json};

fn clusters() -> String {
    format!("{ZONE}/clusters")
}

fn cluster1() -> String {
    format!("{ZONE}/clusters/cluster1")
}

#[tokio::test]
async fn the_tutorials_cluster_is_made_as_gcloud_asks_for_it() {
    let cloud = Cloud::with_vpc().await;
    let missing = cloud.get(&cluster1()).await;
    assert_eq!(
        (missing.0, message(&missing.1)),
        (
            404,
            "Not found: projects/demo-proj/zones/us-central1-a/clusters/cluster1."
        )
    );
    let (status, operation) = cloud
        .post(&clusters(), json!({"cluster": cluster_body()}))
        .await;
    assert_eq!(
        (status, &operation["status"], &operation["operationType"]),
        (200, &json!("RUNNING"), &json!("CREATE_CLUSTER"))
    );
    for link in ["selfLink", "targetLink"] {
        let link = operation[link].as_str().unwrap();
        assert!(
            link.contains("/zones/us-central1-a/") && !link.contains("demo-proj"),
            "{link}"
        );
    }
    let (_, coming) = cloud.get(&cluster1()).await;
    assert_eq!(coming["status"], "PROVISIONING");
    assert!(coming.get("endpoint").is_none(), "{coming}");
    // The control plane's range is in the network while the cluster is still being made.
    let subnets = cloud.names("regions/us-central1/subnetworks").await;
    assert!(
        subnets
            .iter()
            .any(|name| name.starts_with("gke-cluster1-") && name.ends_with("-pe-subnet")),
        "{subnets:?}"
    );

    let done = cloud.finish(&clusters(), (status, operation)).await;
    assert_eq!(
        done["progress"]["metrics"][0],
        json!({"name": "CLUSTER_CONFIGURING", "intValue": "9"})
    );
    let (_, cluster) = cloud.get(&cluster1()).await;
    let at = |pointer: &str| cluster.pointer(pointer).cloned().unwrap_or_default();
    let want = [
        ("/status", json!("RUNNING")),
        ("/currentNodeCount", json!(3)),
        ("/initialNodeCount", json!(3)),
        ("/network", json!("vpc")),
        (
            "/networkConfig/network",
            json!("projects/demo-proj/global/networks/vpc"),
        ),
        (
            "/networkConfig/datapathProvider",
            json!("ADVANCED_DATAPATH"),
        ),
        ("/clusterIpv4Cidr", json!("10.4.0.0/16")),
        ("/servicesIpv4Cidr", json!("10.6.0.0/20")),
        ("/privateClusterConfig/privateEndpoint", json!("10.5.0.2")),
        (
            "/controlPlaneEndpointsConfig/ipEndpointsConfig/enabled",
            json!(true),
        ),
        (
            "/controlPlaneEndpointsConfig/dnsEndpointConfig/allowExternalTraffic",
            json!(false),
        ),
        (
            "/masterAuthorizedNetworksConfig/cidrBlocks/0/cidrBlock",
            json!("203.0.113.99/32"),
        ),
        (
            "/masterAuthorizedNetworksConfig/gcpPublicCidrsAccessEnabled",
            json!(false),
        ),
        (
            "/nodePools/0/config/workloadMetadataConfig/mode",
            json!("GKE_METADATA"),
        ),
        ("/nodePools/0/networkConfig/podRange", json!("pods")),
        ("/nodePools/0/networkConfig/enablePrivateNodes", json!(true)),
        ("/autopilot", json!({})),
        (
            "/selfLink",
            json!(
                "https://container.googleapis.com/v1/projects/demo-proj/zones/us-central1-a/clusters/cluster1"
            ),
        ),
    ];
    for (pointer, value) in want {
        assert_eq!(at(pointer), value, "{pointer}");
    }
    assert_eq!(
        at("/masterAuthorizedNetworksConfig"),
        at("/controlPlaneEndpointsConfig/ipEndpointsConfig/authorizedNetworksConfig")
    );
    assert!(
        at("/ipAllocationPolicy/createSubnetwork").is_null(),
        "asked once"
    );

    let again = cloud
        .post(&clusters(), json!({"cluster": cluster_body()}))
        .await;
    assert_eq!(
        (again.0, message(&again.1)),
        (
            409,
            "Already exists: projects/demo-proj/zones/us-central1-a/clusters/cluster1."
        )
    );
    assert_eq!(
        cloud.get(&clusters()).await.1["clusters"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let everywhere = "/container.googleapis.com/v1/projects/demo-proj/locations/-/clusters";
    assert_eq!(
        cloud.get(everywhere).await.1["clusters"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn what_does_not_fit_together_is_refused_and_leaves_nothing() {
    let cloud = Cloud::with_vpc().await;
    type Spoil = fn(&mut Value);
    let cases: [(&str, Spoil); 10] = [
        ("has no network named \"nosuch\"", |body| {
            body["network"] = json!("nosuch")
        }),
        ("not found in region", |body| {
            body["subnetwork"] = json!("nosuch")
        }),
        ("\"nosuch\" does not exist in subnetwork", |body| {
            body["ipAllocationPolicy"]["clusterSecondaryRangeName"] = json!("nosuch");
        }),
        ("overlaps", |body| {
            body["privateClusterConfig"]["masterIpv4CidrBlock"] = json!("10.0.0.16/28")
        }),
        ("must be a valid /28", |body| {
            body["privateClusterConfig"]["masterIpv4CidrBlock"] = json!("10.5.0.0/24")
        }),
        ("does not have access to service account", |body| {
            body["nodePools"][0]["config"]["serviceAccount"] =
                json!("nobody@demo-proj.iam.gserviceaccount.com");
        }),
        ("workload_pool", |body| {
            body["workloadIdentityConfig"]["workloadPool"] = json!("other-proj.svc.id.goog")
        }),
        ("not a valid CIDR block", |body| {
            let blocks = json!([{"cidrBlock": "203.0.113.99/24"}]);
            body["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]["authorizedNetworksConfig"]
                ["cidrBlocks"] = blocks;
        }),
        ("Cannot specify both", |body| {
            body["initialNodeCount"] = json!(1)
        }),
        (
            "Unknown name \"nodepools\" at 'cluster': Cannot find field.",
            |body| body["nodepools"] = json!([]),
        ),
    ];
    let firewalls = cloud.names("global/firewalls").await;
    for (want, spoil) in cases {
        let mut body = cluster_body();
        spoil(&mut body);
        let (status, refusal) = cloud.post(&clusters(), json!({"cluster": body})).await;
        assert_eq!(status, 400, "{want}: {refusal}");
        assert!(message(&refusal).contains(want), "{want}: {refusal}");
    }
    assert_eq!(cloud.get(&clusters()).await.1, json!({}));
    assert_eq!(cloud.names("global/firewalls").await, firewalls);
    let (status, _) = cloud
        .get("/container.googleapis.com/v1/projects/demo-proj/locations/nowhere/clusters")
        .await;
    assert_eq!(status, 403);
}

#[tokio::test]
async fn a_cluster_has_one_operation_at_a_time() {
    let cloud = Cloud::with_vpc().await;
    cloud.cluster().await;
    let pools = format!("{}/nodePools", cluster1());
    let pool = json!({"nodePool": {"name": "gateway", "initialNodeCount": 1,
        "config": {"taints": [{"key": "dedicated", "value": "gateway", "effect": "NO_SCHEDULE"}]}}});
    let (status, first) = cloud.post(&pools, pool).await;
    assert_eq!(
        (status, &first["status"]),
        (200, &json!("PENDING")),
        "recorded: it queues"
    );
    let (status, refusal) = cloud.delete(&cluster1()).await;
    assert_eq!(
        (status, refusal["error"]["status"].as_str()),
        (400, Some("FAILED_PRECONDITION"))
    );
    let want = format!(
        "Cluster is running incompatible operation {}.",
        first["name"].as_str().unwrap()
    );
    assert_eq!(message(&refusal), want);
    assert_eq!(
        refusal["error"]["details"][0]["reason"],
        "CLUSTER_ALREADY_HAS_OPERATION"
    );
    cloud.finish(&clusters(), (200, first)).await;

    let (_, pool) = cloud.get(&format!("{pools}/gateway")).await;
    assert_eq!(pool["config"]["taints"][0]["effect"], "NO_SCHEDULE");
    assert_eq!(cloud.get(&cluster1()).await.1["currentNodeCount"], 4);
    let (_, gone) = cloud.get(&format!("{pools}/nosuch")).await;
    assert_eq!(message(&gone), "Not found: node pool \"nosuch\" not found.");
    let change = json!({"name": "x", "taints": {"taints": [{"key": "k", "value": "v", "effect": "NO_EXECUTE"}]}});
    let begun = cloud.put(&format!("{pools}/gateway"), change).await;
    assert_eq!(begun.1["operationType"], "UPGRADE_NODES");
    cloud.finish(&clusters(), begun).await;
    assert_eq!(
        cloud.get(&format!("{pools}/gateway")).await.1["config"]["taints"][0]["key"],
        "k"
    );
    let resize = format!("{pools}/gateway:setSize");
    let begun = cloud.post(&resize, json!({"nodeCount": 2})).await;
    assert_eq!(begun.1["operationType"], "SET_NODE_POOL_SIZE");
    cloud.finish(&clusters(), begun).await;
    assert_eq!(cloud.get(&cluster1()).await.1["currentNodeCount"], 5);
    let (status, _) = cloud.post(&resize, json!({"nodeCount": -1})).await;
    assert_eq!(status, 400);
    let begun = cloud.delete(&format!("{pools}/gateway")).await;
    cloud.finish(&clusters(), begun).await;
    assert_eq!(
        cloud.get(&pools).await.1["nodePools"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn authorized_networks_labels_and_nothing_are_updated() {
    let cloud = Cloud::with_vpc().await;
    let cluster = cloud.cluster().await;
    let networks = json!({"enabled": true, "cidrBlocks": [{"cidrBlock": "198.51.100.7/32"}]});
    let update = json!({"update": {"desiredControlPlaneEndpointsConfig": {"ipEndpointsConfig": {"authorizedNetworksConfig": networks}}}});
    let begun = cloud.put(&cluster1(), update).await;
    assert_eq!(cloud.get(&cluster1()).await.1["status"], "RECONCILING");
    cloud.finish(&clusters(), begun).await;
    let (_, after) = cloud.get(&cluster1()).await;
    assert_eq!(after["status"], "RUNNING");
    assert_eq!(
        after["masterAuthorizedNetworksConfig"]["cidrBlocks"][0]["cidrBlock"],
        "198.51.100.7/32"
    );
    assert_eq!(
        after["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]["publicEndpoint"],
        after["endpoint"]
    );

    for (update, want) in [
        (json!({"update": {}}), "Must specify a field to update."),
        (
            json!({"update": {"desiredMasterVersion": "-", "desiredLocations": ["x"]}}),
            "Only one field can be updated at a time.",
        ),
    ] {
        let (status, refusal) = cloud.put(&cluster1(), update).await;
        assert_eq!((status, message(&refusal)), (400, want));
    }

    let set = |fingerprint: &Value| json!({"resourceLabels": {"mesh_id": "proj-1"}, "labelFingerprint": fingerprint});
    let path = format!("{}:setResourceLabels", cluster1());
    assert_eq!(cloud.post(&path, set(&json!("stale"))).await.0, 400);
    let begun = cloud.post(&path, set(&cluster["labelFingerprint"])).await;
    cloud.finish(&clusters(), begun).await;
    let (_, after) = cloud.get(&cluster1()).await;
    assert_eq!(after["resourceLabels"], json!({"mesh_id": "proj-1"}));
    assert_ne!(after["labelFingerprint"], cluster["labelFingerprint"]);
}

#[tokio::test]
async fn a_cluster_uses_its_network_and_leaves_something_behind() {
    let cloud = Cloud::with_vpc().await;
    cloud.delete_default_network().await;
    cloud.cluster().await;
    let rules = cloud.names("global/firewalls").await;
    for end in ["-all", "-vms", "-master", "-mcsd"] {
        assert!(
            rules
                .iter()
                .any(|name| name.starts_with("gke-cluster1-") && name.ends_with(end)),
            "{end}: {rules:?}"
        );
    }
    let (status, refusal) = cloud
        .delete(&compute("regions/us-central1/subnetworks/subnet-gke"))
        .await;
    assert_eq!(
        (status, reason(&refusal)),
        (400, "resourceInUseByAnotherResource")
    );

    let begun = cloud.delete(&cluster1()).await;
    assert_eq!(cloud.get(&cluster1()).await.1["status"], "STOPPING");
    cloud.finish(&clusters(), begun).await;
    assert_eq!(cloud.get(&cluster1()).await.0, 404);
    assert_eq!(
        cloud.names("regions/us-central1/subnetworks").await,
        ["subnet-gke"]
    );
    let left = cloud.names("global/firewalls").await;
    assert!(left.len() == 1 && left[0].ends_with("-mcsd"), "{left:?}");
    let groups = cloud
        .names("zones/us-central1-a/networkEndpointGroups")
        .await;
    assert_eq!(groups.len(), 1, "{groups:?}");
    // What is left blocks the network; whoever removes it need not wait until GKE does.
    let (status, refusal) = cloud
        .delete(&compute("regions/us-central1/subnetworks/subnet-gke"))
        .await;
    assert_eq!(
        (status, reason(&refusal)),
        (400, "resourceInUseByAnotherResource")
    );
    cloud
        .operate("DELETE", &format!("global/firewalls/{}", left[0]), None)
        .await;
    cloud
        .operate(
            "DELETE",
            &format!("zones/us-central1-a/networkEndpointGroups/{}", groups[0]),
            None,
        )
        .await;
    cloud
        .operate("DELETE", "regions/us-central1/subnetworks/subnet-gke", None)
        .await;
    let done = cloud.operate("DELETE", "global/networks/vpc", None).await;
    assert!(done.get("error").is_none(), "{done}");
}

#[tokio::test]
async fn gke_collects_what_it_left() {
    let cloud = Cloud::with_vpc().await;
    cloud.delete_default_network().await;
    cloud.cluster().await;
    let begun = cloud.delete(&cluster1()).await;
    cloud.finish(&clusters(), begun).await;
    while !cloud.names("global/firewalls").await.is_empty() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(
        cloud
            .names("zones/us-central1-a/networkEndpointGroups")
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn without_a_named_range_gke_adds_one_and_takes_it_away() {
    let cloud = Cloud::with_vpc().await;
    let mut body = cluster_body();
    body["ipAllocationPolicy"] = json!({"useIpAliases": true});
    let begun = cloud.post(&clusters(), json!({"cluster": body})).await;
    cloud.finish(&clusters(), begun).await;
    let subnet = compute("regions/us-central1/subnetworks/subnet-gke");
    let (_, with) = cloud.get(&subnet).await;
    let added = with["secondaryIpRanges"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    assert!(
        added["rangeName"]
            .as_str()
            .unwrap()
            .starts_with("gke-cluster1-pods-"),
        "{added}"
    );
    assert!(added["reservedInternalRange"].is_string());
    assert_eq!(
        cloud.get(&cluster1()).await.1["servicesIpv4Cidr"],
        "34.118.224.0/20"
    );
    cloud.delete(&cluster1()).await;
    let (_, without) = cloud.get(&subnet).await;
    assert_eq!(
        without["secondaryIpRanges"].as_array().unwrap().len(),
        2,
        "{without}"
    );
}

#[tokio::test]
async fn a_regional_cluster_has_three_zones() {
    let cloud = Cloud::with_vpc().await;
    let region = "/container.googleapis.com/v1/projects/demo-proj/locations/us-central1/clusters";
    let begun = cloud.post(region, json!({"cluster": cluster_body()})).await;
    assert!(
        begun.1["selfLink"]
            .as_str()
            .unwrap()
            .contains("/locations/us-central1/operations/"),
        "{:?}",
        begun.1
    );
    cloud.finish(region, begun).await;
    let (_, cluster) = cloud.get(&format!("{region}/cluster1")).await;
    assert_eq!(
        (
            &cluster["currentNodeCount"],
            cluster["locations"].as_array().unwrap().len()
        ),
        (&json!(9), 3)
    );
    assert_eq!(
        cloud.get(&clusters()).await.1,
        json!({}),
        "it is not in the zone"
    );
}

#[tokio::test]
async fn the_first_pool_of_identities_opens_the_project_to_its_members() {
    let cloud = Cloud::with_vpc().await;
    let accounts = "/iam.googleapis.com/v1/projects/demo-proj/serviceAccounts";
    cloud
        .post(accounts, json!({"accountId": "sa-test-app"}))
        .await;
    let account = format!("{accounts}/sa-test-app@demo-proj.iam.gserviceaccount.com");
    cloud.settled(&account).await;
    let binding = json!({"role": "roles/iam.workloadIdentityUser", "members": ["serviceAccount:demo-proj.svc.id.goog[team-x/test]"]});
    let body = json!({"policy": {"version": 3, "bindings": [binding]}});
    assert_eq!(
        cloud
            .post(&format!("{account}:setIamPolicy"), body.clone())
            .await
            .0,
        400
    );
    cloud.cluster().await;
    assert_eq!(
        cloud
            .post(&format!("{account}:setIamPolicy"), body.clone())
            .await
            .0,
        200
    );
    let begun = cloud.delete(&cluster1()).await;
    cloud.finish(&clusters(), begun).await;
    assert_eq!(
        cloud.post(&format!("{account}:setIamPolicy"), body).await.0,
        200,
        "the pool outlives the cluster"
    );
}

#[tokio::test]
async fn versions_and_operations_are_listed() {
    let cloud = Cloud::with_vpc().await;
    let (_, config) = cloud.get(&format!("{ZONE}/serverConfig")).await;
    assert_eq!(config["defaultImageType"], "COS_CONTAINERD");
    cloud.cluster().await;
    let (_, list) = cloud.get(&format!("{ZONE}/operations")).await;
    assert_eq!(list["operations"].as_array().unwrap().len(), 1);
}
