//! After every chapter: all checks hold, and what `explain` says of every request is what curl gets in the pods.

use serde_json::{Value, json};

use crate::lab::Lab;

/// The chapters from which on there are pods that can ask, in the tutorial's order.
const CHAPTERS: &[&str] = &[
    "test-application",
    "sidecar-scope",
    "routing",
    "second-namespace",
    "authorization",
    "tls-origination",
    "tls-passthrough",
    "network-policy",
    "direct-access",
];

/// Where `explain` and curl disagree, a line each.
fn differences(lab: &Lab, chapter: &str) -> Vec<String> {
    let cells: Vec<_> = lab.matrix().into_iter().collect();
    let requests: Vec<Value> = cells
        .iter()
        .map(|((namespace, url), _)| json!({"from": format!("{namespace}/app=test"), "url": url}))
        .collect();
    let answers = lab.ask(&requests.into());
    let differs = cells
        .iter()
        .zip(&answers)
        .filter_map(|(((namespace, url), cell), answer)| {
            let got = &cell["got"];
            let same = match got["status"].as_u64() {
                Some(status) => answer["code"] == status && answer["exit"] == 0,
                None => answer["code"] == 0 && answer["exit"] != 0,
            };
            (!same).then(|| {
                format!("{chapter}: {namespace} {url}: explain says {cell}, curl got {answer}")
            })
        });
    differs.collect()
}

#[test]
fn after_every_chapter_all_checks_hold_and_explain_says_what_curl_gets() {
    let Some(lab) = Lab::up("chapters") else {
        return;
    };
    let mut wrong = Vec::new();
    for chapter in CHAPTERS {
        let through = ["--through", chapter];
        lab.run(
            &[
                &["up", "--yes", "--set", "control_plane=in-cluster"][..],
                &through,
            ]
            .concat(),
        )
        .ends(0);
        lab.in_sync();
        let verified = lab.run(&[&["verify"][..], &through].concat());
        if verified.code != Some(0) {
            wrong.push(format!("{chapter}: {}{}", verified.out, verified.err));
        }
        wrong.extend(differences(&lab, chapter));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
