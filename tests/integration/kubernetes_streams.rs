//! What goes on for a while: watches, logs that are followed, commands over WebSocket; and what kubectl reads before it asks.

use crate::common::kubernetes::{EmulatedCluster, deployment};
use serde_json::{Value, json};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn config_map(name: &str, app: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"app": app}}})
}

/// The events of a watch that ends by itself, as `TYPE name`.
fn events(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            let name = event["object"]["metadata"]["name"].as_str().unwrap_or("-");
            format!("{} {name}", event["type"].as_str().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn a_watch_tells_what_happens_after_its_revision() {
    let cluster = EmulatedCluster::start().await;
    let (_, list) = cluster.get(MAPS).await;
    let revision = list["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!(
        "{MAPS}?watch=true&resourceVersion={revision}&timeoutSeconds=2&labelSelector=app=a"
    );
    let watching = tokio::spawn(cluster.request("GET", &path).send());
    cluster.create(MAPS, config_map("one", "a")).await;
    cluster.create(MAPS, config_map("two", "b")).await;
    let relabel = |app: &str| json!({"metadata": {"labels": {"app": app}}});
    let merge = "application/merge-patch+json";
    cluster
        .send("PATCH", &format!("{MAPS}/two"), merge, &relabel("a"))
        .await;
    cluster
        .send("PATCH", &format!("{MAPS}/one"), merge, &relabel("b"))
        .await;
    cluster.delete(&format!("{MAPS}/two")).await;
    let told = events(&watching.await.unwrap().unwrap().text().await.unwrap());
    assert_eq!(
        told,
        ["ADDED one", "ADDED two", "DELETED one", "DELETED two"]
    );

    // Everything first, marked at its end, as newer clients ask.
    let path = format!(
        "{MAPS}?watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=1"
    );
    let told = cluster
        .request("GET", &path)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert_eq!(
        events(&told),
        ["ADDED kube-root-ca.crt", "ADDED one", "BOOKMARK -"]
    );
    assert!(told.contains("k8s.io/initial-events-end"), "{told}");
}

#[tokio::test]
async fn discovery_is_told_at_once_or_piece_by_piece() {
    let cluster = EmulatedCluster::start().await;
    let newer =
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    let older = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
    for (accept, kind) in [(newer, "APIGroupDiscoveryList"), (older, "APIGroupList")] {
        let answer = cluster
            .request("GET", "/apis")
            .header("accept", accept)
            .send()
            .await
            .unwrap();
        let typed = answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .contains("apidiscovery");
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(
            (body["kind"].as_str().unwrap(), typed),
            (kind, accept == newer)
        );
    }
    let (_, resources) = cluster.get("/apis/apps/v1").await;
    let scale = resources["resources"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "deployments/scale")
        .unwrap();
    assert_eq!(
        (&scale["kind"], &scale["verbs"]),
        (&json!("Scale"), &json!(["get", "patch", "update"]))
    );
    let (_, index) = cluster.get("/openapi/v3").await;
    let url = index["paths"]["apis/apps/v1"]["serverRelativeURL"]
        .as_str()
        .unwrap();
    let (_, document) = cluster.get(url).await;
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut missing: Vec<String> = Vec::new();
    let text = document.to_string();
    for part in text.split("\"#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        if !schemas.contains_key(name) {
            missing.push(name.to_owned());
        }
    }
    assert_eq!(missing, [""; 0], "every reference leads somewhere");
}

#[tokio::test]
async fn a_table_shows_what_kubectl_shows() {
    let cluster = EmulatedCluster::start().await;
    cluster.create(MAPS, config_map("one", "a")).await;
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let answer = cluster
        .request("GET", &format!("{MAPS}?labelSelector=app=a"))
        .header("accept", accept)
        .send()
        .await
        .unwrap();
    let table: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let names: Vec<&Value> = table["columnDefinitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| &column["name"])
        .collect();
    assert_eq!(names, ["Name", "Data", "Age"]);
    assert_eq!(table["rows"][0]["cells"][0], "one");
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
}

/// Runs a command in a pod of the namespace `default`; what came on each channel.
async fn exec(
    cluster: &EmulatedCluster,
    pod: &str,
    protocol: &'static str,
    query: &str,
    input: &[&[u8]],
) -> (String, Vec<(u8, String)>) {
    let path = format!("/api/v1/namespaces/default/pods/{pod}/exec");
    cluster.exec(&path, protocol, query, input).await
}

#[tokio::test]
async fn commands_run_over_both_versions_of_the_channel() {
    let cluster = EmulatedCluster::start().await;
    cluster
        .create(
            "/apis/apps/v1/namespaces/default/deployments",
            deployment("web"),
        )
        .await;
    let list = cluster
        .until("/api/v1/namespaces/default/pods", |list| {
            list["items"][0]["status"]["phase"] == "Running"
        })
        .await;
    let pod = list["items"][0]["metadata"]["name"].as_str().unwrap();
    let done = json!({"metadata": {}, "status": "Success"}).to_string();
    for protocol in ["v5.channel.k8s.io", "v4.channel.k8s.io"] {
        let (spoken, said) = exec(
            &cluster,
            pod,
            protocol,
            "command=echo&command=hi&stdout=true&stderr=true",
            &[],
        )
        .await;
        assert_eq!(
            (spoken.as_str(), said),
            (protocol, vec![(1, "hi\n".to_owned()), (3, done.clone())])
        );
    }
    let input: [&[u8]; 2] = [b"\0some input", b"\xff\0"];
    let (_, said) = exec(
        &cluster,
        pod,
        "v5.channel.k8s.io",
        "command=cat&stdin=true&stdout=true",
        &input,
    )
    .await;
    assert_eq!(said, [(1, "some input".to_owned()), (3, done)]);
    let (_, said) = exec(
        &cluster,
        pod,
        "v5.channel.k8s.io",
        "command=ls&stdout=true&stderr=true",
        &[],
    )
    .await;
    let verdict: Value = serde_json::from_str(&said[1].1).unwrap();
    assert_eq!(
        (said[0].0, &verdict["details"]["causes"][0]["message"]),
        (2, &json!("127"))
    );
    let (status, refused) = cluster
        .get(&format!(
            "/api/v1/namespaces/default/pods/{pod}/exec?command=true"
        ))
        .await;
    assert_eq!(
        (status, &refused["reason"]),
        (400, &json!("BadRequest")),
        "not without an upgrade"
    );
    let (status, refused) = cluster
        .get(&format!(
            "/api/v1/namespaces/default/pods/{pod}/log?container=other"
        ))
        .await;
    assert_eq!(
        (status, refused["message"].as_str().unwrap()),
        (
            400,
            format!("container other is not valid for pod {pod}").as_str()
        )
    );
}
