//! Each kind of request of a change meets each fault on the wire: the run comes to its end, or stops and says what it left; then the
//! next run ends as without the fault, and `down` leaves nothing.
//!
//! Points are sampled with a seed that is printed; `PROVISION_FAULTS=all` takes all of them, `PROVISION_FAULTS=WORD,WORD` those in
//! whose name one of these is, `PROVISION_SEED=N` the same ones again, `PROVISION_AT_ONCE=N` so many at a time.

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::{Change, Moment, before_faults, chosen};
use crate::common::dice::{Dice, seed};
use crate::common::faulty::Faulty;
use crate::common::faulty::fault::Fault;
use crate::common::faulty::plan::Plan;
use crate::common::faulty::truth::{There, told, untrue};
use crate::common::middle::request::Asked;

/// How many points of each change are tried where not all are.
const SAMPLE: usize = 2;
/// How many at a time: most of a run is waiting.
const AT_ONCE: usize = 6;

fn say(line: &str) {
    // Past the capture of the test's output: a reader wants the seed of a green run too.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// One thing to try.
struct Point {
    name: String,
    plan: Plan,
}

/// The change, undisturbed, and what it asks.
fn undisturbed(change: Change) -> (Moment, Vec<(Asked, usize)>) {
    let mut heard = Vec::new();
    let moment = change.moment(|cloud, user, change| {
        let faulty = Faulty::new(cloud.address());
        let watched =
            crate::common::cloud::pointed_at(crate::common::program::User::new(), faulty.address());
        super::copy(
            &user.home().join(super::STATE),
            &watched.home().join(super::STATE),
        );
        change.write_steps(watched.home(), change.steps);
        change
            .run(&watched, change.environments[0], change.run)
            .ends(0);
        heard = faulty.heard();
        // Which emulator answers: a run that is not told ends before it begins, as `living` tests.
        heard.retain(|(asked, _)| asked.kind() != "GET storage emulator");
        super::copy(
            &watched.home().join(super::STATE),
            &user.home().join(super::STATE),
        );
    });
    (moment, heard)
}

/// Every kind of request with every fault that can befall it.
fn points(change: &Change, heard: &[(Asked, usize)], seed: u64) -> Vec<Point> {
    let each = heard.iter().flat_map(|(asked, count)| {
        let befalling = Fault::ALL.into_iter().filter(|fault| fault.befalls(asked));
        befalling.map(move |fault| {
            let kind = asked.kind();
            let mut dice = Dice::of(seed, &format!("{} {kind} {fault:?}", change.name));
            let nth = dice.below(*count);
            let times = if fault.passes() { 1 + dice.below(3) } else { 1 };
            Point {
                name: format!("{}: {fault:?} x{times} from {nth} of {kind}", change.name),
                plan: Plan::at(&kind, nth, times, fault),
            }
        })
    });
    each.collect()
}

/// What is wrong after a fault, and whether it met a request and stopped the run.
fn survive(moment: &Moment, point: &Point) -> (bool, bool, Vec<String>) {
    let (cloud, faulty, user) = before_faults(moment);
    let change = &moment.change;
    let before = There::now(&cloud);
    faulty.plans(point.plan.clone());
    let run: Vec<&str> = change
        .run
        .iter()
        .copied()
        .chain(["--output", "json"])
        .collect();
    let said = change.run(&user, change.environments[0], &run);
    let hit = !faulty.hits().is_empty();
    faulty.plans(Plan::Calm);
    let failed = told(&said.out);
    let (stopped, mut wrong) = match said.code {
        Some(0) => (false, Vec::new()),
        Some(1) if !failed.is_empty() => (true, Vec::new()),
        code => (true, vec![format!("ended with {code:?}: {}", said.err)]),
    };
    // The journal that says what a sentence is about is that of the default environment.
    if stopped && change.environments == [""] {
        wrong.extend(untrue(&failed, &user, &before, &There::now(&cloud)));
    }
    wrong.extend(moment.wrong_after(&cloud, &user));
    (hit, stopped, wrong)
}

#[test]
fn whatever_happens_to_a_change_is_survived() {
    let wish = std::env::var("PROVISION_FAULTS").unwrap_or_default();
    let at_once = std::env::var("PROVISION_AT_ONCE").ok();
    let at_once = at_once
        .and_then(|number| number.parse().ok())
        .unwrap_or(AT_ONCE);
    let seed = seed();
    say(&format!("changes with faults: PROVISION_SEED={seed}"));
    let (mut hits, mut bad) = (0, Vec::new());
    for change in chosen(!wish.is_empty(), seed) {
        let since = Instant::now();
        let (moment, heard) = undisturbed(change);
        let mut points = points(&change, &heard, seed);
        match wish.as_str() {
            "" => points = Dice::of(seed, change.name).sample(points, SAMPLE),
            "all" => {}
            words => points.retain(|point| words.split(',').any(|word| point.name.contains(word))),
        }
        let next = AtomicUsize::new(0);
        let tried = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..at_once {
                scope.spawn(|| {
                    while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let (hit, stopped, wrong) = survive(&moment, point);
                        if !wrong.is_empty() {
                            say(&format!(
                                "changes with faults: NOT SURVIVED {}: {wrong:#?}",
                                point.name
                            ));
                        }
                        tried.lock().unwrap().push((hit, stopped, wrong.is_empty()));
                    }
                });
            }
        });
        let tried = tried.into_inner().unwrap();
        let count =
            |of: &dyn Fn(&(bool, bool, bool)) -> bool| tried.iter().filter(|one| of(one)).count();
        let not_survived = count(&|(.., survived)| !survived);
        say(&format!(
            "changes with faults: {}: {} tried, {} converged, {} stopped truthfully, {} met no request, {not_survived} not survived, {} s",
            change.name,
            tried.len(),
            count(&|(hit, stopped, survived)| *hit && !stopped && *survived),
            count(&|(_, stopped, survived)| *stopped && *survived),
            count(&|(hit, stopped, _)| !hit && !stopped),
            since.elapsed().as_secs()
        ));
        hits += count(&|(hit, ..)| *hit);
        if not_survived > 0 {
            bad.push(change.name);
        }
    }
    assert!(hits > 0 || !wish.is_empty(), "no fault met any request");
    assert_eq!(bad, [""; 0], "points that were not survived, told above");
}
