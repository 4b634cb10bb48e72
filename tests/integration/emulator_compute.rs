//! The emulator's compute, over HTTP.

use crate::common::emulator::{Cloud, compute, message, reason};
use serde_json::{Value, json};

const NETWORK: &str = "global/networks/vpc";
const LINK: &str = "https://www.googleapis.com/compute/v1/projects/demo-proj";

fn subnetwork(name: &str, range: &str) -> Value {
    json!({"name": name, "network": format!("{LINK}/{NETWORK}"), "ipCidrRange": range})
}

#[tokio::test]
async fn an_operation_is_not_done_at_the_first_poll_and_done_at_the_second() {
    let cloud = Cloud::with_apis(&["compute"]).await;
    let body = json!({"name": "vpc", "autoCreateSubnetworks": false, "routingConfig": {"routingMode": "REGIONAL"}});
    let (status, operation) = cloud.post(&compute("global/networks"), body).await;
    assert_eq!(
        (status, &operation["status"], &operation["progress"]),
        (200, &json!("RUNNING"), &json!(0))
    );
    assert_eq!(
        cloud.get(&compute(NETWORK)).await.0,
        404,
        "not there before the operation is over"
    );

    let poll = compute(&format!(
        "global/operations/{}",
        operation["name"].as_str().unwrap()
    ));
    assert_eq!(cloud.get(&poll).await.1["status"], "RUNNING");
    let (_, done) = cloud.get(&poll).await;
    assert_eq!(
        (&done["status"], &done["progress"]),
        (&json!("DONE"), &json!(100))
    );
    assert_eq!(done["targetLink"], format!("{LINK}/{NETWORK}"));
    assert!(done["endTime"].is_string());

    let (status, network) = cloud.get(&compute(NETWORK)).await;
    assert_eq!(status, 200);
    assert_eq!(network["id"], done["targetId"]);
    assert_eq!(
        network["networkFirewallPolicyEnforcementOrder"],
        "AFTER_CLASSIC_FIREWALL"
    );
    assert_eq!(
        network["routingConfig"],
        json!({"routingMode": "REGIONAL", "bgpBestPathSelectionMode": "LEGACY"})
    );
    assert!(network.get("subnetworks").is_none());
}

#[tokio::test]
async fn a_disabled_api_says_so_and_an_enabled_one_takes_a_while_to_be_known() {
    let cloud = Cloud::start().await;
    let (status, refusal) = cloud.get(&compute(NETWORK)).await;
    assert_eq!((status, reason(&refusal)), (403, "accessNotConfigured"));
    assert!(
        message(&refusal).starts_with("Compute Engine API has not been used in project "),
        "{refusal}"
    );
    assert_eq!(refusal["error"]["details"][0]["reason"], "SERVICE_DISABLED");

    let enable =
        "/serviceusage.googleapis.com/v1/projects/demo-proj/services/compute.googleapis.com:enable";
    let (_, operation) = cloud.post(enable, json!({})).await;
    let poll = format!(
        "/serviceusage.googleapis.com/v1/{}",
        operation["name"].as_str().unwrap()
    );
    while cloud.get(&poll).await.1["done"] != true {}
    // Enabled is not usable yet: it goes on refusing for a while, now and then as if nobody knew it, and then it does not.
    let region = compute("regions/us-central1");
    let mut refused = 0;
    while [403, 404].contains(&cloud.get(&region).await.0) {
        refused += 1;
    }
    assert!(refused > 0, "an API is not usable the moment it is enabled");
    assert_eq!(cloud.get(&region).await.0, 200);
}

#[tokio::test]
async fn a_request_id_makes_a_thing_once() {
    let cloud = Cloud::with_apis(&["compute"]).await;
    let path = compute("global/networks?requestId=0b5b43e5-9f5b-4a4c-9e9a-3d6f3d3c7a11");
    let body = json!({"name": "vpc", "autoCreateSubnetworks": false});
    let (_, first) = cloud.post(&path, body.clone()).await;
    let (status, second) = cloud.post(&path, body.clone()).await;
    assert_eq!((status, &second["name"]), (200, &first["name"]));
    cloud.wait(&first).await;
    assert_eq!(cloud.post(&path, body.clone()).await.1["status"], "DONE");
    let (status, refusal) = cloud.post(&compute("global/networks"), body).await;
    assert_eq!((status, reason(&refusal)), (409, "alreadyExists"));
    assert_eq!(
        message(&refusal),
        "The resource 'projects/demo-proj/global/networks/vpc' already exists"
    );
    for id in ["up", "00000000-0000-0000-0000-000000000000"] {
        let path = compute(&format!("global/networks/vpc?requestId={id}"));
        let (status, refusal) = cloud.delete(&path).await;
        assert_eq!((status, reason(&refusal)), (400, "invalid"), "{id}");
    }
}

#[tokio::test]
async fn what_google_would_refuse_is_refused() {
    let cloud = Cloud::with_apis(&["compute"]).await;
    cloud.network().await;
    cloud
        .operate(
            "POST",
            "regions/us-central1/subnetworks",
            Some(subnetwork("a", "10.0.0.0/24")),
        )
        .await;
    let overlap = "Invalid IPCidrRange: 10.0.0.128/25 conflicts with existing subnetwork 'a' in region 'us-central1'.";
    let rule = |network: &str| json!({"name": "f", "network": network, "allowed": [{"IPProtocol": "tcp"}]});
    let cases: Vec<(&str, Value, u16, &str, &str)> = vec![
        (
            "global/networks",
            json!({"name": "x", "autoCreateSubnets": false}),
            400,
            "",
            "Unknown name \"autoCreateSubnets\"",
        ),
        (
            "global/networks",
            json!({"name": "Not A Name", "autoCreateSubnetworks": false}),
            400,
            "invalid",
            "name",
        ),
        (
            "global/networks",
            json!({"name": "vpc", "autoCreateSubnetworks": false}),
            409,
            "alreadyExists",
            "already exists",
        ),
        (
            "regions/us-central1/subnetworks",
            subnetwork("b", "10.0.0.128/25"),
            400,
            "invalid",
            overlap,
        ),
        (
            "regions/us-east1/subnetworks",
            subnetwork("b", "10.0.0.0/16"),
            400,
            "invalid",
            "conflicts with existing subnetwork 'a'",
        ),
        (
            "regions/us-central1/subnetworks",
            subnetwork("b", "10.9.0.1/24"),
            400,
            "invalid",
            "10.9.0.1/24",
        ),
        (
            "regions/nowhere1/subnetworks",
            subnetwork("b", "10.9.0.0/24"),
            400,
            "invalid",
            "Unknown region.",
        ),
        (
            "global/firewalls",
            rule("global/networks/none"),
            400,
            "invalid",
            "The referenced network resource cannot be found.",
        ),
        (
            "regions/us-central1/routers",
            json!({"name": "r"}),
            400,
            "",
            "network",
        ),
    ];
    for (path, body, status, expected_reason, words) in cases {
        let (got, refusal) = cloud.post(&compute(path), body.clone()).await;
        assert_eq!(got, status, "{path} {body}: {refusal}");
        assert!(
            expected_reason.is_empty() || reason(&refusal) == expected_reason,
            "{path} {body}: {refusal}"
        );
        assert!(
            message(&refusal).contains(words),
            "{path} {body}: {refusal}"
        );
        assert!(
            refusal["error"].get("status").is_none(),
            "compute's errors have no status: {refusal}"
        );
    }
    let (status, refusal) = cloud
        .get("/compute.googleapis.com/compute/v1/projects/No/global/networks/n")
        .await;
    assert_eq!(
        (status, message(&refusal)),
        (403, "The caller does not have permission")
    );
}

#[tokio::test]
async fn a_network_in_use_is_refused_by_its_operation_and_others_at_once() {
    let cloud = Cloud::with_apis(&["compute"]).await;
    cloud.network().await;
    cloud
        .operate(
            "POST",
            "regions/us-central1/subnetworks",
            Some(subnetwork("a", "10.0.0.0/24")),
        )
        .await;
    let (_, network) = cloud.get(&compute(NETWORK)).await;
    assert_eq!(
        network["subnetworks"],
        json!([format!("{LINK}/regions/us-central1/subnetworks/a")])
    );

    let done = cloud.operate("DELETE", NETWORK, None).await;
    assert_eq!(
        done["error"]["errors"][0]["code"],
        "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE"
    );
    assert_eq!(
        done["error"]["errors"][0]["message"],
        "The network resource 'projects/demo-proj/global/networks/vpc' is already being used by \
         'projects/demo-proj/regions/us-central1/subnetworks/a'"
    );
    assert_eq!(done["httpErrorStatusCode"], 400);
    assert_eq!(
        cloud.get(&compute(NETWORK)).await.0,
        200,
        "the network stays"
    );

    let (_, going) = cloud
        .delete(&compute("regions/us-central1/subnetworks/a"))
        .await;
    let (status, refusal) = cloud
        .delete(&compute("regions/us-central1/subnetworks/a"))
        .await;
    assert_eq!((status, reason(&refusal)), (400, "resourceNotReady"));
    cloud.wait(&going).await;
    let (_, going) = cloud.delete(&compute(NETWORK)).await;
    let (status, refusal) = cloud
        .post(
            &compute("regions/us-central1/subnetworks"),
            subnetwork("b", "10.0.0.0/24"),
        )
        .await;
    assert_eq!(
        (status, reason(&refusal)),
        (400, "resourceNotReady"),
        "nothing is made in a network that goes"
    );
    assert!(cloud.wait(&going).await.get("error").is_none());
    let (status, refusal) = cloud.get(&compute(NETWORK)).await;
    assert_eq!(
        (status, message(&refusal)),
        (
            404,
            "The resource 'projects/demo-proj/global/networks/vpc' was not found"
        )
    );
    assert!(
        cloud
            .running
            .inventory()
            .iter()
            .all(|(key, _)| !key.contains("compute.googleapis.com"))
    );
}

#[tokio::test]
async fn a_network_that_something_is_being_made_in_is_in_use() {
    let cloud = Cloud::with_apis(&["compute"]).await;
    cloud.network().await;
    let (_, coming) = cloud
        .post(
            &compute("regions/us-central1/subnetworks"),
            subnetwork("a", "10.0.0.0/24"),
        )
        .await;
    let (_, twin) = cloud
        .post(
            &compute("regions/us-central1/subnetworks"),
            subnetwork("b", "10.0.0.0/24"),
        )
        .await;
    assert_eq!(reason(&twin), "invalid", "{twin}");
    let done = cloud.operate("DELETE", NETWORK, None).await;
    assert_eq!(
        done["error"]["errors"][0]["code"],
        "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE"
    );
    cloud.wait(&coming).await;
}

#[tokio::test]
async fn a_nat_is_a_field_of_its_router() {
    let cloud = Cloud::with_apis(&["compute"]).await;
    cloud.network().await;
    let routers = "regions/us-central1/routers";
    cloud
        .operate(
            "POST",
            routers,
            Some(json!({"name": "r", "network": format!("{LINK}/{NETWORK}")})),
        )
        .await;
    let path = format!("{routers}/r");
    let (_, mut router) = cloud.get(&compute(&path)).await;
    assert!(router.get("nats").is_none() && router.get("bgp").is_none());

    // As gcloud does it: the whole router that was read goes back, with the NAT in it.
    router["nats"] = json!([{"name": "n", "natIpAllocateOption": "AUTO_ONLY",
        "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES"}]);
    cloud.operate("PATCH", &path, Some(router)).await;
    let (_, router) = cloud.get(&compute(&path)).await;
    assert_eq!(router["nats"][0]["autoNetworkTier"], "PREMIUM");
    assert_eq!(
        router["nats"][0]["endpointTypes"],
        json!(["ENDPOINT_TYPE_VM"])
    );

    cloud.operate("PATCH", &path, Some(json!({}))).await;
    assert_eq!(
        cloud.get(&compute(&path)).await.1["nats"],
        router["nats"],
        "an empty PATCH changes nothing"
    );
    cloud
        .operate("PATCH", &path, Some(json!({"nats": []})))
        .await;
    assert!(cloud.get(&compute(&path)).await.1.get("nats").is_none());
}

#[tokio::test]
async fn an_egress_rule_without_destinations_is_for_all_of_them() {
    let cloud = Cloud::with_apis(&["compute"]).await;
    cloud.network().await;
    let rule = json!({"name": "web", "network": format!("{LINK}/{NETWORK}"), "direction": "EGRESS",
        "allowed": [{"IPProtocol": "tcp", "ports": ["80"]}, {"IPProtocol": "tcp", "ports": ["443"]}],
        "targetServiceAccounts": ["sa-gateway-nodes@demo-proj.iam.gserviceaccount.com"]});
    cloud.operate("POST", "global/firewalls", Some(rule)).await;
    let (_, rule) = cloud.get(&compute("global/firewalls/web")).await;
    assert_eq!(rule["destinationRanges"], json!(["0.0.0.0/0"]));
    assert_eq!(
        (&rule["priority"], &rule["disabled"]),
        (&json!(1000), &json!(false))
    );
    assert_eq!(rule["logConfig"], json!({"enable": false}));
    assert_eq!(rule["network"], format!("{LINK}/{NETWORK}"));
    assert_eq!(
        cloud
            .get(&compute(&format!("{NETWORK}/getEffectiveFirewalls")))
            .await
            .1["firewalls"][0]["name"],
        "web"
    );
}
