//! Requests from pods in the environment after `up`: the tutorial's answers, the proxies' logs of them, and what changes when an object
//! is deleted.

use std::time::{Duration, Instant};

use crate::common::cloud::{Cloud, PROJECT};
use crate::common::kubernetes::BlockingClient;
use serde_json::{Value, json};

/// How long the cluster's controllers and proxies may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The environment, and a client of its cluster.
struct Plane {
    cluster: BlockingClient,
    // Dropped last: it serves the cluster.
    cloud: Cloud,
}

/// The result of a command in a pod.
#[derive(Debug, PartialEq, Eq)]
struct ExecResult {
    out: String,
    err: String,
    code: u64,
    /// The error of the channel, if it is not an exit code.
    message: String,
}

impl Plane {
    /// The environment after `up` with these arguments.
    fn after_up(args: &[&str]) -> Plane {
        let cloud = Cloud::new();
        cloud.run(&[&["up", "--yes"], args].concat()).ends(0);
        Plane {
            cluster: BlockingClient::of(&cloud),
            cloud,
        }
    }

    /// The first pod of a namespace with this label, once it runs.
    fn pod(&self, namespace: &str, label: &str) -> String {
        let path = format!("/api/v1/namespaces/{namespace}/pods?labelSelector={label}");
        let until = std::time::Instant::now() + PATIENCE;
        loop {
            let list = self.cluster.get(&path);
            let pods = list["items"].as_array().unwrap();
            let ready = |pod: &&Value| {
                pod["status"]["phase"] == "Running"
                    && pod["metadata"].get("deletionTimestamp").is_none()
            };
            if let Some(pod) = pods.iter().find(ready) {
                return pod["metadata"]["name"].as_str().unwrap().to_owned();
            }
            assert!(std::time::Instant::now() < until, "{list:#}");
            // There is no event to wait for.
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs a command in a container of a namespace's test application.
    fn exec_in(&self, namespace: &str, pod: &str, container: &str, command: &[&str]) -> ExecResult {
        let said = self.cluster.exec(namespace, pod, container, command);
        let channel = |wanted: u8| -> String {
            let texts = said.iter().filter(|(channel, _)| *channel == wanted);
            texts.map(|(_, text)| text.as_str()).collect()
        };
        let last: Value = serde_json::from_str(&channel(3)).unwrap();
        let code = last
            .pointer("/details/causes/0/message")
            .and_then(Value::as_str);
        ExecResult {
            out: channel(1),
            err: channel(2),
            code: code.and_then(|code| code.parse().ok()).unwrap_or_default(),
            message: match last["reason"].as_str() {
                Some("NonZeroExitCode") | None => String::new(),
                Some(_) => last["message"].as_str().unwrap().to_owned(),
            },
        }
    }

    fn exec(&self, namespace: &str, command: &str) -> ExecResult {
        let pod = self.pod(namespace, "app=test");
        let words: Vec<&str> = command.split(' ').collect();
        self.exec_in(namespace, &pod, "test", &words)
    }

    /// The status that a request gets, or curl's exit code where there is none.
    fn status(&self, namespace: &str, url: &str) -> String {
        let command = format!("curl -sS -o /dev/null -w %{{http_code}} {url}");
        let said = self.exec(namespace, &command);
        match said.code {
            0 => said.out,
            code => format!("curl {code}"),
        }
    }

    /// The lines of a proxy's log that contain a mark, once there are so many: the proxy buffers its lines.
    fn marked(&self, namespace: &str, label: &str, mark: &str, count: usize) -> Vec<String> {
        let until = Instant::now() + PATIENCE;
        loop {
            let mut lines = self.log(namespace, label);
            lines.retain(|line| line.contains(mark));
            if lines.len() >= count || Instant::now() > until {
                assert_eq!(lines.len(), count, "{lines:#?}");
                return lines;
            }
        }
    }

    /// Both logs once a request under this name is in them, and all before it: lines are written in order.
    fn logs_after(&self, mark: &str) -> [Vec<String>; 2] {
        self.exec("team-x", &format!("curl -s -A {mark} http://example.com"));
        self.marked("team-x", SIDECAR, mark, 1);
        let without = |namespace, label| {
            let mut lines = self.log(namespace, label);
            lines.retain(|line| !line.contains(mark));
            lines
        };
        [without("team-x", SIDECAR), without("istio-egress", GATEWAY)]
    }

    /// The access log of a proxy: its lines that are about requests and connections.
    fn log(&self, namespace: &str, label: &str) -> Vec<String> {
        let pod = self.pod(namespace, label);
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/log?container=istio-proxy");
        let text = self.cluster.get(&path);
        let lines = text
            .as_str()
            .unwrap()
            .lines()
            .filter(|line| line.starts_with('['));
        lines.map(str::to_owned).collect()
    }
}

const SIDECAR: &str = "app=test";
const GATEWAY: &str = "istio=egressgateway";

#[test]
fn the_tutorials_requests_get_the_tutorials_answers() {
    let plane = Plane::after_up(&[]);

    // (namespace, URL, what a request gets)
    let requests = [
        ("team-x", "http://example.com", "200"),
        ("team-x", "https://example.com", "200"),
        ("team-x", "http://httpbin.org", "403"),
        // The policy for port 443 names no principal.
        ("team-x", "https://httpbin.org", "200"),
        ("team-y", "http://httpbin.org", "403"),
        ("team-y", "http://httpbin.org/status/418", "418"),
        ("team-y", "https://httpbin.org", "200"),
        ("team-y", "http://example.com", "502"),
        ("team-y", "https://example.com", "curl 35"),
        ("team-x", "http://www.iana.org", "502"),
    ];
    let got = requests.map(|(namespace, url, _)| (namespace, url, plane.status(namespace, url)));
    assert_eq!(
        got,
        requests.map(|(namespace, url, want)| (namespace, url, want.to_owned()))
    );

    // What the tutorial's text says that one sees.
    let head = plane.exec("team-x", "curl -sI http://example.com");
    assert!(head.out.starts_with("HTTP/1.1 200 OK\r\n"), "{head:?}");
    assert!(head.out.contains("\r\nserver: envoy\r\n"), "{head:?}");
    assert!(
        head.out.contains("\r\nx-envoy-upstream-service-time: "),
        "{head:?}"
    );
    let denied = plane.exec("team-x", "curl -s http://httpbin.org");
    assert_eq!(denied.out, "RBAC: access denied");
    let refused = plane.exec("team-y", "curl -sS https://example.com");
    assert_eq!(
        (refused.code, refused.err.as_str()),
        (35, "curl: (35) Recv failure: Connection reset by peer\n")
    );
    let quiet = plane.exec("team-x", "curl -o /dev/null http://example.com");
    assert_eq!(quiet.err, "", "there is no progress meter");

    // Each request of the loop is in both logs.
    let pod = plane.pod("team-x", SIDECAR);
    let script = "for i in {1..4}; do curl -s -A looped -o /dev/null -w '%{http_code}\\n' http://example.com; sleep 1; done";
    let looped = plane.exec_in("team-x", &pod, "test", &["bash", "-c", script]);
    assert_eq!(looped.out, "200\n200\n200\n200\n");
    let sidecar = plane.marked("team-x", SIDECAR, "looped", 4);
    let gateway = plane.marked("istio-egress", GATEWAY, "looped", 4);
    let cluster =
        "outbound|80|target-egress-gateway-mTLS|istio-egressgateway.istio-egress.svc.cluster.local";
    let last = sidecar.last().unwrap();
    assert!(
        last.contains("\"GET / HTTP/1.1\" 200 - via_upstream") && last.contains(cluster),
        "{last}"
    );
    let last = gateway.last().unwrap();
    let upstream = "outbound|443|example-com-originate-TLS|example.com";
    assert!(
        last.contains("\"GET / HTTP/2\" 200 - via_upstream") && last.contains(upstream),
        "{last}"
    );
    let gateway = plane.log("istio-egress", GATEWAY);
    let denied = gateway
        .iter()
        .any(|line| line.contains("403 - rbac_access_denied_matched_policy[none]"));
    assert!(denied, "{gateway:#?}");

    // Google's APIs, directly.
    let who = plane.exec("team-x", "gcloud auth list");
    assert!(
        who.out.contains(&format!(
            "sa-test-app-team-x@{PROJECT}.iam.gserviceaccount.com"
        )),
        "{who:?}"
    );
    let read = plane.exec(
        "team-x",
        &format!("gcloud storage cat gs://{PROJECT}-bucket/hello"),
    );
    assert_eq!(
        (read.code, read.out.as_str()),
        (0, "Hello, World!\n"),
        "{read:?}"
    );
    let stranger = plane.exec("team-y", "gcloud auth list");
    assert!(
        stranger.err.contains("No credentialed accounts"),
        "{stranger:?}"
    );

    // A pod without a sidecar gets no answer: packets are dropped, and curl times out.
    let bare = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "bare", "labels": {"sidecar.istio.io/inject": "false"}},
        "spec": {"containers": [{"name": "test", "image": "gcr.io/google.com/cloudsdktool/cloud-sdk:slim"}]},
    });
    plane.cluster.post("/api/v1/namespaces/team-x/pods", bare);
    while plane.cluster.get("/api/v1/namespaces/team-x/pods/bare")["status"]["phase"] != "Running" {
        std::thread::sleep(Duration::from_millis(10));
    }
    let words = [
        "curl",
        "-sS",
        "--connect-timeout",
        "5",
        "-w",
        "%{time_total}",
        "http://example.com",
    ];
    let around = plane.exec_in("team-x", "bare", "test", &words);
    let timed_out =
        "curl: (28) Failed to connect to example.com port 80 after 5000 ms: Timeout was reached\n";
    assert_eq!(
        (around.code, around.out.as_str(), around.err.as_str()),
        (28, "5.000000", timed_out)
    );

    // The proxy's image contains nothing but the proxy.
    let missing = plane.exec_in(
        "team-x",
        &pod,
        "istio-proxy",
        &["curl", "http://example.com"],
    );
    assert!(
        missing
            .message
            .contains("exec: \"curl\": executable file not found in $PATH"),
        "{missing:?}"
    );
    let dump = plane.exec_in(
        "team-x",
        &pod,
        "istio-proxy",
        &[
            "pilot-agent",
            "request",
            "GET",
            "config_dump?resource=dynamic_active_clusters",
        ],
    );
    let dump: Value = serde_json::from_str(&dump.out).unwrap();
    let configs = dump["configs"].as_array().unwrap();
    assert!(
        configs.iter().any(|one| one["cluster"]["name"] == cluster),
        "{configs:#?}"
    );

    // The answers depend on the objects.
    let policies = "/apis/security.istio.io/v1/namespaces/istio-egress/authorizationpolicies";
    plane
        .cluster
        .delete(&format!("{policies}/egress-team-x-to-example-com"));
    assert_eq!(plane.status("team-x", "http://example.com"), "403");
    assert_eq!(plane.status("team-x", "https://example.com"), "200");
    let routes = "/apis/networking.istio.io/v1/namespaces/istio-egress/virtualservices";
    plane
        .cluster
        .delete(&format!("{routes}/httpbin-org-through-egress-gateway"));
    assert_ne!(
        plane.status("team-y", "http://httpbin.org/status/418"),
        "418"
    );
    let metadata = "/apis/networking.istio.io/v1/namespaces/istio-egress/serviceentries/metadata-google-internal";
    plane.cluster.delete(metadata);
    let nobody = plane.exec("team-x", "gcloud auth list");
    assert!(
        nobody.err.contains("No credentialed accounts"),
        "{nobody:?}"
    );

    // The logs depend on Telemetry.
    let before = plane.logs_after("logged-1");
    let telemetry = "/apis/telemetry.istio.io/v1/namespaces/istio-system/telemetries";
    let list = plane.cluster.get(telemetry);
    let all = list["items"].as_array().unwrap();
    for one in all {
        let name = one["metadata"]["name"].as_str().unwrap();
        plane.cluster.delete(&format!("{telemetry}/{name}"));
    }
    plane.exec("team-x", "curl -s -A unheard http://example.com");
    assert_eq!(plane.status("team-x", "https://example.com"), "200");
    for one in all {
        let (metadata, spec) = (&one["metadata"]["name"], &one["spec"]);
        let again = json!({"apiVersion": list["apiVersion"], "kind": "Telemetry", "metadata": {"name": metadata}, "spec": spec});
        plane.cluster.post(telemetry, again);
    }
    let mut after = plane.logs_after("logged-2");
    for lines in &mut after {
        lines.retain(|line| !line.contains("logged-1"));
    }
    assert_eq!(after, before);
    drop(plane.cloud);
}
