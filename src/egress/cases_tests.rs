//! Small inputs whose right answer is known, a document each (`fixtures/egress/cases/`): what the laboratory did, or what Istio's
//! and Kubernetes' documentation and source say. `PROVISION_CASES` names a folder with more of them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::request::{Request, Scheme};
use crate::snapshot::Snapshot;
use crate::snapshot_input::SnapshotInput;
use crate::trace::{CallerOutcome, HopLocation, Trace};
use serde::Deserialize;
use serde_json::Value;

/// Objects, and what is asked of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    case: String,
    seen: Origin,
    objects: Vec<Value>,
    #[serde(default)]
    firewalls: Vec<Value>,
    #[serde(default)]
    zones: Vec<Value>,
    #[serde(default)]
    pools: Vec<Value>,
    /// The cluster's VPC network.
    network: Option<String>,
    /// Whether the nodes have no way to the internet.
    #[serde(default)]
    no_internet: bool,
    asked: Vec<Asked>,
}

/// Who says so.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Origin {
    Laboratory,
    Documentation,
}

/// A request and its answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// `NAMESPACE[/POD] [METHOD] URL`, with `-k` for the method as in curl.
    ask: String,
    /// A status, `exit N`, or `closed`: 52 or 56 for http, 35 for https.
    got: Value,
    /// The cluster in the first line that a proxy logs.
    cluster: Option<String>,
    /// The cluster in the line that the next proxy logs.
    then: Option<String>,
    /// Where the first proxy sent it.
    at: Option<String>,
    /// The server that answered.
    server: Option<String>,
    /// What of the answer is not known; otherwise everything is.
    unknown: Option<String>,
}

fn asked(of: &Asked) -> Request {
    let (from, url) = of.ask.split_once(' ').unwrap();
    let (namespace, pod) = match from.split_once('/') {
        Some((namespace, pod)) => (namespace, Some(pod)),
        None => (from, None),
    };
    let (word, url) = url.split_once(' ').unwrap_or(("GET", url));
    let mut request = Request::get(namespace, url).unwrap().by_curl();
    match word {
        "-k" => request.insecure = true,
        method => request.method = method.to_owned(),
    }
    request.from.pod = pod.map(str::to_owned);
    request
}

/// What of an account differs from what is right.
fn differences(of: &Asked, request: &Request, account: &Trace) -> Vec<String> {
    let got = match &account.got {
        CallerOutcome::Answer(answer) => answer.status.to_string(),
        CallerOutcome::Failure(failure) => format!("exit {}", failure.exit()),
    };
    let wanted = match &of.got {
        Value::String(text) => text.clone(),
        number => number.to_string(),
    };
    let right = match (wanted.as_str(), request.scheme) {
        ("closed", Scheme::Http) => ["exit 52", "exit 56"].contains(&got.as_str()),
        ("closed", Scheme::Https) => got == "exit 35",
        (wanted, _) => wanted == got,
    };
    let mut wrong = Vec::new();
    if !right {
        wrong.push(format!("{got} instead of {wanted}"));
    }
    let line = account.lines.first();
    for (index, wanted) in [(0, &of.cluster), (1, &of.then)] {
        let found = account.lines.get(index).map(|line| line.cluster.as_str());
        if let Some(wanted) = wanted.as_deref().filter(|wanted| found != Some(wanted)) {
            wrong.push(format!("by cluster {found:?} instead of {wanted}"));
        }
    }
    if let Some(at) = &of.at {
        let found = line.and_then(|line| line.upstream);
        let found = found.map(|found| found.to_string()).unwrap_or_default();
        if found != *at {
            wrong.push(format!("at {found} instead of {at}"));
        }
    }
    if let Some(server) = &of.server {
        let mut servers = account.hops.iter();
        let found = servers.rfind(|hop| hop.place == HopLocation::Server);
        let found = found.map(|hop| hop.name.as_str()).unwrap_or_default();
        if found != server {
            wrong.push(format!("answered by {found} instead of {server}"));
        }
    }
    let unknown: Vec<String> = account.unknown.iter().map(ToString::to_string).collect();
    match &of.unknown {
        Some(wanted) if !unknown.contains(wanted) => {
            wrong.push(format!(
                "{wanted} is not said to be unknown, but {unknown:?}"
            ));
        }
        None if !unknown.is_empty() => wrong.push(format!("{unknown:?} is said to be unknown")),
        _ => {}
    }
    wrong
}

/// The files of a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let found = fs::read_dir(folder).unwrap();
    let mut found: Vec<PathBuf> = found.map(|entry| entry.unwrap().path()).collect();
    found.retain(|file| file.extension().is_some_and(|end| end == "yaml"));
    found.sort();
    found
}

#[test]
fn small_inputs_get_their_right_answers() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/egress/cases");
    let more = std::env::var_os("PROVISION_CASES").map(PathBuf::from);
    let mut wrong = Vec::new();
    for file in [Some(own), more].iter().flatten().flat_map(|of| files(of)) {
        let text = fs::read_to_string(&file).unwrap();
        let cases: Vec<Case> = serde_saphyr::from_multiple(&text).unwrap();
        assert!(!cases.is_empty(), "{}", file.display());
        for case in cases {
            assert!(!case.asked.is_empty(), "{}", case.case);
            let zone = |zone: &Value| (zone.clone(), zone["rrsets"].as_array().cloned().unwrap());
            let snapshot = Snapshot::read(&SnapshotInput {
                kubernetes: case.objects,
                firewalls: case.firewalls,
                zones: case.zones.iter().map(zone).collect(),
                pools: case.pools,
                network: case.network,
                no_internet: case.no_internet,
                ..SnapshotInput::default()
            });
            for each in &case.asked {
                let request = asked(each);
                let account = snapshot.trace(&request);
                for what in differences(each, &request, &account) {
                    let (name, seen) = (&case.case, &case.seen);
                    let hops: Vec<String> = account
                        .hops
                        .iter()
                        .map(|hop| {
                            format!("      {:?} {}: {}", hop.place, hop.name, hop.ruling.because)
                        })
                        .collect();
                    wrong.push(format!(
                        "{name} ({seen:?}), {}: {what}\n{}",
                        each.ask,
                        hops.join("\n")
                    ));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
