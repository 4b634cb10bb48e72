//! The lines that time brings into a log: a step that has begun and does not end at once, and every half minute what still runs.
//! A run that takes a second has none of them.

use std::collections::HashSet;
use std::time::Duration;

use super::duration::Usual;
use super::progress::{Progress, StepAtWork};
use super::time;
use crate::engine::event::millis;

/// How long a request is on its way before a line says that it has begun.
const BEGUN: Duration = Duration::from_secs(1);
/// How long a step that has sent nothing runs before a line says so.
const SLOW: Duration = Duration::from_secs(10);
/// The time between two lines that say what still runs.
const STILL: Duration = Duration::from_secs(30);
/// The most steps that such a line names.
const NAMED: usize = 4;

/// What was said so far.
pub struct Log {
    begun: HashSet<String>,
    next: Duration,
}

impl Log {
    /// For a run that starts now.
    pub fn new() -> Log {
        Log {
            begun: HashSet::new(),
            next: STILL,
        }
    }

    /// For a run that started some time ago.
    pub fn began(&mut self, ago: Duration) {
        while self.next <= ago {
            self.next += STILL;
        }
    }

    /// Records that another line has said already what this task of a step does.
    pub fn said(&mut self, task: &str) {
        self.begun.insert(task.to_owned());
    }

    /// The steps that have begun, each once, with what they do.
    pub fn begun(&mut self, progress: &Progress, now: Duration) -> Vec<(String, String)> {
        let is_due = |at_work: &StepAtWork| match at_work.since_sent(now) {
            Some(since) => since >= BEGUN,
            None => at_work.age(now) >= SLOW,
        };
        let due = progress.at_work().iter().filter(|at_work| is_due(at_work));
        let mut lines = Vec::new();
        for at_work in due {
            // A step may send several requests, and may have been slow before the first.
            if self.begun.insert(at_work.task.clone()) {
                lines.push((at_work.step.clone(), at_work.words(now)));
            }
        }
        lines
    }

    /// What still runs, if it is time to say so again.
    pub fn still(&mut self, progress: &Progress, now: Duration) -> Option<String> {
        if now < self.next {
            return None;
        }
        self.began(now);
        let at_work = progress.at_work();
        if at_work.is_empty() {
            return None;
        }
        let named = at_work.iter().take(NAMED).map(|at_work| {
            let age = time(millis(at_work.age(now)));
            format!("{} {age} ({})", at_work.step, at_work.words(now))
        });
        let mut said = named.collect::<Vec<_>>().join(", ");
        if at_work.len() > NAMED {
            said += &format!(", and {} more", at_work.len() - NAMED);
        }
        let left = progress.left(now).map(Usual::left);
        let left = left.map_or_else(String::new, |left| format!(", {left}"));
        Some(format!(
            "{:>6}  still running: {said}; {}{left}",
            time(millis(now)),
            progress.count()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::outline::Outline;
    use super::*;
    use crate::engine::event::{ChangeVerb, Event, StepOutcome};

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn started(step: &str) -> Event {
        Event::StepStarted {
            step: step.to_owned(),
            kind: "k".to_owned(),
            name: format!("{step}1"),
            expected: Some(300_000),
        }
    }

    fn sending(step: &str) -> Event {
        Event::Sending {
            step: step.to_owned(),
            verb: ChangeVerb::Create,
        }
    }

    fn finished(step: &str) -> Event {
        Event::Finished {
            step: step.to_owned(),
            outcome: StepOutcome::Created,
            took: 1,
        }
    }

    #[test]
    fn a_log_says_what_begins_and_what_still_runs() {
        let began = "2026-01-01T10:00:00Z".parse().unwrap();
        let mut progress = Progress::new(Outline::default(), began);
        let mut log = Log::new();
        let run = Event::RunStarted {
            verb: "up".to_owned(),
            project: "p".to_owned(),
            steps: 9,
            identity: None,
        };
        let mut events = vec![
            (run, 0),
            (started("quick"), 0),
            (sending("quick"), 0),
            (started("cluster"), 1),
            (started("slow"), 1),
            (finished("quick"), 1),
            (sending("cluster"), 2),
            (finished("slow"), 40),
            (finished("cluster"), 70),
        ]
        .into_iter()
        .peekable();
        let mut said = Vec::new();
        for now in 0..130 {
            while let Some((event, _)) = events.next_if(|(_, at)| *at <= now) {
                progress.record(&event, secs(now));
            }
            for (step, text) in log.begun(&progress, secs(now)) {
                said.push(format!("{now} {step}: {text}"));
            }
            said.extend(log.still(&progress, secs(now)));
        }
        assert_eq!(
            said,
            [
                "3 cluster: creating cluster1: usually 4-7 min",
                "11 slow: looking at slow1",
                "   30s  still running: cluster 29s (creating cluster1: usually 4-7 min), slow 29s (looking at slow1); 1 of 9 steps done",
                " 1m00s  still running: cluster 59s (creating cluster1: usually 4-7 min); 2 of 9 steps done",
            ]
        );
    }

    #[test]
    fn many_steps_are_one_line_and_a_run_that_is_followed_starts_where_it_is() {
        let began = "2026-01-01T10:00:00Z".parse().unwrap();
        let mut progress = Progress::new(Outline::default(), began);
        for step in ["a", "b", "c", "d", "e", "f"] {
            progress.record(&started(step), secs(0));
        }
        let mut log = Log::new();
        log.began(secs(95));
        assert_eq!(log.still(&progress, secs(96)), None);
        let said = log.still(&progress, secs(120)).unwrap();
        assert!(
            said.contains("d 2m00s (looking at d1), and 2 more; "),
            "{said}"
        );
        assert_eq!(log.still(&progress, secs(121)), None, "once");
        log.said("a");
        let begun: Vec<_> = log.begun(&progress, secs(121)).into_iter().collect();
        assert_eq!(begun.len(), 5, "{begun:?}");
    }
}
