//! The emulator's DNS, over HTTP.

use crate::common::emulator::{Cloud, message, reason};
use serde_json::{Value, json};

const ZONES: &str = "/dns.googleapis.com/dns/v1/projects/demo-proj/managedZones";
const NETWORK: &str =
    "https://compute.googleapis.com/compute/v1/projects/demo-proj/global/networks/vpc";

fn zone(name: &str, dns_name: &str) -> Value {
    json!({"name": name, "dnsName": dns_name, "description": "", "visibility": "private",
        "privateVisibilityConfig": {"networks": [{"networkUrl": NETWORK}]}})
}

fn records(answer: &Value) -> Vec<&Value> {
    answer["rrsets"].as_array().unwrap().iter().collect()
}

async fn cloud() -> Cloud {
    let cloud = Cloud::with_apis(&["compute", "dns"]).await;
    cloud.network().await;
    cloud
}

#[tokio::test]
async fn a_private_zone_is_made_at_once_and_born_with_two_record_sets() {
    let cloud = cloud().await;
    let (status, made) = cloud.post(ZONES, zone("gcr", "gcr.io.")).await;
    assert_eq!(status, 200, "{made}");
    assert_eq!(
        made["nameServers"],
        json!(["ns-gcp-private.googledomains.com."])
    );
    let link = "https://www.googleapis.com/compute/v1/projects/demo-proj/global/networks/vpc";
    assert_eq!(
        made["privateVisibilityConfig"]["networks"][0]["networkUrl"],
        link
    );
    assert_eq!(made["kind"], "dns#managedZone");
    assert_eq!(cloud.get(&format!("{ZONES}/gcr")).await.1, made);
    let number = made["id"].as_str().unwrap();
    assert_eq!(
        cloud.get(&format!("{ZONES}/{number}")).await.1,
        made,
        "a zone's number names it too"
    );

    let (_, born) = cloud.get(&format!("{ZONES}/gcr/rrsets")).await;
    assert_eq!(records(&born).len(), 2);
    let (_, soa) = cloud
        .get(&format!("{ZONES}/gcr/rrsets?name=gcr.io.&type=SOA"))
        .await;
    assert_eq!(soa["rrsets"][0]["ttl"], 21600);
    let data = soa["rrsets"][0]["rrdatas"][0].as_str().unwrap();
    assert!(
        data.starts_with("ns-gcp-private.googledomains.com. cloud-dns-hostmaster.google.com. 1 "),
        "{data}"
    );
}

#[tokio::test]
async fn a_change_is_pending_at_first_and_all_or_nothing() {
    let cloud = cloud().await;
    cloud.post(ZONES, zone("gcr", "gcr.io.")).await;
    let changes = format!("{ZONES}/gcr/changes");
    let a = json!({"name": "gcr.io.", "type": "A", "ttl": 300, "rrdatas": ["199.36.153.8", "199.36.153.9"]});
    let alias = json!({"name": "*.gcr.io.", "type": "CNAME", "ttl": 300, "rrdatas": ["gcr.io."]});
    let (status, change) = cloud.post(&changes, json!({"additions": [a, alias]})).await;
    assert_eq!(
        (status, &change["status"], &change["id"]),
        (200, &json!("pending"), &json!("1"))
    );
    assert_eq!(
        cloud.get(&format!("{changes}/1")).await.1["status"],
        "pending"
    );
    assert_eq!(cloud.get(&format!("{changes}/1")).await.1["status"], "done");

    let (status, refusal) = cloud.post(&changes, json!({"additions": [a]})).await;
    assert_eq!((status, reason(&refusal)), (409, "alreadyExists"));
    let expected = "The resource 'entity.change.additions[0]' named 'gcr.io. (A)' already exists";
    assert_eq!(message(&refusal), expected);

    let mut stale = a.clone();
    stale["ttl"] = json!(299);
    let fresh = json!({"name": "www.gcr.io.", "type": "A", "ttl": 300, "rrdatas": ["192.0.2.1"]});
    let (status, refusal) = cloud
        .post(
            &changes,
            json!({"additions": [fresh], "deletions": [stale]}),
        )
        .await;
    assert_eq!((status, reason(&refusal)), (412, "conditionNotMet"));
    assert_eq!(
        message(&refusal),
        "Precondition not met for 'entity.change.deletions[0]'"
    );
    let (_, after) = cloud.get(&format!("{ZONES}/gcr/rrsets")).await;
    assert_eq!(
        records(&after).len(),
        4,
        "nothing of a refused change is done"
    );

    let (status, second) = cloud
        .post(&changes, json!({"additions": [fresh], "deletions": [a]}))
        .await;
    assert_eq!((status, &second["id"]), (200, &json!("2")));
    let (_, listed) = cloud.get(&format!("{changes}?sortBy=changeSequence")).await;
    assert_eq!(listed["changes"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_zone_goes_when_it_is_empty_and_holds_its_network_until_then() {
    let cloud = cloud().await;
    cloud.post(ZONES, zone("gcr", "gcr.io.")).await;
    let alias = json!({"name": "*.gcr.io.", "type": "CNAME", "ttl": 300, "rrdatas": ["gcr.io."]});
    let (status, _) = cloud.post(&format!("{ZONES}/gcr/rrsets"), alias).await;
    assert_eq!(status, 200);
    let (status, refusal) = cloud.delete(&format!("{ZONES}/gcr")).await;
    assert_eq!((status, reason(&refusal)), (400, "containerNotEmpty"));
    let words = "The resource named 'gcr' cannot be deleted because it contains one or more 'resource records'.";
    assert_eq!(message(&refusal), words);
    let done = cloud.operate("DELETE", "global/networks/vpc", None).await;
    let blocked = done["error"]["errors"][0]["message"].as_str().unwrap();
    assert!(
        blocked.ends_with("already being used by 'projects/demo-proj/managedZones/gcr'"),
        "{blocked}"
    );

    assert_eq!(
        cloud
            .delete(&format!("{ZONES}/gcr/rrsets/%2A.gcr.io./CNAME"))
            .await,
        (200, json!({}))
    );
    assert_eq!(
        cloud
            .delete(&format!("{ZONES}/gcr/rrsets/%2A.gcr.io./CNAME"))
            .await
            .0,
        404
    );
    assert_eq!(
        cloud.delete(&format!("{ZONES}/gcr")).await,
        (200, json!({}))
    );
    let (status, refusal) = cloud.get(&format!("{ZONES}/gcr/rrsets")).await;
    assert_eq!(status, 404);
    assert_eq!(
        message(&refusal),
        "The 'parameters.managedZone' resource named 'gcr' does not exist."
    );
    assert!(
        cloud
            .operate("DELETE", "global/networks/vpc", None)
            .await
            .get("error")
            .is_none()
    );
    assert!(
        cloud
            .running
            .inventory()
            .iter()
            .all(|(key, _)| !key.contains("dns.googleapis.com"))
    );
}

#[tokio::test]
async fn zones_that_cannot_be_are_refused() {
    let cloud = cloud().await;
    cloud.post(ZONES, zone("gcr", "gcr.io.")).await;
    let with = |field: &str, value: Value| {
        let mut body = zone("other", "example.com.");
        body[field] = value;
        body
    };
    let nowhere = json!({"networks": [{"networkUrl": NETWORK.replace("vpc", "none")}]});
    let relative = json!({"networks": [{"networkUrl": "projects/demo-proj/global/networks/vpc"}]});
    let mut undescribed = zone("other", "example.com.");
    undescribed.as_object_mut().unwrap().remove("description");
    let cases = [
        (zone("gcr", "gcr.io."), 409, "alreadyExists"),
        (zone("again", "gcr.io."), 400, "invalid"),
        (with("dnsName", json!("example.com")), 400, "invalid"),
        (with("privateVisibilityConfig", nowhere), 400, "invalid"),
        (with("privateVisibilityConfig", relative), 400, "invalid"),
        (undescribed, 400, "required"),
        (with("visibilty", json!("private")), 400, ""),
    ];
    for (body, status, expected) in cases {
        let (got, refusal) = cloud.post(ZONES, body.clone()).await;
        assert_eq!(got, status, "{body}: {refusal}");
        assert!(
            expected.is_empty() || reason(&refusal) == expected,
            "{body}: {refusal}"
        );
    }
    let (_, found) = cloud.get(&format!("{ZONES}?dnsName=gcr.io.")).await;
    assert_eq!(found["managedZones"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_zone_is_changed_by_an_operation_that_is_over() {
    let cloud = cloud().await;
    cloud.post(ZONES, zone("gcr", "gcr.io.")).await;
    let (status, operation) = cloud
        .patch(&format!("{ZONES}/gcr"), json!({"description": "new"}))
        .await;
    assert_eq!((status, &operation["kind"]), (200, &json!("dns#operation")));
    assert_eq!(operation["zoneContext"]["oldValue"]["description"], "");
    assert_eq!(operation["zoneContext"]["newValue"]["description"], "new");
    assert_eq!(
        cloud.get(&format!("{ZONES}/gcr")).await.1["description"],
        "new"
    );
}
