//! A run that is told to stop, or is killed: how it ends, who may run meanwhile, and that the next one goes on. The moments
//! are those at which the journal says what has left; nothing is timed.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::common::program::{Said, User, says_as_wanted};
use provision::kinds::Kind;
use serde_json::Value;

const FINISH: &[&str] = &["up", "--emulate", "--yes"];
/// How long a run may take that was asked to stop.
const LAST_WORDS: Duration = Duration::from_secs(5);

fn folder(user: &User) -> PathBuf {
    user.home().join(".local/state/provision/egress-demo")
}

/// Starts `up` at a pace, and waits until its journal says these words in one line.
fn up_until(user: &User, pace: &str, words: &[&str]) -> Child {
    start_until(user, &[FINISH, &["--pace", pace]].concat(), words)
}

/// Starts the program, and waits until its journal says these words in one line.
fn start_until(user: &User, args: &[&str], words: &[&str]) -> Child {
    let mut child = user.command(args).spawn().unwrap();
    let said = || {
        let text = fs::read_to_string(folder(user).join("journal.jsonl")).unwrap_or_default();
        text.lines()
            .any(|line| words.iter().all(|word| line.contains(word)))
    };
    let until = Instant::now() + Duration::from_secs(60);
    while !said() {
        assert_eq!(
            child.try_wait().unwrap(),
            None,
            "the run ended before {words:?}"
        );
        assert!(Instant::now() < until, "no line with {words:?}");
        std::thread::yield_now();
    }
    child
}

fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill")
        .args(["-s", signal, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success(), "{signal}");
}

/// The names of what is in the emulated cloud.
fn there(user: &User) -> Vec<String> {
    let state: Value =
        serde_json::from_str(&fs::read_to_string(folder(user).join("emulator.json")).unwrap())
            .unwrap();
    state["objects"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}

/// The next runs: everything is made, once, and goes again.
fn goes_on(user: &User, after: &str) {
    user.run(FINISH).ends(0);
    let plan = user.run(&["plan", "--emulate"]).ends(0).out;
    assert!(says_as_wanted(&plan), "{after}: {plan}");
    let status = user
        .run(&["status", "--emulate", "--output", "json"])
        .ends(0)
        .out;
    // What a step only waits for is nobody's, nor are APIs of which the journal was lost.
    let strange = status.lines().find(|line| {
        let row: Value = serde_json::from_str(line).unwrap();
        let kind = row["kind"].as_str().and_then(Kind::named);
        let made = !kind.is_some_and(|kind| kind.is_wait() || kind.name() == "services");
        line.contains("\"open\":\"") || (made && line.contains("\"ours\":false"))
    });
    assert_eq!(strange, None, "{after}");
    let whole = there(user);
    let clusters = whole
        .iter()
        .filter(|name| name.starts_with("//container.") && !name.contains("/nodePools/"));
    assert_eq!(clusters.count(), 1, "{after}: {whole:?}");

    user.run(&["down", "--emulate", "--yes"]).ends(0);
    let left = there(user);
    // The project's own network `default`, with its subnetworks and rules, is nobody's step.
    let ours = left.iter().filter(|name| {
        !name.contains("/firewalls/default-allow-")
            && !["/iamPolicy", "/default", ".svc.id.goog"]
                .iter()
                .any(|end| name.ends_with(end))
    });
    assert_eq!(ours.collect::<Vec<_>>(), [""; 0], "{after}");
}

#[test]
fn a_run_that_is_asked_to_stop_does_so_and_the_next_goes_on() {
    let cases = [
        ("INT", &["\"entry\":\"sent\"", "services"][..], 130),
        (
            "TERM",
            &["\"entry\":\"sent\"", "/networks/vpc-network"],
            130,
        ),
        ("INT", &["\"entry\":\"sent\"", "/clusters/cluster1"], 130),
    ];
    for (signal, words, code) in cases {
        let user = User::new();
        let child = up_until(&user, "real/60", words);
        let asked = Instant::now();
        send(&child, signal);
        let said = Said::of(child.wait_with_output().unwrap(), user.home()).ends(code);
        assert!(
            asked.elapsed() < LAST_WORDS,
            "{signal} at {words:?} took {:?}",
            asked.elapsed()
        );
        // The word of the signal is written beside the run, so it may come late.
        for line in [
            "stopping: finishing requests in flight; press Ctrl-C again to quit now",
            "interrupted: the journal has every request that was started; run `provision up` to continue",
        ] {
            let times = said.err.lines().filter(|said| *said == line).count();
            assert_eq!(times, 1, "{}", said.err);
        }
        let unfinished = |line: &str| line.starts_with("the emulator has not finished: ");
        let last = said.err.lines().last().unwrap_or_default();
        let known = ["interrupted: ", "stopping: "]
            .iter()
            .any(|word| last.starts_with(word));
        assert!(known || unfinished(last), "{}", said.err);
        assert!(!said.out.starts_with("nothing to do"), "{}", said.out);
        goes_on(&user, &format!("{signal} at {words:?}"));
    }
}

#[test]
fn a_run_that_was_killed_goes_on_with_the_next() {
    let cases = [
        &["\"entry\":\"intent\"", "\"compute.network\""][..],
        &["\"entry\":\"sent\"", "/subnetworks/subnet-gke"],
        &["\"entry\":\"intent\"", "\"container.cluster\""],
        &["\"entry\":\"sent\"", "/clusters/cluster1"],
    ];
    for words in cases {
        let user = User::new();
        let mut child = up_until(&user, "real/60", words);
        child.kill().unwrap();
        assert_eq!(
            Said::of(child.wait_with_output().unwrap(), user.home()).code,
            None
        );
        goes_on(&user, &format!("killed at {words:?}"));
    }
}

#[test]
fn a_journal_that_is_lost_while_google_is_at_work_is_rebuilt() {
    // Compute shows nothing of a network before its operation is over; a cluster is there from the beginning.
    for words in [
        &["\"entry\":\"sent\"", "/networks/vpc-network"][..],
        &["\"entry\":\"sent\"", "/clusters/cluster1"],
    ] {
        let user = User::new();
        let mut child = up_until(&user, "real/60", words);
        child.kill().unwrap();
        child.wait().unwrap();
        fs::remove_file(folder(&user).join("journal.jsonl")).unwrap();
        let said = user
            .run(&["adopt", "--emulate", "--yes", "--pace", "real/60"])
            .ends(0);
        let thing = words[1].rsplit('/').next().unwrap();
        let step = thing.trim_end_matches('1');
        assert!(said.out.contains(&format!("  + {step} ")), "{}", said.out);
        goes_on(&user, &format!("lost at {words:?}"));
    }
}

#[test]
fn one_run_at_a_time() {
    let user = User::new();
    let child = up_until(&user, "real", &["\"entry\":\"sent\"", "services"]);
    let held = format!(
        "error: another run holds this environment: process {}, `provision up`, since ",
        child.id()
    );
    for args in [
        FINISH,
        &["down", "--emulate", "--yes"],
        &["authorize", "--emulate"],
    ] {
        let said = user.run(args).ends(4);
        assert!(said.err.starts_with(&held), "{}", said.err);
        let same = if args == FINISH {
            "; it runs the same command, and `provision up --follow` shows its progress"
        } else {
            ""
        };
        let hint =
            format!("Z\nhint: wait for it, or stop it; there is no lock to remove by hand{same}\n");
        assert!(said.err.ends_with(&hint), "{}", said.err);
        assert_eq!(said.out, "");
    }
    // Looking is free.
    let status = user.run(&["status", "--emulate"]).ends(0);
    assert!(status.out.contains("update 2"), "{}", status.out);
    user.run(&["plan", "--emulate"]).ends(3);
    // Another environment is another matter.
    user.run(&[
        "up",
        "--emulate",
        "--yes",
        "--through",
        "network",
        "--project",
        "elsewhere",
    ])
    .ends(0);
    // The second word ends it at once.
    send(&child, "INT");
    send(&child, "INT");
    Said::of(child.wait_with_output().unwrap(), user.home()).ends(130);
    user.run(&[FINISH, &["--through", "network"]].concat())
        .ends(0);
}
