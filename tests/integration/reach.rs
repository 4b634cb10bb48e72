//! What is said before a run's own events: that no server can be reached, and that the cluster does not answer this machine yet.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::program::{Said, User};

/// A user whose token and project are set, and a port on which nobody listens.
fn user() -> (User, String) {
    let user = User::new();
    let token = user.home().join("token");
    std::fs::write(&token, "ya29.a-token").unwrap();
    let user = user
        .with(
            "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE",
            token.display().to_string(),
        )
        .with("CLOUDSDK_CORE_PROJECT", "demo-proj")
        .with("CLOUDSDK_COMPUTE_ZONE", "us-central1-a");
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    (user, free.local_addr().unwrap().to_string())
}

/// Runs a command that must end within ten seconds.
fn soon(user: &User, args: &[&str]) -> Said {
    let began = Instant::now();
    let said = user.run(args);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(10), "{args:?} took {took:?}");
    said
}

const NETWORK: &[&str] = &["--authorized-network", "192.0.2.1/32"];

#[test]
fn a_proxy_that_does_not_answer_ends_the_run_soon_and_is_named() {
    let (user, closed) = user();
    let user = user.with("HTTPS_PROXY", format!("http://me:secret@{closed}"));
    for verb in [
        &["plan"][..],
        &["up", "--yes"],
        &["verify"],
        &["kubeconfig"],
        &["output"],
    ] {
        let args: &[&str] = match verb[0] {
            "plan" | "up" => NETWORK,
            _ => &[],
        };
        let said = soon(&user, &[verb, args].concat()).ends(1);
        let text = said.out + &said.err;
        let expected = format!("googleapis.com through the proxy {closed} (HTTPS_PROXY): ");
        assert!(text.contains("cannot connect to "), "{verb:?}: {text}");
        assert!(text.contains(&expected), "{verb:?}: {text}");
        assert!(
            text.contains("hint: check that the proxy runs"),
            "{verb:?}: {text}"
        );
        assert!(!text.contains("secret"), "{verb:?}: {text}");
    }
}

#[test]
fn a_name_that_is_not_found_ends_the_run_soon_and_is_named() {
    // The machine of a test may reach Google or not: the name of the proxy is one that nobody has.
    let (user, _) = user();
    let user = user.with("HTTPS_PROXY", "http://nowhere.invalid:3128");
    let said = soon(&user, &[&["plan"], NETWORK].concat()).ends(1);
    let text = said.out + &said.err;
    assert!(
        text.contains("through the proxy nowhere.invalid:3128 (HTTPS_PROXY)"),
        "{text}"
    );
}

#[test]
fn a_server_on_this_machine_that_does_not_run_is_named_without_a_proxy() {
    let (user, closed) = user();
    let mut user = user.with("HTTPS_PROXY", "http://nowhere.invalid:3128");
    let exports = emulator::exports(closed.parse().unwrap());
    for line in exports.lines() {
        let (name, value) = line.trim_start_matches("export ").split_once('=').unwrap();
        user = user.with(name, value.trim_matches('\''));
    }
    let said = soon(&user, &["plan"]).ends(1);
    let text = said.out + &said.err;
    assert!(
        text.contains(&format!("cannot connect to {closed}: ")),
        "{text}"
    );
    assert!(
        text.contains("hint: start the server that CLOUDSDK_API_ENDPOINT_OVERRIDES_"),
        "{text}"
    );
    assert!(!text.contains("nowhere.invalid"), "{text}");
}

#[test]
fn an_address_that_a_living_cluster_does_not_allow_is_told_first() {
    let user = User::new();
    let run = |args: &[&str]| user.run(&[args, &["--emulate"]].concat());
    let elsewhere = ["up", "--yes", "--authorized-network", "192.0.2.0/24"];
    let first = run(&elsewhere).ends(0);
    assert!(
        !first.err.contains("allow list"),
        "there was no cluster: {}",
        first.err
    );
    let told = |adds: &str| {
        format!(
            "note: 127.0.0.1/32 is not on the allow list of cluster, whose API server does not answer it yet: {adds}\n"
        )
    };
    let plan = run(&["plan"]).ends(3);
    assert!(
        plan.err.starts_with(&told("`provision up` adds it")),
        "{}",
        plan.err
    );
    let json = run(&["plan", "--output", "json"]).ends(3);
    let mut line: Value = serde_json::from_str(json.out.lines().next().unwrap()).unwrap();
    line.as_object_mut().unwrap().remove("at").unwrap();
    let expected =
        json!({"event": "not-on-allow-list", "step": "cluster", "networks": ["127.0.0.1/32"]});
    assert_eq!(line, expected);
    let up = run(&["up", "--yes"]).ends(0);
    assert!(up.err.starts_with(&told("this run adds it")), "{}", up.err);
    let plan = run(&["plan"]).ends(0);
    assert_eq!(plan.err, "", "it is on the list now");
}
