//! A rehearsal that is killed at a request to the cluster, before it arrives or after it took effect, or in the middle of a write to
//! its journal: the next `up` ends as wanted, the next `down` leaves the cluster as it was before the first.
//!
//! The points are sampled with a seed that is printed; `PROVISION_CRASH=all` takes all of them, `PROVISION_SEED=N` the same ones again.

use std::fs;
use std::io::Write;

use crate::common::dice::{Dice, seed};
use crate::common::kill::{Killer, Point, When, journal_of};
use crate::common::program::says_as_wanted;
use crate::common::rehearsal::{Rehearsal, written};
use serde_json::Value;

/// How many points of each run are tried where not all are.
const SAMPLE: usize = 2;

/// Where a run can be killed that sent so many requests to the cluster and wrote so many bytes.
fn points(requests: usize, bytes: u64) -> Vec<Point> {
    let instants = [When::Before, When::After, When::Asking];
    let requests = (1..=requests).flat_map(|n| instants.map(|when| Point::Request(n, when)));
    let writes = (0..bytes).step_by(701).map(Point::Write);
    requests.chain(writes).collect()
}

#[test]
fn a_rehearsal_that_is_killed_is_finished_by_the_next_run() {
    let own = Rehearsal::new();
    let killer = Killer::new(&own.cloud, None);
    // The owner's cluster by the way that the killer watches.
    let told = killer.user().run(&["kubeconfig"]).ends(0).out;
    let told: Value = serde_saphyr::from_str(&told).unwrap();
    let cluster = &told["clusters"][0]["cluster"];
    let text = written(
        cluster["server"].as_str().unwrap(),
        &cluster["certificate-authority-data"],
    );
    fs::write(&own.file, text).unwrap();
    let file = own.file.to_str().unwrap();
    let up = ["up", "--yes", "--emulate", "--kubeconfig", file];
    let down = ["down", "--yes", "--emulate"];

    // What nothing happens to says what is to come, and where a run can be killed.
    let before = own.cloud.objects();
    let journal = || fs::metadata(journal_of(&own.user)).map_or(0, |about| about.len());
    let (mut requests, mut bytes) = (killer.changes(), journal());
    let mut undisturbed = |args: &[&str]| {
        own.user.run(args).ends(0);
        let all = points(killer.changes() - requests, journal() - bytes);
        (requests, bytes) = (killer.changes(), journal());
        all
    };
    let (ups, stands) = (undisturbed(&up), own.cloud.objects());
    let downs = undisturbed(&down);
    assert_eq!(own.cloud.objects(), before);

    let seed = seed();
    let chosen = |all: Vec<Point>, name: &str| match std::env::var("PROVISION_CRASH").as_deref() {
        Ok("all") => all,
        _ => Dice::of(seed, name).sample(all, SAMPLE),
    };
    let (ups, downs) = (chosen(ups, "up"), chosen(downs, "down"));
    // Past the capture of the test's output: a reader wants the seed of a green run too.
    let _ = writeln!(
        std::io::stderr(),
        "rehearsal: PROVISION_SEED={seed}: {ups:?} {downs:?}"
    );
    let mut reached = 0;
    for at in 0..ups.len().max(downs.len()) {
        let (first, last) = (ups[at % ups.len()], downs[at % downs.len()]);
        reached += usize::from(killer.kill(first, &own.user, &up));
        own.user.run(&up).ends(0);
        assert_eq!(own.cloud.objects(), stands, "up, {first:?}");
        let plan = own.user.run(&["plan", "--emulate"]).ends(0);
        assert!(says_as_wanted(&plan.out), "up, {first:?}: {}", plan.out);
        reached += usize::from(killer.kill(last, &own.user, &down));
        own.user.run(&down).ends(0);
        assert_eq!(own.cloud.objects(), before, "down, {last:?}");
    }
    assert!(reached > 0, "no run was killed");
}
