//! One line for each event: for logs, pipes and terminals without bars.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use super::{Paint, plain, printable, time};
use crate::engine::change::Change;
use crate::engine::event::{Event, StepOutcome};

/// The shortest time after which a waiting step reports again.
const QUIET: Duration = Duration::from_secs(5);

/// Turns events into lines.
pub struct Lines {
    paint: Paint,
    verbose: bool,
    began: Instant,
    /// The time of the current event since the start of the run.
    at: Duration,
    /// The resource of each running step, and the time of its last line.
    steps: HashMap<String, (String, Instant)>,
    /// The number of steps that were not started, by the one that failed.
    blocked: BTreeMap<String, usize>,
}

impl Lines {
    /// Starts now.
    pub fn new(paint: Paint, verbose: bool) -> Lines {
        Lines {
            paint,
            verbose,
            began: Instant::now(),
            at: Duration::ZERO,
            steps: HashMap::new(),
            blocked: BTreeMap::new(),
        }
    }

    /// The time since the run started.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Sets the start of a run that started elsewhere: `ago` is the time since then.
    pub fn began(&mut self, ago: Duration) {
        self.began = Instant::now().checked_sub(ago).unwrap_or(self.began);
    }

    /// The line for an event, if it has one, safe for a terminal; `at` is the event's time since the start of the run.
    pub fn line(&mut self, event: &Event, at: Duration) -> Option<String> {
        self.at = at;
        self.text(event).map(|text| printable(&text))
    }

    fn text(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::StepStarted {
                step, kind, name, ..
            } => {
                self.steps
                    .insert(step.clone(), (format!("{kind} {name}"), Instant::now()));
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
                let about = self.steps.get(step).map_or("", |(about, _)| about);
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
                if !self.is_due(step) {
                    return None;
                }
                Some(self.at(step, &self.paint.faint(&format!("waiting: {}", plain(on)))))
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
                self.is_due(step)
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

    /// Whether a step may report what it waits for: not continuously, and not during the first seconds.
    fn is_due(&mut self, step: &str) -> bool {
        let Some((_, last)) = self.steps.get_mut(step) else {
            return self.verbose;
        };
        let due = self.verbose || last.elapsed() >= QUIET;
        if due {
            *last = Instant::now();
        }
        due
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
            .map(|(about, _)| about)
            .unwrap_or_default();
        let word = match outcome {
            StepOutcome::Looked | StepOutcome::Holds | StepOutcome::Unmet => return None,
            StepOutcome::Unchanged if !self.verbose => return None,
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
        Some(self.at(
            step,
            &format!(
                "{word}{took}{}",
                if self.verbose {
                    format!("  {about}")
                } else {
                    String::new()
                }
            ),
        ))
    }

    fn at(&self, step: &str, text: &str) -> String {
        let since = u64::try_from(self.at.as_millis()).unwrap_or(u64::MAX);
        format!("{:>6}  {step:<32} {text}", time(since))
    }
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
    use super::*;

    #[test]
    fn a_line_is_text_whoever_forgot_to_make_it_so() {
        let mut lines = Lines::new(Paint::new(true), true);
        let finished = Event::Finished {
            step: "a\u{1b}[2J\u{9b}b".to_owned(),
            outcome: StepOutcome::Created,
            took: 0,
        };
        let line = lines.line(&finished, Duration::ZERO).unwrap();
        assert!(line.contains("a\u{fffd}[2J\u{fffd}b"), "{line:?}");
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
