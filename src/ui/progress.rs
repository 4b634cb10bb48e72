//! What runs now: how many steps have ended, and for each step at work its age and what it waits for, in plain words. It is told
//! by events and asked with a time; it has no clock and prints nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::duration::Usual;
use super::outline::{Outline, deletion_of};
use super::{plain, time, words};
use crate::engine::event::{Event, millis};

/// The progress of one run. Every time is the time since its start.
pub struct Progress {
    outline: Outline,
    began: Timestamp,
    verb: String,
    total: usize,
    ended: BTreeSet<String>,
    at_work: Vec<StepAtWork>,
}

/// A step at work.
pub struct StepAtWork {
    /// Its id.
    pub step: String,
    /// The id of its task: a step whose resource is replaced has two.
    pub task: String,
    /// The resource's name.
    name: String,
    started: Duration,
    /// The age that its request had when the step started: an earlier run sent it.
    before: Duration,
    /// `creating`, once a request that changes something was sent.
    sent: Option<&'static str>,
    /// When that was.
    sent_at: Duration,
    /// Whether it has said that it waits.
    waits: bool,
    /// What it waits for or repeats, if that is more than a state.
    detail: Option<String>,
    /// How long it takes as far as is known: nothing for a step that only reads.
    usual: Usual,
}

impl Progress {
    /// A run that began at a time.
    pub fn new(outline: Outline, began: Timestamp) -> Progress {
        Progress {
            outline,
            began,
            verb: String::new(),
            total: 0,
            ended: BTreeSet::new(),
            at_work: Vec::new(),
        }
    }

    /// Sets the start of a run that began elsewhere.
    pub fn began(&mut self, began: Timestamp) {
        self.began = began;
    }

    /// Processes an event that happened `at` this time since the start.
    pub fn record(&mut self, event: &Event, at: Duration) {
        match event {
            Event::RunStarted { verb, steps, .. } => {
                self.verb.clone_from(verb);
                self.total = *steps;
            }
            Event::StepStarted {
                step,
                kind,
                name,
                expected,
            } => {
                let name = words::name(kind, name);
                let task = self.task(step);
                let known = self.outline.steps.get(&task).map(|step| step.expected);
                let last = expected.map(Usual::around);
                self.at_work.push(StepAtWork {
                    step: step.clone(),
                    task,
                    name: plain(name),
                    started: at,
                    before: Duration::ZERO,
                    sent: None,
                    sent_at: at,
                    waits: false,
                    detail: None,
                    usual: known.or(last).unwrap_or_default(),
                });
            }
            Event::Sending { step, verb } => self.sent(step, verb.word(), at, Duration::ZERO),
            Event::Reattached { step, verb, since } => {
                let age = since.parse::<Timestamp>().map(|since| {
                    let until = self.began.saturating_add(at).unwrap_or(self.began);
                    until.duration_since(since).max(jiff::SignedDuration::ZERO)
                });
                let age = age.unwrap_or_default().unsigned_abs();
                self.sent(step, verb.word(), at, age);
            }
            Event::Waiting { step, on } => {
                self.change(step, |step| {
                    step.waits = true;
                    step.detail = words::waiting(on, &step.name);
                });
            }
            Event::Retrying {
                step, why, attempt, ..
            } => {
                let detail = format!("attempt {attempt}: {}", plain(why));
                self.change(step, |step| {
                    step.waits = true;
                    step.detail = Some(detail);
                });
            }
            Event::Finished { step, .. }
            | Event::Failed { step, .. }
            | Event::Blocked { step, .. } => {
                self.at_work.retain(|at_work| at_work.step != *step);
                self.ended.insert(self.task(step));
            }
            _ => {}
        }
    }

    fn sent(&mut self, step: &str, verb: &str, at: Duration, age: Duration) {
        let sent = words::doing(verb);
        let task = self.task(step);
        let if_sent = match sent {
            // A change of what is there is not what the durations are of.
            words::CHANGING if !self.is_new(&task) => None,
            _ => self.outline.steps.get(&task).map(|step| step.if_sent),
        };
        self.change(step, |step| {
            step.sent = Some(sent);
            step.sent_at = at;
            step.before = age;
            step.detail = None;
            step.usual = if_sent.unwrap_or(step.usual);
        });
    }

    /// The id of the step's task that is not ended: a resource that is replaced is deleted before it is created.
    pub fn task(&self, step: &str) -> String {
        let deletion = deletion_of(step);
        match self.outline.steps.contains_key(&deletion) && !self.ended.contains(&deletion) {
            true => deletion,
            false => step.to_owned(),
        }
    }

    /// Whether nothing was known of the step's resource before the run.
    fn is_new(&self, step: &str) -> bool {
        let step = self.outline.steps.get(step);
        step.is_some_and(|step| step.expected == step.if_sent)
    }

    fn change(&mut self, step: &str, change: impl FnOnce(&mut StepAtWork)) {
        if let Some(at_work) = self.at_work.iter_mut().find(|at_work| at_work.step == step) {
            change(at_work);
        }
    }

    /// The steps at work, the oldest first.
    pub fn at_work(&self) -> &[StepAtWork] {
        &self.at_work
    }

    /// `12 of 80 steps done`.
    pub fn count(&self) -> String {
        format!("{} of {} steps done", self.ended.len(), self.total)
    }

    /// `up: cluster, 12 of 80 steps, 4m12s, 8-19 min left`.
    pub fn summary(&self, now: Duration) -> String {
        let chapter = self.at_work.iter().find_map(|at_work| {
            let chapter = &self.outline.steps.get(&at_work.task)?.chapter;
            (!chapter.is_empty()).then_some(chapter)
        });
        let mut said = vec![format!("{} of {} steps", self.ended.len(), self.total)];
        if let Some(chapter) = chapter {
            said.insert(0, plain(chapter));
        }
        said.push(time(millis(now)));
        said.extend(self.left(now).map(Usual::left));
        format!("{}: {}", plain(&self.verb), said.join(", "))
    }

    /// The time that is left, if something is known about it.
    pub fn left(&self, now: Duration) -> Option<Usual> {
        let of_step = |at_work: &StepAtWork| {
            let left = at_work.usual.after(millis(at_work.age(now)));
            (at_work.task.clone(), left)
        };
        let at_work: BTreeMap<String, Usual> = self.at_work.iter().map(of_step).collect();
        self.outline.left(&self.ended, &at_work)
    }
}

impl StepAtWork {
    /// Its age; if it continues a request of an earlier run, that of the request.
    pub fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.started) + self.before
    }

    /// How long its request has been on its way, if it has sent one.
    pub fn since_sent(&self, now: Duration) -> Option<Duration> {
        self.sent.map(|_| now.saturating_sub(self.sent_at))
    }

    /// What it does, in plain words: `creating cluster1: usually 4-10 min`.
    pub fn words(&self, now: Duration) -> String {
        let doing = match self.sent {
            Some(sent) => format!("{sent} {}", self.name),
            None if self.waits => format!("waiting for {}", self.name),
            None => return format!("looking at {}", self.name),
        };
        let usual = self
            .usual
            .text()
            .map(|usual| match millis(self.age(now)) > self.usual.high {
                true => format!("longer than usual ({usual})"),
                false => format!("usually {usual}"),
            });
        let more: Vec<String> = usual.into_iter().chain(self.detail.clone()).collect();
        match more.is_empty() {
            true => doing,
            false => format!("{doing}: {}", more.join("; ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::outline::OutlineStep;
    use super::*;
    use crate::engine::event::{ChangeVerb, StepOutcome};

    pub(super) const BEGAN: &str = "2026-01-01T10:00:00Z";

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn started(step: &str, name: &str) -> Event {
        Event::StepStarted {
            step: step.to_owned(),
            kind: "k".to_owned(),
            name: name.to_owned(),
            expected: None,
        }
    }

    fn sending(step: &str, verb: ChangeVerb) -> Event {
        Event::Sending {
            step: step.to_owned(),
            verb,
        }
    }

    fn waiting(on: &str) -> Event {
        Event::Waiting {
            step: "cluster".to_owned(),
            on: on.to_owned(),
        }
    }

    fn progress() -> Progress {
        let cluster = OutlineStep {
            chapter: "cluster".to_owned(),
            after: ["network".to_owned()].into(),
            expected: Usual::seconds(240, 600),
            if_sent: Usual::seconds(240, 600),
            inside: None,
        };
        let network = OutlineStep {
            chapter: "network".to_owned(),
            expected: Usual::seconds(10, 20),
            if_sent: Usual::seconds(10, 20),
            ..OutlineStep::default()
        };
        let steps = [("cluster", cluster), ("network", network)];
        let outline = Outline {
            steps: steps.map(|(id, step)| (id.to_owned(), step)).into(),
            estimates: true,
        };
        let mut progress = Progress::new(outline, BEGAN.parse().unwrap());
        let run = Event::RunStarted {
            verb: "up".to_owned(),
            project: "p".to_owned(),
            steps: 2,
            identity: None,
        };
        progress.record(&run, Duration::ZERO);
        progress
    }

    #[test]
    fn a_run_is_told_from_its_start_to_its_end() {
        let mut progress = progress();
        assert_eq!(
            progress.summary(Duration::ZERO),
            "up: 0 of 2 steps, 0.0s, 4-11 min left"
        );
        progress.record(&started("network", "vpc-network"), secs(1));
        progress.record(&sending("network", ChangeVerb::Create), secs(1));
        assert_eq!(
            progress.summary(secs(2)),
            "up: network, 0 of 2 steps, 2.0s, 4-11 min left"
        );
        let ended = Event::Finished {
            step: "network".to_owned(),
            outcome: StepOutcome::Created,
            took: 11_000,
        };
        progress.record(&ended, secs(12));
        progress.record(&started("cluster", "cluster1"), secs(12));
        assert_eq!(progress.at_work()[0].words(secs(12)), "looking at cluster1");
        progress.record(&waiting("cluster1: PROVISIONING"), secs(12));
        assert_eq!(
            progress.at_work()[0].words(secs(12)),
            "waiting for cluster1: usually 4-10 min"
        );
        progress.record(&sending("cluster", ChangeVerb::Create), secs(13));
        assert_eq!(
            progress.summary(secs(132)),
            "up: cluster, 1 of 2 steps, 2m12s, 2-8 min left"
        );
        assert_eq!(
            progress.summary(secs(700)),
            "up: cluster, 1 of 2 steps, 11m40s, a few seconds left"
        );
    }

    #[test]
    fn a_step_that_is_replaced_is_deleted_and_then_created() {
        let old = OutlineStep {
            expected: Usual::seconds(60, 120),
            if_sent: Usual::seconds(60, 120),
            ..OutlineStep::default()
        };
        let new = OutlineStep {
            after: [deletion_of("cluster")].into(),
            expected: Usual::seconds(240, 600),
            if_sent: Usual::seconds(240, 600),
            ..OutlineStep::default()
        };
        let steps = [(deletion_of("cluster"), old), ("cluster".to_owned(), new)];
        let outline = Outline {
            steps: steps.into(),
            estimates: true,
        };
        let mut progress = Progress::new(outline, BEGAN.parse().unwrap());
        assert_eq!(progress.left(secs(0)), Some(Usual::seconds(300, 720)));
        progress.record(&started("cluster", "cluster1"), secs(0));
        progress.record(&sending("cluster", ChangeVerb::Delete), secs(0));
        let said = progress.at_work()[0].words(secs(1));
        assert_eq!(said, "deleting cluster1: usually 1-2 min");
        let ended = |outcome| Event::Finished {
            step: "cluster".to_owned(),
            outcome,
            took: 1,
        };
        progress.record(&ended(StepOutcome::Deleted), secs(60));
        assert_eq!(progress.left(secs(60)), Some(Usual::seconds(240, 600)));
        progress.record(&started("cluster", "cluster1"), secs(60));
        progress.record(&sending("cluster", ChangeVerb::Create), secs(60));
        let said = progress.at_work()[0].words(secs(61));
        assert_eq!(said, "creating cluster1: usually 4-10 min");
        progress.record(&ended(StepOutcome::Created), secs(360));
        assert!(progress.count().starts_with("2 of "));
    }

    #[test]
    fn what_a_step_waits_for_is_said_in_plain_words() {
        let mut progress = progress();
        progress.record(&started("cluster", "cluster1"), secs(0));
        progress.record(&sending("cluster", ChangeVerb::Create), secs(0));
        let usual = "creating cluster1: usually 4-10 min";
        for (event, now, said) in [
            (waiting("RUNNING"), 5, usual),
            (waiting("PENDING 0 %"), 5, usual),
            (
                waiting("RUNNING 40 %"),
                5,
                "creating cluster1: usually 4-10 min; 40 %",
            ),
            (waiting("cluster1: PROVISIONING"), 5, usual),
            (
                waiting("cluster1: PROVISIONING: 2 of 4 nodes"),
                5,
                "creating cluster1: usually 4-10 min; 2 of 4 nodes",
            ),
            (
                waiting("other writes to cluster1"),
                5,
                "creating cluster1: usually 4-10 min; waiting for other writes to cluster1",
            ),
            (
                waiting("RUNNING"),
                601,
                "creating cluster1: longer than usual (4-10 min)",
            ),
        ] {
            progress.record(&event, secs(now));
            assert_eq!(progress.at_work()[0].words(secs(now)), said, "{event:?}");
        }
        // A change in place is another matter than its creation.
        progress.record(&sending("network", ChangeVerb::Update), secs(0));
        progress.record(&sending("cluster", ChangeVerb::Delete), secs(602));
        assert!(
            progress.at_work()[0]
                .words(secs(602))
                .starts_with("deleting cluster1")
        );
    }

    #[test]
    fn a_request_of_an_earlier_run_has_its_own_age() {
        let mut progress = progress();
        progress.record(&started("cluster", "cluster1"), secs(2));
        let again = Event::Reattached {
            step: "cluster".to_owned(),
            verb: ChangeVerb::Create,
            since: "2026-01-01T09:57:02.000Z".to_owned(),
        };
        progress.record(&again, secs(2));
        let at_work = &progress.at_work()[0];
        assert_eq!(at_work.age(secs(2)), secs(180));
        assert_eq!(
            at_work.words(secs(2)),
            "creating cluster1: usually 4-10 min"
        );
        assert_eq!(
            progress.left(secs(62)),
            Some(Usual::seconds(10, 360)),
            "the network is still to come, and the request is four minutes old"
        );
        // Nonsense is not a time.
        let odd = Event::Reattached {
            step: "cluster".to_owned(),
            verb: ChangeVerb::Create,
            since: "yesterday".to_owned(),
        };
        progress.record(&odd, secs(3));
        assert_eq!(progress.at_work()[0].age(secs(4)), secs(2));
    }

    #[test]
    fn others_words_are_text() {
        const ODD: &str = "a\u{1b}[2J\u{9b}b\r\u{202e}";
        let mut progress = progress();
        progress.record(&started("cluster", ODD), secs(0));
        for event in [
            waiting(ODD),
            Event::Retrying {
                step: "cluster".to_owned(),
                call: ODD.to_owned(),
                why: ODD.to_owned(),
                attempt: 1,
                after: 1,
            },
        ] {
            progress.record(&event, secs(0));
            let said = progress.at_work()[0].words(secs(0));
            assert_eq!(said, plain(&said), "{said:?}");
        }
    }
}
