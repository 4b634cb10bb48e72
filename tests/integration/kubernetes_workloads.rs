//! What an emulated cluster does by itself: nodes, workloads, scheduling, the mesh.

use crate::common::kubernetes::{EmulatedCluster, deployment, reason_and_message};
use serde_json::{Value, json};

const STRATEGIC: &str = "application/strategic-merge-patch+json";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

fn items(list: &Value) -> &Vec<Value> {
    list["items"].as_array().unwrap()
}

fn running(list: &Value) -> bool {
    list["items"].as_array().is_some_and(|pods| {
        !pods.is_empty() && pods.iter().all(|pod| pod["status"]["phase"] == "Running")
    })
}

#[tokio::test]
async fn nodes_are_those_of_the_pools() {
    let cluster = EmulatedCluster::start().await;
    let (_, list) = cluster
        .get("/api/v1/nodes?labelSelector=cloud.google.com/gke-nodepool=gateway")
        .await;
    let [node] = items(&list).as_slice() else {
        panic!("{list}")
    };
    let name = node["metadata"]["name"].as_str().unwrap();
    assert!(
        name.starts_with("gke-cluster1-gateway-") && name.split('-').count() == 5,
        "{name}"
    );
    assert_eq!(
        node["spec"]["taints"],
        json!([{"key": "dedicated", "value": "gateway", "effect": "NoSchedule"}])
    );
    let (_, list) = cluster.get("/api/v1/nodes").await;
    let mut ranges: Vec<&str> = items(&list)
        .iter()
        .map(|node| node["spec"]["podCIDR"].as_str().unwrap())
        .collect();
    ranges.sort_unstable();
    assert_eq!(
        ranges,
        ["10.4.0.0/24", "10.4.1.0/24", "10.4.2.0/24", "10.4.3.0/24"]
    );
}

#[tokio::test]
async fn a_deployment_becomes_pods_and_is_restarted_without_a_gap() {
    let cluster = EmulatedCluster::start().await;
    let path = format!("{DEPLOYMENTS}/web");
    cluster.create(DEPLOYMENTS, deployment("web")).await;
    let pods = "/api/v1/namespaces/default/pods?labelSelector=app=web";
    let first = cluster.until(pods, running).await;
    let pod = &items(&first)[0];
    assert!(
        pod["spec"]["nodeName"]
            .as_str()
            .unwrap()
            .contains("default-pool"),
        "{pod}"
    );
    assert!(
        pod["status"]["podIP"]
            .as_str()
            .unwrap()
            .starts_with("10.4."),
        "{pod}"
    );
    let restart = json!({"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}}}}});
    let (status, _) = cluster.send("PATCH", &path, STRATEGIC, &restart).await;
    assert_eq!(status, 200);
    let old = pod["metadata"]["name"].clone();
    let second = cluster
        .until(pods, |list| {
            let pods = list["items"].as_array().unwrap();
            assert!(
                pods.iter().any(|pod| pod["status"]["phase"] == "Running"),
                "nobody serves: {list:#}"
            );
            pods.len() == 1 && pods[0]["metadata"]["name"] != old
        })
        .await;
    assert!(running(&second));
    let done = cluster.get(&path).await.1;
    assert_eq!(
        done["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
        "2"
    );
    let scale = format!("{path}/scale");
    cluster
        .send(
            "PATCH",
            &scale,
            "application/merge-patch+json",
            &json!({"spec": {"replicas": 3}}),
        )
        .await;
    cluster
        .until(&scale, |scale| scale["status"]["replicas"] == 3)
        .await;
    cluster.delete(&path).await;
    cluster.until(pods, |list| list["items"] == json!([])).await;
}

#[tokio::test]
async fn a_gateway_waits_until_it_has_nodes() {
    let cluster = EmulatedCluster::start().await;
    let mut gateway = deployment("gw");
    gateway["spec"]["template"]["spec"]["affinity"] = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [{"matchExpressions": [{"key": "cloud.google.com/gke-nodepool", "operator": "In", "values": ["gateway"]}]}]}}});
    cluster.create(DEPLOYMENTS, gateway.clone()).await;
    let pods = "/api/v1/namespaces/default/pods?labelSelector=app=gw";
    let list = cluster
        .until(pods, |list| !list["items"].as_array().unwrap().is_empty())
        .await;
    let condition = &items(&list)[0]["status"]["conditions"][0];
    assert_eq!(
        (&condition["type"], &condition["reason"]),
        (&json!("PodScheduled"), &json!("Unschedulable"))
    );
    assert_eq!(
        condition["message"],
        "0/4 nodes are available: 1 node(s) had untolerated taint {dedicated: gateway}, 3 node(s) didn't match Pod's node affinity/selector. preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling."
    );
    let tolerates = json!({"spec": {"template": {"spec": {"tolerations": [{"key": "dedicated", "operator": "Equal", "value": "gateway"}]}}}});
    cluster
        .send("PATCH", &format!("{DEPLOYMENTS}/gw"), STRATEGIC, &tolerates)
        .await;
    let list = cluster.until(pods, running).await;
    assert!(
        items(&list)[0]["spec"]["nodeName"]
            .as_str()
            .unwrap()
            .contains("-gateway-")
    );
}

#[tokio::test]
async fn the_mesh_comes_with_its_kinds_and_injects() {
    let cluster = EmulatedCluster::start().await;
    let entries = "/apis/networking.istio.io/v1beta1/namespaces/default/serviceentries?fieldValidation=Strict";
    let entry = |spec: Value| json!({"apiVersion": "networking.istio.io/v1beta1", "kind": "ServiceEntry", "metadata": {"name": "e"}, "spec": spec});
    let spec = json!({"hosts": ["example.com"], "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}], "resolution": "DNS", "location": "MESH_EXTERNAL"});
    assert_eq!(
        cluster.post(entries, entry(spec.clone())).await.0,
        404,
        "not before the mesh is ready"
    );
    cluster
        .namespace("team-x", json!({"istio-injection": "enabled"}))
        .await;
    cluster.mesh().await;

    cluster.create(entries, entry(spec.clone())).await;
    let (_, other) = cluster
        .get("/apis/networking.istio.io/v1/namespaces/default/serviceentries/e")
        .await;
    assert_eq!(
        (&other["apiVersion"], &other["spec"]),
        (&json!("networking.istio.io/v1"), &spec)
    );
    let (status, refused) = cluster
        .post(entries, entry(json!({"hosts": ["a"], "protz": []})))
        .await;
    assert_eq!(
        (status, reason_and_message(&refused).1),
        (
            400,
            "ServiceEntry in version \"v1beta1\" cannot be handled as a ServiceEntry: strict decoding error: unknown field \"spec.protz\""
        )
    );
    let (_, revision) = cluster.get("/apis/mesh.cloud.google.com/v1beta1/namespaces/istio-system/controlplanerevisions/asm-managed").await;
    assert_eq!(revision["status"]["conditions"][0]["reason"], "Provisioned");

    cluster
        .create(
            "/apis/apps/v1/namespaces/team-x/deployments",
            deployment("test"),
        )
        .await;
    let list = cluster
        .until("/api/v1/namespaces/team-x/pods", running)
        .await;
    let names: Vec<&Value> = items(&list)[0]["spec"]["containers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, ["test", "istio-proxy"]);
    cluster.create(DEPLOYMENTS, deployment("plain")).await;
    let list = cluster
        .until(
            "/api/v1/namespaces/default/pods?labelSelector=app=plain",
            running,
        )
        .await;
    assert_eq!(
        items(&list)[0]["spec"]["containers"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_cluster_that_is_left_alone_stays_as_it_is() {
    let cluster = EmulatedCluster::start().await;
    cluster
        .namespace("team-x", json!({"istio-injection": "enabled"}))
        .await;
    cluster.mesh().await;
    let deployments = "/apis/apps/v1/namespaces/team-x/deployments";
    cluster.create(deployments, deployment("test")).await;
    let mut nowhere = deployment("nowhere");
    nowhere["spec"]["template"]["spec"]["nodeSelector"] = json!({"no": "node"});
    cluster.create(deployments, nowhere).await;
    let pods = "/api/v1/namespaces/team-x/pods";
    cluster
        .until(&format!("{pods}?labelSelector=app=test"), running)
        .await;
    cluster
        .until("/api/v1/namespaces/kube-system/pods", running)
        .await;
    let revision =
        async || cluster.get("/api/v1/pods").await.1["metadata"]["resourceVersion"].clone();
    assert_eq!(revision().await, revision().await);

    cluster
        .delete(&format!("{deployments}/test?propagationPolicy=Foreground"))
        .await;
    cluster
        .until(&format!("{deployments}/test"), |found| found["code"] == 404)
        .await;
    cluster
        .until(&format!("{pods}?labelSelector=app=test"), |list| {
            list["items"] == json!([])
        })
        .await;
    cluster.delete("/api/v1/namespaces/team-x").await;
    cluster
        .until("/api/v1/namespaces/team-x", |found| found["code"] == 404)
        .await;
    assert_eq!(cluster.get(pods).await.1["items"], json!([]));
}
