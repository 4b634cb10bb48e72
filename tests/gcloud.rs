//! The real gcloud stands the tutorial up against the emulator and takes it down again, its commands unchanged.
//!
//! One test, a minute or two. Where gcloud is not installed it says so and passes, except in CI.

// What a test calls may unwrap like the test itself.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use provision::emulator::{Pace, Settings, exports, start};

const SCRIPT: &str = include_str!("../fixtures/gcloud/tutorial.txt");
const PROJECT: &str = "demo-proj";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_gcloud_runs_the_tutorial_and_leaves_nothing() {
    if Command::new("gcloud").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "CI has to have gcloud");
        say("gcloud is not installed: its session was not run");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hello"), "hello\n").unwrap();
    let settings = Settings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        state: None,
        pace: Pace::Zero,
    };
    let emulator = start(settings).await.unwrap();
    let environment = environment(emulator.addr(), folder.path());

    let began = Instant::now();
    let mut failed = Vec::new();
    let mut commands = 0;
    for line in SCRIPT.lines().filter(|line| !line.starts_with('#')) {
        let words = words(line, folder.path());
        let (environment, place) = (environment.clone(), folder.path().to_owned());
        let output = tokio::task::spawn_blocking(move || gcloud(&words[1..], &environment, &place))
            .await
            .unwrap();
        commands += 1;
        if !output.status.success() {
            failed.push(format!(
                "{line}\n{}",
                String::from_utf8_lossy(&output.stderr)
            ));
        }
    }
    let asked = emulator.seen().len();
    say(&format!(
        "gcloud: {commands} commands, {asked} requests, {:.0} s",
        began.elapsed().as_secs_f64()
    ));
    assert_eq!(commands, 89);
    assert!(
        failed.is_empty(),
        "{} of {commands} failed:\n{}",
        failed.len(),
        failed.join("\n")
    );

    let left = emulator.inventory();
    let of = |part: &str| {
        left.iter()
            .filter(|(_, value)| value.to_string().contains(part))
            .count()
    };
    // Google keeps three things for itself: the project's policy, its fleet, its pool of identities.
    const KEPT: &[&str] = &[
        "/iamPolicy",
        "/fleets/default",
        "/workloadIdentityPools/demo-proj.svc.id.goog",
    ];
    let kept = |key: &&String| KEPT.iter().any(|end| key.ends_with(end));
    let keys: Vec<&String> = left
        .iter()
        .map(|(key, _)| key)
        .filter(|key| !kept(key))
        .collect();
    assert!(keys.is_empty(), "{keys:?}");
    assert_eq!(
        (
            of("sa-application-nodes"),
            of("sa-gateway-nodes"),
            of("sa-test-app-team-x")
        ),
        (0, 0, 0),
        "{left:?}"
    );
    emulator.stop().await;
}

fn gcloud(words: &[String], environment: &[(String, String)], folder: &Path) -> Output {
    let mut command = Command::new("gcloud");
    command
        .args(words)
        .arg("--quiet")
        .env_clear()
        .envs(environment.iter().cloned())
        .current_dir(folder);
    command.output().unwrap()
}

/// Nothing of this machine's own configuration: an empty home, the exports of the emulator, and the way to the programs.
fn environment(addr: SocketAddr, folder: &Path) -> Vec<(String, String)> {
    let home = folder.display().to_string();
    let mut all = vec![
        ("PATH".to_owned(), std::env::var("PATH").unwrap()),
        ("HOME".to_owned(), home.clone()),
        ("CLOUDSDK_CONFIG".to_owned(), format!("{home}/gcloud")),
        ("KUBECONFIG".to_owned(), format!("{home}/kubeconfig")),
    ];
    for line in exports(addr).lines() {
        let (name, value) = line
            .strip_prefix("export ")
            .unwrap()
            .split_once('=')
            .unwrap();
        all.push((name.to_owned(), value.trim_matches('\'').to_owned()));
    }
    all
}

/// A line's words as a shell would cut them, its placeholders filled in.
fn words(line: &str, folder: &Path) -> Vec<String> {
    let filled = line
        .replace("{accounts}", &format!("{PROJECT}.iam.gserviceaccount.com"))
        .replace("{project}", PROJECT)
        .replace("{region}", "us-central1")
        .replace("{zone}", "us-central1-a")
        .replace("{machine}", "203.0.113.99")
        .replace("{folder}", &folder.display().to_string());
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in filled.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A line that the test runner does not keep to itself.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
