//! The emulator's networks between projects, NATs that share a subnetwork, and policies of subnetworks, over HTTP.

use crate::common::emulator::{Cloud, compute, message};
use serde_json::json;

#[tokio::test]
async fn what_is_in_a_network_is_in_its_project() {
    let cloud = Cloud::with_apis(&["compute"]).await;
    let elsewhere = "projects/host-proj/global/networks/vpc";
    let bodies = [
        (
            "global/firewalls",
            json!({"name": "r", "network": elsewhere, "allowed": [{"IPProtocol": "tcp"}]}),
        ),
        (
            "regions/us-central1/routers",
            json!({"name": "r", "network": elsewhere}),
        ),
        (
            "regions/us-central1/subnetworks",
            json!({"name": "s", "network": elsewhere, "ipCidrRange": "10.0.0.0/24"}),
        ),
    ];
    for (path, body) in bodies {
        let (status, refusal) = cloud.post(&compute(path), body).await;
        let words = format!(
            "Invalid value for field 'resource.network': '{elsewhere}'. Cross project referencing is not allowed for this resource."
        );
        assert_eq!((status, message(&refusal)), (400, words.as_str()), "{path}");
    }
}

#[tokio::test]
async fn a_subnetwork_has_one_nat_and_a_nat_has_subnetworks_of_its_network() {
    let cloud = Cloud::with_apis(&["compute"]).await;
    let network = json!({"name": "vpc", "autoCreateSubnetworks": false});
    cloud
        .operate("POST", "global/networks", Some(network))
        .await;
    let subnetworks = "regions/us-central1/subnetworks";
    for (name, range) in [("one", "10.0.0.0/24"), ("two", "10.0.1.0/24")] {
        let body = json!({"name": name, "network": "global/networks/vpc", "ipCidrRange": range});
        cloud.operate("POST", subnetworks, Some(body)).await;
    }
    let routers = "regions/us-central1/routers";
    let router = |name: &str, subnetwork: Option<&str>| {
        let mut nat = json!({"name": "nat", "natIpAllocateOption": "AUTO_ONLY", "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES"});
        if let Some(subnetwork) = subnetwork {
            nat["sourceSubnetworkIpRangesToNat"] = json!("LIST_OF_SUBNETWORKS");
            nat["subnetworks"] = json!([{"name": format!("projects/demo-proj/{subnetworks}/{subnetwork}"), "sourceIpRangesToNat": ["ALL_IP_RANGES"]}]);
        }
        json!({"name": name, "network": "global/networks/vpc", "nats": [nat]})
    };
    cloud
        .operate("POST", routers, Some(router("first", Some("one"))))
        .await;
    for (body, words) in [
        (
            router("second", Some("none")),
            "is not in the router's network",
        ),
        (
            router("second", Some("one")),
            "The subnetwork is already configured with ALL_IP_RANGES for Nat",
        ),
        (
            router("second", None),
            "Router 'first' has a NAT for the same subnetwork",
        ),
    ] {
        let (status, refusal) = cloud.post(&compute(routers), body).await;
        assert_eq!(status, 400, "{refusal}");
        assert!(message(&refusal).contains(words), "{refusal}");
    }
    cloud
        .operate("POST", routers, Some(router("second", Some("two"))))
        .await;

    // A subnetwork's policy, which goes with it.
    let policy = compute(&format!("{subnetworks}/one/setIamPolicy"));
    let read = compute(&format!("{subnetworks}/one/getIamPolicy"));
    let bindings =
        json!([{"role": "roles/compute.networkUser", "members": ["user:a@example.com"]}]);
    let (status, _) = cloud
        .post(&policy, json!({"policy": {"bindings": bindings}}))
        .await;
    assert_eq!(status, 200);
    assert_eq!(cloud.get(&read).await.1["bindings"], bindings);
    cloud
        .operate("DELETE", &format!("{routers}/first"), None)
        .await;
    cloud
        .operate("DELETE", &format!("{subnetworks}/one"), None)
        .await;
    assert_eq!(cloud.get(&read).await.0, 404);
    let again =
        json!({"name": "one", "network": "global/networks/vpc", "ipCidrRange": "10.0.0.0/24"});
    cloud.operate("POST", subnetworks, Some(again)).await;
    assert!(cloud.get(&read).await.1.get("bindings").is_none());
}
