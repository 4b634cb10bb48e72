//! What the emulator refuses as Google does, and what it takes as Google does: one row each, over HTTP. The rules themselves have tables
//! beside the code; here is that every method that takes a message applies them. GKE and the services after it are in
//! `emulator_refusals_gke`.

use crate::common::emulator::longrunning::cluster_body;
use crate::common::emulator::{Cloud, compute, message, reason};
use serde_json::{Value, json};

const ROUTERS: &str = "regions/us-central1/routers";
const CRM: &str = "/cloudresourcemanager.googleapis.com/v1/projects/demo-proj";

/// A value with some fields of another one; null removes one.
pub fn with(mut value: Value, fields: &Value) -> Value {
    for (name, field) in fields.as_object().into_iter().flatten() {
        match (field, value.as_object_mut()) {
            (Value::Null, Some(all)) => {
                all.remove(name);
            }
            _ => value[name] = field.clone(),
        }
    }
    value
}

fn nat(fields: &Value) -> Value {
    let good = json!({"name": "n", "natIpAllocateOption": "AUTO_ONLY", "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES"});
    with(good, fields)
}

fn rule(fields: &Value) -> Value {
    let good = json!({"name": "r", "network": "global/networks/vpc", "allowed": [{"IPProtocol": "tcp", "ports": ["443"]}]});
    with(good, fields)
}

/// Fails if a request is not refused with this status and these words.
pub fn assert_refused(what: &str, answer: &(u16, Value), status: u16, words: &str) {
    assert_eq!(answer.0, status, "{what}: {}", answer.1);
    assert!(message(&answer.1).contains(words), "{what}: {}", answer.1);
}

#[tokio::test]
async fn networks_routers_and_rules() {
    let cloud = Cloud::with_apis(&["compute"]).await;
    cloud.network().await;
    let router = |nats: Value| json!({"name": "r", "network": "global/networks/vpc", "nats": nats});
    let all =
        "Can not create new Nats since a Nat with option ALL_SUBNETWORKS_ALL_IP_RANGES exists.";
    let cases = [
        (
            ROUTERS,
            router(json!([nat(&json!({})), nat(&json!({"name": "m"}))])),
            all,
        ),
        (
            ROUTERS,
            router(json!([nat(&json!({"name": null}))])),
            "nats[0].name",
        ),
        (
            ROUTERS,
            router(json!([nat(&json!({"natIpAllocateOption": null}))])),
            "nats[0].natIpAllocateOption",
        ),
        (
            ROUTERS,
            router(json!([nat(
                &json!({"sourceSubnetworkIpRangesToNat": null})
            )])),
            "nats[0].sourceSubnetworkIpRangesToNat",
        ),
        (
            ROUTERS,
            router(json!([nat(&json!({"natIpAllocateOption": "MANUAL_ONLY"}))])),
            "nats[0].natIps",
        ),
        (
            ROUTERS,
            router(json!([nat(
                &json!({"sourceSubnetworkIpRangesToNat": "LIST_OF_SUBNETWORKS"})
            )])),
            "nats[0].subnetworks",
        ),
        (
            ROUTERS,
            router(json!([nat(&json!({"minPortsPerVm": 1}))])),
            "nats[0].minPortsPerVm",
        ),
        (
            "global/firewalls",
            rule(&json!({"direction": "EGRESS", "sourceRanges": ["10.0.0.0/8"]})),
            "Should not specify source range/tag for egress direction.",
        ),
        (
            "global/firewalls",
            rule(&json!({"allowed": [{"IPProtocol": "tpc"}]})),
            "resource.allowed[0].IPProtocol': 'tpc'. Must be one of [\"ah\", \"all\"",
        ),
        (
            "global/firewalls",
            rule(&json!({"targetServiceAccounts": ["gateway"]})),
            "targetServiceAccounts[0]",
        ),
        (
            "global/firewalls",
            rule(&json!({"sourceRanges": ["10.0.0.0/8", "fd20::/20"]})),
            "IPv4 and IPv6",
        ),
        (
            "global/networks",
            json!({"name": "n", "autoCreateSubnetworks": false, "mtu": 100}),
            "resource.mtu",
        ),
        (
            "global/networks",
            json!({"name": "n"}),
            "autoCreateSubnetworks",
        ),
        (
            "regions/us-central1/subnetworks",
            json!({"name": "s", "network": "global/networks/vpc", "ipCidrRange": "224.0.0.0/24"}),
            "224.0.0.0/4",
        ),
        (
            "regions/us-central1/subnetworks",
            json!({"name": "s", "network": "global/networks/vpc", "ipCidrRange": "10.0.0.0/24",
            "secondaryIpRanges": [{"rangeName": "pods", "ipCidrRange": "127.0.0.0/16"}]}),
            "127.0.0.0/8",
        ),
        (
            "regions/us-central1/subnetworks",
            json!({"name": "s", "network": "global/networks/vpc"}),
            "ipCidrRange",
        ),
        (
            "regions/us-central1/addresses",
            json!({"name": "a", "labels": {"k": "a".repeat(64)}}),
            "Label value '",
        ),
    ];
    for (path, body, words) in cases {
        let answer = cloud.post(&compute(path), body.clone()).await;
        assert_refused(&format!("POST {path} {body}"), &answer, 400, words);
    }

    // PATCH and PUT take the same messages, and refuse the same.
    cloud
        .operate("POST", ROUTERS, Some(router(json!([nat(&json!({}))]))))
        .await;
    cloud
        .operate("POST", "global/firewalls", Some(rule(&json!({}))))
        .await;
    for (path, fields, words) in [
        (
            format!("{ROUTERS}/r"),
            json!({"nats": [nat(&json!({})), nat(&json!({"name": "m"}))]}),
            all,
        ),
        (
            format!("{ROUTERS}/r"),
            json!({"nats": [nat(&json!({"minPortsPerVm": 1}))]}),
            "minPortsPerVm",
        ),
        (
            "global/firewalls/r".to_owned(),
            rule(&json!({"allowed": [{"IPProtocol": "tpc"}]})),
            "IPProtocol",
        ),
        (
            "global/networks/vpc".to_owned(),
            json!({"mtu": 9000}),
            "resource.mtu",
        ),
    ] {
        let answer = cloud.patch(&compute(&path), fields.clone()).await;
        assert_refused(&format!("PATCH {path} {fields}"), &answer, 400, words);
    }
    let whole = router(json!([nat(&json!({"name": null}))]));
    let answer = cloud.put(&compute(&format!("{ROUTERS}/r")), whole).await;
    assert_refused("PUT of a router", &answer, 400, "nats[0].name");
    // A second router with a NAT of everything.
    let second = with(router(json!([nat(&json!({}))])), &json!({"name": "second"}));
    let answer = cloud.post(&compute(ROUTERS), second).await;
    assert_refused("a second router", &answer, 400, all);
    assert_eq!(reason(&answer.1), "invalid");
}

#[tokio::test]
async fn a_project_has_a_default_network_and_may_have_others_in_auto_mode() {
    let cloud = Cloud::with_apis(&["compute"]).await;
    assert_eq!(cloud.names("global/networks").await, ["default"]);
    assert_eq!(
        cloud.names("global/firewalls").await,
        [
            "default-allow-icmp",
            "default-allow-internal",
            "default-allow-rdp",
            "default-allow-ssh"
        ]
    );
    let (_, subnetwork) = cloud
        .get(&compute("regions/us-central1/subnetworks/default"))
        .await;
    assert_eq!(subnetwork["ipCidrRange"], "10.128.0.0/20");
    assert!(subnetwork.get("_given").is_none(), "{subnetwork}");

    let auto = json!({"name": "auto", "autoCreateSubnetworks": true});
    cloud.operate("POST", "global/networks", Some(auto)).await;
    let (_, network) = cloud.get(&compute("global/networks/auto")).await;
    let regions = cloud.get(&compute("regions")).await.1["items"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(network["subnetworks"].as_array().unwrap().len(), regions);
    let own =
        json!({"name": "own", "network": "global/networks/auto", "ipCidrRange": "10.200.0.0/24"});
    let answer = cloud
        .post(&compute("regions/us-central1/subnetworks"), own.clone())
        .await;
    assert_refused("in the reserved range", &answer, 400, "10.128.0.0/9");
    let secondary = json!({
        "ipCidrRange": "10.0.0.0/24",
        "secondaryIpRanges": [{"rangeName": "pods", "ipCidrRange": "10.200.0.0/20"}],
    });
    let answer = cloud
        .post(
            &compute("regions/us-central1/subnetworks"),
            with(own.clone(), &secondary),
        )
        .await;
    assert_refused(
        "a secondary range in the reserved range",
        &answer,
        400,
        "'resource.secondaryIpRanges[0].ipCidrRange': '10.200.0.0/20'. Extended subnetworks",
    );
    let answer = cloud
        .delete(&compute("regions/us-central1/subnetworks/auto"))
        .await;
    assert_refused(
        "an auto subnetwork",
        &answer,
        400,
        "Cannot delete auto subnetwork",
    );
    let own = with(own, &json!({"ipCidrRange": "10.0.0.0/24"}));
    cloud
        .operate("POST", "regions/us-central1/subnetworks", Some(own))
        .await;
    let failed = cloud.operate("DELETE", "global/networks/auto", None).await;
    assert_eq!(
        failed["error"]["errors"][0]["code"],
        "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE"
    );
    cloud
        .operate("DELETE", "regions/us-central1/subnetworks/own", None)
        .await;
    cloud.operate("DELETE", "global/networks/auto", None).await;
    assert_eq!(
        cloud
            .get(&compute("regions/us-central1/subnetworks/auto"))
            .await
            .0,
        404
    );

    // What a project has deleted is gone.
    cloud.delete_default_network().await;
    assert!(cloud.names("global/networks").await.is_empty());
}

#[tokio::test]
async fn regions_and_zones() {
    let cloud = Cloud::with_vpc().await;
    for (path, status) in [
        ("regions/me-central2", 200),
        ("regions/europe-north2", 200),
        ("regions/northamerica-south1", 200),
        ("zones/us-central1-ai1a", 200),
        ("zones/us-central1-x", 404),
        ("zones/us-central1-x/machineTypes", 400),
        ("regions/us-central9/subnetworks", 400),
    ] {
        assert_eq!(cloud.get(&compute(path)).await.0, status, "{path}");
    }
    for (zone, status) in [
        ("us-central1-ai1a", 200),
        ("me-central2-a", 200),
        ("us-central1-x", 403),
        ("us-central1-d", 403),
        ("us-central9", 403),
    ] {
        let clusters =
            format!("/container.googleapis.com/v1/projects/demo-proj/locations/{zone}/clusters");
        assert_eq!(cloud.get(&clusters).await.0, status, "{zone}");
        let answer = cloud
            .post(&clusters, json!({"cluster": cluster_body()}))
            .await;
        assert_ne!(
            answer.0,
            if status == 403 { 200 } else { 403 },
            "{zone}: {}",
            answer.1
        );
    }
    let bucket = json!({"name": "demo-proj-b", "location": "us-central9"});
    let answer = cloud
        .post(
            "/storage.googleapis.com/storage/v1/b?project=demo-proj",
            bucket,
        )
        .await;
    assert_refused("a bucket", &answer, 400, "location constraint");
}

#[tokio::test]
async fn policies_accounts_and_services() {
    let cloud = Cloud::start().await;
    cloud.get(CRM).await;
    let set = |role: &str, member: &str| json!({"policy": {"version": 3, "bindings": [{"role": role, "members": [member]}]}});
    for (role, member, words) in [
        (
            "roles/no.such",
            "user:a@example.com",
            "Role roles/no.such is not supported for this resource.",
        ),
        (
            "roles/storage.objectVeiwer",
            "user:a@example.com",
            "is not supported for this resource.",
        ),
        (
            "roles/compute.networkEditor",
            "user:a@example.com",
            "Role roles/compute.networkEditor is not supported for this resource.",
        ),
        (
            "roles/storage.legacyBucketReader",
            "user:a@example.com",
            "Role roles/storage.legacyBucketReader is not supported for this resource.",
        ),
        (
            "roles/billing.admin",
            "user:a@example.com",
            "Role roles/billing.admin is not supported for this resource.",
        ),
        (
            "viewer",
            "user:a@example.com",
            "does not exist in the resource's hierarchy",
        ),
        (
            "roles/viewer",
            "allUsers",
            "Request contains an invalid argument.",
        ),
        (
            "roles/viewer",
            "allAuthenticatedUsers",
            "Request contains an invalid argument.",
        ),
        ("roles/viewer", "user:alice", "unknown type"),
        (
            "roles/viewer",
            "serviceAccount:none@demo-proj.iam.gserviceaccount.com",
            "does not exist.",
        ),
    ] {
        let answer = cloud
            .post(&format!("{CRM}:setIamPolicy"), set(role, member))
            .await;
        assert_refused(&format!("{role} {member}"), &answer, 400, words);
        // A role that is not in the list may be new: the list's date is said then, and only then.
        let dated = answer.1.to_string().contains("roles of August 2026");
        let unlisted = [
            "roles/no.such",
            "roles/storage.objectVeiwer",
            "roles/compute.networkEditor",
        ];
        assert_eq!(dated, unlisted.contains(&role), "{}", answer.1);
    }
    // Reading another project makes nothing in it: its accounts are taken before and after.
    assert_eq!(
        cloud
            .get("/cloudresourcemanager.googleapis.com/v1/projects/their-project")
            .await
            .0,
        200
    );
    for (role, member) in [
        ("roles/compute.instanceAdmin.v1", "user:a@example.com"),
        ("roles/iam.siteReliabilityEngineer", "user:a@example.com"),
        (
            "roles/compute.networkUser",
            "serviceAccount:ci@their-project.iam.gserviceaccount.com",
        ),
        ("projects/demo-proj/roles/mine", "group:team@example.com"),
        (
            "roles/container.defaultNodeServiceAccount",
            "user:a@example.com",
        ),
    ] {
        let answer = cloud
            .post(&format!("{CRM}:setIamPolicy"), set(role, member))
            .await;
        assert_eq!(answer.0, 200, "{role} {member}: {}", answer.1);
    }

    let accounts = "/iam.googleapis.com/v1/projects/demo-proj/serviceAccounts";
    let named =
        |text: &str| json!({"accountId": "sa-nodes", "serviceAccount": {"displayName": text}});
    let answer = cloud.post(accounts, named(&"x".repeat(101))).await;
    assert_refused(
        "101",
        &answer,
        400,
        "The display_name length (101) is longer than the maximum allowed length 100.",
    );
    // The limit counts bytes, not characters.
    let answer = cloud.post(accounts, named(&"é".repeat(51))).await;
    assert_refused("51 letters of two bytes", &answer, 400, "length (102)");
    assert_eq!(cloud.post(accounts, named(&"x".repeat(100))).await.0, 200);
    let account = format!("{accounts}/sa-nodes@demo-proj.iam.gserviceaccount.com");
    while cloud.get(&account).await.0 != 200 || cloud.get(&account).await.0 != 200 {}
    let change = |mask: &str| json!({"serviceAccount": {"displayName": "d", "description": "e"}, "updateMask": mask});
    for mask in ["", ",", "email", "display_name,email"] {
        let answer = cloud.patch(&account, change(mask)).await;
        assert_refused(&format!("mask {mask}"), &answer, 400, "invalid argument");
    }
    let (_, answer) = cloud.patch(&account, change("description")).await;
    let name = "projects/demo-proj/serviceAccounts/sa-nodes@demo-proj.iam.gserviceaccount.com";
    assert_eq!(
        answer,
        json!({"name": name, "description": "e"}),
        "name and masked fields only"
    );
    assert_eq!(cloud.get(&account).await.1["displayName"], "x".repeat(100));

    let services = "/serviceusage.googleapis.com/v1/projects/demo-proj/services";
    let answer = cloud
        .post(
            &format!("{services}:batchEnable"),
            json!({"serviceIds": ["compute"]}),
        )
        .await;
    assert_refused(
        "a short name",
        &answer,
        403,
        "Not found or permission denied for service(s): compute.",
    );
    for path in ["compute:enable", "nothing.googleapis.com:enable"] {
        assert_eq!(
            cloud.post(&format!("{services}/{path}"), json!({})).await.0,
            403,
            "{path}"
        );
    }
    assert_eq!(cloud.get(&format!("{services}/compute")).await.0, 403);
}
