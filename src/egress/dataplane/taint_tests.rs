//! Verdicts by a table (`fixtures/egress/taints.jsonl`): what is not covered taints the answer where it may apply, and nowhere else.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::matrix::Cell;
use crate::request::Request;
use crate::snapshot::Snapshot;
use crate::snapshot_input::SnapshotInput;
use crate::unsupported;

/// A caller without a sidecar in `src`, one with a sidecar in `app`, a server of each kind in `plain` and `shop`, and two
/// hosts outside.
fn world() -> Vec<Value> {
    let namespace = |name: &str, labels: Value| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
    let pod = |namespace: &str, name: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": name, "labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "image": "i"}]}})
    };
    let service = |namespace: &str, name: &str| {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": namespace, "name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "name": "http"}]}})
    };
    let entry = |name: &str, host: &str| {
        json!({"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": {"namespace": "app", "name": name},
        "spec": {"hosts": [host], "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}], "resolution": "DNS"}})
    };
    let injected = json!({"istio-injection": "enabled"});
    vec![
        namespace("src", json!({})),
        namespace("plain", json!({})),
        namespace("app", injected.clone()),
        namespace("shop", injected),
        pod("src", "caller"),
        pod("app", "client"),
        pod("plain", "db"),
        pod("plain", "other"),
        pod("shop", "web"),
        service("plain", "db"),
        service("shop", "web"),
        entry("ext", "ext.com"),
        entry("two", "two.com"),
    ]
}

fn object(api_version: &str, kind: &str, place: &str, spec: Value) -> Value {
    let (namespace, name) = place.split_once('/').unwrap_or(("", place));
    let mut object =
        json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec});
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = namespace.into();
    }
    object
}

/// The world with these objects, each in the place of the one of its kind and name.
fn snapshot(objects: &[Value]) -> Snapshot {
    let mut kubernetes = world();
    for object in objects {
        let same = |other: &Value| {
            other["kind"] == object["kind"] && other["apiVersion"] == object["apiVersion"] && {
                let (a, b) = (&other["metadata"], &object["metadata"]);
                a["name"] == b["name"] && a["namespace"] == b["namespace"]
            }
        };
        kubernetes.retain(|other| !same(other));
        kubernetes.push(object.clone());
    }
    Snapshot::read(&SnapshotInput {
        kubernetes,
        ..SnapshotInput::default()
    })
}

/// The verdict, with the objects that taint it; of a trace, and of a cell of the matrix: they must be the same.
#[track_caller]
fn verdict(objects: &[Value], asked: &str) -> String {
    let (namespace, url) = asked.split_once(' ').unwrap();
    let (snapshot, request) = (snapshot(objects), Request::get(namespace, url).unwrap());
    let trace = snapshot.trace(&request);
    let rows = snapshot.matrix(
        std::slice::from_ref(&request.from),
        std::slice::from_ref(&request),
    );
    let cell: &Cell = &rows[0][0];
    assert_eq!(
        (trace.verdict(), &trace.unknown),
        (cell.verdict(), &cell.unknown),
        "{asked} {objects:?}"
    );
    let unknown: Vec<String> = trace.unknown.iter().map(ToString::to_string).collect();
    match unknown.is_empty() {
        true => trace.verdict().word().to_owned(),
        false => format!("{}: {}", trace.verdict().word(), unknown.join(", ")),
    }
}

#[test]
fn the_world_itself_is_understood() {
    for asked in [
        "src http://db.plain/",
        "app http://web.shop/",
        "app http://ext.com/",
        "src http://ext.com/",
        "app http://db.plain/",
        "src http://web.shop/",
    ] {
        assert_eq!(verdict(&[], asked), "reaches", "{asked}");
    }
}

/// Each row: objects beside those of the world, a request, its verdict, and what taints it.
#[test]
fn what_is_not_covered_taints_where_it_may_apply_and_nowhere_else() {
    let rows = include_str!("../../../fixtures/egress/taints.jsonl").lines();
    let mut kinds = BTreeSet::new();
    for row in rows {
        let row: Value = serde_json::from_str(row).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let by: Vec<String> = row["by"].as_array().unwrap().iter().map(text).collect();
        let expected = match by.is_empty() {
            true => text(&row["verdict"]),
            false => format!("{}: {}", text(&row["verdict"]), by.join(", ")),
        };
        let added = row["add"].as_array().unwrap();
        let found = verdict(added, row["ask"].as_str().unwrap());
        assert_eq!(found, expected, "{row}");
        if !by.is_empty() {
            let group = |each: &Value| unsupported::group(each).to_owned();
            kinds.extend(added.iter().map(|each| (group(each), text(&each["kind"]))));
        }
    }
    // No kind of the table is without a row.
    let missing =
        |(group, kind): &(&str, &str)| !kinds.contains(&((*group).to_owned(), (*kind).to_owned()));
    let missing: Vec<(&str, &str)> = unsupported::uncovered_kinds().filter(missing).collect();
    assert_eq!(missing, []);
}

#[test]
fn a_drop_a_closed_port_and_an_unknown_listener_are_three_things() {
    let deny = object(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        "src/deny",
        json!({"podSelector": {}, "policyTypes": ["Egress"]}),
    );
    let open = object(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        "plain/deny",
        json!({"podSelector": {}, "policyTypes": ["Ingress"]}),
    );
    let nobody = object(
        "v1",
        "Service",
        "plain/db",
        json!({"selector": {"app": "nobody"}, "ports": [{"port": 80, "name": "http"}]}),
    );
    // (objects, request, verdict, objects behind it, curl's exit)
    for (objects, asked, expected, by, exit) in [
        (
            vec![deny],
            "src http://93.184.216.34/",
            "refused",
            vec!["NetworkPolicy src/deny"],
            28,
        ),
        (
            vec![open],
            "src http://db.plain/",
            "refused",
            vec!["NetworkPolicy plain/deny"],
            28,
        ),
        (
            vec![nobody],
            "src http://db.plain/",
            "refused",
            vec!["Service plain/db"],
            7,
        ),
        (
            vec![],
            "src http://10.200.0.9:8080/",
            "unknown",
            vec!["address 10.200.0.9:8080"],
            28,
        ),
    ] {
        let (namespace, url) = asked.split_once(' ').unwrap();
        let trace = snapshot(&objects).trace(&Request::get(namespace, url).unwrap());
        let deciding: Vec<String> = trace.deciding().iter().map(ToString::to_string).collect();
        let got = match trace.got {
            crate::trace::CallerOutcome::Failure(failure) => failure.exit(),
            crate::trace::CallerOutcome::Answer(_) => 0,
        };
        assert_eq!(
            (trace.verdict().word(), deciding, got),
            (expected, by.iter().map(|&by| by.to_owned()).collect(), exit),
            "{asked}"
        );
    }
    // A port that neither the pod nor a Service names.
    let address = snapshot(&[])
        .pods_of("plain")
        .find_map(|pod| pod.address)
        .unwrap();
    assert_eq!(
        verdict(&[], &format!("src http://{address}:9999/")),
        "unknown: Pod plain/db spec.containers.ports"
    );
    assert_eq!(verdict(&[], &format!("src http://{address}/")), "reaches");
}

#[test]
fn what_was_not_read_taints_every_answer() {
    let unread = crate::object::Unknown {
        object: crate::object::Object::new("EnvoyFilter", "", "*"),
        field: "not read".to_owned(),
    };
    let sources = SnapshotInput {
        kubernetes: world(),
        unread: vec![unread],
        ..SnapshotInput::default()
    };
    let trace = Snapshot::read(&sources).trace(&Request::get("src", "http://db.plain/").unwrap());
    assert_eq!(trace.verdict().word(), "unknown");
}
