//! Every request of a real Envoy's record (`fixtures/egress/envoy.json`), in the same snapshot made of objects: what the caller got,
//! and every line that the proxies logged.

use std::net::IpAddr;
use std::time::Duration;

use egress::log::AccessLogStamp;
use egress::request::Request;
use egress::snapshot::Snapshot;
use egress::snapshot_input::SnapshotInput;
use egress::trace::{CallerOutcome, Trace};
use serde_json::{Value, json};

use super::scenes::{request, tutorial};

const RECORD: &str = include_str!("../../../fixtures/egress/envoy.json");
/// Where names lead that no DNS knows, as the record's `curl --resolve` had it.
const ELSEWHERE: &str = "203.0.113.9";

/// Where ours differs on purpose: the snapshot, the request by its place in it, and why.
const DIFFERENCES: &[(&str, usize, &str)] = &[
    (
        "G2",
        2,
        "the record's server knows one path; ours answers /status/418?x=1 as it answers /status/418",
    ),
    (
        "L5",
        0,
        "the record's server has a certificate of an authority of its own; here every host's is vouched for",
    ),
    (
        "L6",
        0,
        "the record's server ends what is no TLS; most answer 400 in clear, and so do ours",
    ),
    (
        "N",
        1,
        "how curl's exit for a missing certificate reads depends on when the alert comes: 55 there, 16 at the gateway, and so here",
    ),
];

/// The objects of a snapshot, beside what always stands.
fn objects(snapshot: &str) -> &'static [&'static str] {
    match snapshot {
        "A" | "N" | "O" => &[],
        "B" => &["team-x-sidecar"],
        "C" => &[
            "team-x-sidecar",
            "example-com-serviceentry",
            "example-com-virtualservice-passthrough",
        ],
        "D" => &[
            "team-x-sidecar",
            "example-com-serviceentry",
            "example-com-virtualservice-passthrough",
            "target-egress-gateway-passthrough",
        ],
        "E" => &[
            "team-x-sidecar",
            "example-com-serviceentry",
            "example-com-virtualservice",
            "target-egress-gateway",
        ],
        "F" | "L3" | "L6" | "L7" | "P" => ROUTED,
        "G1" => &[
            "team-x-sidecar",
            "team-y-sidecar",
            "egress-gateway",
            "target-egress-gateway",
            "example-com-serviceentry",
            "example-com-virtualservice",
            "httpbin-org-serviceentry",
            "httpbin-org-virtualservice",
            "egress-team-x-to-example-com",
        ],
        "G2" => &[
            "team-x-sidecar",
            "team-y-sidecar",
            "egress-gateway",
            "target-egress-gateway",
            "example-com-serviceentry",
            "example-com-virtualservice",
            "httpbin-org-serviceentry",
            "httpbin-org-virtualservice",
            "egress-team-x-to-example-com",
            "egress-team-y-to-httpbin-teapot",
        ],
        "H" | "H2" | "L5" => &[
            "team-x-sidecar",
            "egress-gateway",
            "target-egress-gateway",
            "example-com-serviceentry",
            "example-com-virtualservice-tls-origination",
            "example-com-originate-tls",
        ],
        "I1" => &[
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
        ],
        "I2" => super::scenes::FINAL,
        "L1" => &[
            "team-x-sidecar",
            "egress-gateway",
            "target-egress-gateway",
            "example-com-serviceentry",
            "example-com-virtualservice",
        ],
        "L2" => ROUTED,
        "L4" => &[
            "team-x-sidecar",
            "egress-gateway",
            "target-egress-gateway",
            "example-com-serviceentry",
            "example-com-virtualservice-tls-origination",
        ],
        other => panic!("no objects for scene {other}"),
    }
}

/// Both hosts routed through the gateway, without policies.
const ROUTED: &[&str] = &[
    "team-x-sidecar",
    "team-y-sidecar",
    "egress-gateway",
    "target-egress-gateway",
    "example-com-serviceentry",
    "example-com-virtualservice",
    "httpbin-org-serviceentry",
    "httpbin-org-virtualservice",
];

/// Where in the sources an object is.
fn find<'s>(sources: &'s mut SnapshotInput, kind: &str, name: &str) -> &'s mut Value {
    let all = sources.kubernetes.iter_mut();
    let mut found = all.filter(|each| each["kind"] == kind && each["metadata"]["name"] == name);
    found.next().unwrap()
}

/// A snapshot, with what it has of its own.
fn sources(snapshot: &str) -> SnapshotInput {
    let mut sources = tutorial(objects(snapshot));
    sources.mesh.version = (1, 20);
    match snapshot {
        "H2" | "L5" => sources.mesh.version = (1, 21),
        "L1" | "L2" => {
            let route = find(
                &mut sources,
                "VirtualService",
                "example-com-through-egress-gateway",
            );
            route["spec"]["gateways"] = json!(["mesh"]);
            route["spec"]["http"].as_array_mut().unwrap().truncate(1);
        }
        "L3" => {
            sources.mesh.connect_timeout = Duration::from_secs(1);
            sources
                .firewalls
                .retain(|rule| rule["name"] != "gateway-allow-egress-web");
        }
        "L6" => {
            let route = find(
                &mut sources,
                "VirtualService",
                "example-com-through-egress-gateway",
            );
            route["spec"]["http"][1]["route"][0]["destination"]["port"]["number"] = json!(443);
        }
        "L7" => {
            let rule = find(&mut sources, "DestinationRule", "target-egress-gateway");
            rule["spec"]["subsets"][0]
                .as_object_mut()
                .unwrap()
                .remove("trafficPolicy");
        }
        "P" => sources.kubernetes.retain(|each| {
            !(each["kind"] == "Deployment" && each["metadata"]["name"] == "istio-egressgateway")
        }),
        _ => {}
    }
    sources
}

/// The address of something in the snapshot, found by asking for it.
fn address(snapshot: &Snapshot, host: &str) -> IpAddr {
    let mut request = request("team-x", &format!("http://{host}"));
    request.from.sidecar = Some(false);
    snapshot.trace(&request).connected.unwrap_or_else(|| {
        let hop = snapshot.trace(&request).hops;
        panic!("{host}: {hop:#?}")
    })
}

/// A request of the record.
fn asked(snapshot: &Snapshot, row: &Value) -> Request {
    let text = |field: &str| row[field].as_str().unwrap_or_default();
    let mut url = text("url").to_owned();
    // What the record's curl did with a certificate of the mesh, a sidecar does for its application.
    if row.get("certificate").is_some() {
        url = url.replace("https://", "http://");
    }
    let mut request = request(text("from"), &format!("{} {url}", text("method")));
    if let Some((name, value)) = text("header").split_once(": ") {
        request.headers.push((name.to_owned(), value.to_owned()));
    }
    request.from.sidecar = row["sidecar"].as_bool();
    request.insecure = row["insecure"] == true;
    request.connect_timeout = row["connect_timeout"].as_u64().map(Duration::from_secs);
    match text("to") {
        "" if request.host.ends_with(".test") || request.host == "127.0.9.9" => {
            request.address = Some(ELSEWHERE.parse().unwrap())
        }
        "" => {}
        "test" => request.host = "test.team-x".to_owned(),
        gateway => {
            let service = address(snapshot, "istio-egressgateway.istio-egress");
            request.address = Some(service);
            // The Service's port for the one that the record connected to.
            request.port = if gateway.ends_with(":8080") { 80 } else { 443 };
        }
    }
    request
}

/// A line in the record's form: what differs from run to run replaced, addresses by whose they are.
fn normal(line: &str, local: &str) -> String {
    let fields: Vec<&str> = line.split('"').collect();
    let words: Vec<&str> = fields[2].split_whitespace().collect();
    let [status, flags, details, termination] = words[..] else {
        panic!("{line}")
    };
    let counts: Vec<&str> = fields[4].split_whitespace().collect();
    let [received, sent, duration, service] = counts[..] else {
        panic!("{line}")
    };
    let tail: Vec<&str> = fields[14].split_whitespace().collect();
    let [cluster, upstream_local, _, remote, sni, route] = tail[..] else {
        panic!("{line}")
    };
    let or = |value: &str, word: &str| {
        if value == "-" {
            "-".to_owned()
        } else {
            word.to_owned()
        }
    };
    let upstream = match fields[13] {
        "-" => "-".to_owned(),
        address => {
            let port = address.rsplit_once(':').unwrap().1;
            let whose = match cluster {
                cluster if cluster.contains("istio-egressgateway") => "gateway",
                cluster if cluster.ends_with("example.com") => "example.com",
                cluster if cluster.ends_with("httpbin.org") => "httpbin.org",
                _ => "destination",
            };
            format!("{whose}:{port}")
        }
    };
    let seconds = (duration.parse::<f64>().unwrap() / 1000.0).round();
    let upstream_body =
        details == "via_upstream" && ["200", "418"].contains(&status) && sent != "0";
    let sent = if upstream_body { "body" } else { sent };
    [
        format!("\"{}\"", fields[1]),
        status.to_owned(),
        flags.to_owned(),
        details.to_owned(),
        termination.to_owned(),
        format!("\"{}\"", fields[3]),
        received.to_owned(),
        sent.to_owned(),
        format!("{seconds}s"),
        or(service, "ms"),
        or(fields[5], "ip"),
        format!("\"{}\"", fields[7]),
        or(fields[9], "id"),
        format!("\"{}\"", fields[11]),
        upstream,
        cluster.to_owned(),
        or(upstream_local, "ip"),
        local.to_owned(),
        or(remote, "ip"),
        sni.to_owned(),
        route.to_owned(),
    ]
    .join(" ")
}

/// The lines of an account: whose, and in the record's form.
fn lines(account: &Trace) -> Vec<(&'static str, String)> {
    let stamp = AccessLogStamp {
        time: "T".to_owned(),
        request_id: "id".to_owned(),
        upstream_port: 1,
        remote_port: 2,
    };
    let one = |line: &egress::log::AccessLogLine| {
        let gateway = line.pod.namespace == "istio-egress";
        let (whose, local) = match line.pod.namespace.as_str() {
            _ if gateway => ("gateway", format!("gateway:{}", line.local.port())),
            "team-x" if line.cluster.starts_with("inbound") || line.flags == "NR" => {
                ("server", "server:15006".to_owned())
            }
            "team-x" => ("team-x", format!("destination:{}", line.local.port())),
            _ => ("team-y", format!("destination:{}", line.local.port())),
        };
        (whose, normal(&line.text(&stamp), &local))
    };
    account.lines.iter().map(one).collect()
}

/// What the caller got, in the record's form.
fn outcome(account: &Trace, row: &Value) -> Value {
    let mut found = json!({"seconds": account.waits.as_secs_f64().round()});
    match &account.got {
        CallerOutcome::Failure(failure) => found["exit"] = json!(failure.exit()),
        CallerOutcome::Answer(answer) => {
            found["exit"] = json!(0);
            found["status"] = json!(answer.status);
            if row.get("body").is_some() {
                found["body"] = json!(answer.body);
            }
            if row.get("headers").is_some() {
                let header = |(name, value): &(String, String)| match name.as_str() {
                    "x-envoy-upstream-service-time" => format!("{name}: N"),
                    name => format!("{name}: {value}"),
                };
                let headers: Vec<String> = answer.headers.iter().map(header).collect();
                found["headers"] = json!(headers);
            }
        }
    }
    found
}

/// What the record says the caller got.
fn expected(row: &Value) -> Value {
    let mut expected = json!({"seconds": row["seconds"].as_f64().unwrap(), "exit": row["exit"]});
    for field in ["status", "body", "headers"] {
        if let Some(value) = row.get(field) {
            expected[field] = value.clone();
        }
    }
    // Headers and length of the server's own answer are the server's.
    if row["upstream"] == true && expected.get("headers").is_some() {
        expected["headers"] = Value::Null;
    }
    expected
}

#[test]
fn every_request_of_the_record() {
    let record: Vec<Value> = serde_json::from_str(RECORD).unwrap();
    let mut compared = 0;
    let mut wrong = Vec::new();
    for recorded in &record {
        let name = recorded["scene"].as_str().unwrap();
        let snapshot = Snapshot::read(&sources(name));
        let mut seen: Vec<(&str, String)> = Vec::new();
        let mut differs = false;
        for (place, row) in recorded["requests"].as_array().unwrap().iter().enumerate() {
            compared += 1;
            if DIFFERENCES
                .iter()
                .any(|(snapshot, at, _)| (*snapshot, *at) == (name, place))
            {
                differs = true;
                continue;
            }
            let account = snapshot.trace(&asked(&snapshot, row));
            let (mut found, expected) = (outcome(&account, row), expected(row));
            if expected["headers"].is_null() && found.get("headers").is_some() {
                found["headers"] = Value::Null;
            }
            // Bodies of the record end where its terminal did.
            if let Some(body) = found.get("body").and_then(Value::as_str) {
                found["body"] = json!(body.trim());
            }
            if found != expected {
                wrong.push(format!(
                    "{name}[{place}] {}: {found}\n   not {expected}\n   {:#?}",
                    row["url"], account.hops
                ));
            }
            seen.extend(lines(&account));
        }
        // Where a request differs its lines do too.
        if differs {
            continue;
        }
        for (whose, recorded) in recorded["lines"].as_object().unwrap() {
            let own: Vec<String> = seen
                .iter()
                .filter(|(own, _)| own == whose)
                .map(|(_, line)| line.clone())
                .collect();
            let recorded: Vec<String> = recorded
                .as_array()
                .unwrap()
                .iter()
                .map(|line| as_ours(line.as_str().unwrap()))
                .collect();
            if own != recorded {
                wrong.push(format!(
                    "{name} {whose} logs\n{}\nnot\n{}",
                    own.join("\n"),
                    recorded.join("\n")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert_eq!(compared, 52);
}

/// A line of the record where its laboratory was not as a mesh is: its `PassthroughCluster` had one port for all.
fn as_ours(line: &str) -> String {
    match line.contains("PassthroughCluster - destination:443") {
        true => line.replace(
            "\"- - -\" 0 UF,URX - - \"-\" 0 0 10s - - \"-\" - \"-\" destination:80",
            "\"- - -\" 0 UF,URX - - \"-\" 0 0 10s - - \"-\" - \"-\" destination:443",
        ),
        false => line.to_owned(),
    }
}
