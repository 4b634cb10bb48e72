//! `explain` and `analyze` over the user's own manifests alone, and what a cluster would refuse of them.

use std::io::Write;
use std::process::Stdio;

use crate::common::program::{Said, User};
use serde_json::Value;

/// Every manifest that a real API server was asked about.
const REFUSALS: &str = include_str!("../../fixtures/kubernetes/refusals.jsonl");

const SHOP: &str = "apiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: web, namespace: shop, labels: {app: web}}\n  \
    spec: {containers: [{name: c, image: a}]}\n---\n\
    apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: none}\nspec: {podSelector: {}, policyTypes: [Egress]}\n";

fn piped(user: &User, args: &[&str], text: &str) -> Said {
    let mut child = user
        .command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    Said::of(child.wait_with_output().unwrap(), user.home())
}

/// No steps, no parameters, no project: namespaces exist because something is in them, and `default` is kubectl's.
#[test]
fn manifests_stand_alone() {
    let user = User::new();
    std::fs::create_dir(user.home().join("objects")).unwrap();
    std::fs::write(user.home().join("objects/shop.yaml"), SHOP).unwrap();
    std::fs::write(
        user.home().join("objects/kustomization.yaml"),
        "resources: [shop.yaml]\n",
    )
    .unwrap();
    std::fs::write(user.home().join("objects/notes.txt"), "no manifest").unwrap();
    let ask = |from: &str, namespace: &str| {
        let args = [
            "explain",
            namespace,
            "http://93.184.216.34/",
            "--manifests",
            from,
            "--output",
            "json",
        ];
        match from {
            "-" => piped(&user, &args, SHOP),
            _ => user.run(&args),
        }
    };
    for from in ["objects", "objects/shop.yaml", "-"] {
        // The policy has no namespace, and isolates only those of `default`.
        let open = ask(from, "shop").ends(0).out;
        let closed = ask(from, "default").ends(0).out;
        let got = |out: &str| serde_json::from_str::<Value>(out).unwrap()["account"]["got"].clone();
        assert_ne!(got(&open), got(&closed), "{from}: {open}{closed}");
        let none = ask(from, "istio-egress").ends(2);
        assert!(
            none.err.contains("namespace `istio-egress` not found"),
            "{}",
            none.err
        );
    }
    let said = user
        .run(&["analyze", "--manifests", "objects", "--live"])
        .ends(2);
    assert!(said.err.contains("cannot be used with"), "{}", said.err);
}

/// Each manifest that a real API server refuses ends `analyze` with its file, its line and its field, and none that it takes.
#[test]
fn what_a_cluster_refuses_is_refused_with_line_and_field() {
    let user = User::new();
    let wrong = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: shop, namespace: shop}\nspec:\n  \
        hosts: [shop.example]\n  http:\n  - rout:\n    - destination: {host: shop.example}\n";
    std::fs::write(user.home().join("wrong.yaml"), wrong).unwrap();
    for args in [
        &["analyze", "--manifests", "wrong.yaml"][..],
        &["analyze", "--from", "wrong.yaml"],
        &[
            "explain",
            "shop",
            "http://a.example/",
            "--manifests",
            "wrong.yaml",
        ],
    ] {
        let said = user.run(args).ends(2);
        assert!(
            said.err.starts_with(
                "error: wrong.yaml:7: IST0106 VirtualService shop/shop: spec.http[0].rout: field not declared in schema, did you mean `route`?\nhint: "
            ),
            "{}",
            said.err
        );
    }
    let valid: String = REFUSALS
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|case| case["status"] == 201)
        .map(|case| format!("---\n{}\n", case["manifest"].as_str().unwrap()))
        .collect();
    let said = piped(&user, &["analyze", "--manifests", "-"], &valid);
    assert!(!said.err.contains("IST0106"), "{}", said.err);
}

/// The steps' own objects are looked at before anything is sent.
#[test]
fn a_wrong_object_of_a_step_stops_plan_and_up() {
    let user = User::new();
    let steps = user.home().join("steps");
    user.run(&["steps", "--export", &steps.display().to_string()])
        .ends(0);
    let file = steps.join("manifests");
    let first = std::fs::read_dir(&file)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            std::fs::read_to_string(path)
                .unwrap()
                .contains("kind: Deployment")
        })
        .unwrap();
    let text = std::fs::read_to_string(&first).unwrap();
    std::fs::write(
        &first,
        text.replacen("replicas:", "replicaz:", 1)
            .replacen("containers:", "container:", 1),
    )
    .unwrap();
    let folder = steps.display().to_string();
    for verb in [&["plan"][..], &["up", "--yes"]] {
        let args = [verb, &["--emulate", "--steps", &folder]].concat();
        let said = user.run(&args).ends(2);
        assert!(said.err.contains("IST0106 Deployment "), "{}", said.err);
        assert!(
            said.err.contains("did you mean `containers`?"),
            "{}",
            said.err
        );
    }
}
