//! Every kind of request of a full `up` and a full `down`, Google's and the cluster's, meets every fault on the wire: the run
//! comes to its end, or stops and tells the truth about what it left; afterwards `up` makes the same as without any fault, each
//! thing once, and `down` leaves nothing.
//!
//! A kind of request is met in the shortest run that has it, of those through each chapter. Points are sampled with a seed that is
//! printed; `PROVISION_FAULTS=all` takes all of them, `PROVISION_FAULTS=WORD,WORD` those in whose name one of these is,
//! `PROVISION_SEED=N` the same ones again. `PROVISION_AT_ONCE=N` tries so many at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::common::cloud::{Cloud, between};
use crate::common::dice::{Dice, seed};
use crate::common::faulty::fault::Fault;
use crate::common::faulty::plan::Plan;
use crate::common::faulty::truth::{There, doubles, orphans, told, untrue};
use crate::common::faulty::undisturbed::{Scene, Undisturbed, chapters};
use crate::common::middle::request::Asked;

/// How many points of `up` and of `down` are tried where not all are: of runs through a chapter that the seed draws, and of the rest of
/// a whole run, which takes longer.
const SAMPLE: [[usize; 2]; 2] = [[12, 10], [4, 2]];
/// How many mixtures of each run.
const MIXTURES: usize = 4;
/// How many at a time: most of a run is waiting.
const AT_ONCE: usize = 6;

fn say(line: &str) {
    // Past the capture of the test's output: a reader wants the seed of a green run too.
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn set<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

/// What to try: all of it, those with some words in their names, or a sample.
fn wish() -> String {
    set("PROVISION_FAULTS").unwrap_or_default()
}

/// One thing to try.
#[derive(Clone)]
struct Point<'a> {
    verb: &'static str,
    what: &'static str,
    name: String,
    plan: Plan,
    /// The one fault of the plan, where it is one.
    fault: Option<Fault>,
    /// The same run without it.
    undisturbed: &'a Undisturbed,
}

/// How it went.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Went {
    Converged,
    Stopped,
    /// The fault met no request.
    Missed,
    NotSurvived,
}

/// What it is to survive: the run ends as it should have, or stops and says so, and the next one mends it.
fn survive(point: &Point<'_>) -> Result<Went, String> {
    let undisturbed = point.undisturbed;
    let is_up = point.verb == "up";
    let snapshot = match is_up {
        true => Scene::before(Cloud::new()),
        false => undisturbed.after_up(),
    };
    let Scene { cloud, user, .. } = &snapshot;
    let before = There::now(cloud);
    snapshot.faulty.plans(point.plan.clone());
    let said = match is_up {
        true => snapshot.up(&undisturbed.chapter),
        false => snapshot.down(),
    };
    let hits = snapshot.faulty.hits();
    snapshot.faulty.plans(Plan::Calm);
    let failed = told(&said.out);
    let fail = |why: String| Err(format!("{}: {why}\nhits {hits:?}\n{failed:#?}", point.name));
    let stopped = match said.code {
        Some(0) => false,
        Some(1) if !failed.is_empty() => true,
        code => return fail(format!("ended with {code:?}: {}", said.err)),
    };
    if stopped {
        let lies = untrue(&failed, user, &before, &There::now(cloud));
        if !lies.is_empty() {
            return fail(format!("untrue: {lies:#?}"));
        }
        if let Some(words) = point.fault.and_then(|fault| fault.words())
            && !failed.iter().any(|told| told.error.contains(words))
        {
            return fail(format!("nobody said {words}"));
        }
        let orphans = orphans(cloud, user, &undisturbed.empty);
        if !orphans.is_empty() {
            return fail(format!("orphans: {orphans:#?}"));
        }
    }
    if is_up {
        if stopped {
            let again = snapshot.up(&undisturbed.chapter);
            if again.code != Some(0) {
                return fail(format!("the next up: {}{}", again.out, again.err));
            }
        }
        let other = undisturbed.lacks(&snapshot);
        if !other.is_empty() {
            return fail(format!("up makes something else: {other:#?}"));
        }
        let doubles = doubles(cloud);
        if !doubles.is_empty() {
            return fail(format!("made twice: {doubles:#?}"));
        }
    }
    if is_up || stopped {
        let again = snapshot.down();
        if again.code != Some(0) {
            return fail(format!("the next down: {}{}", again.out, again.err));
        }
    }
    let left = between(&snapshot.stands(), &undisturbed.empty);
    if !left.is_empty() {
        return fail(format!("down leaves {left:#?}"));
    }
    let passes = |fault: &Fault| fault.passes() && (is_up || !fault.is_of_youth());
    if let Some(fault) = point.fault.filter(|fault| passes(fault) && stopped) {
        return fail(format!("{fault:?} passes, and the run stopped"));
    }
    Ok(match (hits.is_empty(), stopped) {
        (true, _) => Went::Missed,
        (false, true) => Went::Stopped,
        (false, false) => Went::Converged,
    })
}

/// A kind of request with every fault that can befall it. What is drawn is drawn for each by itself, so that a seed says the same
/// of a point whatever else is tried.
fn singles<'a>(
    verb: &'static str,
    undisturbed: &'a Undisturbed,
    (asked, count): &(Asked, usize),
    seed: u64,
) -> Vec<Point<'a>> {
    let befalling = Fault::ALL.into_iter().filter(|fault| fault.befalls(asked));
    let point = |fault: Fault| {
        let kind = asked.kind();
        let mut dice = Dice::of(seed, &format!("{verb} {kind} {fault:?}"));
        let nth = dice.below(*count);
        let times = if fault.passes() { 1 + dice.below(3) } else { 1 };
        let chapter = &undisturbed.chapter;
        Point {
            verb,
            what: "one fault each",
            name: format!("{verb} through {chapter}: {fault:?} x{times} from {nth} of {kind}"),
            plan: Plan::at(&kind, nth, times, fault),
            fault: Some(fault),
            undisturbed,
        }
    };
    befalling.map(point).collect()
}

/// A kind of request that changes something: what it did is not seen, or it did nothing, and soon nothing can be seen any more.
fn pairs<'a>(
    verb: &'static str,
    undisturbed: &'a Undisturbed,
    (asked, count): &(Asked, usize),
    seed: u64,
) -> Vec<Point<'a>> {
    let first = [
        Fault::AnswerLost,
        Fault::CutOff,
        Fault::Internal,
        Fault::Conflict,
        Fault::OperationFails,
    ];
    let befalling = first
        .into_iter()
        .filter(|fault| asked.changes() && fault.befalls(asked));
    let point = |fault: Fault| {
        let kind = asked.kind();
        let mut dice = Dice::of(seed, &format!("{verb} {kind} {fault:?} then"));
        let (nth, more) = (dice.below(*count), dice.below(4));
        let chapter = &undisturbed.chapter;
        Point {
            verb,
            what: "two faults each",
            name: format!(
                "{verb} through {chapter}: {fault:?} from {nth} of {kind}, Then no permission after {more} more"
            ),
            plan: Plan::lost_after(&kind, nth, fault, more),
            fault: None,
            undisturbed,
        }
    };
    befalling.map(point).collect()
}

/// Everything at random, up to 30 % of all requests.
fn mixtures<'a>(verb: &'static str, undisturbed: &'a Undisturbed, seed: u64) -> Vec<Point<'a>> {
    let chapter = &undisturbed.chapter;
    let mut dice = Dice::of(seed, &format!("{verb} {chapter}"));
    let each = |number: usize| {
        let percent = 1 + dice.below(30);
        let seed = dice.below(1 << 30) as u64;
        // What is somebody's decision ends a run at once: every second mixture is of what passes alone.
        let faults: Vec<Fault> = Fault::ALL
            .into_iter()
            .filter(|fault| number.is_multiple_of(2) || fault.passes())
            .collect();
        Point {
            verb,
            what: "mixtures",
            name: format!("{verb} through {chapter}: Mixture of {percent} %, dice {seed}"),
            plan: Plan::Mixed {
                percent,
                faults,
                dice: Dice(seed),
            },
            fault: None,
            undisturbed,
        }
    };
    (0..MIXTURES).map(each).collect()
}

/// Does each of these, some at a time; what came of them, in their order.
fn each<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..set("PROVISION_AT_ONCE").unwrap_or(AT_ONCE) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(one) = all.get(number) else { break };
                    let result = work(one);
                    done.lock().unwrap().push((number, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

/// The runs that are to be disturbed, shortest first: all there are, or two.
fn undisturbed(seed: u64) -> Vec<Undisturbed> {
    let mut chapters = chapters();
    if wish().is_empty() {
        let last = chapters.pop().unwrap();
        let drawn = Dice(seed).below(chapters.len());
        chapters = vec![chapters.swap_remove(drawn), last];
    }
    each(&chapters, |chapter| Undisturbed::seen(chapter))
}

/// What to try of these runs.
fn points(runs: &[Undisturbed], seed: u64) -> Vec<Point<'_>> {
    let mut dice = Dice(seed);
    let (mut met, mut points) = (BTreeSet::new(), Vec::new());
    for (run, sizes) in runs.iter().zip(SAMPLE.into_iter().cycle()) {
        for (verb, heard, size) in [("up", &run.up, sizes[0]), ("down", &run.down, sizes[1])] {
            // A kind of request that a shorter run has is met there.
            let fresh = heard
                .iter()
                .filter(|(asked, _)| met.insert((verb, asked.kind())));
            let each =
                |kind| [singles(verb, run, kind, seed), pairs(verb, run, kind, seed)].concat();
            let fresh: Vec<Point> = fresh.flat_map(each).collect();
            let mixed = mixtures(verb, run, seed);
            if wish().is_empty() {
                points.extend(dice.sample(fresh, size));
                points.extend(dice.sample(mixed, 1));
            } else {
                points.extend(fresh.into_iter().chain(mixed));
            }
        }
    }
    match wish().as_str() {
        "" | "all" => {}
        words => points.retain(|point| words.split(',').any(|word| point.name.contains(word))),
    }
    points
}

#[test]
fn whatever_happens_to_a_request_is_survived() {
    let seed = seed();
    say(&format!("faults: PROVISION_SEED={seed}"));
    let since = Instant::now();
    let runs = undisturbed(seed);
    let points = points(&runs, seed);
    let passed = || since.elapsed().as_secs();
    let many = points.len();
    say(&format!("faults: {many} points, after {} s", passed()));
    let done = AtomicUsize::new(0);
    let went = each(&points, |point| {
        let went = survive(point).unwrap_or_else(|why| {
            say(&format!("faults: NOT SURVIVED {why}"));
            Went::NotSurvived
        });
        let done = 1 + done.fetch_add(1, Ordering::Relaxed);
        if done.is_multiple_of(20) {
            say(&format!("faults: {done} of {many}, after {} s", passed()));
        }
        went
    });
    let mut counts: BTreeMap<_, BTreeMap<Went, usize>> = BTreeMap::new();
    for (point, went) in points.iter().zip(&went) {
        *counts
            .entry((point.what, point.verb))
            .or_default()
            .entry(*went)
            .or_default() += 1;
    }
    for ((what, verb), counts) in counts {
        let of = |went| counts.get(&went).copied().unwrap_or_default();
        say(&format!(
            "faults: {verb}, {what}: {} tried, {} converged, {} stopped truthfully, {} met no request, {} not survived; duplicates 0, orphans 0 in the others",
            counts.values().sum::<usize>(),
            of(Went::Converged),
            of(Went::Stopped),
            of(Went::Missed),
            of(Went::NotSurvived),
        ));
    }
    let all = |these: Went| went.iter().filter(|went| **went == these).count();
    assert!(all(Went::Missed) < many, "no fault met any request");
    assert_eq!(
        all(Went::NotSurvived),
        0,
        "points that were not survived, told above"
    );
}
