//! Killed at a request, before it arrives or after it took effect, once or twice in a row, with a torn journal, on another
//! machine: the next run goes on, makes each thing once, and `down` leaves nothing.
//!
//! The points are sampled with a seed that is printed; `PROVISION_CRASH=all` takes all of them, `PROVISION_SEED=N` the same ones again.

// What a test calls may unwrap like the test itself.
#![allow(clippy::unwrap_used)]

// Each test file uses its part of what is common.
#[allow(dead_code)]
mod common {
    pub mod cloud;
    pub mod program;
    pub mod proxy;
}

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::cloud::{Cloud, PROJECT, between, pointed_at};
use common::program::{Said, User};
use common::proxy::{Proxy, When};
use serde_json::Value;

const UP: &[&str] = &["up", "--yes"];
const DOWN: &[&str] = &["down", "--yes"];
/// How many points of each run are tried where not all are.
const SAMPLE: usize = 6;

fn say(line: &str) {
    // Past the capture of the test's output: a reader wants the seed of a green run too.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Every point of a run with so many changes, or some of them.
fn points(changes: usize) -> Vec<(usize, When)> {
    let instants = [When::Before, When::After, When::Asking];
    let all = (1..=changes).flat_map(|n| instants.map(|when| (n, when)));
    if std::env::var("PROVISION_CRASH").as_deref() == Ok("all") {
        return all.collect();
    }
    let seed: u64 = std::env::var("PROVISION_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| u64::from(std::process::id()));
    say(&format!("crash: PROVISION_SEED={seed}"));
    let scattered = |(n, when): &(usize, When)| {
        let instant = instants.iter().position(|other| other == when);
        let index = (*n * instants.len() + instant.unwrap_or_default()) as u64;
        (index + 1)
            .wrapping_mul(seed.wrapping_mul(2).wrapping_add(1))
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            >> 32
    };
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(scattered);
    all.truncate(SAMPLE);
    all
}

/// What stands in a cloud after `up`, and what is left after `down`, without any crash.
fn undisturbed() -> (
    BTreeMap<String, Value>,
    BTreeMap<String, Value>,
    usize,
    usize,
) {
    let cloud = Cloud::new();
    let (said, up) = cloud.changes(UP);
    said.ends(0);
    let built = cloud.inventory();
    let (said, down) = cloud.changes(DOWN);
    said.ends(0);
    (built, cloud.inventory(), up.len(), down.len())
}

/// What came of one point.
#[derive(Default)]
struct Tried {
    /// Whether the run came that far.
    reached: bool,
    /// What is there twice, or otherwise than after an undisturbed `up`.
    doubles: Vec<String>,
    /// What is there after `down` and not after an undisturbed one.
    orphans: Vec<String>,
}

/// Names in one inventory that the other has not.
fn beyond(all: &BTreeMap<String, Value>, known: &BTreeMap<String, Value>) -> Vec<String> {
    all.keys()
        .filter(|name| !known.contains_key(*name))
        .cloned()
        .collect()
}

/// Tries each point of a run, two at a time, and says what came of it.
fn try_each(what: &str, points: &[(usize, When)], each: impl Fn(usize, When) -> Tried + Sync) {
    let next = AtomicUsize::new(0);
    let all = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((n, when)) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let tried = each(*n, *when);
                    all.lock().unwrap().push((*n, *when, tried));
                }
            });
        }
    });
    let all = all.into_inner().unwrap();
    let count = |of: fn(&Tried) -> usize| all.iter().map(|(.., tried)| of(tried)).sum::<usize>();
    let reached = count(|tried| usize::from(tried.reached));
    let converged =
        count(|tried| usize::from(tried.doubles.is_empty() && tried.orphans.is_empty()));
    say(&format!(
        "crash: {what}: {} points tried, {reached} reached, {converged} converged, {} duplicates, {} orphans",
        points.len(),
        count(|tried| tried.doubles.len()),
        count(|tried| tried.orphans.len()),
    ));
    for (n, when, tried) in &all {
        assert_eq!(tried.doubles, [""; 0], "{what}: killed at {n} {when:?}");
        assert_eq!(tried.orphans, [""; 0], "{what}: killed at {n} {when:?}");
    }
    // Steps run side by side and refusals are tried again, so a run may end before its last point; some must be reached.
    assert!(reached > 0, "killed at none of {} points", points.len());
}

#[test]
fn up_goes_on_where_it_was_killed() {
    let (built, empty, changes, _) = undisturbed();
    try_each("up", &points(changes), |n, when| {
        let cloud = Cloud::new();
        let proxy = Proxy::new(cloud.address(), None);
        let user = pointed_at(User::new(), proxy.address());
        let reached = proxy.kill_at(n, when, user.command(UP));
        user.run(UP).ends(0);
        let doubles = between(&cloud.inventory(), &built);
        user.run(DOWN).ends(0);
        Tried {
            reached,
            doubles,
            orphans: between(&cloud.inventory(), &empty),
        }
    });
}

/// Killed, its last line torn, its folder copied to another machine, killed again while it goes on there.
#[test]
fn up_goes_on_elsewhere_and_after_a_second_kill() {
    let (built, empty, changes, _) = undisturbed();
    try_each("up, twice and moved", &points(changes), |n, when| {
        let cloud = Cloud::new();
        let proxy = Proxy::new(cloud.address(), None);
        let first = pointed_at(User::new(), proxy.address());
        let reached = proxy.kill_at(n, when, first.command(UP));
        // What a power cut leaves of a record that was being written.
        let state = Path::new(".local/state/provision").join(PROJECT);
        let text = fs::read_to_string(first.home().join(&state).join("journal.jsonl"));
        let text = text.unwrap_or_default();
        let torn = text.lines().last().unwrap_or_default();
        let second = pointed_at(User::new(), proxy.address());
        fs::create_dir_all(second.home().join(&state)).unwrap();
        let moved = format!("{text}{}", &torn[..torn.len() / 2]);
        fs::write(second.home().join(&state).join("journal.jsonl"), moved).unwrap();

        let again = proxy.kill_at(1 + n % 3, when, second.command(UP));
        second.run(UP).ends(0);
        let doubles = between(&cloud.inventory(), &built);
        second.run(DOWN).ends(0);
        Tried {
            reached: reached && again,
            doubles,
            orphans: between(&cloud.inventory(), &empty),
        }
    });
}

#[test]
fn down_finds_what_a_killed_up_had_begun() {
    let (_, empty, changes, _) = undisturbed();
    try_each("down after a killed up", &points(changes), |n, when| {
        let cloud = Cloud::new();
        let proxy = Proxy::new(cloud.address(), None);
        let user = pointed_at(User::new(), proxy.address());
        let reached = proxy.kill_at(n, when, user.command(UP));
        user.run(DOWN).ends(0);
        Tried {
            reached,
            // Only what a first cluster brings to a project stays, and it may not have come that far.
            orphans: beyond(&cloud.inventory(), &empty),
            ..Tried::default()
        }
    });
}

#[test]
fn down_goes_on_where_it_was_killed() {
    let (_, empty, _, changes) = undisturbed();
    try_each("down", &points(changes), |n, when| {
        let cloud = Cloud::new();
        let proxy = Proxy::new(cloud.address(), None);
        let user = pointed_at(User::new(), proxy.address());
        user.run(UP).ends(0);
        let killed = proxy.kill_at(n, when, user.command(DOWN));
        let again = proxy.kill_at(1 + n % 3, when, user.command(DOWN));
        user.run(DOWN).ends(0);
        Tried {
            reached: killed || again,
            orphans: between(&cloud.inventory(), &empty),
            ..Tried::default()
        }
    });
}

#[test]
fn nothing_is_sent_before_its_intent_is_on_disk() {
    let cloud = Cloud::new();
    let user = User::new();
    let journal = user
        .home()
        .join(".local/state/provision")
        .join(PROJECT)
        .join("journal.jsonl");
    let proxy = Proxy::new(cloud.address(), Some(journal));
    let user = pointed_at(user, proxy.address());
    for verb in [UP, DOWN] {
        user.run(verb).ends(0);
    }
    assert!(proxy.changes() > 50, "{} changes", proxy.changes());
    assert_eq!(proxy.unannounced(), Vec::<String>::new());
}

#[test]
fn a_journal_that_cannot_grow_stops_the_run_and_the_next_goes_on() {
    let (built, empty, ..) = undisturbed();
    let cloud = Cloud::new();
    let user = &cloud.user;
    // A file may not grow beyond some blocks, and being told so is an error: what a full disk looks like to a program.
    for blocks in [3, 9, 21] {
        let program = user.command(UP);
        let mut limited = std::process::Command::new("sh");
        limited
            .args([
                "-c",
                r#"trap "" XFSZ; ulimit -f "$1"; shift; exec "$@""#,
                "sh",
            ])
            .arg(blocks.to_string())
            .arg(program.get_program())
            .args(program.get_args())
            .env_clear()
            .envs(
                program
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .current_dir(user.home());
        let said = Said::of(limited.output().unwrap(), user.home()).ends(1);
        assert!(said.err.contains("File too large"), "{}", said.err);
        assert!(
            said.err.contains("hint: ") && said.err.contains("left: "),
            "{}",
            said.err
        );
    }
    user.run(UP).ends(0);
    assert_eq!(cloud.inventory(), built);
    user.run(DOWN).ends(0);
    assert_eq!(cloud.inventory(), empty);
}
