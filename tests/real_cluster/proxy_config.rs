//! What the proxies really have: `explain --live` reads it, finds what curl gets in the pods, and does not differ from the model;
//! `explain --proxy-config` says the same of saved dumps, without the cluster.

use std::fs;

use serde_json::{Value, json};

use crate::lab::{Lab, UP};

/// Requests from pods, of each way that the tutorial's mesh decides.
const REQUESTS: &[(&str, &str)] = &[
    ("team-x", "http://example.com/"),
    ("team-x", "http://httpbin.org/"),
    ("team-x", "https://example.com/"),
    ("team-x", "http://other.example/"),
    ("team-x", "https://other.example/"),
    ("team-y", "http://httpbin.org/"),
    ("team-y", "http://httpbin.org/status/418"),
    ("team-y", "https://httpbin.org/"),
    ("team-y", "http://example.com/"),
    ("team-y", "https://example.com/"),
];

/// A page of the admin interface of a pod's Envoy.
fn page(lab: &Lab, pod: &str, page: &str) -> Value {
    let said = lab.lab(&["proxy", pod, page]).ends(0);
    serde_json::from_str(&said.out).unwrap()
}

/// The pods with a proxy, as `NAMESPACE/NAME`.
fn proxies(lab: &Lab) -> Vec<String> {
    let pods = lab.get(&["pods", "-A"]).unwrap();
    let pods = pods["items"].as_array().unwrap().iter();
    let pods = pods.filter(|pod| provision::kinds::proxy_dump::has_proxy(pod));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    pods.map(|pod| {
        let metadata = &pod["metadata"];
        format!(
            "{}/{}",
            text(&metadata["namespace"]),
            text(&metadata["name"])
        )
    })
    .collect()
}

/// Whether curl got what the proxies' own configuration says: a server's answer, a proxy's, or none.
fn agrees(proxies: &Value, answer: &Value) -> bool {
    match (
        proxies["verdict"].as_str(),
        proxies["got"]["answer"]["status"].as_u64(),
    ) {
        (Some("reaches"), _) => answer["exit"] == 0 && answer["by"] != "proxy",
        (Some("refused"), Some(status)) => answer["code"] == status && answer["by"] == "proxy",
        (Some("refused"), None) => answer["code"] == 0 && answer["exit"] != 0,
        _ => false,
    }
}

#[test]
fn the_proxies_own_configuration_says_what_curl_gets_and_what_the_model_says() {
    let Some(lab) = Lab::up("proxies") else {
        return;
    };
    lab.run(UP).ends(0);
    lab.in_sync();
    let asked: Vec<Value> = REQUESTS
        .iter()
        .map(|(namespace, url)| json!({"from": format!("{namespace}/app=test"), "url": url}))
        .collect();
    let answers = lab.ask(&asked.into());
    let folder = lab.user.home().join("dumps");
    fs::create_dir_all(&folder).unwrap();
    for pod in proxies(&lab) {
        let stem = pod.replace('/', ".");
        let dump = page(&lab, &pod, "config_dump?include_eds");
        fs::write(folder.join(format!("{stem}.json")), dump.to_string()).unwrap();
        let clusters = page(&lab, &pod, "clusters?format=json");
        fs::write(
            folder.join(format!("{stem}.clusters.json")),
            clusters.to_string(),
        )
        .unwrap();
    }
    let folder = folder.to_str().unwrap();
    let mut wrong = Vec::new();
    for ((namespace, url), answer) in REQUESTS.iter().zip(&answers) {
        let explained = |more: &[&str]| -> Value {
            let question = ["explain", namespace, url, "--output", "json"];
            let said = lab.run(&[&question[..], more].concat()).ends(0);
            serde_json::from_str(&said.out).unwrap()
        };
        // A name that is not resolved reaches no proxy, and dumps know no resolver.
        if answer["exit"] == 6 {
            continue;
        }
        let live = explained(&["--live"]);
        if !agrees(&live["proxies"], answer) {
            wrong.push(format!(
                "{namespace} {url}: curl got {answer}, the proxies have {live}"
            ));
        }
        if live["differences"] != json!([]) {
            wrong.push(format!("{namespace} {url}: {}", live["differences"]));
        }
        let saved = explained(&["--proxy-config", folder]);
        let seen = |value: &Value| {
            (
                value["proxies"]["verdict"].clone(),
                value["proxies"]["got"].clone(),
            )
        };
        if seen(&saved) != seen(&live) {
            wrong.push(format!(
                "{namespace} {url}: dumps say {saved}, and not {live}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
