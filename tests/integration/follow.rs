//! The terminal goes away and the run does not: it goes on, and the next shell follows it to its end, or takes over from it
//! where it died. Nothing is ever unlocked by hand.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command};
use std::time::{Duration, Instant};

use crate::common::program::{Said, User, says_as_wanted};
use serde_json::Value;

/// A run that takes some seconds, of which Google's operations are most.
const UP: &[&str] = &[
    "up",
    "--emulate",
    "--yes",
    "--through",
    "nat",
    "--pace",
    "real/4",
];
/// The same from another shell.
const FOLLOW: &[&str] = &["up", "--emulate", "--yes", "--through", "nat", "--follow"];
const PLAN: &[&str] = &["plan", "--emulate", "--through", "nat"];

fn folder(user: &User) -> PathBuf {
    user.home().join(".local/state/provision/egress-demo")
}

/// Starts a run, and waits until Google is at work for it.
fn begun(user: &User) -> Child {
    let mut child = user.command(UP).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    let journal = folder(user).join("journal.jsonl");
    while !fs::read_to_string(&journal)
        .unwrap_or_default()
        .contains("\"entry\":\"sent\"")
    {
        assert_eq!(child.try_wait().unwrap(), None, "the run ended");
        assert!(Instant::now() < until, "nothing was sent");
        std::thread::yield_now();
    }
    child
}

/// Starts a run that follows another, and waits until it says so.
fn following(user: &User) -> (Child, BufReader<ChildStderr>, String) {
    let mut child = user.command(FOLLOW).spawn().unwrap();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    err.read_line(&mut line).unwrap();
    assert!(line.starts_with("following process "), "{line}");
    (child, err, line)
}

/// How a follower ended: its code, stdout, and stderr.
fn ended(child: Child, mut err: BufReader<ChildStderr>) -> (Option<i32>, String, String) {
    let mut text = String::new();
    err.read_to_string(&mut text).unwrap();
    let output = child.wait_with_output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        text,
    )
}

fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill")
        .args(["-s", signal, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success(), "{signal}");
}

#[test]
fn a_run_whose_terminal_went_away_goes_on() {
    let user = User::new();
    let mut child = begun(&user);
    // Whoever read its output is gone, and it is told so.
    drop(child.stderr.take());
    drop(child.stdout.take());
    send(&child, "HUP");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(says_as_wanted(&user.run(PLAN).ends(0).out));
    let log = folder(&user).join("events.jsonl");
    assert_eq!(
        fs::metadata(&log).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let first = fs::read_to_string(&log).unwrap();
    assert!(
        first
            .lines()
            .last()
            .unwrap()
            .contains("\"event\":\"run-finished\"")
    );
    // Each run has a log of its own.
    user.run(&["down", "--emulate", "--yes"]).ends(0);
    let second = fs::read_to_string(&log).unwrap();
    assert!(
        second.lines().next().unwrap().contains("\"verb\":\"down\""),
        "{second}"
    );
    assert!(!second.contains("\"outcome\":\"created\""), "{second}");
}

#[test]
fn the_next_shell_follows_it_to_its_end() {
    let user = User::new();
    let child = begun(&user);
    let (follower, err, line) = following(&user);
    assert!(
        line.contains(&format!("process {}, `provision up`, since ", child.id())),
        "{line}"
    );
    let mut json = user
        .command(&[FOLLOW, &["--output", "json"]].concat())
        .spawn()
        .unwrap();
    let mut events = BufReader::new(json.stdout.take().unwrap());
    let mut first = String::new();
    events.read_line(&mut first).unwrap();
    // What would do something else is refused, and so is following where nobody would see it.
    let refused = user
        .run(&["up", "--emulate", "--yes", "--through", "nat"])
        .ends(4);
    assert!(
        refused
            .err
            .contains(&format!("process {}, `provision up`, since ", child.id())),
        "{}",
        refused.err
    );
    assert!(
        refused
            .err
            .contains("`provision up --follow` shows its progress"),
        "{}",
        refused.err
    );
    user.run(&["up", "--emulate", "--yes", "--follow"]).ends(4);
    user.run(&[FOLLOW, &["--set", "nodes=2"]].concat()).ends(4);
    user.run(&["down", "--emulate", "--yes"]).ends(4);
    let mut rest = String::new();
    events.read_to_string(&mut rest).unwrap();
    assert!(json.wait().unwrap().success());

    let run = Said::of(child.wait_with_output().unwrap(), user.home()).ends(0);
    let (code, out, told) = ended(follower, err);
    assert_eq!((code, out.as_str()), (Some(0), run.out.as_str()), "{told}");
    assert!(run.out.contains(" created"), "{}", run.out);
    // What the run told, the follower told too, with the run's times.
    for line in run.err.lines() {
        let words: Vec<&str> = line.split_whitespace().skip(1).take(2).collect();
        assert!(told.contains(words[0]), "{line}: {told}");
    }
    let events: Vec<Value> = (first + &rest)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events.first().unwrap()["event"], "run-started");
    assert_eq!(events.last().unwrap()["how"], "done");
    assert!(
        events
            .iter()
            .any(|event| event["event"] == "finished" && event["outcome"] == "created")
    );
    assert!(says_as_wanted(&user.run(PLAN).ends(0).out));
}

#[test]
fn the_next_shell_takes_over_where_it_died() {
    let user = User::new();
    let mut child = begun(&user);
    let (follower, err, _) = following(&user);
    child.kill().unwrap();
    child.wait().unwrap();
    let (code, out, told) = ended(follower, err);
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.contains(" did not finish: continuing from there"),
        "{told}"
    );
    assert!(out.contains(" created"), "{out}");
    assert!(says_as_wanted(&user.run(PLAN).ends(0).out));
    user.run(&["down", "--emulate", "--yes"]).ends(0);
}

#[test]
fn of_two_that_follow_one_takes_over_and_the_other_follows_it() {
    let user = User::new();
    let mut child = begun(&user);
    let followers = [following(&user), following(&user)];
    child.kill().unwrap();
    child.wait().unwrap();
    let ends = followers.map(|(follower, err, _)| ended(follower, err));
    for (code, out, told) in &ends {
        assert_eq!(*code, Some(0), "{told}");
        assert!(!out.is_empty(), "{told}");
    }
    let made = ends.iter().filter(|(_, out, _)| out.contains(" created"));
    assert!(made.count() >= 1, "{ends:?}");
    let journal = fs::read_to_string(folder(&user).join("journal.jsonl")).unwrap();
    let networks = journal
        .lines()
        .filter(|line| line.contains("\"intent\"") && line.contains("\"compute.network\""));
    // Announced again it may be, under the same id.
    let ids: std::collections::BTreeSet<String> = networks
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["request"].to_string())
        .collect();
    assert_eq!(ids.len(), 1, "{journal}");
    assert!(says_as_wanted(&user.run(PLAN).ends(0).out));
}

#[test]
fn interrupting_the_follower_ends_following_and_interrupting_the_run_ends_both() {
    let user = User::new();
    let child = begun(&user);
    let (first, err, _) = following(&user);
    send(&first, "INT");
    let (code, out, told) = ended(first, err);
    assert_eq!((code, out.as_str()), (Some(130), ""), "{told}");
    assert!(told.ends_with(" continues\n"), "{told}");
    assert!(!told.contains("stopping"), "{told}");

    let (second, err, _) = following(&user);
    send(&child, "INT");
    Said::of(child.wait_with_output().unwrap(), user.home()).ends(130);
    let (code, _, told) = ended(second, err);
    assert_eq!(code, Some(130), "{told}");
    user.run(FOLLOW).ends(0);
}
