//! Snapshots of the tutorial, from its own manifests.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use egress::request::Request;
use egress::snapshot::Snapshot;
use egress::snapshot_input::SnapshotInput;
use serde_json::{Value, json};

/// What stands before anything of the mesh's traffic is configured: namespaces, the gateway, an application for each team.
const BASE: &[&str] = &[
    "istio-egress-namespace",
    "istio-egressgateway-deployment",
    "istio-egressgateway-service",
    "istio-egressgateway-serviceaccount",
    "team-x-namespace",
    "team-y-namespace",
    "strict-mtls",
];

/// Everything at the tutorial's end, without NetworkPolicies.
pub const FINAL: &[&str] = &[
    "team-x-sidecar",
    "team-y-sidecar",
    "egress-gateway-passthrough",
    "target-egress-gateway-passthrough",
    "example-com-serviceentry",
    "example-com-virtualservice-passthrough",
    "example-com-originate-tls",
    "httpbin-org-serviceentry",
    "httpbin-org-virtualservice-passthrough",
    "egress-team-x-to-example-com",
    "egress-team-y-to-httpbin-teapot",
    "egress-all-443",
];

/// The NetworkPolicies of team-x.
pub const NETWORK_POLICIES: &[&str] = &[
    "allow-egress-to-control-plane",
    "allow-egress-to-dns",
    "allow-egress-to-google-apis",
    "allow-egress-to-metadata-server",
    "allow-egress-to-same-namespace",
    "allow-egress-to-team-y",
];

/// All objects of `steps/manifests/` by the names of their files.
static MANIFESTS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("steps/manifests");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let object = serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        (name, object)
    };
    files.map(read).collect()
});

/// An object of `steps/manifests/`.
pub fn manifest(name: &str) -> Value {
    MANIFESTS[name].clone()
}

/// An object of `steps/manifests/`, in a namespace.
fn manifest_in(name: &str, namespace: &str) -> Value {
    let mut object = manifest(name);
    object["metadata"]["namespace"] = json!(namespace);
    object
}

fn firewall(
    name: &str,
    priority: u32,
    verb: &str,
    to: &[&str],
    ports: &[&str],
    of: &[&str],
) -> Value {
    let entry = match ports {
        [] => json!({"IPProtocol": if to == ["199.36.153.8/30"] { "tcp" } else { "all" }}),
        ports => json!({"IPProtocol": "tcp", "ports": ports}),
    };
    let mut rule =
        json!({"name": name, "direction": "EGRESS", "priority": priority, verb: [entry]});
    if !to.is_empty() {
        rule["destinationRanges"] = json!(to);
    }
    if !of.is_empty() {
        rule["targetServiceAccounts"] = json!(of);
    }
    rule
}

/// The tutorial's infrastructure, with these manifests beside what always stands.
pub fn tutorial(manifests: &[&str]) -> SnapshotInput {
    let (application, gateway) = (
        "sa-application-nodes@p.iam.gserviceaccount.com",
        "sa-gateway-nodes@p.iam.gserviceaccount.com",
    );
    let both = [application, gateway];
    let mut kubernetes: Vec<Value> = BASE
        .iter()
        .chain(manifests)
        .map(|name| manifest(name))
        .collect();
    for team in ["team-x", "team-y"] {
        let own = ["test-serviceaccount", "test-service", "test-deployment"];
        kubernetes.extend(own.map(|name| manifest_in(name, team)));
    }
    kubernetes.push(
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "istio-system"}}),
    );
    let taint = json!([{"key": "dedicated", "value": "gateway", "effect": "NO_SCHEDULE"}]);
    let records = |name: &str, to: &str| {
        vec![
            json!({"name": format!("*.{name}"), "type": "CNAME", "ttl": 300, "rrdatas": [to]}),
            json!({"name": to, "type": "A", "ttl": 300, "rrdatas": ["199.36.153.8", "199.36.153.9", "199.36.153.10", "199.36.153.11"]}),
        ]
    };
    let zone =
        |name: &str, dns: &str| json!({"name": name, "dnsName": dns, "visibility": "private"});
    SnapshotInput {
        outside_vpc: false,
        network: None,
        no_internet: false,
        kubernetes,
        firewalls: vec![
            firewall(
                "global-deny-egress-all",
                65535,
                "denied",
                &["0.0.0.0/0"],
                &[],
                &[],
            ),
            firewall(
                "gateway-allow-egress-web",
                1000,
                "allowed",
                &[],
                &["80", "443"],
                &[gateway],
            ),
            firewall(
                "allow-egress-to-api-server",
                1000,
                "allowed",
                &["10.5.0.0/28"],
                &["443", "10250"],
                &both,
            ),
            firewall(
                "allow-egress-nodes-and-pods",
                1000,
                "allowed",
                &["10.0.0.0/24", "10.1.0.0/16"],
                &[],
                &both,
            ),
            firewall(
                "allow-egress-gcp-apis",
                1000,
                "allowed",
                &["199.36.153.8/30"],
                &[],
                &both,
            ),
        ],
        zones: vec![
            (
                zone("private-google-apis", "googleapis.com."),
                records("googleapis.com.", "private.googleapis.com."),
            ),
            (
                zone("private-gcr-io", "gcr.io."),
                records("gcr.io.", "gcr.io."),
            ),
        ],
        pools: vec![
            json!({"name": "default-pool", "config": {"serviceAccount": application}}),
            json!({"name": "gateway", "config": {"serviceAccount": gateway, "taints": taint}}),
        ],
        ..SnapshotInput::default()
    }
}

/// A snapshot of the tutorial.
pub fn snapshot(manifests: &[&str]) -> Snapshot {
    Snapshot::read(&tutorial(manifests))
}

/// `HEAD http://example.com` from a namespace.
pub fn request(from: &str, text: &str) -> Request {
    let (method, url) = text.split_once(' ').unwrap_or(("GET", text));
    let mut request = Request::get(from, url).unwrap();
    request.method = method.to_owned();
    request
        .headers
        .push(("User-Agent".to_owned(), "curl/7.88.1".to_owned()));
    request
}

/// What a caller gets, as `200`, or `exit 35`.
pub fn got(snapshot: &Snapshot, request: &Request) -> String {
    use egress::trace::CallerOutcome;
    match snapshot.trace(request).got {
        CallerOutcome::Answer(answer) => answer.status.to_string(),
        CallerOutcome::Failure(failure) => format!("exit {}", failure.exit()),
    }
}
