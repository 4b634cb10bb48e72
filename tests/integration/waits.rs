//! What users wait for: nodes with their taint, kinds of objects, pods with their proxy where they belong; and namespaces that
//! name the revision which injects.

use crate::common::changed_steps::changed_steps;
use crate::common::cloud::Cloud;
use crate::common::kubernetes::BlockingClient;
use serde_json::{Value, json};

const WAITS: &[&str] = &[
    "default-nodes",
    "gateway-nodes",
    "mesh-ready",
    "istio-managed",
    "gateway-pods",
    "gateway-ready",
    "test-pods-team-x",
    "test-ready-team-x",
];

#[test]
fn a_wait_shows_as_one_before_and_after() {
    let cloud = Cloud::new();
    let through = ["--through", "test-application"];
    let plan = cloud.run(&[&["plan"], &through[..]].concat()).ends(3).out;
    for wait in WAITS {
        let shown = plan
            .lines()
            .find(|line| line.contains(&format!(". {wait}  ")));
        assert!(
            shown.is_some_and(|line| line.ends_with(" waits")),
            "{wait}: {plan}"
        );
    }
    let counted = format!(", {} to wait for\n", WAITS.len());
    assert!(plan.ends_with(&counted), "{plan}");

    let live = |code: i32| -> Vec<(String, String)> {
        let args = ["status", "--output", "json"];
        let said = cloud.run(&args).ends(code).out;
        let rows = said
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.map(|row| {
            let text = |key: &str| row[key].as_str().unwrap().to_owned();
            (text("step"), text("live"))
        })
        .filter(|(step, _)| WAITS.contains(&step.as_str()))
        .collect()
    };
    let all = |word: &str| -> Vec<(String, String)> {
        let pair = |step: &&str| ((*step).to_owned(), word.to_owned());
        WAITS.iter().map(pair).collect()
    };
    assert_eq!(live(0), all("waits"));
    cloud
        .run(&[&["up", "--yes"], &through[..]].concat())
        .ends(0);
    assert_eq!(live(0), all("as wanted"));
}

/// The labels of a namespace by which injection is chosen, and the revision that injected its pods.
fn injected(cluster: &BlockingClient, namespace: &str) -> (Value, Vec<String>) {
    let path = format!("/api/v1/namespaces/{namespace}");
    let labels = cluster.get(&path)["metadata"]["labels"].clone();
    let chosen = ["istio-injection", "istio.io/rev"];
    let labels = chosen
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), labels.get(*key)?.clone())))
        .collect::<serde_json::Map<_, _>>();
    let pods = cluster.get(&format!("{path}/pods"));
    let pods = pods["items"].as_array().unwrap().iter();
    let by = pods
        .filter(|pod| pod["metadata"].get("deletionTimestamp").is_none())
        .map(|pod| {
            let containers = pod["spec"]["containers"].as_array().unwrap();
            assert!(
                containers
                    .iter()
                    .any(|one| one["name"] == "istio-proxy" && one["image"] != "auto"),
                "{pod:#}"
            );
            pod["metadata"]["annotations"]["istio.io/rev"]
                .as_str()
                .unwrap()
                .to_owned()
        });
    (labels.into(), by.collect())
}

#[test]
fn namespaces_name_the_revision_where_that_is_asked_for() {
    let cloud = Cloud::new();
    let up = |injection: &str| {
        let set = format!("injection={injection}");
        let args = [
            "up",
            "--yes",
            "--through",
            "test-application",
            "--set",
            &set,
        ];
        cloud.run(&args).ends(0)
    };
    up("revision");
    let cluster = BlockingClient::of(&cloud);
    let by_revision = json!({"istio.io/rev": "asm-managed"});
    for namespace in ["istio-egress", "team-x"] {
        let expected = (by_revision.clone(), vec!["asm-managed".to_owned()]);
        assert_eq!(injected(&cluster, namespace), expected, "{namespace}");
    }
    assert_eq!(injected(&cluster, "team-y").0, by_revision);
    let deployment = "/apis/apps/v1/namespaces/istio-egress/deployments/istio-egressgateway";
    let revision = |at: &str| cluster.get(deployment).pointer(at).cloned();
    let (own, of_pods) = (
        "/metadata/labels/istio.io~1rev",
        "/spec/template/metadata/labels/istio.io~1rev",
    );
    assert_eq!(
        (revision(own), revision(of_pods)),
        (Some(json!("asm-managed")), Some(json!("asm-managed")))
    );
    let plan = cloud
        .run(&["plan", "--through", "test-application"])
        .ends(0);
    assert!(plan.out.ends_with(" as wanted\n"), "{}", plan.out);

    up("default");
    for namespace in ["istio-egress", "team-x", "team-y"] {
        let (labels, _) = injected(&cluster, namespace);
        assert_eq!(labels, json!({"istio-injection": "enabled"}), "{namespace}");
    }
    assert_eq!(
        (revision(own), revision(of_pods)),
        (Some(json!("default")), None)
    );
}

#[test]
fn the_revision_of_a_control_plane_in_the_cluster_is_istiods_label() {
    let cloud = Cloud::new();
    // A mesh of any sort brings the kinds along; the istiod is somebody's own.
    cloud.run(&["up", "--yes", "--through", "mesh"]).ends(0);
    let labels = json!({"app": "istiod", "istio.io/rev": "asm-1282-4"});
    let pod = json!({"containers": [{"name": "discovery", "image": "pilot"}]});
    BlockingClient::of(&cloud).post(
        "/apis/apps/v1/namespaces/istio-system/deployments",
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "istiod-asm-1282-4", "labels": labels},
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
        }),
    );
    let set = [
        "--set",
        "control_plane=in-cluster",
        "--set",
        "injection=revision",
    ];
    cloud
        .run(&[&["up", "--yes", "--through", "mesh"], &set[..]].concat())
        .ends(0);
    let plan = cloud
        .run(&[&["plan", "--through", "egress-gateway"], &set[..]].concat())
        .ends(3)
        .out;
    assert_eq!(
        plan.matches("metadata.labels.istio.io/rev  asm-1282-4\n")
            .count(),
        9,
        "the namespace, seven objects and the gateway's pods: {plan}"
    );
}

#[test]
fn a_run_that_did_something_says_where_its_time_went() {
    let cloud = Cloud::new();
    let up = || {
        cloud
            .run(&["up", "--yes", "--through", "cluster", "-v"])
            .ends(0)
            .out
    };
    let said = up();
    let slowest = said.find("\nslowest: ").map(|from| &said[from + 1..]);
    assert!(
        slowest.is_some_and(|text| text.lines().all(|line| line.len() <= 80)),
        "{said}"
    );
    assert!(!up().contains("slowest"), "it did nothing");
}

#[test]
fn a_pod_that_injection_passed_over_is_told_with_the_reason() {
    let cloud = Cloud::new();
    let steps = changed_steps(
        cloud.user.home(),
        &[(
            "manifests/team-x-namespace.yaml",
            "istio-injection: enabled",
            "other: label",
        )],
    );
    let up = ["up", "--yes", "--through", "test-application"];
    let said = cloud.run(&[&up[..], &["--steps", &steps]].concat()).ends(1);
    let told = "error: test-pods-team-x: kubernetes.pods test: injection missing: namespace team-x has neither istio-injection nor istio.io/rev, which no injecting webhook selects (webhooks: ";
    assert!(said.err.contains(told), "{}", said.err);
    let hint = "A pod without a sidecar does not get one later: fix the cause, then run `kubectl -n team-x rollout restart deployment test`.\nleft: nothing new\n";
    assert!(said.err.contains(hint), "{}", said.err);

    // The label alone helps no pod that is there. The folder of steps is remembered until it is forgotten.
    cloud.run(&["config", "--unset", "steps"]).ends(0);
    let said = cloud.run(&up).ends(1);
    let told = "injection missing: istio-revision-tag-default-asm-managed would inject the proxy: the pod is older than this webhook";
    assert!(said.err.contains(told), "{}", said.err);
    let restart = json!({"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}});
    let cluster = BlockingClient::of(&cloud);
    cluster.merge("/apis/apps/v1/namespaces/team-x/deployments/test", restart);
    cloud.run(&up).ends(0);
}

#[test]
fn gateway_pods_that_no_node_takes_are_told_with_the_reason() {
    let cloud = Cloud::new();
    let tolerations = "      tolerations:\n        - key: dedicated\n          operator: Equal\n          value: gateway\n";
    let within = ("42-egress-gateway.yaml", "within: 15m", "within: 1s");
    let deployment = "manifests/istio-egressgateway-deployment.yaml";
    let up = |change: (&str, &str, &str)| {
        let steps = changed_steps(cloud.user.home(), &[within, change]);
        let args = [
            "up",
            "--yes",
            "--through",
            "egress-gateway",
            "--steps",
            &steps,
        ];
        cloud.run(&args).ends(1).err
    };
    let told = up((deployment, tolerations, ""));
    let pending = "error: gateway-pods: kubernetes.pods istio-egressgateway: timed out after 1 s: pod istio-egressgateway-";
    for words in [
        pending,
        ": Unschedulable: 0/4 nodes are available: ",
        "; the pod does not tolerate the taint dedicated=gateway:NoSchedule\nhint: ",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    // It names the next command, and does not repeat the sentence of the step.
    let hint = told.lines().find(|line| line.starts_with("hint: "));
    let hint = hint.unwrap();
    assert!(hint.contains("`kubectl "), "{hint}");
    let steps = cloud.run(&["steps", "--output", "json"]).ends(0).out;
    let wait = steps
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let wait = wait
        .into_iter()
        .find(|step: &Value| step["id"] == "gateway-pods");
    let says = wait.unwrap()["says"].as_str().unwrap().to_owned();
    assert!(!hint.contains(says.trim()), "{hint}");
    let told = up((
        "42-egress-gateway.yaml",
        "  nodePool: gateway\n",
        "  nodePool: edge\n",
    ));
    assert!(
        told.contains("which is not in the node pool edge"),
        "{told}"
    );
}
