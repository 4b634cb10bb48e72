//! What the emulator's GKE, fleets, Cloud DNS and Cloud Storage refuse and take as Google's do. The first half of the rows is in
//! `emulator_refusals`.

use super::emulator_refusals::{assert_refused, with};
use crate::common::emulator::Cloud;
use crate::common::emulator::longrunning::{ZONE, cluster_body};
use serde_json::{Value, json};

const HUB: &str = "/gkehub.googleapis.com/v1/projects/demo-proj/locations/global";

#[tokio::test]
async fn clusters_and_node_pools() {
    let cloud = Cloud::with_vpc().await;
    let clusters = format!("{ZONE}/clusters");
    let same = json!({"clusterSecondaryRangeName": "pods", "servicesSecondaryRangeName": "pods"});
    let pool = |fields: Value| with(json!({"name": "p", "initialNodeCount": 1}), &fields);
    for (fields, words) in [
        (
            json!({"ipAllocationPolicy": same}),
            "Pod secondary range name (pods) should not be the same as service secondary range name.",
        ),
        (
            json!({"resourceLabels": {"k": "a".repeat(64)}}),
            "Resource_labels.value must be less than 63 bytes.",
        ),
        (
            json!({"locations": ["us-east1-b"]}),
            "not a zone of us-central1",
        ),
        (
            json!({"nodePools": [pool(json!({})), pool(json!({}))]}),
            "Duplicate node pool name",
        ),
        (
            json!({"nodePools": [pool(json!({"config": {"machineType": "e2-huge"}}))]}),
            "GCE_NOT_FOUND",
        ),
    ] {
        let body = json!({"cluster": with(cluster_body(), &fields)});
        let answer = cloud.post(&clusters, body).await;
        assert_refused(&fields.to_string(), &answer, 400, words);
    }
    cloud.cluster().await;
    let pools = format!("{clusters}/cluster1/nodePools");
    for (fields, words) in [
        (
            json!({"config": {"machineType": "e2-huge"}}),
            "Invalid machine type \"e2-huge\" in zone \"us-central1-a\": GCE_NOT_FOUND",
        ),
        (
            json!({"networkConfig": {"podRange": "none"}}),
            "does not exist in subnetwork",
        ),
        (
            json!({"upgradeSettings": {"maxSurge": 0, "maxUnavailable": 0}}),
            "cannot both be 0",
        ),
    ] {
        let answer = cloud
            .post(&pools, json!({"nodePool": pool(fields.clone())}))
            .await;
        assert_refused(&fields.to_string(), &answer, 400, words);
    }
    for (fields, words) in [
        (json!({"machineType": "e2-huge"}), "GCE_NOT_FOUND"),
        (
            json!({"upgradeSettings": {"maxSurge": 0, "maxUnavailable": 0}}),
            "cannot both be 0",
        ),
    ] {
        let answer = cloud
            .put(&format!("{pools}/default-pool"), fields.clone())
            .await;
        assert_refused(&fields.to_string(), &answer, 400, words);
    }
    let cluster = format!("{clusters}/cluster1");
    let update = |update: Value| json!({ "update": update });
    let two =
        update(json!({"desiredLoggingService": "none", "desiredResourceUsageExportConfig": {}}));
    assert_refused(
        "two",
        &cloud.put(&cluster, two).await,
        400,
        "Only one field",
    );
    // Logging and monitoring go together, as gcloud sends them.
    let both = update(json!({"desiredLoggingService": "none", "desiredMonitoringService": "none"}));
    let begun = cloud.put(&cluster, both).await;
    cloud.finish(&clusters, begun).await;
    let (_, after) = cloud.get(&cluster).await;
    assert_eq!(
        (&after["loggingService"], &after["monitoringService"]),
        (&json!("none"), &json!("none"))
    );
    // Proto names of fields, and numbers as strings.
    let body = json!({"node_pool": {"name": "second", "initial_node_count": "1", "config": {"machine_type": "e2-medium"}}});
    let begun = cloud.post(&pools, body).await;
    cloud.finish(&clusters, begun).await;
    let (_, second) = cloud.get(&format!("{pools}/second")).await;
    assert_eq!(
        (
            &second["initialNodeCount"],
            &second["config"]["machineType"]
        ),
        (&json!(1), &json!("e2-medium"))
    );
}

#[tokio::test]
async fn the_older_surface_of_gke_and_the_links_of_operations() {
    let cloud = Cloud::with_vpc().await;
    cloud.cluster().await;
    let old = "/container.googleapis.com/v1/projects/demo-proj/zones/us-central1-a";
    assert_eq!(
        cloud.get(&format!("{old}/clusters/cluster1")).await,
        cloud.get(&format!("{ZONE}/clusters/cluster1")).await
    );
    assert_eq!(
        cloud.get(&format!("{old}/clusters")).await.1["clusters"][0]["name"],
        "cluster1"
    );
    let pool = format!("{old}/clusters/cluster1/nodePools/default-pool");
    let (status, operation) = cloud
        .post(&format!("{pool}/setSize"), json!({"nodeCount": "2"}))
        .await;
    assert_eq!(status, 200, "{operation}");
    // The links of an operation lead somewhere: they have the project's number, and a zone.
    for link in ["targetLink", "selfLink"] {
        let link = operation[link].as_str().unwrap();
        let path = link.trim_start_matches("https:/");
        assert_eq!(cloud.get(path).await.0, 200, "{link}");
    }
    let name = operation["name"].as_str().unwrap();
    while cloud.get(&format!("{old}/operations/{name}")).await.1["status"] != "DONE" {}
    assert_eq!(cloud.get(&pool).await.1["initialNodeCount"], 2);
    assert_eq!(cloud.get(&format!("{old}/serverconfig")).await.0, 200);
    let answer = cloud.get(&format!("{old}/clusters/none")).await;
    assert_refused(
        "none",
        &answer,
        404,
        "Not found: projects/demo-proj/zones/us-central1-a/clusters/none.",
    );
    let body = json!({"nodePool": {"name": "old", "initialNodeCount": 1}});
    assert_eq!(
        cloud
            .post(&format!("{old}/clusters/cluster1/nodePools"), body)
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn fleets() {
    let cloud = Cloud::with_vpc().await;
    let features = format!("{HUB}/features");
    let mesh = json!({"mesh": {"management": "MANAGEMENT_AUTOMATIC"}});
    for (query, body, words) in [
        (
            "featureId=nothing",
            json!({}),
            "InvalidValueError for field feature_id",
        ),
        (
            "featureId=mesh",
            json!({}),
            "InvalidValueError for field feature_id",
        ),
        (
            "featureId=servicemesh&requestId=up",
            json!({}),
            "InvalidValueError for field request_id",
        ),
        (
            "featureId=servicemesh",
            json!({"spec": {"multiclusteringress": {}}}),
            "InvalidFieldError for field spec.multiclusteringress",
        ),
        (
            "featureId=servicemesh",
            json!({"fleetDefaultMemberConfig": {"configmanagement": {}}}),
            "InvalidFieldError",
        ),
        (
            "featureId=configmanagement",
            json!({"fleetDefaultMemberConfig": mesh}),
            "InvalidFieldError",
        ),
        (
            "featureId=servicemesh",
            json!({"labels": {"k": "a".repeat(64)}}),
            "Label value",
        ),
        (
            "featureId=servicemesh",
            json!({"membershipSpecs": {"projects/demo-proj/locations/us-central1/memberships/none": mesh}}),
            "does not match a current membership in this project.",
        ),
    ] {
        let answer = cloud
            .post(&format!("{features}?{query}"), body.clone())
            .await;
        assert_refused(&format!("{query} {body}"), &answer, 400, words);
    }
    // The fleet's default for the mesh needs no other API.
    let begun = cloud
        .post(
            &format!("{features}?featureId=servicemesh"),
            json!({"fleetDefaultMemberConfig": mesh}),
        )
        .await;
    cloud.finish("/gkehub.googleapis.com/v1", begun).await;
    for (query, body, words) in [
        ("updateMask=", json!({}), "update_mask"),
        ("updateMask=nothing", json!({}), "cannot be updated"),
        (
            "updateMask=spec",
            json!({"spec": {"clusterupgrade": {}}}),
            "InvalidFieldError",
        ),
        (
            "updateMask=labels&requestId=1",
            json!({"labels": {}}),
            "request_id",
        ),
    ] {
        let answer = cloud
            .patch(&format!("{features}/servicemesh?{query}"), body.clone())
            .await;
        assert_refused(&format!("{query} {body}"), &answer, 400, words);
    }
    // A cluster that names its fleet is a member by itself, with the fleet's default; v2 refuses the same as v1.
    let clusters = format!("{ZONE}/clusters");
    let body = with(cluster_body(), &json!({"fleet": {"project": "demo-proj"}}));
    let begun = cloud.post(&clusters, json!({ "cluster": body })).await;
    cloud.finish(&clusters, begun).await;
    let member = "projects/demo-proj/locations/us-central1/memberships/cluster1";
    let half = format!("/gkehub.googleapis.com/v2/{member}/features/servicemesh");
    assert_eq!(cloud.get(&half).await.0, 200);
    for (query, body, words) in [
        ("updateMask=", json!({}), "update_mask"),
        ("updateMask=nothing", json!({}), "cannot be updated"),
        (
            "updateMask=spec",
            json!({"spec": {"configmanagement": {}}}),
            "InvalidFieldError",
        ),
        (
            "updateMask=spec&requestId=x",
            json!({"spec": {}}),
            "request_id",
        ),
    ] {
        let answer = cloud.patch(&format!("{half}?{query}"), body.clone()).await;
        assert_refused(&format!("v2 {query} {body}"), &answer, 400, words);
    }
    // It can leave the fleet with its mesh: `gcloud container fleet memberships unregister` sends no force.
    let begun = cloud
        .delete(&format!("/gkehub.googleapis.com/v1/{member}"))
        .await;
    cloud.finish("/gkehub.googleapis.com/v1", begun).await;
    assert_eq!(cloud.get(&half).await.0, 404);
}

#[tokio::test]
async fn zones_and_buckets() {
    let cloud = Cloud::with_apis(&["compute", "dns"]).await;
    cloud.network().await;
    let zones = "/dns.googleapis.com/dns/v1/projects/demo-proj/managedZones";
    let link = "https://www.googleapis.com/compute/v1/projects/demo-proj/global/networks/vpc";
    let seen = json!({"networks": [{"networkUrl": link}]});
    let zone = |fields: Value| {
        with(
            json!({"name": "z", "dnsName": "example.com.", "description": ""}),
            &fields,
        )
    };
    for (fields, words) in [
        (
            json!({"privateVisibilityConfig": seen}),
            "privateVisibilityConfig",
        ),
        (
            json!({"visibility": "public", "forwardingConfig": {"targetNameServers": [{"ipv4Address": "10.0.0.1"}]}}),
            "forwardingConfig",
        ),
        (
            json!({"visibility": "private", "dnssecConfig": {"state": "on"}}),
            "dnssecConfig",
        ),
        (json!({"labels": {"k": "a".repeat(64)}}), "labels"),
        (json!({"name": "Z"}), "name"),
    ] {
        let answer = cloud.post(zones, zone(fields.clone())).await;
        assert_refused(&fields.to_string(), &answer, 400, words);
    }
    assert_eq!(cloud.post(zones, zone(json!({}))).await.0, 200);
    let one = format!("{zones}/z");
    for (fields, words) in [
        (
            json!({"privateVisibilityConfig": seen}),
            "privateVisibilityConfig",
        ),
        (json!({"visibility": "private"}), "visibility"),
        (json!({"dnsName": "example.org."}), "dnsName"),
        (json!({"labels": {"K": "v"}}), "labels"),
    ] {
        let answer = cloud.patch(&one, fields.clone()).await;
        assert_refused(&format!("PATCH {fields}"), &answer, 400, words);
    }
    // A ttl as a string is a number.
    let record =
        json!({"name": "a.example.com.", "type": "A", "ttl": "300", "rrdatas": ["192.0.2.1"]});
    let (status, made) = cloud.post(&format!("{one}/rrsets"), record.clone()).await;
    assert_eq!((status, &made["ttl"]), (200, &json!(300)));
    let change = json!({"additions": [with(record, &json!({"name": "b.example.com."}))]});
    let (status, made) = cloud.post(&format!("{one}/changes"), change).await;
    assert_eq!((status, &made["additions"][0]["ttl"]), (200, &json!(300)));

    let buckets = "/storage.googleapis.com/storage/v1/b";
    let bucket = |fields: Value| with(json!({"name": "demo-proj-bucket"}), &fields);
    for (fields, words) in [
        (json!({"storageClass": "COLD"}), "Invalid storage class"),
        (json!({"labels": {"k": "a".repeat(64)}}), "Label value"),
        (
            json!({"iamConfiguration": {"publicAccessPrevention": "on"}}),
            "publicAccessPrevention",
        ),
        (
            json!({"autoclass": {"enabled": true, "terminalStorageClass": "COLDLINE"}}),
            "terminal storage class",
        ),
    ] {
        let answer = cloud
            .post(
                &format!("{buckets}?project=demo-proj"),
                bucket(fields.clone()),
            )
            .await;
        assert_refused(&fields.to_string(), &answer, 400, words);
    }
    let made = cloud
        .post(
            &format!("{buckets}?project=demo-proj"),
            bucket(json!({"storageClass": "coldline"})),
        )
        .await;
    assert_eq!((made.0, &made.1["storageClass"]), (200, &json!("COLDLINE")));
    for (fields, words) in [
        (json!({"storageClass": "COLD"}), "Invalid storage class"),
        (json!({"location": "EU"}), "location"),
    ] {
        let answer = cloud
            .patch(&format!("{buckets}/demo-proj-bucket"), fields.clone())
            .await;
        assert_refused(&format!("PATCH {fields}"), &answer, 400, words);
    }
}
