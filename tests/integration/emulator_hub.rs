//! Fleets, memberships and the mesh feature, over HTTP.

use std::time::Duration;

use crate::common::emulator::longrunning::{ZONE, cluster_body};
use crate::common::emulator::{Cloud, message};
use serde_json::{Value, json};

const V1: &str = "/gkehub.googleapis.com/v1";
const V2: &str = "/gkehub.googleapis.com/v2";
const PROJECT: &str = "projects/demo-proj/locations";
const MEMBERSHIP: &str = "projects/demo-proj/locations/us-central1/memberships/cluster1";
const FEATURE: &str = "projects/demo-proj/locations/global/features/servicemesh";

fn membership_body() -> Value {
    let cluster = "projects/demo-proj/locations/us-central1-a/clusters/cluster1";
    json!({
        "endpoint": {"gkeCluster": {"resourceLink": format!("//container.googleapis.com/{cluster}")}},
        "authority": {"issuer": format!("https://container.googleapis.com/v1/{cluster}")},
    })
}

async fn register(cloud: &Cloud) {
    let path = format!("{V1}/{PROJECT}/us-central1/memberships?membershipId=cluster1");
    let begun = cloud.post(&path, membership_body()).await;
    cloud.finish(V1, begun).await;
}

async fn enable(cloud: &Cloud) {
    let begun = cloud
        .post(
            &format!("{V1}/{PROJECT}/global/features?featureId=servicemesh"),
            json!({}),
        )
        .await;
    cloud.finish(V1, begun).await;
}

async fn feature(cloud: &Cloud) -> Value {
    cloud
        .get(&format!("{V1}/{FEATURE}?returnPartialSuccess=True"))
        .await
        .1
}

/// The state of the only membership, under whatever key.
fn mesh_state(feature: &Value) -> Option<&Value> {
    feature["membershipStates"].as_object()?.values().next()
}

async fn manage(cloud: &Cloud, management: &str) -> Value {
    let path = format!("{V2}/{MEMBERSHIP}/features/servicemesh?allowMissing=True&updateMask=spec");
    let begun = cloud
        .patch(
            &path,
            json!({"spec": {"servicemesh": {"management": management}}}),
        )
        .await;
    cloud.finish(V2, begun).await
}

#[tokio::test]
async fn a_cluster_is_registered_and_knows_it() {
    let cloud = Cloud::with_vpc().await;
    let path = format!("{V1}/{PROJECT}/us-central1/memberships?membershipId=cluster1");
    assert_eq!(
        cloud.post(&path, membership_body()).await.0,
        400,
        "there is no such cluster"
    );
    cloud.cluster().await;
    let fleet = format!("{V1}/{PROJECT}/global/fleets/default");
    let missing = cloud.get(&fleet).await;
    let want = "Resource 'projects/demo-proj/locations/global/fleets/default' was not found";
    assert_eq!((missing.0, message(&missing.1)), (404, want));
    assert!(
        missing.1["error"].get("errors").is_none(),
        "gkehub prints no errors[]"
    );

    let (status, operation) = cloud.post(&path, membership_body()).await;
    assert_eq!((status, &operation["done"]), (200, &json!(false)));
    assert_eq!(
        (
            &operation["metadata"]["verb"],
            &operation["metadata"]["target"]
        ),
        (&json!("create"), &json!(MEMBERSHIP))
    );
    let done = cloud.finish(V1, (status, operation)).await;
    assert_eq!(
        done["response"]["@type"],
        "type.googleapis.com/google.cloud.gkehub.v1.Membership"
    );
    let (_, membership) = cloud.get(&format!("{V1}/{MEMBERSHIP}")).await;
    assert_eq!(membership["state"]["code"], "READY");
    assert_eq!(
        membership["authority"]["workloadIdentityPool"],
        "demo-proj.svc.id.goog"
    );
    assert_eq!(cloud.get(&fleet).await.1["state"]["code"], "READY");
    let (_, cluster) = cloud.get(&format!("{ZONE}/clusters/cluster1")).await;
    let link = cluster["fleet"]["membership"].as_str().unwrap();
    assert!(
        link.starts_with("//gkehub.googleapis.com/projects/")
            && link.ends_with("us-central1/memberships/cluster1"),
        "{link}"
    );

    assert_eq!(cloud.post(&path, membership_body()).await.0, 409);
    for version in ["v1", "v1beta"] {
        let (_, list) = cloud
            .get(&format!(
                "/gkehub.googleapis.com/{version}/{PROJECT}/-/memberships"
            ))
            .await;
        assert_eq!(list["resources"].as_array().unwrap().len(), 1, "{version}");
    }
    let mut wrong = membership_body();
    wrong["authority"]["issuer"] =
        json!("https://container.googleapis.com/v1/projects/p/locations/z/clusters/c");
    let other = format!("{V1}/{PROJECT}/us-central1/memberships?membershipId=other");
    assert_eq!(cloud.post(&other, wrong).await.0, 400);
    let change = format!("{V1}/{MEMBERSHIP}?updateMask=labels");
    let begun = cloud.patch(&change, json!({"labels": {"a": "b"}})).await;
    let done = cloud.finish(V1, begun).await;
    assert!(
        done["response"].get("labels").is_none(),
        "recorded: the operation's answer lacks them"
    );
    assert_eq!(
        cloud.get(&format!("{V1}/{MEMBERSHIP}")).await.1["labels"],
        json!({"a": "b"})
    );
}

#[tokio::test]
async fn a_request_id_makes_one_membership_of_two_requests() {
    let cloud = Cloud::with_vpc().await;
    cloud.cluster().await;
    let path = format!(
        "{V1}/{PROJECT}/us-central1/memberships?membershipId=cluster1&requestId=4d0b1b06-7c22-4d2a-9b1e-0c6f0f3a2b11"
    );
    let (_, first) = cloud.post(&path, membership_body()).await;
    let (status, second) = cloud.post(&path, membership_body()).await;
    assert_eq!((status, &first["name"]), (200, &second["name"]));
}

#[tokio::test]
async fn the_mesh_is_provisioned_first_and_active_later_under_the_projects_number() {
    let cloud = Cloud::with_vpc().await;
    cloud.cluster().await;
    register(&cloud).await;
    let refused = cloud
        .patch(
            &format!("{V2}/{MEMBERSHIP}/features/servicemesh?allowMissing=true&updateMask=spec"),
            json!({"spec": {}}),
        )
        .await;
    assert_eq!(refused.0, 400, "the fleet has no such feature");
    enable(&cloud).await;
    assert_eq!(
        cloud
            .post(
                &format!("{V1}/{PROJECT}/global/features?featureId=servicemesh"),
                json!({})
            )
            .await
            .0,
        409
    );
    let before = feature(&cloud).await;
    assert_eq!(
        (&before["resourceState"]["state"], &before["spec"]),
        (&json!("ACTIVE"), &json!({}))
    );
    assert!(mesh_state(&before).is_none(), "{before}");
    assert_eq!(
        cloud
            .get(&format!("{V2}/{MEMBERSHIP}/features/servicemesh"))
            .await
            .0,
        404
    );

    let done = manage(&cloud, "MANAGEMENT_AUTOMATIC").await;
    assert_eq!(
        done["response"]["@type"],
        "type.googleapis.com/google.cloud.gkehub.v2.MembershipFeature"
    );
    let mut seen = Vec::new();
    let last = loop {
        let now = feature(&cloud).await;
        let state = |half: &str| {
            mesh_state(&now).map(|state| {
                state["servicemesh"][half]["state"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
        };
        let both = (
            state("controlPlaneManagement"),
            state("dataPlaneManagement"),
        );
        if seen.last() != Some(&both) {
            seen.push(both.clone());
        }
        if both.1.as_deref() == Some("ACTIVE") {
            break now;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let word = |text: &str| Some(text.to_owned());
    assert!(
        seen.contains(&(word("PROVISIONING"), word("PROVISIONING"))),
        "{seen:?}"
    );
    let (key, state) = last["membershipStates"]
        .as_object()
        .unwrap()
        .iter()
        .next()
        .unwrap();
    let (_, project) = cloud
        .get("/cloudresourcemanager.googleapis.com/v1/projects/demo-proj")
        .await;
    let number = project["projectNumber"].as_str().unwrap();
    assert_eq!(
        key,
        &format!("projects/{number}/locations/us-central1/memberships/cluster1")
    );
    assert_eq!(
        state["servicemesh"]["controlPlaneManagement"]["implementation"],
        "TRAFFIC_DIRECTOR"
    );
    assert_eq!(state["state"]["code"], "OK");
    assert_eq!(
        last["membershipSpecs"][key],
        json!({"mesh": {"management": "MANAGEMENT_AUTOMATIC"}})
    );
    let (_, half) = cloud
        .get(&format!("{V2}/{MEMBERSHIP}/features/servicemesh"))
        .await;
    assert_eq!(
        half["state"]["servicemesh"]["controlPlaneManagement"]["state"],
        "ACTIVE"
    );
}

#[tokio::test]
async fn v1_merges_specs_by_key_and_takes_ids_and_numbers() {
    let cloud = Cloud::with_vpc().await;
    cloud.cluster().await;
    register(&cloud).await;
    enable(&cloud).await;
    let patch = format!("{V1}/{FEATURE}?updateMask=membershipSpecs");
    let set = |key: &str, spec: Value| json!({"membershipSpecs": {key: spec}});
    let automatic = json!({"mesh": {"management": "MANAGEMENT_AUTOMATIC"}});
    let begun = cloud
        .patch(&patch, set(MEMBERSHIP, automatic.clone()))
        .await;
    cloud.finish(V1, begun).await;
    let specs = feature(&cloud).await["membershipSpecs"]
        .as_object()
        .unwrap()
        .clone();
    let (key, spec) = specs.iter().next().unwrap();
    assert!(!key.contains("demo-proj"), "{key}");
    assert_eq!(*spec, automatic);
    let begun = cloud.patch(&patch, json!({"membershipSpecs": {}})).await;
    cloud.finish(V1, begun).await;
    assert_eq!(
        feature(&cloud).await["membershipSpecs"]
            .as_object()
            .unwrap()
            .len(),
        1,
        "not named, not touched"
    );
    let begun = cloud.patch(&patch, set(key, json!({}))).await;
    cloud.finish(V1, begun).await;
    assert!(
        feature(&cloud).await.get("membershipSpecs").is_none(),
        "named with nothing, gone"
    );
    let nobody = "projects/demo-proj/locations/us-central1/memberships/nobody";
    assert_eq!(cloud.patch(&patch, set(nobody, automatic)).await.0, 400);
    assert_eq!(
        cloud.patch(&format!("{V1}/{FEATURE}"), json!({})).await.0,
        400,
        "no mask"
    );
}

#[tokio::test]
async fn features_and_memberships_go_only_with_what_is_below_them() {
    let cloud = Cloud::with_vpc().await;
    cloud.cluster().await;
    register(&cloud).await;
    enable(&cloud).await;
    manage(&cloud, "MANAGEMENT_MANUAL").await;
    let membership = format!("{V1}/{MEMBERSHIP}");
    assert_eq!(
        cloud.delete(&format!("{V1}/{FEATURE}?force=False")).await.0,
        400
    );
    let begun = cloud.delete(&format!("{V1}/{FEATURE}?force=True")).await;
    let done = cloud.finish(V1, begun).await;
    assert_eq!(
        done["response"],
        json!({"@type": "type.googleapis.com/google.protobuf.Empty"})
    );
    assert_eq!(cloud.get(&format!("{V1}/{FEATURE}")).await.0, 404);
    let begun = cloud.delete(&membership).await;
    cloud.finish(V1, begun).await;
    assert_eq!(cloud.get(&membership).await.0, 404);
    assert!(
        cloud
            .get(&format!("{ZONE}/clusters/cluster1"))
            .await
            .1
            .get("fleet")
            .is_none()
    );
}

#[tokio::test]
async fn a_cluster_that_asks_for_it_is_registered_by_gke() {
    let cloud = Cloud::with_vpc().await;
    let defaults =
        json!({"fleetDefaultMemberConfig": {"mesh": {"management": "MANAGEMENT_AUTOMATIC"}}});
    let features = format!("{V1}/{PROJECT}/global/features?featureId=servicemesh");
    let begun = cloud.post(&features, defaults).await;
    cloud.finish(V1, begun).await;

    let clusters = format!("{ZONE}/clusters");
    let mut body = cluster_body();
    body["fleet"] = json!({"project": "demo-proj"});
    let begun = cloud.post(&clusters, json!({"cluster": body})).await;
    cloud.finish(&clusters, begun).await;
    let (_, cluster) = cloud.get(&format!("{clusters}/cluster1")).await;
    let name = cluster["fleet"]["membership"]
        .as_str()
        .unwrap()
        .trim_start_matches("//gkehub.googleapis.com/");
    assert_eq!(
        cloud.get(&format!("{V1}/{name}")).await.1["name"],
        MEMBERSHIP,
        "read from the cluster, by number"
    );
    let specs = feature(&cloud).await["membershipSpecs"].clone();
    let spec = specs.as_object().unwrap().values().next().unwrap();
    assert_eq!(
        *spec,
        json!({"mesh": {"management": "MANAGEMENT_AUTOMATIC"}, "origin": {"type": "FLEET"}})
    );
    let begun = cloud.delete(&format!("{clusters}/cluster1")).await;
    cloud.finish(&clusters, begun).await;
    assert_eq!(
        cloud.get(&format!("{V1}/{MEMBERSHIP}")).await.0,
        404,
        "what GKE registered, GKE unregisters"
    );
}

#[tokio::test]
async fn a_fleet_is_created_and_listed() {
    let cloud = Cloud::with_vpc().await;
    let fleets = format!("{V1}/{PROJECT}/global/fleets");
    let begun = cloud
        .post(&fleets, json!({"displayName": "Maximal Fleet"}))
        .await;
    cloud.finish(V1, begun).await;
    let (_, list) = cloud.get(&fleets).await;
    assert_eq!(list["fleets"][0]["displayName"], "Maximal Fleet");
    let (_, operations) = cloud
        .get(&format!("{V1}/{PROJECT}/global/operations"))
        .await;
    assert_eq!(operations["operations"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_cluster_joins_the_fleet_when_it_runs_and_keeps_that_through_an_update_under_way() {
    let cloud = Cloud::with_vpc().await;
    let clusters = format!("{ZONE}/clusters");
    let begun = cloud
        .post(&clusters, json!({"cluster": cluster_body()}))
        .await;
    let path = format!("{V1}/{PROJECT}/us-central1/memberships?membershipId=cluster1");
    let (status, refusal) = cloud.post(&path, membership_body()).await;
    assert_eq!(
        (status, refusal["error"]["status"].as_str()),
        (400, Some("FAILED_PRECONDITION"))
    );
    cloud.finish(&clusters, begun).await;

    let networks = json!({"enabled": true, "cidrBlocks": [{"cidrBlock": "198.51.100.7/32"}]});
    let update = json!({"update": {"desiredMasterAuthorizedNetworksConfig": networks}});
    let update = cloud.put(&format!("{clusters}/cluster1"), update).await;
    register(&cloud).await;
    cloud.finish(&clusters, update).await;
    let (_, cluster) = cloud.get(&format!("{clusters}/cluster1")).await;
    assert!(cluster["fleet"]["membership"].is_string(), "{cluster}");
    assert_eq!(
        cluster["masterAuthorizedNetworksConfig"]["cidrBlocks"][0]["cidrBlock"],
        "198.51.100.7/32"
    );
}

#[tokio::test]
async fn a_membership_has_one_operation_at_a_time() {
    let cloud = Cloud::with_vpc().await;
    cloud.cluster().await;
    register(&cloud).await;
    let path = format!("{V1}/{MEMBERSHIP}?updateMask=labels");
    let first = cloud.patch(&path, json!({"labels": {"a": "1"}})).await;
    let (status, refusal) = cloud.patch(&path, json!({"labels": {"a": "2"}})).await;
    assert_eq!(
        (status, refusal["error"]["status"].as_str()),
        (409, Some("ABORTED"))
    );
    cloud.finish(V1, first).await;
    assert_eq!(
        cloud.get(&format!("{V1}/{MEMBERSHIP}")).await.1["labels"],
        json!({"a": "1"})
    );
}
