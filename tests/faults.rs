//! Every kind of request of a full `up` and a full `down`, Google's and the cluster's, meets every fault on the wire: the run
//! comes to its end, or stops and tells the truth about what it left; afterwards `up` makes the same as without any fault, each
//! thing once, and `down` leaves nothing.
//!
//! Points are sampled with a seed that is printed; `PROVISION_FAULTS=all` takes all of them, `PROVISION_SEED=N` the same ones
//! again, `PROVISION_FAULTS=WORD,WORD` those in whose name one of these is.

// What a test calls may unwrap like the test itself.
#![allow(clippy::unwrap_used)]

// Each test file uses its part of what is common.
#[allow(dead_code)]
mod common {
    pub mod cloud;
    pub mod dice;
    pub mod faulty;
    pub mod middle;
    pub mod program;
}

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::cloud::{Cloud, between, pointed_at};
use common::dice::{Dice, seed};
use common::faulty::Faulty;
use common::faulty::fault::Fault;
use common::faulty::plan::Plan;
use common::faulty::truth::{There, doubles, orphans, told, untrue};
use common::middle::request::Asked;
use common::program::{Said, User};
use serde_json::Value;

/// How many points of each run are tried where not all are: of what happens up to the cluster's chapter, and of the rest, which takes
/// longer.
const SAMPLE: [(Option<&str>, usize, usize); 2] = [(Some("cluster"), 12, 10), (None, 4, 2)];
/// How many mixtures of each run, where not all are.
const MIXTURES: usize = 1;
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

/// Runs the program; one that hangs is ended and fails the test.
fn run(user: &User, verb: &str, chapter: Option<&str>) -> Said {
    let through = chapter.filter(|_| verb == "up");
    let through = through.map_or(vec![], |chapter| vec!["--through", chapter]);
    let program = user.command(&[&[verb, "--yes", "--output", "json"], &through[..]].concat());
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
    /// The last chapter; none for all of them.
    chapter: Option<&'static str>,
    built: Inventory,
    objects: Inventory,
    empty: Inventory,
    up: Vec<(Asked, usize)>,
    down: Vec<(Asked, usize)>,
}

impl Undisturbed {
    fn seen(chapter: Option<&'static str>) -> Undisturbed {
        let cloud = Cloud::new();
        let faulty = Faulty::new(cloud.address());
        let user = pointed_at(User::new(), faulty.address());
        run(&user, "up", chapter).ends(0);
        let (built, objects, up) = (cloud.inventory(), cloud.objects(), faulty.heard());
        faulty.plans(Plan::Calm);
        run(&user, "down", chapter).ends(0);
        Undisturbed {
            chapter,
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
    let chapter = undisturbed.chapter;
    let cloud = Cloud::new();
    let faulty = Faulty::new(cloud.address());
    let user = pointed_at(User::new(), faulty.address());
    if point.verb == "down" {
        run(&user, "up", chapter).ends(0);
    }
    let before = There::now(&cloud);
    faulty.plans(point.plan.clone());
    let said = run(&user, point.verb, chapter);
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
            let again = run(&user, "up", chapter);
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
        let again = run(&user, "down", chapter);
        if again.code != Some(0) {
            return fail(format!("the next down: {}{}", again.out, again.err));
        }
    }
    let left = between(&cloud.inventory(), &undisturbed.empty);
    if !left.is_empty() {
        return fail(format!("down leaves {left:#?}"));
    }
    let passes = |fault: &Fault| fault.passes() && (point.verb == "up" || !fault.is_of_youth());
    if let Some(fault) = point.fault.filter(|fault| passes(fault) && stopped) {
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
            .filter(|fault| seed.is_multiple_of(2) || fault.passes())
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

/// Tries the points and counts; says how many were not survived.
fn try_all(what: &str, points: &[Point], undisturbed: &Undisturbed) -> usize {
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
                    let done = [&converged, &stopped, &missed].map(|n| n.load(Ordering::Relaxed));
                    if done.iter().sum::<usize>().is_multiple_of(20) {
                        say(&format!("faults: {what}: {done:?} of {}", points.len()));
                    }
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
    assert!(missed < points.len(), "no fault met any request");
    bad.len()
}

fn chosen(mut points: Vec<Point>, dice: &mut Dice, count: usize) -> Vec<Point> {
    match wish().as_str() {
        "" => dice.sample(&mut points, count),
        "all" => points,
        words => points
            .into_iter()
            .filter(|point| words.split(',').any(|word| point.name.contains(word)))
            .collect(),
    }
}

#[test]
fn whatever_happens_to_a_request_is_survived() {
    let seed = seed();
    say(&format!("faults: PROVISION_SEED={seed}"));
    let mut dice = Dice(seed);
    let (mut met, mut bad) = (BTreeSet::new(), 0);
    for (chapter, up, down) in SAMPLE {
        let undisturbed = Undisturbed::seen(chapter);
        let title = chapter.map_or("all chapters".to_owned(), |last| format!("through {last}"));
        let runs = [
            ("up", &undisturbed.up, up),
            ("down", &undisturbed.down, down),
        ];
        for (verb, heard, count) in runs {
            // A kind of request that a shorter run has is met there.
            let fresh = |(asked, _): &&(Asked, usize)| met.insert((verb, asked.kind()));
            let heard: Vec<(Asked, usize)> = heard.iter().filter(fresh).cloned().collect();
            let all = wish() == "all";
            let mixed = if all { 10 * MIXTURES } else { MIXTURES };
            let singles = chosen(singles(verb, &heard, &mut dice), &mut dice, count);
            let mixtures = chosen(mixtures(verb, &mut dice, mixed), &mut dice, mixed);
            for (what, points) in [("one fault each", singles), ("mixtures", mixtures)] {
                if !points.is_empty() {
                    bad += try_all(&format!("{verb}, {title}, {what}"), &points, &undisturbed);
                }
            }
        }
    }
    assert_eq!(bad, 0, "points that were not survived, told above");
}
