//! Events in, text out: bars on a terminal, lines elsewhere, JSON when asked. Sees events, changes and steps only.

mod bars;
pub mod claims;
pub mod explain;
pub mod findings;
mod lines;
pub mod paint;
pub mod plan;
pub mod slow;
pub mod table;

use std::io::{self, Write};

use crate::engine::event::Event;
pub use paint::Paint;

/// Where a run's events are shown.
pub enum Screen {
    /// One JSON object a line, on stdout.
    Json,
    /// A line for what happened, on stderr.
    Lines(lines::Lines),
    /// A bar for each step at work, on stderr.
    Bars(bars::Bars),
}

impl Screen {
    /// The screen for this terminal, or for none.
    pub fn new(json: bool, terminal: bool, paint: Paint, verbose: bool) -> Screen {
        match (json, terminal) {
            (true, _) => Screen::Json,
            (false, true) => Screen::Bars(bars::Bars::new(paint, verbose)),
            (false, false) => Screen::Lines(lines::Lines::new(paint, verbose)),
        }
    }

    /// Shows one event. A reader who went away is no reason to stop.
    pub fn show(&mut self, event: &Event) {
        match self {
            Screen::Json => {
                if let Ok(line) = serde_json::to_string(event) {
                    let _ = writeln!(io::stdout().lock(), "{line}");
                }
            }
            Screen::Lines(lines) => {
                if let Some(text) = lines.line(event) {
                    let _ = writeln!(io::stderr().lock(), "{text}");
                }
            }
            Screen::Bars(bars) => bars.show(event),
        }
    }

    /// Takes away what is not meant to stay.
    pub fn clear(&mut self) {
        if let Screen::Bars(bars) = self {
            bars.clear();
        }
    }
}

/// A length of time for a reader: `0.4s`, `12s`, `3m05s`.
pub fn time(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0..=9 => format!("{}.{}s", seconds, millis % 1000 / 100),
        10..=59 => format!("{seconds}s"),
        _ => format!("{}m{:02}s", seconds / 60, seconds % 60),
    }
}

/// Text from outside without what would move a terminal's cursor or change its colours.
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\n' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_say_them() {
        for (millis, said) in [
            (0, "0.0s"),
            (449, "0.4s"),
            (9_999, "9.9s"),
            (10_000, "10s"),
            (185_000, "3m05s"),
        ] {
            assert_eq!(time(millis), said);
        }
        assert_eq!(plain("a\u{1b}[31mb\nc"), "a\u{fffd}[31mb\nc");
    }
}
