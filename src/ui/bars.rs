//! One progress bar for each running step: its name, what it waits for, its elapsed time and its last duration.

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::lines::Lines;
use super::terminal::Terminal;
use super::{Paint, plain, time};
use crate::engine::event::Event;

/// The most drawings a second.
const DRAWS: u8 = 20;
/// No bar is drawn before this time since the start of the run: a shorter run would end before it could be read.
const FIRST_DRAW: Duration = Duration::from_millis(250);

/// Draws bars below the permanent lines.
pub struct Bars {
    all: MultiProgress,
    lines: Lines,
    bars: HashMap<String, ProgressBar>,
}

impl Bars {
    /// Draws on stderr.
    pub fn new(paint: Paint, verbose: bool) -> Bars {
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(Terminal::stderr()), DRAWS);
        let all = MultiProgress::with_draw_target(target);
        Bars {
            all,
            lines: Lines::new(paint, verbose),
            bars: HashMap::new(),
        }
    }

    /// Sets the start of a run that started elsewhere: `ago` is the time since then.
    pub fn began(&mut self, ago: Duration) {
        self.lines.began(ago);
    }

    /// Shows one event; `at` is its time since the start of the run.
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
                // The template is fixed; if it were invalid, the default style would stay.
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
        self.draw_new();
        // Waits are shown only in the bar. Other events may also have a permanent line.
        let waiting = matches!(event, Event::Waiting { .. });
        if let Some(text) = self.lines.line(event, at).filter(|_| !waiting) {
            // A closed stderr is no reason to fail.
            let _ = self.all.suspend(|| writeln!(std::io::stderr(), "{text}"));
        }
    }

    /// Draws the bars that have not been drawn yet, once the run is long enough for that.
    pub fn draw_new(&self) {
        if self.lines.elapsed() >= FIRST_DRAW {
            for bar in self.bars.values().filter(|bar| bar.is_hidden()) {
                let shown = self.all.add(bar.clone());
                shown.enable_steady_tick(Duration::from_millis(200));
            }
        }
    }

    /// Removes all bars.
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
