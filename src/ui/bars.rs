//! A bar for each step at work: what it is, what it waits for, how long already and how long the last time.

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::lines::Lines;
use super::{Paint, plain, time};
use crate::engine::event::Event;

/// Nothing is drawn for what is over before a reader could see it.
const FIRST_DRAW: Duration = Duration::from_millis(250);

/// Draws bars under the lines that stay.
pub struct Bars {
    all: MultiProgress,
    lines: Lines,
    bars: HashMap<String, ProgressBar>,
}

impl Bars {
    /// On stderr.
    pub fn new(paint: Paint, verbose: bool) -> Bars {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        Bars {
            all,
            lines: Lines::new(paint, verbose),
            bars: HashMap::new(),
        }
    }

    /// The time since it began.
    pub fn elapsed(&self) -> Duration {
        self.lines.elapsed()
    }

    /// The run began so long ago, elsewhere.
    pub fn began(&mut self, ago: Duration) {
        self.lines.began(ago);
    }

    /// Shows one event; `at` is its time since the run began.
    pub fn show(&mut self, event: &Event, at: Duration) {
        match event {
            Event::StepStarted {
                step,
                name,
                expected,
                ..
            } => {
                let ago = self.lines.elapsed().saturating_sub(at);
                let bar = ProgressBar::hidden().with_message(plain(name));
                let bar = bar.with_elapsed(ago);
                // The template is fixed; a broken one leaves the default.
                if let Ok(style) =
                    ProgressStyle::with_template("  {elapsed:>4} {prefix:<32} {wide_msg}")
                {
                    bar.set_style(style);
                }
                bar.set_prefix(plain(step));
                if let Some(expected) = expected {
                    bar.set_message(format!("{} (last time {})", plain(name), time(*expected)));
                }
                self.bars.insert(step.clone(), bar);
            }
            Event::Waiting { step, on } => self.say(step, plain(on)),
            Event::Sending { step, verb } => {
                self.say(step, format!("{}, waiting for the answer", verb.word()))
            }
            Event::Retrying {
                step, why, attempt, ..
            } => self.say(step, format!("attempt {attempt}: {}", plain(why))),
            Event::Finished { step, .. } | Event::Failed { step, .. } => {
                if let Some(bar) = self.bars.remove(step) {
                    bar.finish_and_clear();
                }
            }
            _ => {}
        }
        if self.lines.elapsed() >= FIRST_DRAW {
            for bar in self.bars.values().filter(|bar| bar.is_hidden()) {
                let shown = self.all.add(bar.clone());
                shown.enable_steady_tick(Duration::from_millis(200));
            }
        }
        // A line that stays says what a bar said while it was there: only what is not over at once.
        let waiting = matches!(event, Event::Waiting { .. });
        if let Some(text) = self.lines.line(event, at).filter(|_| !waiting) {
            // Nobody reading is no reason to fail.
            let _ = self.all.suspend(|| writeln!(std::io::stderr(), "{text}"));
        }
    }

    /// Takes all bars away.
    pub fn clear(&mut self) {
        for (_, bar) in self.bars.drain() {
            bar.finish_and_clear();
        }
    }

    fn say(&self, step: &str, text: String) {
        if let Some(bar) = self.bars.get(step) {
            bar.set_message(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_what_it_is_told_as_text() {
        const ODD: &str = "a\u{1b}[2J\u{9b}b\r\u{202e}";
        let odd = || ODD.to_owned();
        let mut bars = Bars::new(Paint::new(true), true);
        bars.show(
            &Event::StepStarted {
                step: odd(),
                kind: odd(),
                name: odd(),
                expected: Some(1),
            },
            Duration::ZERO,
        );
        let events = [
            Event::Waiting {
                step: odd(),
                on: odd(),
            },
            Event::Retrying {
                step: odd(),
                call: odd(),
                why: odd(),
                attempt: 1,
                after: 1,
            },
        ];
        for event in events {
            let bar = &bars.bars[ODD];
            for shown in [bar.message(), bar.prefix()] {
                assert_eq!(shown, plain(&shown), "{shown:?}");
            }
            bars.show(&event, Duration::ZERO);
        }
        let last = bars.bars[ODD].message();
        assert_eq!(last, format!("attempt 1: {}", plain(ODD)));
    }
}
