//! `explain --proxy-config DIR`: a request through saved dumps, with no cluster, no steps and no project at hand.

use serde_json::Value;

use crate::common::program::User;

/// The dumps of two real Envoys, recorded with what curl got through them.
const DUMPS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/proxy-config/static");

#[test]
fn saved_dumps_answer_without_a_cluster() {
    let user = User::new();
    let explained = |url: &str| -> Value {
        let question = [
            "explain",
            "--proxy-config",
            DUMPS,
            "team-x",
            url,
            "--output",
            "json",
        ];
        let said = user.run(&question).ends(0);
        assert_eq!(said.err, "");
        serde_json::from_str(&said.out).unwrap()
    };
    for (url, verdict, status) in [
        ("http://example.com/", "reaches", None),
        ("https://example.com/", "reaches", None),
        ("http://httpbin.org/status/418", "reaches", None),
        ("http://httpbin.org/status/419", "refused", Some(403)),
        ("http://example.com/fault/1", "refused", Some(555)),
        ("http://none.test/", "refused", Some(502)),
    ] {
        let told = explained(url);
        let got = told["proxies"]["got"]["answer"]["status"].as_u64();
        assert_eq!(
            (told["verdict"].as_str(), got),
            (Some(verdict), status),
            "{url} {told}"
        );
    }
    let text = user.run(&[
        "explain",
        "--proxy-config",
        DUMPS,
        "team-x",
        "http://httpbin.org/status/419",
    ]);
    let text = text.ends(0).out;
    for told in [
        "istio-egress/istio-egressgateway-1",
        "no ALLOW policy of the proxy matches",
        "AuthorizationPolicy istio-egress/egress-teapot",
        "a proxy answers 403",
    ] {
        assert!(text.contains(told), "{told} is not in\n{text}");
    }
}

#[test]
fn a_folder_without_the_dump_that_is_needed_is_told() {
    let user = User::new();
    let none = user.run(&[
        "explain",
        "--proxy-config",
        DUMPS,
        "team-z",
        "http://example.com/",
    ]);
    let none = none.ends(2).err;
    assert!(
        none.contains("no dump of a sidecar in namespace `team-z`"),
        "{none}"
    );
    assert!(none.contains("config_dump?include_eds"), "{none}");
    let folder = user.home().join("dumps");
    std::fs::create_dir_all(&folder).unwrap();
    let folder = folder.to_str().unwrap();
    let explained = || {
        user.run(&[
            "explain",
            "--proxy-config",
            folder,
            "team-x",
            "http://example.com/",
        ])
        .ends(2)
        .err
    };
    assert!(explained().contains("it has no file *.json"));
    std::fs::write(format!("{folder}/a.json"), "{}").unwrap();
    assert!(explained().contains("it has no list `configs`"));
}
