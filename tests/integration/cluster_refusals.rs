//! A cluster that does not do as `up` asks: out of reach, with a token that has expired, without a kind of object, with a
//! webhook that says no, with somebody else's fields, with a namespace that does not go. Each is told in the cluster's own
//! words with what to do and what is left, and `up` goes on when it is mended.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::common::changed_steps::changed_steps;
use crate::common::cloud::{Cloud, pointed_at};
use crate::common::kubernetes::BlockingClient;
use crate::common::program::{Said, User};
use crate::common::rewriting::Rewriting;
use crate::common::webhook::Webhook;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// What a failure says, line by line, of a step.
#[track_caller]
fn tells(said: &Said, lines: &[&str]) {
    assert!(
        said.err.contains(&lines.join("\n")),
        "{}\n\nin\n{}",
        lines.join("\n"),
        said.err
    );
}

#[test]
fn an_api_server_out_of_reach_is_told_with_the_way_in() {
    let cloud = Cloud::new();
    // Nobody listens on the discard port; the real API server drops packets instead of refusing them.
    let rewriting = Rewriting::new(cloud.address(), |path, body| {
        if path.ends_with("/clusters/cluster1") && body.get("endpoint").is_some() {
            body["endpoint"] = json!("127.0.0.1:9");
        }
    });
    let user = pointed_at(User::new(), rewriting.address());
    let said = user.run(&["up", "--yes", "--through", "mesh"]).ends(1);
    let from = said
        .err
        .find("error: default-nodes: read kubernetes.nodes default-pool: ")
        .unwrap_or_else(|| panic!("{}", said.err));
    let told: Vec<&str> = said.err[from..].lines().take(3).collect();
    assert!(told[0].contains("Connection refused"), "{told:?}");
    assert_eq!(
        told[1..],
        [
            "hint: the API server answers only authorized networks: `provision authorize` adds this machine's address",
            "left: nothing new",
        ]
    );
    assert!(
        !cloud.there("gkehub", "/memberships/").is_empty(),
        "what Google's own APIs make was made"
    );
    // As after `provision authorize`.
    cloud.run(&["up", "--yes", "--through", "mesh"]).ends(0);
}

#[test]
fn a_cluster_that_goes_away_in_mid_run_is_waited_for() {
    let cloud = Cloud::new();
    let flaky = Arc::new(Mutex::new(None::<Flaky>));
    let shared = Arc::clone(&flaky);
    let rewriting = Rewriting::new(cloud.address(), move |path, body| {
        if path.ends_with("/clusters/cluster1")
            && let Some(endpoint) = body["endpoint"].as_str().map(str::to_owned)
            && let Ok(to) = endpoint.parse()
        {
            let mut flaky = shared.lock().unwrap();
            let flaky = flaky.get_or_insert_with(|| Flaky::before(to));
            body["endpoint"] = json!(flaky.address.to_string());
        }
    });
    let user = pointed_at(User::new(), rewriting.address());
    let said = user
        .run(&["up", "--yes", "--through", "egress-gateway"])
        .ends(0);
    let flaky = flaky.lock().unwrap();
    let outage = &flaky.as_ref().unwrap().outage;
    assert_eq!(
        outage.dropped.load(Ordering::SeqCst),
        OUTAGE,
        "{}",
        said.err
    );
}

/// The outage begins in the middle of the answers about Istio's kinds, which are large.
const BEFORE_OUTAGE: usize = 60_000;
/// How many connections are tried in vain before it is over.
const OUTAGE: usize = 4;

/// Stands before an API server that is away once: what it was saying is cut off, and who calls finds nobody for a while.
struct Flaky {
    address: SocketAddr,
    outage: Arc<Outage>,
    _runtime: Runtime,
}

#[derive(Default)]
struct Outage {
    said: AtomicUsize,
    dropped: AtomicUsize,
}

impl Outage {
    fn is_now(&self) -> bool {
        self.said.load(Ordering::SeqCst) > BEFORE_OUTAGE
            && self.dropped.load(Ordering::SeqCst) < OUTAGE
    }
}

impl Flaky {
    fn before(server: SocketAddr) -> Flaky {
        let runtime = Runtime::new().unwrap();
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let outage = Arc::new(Outage::default());
        let shared = Arc::clone(&outage);
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                if shared.is_now() {
                    shared.dropped.fetch_add(1, Ordering::SeqCst);
                    continue;
                }
                tokio::spawn(forward(client, server, Arc::clone(&shared)));
            }
        });
        Flaky {
            address,
            outage,
            _runtime: runtime,
        }
    }
}

async fn forward(client: TcpStream, server: SocketAddr, outage: Arc<Outage>) {
    let server = TcpStream::connect(server).await.unwrap();
    let (mut down, mut up) = server.into_split();
    let (mut from, mut to) = client.into_split();
    let downward = async {
        let mut piece = vec![0; 8192];
        while let Ok(size @ 1..) = down.read(&mut piece).await {
            outage.said.fetch_add(size, Ordering::SeqCst);
            if outage.is_now() || to.write_all(&piece[..size]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        _ = tokio::io::copy(&mut from, &mut up) => {}
        () = downward => {}
    }
}

/// Runs `up` with a service account key whose tokens are these, the last of them for ever; says how many were fetched.
fn with_tokens(cloud: &Cloud, tokens: Vec<String>) -> (Said, usize) {
    let runtime = Runtime::new().unwrap();
    let fetched = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fetched);
    let answer = move || {
        let nth = count.fetch_add(1, Ordering::SeqCst);
        let token = tokens.get(nth).or(tokens.last()).unwrap().clone();
        let body = json!({"access_token": token, "expires_in": 3600, "token_type": "Bearer"});
        async move { ([(CONTENT_TYPE, "application/json")], body.to_string()) }
    };
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0)))
        .unwrap();
    let endpoint = format!("http://{}/", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer);
    runtime.spawn(async move { axum::serve(listener, router).await });

    let mut key: Value =
        serde_json::from_str(include_str!("../../fixtures/service-account.json")).unwrap();
    key["token_uri"] = json!(endpoint);
    let user = pointed_at(User::new(), cloud.address());
    let file = user.home().join("key.json");
    std::fs::write(&file, key.to_string()).unwrap();
    let user = user
        .with("CLOUDSDK_AUTH_DISABLE_CREDENTIALS", "false")
        .with("GOOGLE_APPLICATION_CREDENTIALS", file.display().to_string());
    let said = user.run(&["up", "--yes", "--through", "cluster"]);
    (said, fetched.load(Ordering::SeqCst))
}

/// A token that says of itself that it expired long ago; only the cluster reads it.
fn expired(name: &str) -> String {
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let claims = json!({"sub": name, "exp": 1_000_000_000});
    format!("{}.{}.c2ln", part(json!({"alg": "none"})), part(claims))
}

#[test]
fn a_token_that_expired_is_fetched_anew_once() {
    let cloud = Cloud::new();
    let (said, fetched) = with_tokens(&cloud, vec![expired("first"), "good".to_owned()]);
    said.ends(0);
    assert_eq!(fetched, 2);

    let (said, fetched) = with_tokens(&cloud, vec![expired("first"), expired("second")]);
    let said = said.ends(1);
    tells(
        &said,
        &[
            "error: default-nodes: read kubernetes.nodes default-pool: Unauthorized (HTTP 401)",
            "hint: run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a service account key",
            "left: nothing new",
        ],
    );
    assert_eq!(fetched, 2, "not over and over");
}

#[test]
fn a_kind_of_object_that_nobody_defines_is_named() {
    let cloud = Cloud::new();
    let steps = changed_steps(
        cloud.user.home(),
        &[(
            "40-mesh.yaml",
            "    - virtualservices.networking.istio.io\nneeds:\n  - mesh-ready\n---",
            "    - virtualservices.networking.istio.io\n    - widgets.example.com\nneeds:\n  - mesh-ready\nwithin: 1s\n---\n\
                 step: widget\nsays: An object.\nkind: kubernetes.object\nat:\n  project: ${param.project}\n  location: ${param.zone}\n  \
                 cluster: ${param.cluster}\nwant: {apiVersion: example.com/v1, kind: Widget, metadata: {name: w, namespace: default}}\n\
                 needs: [default-pool]\nwithin: 1s\n---",
        )],
    );
    let up = ["up", "--yes", "--through", "mesh", "--steps", &steps];
    let said = cloud.run(&up).ends(1);
    tells(
        &said,
        &[
            "error: istio-managed: kubernetes.definitions istio: timed out after 1 s: no widgets.example.com",
            "hint: run again to continue waiting; Google's page on a managed mesh that is not ready: https://cloud.google.com/service-mesh/docs/troubleshooting/troubleshoot-managed-service-mesh",
            "left: nothing new",
        ],
    );
    tells(
        &said,
        &[
            "error: widget: create kubernetes.object w: 404 page not found (HTTP 404)",
            "hint: the cluster does not know this kind of object: install its CustomResourceDefinition, then run again",
            "left: nothing new",
        ],
    );
    let names = json!({"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"});
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    BlockingClient::of(&cloud).post(
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "widgets.example.com"},
            "spec": {"group": "example.com", "scope": "Namespaced", "names": names,
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}]},
        }),
    );
    cloud.run(&up).ends(0);
}

#[test]
fn a_webhook_that_refuses_is_heard_in_its_own_words() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes", "--through", "mesh"]).ends(0);
    let cluster = BlockingClient::of(&cloud);
    let webhook =
        Webhook::refusing(json!({"code": 403, "message": "[egress] no Gateway without an owner"}));
    let rule = json!({"apiGroups": ["networking.istio.io"], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "resources": ["gateways"]});
    let configurations = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
    cluster.post(
        configurations,
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "house-rules"},
            "webhooks": [{"name": "rules.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None",
                "clientConfig": webhook.client_config(), "rules": [rule], "failurePolicy": "Fail"}],
        }),
    );
    let said = cloud.run(&["up", "--yes", "--through", "routing"]).ends(1);
    tells(
        &said,
        &[
            "error: egress-gateway-http: create kubernetes.object egress-gateway: admission webhook \"rules.example.com\" denied the request: [egress] no Gateway without an owner (HTTP 403)",
            "hint: a webhook or a policy in the cluster refused the object: change the step, or ask the owner of the webhook",
            "left: nothing new",
        ],
    );
    let asked = webhook.asked();
    assert_eq!(asked.len(), 1, "a no is not asked for again");
    let request = &asked[0]["request"];
    assert_eq!(request["operation"], "CREATE");
    assert_eq!(
        request["object"]["spec"]["selector"]["istio"],
        "egressgateway"
    );

    webhook.relent();
    cloud.run(&["up", "--yes", "--through", "routing"]).ends(0);
}

#[test]
fn fields_of_somebody_else_are_left_or_taken_over_as_told() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes", "--through", "mesh"]).ends(0);
    let cluster = BlockingClient::of(&cloud);
    let namespaces = "/api/v1/namespaces";
    cluster.post(
        &format!("{namespaces}?fieldManager=kubectl-create"),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-x", "labels": {"team": "red", "cost": "7"}}}),
    );
    let up = ["up", "--yes", "--through", "test-application"];
    let said = cloud.run(&up).ends(1);
    tells(
        &said,
        &[
            "error: namespace-team-x: kubernetes.object team-x has fields that another field manager owns: metadata.labels.team is \"red\", wanted \"x\" (owned by kubectl-create); metadata.labels.istio-injection is null, wanted \"enabled\"",
            "hint: remove these fields from the step, or take them over with --force-conflicts",
            "left: team-x is unchanged",
        ],
    );
    let team_x = format!("{namespaces}/team-x");
    assert_eq!(cluster.get(&team_x)["metadata"]["labels"]["team"], "red");

    // `plan` shows it like any other change, and goes on with the other steps.
    let plan = ["plan", "--through", "test-application"];
    let said = cloud.run(&plan).ends(3);
    assert!(said.out.contains("! namespace-team-x"), "{}", said.out);
    assert!(
        said.out
            .contains("metadata.labels.team  red -> x, owned by kubectl-create\n"),
        "{}",
        said.out
    );
    assert!(said.out.contains("1 in conflict"), "{}", said.out);
    assert!(said.out.contains("+ test-service-team-x"), "{}", said.out);
    let said = cloud.run(&["status"]).ends(0);
    let row = said
        .out
        .lines()
        .find(|line| line.starts_with("namespace-team-x "));
    assert!(row.unwrap().contains(" in conflict "), "{}", said.out);
    let forced = [&plan[..], &["--force-conflicts"]].concat();
    let said = cloud.run(&forced).ends(3);
    assert!(
        said.out
            .contains("metadata.labels.team  red -> x, taken over from kubectl-create\n"),
        "{}",
        said.out
    );

    let forced = [&up[..], &["--force-conflicts"]].concat();
    cloud.run(&forced).ends(0);
    let labels = cluster.get(&team_x)["metadata"]["labels"].clone();
    assert_eq!(
        (&labels["team"], &labels["cost"]),
        (&json!("x"), &json!("7")),
        "only what the step says is taken over"
    );
    cloud
        .run(&["plan", "--through", "test-application"])
        .ends(0);

    // The same of an object of ours that somebody changes afterwards.
    cluster.merge(
        &format!("{namespaces}/team-y?fieldManager=kubectl-label"),
        json!({"metadata": {"labels": {"team": "blue"}}}),
    );
    let said = cloud.run(&up).ends(1);
    tells(
        &said,
        &[
            "error: namespace-team-y: kubernetes.object team-y has fields that another field manager owns: metadata.labels.team is \"blue\", wanted \"y\" (owned by kubectl-label)",
        ],
    );
    cloud.run(&forced).ends(0);
    let team_y = cluster.get(&format!("{namespaces}/team-y"));
    assert_eq!(team_y["metadata"]["labels"]["team"], "y");
}

#[test]
fn a_namespace_that_does_not_go_is_told_with_what_holds_it() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes", "--through", "mesh"]).ends(0);
    let cluster = BlockingClient::of(&cloud);
    let namespaces = "/api/v1/namespaces";
    cluster.post(
        namespaces,
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-x"}}),
    );
    let maps = format!("{namespaces}/team-x/configmaps");
    cluster.post(
        &maps,
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": ["example.com/hold"]}}),
    );
    cluster.call(
        "DELETE",
        &format!("{namespaces}/team-x"),
        "application/json",
        &json!({}),
    );

    let steps = changed_steps(
        cloud.user.home(),
        &[(
            "46-test-application.yaml",
            "step: namespace-team-x\n",
            "step: namespace-team-x\nwithin: 1s\n",
        )],
    );
    let up = [
        "up",
        "--yes",
        "--through",
        "test-application",
        "--steps",
        &steps,
    ];
    let said = cloud.run(&up).ends(1);
    tells(
        &said,
        &[
            "error: namespace-team-x: kubernetes.object team-x: timed out after 1 s: being deleted: Some resources are remaining: configmaps. has 1 resource instances; Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
            "hint: the cluster deletes it when the finalizers and resources named above are gone: remove them, then run again",
            "left: team-x exists and is not ready",
        ],
    );
    cluster.merge(
        &format!("{maps}/held"),
        json!({"metadata": {"finalizers": null}}),
    );
    cloud.run(&up).ends(0);
}
