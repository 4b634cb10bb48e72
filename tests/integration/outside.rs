//! A cloud that answers with what moves a terminal: its words reach the reader as text.

use std::fs;

use crate::common::program::User;
use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

/// Clears the screen, rings, renames the window, hides what follows, goes back over the line, turns the order of reading.
const WORDS: &str = "bad\u{1b}[2J\u{7}\u{1b}]0;x\u{7}\u{1b}[8mword\r\u{9b}31m\u{202e}\u{8}";

/// Refuses most in these words, and has some networks and zones that are described by them.
async fn answer(request: Request) -> (StatusCode, String) {
    let path = request.uri().path();
    let known = json!({
        "description": WORDS, "status": WORDS, "name": WORDS, "selfLink": WORDS, "ipCidrRange": WORDS,
        "autoCreateSubnetworks": true,
    });
    let (status, body): (_, Value) = if request.method() == Method::GET
        && (path.contains("/networks/") || path.contains("/managedZones/"))
    {
        (StatusCode::OK, known)
    } else if path.contains("/subnetworks/") {
        return (StatusCode::BAD_GATEWAY, format!("<p>{WORDS}"));
    } else {
        let reason = json!([{"reason": WORDS, "message": WORDS}]);
        let error = json!({"code": 403, "message": WORDS, "status": WORDS, "errors": reason});
        (StatusCode::FORBIDDEN, json!({"error": error}))
    };
    (status, body.to_string())
}

/// The first character that is no text, after the colours that the program itself gives.
fn moves(text: &str) -> Option<(usize, char)> {
    let mut text = text.to_owned();
    for colour in ["0", "1", "2", "31", "32", "33"] {
        text = text.replace(&format!("\u{1b}[{colour}m"), "");
    }
    let odd = |c: &char| (c.is_control() && *c != '\n') || *c == '\u{202e}';
    text.chars().enumerate().find(|(_, c)| odd(c))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_cloud_says_does_not_move_the_terminal() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router: Router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut user = User::new()
        .with("CLOUDSDK_CORE_PROJECT", "demo-proj")
        .with("CLOUDSDK_COMPUTE_ZONE", "us-central1-a");
    for line in emulator::exports(address).lines() {
        let (name, value) = line.trim_start_matches("export ").split_once('=').unwrap();
        user = user.with(name, value.trim_matches('\''));
    }
    let mut told = 0;
    for line in [
        "plan --through google-apis",
        "plan --through cluster -v",
        "status",
        "up --yes -v --through google-apis",
        "status -v",
        "status --output json",
        "up --yes --output json --through google-apis",
        "verify --through google-apis",
        "kubeconfig",
        "explain team-x http://example.com/ --live",
        "down --yes",
    ] {
        for colour in ["never", "always"] {
            let line = format!("{line} --color {colour}");
            let said = user.run(&line.split(' ').collect::<Vec<_>>());
            assert!(matches!(said.code, Some(0..=3)), "{line}: {said:?}");
            let all = format!("{}{}", said.out, said.err);
            assert_eq!(moves(&all), None, "{line}: {all:?}");
            if colour == "never" {
                assert!(!all.contains('\u{1b}'), "{line}: {all:?}");
            }
            told += all.matches("bad").count();
        }
    }
    assert!(told > 10, "its words were told: {told}");
}

/// A folder's name may hold what a terminal understands, too, and JSON is looked at on terminals.
#[test]
fn what_a_path_says_does_not_move_the_terminal() {
    let user = User::new();
    let state = "a\u{1b}[2J\u{9b}31mb\u{7f}";
    let journal = user.home().join(state).join("egress-demo/journal.jsonl");
    let run = |line: &str| {
        let line: Vec<&str> = line.split(' ').collect();
        user.run(&[&line[..], &["--emulate", "--state-dir", state]].concat())
    };
    run("up --yes --through network").ends(0);
    for line in ["adopt --yes", "adopt --yes --output json"] {
        let damaged = fs::read_to_string(&journal)
            .unwrap()
            .replacen("up", "ab", 1);
        fs::write(&journal, damaged).unwrap();
        let said = run(line).ends(0);
        let all = format!("{}{}", said.out, said.err);
        assert!(all.contains(".damaged-"), "{all}");
        assert_eq!(moves(&all), None, "{line}: {all:?}");
        if line.ends_with("json") {
            let told = said
                .out
                .lines()
                .map(|line| serde_json::from_str(line).unwrap());
            let told: Vec<Value> = told.collect();
            let kept = told.last().unwrap()["damaged"].as_str().unwrap();
            assert!(kept.contains(state), "{kept:?}");
        }
    }
}

#[test]
fn what_steps_say_does_not_move_the_terminal() {
    let user = User::new();
    let folder = user.home().join("steps");
    fs::create_dir(&folder).unwrap();
    fs::write(
        folder.join("params.yaml"),
        "param: project\nsays: The project.\nof: project-id\n",
    )
    .unwrap();
    for says in [
        "\"a\\e[2Jb\"",
        "\"a\\x9b2Jb\"",
        "\"a\\u202Eb\"",
        "\"a\\rb\"",
    ] {
        let chapter = format!("chapter: one\ntitle: One\nsays: {says}\n");
        fs::write(folder.join("10-one.yaml"), chapter).unwrap();
        for verb in [
            &["plan", "--emulate"][..],
            &["steps"],
            &["steps", "--markdown"],
        ] {
            let said = user.run(&[verb, &["--steps", "steps"]].concat()).ends(2);
            assert!(
                said.err.contains("10-one.yaml:3: character not allowed"),
                "{}",
                said.err
            );
            assert_eq!(moves(&said.err), None);
        }
    }
}
