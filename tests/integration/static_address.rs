//! A static address: as the emulator serves it, and as a step of a user's own folder, with a NAT on it.

use std::fs;

use serde_json::json;

use crate::common::emulator::{Cloud, compute, message};
use crate::common::program::{User, says_as_wanted};

const LINK: &str = "https://www.googleapis.com/compute/v1/projects/demo-proj";
const ADDRESSES: &str = "regions/us-central1/addresses";
const ROUTERS: &str = "regions/us-central1/routers";

#[tokio::test]
async fn an_address_is_reserved_then_in_use_and_only_then_cannot_be_deleted() {
    let cloud = Cloud::with_apis(&["compute"]).await;
    cloud.network().await;
    let router = |addresses: &[&str]| {
        let links: Vec<String> = addresses
            .iter()
            .map(|name| format!("{LINK}/{ADDRESSES}/{name}"))
            .collect();
        json!({"name": "r", "network": format!("{LINK}/global/networks/vpc"), "nats": [{
            "name": "n", "natIpAllocateOption": "MANUAL_ONLY", "natIps": links,
            "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES",
        }]})
    };
    let (status, refusal) = cloud.post(&compute(ROUTERS), router(&["one"])).await;
    assert_eq!(status, 400, "{refusal}");
    assert!(message(&refusal).contains("cannot be found"), "{refusal}");
    let (status, _) = cloud.post(&compute(ROUTERS), router(&[])).await;
    assert_eq!(status, 400);

    let mut reserved = Vec::new();
    for name in ["one", "two"] {
        let body = Some(json!({ "name": name }));
        cloud.operate("POST", ADDRESSES, body).await;
        let (_, address) = cloud.get(&compute(&format!("{ADDRESSES}/{name}"))).await;
        assert_eq!(
            (&address["kind"], &address["status"], &address["users"]),
            (&json!("compute#address"), &json!("RESERVED"), &json!(null))
        );
        reserved.push(address["address"].clone());
    }
    assert_ne!(reserved[0], reserved[1]);
    let (_, list) = cloud.get(&compute(ADDRESSES)).await;
    assert_eq!(
        (&list["kind"], list["items"].as_array().unwrap().len()),
        (&json!("compute#addressList"), 2)
    );

    let one = compute(&format!("{ADDRESSES}/one"));
    let body = Some(router(&["one"]));
    cloud.operate("POST", ROUTERS, body).await;
    let (_, address) = cloud.get(&one).await;
    assert_eq!(address["status"], "IN_USE");
    assert_eq!(address["users"], json!([format!("{LINK}/{ROUTERS}/r")]));
    let (status, refusal) = cloud.delete(&one).await;
    assert_eq!(status, 400, "{refusal}");
    assert_eq!(
        message(&refusal),
        format!(
            "The address resource 'projects/demo-proj/{ADDRESSES}/one' is already being used by 'projects/demo-proj/{ROUTERS}/r'"
        )
    );
    cloud
        .operate("DELETE", &format!("{ADDRESSES}/two"), None)
        .await;
    for refused in [
        json!({"name": "x", "addressType": "INTERNAL"}),
        json!({"name": "x", "address": "192.0.2.1"}),
        json!({"name": "one"}),
    ] {
        let (status, _) = cloud.post(&compute(ADDRESSES), refused.clone()).await;
        assert!(matches!(status, 400 | 409), "{refused}");
    }
}

/// A folder of steps: a network, a static address, and a NAT that sends from it.
const STEPS: &[(&str, &str)] = &[
    (
        "params.yaml",
        "param: project\nsays: The project.\nof: project-id\n---\nparam: region\nsays: The region.\nof: region\n",
    ),
    (
        "10-nat.yaml",
        "chapter: nat\ntitle: NAT with a static address\nsays: Partners can allow the address.\n---\n\
         step: services\nsays: The API.\nkind: services\nat: {project: \"${param.project}\"}\n\
         want: {services: [compute.googleapis.com]}\n---\n\
         step: network\nsays: The network.\nkind: compute.network\nneeds: [services]\n\
         at: {project: \"${param.project}\", network: vpc}\nwant: {autoCreateSubnetworks: false}\n---\n\
         step: nat-address\nsays: The address.\nkind: compute.address\nneeds: [services]\n\
         at: {project: \"${param.project}\", region: \"${param.region}\", address: nat-1}\n\
         want: {addressType: EXTERNAL, networkTier: PREMIUM}\n---\n\
         step: router\nsays: The NAT.\nkind: compute.router\n\
         at: {project: \"${param.project}\", region: \"${param.region}\", router: router}\n\
         want:\n  network: ${network.selfLink}\n  nats:\n    - name: nat\n      natIpAllocateOption: MANUAL_ONLY\n      \
         natIps: [\"${nat-address.selfLink}\"]\n      sourceSubnetworkIpRangesToNat: ALL_SUBNETWORKS_ALL_IP_RANGES\n",
    ),
];

#[test]
fn a_nat_on_a_static_address_stands_and_goes_again() {
    let user = User::new();
    let folder = user.home().join("steps");
    fs::create_dir(&folder).unwrap();
    for (name, text) in STEPS {
        fs::write(folder.join(name), text).unwrap();
    }
    let run = |verb: &[&str]| {
        let flags = ["--emulate", "--steps", "steps", "--region", "us-central1"];
        user.run(&[verb, &flags[..]].concat())
    };
    let up = run(&["up", "--yes"]).ends(0);
    assert!(up.out.starts_with("4 created in "), "{}", up.out);
    assert!(says_as_wanted(&run(&["plan"]).ends(0).out));
    let again = run(&["up", "--yes"]).ends(0);
    assert!(again.out.starts_with("4 as wanted in "), "{}", again.out);
    // The address goes after the router that uses it: Google would refuse it before.
    let down = run(&["down", "--yes"]).ends(0);
    assert!(
        down.out.starts_with("3 removed, 1 kept in "),
        "{}",
        down.out
    );
    assert!(!down.out.contains("left:"), "{}", down.out);
}
