//! Killed at a request, Google's or the cluster's, before it arrives or after it took effect, or in the middle of a write to the
//! journal; once or twice in a row, with a torn journal, on another machine: the next run goes on, makes each thing once, and
//! `down` leaves nothing.
//!
//! The points are sampled with a seed that is printed; `PROVISION_CRASH=all` takes all of them, `PROVISION_SEED=N` the same ones again.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::cloud::{Cloud, between, pointed_at};
use crate::common::dice::{Dice, seed};
use crate::common::kill::{Killer, Point, When, journal_of};
use crate::common::program::User;
use serde_json::Value;

const UP: &[&str] = &["up", "--yes"];
const DOWN: &[&str] = &["down", "--yes"];
/// How many points of each run are tried where not all are.
const SAMPLE: usize = 6;

fn say(line: &str) {
    // Past the capture of the test's output: a reader wants the seed of a green run too.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// What is there, whatever API it belongs to.
type World = BTreeMap<String, Value>;

/// Google's things and the cluster's objects.
fn world(cloud: &Cloud) -> World {
    cloud
        .inventory()
        .into_iter()
        .chain(cloud.objects())
        .collect()
}

/// A run that nothing happens to: what stands after it, and where it could have been killed.
struct Undisturbed {
    world: World,
    points: Vec<Point>,
}

/// An `up` and a `down`.
fn undisturbed() -> (Undisturbed, Undisturbed) {
    let cloud = Cloud::new();
    let killer = Killer::new(&cloud, None);
    let user = killer.user();
    let (mut changes, mut journal) = (0, 0);
    let mut see = |args| {
        user.run(args).ends(0);
        let text = fs::read_to_string(journal_of(&user)).unwrap();
        let requests = 1..=killer.changes() - changes;
        let instants = [When::Before, When::After, When::Asking];
        let requests = requests.flat_map(|n| instants.map(|when| Point::Request(n, when)));
        // Each record is begun and not written, and written in half.
        let mut byte = 0;
        let writes = text[journal..].split_inclusive('\n').flat_map(|line| {
            let begins = byte;
            byte += line.len() as u64;
            [begins, begins + line.len() as u64 / 2].map(Point::Write)
        });
        let points = requests.chain(writes).collect();
        (changes, journal) = (killer.changes(), text.len());
        let world = world(&cloud);
        Undisturbed { world, points }
    };
    (see(UP), see(DOWN))
}

/// Those that are tried: all of them, or some.
fn chosen(all: Vec<Point>) -> Vec<Point> {
    if std::env::var("PROVISION_CRASH").as_deref() == Ok("all") {
        return all;
    }
    let seed = seed();
    say(&format!("crash: PROVISION_SEED={seed}"));
    Dice(seed).sample(all, SAMPLE)
}

/// Where it is killed for the second time: early, because there is less to do.
fn soon(point: Point) -> Point {
    match point {
        Point::Request(n, when) => Point::Request(1 + n % 3, when),
        Point::Write(byte) => Point::Write(byte % 1500),
    }
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
fn beyond(all: &World, known: &World) -> Vec<String> {
    all.keys()
        .filter(|name| !known.contains_key(*name))
        .cloned()
        .collect()
}

/// Tries each point, two at a time, and says what came of it.
fn try_each(what: &str, points: Vec<Point>, each: impl Fn(Point) -> Tried + Sync) {
    let points = chosen(points);
    let next = AtomicUsize::new(0);
    let all = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let tried = each(*point);
                    all.lock().unwrap().push((*point, tried));
                }
            });
        }
    });
    let all = all.into_inner().unwrap();
    let count = |of: fn(&Tried) -> usize| all.iter().map(|(_, tried)| of(tried)).sum::<usize>();
    let reached = count(|tried| usize::from(tried.reached));
    let converged =
        count(|tried| usize::from(tried.doubles.is_empty() && tried.orphans.is_empty()));
    say(&format!(
        "crash: {what}: {} points tried, {reached} reached, {converged} converged, {} duplicates, {} orphans",
        points.len(),
        count(|tried| tried.doubles.len()),
        count(|tried| tried.orphans.len()),
    ));
    for (point, tried) in &all {
        assert_eq!(tried.doubles, [""; 0], "{what}: killed at {point:?}");
        assert_eq!(tried.orphans, [""; 0], "{what}: killed at {point:?}");
    }
    // Steps run side by side and refusals are tried again, so a run may end before its last point; some must be reached.
    assert!(reached > 0, "killed at none of {} points", points.len());
}

#[test]
fn up_goes_on_where_it_was_killed() {
    let (up, down) = undisturbed();
    try_each("up", up.points, |point| {
        let cloud = Cloud::new();
        let killer = Killer::new(&cloud, None);
        let user = killer.user();
        let reached = killer.kill(point, &user, UP);
        user.run(UP).ends(0);
        let doubles = between(&world(&cloud), &up.world);
        user.run(DOWN).ends(0);
        Tried {
            reached,
            doubles,
            orphans: between(&world(&cloud), &down.world),
        }
    });
}

/// Killed, its last line torn, its folder copied to another machine, killed again while it goes on there.
#[test]
fn up_goes_on_elsewhere_and_after_a_second_kill() {
    let (up, down) = undisturbed();
    try_each("up, twice and moved", up.points, |point| {
        let cloud = Cloud::new();
        let killer = Killer::new(&cloud, None);
        let (first, second) = (killer.user(), killer.user());
        let reached = killer.kill(point, &first, UP);
        let text = fs::read_to_string(journal_of(&first)).unwrap_or_default();
        // What a power cut leaves of a record that was being written, where the kill has not left it already.
        let torn = match text.ends_with('\n') {
            true => text.lines().last().unwrap_or_default(),
            false => "",
        };
        let moved = journal_of(&second);
        fs::create_dir_all(moved.parent().unwrap()).unwrap();
        fs::write(moved, format!("{text}{}", &torn[..torn.len() / 2])).unwrap();

        let again = killer.kill(soon(point), &second, UP);
        second.run(UP).ends(0);
        let doubles = between(&world(&cloud), &up.world);
        second.run(DOWN).ends(0);
        Tried {
            reached: reached && again,
            doubles,
            orphans: between(&world(&cloud), &down.world),
        }
    });
}

#[test]
fn down_finds_what_a_killed_up_had_begun() {
    let (up, down) = undisturbed();
    try_each("down after a killed up", up.points, |point| {
        let cloud = Cloud::new();
        let killer = Killer::new(&cloud, None);
        let user = killer.user();
        let reached = killer.kill(point, &user, UP);
        let said = user.run(DOWN).ends(0);
        assert!(!said.out.contains("left:"), "{point:?}: {}", said.out);
        Tried {
            reached,
            // Only what a first cluster brings to a project stays, and it may not have come that far.
            orphans: beyond(&world(&cloud), &down.world),
            ..Tried::default()
        }
    });
}

#[test]
fn down_goes_on_where_it_was_killed() {
    let (_, down) = undisturbed();
    try_each("down", down.points, |point| {
        let cloud = Cloud::new();
        let killer = Killer::new(&cloud, None);
        let user = killer.user();
        user.run(UP).ends(0);
        let killed = killer.kill(point, &user, DOWN);
        let again = killer.kill(soon(point), &user, DOWN);
        user.run(DOWN).ends(0);
        Tried {
            reached: killed || again,
            orphans: between(&world(&cloud), &down.world),
            ..Tried::default()
        }
    });
}

#[test]
fn nothing_is_sent_before_its_intent_is_on_disk() {
    let cloud = Cloud::new();
    let user = User::new();
    let killer = Killer::new(&cloud, Some(journal_of(&user)));
    let user = pointed_at(user, killer.address());
    for verb in [UP, DOWN] {
        user.run(verb).ends(0);
    }
    assert!(killer.changes() > 90, "{} changes", killer.changes());
    assert_eq!(killer.unannounced(), Vec::<String>::new());
}

#[test]
fn a_journal_that_cannot_grow_stops_the_run_and_the_next_goes_on() {
    let (up, down) = undisturbed();
    let cloud = Cloud::new();
    let user = &cloud.user;
    for blocks in [3, 9, 21] {
        let said = user.run_with_blocks(blocks, UP).ends(1);
        assert!(said.err.contains("File too large"), "{}", said.err);
        assert!(
            said.err.contains("hint: ") && said.err.contains("left: "),
            "{}",
            said.err
        );
    }
    user.run(UP).ends(0);
    assert_eq!(between(&world(&cloud), &up.world), [""; 0]);
    user.run(DOWN).ends(0);
    assert_eq!(between(&world(&cloud), &down.world), [""; 0]);
}
