//! One line for what happened: for logs and pipes, and above the block of a terminal. No line is written twice.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::outline::{Outline, deletion_of};
use super::{Paint, plain, printable, time, words};
use crate::engine::change::Change;
use crate::engine::event::{Event, StepOutcome, millis};

/// How long a step runs before a line says that it waits or repeats a request.
const QUIET: Duration = Duration::from_secs(5);

/// Turns events into lines.
pub struct Lines {
    paint: Paint,
    verbose: bool,
    /// The time of the current event since the start of the run.
    at: Duration,
    steps: HashMap<String, StepLines>,
    /// The number of steps that were not started, by the one that failed.
    blocked: BTreeMap<String, usize>,
    /// What is deleted with a step's resource.
    inside: BTreeMap<String, String>,
}

/// What the lines need to know of a running step.
struct StepLines {
    kind: String,
    name: String,
    started: Duration,
    /// What it was said to wait for, and why it repeated a request.
    said: HashSet<String>,
}

impl Lines {
    /// Lines with or without details.
    pub fn new(paint: Paint, verbose: bool, outline: &Outline) -> Lines {
        let inside = outline.steps.iter();
        let inside = inside.filter_map(|(id, step)| Some((id.clone(), step.inside.clone()?)));
        Lines {
            paint,
            verbose,
            at: Duration::ZERO,
            steps: HashMap::new(),
            blocked: BTreeMap::new(),
            inside: inside.collect(),
        }
    }

    /// The line for an event, if it has one, safe for a terminal; `at` is the event's time since the start of the run.
    pub fn line(&mut self, event: &Event, at: Duration) -> Option<String> {
        self.at = at;
        self.text(event).map(|text| printable(&text))
    }

    /// The line of a step at a time, safe for a terminal.
    pub fn of_step(&self, step: &str, text: &str, at: Duration) -> String {
        printable(&line(at, step, &self.paint.faint(text)))
    }

    fn text(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::StepStarted {
                step, kind, name, ..
            } => {
                let known = StepLines {
                    kind: kind.clone(),
                    name: name.clone(),
                    started: self.at,
                    said: HashSet::new(),
                };
                self.steps.insert(step.clone(), known);
                None
            }
            Event::Looked {
                step,
                change: Change::None,
                ours: false,
                ..
            } => self.verbose.then(|| {
                self.at(
                    step,
                    &self.paint.faint("already exists, not created by provision"),
                )
            }),
            Event::Sending { step, verb } => {
                let about = self.steps.get(step).map(StepLines::about);
                let about = about.unwrap_or_default();
                self.verbose
                    .then(|| self.at(step, &format!("{} {about}", verb.word())))
            }
            Event::Reattached { step, verb, since } => Some(self.at(
                step,
                &self.paint.change(&format!(
                    "resuming {}, in progress since {since}",
                    verb.word()
                )),
            )),
            Event::Waiting { step, on } => {
                let name = self.steps.get(step).map_or("", |known| &known.name);
                // A state alone says nothing that the line of its beginning does not say.
                words::waiting(on, name)?;
                self.is_due(step, on)
                    .then(|| self.at(step, &self.paint.faint(&format!("waiting: {}", plain(on)))))
            }
            Event::Retrying {
                step,
                why,
                attempt,
                after,
                ..
            } => {
                let text = format!(
                    "attempt {attempt}: {}; retrying in {}",
                    plain(why),
                    time(*after)
                );
                self.is_due(step, why)
                    .then(|| self.at(step, &self.paint.change(&text)))
            }
            Event::Warned { step, text } => Some(self.at(step, &self.paint.change(&plain(text)))),
            Event::Finished {
                step,
                outcome,
                took,
            } => self.finished(step, *outcome, *took),
            Event::Failed {
                step,
                error,
                hint,
                left,
                ..
            } => Some(failed(self.paint, step, error, hint.as_deref(), left)),
            Event::Blocked { by, .. } => {
                *self.blocked.entry(by.clone()).or_default() += 1;
                None
            }
            Event::RunFinished { .. } => self.not_begun(),
            // Shown together at the end, where they can be compared.
            Event::Claimed { .. } => None,
            Event::RunStarted { .. } | Event::Looked { .. } | Event::Found { .. } => None,
        }
    }

    /// Whether a step may say this: once, and not during the first seconds.
    fn is_due(&mut self, step: &str, text: &str) -> bool {
        let (now, verbose) = (self.at, self.verbose);
        let Some(known) = self.steps.get_mut(step) else {
            return verbose;
        };
        let due = verbose || now.saturating_sub(known.started) >= QUIET;
        due && known.said.insert(text.to_owned())
    }

    /// One line for each failure that blocked other steps.
    fn not_begun(&mut self) -> Option<String> {
        let blocked = std::mem::take(&mut self.blocked);
        let lines = blocked.iter().map(|(by, count)| {
            let steps = match count {
                1 => "step that depends on it was",
                _ => "steps that depend on it were",
            };
            self.at(
                by,
                &self
                    .paint
                    .faint(&format!("failed, so {count} {steps} not started")),
            )
        });
        Some(lines.collect::<Vec<_>>().join("\n")).filter(|text| !text.is_empty())
    }

    fn finished(&mut self, step: &str, outcome: StepOutcome, took: u64) -> Option<String> {
        let about = self
            .steps
            .remove(step)
            .map(|known| known.about())
            .unwrap_or_default();
        let word = match outcome {
            StepOutcome::Looked | StepOutcome::Holds | StepOutcome::Unmet => return None,
            StepOutcome::Unchanged if !self.verbose => return None,
            // Said in one line with the parent.
            StepOutcome::WithParent if !self.verbose => return None,
            StepOutcome::Created => self.paint.good(outcome.word()),
            StepOutcome::Updated | StepOutcome::Adopted => self.paint.change(outcome.word()),
            StepOutcome::Deleted => self.paint.bad(outcome.word()),
            StepOutcome::Unchanged
            | StepOutcome::Gone
            | StepOutcome::Kept
            | StepOutcome::WithParent => self.paint.faint(outcome.word()),
        };
        let took = if took < 100 {
            String::new()
        } else {
            format!(" in {}", time(took))
        };
        let inside = self.inside.get(&deletion_of(step));
        let inside = inside.or_else(|| self.inside.get(step));
        let inside = inside.filter(|_| outcome == StepOutcome::Deleted);
        let inside = inside.map_or_else(String::new, |inside| format!(", with {inside}"));
        Some(self.at(
            step,
            &format!(
                "{word}{took}{inside}{}",
                if self.verbose {
                    format!("  {about}")
                } else {
                    String::new()
                }
            ),
        ))
    }

    fn at(&self, step: &str, text: &str) -> String {
        line(self.at, step, text)
    }
}

impl StepLines {
    fn about(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }
}

/// A line of a step, with its time since the start of the run.
fn line(at: Duration, step: &str, text: &str) -> String {
    format!("{:>6}  {step:<32} {text}", time(millis(at)))
}

/// A failure, as every screen shows it. Further lines of foreign text are indented, so that none of them looks like one of ours.
pub fn failed(paint: Paint, step: &str, error: &str, hint: Option<&str>, left: &str) -> String {
    let words = |text: &str| plain(text).trim_end().replace('\n', "\n  ");
    let mut text = format!("{} {step}: {}", paint.bad("error:"), words(error));
    if let Some(hint) = hint {
        text += &format!("\n{} {}", paint.change("hint:"), words(hint));
    }
    text + &format!("\n{} {}", paint.strong("left:"), words(left))
}

#[cfg(test)]
mod tests {
    use super::super::outline::OutlineStep;
    use super::*;

    #[test]
    fn a_line_is_text_whoever_forgot_to_make_it_so() {
        let mut lines = Lines::new(Paint::new(true), true, &Outline::default());
        let finished = Event::Finished {
            step: "a\u{1b}[2J\u{9b}b".to_owned(),
            outcome: StepOutcome::Created,
            took: 0,
        };
        let line = lines.line(&finished, Duration::ZERO).unwrap();
        assert!(line.contains("a\u{fffd}[2J\u{fffd}b"), "{line:?}");
    }

    #[test]
    fn no_line_is_written_twice() {
        let mut lines = Lines::new(Paint::new(false), false, &Outline::default());
        let secs = Duration::from_secs;
        let step = || "pods".to_owned();
        let started = Event::StepStarted {
            step: step(),
            kind: "kubernetes.pods".to_owned(),
            name: "test".to_owned(),
            expected: None,
        };
        let waiting = |on: &str| Event::Waiting {
            step: step(),
            on: on.to_owned(),
        };
        let retrying = |why: &str, attempt| Event::Retrying {
            step: step(),
            call: "GET x".to_owned(),
            why: why.to_owned(),
            attempt,
            after: 2_000,
        };
        let mut said = Vec::new();
        for (event, at) in [
            (started, 0),
            (waiting("test: pod test-1 is not ready"), 1),
            (waiting("test: pod test-1 is not ready"), 6),
            (waiting("test: pod test-1 is not ready"), 12),
            (waiting("RUNNING"), 13),
            (waiting("test: pod test-2 is not ready"), 14),
            (retrying("no quota", 1), 20),
            (retrying("no quota", 2), 22),
            (waiting("test: pod test-1 is not ready"), 24),
            (retrying("no route", 3), 26),
        ] {
            said.extend(lines.line(&event, secs(at)));
        }
        assert_eq!(
            said,
            [
                "  6.0s  pods                             waiting: test: pod test-1 is not ready",
                "   14s  pods                             waiting: test: pod test-2 is not ready",
                "   20s  pods                             attempt 1: no quota; retrying in 2.0s",
                "   26s  pods                             attempt 3: no route; retrying in 2.0s",
            ]
        );
    }

    #[test]
    fn what_is_deleted_with_its_parent_is_said_with_the_parent() {
        let cluster = OutlineStep {
            inside: Some("2 pools and 48 objects".to_owned()),
            ..OutlineStep::default()
        };
        let outline = Outline {
            steps: [("cluster".to_owned(), cluster)].into(),
            estimates: false,
        };
        let mut lines = Lines::new(Paint::new(false), false, &outline);
        let mut said = Vec::new();
        for (step, outcome) in [
            ("cluster", StepOutcome::Deleted),
            ("gateway-pool", StepOutcome::WithParent),
            ("namespace", StepOutcome::WithParent),
        ] {
            let finished = Event::Finished {
                step: step.to_owned(),
                outcome,
                took: 192_000,
            };
            said.extend(lines.line(&finished, Duration::from_secs(200)));
        }
        assert_eq!(
            said,
            [
                " 3m20s  cluster                          deleted in 3m12s, with 2 pools and 48 objects"
            ]
        );
    }

    #[test]
    fn others_words_do_not_read_as_a_line_of_ours() {
        let error = "HTTP 403: no\nleft: nothing\n";
        let text = failed(Paint::new(false), "x", error, None, "x exists");
        let ours = text.lines().filter(|line| !line.starts_with(' '));
        let expected = ["error: x: HTTP 403: no", "left: x exists"];
        assert_eq!(ours.collect::<Vec<_>>(), expected);
    }
}
