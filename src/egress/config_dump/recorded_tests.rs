//! Requests through two real Envoys, in their own dumps: what curl got there, each found in the dumps (`fixtures/proxy-config/`).

use serde_json::Value;

use super::{ConfigDump, ConfigDumps, ProxyTrace};
use crate::request::Request;
use crate::trace::CallerOutcome;
use crate::verdict::Verdict;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../fixtures/proxy-config/", $name))
    };
}

fn dump(dump: &str, clusters: &str) -> ConfigDump {
    let [dump, clusters]: [Value; 2] =
        [dump, clusters].map(|text| serde_json::from_str(text).unwrap());
    ConfigDump::read(&dump, Some(&clusters)).unwrap()
}

fn proxies() -> ConfigDumps {
    ConfigDumps::new(vec![
        dump(
            fixture!("static/team-x.test-1.json"),
            fixture!("static/team-x.test-1.clusters.json"),
        ),
        dump(
            fixture!("static/istio-egress.istio-egressgateway-1.json"),
            fixture!("static/istio-egress.istio-egressgateway-1.clusters.json"),
        ),
    ])
}

/// The request of a row.
fn request(row: &Value) -> Request {
    let text = |name: &str| row[name].as_str().unwrap_or_default();
    let mut request = Request::get("team-x", text("url")).unwrap();
    request.method = text("method").to_owned();
    if let Some((name, value)) = text("header").split_once(": ") {
        request.headers.push((name.to_owned(), value.to_owned()));
    }
    request
}

/// The result in the words of the record.
fn told(trace: &ProxyTrace) -> String {
    match (&trace.got, trace.verdict) {
        (_, Verdict::Unknown) => format!("unknown: {:?}", trace.unknown),
        (None, _) => "server".to_owned(),
        (Some(CallerOutcome::Answer(answer)), _) => format!("proxy {}", answer.status),
        (Some(CallerOutcome::Failure(failure)), _) => format!("exit {}", failure.exit()),
    }
}

fn recorded(row: &Value) -> String {
    match (row["by"].as_str(), row["exit"].as_u64()) {
        (_, Some(exit)) => format!("exit {exit}"),
        (Some("server"), _) => "server".to_owned(),
        _ => format!("proxy {}", row["status"]),
    }
}

#[test]
fn the_dumps_say_what_curl_got_through_the_real_proxies() {
    let dumps = proxies();
    let from = dumps.sidecar("team-x", None).unwrap();
    let rows: Vec<Value> = fixture!("static/requests.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut wrong = Vec::new();
    for row in &rows {
        let address = row["address"]
            .as_str()
            .map(|address| address.parse().unwrap());
        let trace = dumps.follow(from, &request(row), address);
        let (found, recorded) = (told(&trace), recorded(row));
        if found != recorded {
            wrong.push(format!("{row}: {found}, not {recorded}\n{:#?}", trace.hops));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}: {}",
        wrong.len(),
        rows.len(),
        wrong.join("\n")
    );
    assert_eq!(rows.len(), 46);
}

#[test]
fn the_address_of_a_host_is_found_where_the_proxies_know_it() {
    let dumps = proxies();
    let gateway = dumps.at("10.99.0.2".parse().unwrap()).unwrap();
    assert_eq!(
        gateway.address_of("example.com"),
        Some("10.99.9.1".parse().unwrap())
    );
    assert_eq!(gateway.address_of("none.test"), None);
}
