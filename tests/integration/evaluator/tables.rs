//! What rules of VirtualServices may say, and how long retries take, a row a case.

use std::time::Duration;

use egress::snapshot::Snapshot;
use egress::snapshot_input::SnapshotInput;
use egress::trace::CallerOutcome;
use serde_json::{Value, json};

use super::scenes::{FINAL, request, tutorial};

/// A mesh in which everything may leave, so that what is asked about decides alone.
pub fn open(objects: Vec<Value>) -> SnapshotInput {
    let mut sources = tutorial(&["egress-gateway", "target-egress-gateway"]);
    sources.firewalls.clear();
    sources.kubernetes.extend(objects);
    sources
}

pub fn entry(host: &str, ports: Value, more: Value) -> Value {
    let mut spec = json!({"hosts": [host], "ports": ports, "resolution": "DNS"});
    spec.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!({"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": {"name": "e", "namespace": "team-x"}, "spec": spec})
}

fn route(hosts: Value, rules: Value) -> Value {
    json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "v", "namespace": "team-x"},
        "spec": {"hosts": hosts, "http": rules}})
}

pub fn http() -> Value {
    json!([{"number": 80, "name": "http", "protocol": "HTTP"}])
}

fn to(host: &str) -> Value {
    json!([{"destination": {"host": host}}])
}

/// Status (or exit), flags of the caller's sidecar, and its seconds.
pub fn found(sources: &SnapshotInput, asked: &str) -> (String, String, u64) {
    let account = Snapshot::read(sources).trace(&request("team-x", asked));
    let flags = account.lines.first().map(|line| line.flags.to_owned());
    let got = match account.got {
        CallerOutcome::Answer(answer) => answer.status.to_string(),
        CallerOutcome::Failure(failure) => format!("exit {}", failure.exit()),
    };
    (got, flags.unwrap_or_default(), account.waits.as_secs())
}

#[test]
fn rules_of_a_virtual_service() {
    let example = || entry("example.com", http(), json!({}));
    // (rules for example.com, request, status, flags, seconds)
    let cases = [
        (
            json!([{"route": to("example.com")}]),
            "http://example.com",
            "200",
            "",
            0,
        ),
        (
            json!([{"match": [{"uri": {"prefix": "/a"}}], "route": to("example.com")}]),
            "http://example.com/b",
            "404",
            "NR",
            0,
        ),
        (
            json!([{"match": [{"gateways": ["other"]}], "route": to("nowhere")}]),
            "http://example.com",
            "200",
            "",
            0,
        ),
        (
            json!([{"match": [{"port": 81}], "route": to("nowhere")}]),
            "http://example.com",
            "200",
            "",
            0,
        ),
        (
            json!([{"match": [{"sourceLabels": {"app": "other"}}], "route": to("nowhere")}]),
            "http://example.com",
            "200",
            "",
            0,
        ),
        (
            json!([{"match": [{"sourceNamespace": "team-x"}], "directResponse": {"status": 299}}]),
            "http://example.com",
            "299",
            "",
            0,
        ),
        (
            json!([{"route": to("nowhere")}]),
            "http://example.com",
            "503",
            "NC",
            0,
        ),
        (
            json!([{"redirect": {"authority": "example.org", "redirectCode": 302}}]),
            "http://example.com",
            "302",
            "",
            0,
        ),
        (
            json!([{"directResponse": {"status": 418, "body": {"string": "tea"}}}]),
            "http://example.com",
            "418",
            "",
            0,
        ),
        (
            json!([{"fault": {"abort": {"httpStatus": 555}}, "route": to("example.com")}]),
            "http://example.com",
            "555",
            "FI",
            0,
        ),
        (
            json!([{"fault": {"delay": {"fixedDelay": "7s"}}, "route": to("example.com")}]),
            "http://example.com",
            "200",
            "",
            7,
        ),
        (
            json!([{"rewrite": {"uri": "/none"}, "route": to("example.com")}]),
            "http://example.com",
            "404",
            "",
            0,
        ),
        (
            json!([{"route": [{"destination": {"host": "nowhere"}, "weight": 1}, {"destination": {"host": "example.com"}, "weight": 9}]}]),
            "http://example.com",
            "200",
            "",
            0,
        ),
        (
            json!([{"match": [{"headers": {"user-agent": {"prefix": "curl"}}}], "route": to("nowhere")}]),
            "http://example.com",
            "503",
            "NC",
            0,
        ),
    ];
    for (rules, asked, status, flags, seconds) in cases {
        let sources = open(vec![
            example(),
            route(json!(["example.com"]), rules.clone()),
        ]);
        let expected = (status.to_owned(), flags.to_owned(), seconds);
        assert_eq!(found(&sources, asked), expected, "{rules}");
    }
}

#[test]
fn retries_and_time() {
    // Nothing may leave: connecting takes ten seconds and fails.
    // (rule beside its route, seconds, flags)
    let cases = [
        (json!({}), 30, "URX,UF"),
        (json!({"retries": {"attempts": 0}}), 10, "UF"),
        (json!({"retries": {"attempts": 4}}), 50, "URX,UF"),
        (
            json!({"retries": {"attempts": 4, "retryOn": "503"}}),
            10,
            "UF",
        ),
        (
            json!({"retries": {"attempts": 1, "retryOn": "5xx"}}),
            20,
            "URX,UF",
        ),
        (json!({"timeout": "15s"}), 15, "UT"),
        (json!({"timeout": "0s"}), 30, "URX,UF"),
    ];
    for (more, seconds, flags) in cases {
        let mut rule = more.clone();
        rule["route"] = to("example.com");
        let mut sources = tutorial(&[]);
        sources.kubernetes.extend([
            entry("example.com", http(), json!({})),
            route(json!(["example.com"]), json!([rule])),
        ]);
        let status = if flags == "UT" { "504" } else { "503" };
        assert_eq!(
            found(&sources, "http://example.com"),
            (status.to_owned(), flags.to_owned(), seconds),
            "{more}"
        );
    }
    // A connectTimeout of a DestinationRule counts for each try.
    let mut sources = tutorial(&[]);
    sources.kubernetes.extend([
        entry("example.com", http(), json!({})),
        json!({"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": {"name": "d", "namespace": "team-x"},
            "spec": {"host": "example.com", "trafficPolicy": {"connectionPool": {"tcp": {"connectTimeout": "2s"}}}}}),
    ]);
    assert_eq!(found(&sources, "http://example.com").2, 6);
}

#[test]
fn a_gateway_whose_upstream_is_dropped_takes_as_long_as_its_version_retries() {
    // (version, seconds, lines of the gateway)
    let cases = [
        ((1, 20), 90, 3),
        ((1, 23), 90, 3),
        ((1, 24), 30, 1),
        ((1, 28), 30, 1),
    ];
    for (version, seconds, lines) in cases {
        let mut sources = tutorial(FINAL);
        sources.mesh.version = version;
        sources
            .firewalls
            .retain(|rule| rule["name"] != "gateway-allow-egress-web");
        let account = Snapshot::read(&sources).trace(&request("team-x", "http://example.com"));
        let of_gateway = account
            .lines
            .iter()
            .filter(|line| line.pod.namespace == "istio-egress");
        assert_eq!(
            (account.waits.as_secs(), of_gateway.count()),
            (seconds, lines),
            "{version:?}"
        );
    }
}

#[test]
fn a_caller_that_gives_up_leaves_its_lines() {
    let mut request = request("team-x", "http://example.com");
    request.max_time = Some(Duration::from_secs(15));
    let account =
        super::scenes::snapshot(&["team-x-sidecar", "example-com-serviceentry"]).trace(&request);
    assert_eq!(account.waits, Duration::from_secs(15));
    assert!(matches!(&account.got, CallerOutcome::Failure(failure) if failure.exit() == 28));
    let line = &account.lines[0];
    assert_eq!(
        (line.flags, line.status, line.duration.as_secs()),
        ("DC", 0, 15)
    );
}
