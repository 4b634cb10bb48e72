//! After every chapter: all checks hold, and what `explain` says of every request is what curl gets in the pods.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use egress::trace::Failure;
use serde_json::{Value, json};

use crate::common::program::says_as_wanted;
use crate::lab::Lab;

/// The chapter from which on there is a cluster to look at.
const CLUSTER: &str = "cluster";

/// The chapters, in the tutorial's order.
fn chapters(lab: &Lab) -> Vec<String> {
    let said = lab.run(&["steps", "--output", "json"]).ends(0);
    let steps = said
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut chapters: Vec<String> = steps
        .filter_map(|step| Some(step["chapter"].as_str()?.to_owned()))
        .collect();
    chapters.dedup();
    chapters
}

/// How long a connection between two proxies may go on under a configuration that has been replaced: Istio has Envoy drain a
/// listener for 45 s. A policy holds for new connections at once, and for those that are open only after that.
const DRAIN: Duration = Duration::from_secs(60);

/// What nobody knows of Google's metadata server: whether it refuses a connection to its port 443 or drops it. The laboratory's
/// refuses, `explain` reckons with a drop, and neither proves anything.
const UNKNOWN: (&str, &str) = ("bare", "https://metadata.google.internal/");

/// Every way in which curl can get no answer.
const FAILURES: &[Failure] = &[
    Failure::NoSuchHost,
    Failure::NoDns,
    Failure::Refused,
    Failure::TimedOut,
    Failure::TlsReset,
    Failure::TlsClosed,
    Failure::NotTls,
    Failure::CertificateRequired,
    Failure::CertificateRefused,
    Failure::EmptyReply,
    Failure::Reset,
];

/// curl's exit code for a failure by its name in JSON.
fn exit(failure: &Value) -> u8 {
    let named = FAILURES.iter().find(|known| json!(known) == *failure);
    named
        .unwrap_or_else(|| panic!("an unknown failure: {failure}"))
        .exit()
}

/// Whether curl got what a cell of the matrix says: the status and who answered, a server or a proxy; or curl's exit code.
fn agrees(cell: &Value, answer: &Value) -> bool {
    let got = &cell["got"];
    match got["status"].as_u64() {
        Some(status) => {
            let by_proxy = answer["by"] == "proxy";
            answer["code"] == status && answer["exit"] == 0 && cell["reaches"] != by_proxy
        }
        None => answer["code"] == 0 && answer["exit"] == exit(&got["failure"]),
    }
}

/// Where `explain` and curl disagree, a line each.
fn differences(lab: &Lab, chapter: &str) -> Vec<String> {
    let is_known = |((namespace, url), _): &((String, String), Value)| {
        (namespace.as_str(), url.as_str()) != UNKNOWN
    };
    let cells: Vec<_> = lab.matrix().into_iter().filter(is_known).collect();
    let from = |namespace: &str| format!("{namespace}/app=test");
    let requests: Vec<Value> = cells
        .iter()
        .map(|((namespace, url), _)| json!({"from": from(namespace), "url": url}))
        .collect();
    let answers = lab.ask(&requests.into());
    let differs = cells
        .iter()
        .zip(&answers)
        .filter(|((_, cell), answer)| !agrees(cell, answer));
    differs
        .map(|(((namespace, url), cell), answer)| {
            format!("{chapter}: {namespace} {url}: explain says {cell}, curl got {answer}")
        })
        .collect()
}

/// Those that are still there when no connection of an earlier configuration can be open any more.
fn lasting_differences(lab: &Lab, chapter: &str) -> Vec<String> {
    let end = Instant::now() + DRAIN;
    loop {
        let found = differences(lab, chapter);
        if found.is_empty() || Instant::now() > end {
            return found;
        }
    }
}

#[test]
fn after_every_chapter_all_checks_hold_and_explain_says_what_curl_gets() {
    let Some(lab) = Lab::up("chapters") else {
        return;
    };
    let mut wrong = Vec::new();
    let mut last = String::new();
    let chapters = chapters(&lab);
    let first = chapters
        .iter()
        .position(|chapter| chapter == CLUSTER)
        .unwrap();
    for (n, chapter) in chapters.iter().enumerate() {
        let through = ["--through", chapter.as_str()];
        let up = ["up", "--yes", "--set", "control_plane=in-cluster"];
        lab.run(&[&up[..], &through].concat()).ends(0);
        if n < first {
            continue;
        }
        lab.in_sync();
        let settle = ["--settle", &DRAIN.as_secs().to_string()];
        let verified = lab.run(&[&["verify"][..], &through, &settle].concat());
        if verified.code != Some(0) {
            wrong.push(format!("{chapter}: {}{}", verified.out, verified.err));
        }
        wrong.extend(lasting_differences(&lab, chapter));
        last = verified.out;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(last.contains("20 of 20 checks hold"), "{last}");
    let plan = lab.run(&["plan"]).ends(0).out;
    assert!(says_as_wanted(&plan), "{plan}");
}

/// A namespace that no proxy is injected into, with a pod that asks.
const BARE: &str = r#"{"apiVersion": "v1", "kind": "List", "items": [
  {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bare"}},
  {"apiVersion": "v1", "kind": "Pod",
   "metadata": {"name": "test", "namespace": "bare", "labels": {"app": "test"}},
   "spec": {"containers": [{"name": "test", "image": "lab/shell", "command": ["/bin/sleep", "infinity"]}]}}
]}"#;

#[test]
fn with_the_firewall_and_without_with_a_sidecar_and_without() {
    let Some(lab) = Lab::up("firewall") else {
        return;
    };
    lab.run(&["up", "--yes", "--set", "control_plane=in-cluster"])
        .ends(0);
    lab.apply(BARE).ends(0);
    lab.in_sync();
    let callers: BTreeSet<String> = lab
        .matrix()
        .into_keys()
        .map(|(namespace, _)| namespace)
        .collect();
    assert!(callers.contains("bare"), "{callers:?}");
    let mut wrong = lasting_differences(&lab, "firewall");

    // What keeps pods from the web, deleted behind the program's back: `explain` reads it live, and so does the kernel.
    let compute = "compute.googleapis.com/compute/v1/projects/egress-demo/global";
    let operation = lab.google(
        "DELETE",
        &format!("{compute}/firewalls/global-deny-egress-all"),
    );
    let name = operation["name"].as_str().unwrap();
    let done = lab.google("POST", &format!("{compute}/operations/{name}/wait"));
    assert_eq!(done["status"], "DONE");
    wrong.extend(lasting_differences(&lab, "no firewall"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
