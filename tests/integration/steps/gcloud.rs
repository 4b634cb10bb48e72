//! What our steps leave is what the tutorial's own commands leave, but for the differences that are listed here.
//! `fixtures/gcloud/tutorial.jsonl` holds what the real gcloud sent for those commands.

use std::collections::{BTreeMap, BTreeSet};

use provision::steps::Source;
use serde_json::{Value, json};

use crate::common::wire;

const RECORDED: &str = include_str!("../../../fixtures/gcloud/tutorial.jsonl");

/// Path and name of each thing, and what was asked for it.
type Made = BTreeMap<String, Value>;

/// Adds one request to what is made, in a form that does not depend on who sent it in how many pieces.
fn make(made: &mut Made, verb: &str, path: &str, body: &Value) {
    let path = path.trim_start_matches("/upload");
    if let Some((_, service)) = path
        .strip_suffix(":enable")
        .and_then(|p| p.rsplit_once('/'))
    {
        made.insert(format!("service {service}"), Value::Null);
    } else if path.ends_with("services:batchEnable") {
        for service in body["serviceIds"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            made.insert(format!("service {service}"), Value::Null);
        }
    } else if path.ends_with(":setIamPolicy") || path.ends_with("/iam") {
        let policy = body.get("policy").unwrap_or(body);
        for binding in policy["bindings"].as_array().into_iter().flatten() {
            for member in binding["members"].as_array().into_iter().flatten() {
                made.insert(format!("{path} {} {member}", binding["role"]), Value::Null);
            }
        }
    } else if path.ends_with("/changes") {
        for set in body["additions"].as_array().into_iter().flatten() {
            let mut set = set.clone();
            set.as_object_mut().unwrap().remove("kind");
            made.insert(format!("{path} {} {}", set["name"], set["type"]), set);
        }
    } else if verb == "PATCH" && path.contains("/routers/") {
        // gcloud writes the router first and then the NAT into it; the rest of what it sends is what it read.
        let (collection, name) = path.rsplit_once('/').unwrap();
        made.get_mut(&format!("{collection} {name}")).unwrap()["nats"] = body["nats"].clone();
    } else if let Some(cluster) = body.get("cluster") {
        // The pools in a cluster's body are pools like any other.
        let mut cluster = cluster.clone();
        let pools = cluster
            .as_object_mut()
            .and_then(|c| c.remove("nodePools"))
            .unwrap_or_default();
        let name = cluster["name"].as_str().unwrap().to_owned();
        for pool in pools.as_array().into_iter().flatten() {
            make(
                made,
                "POST",
                &format!("{path}/{name}/nodePools"),
                &json!({"nodePool": pool}),
            );
        }
        made.insert(format!("{path} {name}"), cluster);
    } else {
        let thing = body
            .get("nodePool")
            .or_else(|| body.get("metadata"))
            .unwrap_or(body);
        let name = thing
            .get("name")
            .or_else(|| thing.get("accountId"))
            .and_then(Value::as_str)
            .unwrap_or_default();
        let mut thing = thing.clone();
        if path.ends_with("/o") {
            thing.as_object_mut().unwrap().remove("bucket");
        }
        made.insert(format!("{path} {name}"), thing);
    }
}

fn ours(control_plane: &str) -> Made {
    let mut made = Made::new();
    let steps = wire::steps(&Source::Embedded, control_plane).unwrap();
    for step in &steps {
        let want = wire::filled(step, &steps).unwrap();
        if let Some(request) = wire::request(step, &want) {
            make(&mut made, request.verb, &request.path, &request.body);
        }
    }
    made
}

fn gclouds() -> Made {
    let mut made = Made::new();
    for line in RECORDED.lines() {
        let call: Value = serde_json::from_str(line).unwrap();
        let (verb, path) = (
            call["method"].as_str().unwrap(),
            call["path"].as_str().unwrap(),
        );
        // The tutorial repeats the authorized networks that the create already sent.
        if verb == "PUT" && path.ends_with("/clusters/cluster1") {
            continue;
        }
        make(&mut made, verb, path, &call["body"]);
    }
    // What was there before, and what a transaction does to a zone's own records.
    made.retain(|key, _| {
        ![
            "SOA",
            "user:",
            "compute-system",
            "projectEditor:",
            "projectOwner:",
            "projectViewer:",
        ]
        .iter()
        .any(|word| key.contains(word))
    });
    made
}

#[test]
fn up_leaves_what_the_tutorials_commands_leave() {
    let gcloud = gclouds();
    let mut ours_managed = ours("managed");
    let with_webhook = ours("in-cluster");

    // gcloud ran the optional command too: the rule is there when there is a webhook on the nodes, and only then.
    let webhook =
        "/compute/v1/projects/demo-proj/global/firewalls allow-ingress-api-server-to-webhook";
    assert!(!ours_managed.contains_key(webhook));
    ours_managed.insert(webhook.to_owned(), with_webhook[webhook].clone());

    // New organizations refuse the tutorial's bucket, which has access control lists.
    let bucket = ours_managed
        .get_mut("/storage/v1/b demo-proj-bucket")
        .and_then(Value::as_object_mut);
    let access = bucket.and_then(|bucket| bucket.remove("iamConfiguration"));
    assert_eq!(
        access,
        Some(json!({"uniformBucketLevelAccess": {"enabled": true}}))
    );

    for (key, body) in &gcloud {
        assert_eq!(ours_managed.get(key), Some(body), "{key}");
    }
    let more: BTreeSet<&str> = ours_managed
        .keys()
        .filter(|key| !gcloud.contains_key(*key))
        .map(String::as_str)
        .collect();
    let zones = "/dns/v1/projects/demo-proj/managedZones";
    let policy =
        "/v1/projects/demo-proj:setIamPolicy \"roles/artifactregistry.reader\" \"serviceAccount:sa";
    let expected = BTreeSet::from([
        "/compute/v1/projects/demo-proj/global/firewalls allow-egress-to-konnectivity".to_owned(),
        format!("{zones} private-pkg-dev"),
        format!("{zones}/private-pkg-dev/changes \"*.pkg.dev.\" \"CNAME\""),
        format!("{zones}/private-pkg-dev/changes \"pkg.dev.\" \"A\""),
        format!("{policy}-application-nodes@demo-proj.iam.gserviceaccount.com\""),
        format!("{policy}-gateway-nodes@demo-proj.iam.gserviceaccount.com\""),
        "service cloudresourcemanager.googleapis.com".to_owned(),
        "service connectgateway.googleapis.com".to_owned(),
        "service gkehub.googleapis.com".to_owned(),
        "service iam.googleapis.com".to_owned(),
        "service meshca.googleapis.com".to_owned(),
        "service networksecurity.googleapis.com".to_owned(),
        "service networkservices.googleapis.com".to_owned(),
        "service storage.googleapis.com".to_owned(),
        "service trafficdirector.googleapis.com".to_owned(),
    ]);
    assert_eq!(more, expected.iter().map(String::as_str).collect());
}

#[test]
fn the_object_holds_what_the_tutorial_writes() {
    let recorded: Value = RECORDED
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|call| call["path"].as_str().unwrap().starts_with("/upload/"))
        .unwrap();
    let steps = wire::steps(&Source::Embedded, "managed").unwrap();
    let object = steps
        .iter()
        .find(|step| step.kind == "storage.object")
        .unwrap();
    assert_eq!(object.want["content"], recorded["body"]["media"]);
}
