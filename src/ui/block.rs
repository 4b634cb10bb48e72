//! The block at the bottom of the terminal: a line for the run, and one for each step at work, none wider than the terminal. What a
//! step waits for goes on below its line while the block has room: it often ends with what to do. Text only: what draws it is
//! `live.rs`.

use std::time::Duration;

use super::fold;
use super::progress::Progress;
use super::table::{cut, cut_in_the_middle};
use super::time;
use crate::engine::event::millis;

/// The widest column of step names.
const NAMES: usize = 30;
/// The most lines for steps, however high the terminal is.
const STEPS: usize = 8;
/// The columns before what goes on below its line: those of the age.
const INDENT: usize = 10;

/// The lines of the block at a time since the start of the run, for a terminal of this size.
pub fn block(progress: &Progress, now: Duration, width: usize, height: usize) -> Vec<String> {
    let at_work = progress.at_work();
    // A third of the terminal: the lines above stay readable.
    let most = (height / 3).clamp(1, STEPS);
    let shown = match at_work.len() > most {
        true => most.saturating_sub(1),
        false => at_work.len(),
    };
    let names = at_work[..shown]
        .iter()
        .map(|at_work| at_work.step.chars().count())
        .max()
        .unwrap_or_default()
        .min(NAMES);
    let mut lines = vec![cut(&progress.summary(now), width)];
    let mut spare = most.saturating_sub(at_work.len());
    for at_work in &at_work[..shown] {
        let age = time(millis(at_work.age(now)));
        let step = cut_in_the_middle(&at_work.step, names);
        let line = format!("{age:>8}  {step:<names$}  ");
        let below = folded(&line, &at_work.words(now), width, spare);
        spare -= below.len() - 1;
        lines.extend(below);
    }
    if shown < at_work.len() {
        let more = at_work.len() - shown;
        lines.push(cut(&format!("{:>8}  and {more} more", ""), width));
    }
    lines
}

/// The beginning of a step's line with its words, which go on in at most `spare` lines below it.
fn folded(beginning: &str, words: &str, width: usize, spare: usize) -> Vec<String> {
    let whole = format!("{beginning}{words}");
    if spare == 0 || whole.chars().count() <= width {
        return vec![cut(&whole, width)];
    }
    let first = width.saturating_sub(beginning.chars().count());
    let folded = fold::lines(words, first, width.saturating_sub(INDENT));
    let (shown, rest) = folded.split_at(folded.len().min(spare));
    let mut lines = shown.to_vec();
    if !rest.is_empty() {
        lines.push(rest.join(" "));
    }
    let mut before = beginning.to_owned();
    for line in &mut lines {
        *line = cut(&format!("{before}{line}"), width);
        before = " ".repeat(INDENT);
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::duration::Usual;
    use super::super::outline::{Outline, OutlineStep};
    use super::*;
    use crate::engine::event::{ChangeVerb, Event, StepOutcome};

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn step(chapter: &str, low: u64, high: u64) -> OutlineStep {
        OutlineStep {
            chapter: chapter.to_owned(),
            expected: Usual::seconds(low, high),
            if_sent: Usual::seconds(low, high),
            ..OutlineStep::default()
        }
    }

    /// A run in its fifth minute: the cluster, a rule with a long name, a wait, and more steps that look.
    fn progress(more: usize) -> Progress {
        let outline = Outline {
            steps: BTreeMap::from([
                ("cluster".to_owned(), step("cluster", 240, 600)),
                ("mesh-ready".to_owned(), step("mesh", 300, 600)),
            ]),
            estimates: true,
        };
        let mut progress = Progress::new(outline, "2026-01-01T10:00:00Z".parse().unwrap());
        let run = Event::RunStarted {
            verb: "up".to_owned(),
            project: "p".to_owned(),
            steps: 80,
            identity: None,
        };
        progress.record(&run, Duration::ZERO);
        let mut start = |id: &str, name: &str, at: u64| {
            let started = Event::StepStarted {
                step: id.to_owned(),
                kind: "k".to_owned(),
                name: name.to_owned(),
                expected: None,
            };
            progress.record(&started, secs(at));
        };
        let long = "allow-ingress-from-gcp-health-checkers-of-every-region";
        start("cluster", "cluster1", 12);
        start(long, "rule", 60);
        start("mesh-ready", "servicemesh", 200);
        for n in 0..more {
            start(&format!("step-{n}"), &format!("thing-{n}"), 250);
        }
        for (id, verb) in [("cluster", ChangeVerb::Create), (long, ChangeVerb::Update)] {
            let sending = Event::Sending {
                step: id.to_owned(),
                verb,
            };
            progress.record(&sending, secs(60));
        }
        let waiting = Event::Waiting {
            step: "mesh-ready".to_owned(),
            on: "servicemesh: PROVISIONING: the control plane is being created".to_owned(),
        };
        progress.record(&waiting, secs(201));
        progress
    }

    #[test]
    fn a_block_at_80_columns() {
        let lines = block(&progress(0), secs(264), 79, 24);
        assert_eq!(
            lines,
            [
                "up: cluster, 0 of 80 steps, 4m24s, 4-9 min left",
                "   4m12s  cluster                         creating cluster1: usually 4-10 min",
                "   3m24s  allow-ingress-..f-every-region  changing rule",
                "   1m04s  mesh-ready                      waiting for servicemesh: usually 5-10",
                "          min; the control plane is being created",
            ]
        );
    }

    /// A run with one step that waits for something, which takes a sentence to say.
    fn waiting(on: &str) -> Progress {
        let mut progress = progress(0);
        let long = "allow-ingress-from-gcp-health-checkers-of-every-region";
        for step in ["cluster", long] {
            let finished = Event::Finished {
                step: step.to_owned(),
                outcome: StepOutcome::Created,
                took: 1,
            };
            progress.record(&finished, secs(201));
        }
        let step = "mesh-ready".to_owned();
        let on = on.to_owned();
        progress.record(&Event::Waiting { step, on }, secs(202));
        progress
    }

    #[test]
    fn what_helps_is_read_in_a_narrow_terminal() {
        let advice = "test: pod test-1: istiod gave up on this namespace; a change of the namespace makes it try again: kubectl annotate --overwrite namespace team-y retry=now";
        let shown = |height| block(&waiting(advice), secs(264), 79, height)[1..].to_vec();
        assert_eq!(
            shown(24),
            [
                "   1m04s  mesh-ready  waiting for servicemesh: usually 5-10 min; test: pod",
                "          test-1: istiod gave up on this namespace; a change of the namespace",
                "          makes it try again:",
                "          kubectl annotate --overwrite namespace team-y retry=now",
            ]
        );
        assert_eq!(
            shown(6),
            [
                "   1m04s  mesh-ready  waiting for servicemesh: usually 5-10 min; test: pod",
                "          test-1: istiod gave up on this namespace; a change of the namespace..",
            ]
        );
        assert_eq!(
            shown(3),
            ["   1m04s  mesh-ready  waiting for servicemesh: usually 5-10 min; test: pod te.."]
        );
    }

    #[test]
    fn a_block_at_120_columns() {
        let lines = block(&progress(7), secs(264), 119, 24);
        assert_eq!(
            lines,
            [
                "up: cluster, 0 of 80 steps, 4m24s, 4-9 min left",
                "   4m12s  cluster                         creating cluster1: usually 4-10 min",
                "   3m24s  allow-ingress-..f-every-region  changing rule",
                "   1m04s  mesh-ready                      waiting for servicemesh: usually 5-10 min; the control plane is being created",
                "     14s  step-0                          looking at thing-0",
                "     14s  step-1                          looking at thing-1",
                "     14s  step-2                          looking at thing-2",
                "     14s  step-3                          looking at thing-3",
                "          and 3 more",
            ]
        );
    }

    #[test]
    fn a_block_fits_any_terminal() {
        for (width, height) in [(79, 24), (40, 10), (10, 3), (1, 1), (0, 0)] {
            let lines = block(&progress(9), secs(264), width, height);
            assert!(
                lines.iter().all(|line| line.chars().count() <= width),
                "{lines:?}"
            );
            assert!(lines.len() <= 1 + (height / 3).max(1), "{lines:?}");
        }
    }
}
