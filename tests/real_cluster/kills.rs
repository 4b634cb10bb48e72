//! `up` killed as a crash does, at points spread over its run: the next goes on, and what is there in the end is there once.

use std::time::Instant;

use crate::common::dice::{Dice, seed};
use crate::common::program::says_as_wanted;
use crate::inventory::{Named, inventory};
use crate::lab::{Lab, UP};

/// How many kills a run is given.
const POINTS: usize = 20;
/// The lines of an undisturbed run's journal, or a little less: where the last kill is.
const LINES: usize = 140;

/// Points spread over a run, each drawn in its own part of it.
fn points(count: usize) -> Vec<usize> {
    let mut dice = Dice::of(seed(), "real cluster");
    let part = LINES / count;
    (0..count)
        .map(|n| 2 + n * part + dice.below(part))
        .collect()
}

/// What an undisturbed run makes is there once: each object, each Deployment's pods, and no pod of an older version.
#[track_caller]
fn everything_is_there_once(lab: &Lab) {
    assert!(says_as_wanted(&lab.run(&["plan"]).ends(0).out));
    let sets = lab.get(&["replicasets", "--all-namespaces"]).unwrap();
    let ours = ["team-x", "team-y", "istio-egress"];
    let sets = sets["items"].as_array().unwrap().iter().filter(|set| {
        let namespace = set["metadata"]["namespace"].as_str().unwrap();
        ours.contains(&namespace)
    });
    let mut running = Vec::new();
    let mut versions = Vec::new();
    for set in sets {
        let namespace = set["metadata"]["namespace"].as_str().unwrap();
        versions.push(namespace);
        if set["spec"]["replicas"] != 0 {
            assert_eq!(set["status"]["readyReplicas"], 1, "{set}");
            running.push(namespace);
        }
    }
    running.sort_unstable();
    versions.sort_unstable();
    // A restart that was cut off is not done twice.
    assert_eq!(versions, ["istio-egress", "team-x", "team-x", "team-y"]);
    assert_eq!(running, ["istio-egress", "team-x", "team-y"]);
}

#[test]
fn up_killed_at_twenty_points_goes_on_each_time() {
    let Some(lab) = Lab::up("kills") else {
        return;
    };
    let since = Instant::now();
    let mut killed = 0;
    for point in points(POINTS) {
        let mut run = lab.begin(UP);
        if run.until("its next line", |_| lab.journal().len() >= point) {
            run.kill();
            killed += 1;
        } else {
            run.ended().ends(0);
        }
    }
    lab.run(UP).ends(0);
    everything_is_there_once(&lab);
    lab.verify(&[]);
    eprintln!(
        "up killed in a row: {POINTS} points, {killed} reached, in {} s",
        since.elapsed().as_secs()
    );
    assert!(killed >= POINTS / 2, "{killed} of {POINTS}");
}

#[test]
fn after_a_killed_up_down_leaves_what_was_there_before() {
    let Some(lab) = Lab::bare("killdown", &[]) else {
        return;
    };
    let kubeconfig = lab.kubeconfig();
    let up = ["up", "--yes", "--emulate", "--kubeconfig", &kubeconfig];
    let down = ["down", "--yes", "--emulate"];
    let before = inventory(&lab);
    let count = match std::env::var("PROVISION_CRASH").as_deref() {
        Ok("all") => POINTS,
        _ => 2,
    };
    let mut whole: Option<Vec<Named>> = None;
    let mut reached = 0;
    let since = Instant::now();
    for (n, point) in points(count).into_iter().enumerate() {
        let there = lab.journal().len();
        let mut run = lab.begin(&up);
        if run.until("its next line", |_| lab.journal().len() >= there + point) {
            run.kill();
            reached += 1;
        } else {
            run.ended().ends(0);
        }
        // Every other environment is finished before it is taken away.
        if n % 2 == 1 || count == POINTS {
            lab.run(&up).ends(0);
            let plan = lab.run(&["plan", "--emulate"]).ends(0);
            assert!(says_as_wanted(&plan.out), "{}", plan.out);
            let there = inventory(&lab);
            assert_eq!(*whole.get_or_insert_with(|| there.clone()), there);
        }
        lab.run(&down).ends(0);
        lab.until("what was there before is all there is", |lab| {
            inventory(lab) == before
        });
    }
    eprintln!(
        "up killed, then down: {count} points, {reached} reached, in {} s",
        since.elapsed().as_secs()
    );
}
