//! Every kind of request of a full `up` and a full `down`, Google's and the cluster's, meets every fault on the wire: the run
//! comes to its end, or stops and tells the truth about what it left; afterwards `up` makes the same as without any fault, each
//! thing once, and `down` leaves nothing.
//!
//! Points are sampled with a seed that is printed; `PROVISION_FAULTS=all` takes all of them, `PROVISION_SEED=N` the same ones
//! again, `PROVISION_FAULTS=WORDS` those whose name has these words in it.

// What a test calls may unwrap like the test itself.
#![allow(clippy::unwrap_used)]

// Each test file uses its part of what is common.
#[allow(dead_code)]
mod common {
    pub mod cloud;
    pub mod faulty;
    pub mod program;
}

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::cloud::{Cloud, between, pointed_at};
use common::faulty::Faulty;
use common::faulty::fault::Fault;
use common::faulty::plan::{Dice, Plan};
use common::faulty::request::Asked;
use common::faulty::truth::{There, doubles, orphans, told, untrue};
use common::program::{Said, User};
use serde_json::Value;

/// How many points of each run are tried where not all are.
const SAMPLE: usize = 12;
/// How many mixtures of each run.
const MIXTURES: usize = 2;
/// How many at a time: most of a run is waiting.
const AT_ONCE: usize = 3;
/// No run takes longer: what waits is bounded.
const SECONDS: &str = "400";

/// What stands in a cloud.
type Inventory = BTreeMap<String, Value>;

fn say(line: &str) {
    // Past the capture of the test's output: a reader wants the seed of a green run too.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// What to try: all of it, those with some words in their names, or a sample.
fn wish() -> String {
    std::env::var("PROVISION_FAULTS").unwrap_or_default()
}

fn seed() -> u64 {
    let given = std::env::var("PROVISION_SEED").ok();
    given
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| u64::from(std::process::id()))
}

/// Runs the program; one that hangs is ended and fails the test.
fn run(user: &User, verb: &str) -> Said {
    let program = user.command(&[verb, "--yes", "--output", "json"]);
    let mut bounded = Command::new("timeout");
    bounded
        .arg(SECONDS)
        .arg(program.get_program())
        .args(program.get_args())
        .env_clear()
        .envs(
            program
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .current_dir(user.home());
    Said::of(bounded.output().unwrap(), user.home())
}

/// A run without any fault: what it leaves, and what it asks.
struct Undisturbed {
    built: Inventory,
    objects: Inventory,
    empty: Inventory,
    up: Vec<(Asked, usize)>,
    down: Vec<(Asked, usize)>,
}

impl Undisturbed {
    fn seen() -> Undisturbed {
        let cloud = Cloud::new();
        let faulty = Faulty::new(cloud.address());
        let user = pointed_at(User::new(), faulty.address());
        run(&user, "up").ends(0);
        let (built, objects, up) = (cloud.inventory(), cloud.objects(), faulty.heard());
        faulty.plans(Plan::Calm);
        run(&user, "down").ends(0);
        Undisturbed {
            built,
            objects,
            empty: cloud.inventory(),
            up,
            down: faulty.heard(),
        }
    }
}

/// One thing to try.
#[derive(Clone)]
struct Point {
    verb: &'static str,
    name: String,
    plan: Plan,
    /// The one fault of the plan.
    fault: Option<Fault>,
}

/// How it went.
enum Went {
    Converged,
    Stopped,
    /// The fault met no request.
    Missed,
}

/// What it is to survive: the run ends as it should have, or stops and says so, and the next one mends it.
fn survive(point: &Point, undisturbed: &Undisturbed) -> Result<Went, String> {
    let cloud = Cloud::new();
    let faulty = Faulty::new(cloud.address());
    let user = pointed_at(User::new(), faulty.address());
    if point.verb == "down" {
        run(&user, "up").ends(0);
    }
    let before = There::now(&cloud);
    faulty.plans(point.plan.clone());
    let said = run(&user, point.verb);
    let hits = faulty.hits();
    faulty.plans(Plan::Calm);
    let failed = told(&said.out);
    let fail = |why: String| Err(format!("{}: {why}\nhits {hits:?}\n{failed:#?}", point.name));
    let whole = |cloud: &Cloud| {
        let missing = between(&cloud.inventory(), &undisturbed.built);
        [missing, between(&cloud.objects(), &undisturbed.objects)].concat()
    };
    let stopped = match said.code {
        Some(0) => false,
        Some(1) if !failed.is_empty() => true,
        code => return fail(format!("ended with {code:?}: {}", said.err)),
    };
    if stopped {
        let lies = untrue(&failed, &user, &before, &There::now(&cloud));
        if !lies.is_empty() {
            return fail(format!("untrue: {lies:#?}"));
        }
        if let Some(words) = point.fault.and_then(|fault| fault.words())
            && !failed.iter().any(|told| told.error.contains(words))
        {
            return fail(format!("nobody said {words}"));
        }
        let orphans = orphans(&cloud, &user, &undisturbed.empty);
        if !orphans.is_empty() {
            return fail(format!("orphans: {orphans:#?}"));
        }
    }
    if point.verb == "up" {
        if stopped {
            let again = run(&user, "up");
            if again.code != Some(0) {
                return fail(format!("the next up: {}{}", again.out, again.err));
            }
        }
        let other = whole(&cloud);
        if !other.is_empty() {
            return fail(format!("up makes something else: {other:#?}"));
        }
        let doubles = doubles(&cloud);
        if !doubles.is_empty() {
            return fail(format!("made twice: {doubles:#?}"));
        }
    }
    if point.verb == "up" || stopped {
        let again = run(&user, "down");
        if again.code != Some(0) {
            return fail(format!("the next down: {}{}", again.out, again.err));
        }
    }
    let left = between(&cloud.inventory(), &undisturbed.empty);
    if !left.is_empty() {
        return fail(format!("down leaves {left:#?}"));
    }
    if let Some(fault) = point.fault.filter(|fault| fault.passes() && stopped) {
        return fail(format!("{fault:?} passes, and the run stopped"));
    }
    Ok(match (hits.is_empty(), stopped) {
        (true, _) => Went::Missed,
        (false, true) => Went::Stopped,
        (false, false) => Went::Converged,
    })
}

/// Every kind of request with every fault that can befall it.
fn singles(verb: &'static str, heard: &[(Asked, usize)], dice: &mut Dice) -> Vec<Point> {
    let mut points = Vec::new();
    for (asked, count) in heard {
        for fault in Fault::ALL.into_iter().filter(|fault| fault.befalls(asked)) {
            let nth = dice.below(*count);
            let times = if fault.passes() { 1 + dice.below(3) } else { 1 };
            let kind = asked.kind();
            points.push(Point {
                verb,
                name: format!("{verb}: {fault:?} x{times} from {nth} of {kind}"),
                plan: Plan::at(&kind, nth, times, fault),
                fault: Some(fault),
            });
        }
    }
    points
}

/// Everything at random, up to 30 % of all requests.
fn mixtures(verb: &'static str, dice: &mut Dice, count: usize) -> Vec<Point> {
    let each = |_| {
        let percent = 1 + dice.below(30);
        let seed = dice.below(1 << 30) as u64;
        // What is somebody's decision ends a run at once: every second mixture is of what passes alone.
        let faults: Vec<Fault> = Fault::ALL
            .into_iter()
            .filter(|fault| seed % 2 == 0 || fault.passes())
            .collect();
        Point {
            verb,
            name: format!("{verb}: {percent} % of all requests, dice {seed}"),
            plan: Plan::Mixed {
                percent,
                faults,
                dice: Dice(seed),
            },
            fault: None,
        }
    };
    (0..count).map(each).collect()
}

/// Some of them, decided by dice.
fn sample(mut points: Vec<Point>, dice: &mut Dice, count: usize) -> Vec<Point> {
    let mut taken = Vec::new();
    while taken.len() < count && !points.is_empty() {
        taken.push(points.swap_remove(dice.below(points.len())));
    }
    taken
}

/// Tries the points and counts.
fn try_all(what: &str, points: &[Point], undisturbed: &Undisturbed) {
    let (next, bad) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let (converged, stopped, missed) = <(AtomicUsize, AtomicUsize, AtomicUsize)>::default();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let counter = match survive(point, undisturbed) {
                        Ok(Went::Converged) => &converged,
                        Ok(Went::Stopped) => &stopped,
                        Ok(Went::Missed) => &missed,
                        Err(why) => {
                            say(&format!("faults: NOT SURVIVED {why}"));
                            bad.lock().unwrap().push(why);
                            continue;
                        }
                    };
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let bad = bad.into_inner().unwrap();
    let [converged, stopped, missed] = [converged, stopped, missed].map(AtomicUsize::into_inner);
    say(&format!(
        "faults: {what}: {} tried, {converged} converged, {stopped} stopped truthfully, {missed} met no request, {} not survived; duplicates 0, orphans 0 in the others",
        points.len(),
        bad.len()
    ));
    assert!(
        bad.is_empty(),
        "{} of {} points, see above",
        bad.len(),
        points.len()
    );
    assert!(missed < points.len(), "no fault met any request");
}

fn chosen(points: Vec<Point>, dice: &mut Dice, count: usize) -> Vec<Point> {
    match wish().as_str() {
        "" => sample(points, dice, count),
        "all" => points,
        words => points
            .into_iter()
            .filter(|point| words.split('&').all(|words| point.name.contains(words)))
            .collect(),
    }
}

#[test]
fn whatever_happens_to_a_request_is_survived() {
    let undisturbed = Undisturbed::seen();
    let seed = seed();
    say(&format!("faults: PROVISION_SEED={seed}"));
    let mut dice = Dice(seed);
    for (verb, heard) in [("up", &undisturbed.up), ("down", &undisturbed.down)] {
        let points = chosen(singles(verb, heard, &mut dice), &mut dice, SAMPLE);
        if !points.is_empty() {
            try_all(&format!("{verb}, one fault each"), &points, &undisturbed);
        }
        let count = if wish() == "all" {
            10 * MIXTURES
        } else {
            MIXTURES
        };
        let points = chosen(mixtures(verb, &mut dice, count), &mut dice, count);
        if !points.is_empty() {
            try_all(&format!("{verb}, mixtures"), &points, &undisturbed);
        }
    }
}
