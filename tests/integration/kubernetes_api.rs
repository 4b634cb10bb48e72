//! A cluster's Kubernetes API over https: objects, refusals, patches, ownership of fields.

use crate::common::kubernetes::{EmulatedCluster, deployment, reason_and_message};
use serde_json::{Value, json};

const MERGE: &str = "application/merge-patch+json";

fn config_map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"app": name}}, "data": data})
}

#[tokio::test]
async fn a_token_is_needed_and_any_will_do() {
    let cluster = EmulatedCluster::start().await;
    let refused = cluster
        .bare("GET", "/api/v1/namespaces")
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 401);
    let status: Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
    assert_eq!(
        status,
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "Unauthorized", "reason": "Unauthorized", "code": 401})
    );
    for credentials in ["Basic YTpi", "Bearer", "Bearer ", "a-token"] {
        let said = cluster
            .bare("GET", "/api/v1/namespaces")
            .header("authorization", credentials);
        assert_eq!(said.send().await.unwrap().status(), 401, "{credentials:?}");
    }
    for (header, value) in [
        ("host", "rebound.example.com"),
        ("origin", "https://rebound.example.com"),
        ("sec-fetch-site", "cross-site"),
    ] {
        for path in ["/version", "/api/v1/namespaces"] {
            let page = cluster.request("GET", path).header(header, value);
            let status = page.send().await.unwrap().status();
            assert_eq!(status, 403, "{header}: {value}: {path}");
        }
    }
    for path in ["/version", "/livez", "/readyz"] {
        assert_eq!(
            cluster.bare("GET", path).send().await.unwrap().status(),
            200,
            "{path}"
        );
    }
    let (_, version) = cluster.get("/version").await;
    assert!(
        version["gitVersion"].as_str().unwrap().contains("-gke."),
        "{version}"
    );
    assert_eq!(cluster.get("/api/v1/namespaces").await.0, 200);
}

#[tokio::test]
async fn a_cluster_listens_on_loopback_alone() {
    let cluster = EmulatedCluster::start().await;
    let (host, port) = cluster.endpoint.split_once(':').unwrap();
    let port: u16 = port.parse().unwrap();
    assert_eq!(host, "127.0.0.1");
    std::net::TcpStream::connect((host, port)).unwrap();
    // All of 127.0.0.0/8 leads to this machine, and only one address of it to the cluster.
    assert!(std::net::TcpStream::connect(("127.0.0.2", port)).is_err());
}

#[tokio::test]
async fn a_body_without_end_is_not_read_to_its_end() {
    let cluster = EmulatedCluster::start().await;
    let data = json!({"a": "x".repeat((3 << 20) + 1)});
    let sent = cluster
        .request("POST", "/api/v1/namespaces/default/configmaps")
        .json(&config_map("long", data))
        .send()
        .await;
    // A server that has read enough may end the connection before the client has sent all.
    if let Ok(answer) = sent {
        assert_eq!(answer.status().as_u16(), 413);
    }
    let (status, _) = cluster
        .get("/api/v1/namespaces/default/configmaps/long")
        .await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_cluster_that_is_deleted_answers_no_longer() {
    let cluster = EmulatedCluster::start().await;
    let path = format!(
        "{}/clusters/cluster1",
        crate::common::emulator::longrunning::ZONE
    );
    let begun = cluster.cloud.delete(&path).await;
    cluster
        .cloud
        .finish(crate::common::emulator::longrunning::ZONE, begun)
        .await;
    assert!(cluster.request("GET", "/version").send().await.is_err());
}

#[tokio::test]
async fn what_is_inside_survives_a_restart_and_so_does_the_authority() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    let cloud = crate::common::emulator::Cloud::with("0", Some(state.clone())).await;
    cloud.enable(&["compute", "container", "gkehub"]).await;
    cloud.network().await;
    let ranges = json!([{"rangeName": "pods", "ipCidrRange": "10.4.0.0/16"}, {"rangeName": "services", "ipCidrRange": "10.6.0.0/20"}]);
    let subnet = json!({"name": "subnet-gke", "network": "global/networks/vpc", "ipCidrRange": "10.0.0.0/24", "secondaryIpRanges": ranges});
    cloud
        .operate("POST", "regions/us-central1/subnetworks", Some(subnet))
        .await;
    cloud
        .settled(&format!(
            "{}/clusters",
            crate::common::emulator::longrunning::ZONE
        ))
        .await;
    let cluster = EmulatedCluster::of(cloud).await;
    let made = cluster
        .create(
            "/api/v1/namespaces/default/configmaps",
            config_map("kept", json!({"a": "1"})),
        )
        .await;
    let authority = cluster.authority.clone();
    // Nothing is said on the way out that was not said before: as after a kill.
    let EmulatedCluster { cloud, .. } = cluster;
    cloud.running.stop().await;

    let again =
        EmulatedCluster::join(crate::common::emulator::Cloud::with("0", Some(state)).await).await;
    assert_eq!(again.authority, authority);
    let (status, found) = again
        .get("/api/v1/namespaces/default/configmaps/kept")
        .await;
    assert_eq!((status, found), (200, made));
    let (status, gone) = again
        .get("/api/v1/namespaces/default/configmaps?watch=true&resourceVersion=1")
        .await;
    assert_eq!((status, &gone["reason"]), (410, &json!("Expired")));
}

#[tokio::test]
async fn refusals_are_worded_as_kubernetes_words_them() {
    let cluster = EmulatedCluster::start().await;
    let maps = "/api/v1/namespaces/default/configmaps";
    cluster.create(maps, config_map("a", json!({}))).await;
    let service = |ports: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": ports}});
    let namespace =
        |name: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let mut unmatched = deployment("d");
    unmatched["spec"]["template"]["metadata"]["labels"] = json!({"app": "e"});
    let strict = "?fieldValidation=Strict";
    let services = format!("/api/v1/namespaces/default/services{strict}");
    let cases = [
        (
            maps.to_owned(),
            config_map("a", json!({})),
            409,
            "AlreadyExists",
            "configmaps \"a\" already exists",
        ),
        (
            "/api/v1/namespaces/none/configmaps".to_owned(),
            config_map("a", json!({})),
            404,
            "NotFound",
            "namespaces \"none\" not found",
        ),
        (
            maps.to_owned(),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}),
            422,
            "Invalid",
            "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required",
        ),
        (
            maps.to_owned(),
            json!({"apiVersion": "v2", "kind": "ConfigMap", "metadata": {"name": "b"}}),
            400,
            "BadRequest",
            "the API version in the data (v2) does not match the expected API version (v1)",
        ),
        (
            services.clone(),
            service(json!([{"port": 80, "nmae": "x"}])),
            400,
            "BadRequest",
            "Service in version \"v1\" cannot be handled as a Service: strict decoding error: unknown field \"spec.ports[0].nmae\"",
        ),
        (
            services.clone(),
            service(json!([{"port": "80"}])),
            400,
            "BadRequest",
            "Service in version \"v1\" cannot be handled as a Service: json: cannot unmarshal string into Go struct field ServicePort.spec.ports.port of type int32",
        ),
        (
            services,
            service(json!([{"name": "x"}])),
            422,
            "Invalid",
            "Service \"s\" is invalid: spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
        ),
        (
            "/apis/apps/v1/namespaces/default/deployments".to_owned(),
            unmatched,
            422,
            "Invalid",
            "Deployment.apps \"d\" is invalid: spec.template.metadata.labels: Invalid value: {\"app\":\"e\"}: `selector` does not match template `labels`",
        ),
    ];
    for (path, body, code, reason, message) in cases {
        let (status, refused) = cluster.post(&path, body).await;
        assert_eq!(
            (status, reason_and_message(&refused)),
            (code, (reason, message)),
            "{path}"
        );
        assert_eq!(refused["code"], code);
    }
    let (status, refused) = cluster.post("/api/v1/namespaces", namespace("Team")).await;
    assert_eq!((status, reason_and_message(&refused).0), (422, "Invalid"));
    let (status, refused) = cluster.get("/api/v1/namespaces/default/pods/none").await;
    assert_eq!(
        (status, reason_and_message(&refused)),
        (404, ("NotFound", "pods \"none\" not found"))
    );
    assert_eq!(refused["details"], json!({"name": "none", "kind": "pods"}));
    let (status, refused) = cluster.delete("/api/v1/namespaces/default").await;
    assert_eq!(
        (status, reason_and_message(&refused).1),
        (
            403,
            "namespaces \"default\" is forbidden: this namespace may not be deleted"
        )
    );
}

#[tokio::test]
async fn lists_are_selected_and_come_in_pieces() {
    let cluster = EmulatedCluster::start().await;
    let maps = "/api/v1/namespaces/default/configmaps";
    for name in ["a", "b", "c"] {
        cluster.create(maps, config_map(name, json!({}))).await;
    }
    let names = |list: &Value| -> Vec<String> {
        let items = list["items"].as_array().unwrap().iter();
        items
            .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let (_, some) = cluster
        .get(&format!("{maps}?labelSelector=app%20in%20(a,c)"))
        .await;
    assert_eq!(names(&some), ["a", "c"]);
    let (_, one) = cluster
        .get(&format!("{maps}?fieldSelector=metadata.name%3Db"))
        .await;
    assert_eq!(names(&one), ["b"]);
    let (_, first) = cluster
        .get(&format!("{maps}?labelSelector=app&limit=2"))
        .await;
    assert_eq!(
        (names(&first), &first["metadata"]["remainingItemCount"]),
        (vec!["a".into(), "b".into()], &json!(1))
    );
    let token = first["metadata"]["continue"].as_str().unwrap();
    let (_, rest) = cluster
        .get(&format!(
            "{maps}?labelSelector=app&limit=2&continue={token}"
        ))
        .await;
    assert_eq!(names(&rest), ["c"]);
    assert!(rest["metadata"].get("continue").is_none());
    let (status, _) = cluster.get(&format!("{maps}?continue=nonsense")).await;
    assert_eq!(status, 410);
}

#[tokio::test]
async fn patches_change_what_they_say_and_dry_runs_nothing() {
    let cluster = EmulatedCluster::start().await;
    let path = "/api/v1/namespaces/default/configmaps/a";
    let made = cluster
        .create(
            "/api/v1/namespaces/default/configmaps",
            config_map("a", json!({"k": "1"})),
        )
        .await;
    assert_eq!(made["metadata"]["managedFields"][0]["manager"], "tests");
    let dry = format!("{path}?dryRun=All");
    let (_, tried) = cluster
        .send("PATCH", &dry, MERGE, &json!({"data": {"k": "2"}}))
        .await;
    assert_eq!(tried["data"]["k"], "2");
    assert_eq!(cluster.get(path).await.1, made);
    let (_, same) = cluster
        .send("PATCH", path, MERGE, &json!({"data": {"k": "1"}}))
        .await;
    assert_eq!(same, made, "a patch that changes nothing makes no revision");
    let steps = json!([{"op": "replace", "path": "/data/k", "value": "3"}]);
    let (_, third) = cluster
        .send("PATCH", path, "application/json-patch+json", &steps)
        .await;
    assert_eq!(third["data"]["k"], "3");
    let mut old = made.clone();
    old["data"]["k"] = json!("4");
    let (status, refused) = cluster.send("PUT", path, "application/json", &old).await;
    assert_eq!(
        (status, reason_and_message(&refused)),
        (
            409,
            (
                "Conflict",
                "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again"
            )
        )
    );
    let (status, refused) = cluster.send("PATCH", path, "text/plain", &json!({})).await;
    assert_eq!(
        (status, reason_and_message(&refused).0),
        (415, "UnsupportedMediaType")
    );
}

#[tokio::test]
async fn who_applies_owns_and_others_are_told() {
    let cluster = EmulatedCluster::start().await;
    let path = "/apis/apps/v1/namespaces/default/deployments/web";
    let (status, made) = cluster.apply(path, "provision", deployment("web")).await;
    assert_eq!(status, 201, "{made:#}");
    let before = cluster
        .until(path, |found| found["status"]["availableReplicas"] == 1)
        .await;
    let (status, same) = cluster.apply(path, "provision", deployment("web")).await;
    assert_eq!(
        (status, &same),
        (200, &before),
        "applying the same again changes nothing at all"
    );

    let mut scaled = json!({"spec": {"replicas": 2}});
    cluster
        .send(
            "PATCH",
            &format!("{path}?fieldManager=kubectl-edit"),
            MERGE,
            &scaled,
        )
        .await;
    scaled = deployment("web");
    scaled["spec"]["replicas"] = json!(3);
    let (status, refused) = cluster.apply(path, "provision", scaled.clone()).await;
    assert_eq!(
        (status, reason_and_message(&refused)),
        (
            409,
            (
                "Conflict",
                "Apply failed with 1 conflict: conflict with \"kubectl-edit\" using apps/v1: .spec.replicas"
            )
        )
    );
    assert_eq!(refused["details"]["causes"][0]["field"], ".spec.replicas");
    let (status, forced) = cluster
        .apply(&format!("{path}?force=true"), "provision", scaled)
        .await;
    assert_eq!((status, &forced["spec"]["replicas"]), (200, &json!(3)));

    let mut wrong = deployment("web");
    wrong["spec"]["replicaz"] = json!(1);
    let (status, refused) = cluster.apply(path, "provision", wrong).await;
    assert_eq!(
        (status, reason_and_message(&refused).1),
        (
            500,
            "failed to create typed patch object (/web; apps/v1, Kind=Deployment): .spec.replicaz: field not declared in schema"
        )
    );
}

#[tokio::test]
async fn namespaces_come_furnished_and_go_with_what_is_in_them() {
    let cluster = EmulatedCluster::start().await;
    cluster.namespace("team-x", json!({"team": "x"})).await;
    let (_, namespace) = cluster.get("/api/v1/namespaces/team-x").await;
    assert_eq!(
        namespace["metadata"]["labels"],
        json!({"team": "x", "kubernetes.io/metadata.name": "team-x"})
    );
    for path in ["serviceaccounts/default", "configmaps/kube-root-ca.crt"] {
        assert_eq!(
            cluster
                .get(&format!("/api/v1/namespaces/team-x/{path}"))
                .await
                .0,
            200,
            "{path}"
        );
    }
    let mut held = config_map("held", json!({}));
    held["metadata"]["finalizers"] = json!(["example.com/wait"]);
    cluster
        .create("/api/v1/namespaces/team-x/configmaps", held)
        .await;
    let (status, leaving) = cluster.delete("/api/v1/namespaces/team-x").await;
    assert_eq!(
        (status, &leaving["status"]["phase"]),
        (200, &json!("Terminating"))
    );
    let (status, refused) = cluster
        .post(
            "/api/v1/namespaces/team-x/configmaps",
            config_map("late", json!({})),
        )
        .await;
    assert_eq!(
        (status, &refused["details"]["causes"][0]["reason"]),
        (403, &json!("NamespaceTerminating"))
    );
    cluster
        .until("/api/v1/namespaces/team-x/serviceaccounts", |list| {
            list["items"] == json!([])
        })
        .await;
    assert_eq!(
        cluster.get("/api/v1/namespaces/team-x").await.0,
        200,
        "the namespace waits for the finalizer"
    );
    cluster
        .send(
            "PATCH",
            "/api/v1/namespaces/team-x/configmaps/held",
            MERGE,
            &json!({"metadata": {"finalizers": null}}),
        )
        .await;
    cluster
        .until("/api/v1/namespaces/team-x", |found| found["code"] == 404)
        .await;
}
