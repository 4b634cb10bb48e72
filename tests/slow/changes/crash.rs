//! A change that is killed at a request, before it arrives or after it took effect, or in the middle of a write to the journal: the
//! next run goes on, nothing is there twice, and `down` leaves nothing.
//!
//! The points are sampled with a seed that is printed; `PROVISION_CRASH=all` takes all of them, `PROVISION_SEED=N` the same ones again.

use std::fs;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::{Change, Moment, chosen};
use crate::common::dice::{Dice, seed};
use crate::common::kill::{Killer, Point, When, journal_of};
use crate::common::program::User;

/// How many points of each change are tried where not all are.
const SAMPLE: usize = 2;

fn say(line: &str) {
    // Past the capture of the test's output: a reader wants the seed of a green run too.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The change, undisturbed, and where it could have been killed.
fn undisturbed(change: Change) -> (Moment, Vec<Point>) {
    let mut points = Vec::new();
    let moment = change.moment(|cloud, user, change| {
        let killer = Killer::new(cloud, None);
        let watched = killer.user();
        super::copy(
            &user.home().join(super::STATE),
            &watched.home().join(super::STATE),
        );
        change.write_steps(watched.home(), change.steps);
        let before = fs::metadata(journal_of(&watched)).map_or(0, |journal| journal.len());
        change
            .run(&watched, change.environments[0], change.run)
            .ends(0);
        let instants = [When::Before, When::After, When::Asking];
        let requests = 1..=killer.changes();
        points.extend(requests.flat_map(|n| instants.map(|when| Point::Request(n, when))));
        if change.environments == [""] {
            let text = fs::read_to_string(journal_of(&watched)).unwrap();
            let before = usize::try_from(before).unwrap();
            let mut byte = 0;
            // Each record is begun and not written, and written in half.
            for line in text[before..].split_inclusive('\n') {
                points.extend([byte, byte + line.len() as u64 / 2].map(Point::Write));
                byte += line.len() as u64;
            }
        }
        // It has gone on in the other home.
        super::copy(
            &watched.home().join(super::STATE),
            &user.home().join(super::STATE),
        );
    });
    (moment, points)
}

/// What is wrong after a change was killed here, and whether it came that far.
fn killed(moment: &Moment, point: Point) -> (bool, Vec<String>) {
    let cloud = moment.cloud();
    let killer = Killer::new(&cloud, None);
    let user: User = killer.user();
    moment.move_in(&user);
    let change = &moment.change;
    let args = change.args(change.environments[0], change.run);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let reached = killer.kill(point, &user, &args);
    (reached, moment.wrong_after(&cloud, &user))
}

#[test]
fn a_change_that_is_killed_is_finished_by_the_next_run() {
    let all = std::env::var("PROVISION_CRASH").as_deref() == Ok("all");
    let seed = seed();
    say(&format!("changes killed: PROVISION_SEED={seed}"));
    let mut reached = 0;
    for change in chosen(all, seed) {
        let since = Instant::now();
        let (moment, points) = undisturbed(change);
        let points = match all {
            true => points,
            false => Dice::of(seed, change.name).sample(points, SAMPLE),
        };
        let next = AtomicUsize::new(0);
        let tried = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let (reached, wrong) = killed(&moment, *point);
                        if !wrong.is_empty() {
                            say(&format!("{}, {point:?}: {wrong:#?}", change.name));
                        }
                        tried.lock().unwrap().push((*point, reached, wrong));
                    }
                });
            }
        });
        let tried = tried.into_inner().unwrap();
        let here = tried.iter().filter(|(_, reached, _)| *reached).count();
        let wrong = tried.iter().filter(|(.., wrong)| !wrong.is_empty()).count();
        say(&format!(
            "changes killed: {}: {} points tried, {here} reached, {wrong} not converged, {} s",
            change.name,
            tried.len(),
            since.elapsed().as_secs()
        ));
        reached += here;
        for (point, _, wrong) in &tried {
            assert_eq!(*wrong, [""; 0], "{}: killed at {point:?}", change.name);
        }
    }
    assert!(reached > 0, "killed at no point");
}
