//! The verdicts of `explain`: what is expected of a request, and what is around a live cluster.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::common::cloud::{Cloud, pointed_at};
use crate::common::program::User;
use crate::common::rewriting::Rewriting;

/// The first object of `--output json`.
fn first_line(out: &str) -> Value {
    serde_json::from_str(out.lines().next().unwrap()).unwrap()
}

#[test]
fn an_expectation_that_is_not_met_ends_with_3_and_an_unknown_verdict_meets_none() {
    let user = User::new();
    let filter = "apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: {name: own, namespace: NAMESPACE}\nspec: {}\n";
    for namespace in ["istio-egress", "default"] {
        let text = filter.replace("NAMESPACE", namespace);
        std::fs::write(user.home().join(format!("{namespace}.yaml")), text).unwrap();
    }
    let (example, httpbin) = ("http://example.com/", "http://httpbin.org/");
    // (URL, file, expectation, exit, what is said on stderr)
    for (url, file, expected, exit, told) in [
        (example, "default.yaml", "reaches", 0, ""),
        (example, "default.yaml", "200", 0, ""),
        (
            example,
            "default.yaml",
            "refused",
            3,
            "expected refused, and it is reaches (200)\n",
        ),
        (httpbin, "default.yaml", "refused", 0, ""),
        (httpbin, "default.yaml", "403", 0, ""),
        (
            httpbin,
            "default.yaml",
            "200",
            3,
            "expected 200, and it is refused (403)\n",
        ),
        (
            example,
            "istio-egress.yaml",
            "reaches",
            3,
            "expected reaches, and it is unknown\n",
        ),
        (
            httpbin,
            "istio-egress.yaml",
            "refused",
            3,
            "expected refused, and it is unknown\n",
        ),
        (
            httpbin,
            "istio-egress.yaml",
            "403",
            3,
            "expected 403, and it is unknown\n",
        ),
    ] {
        let args = [
            "explain", "team-x", url, "--from", file, "--expect", expected,
        ];
        let said = user.run(&args).ends(exit);
        assert_eq!(said.err, told, "{args:?}");
        let json = user
            .run(&[&args[..], &["--output", "json"]].concat())
            .ends(exit);
        let line = first_line(&json.out);
        let (verdict, by) = match (file, url) {
            ("istio-egress.yaml", _) => (
                "unknown",
                json!({"kind": "EnvoyFilter", "namespace": "istio-egress", "name": "own"}),
            ),
            (_, url) if url == example => (
                "reaches",
                json!({"kind": "Namespace", "namespace": "", "name": "team-x"}),
            ),
            _ => (
                "refused",
                json!({"kind": "AuthorizationPolicy", "namespace": "istio-egress", "name": "egress-all-443"}),
            ),
        };
        assert_eq!(
            (&line["verdict"], &line["deciding"][0]),
            (&json!(verdict), &by)
        );
        assert!(
            said.out.contains(&format!("\nverdict: {verdict}\n")),
            "{}",
            said.out
        );
    }
    // The matrix shows no result that may be wrong.
    let plain = user.run(&["explain", "--matrix"]).ends(0).out;
    assert!(!plain.contains("unknown"), "{plain}");
    let marked = user
        .run(&["explain", "--matrix", "--from", "istio-egress.yaml"])
        .ends(0)
        .out;
    let row = marked
        .lines()
        .find(|line| line.starts_with("http://example.com/ "))
        .unwrap();
    assert_eq!(
        row.split_whitespace().collect::<Vec<_>>()[1],
        "unknown",
        "{marked}"
    );
    assert!(
        marked.contains(
            "\nunknown: EnvoyFilter istio-egress/own is not covered, and may decide about "
        ),
        "{marked}"
    );
    for wrong in ["unknown", "20x", "99"] {
        let args = ["explain", "team-x", example, "--expect", wrong];
        let said = user.run(&args).ends(2);
        assert!(
            said.err
                .contains("expected `reaches`, `refused` or the status"),
            "{}",
            said.err
        );
    }
}

#[test]
fn what_surrounds_a_live_cluster_and_is_not_covered_or_not_read_makes_the_verdict_unknown() {
    let cloud = Cloud::new();
    let change = Arc::new(AtomicUsize::new(0));
    let now = Arc::clone(&change);
    let between = Rewriting::new(cloud.address(), move |path, answer| {
        let rule = json!({"action": "deny", "direction": "EGRESS", "priority": 1,
            "match": {"destIpRanges": ["93.0.0.0/8"], "layer4Configs": [{"ipProtocol": "all"}]}});
        match now.load(Ordering::SeqCst) {
            1 if path.ends_with("/getEffectiveFirewalls") => {
                answer["firewallPolicys"] = json!([{"shortName": "folder", "rules": [rule]}]);
            }
            2 if path.ends_with("/global/routes") => {
                *answer = json!({"error": {"code": 403, "message": "forbidden", "errors": [{"reason": "forbidden", "message": "forbidden"}]}});
            }
            3 if path.ends_with("/routers") => answer["items"] = json!([]),
            _ => {}
        }
    });
    let user = pointed_at(User::new(), between.address());
    user.run(&["up", "--yes", "--through", "second-namespace"])
        .ends(0);
    // (change, verdict, the first object behind it)
    for (number, verdict, by) in [
        (0, "reaches", ["Namespace", "team-x"]),
        (1, "unknown", ["firewallPolicy", "folder"]),
        (2, "unknown", ["route", "*"]),
        (3, "unknown", ["subnetwork", "subnet-gke"]),
    ] {
        change.store(number, Ordering::SeqCst);
        let args = [
            "explain",
            "--live",
            "team-x",
            "http://example.com/",
            "--output",
            "json",
        ];
        let line = first_line(&user.run(&args).ends(0).out);
        let first = &line["deciding"][0];
        let found = (&line["verdict"], &first["kind"], &first["name"]);
        assert_eq!(
            found,
            (&json!(verdict), &json!(by[0]), &json!(by[1])),
            "{line}"
        );
    }
}
