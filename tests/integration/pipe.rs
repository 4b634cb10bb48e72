//! A run whose output is a pipe, as in a CI log: a line when something begins and when it has ended, what still runs every half
//! minute, and no line twice.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::common::program::{Said, User};

const UP: [&str; 5] = ["up", "--emulate", "--yes", "--through", "nat"];

/// A line's words behind its time.
fn timeless(line: &str) -> &str {
    line.trim_start()
        .split_once(' ')
        .map_or("", |(_, rest)| rest)
}

#[test]
fn a_line_says_what_begins_another_what_has_ended_and_none_comes_twice() {
    let user = User::new();
    let said = user
        .run(&[&UP[..], &["--pace", "real/10"]].concat())
        .ends(0);
    let lines: Vec<&str> = said.err.lines().collect();
    let of_step = |step: &str| -> Vec<&str> {
        let own = lines.iter().map(|line| timeless(line).trim_start());
        let own = own.filter_map(|line| line.strip_prefix(&format!("{step} ")));
        own.map(str::trim_start).collect()
    };
    // Both take longer than a second at this pace.
    for (step, begins, ends) in [
        ("services", "changing the enabled APIs", "updated in "),
        ("vpc-network", "creating vpc-network", "created in "),
    ] {
        let own = of_step(step);
        assert_eq!(own.len(), 2, "{step}: {}", said.err);
        assert!(own[0].starts_with(begins), "{}", said.err);
        assert!(own[1].starts_with(ends), "{}", said.err);
    }
    let different: BTreeSet<&str> = lines.iter().map(|line| timeless(line)).collect();
    assert_eq!(different.len(), lines.len(), "{}", said.err);
    // A second run has nothing to say of its steps.
    let again = user.run(&UP).ends(0);
    assert_eq!(again.err, "Next: provision status --emulate\n");
}

#[test]
fn every_half_minute_one_line_says_what_still_runs() {
    let user = User::new();
    let mut child = user
        .command(&[&UP[..], &["--pace", "real"]].concat())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut seen = Vec::new();
    let still = loop {
        let line = lines.next().unwrap().unwrap();
        match line.contains("  still running: ") {
            true => break line,
            false => seen.push(line),
        }
    };
    assert!(began.elapsed() >= Duration::from_secs(30), "{still}");
    let words: Vec<&str> = still.split_whitespace().collect();
    assert!(matches!(words[0], "30s" | "31s" | "32s"), "{still}");
    // For each step its age and what it waits for; then the count and the time that is left.
    assert!(
        still.contains("s (c") && still.contains(": usually "),
        "{still}"
    );
    assert!(
        still.contains(" of 4 steps done, ") && still.ends_with(" left"),
        "{still}"
    );
    // Until then, a line for each beginning and each end.
    assert!(seen.len() < 8, "{seen:?}");
    let different: BTreeSet<&str> = seen.iter().map(|line| timeless(line)).collect();
    assert_eq!(different.len(), seen.len(), "{seen:?}");
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-s", "INT", &pid]).status();
    assert!(sent.unwrap().success());
    Said::of(child.wait_with_output().unwrap(), user.home()).ends(130);
}
