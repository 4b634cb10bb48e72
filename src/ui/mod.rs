//! Turns events into output: a block on a terminal, lines elsewhere, JSON on request. It depends only on events, changes and steps.

mod block;
mod brief;
pub mod checks;
pub mod closing;
pub mod doctor;
pub mod duration;
pub mod explain;
pub mod findings;
pub mod fold;
mod lines;
mod live;
mod log;
pub mod outline;
pub mod overview;
pub mod paint;
pub mod plan;
pub mod prices;
mod progress;
pub mod proxy_trace;
pub mod question;
mod screen;
pub mod slow;
pub mod table;
mod terminal;
pub mod usual;
pub mod words;

use jiff::Timestamp;
use serde::Serialize;

pub use paint::Paint;
pub use screen::{Screen, ScreenPrinter, ScreenSettings};

/// A duration as text: `0.4s`, `12s`, `3m05s`.
pub fn time(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0..=9 => format!("{}.{}s", seconds, millis % 1000 / 100),
        10..=59 => format!("{seconds}s"),
        _ => format!("{}m{:02}s", seconds / 60, seconds % 60),
    }
}

/// Foreign text without characters that move a terminal's cursor, change its colours or reverse the direction of the text.
pub fn plain(text: &str) -> String {
    let safe = |c| if moves(c) { '\u{fffd}' } else { c };
    text.chars().map(safe).collect()
}

/// Text for the terminal: as [`plain`], but with the colours of [`Paint`]. Foreign text should be plain already; this is for text
/// that was missed.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = match paint::code(rest) {
            Some(length) => {
                out += &rest[..length];
                length
            }
            None => {
                out.push(if moves(c) { '\u{fffd}' } else { c });
                c.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    out
}

/// A value with the time of its line, as the key `at`.
#[derive(Serialize)]
pub struct Stamped<'a, T> {
    #[serde(flatten)]
    value: &'a T,
    at: String,
}

/// An object with its time: UTC, in milliseconds, as the journal has it.
pub fn stamped<T: Serialize>(value: &T, at: Timestamp) -> Stamped<'_, T> {
    let at = at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    Stamped { value, at }
}

/// A value as one line of JSON. It may be shown on a terminal: a character that would affect the terminal is escaped, which is
/// equivalent in JSON.
pub fn json_line(value: &impl Serialize) -> String {
    // No value that is printed here can fail to serialize.
    let json = serde_json::to_string(value).unwrap_or_default();
    let mut line = String::with_capacity(json.len() + 1);
    for c in json.chars() {
        match moves(c) {
            true => line += &format!("\\u{:04x}", u32::from(c)),
            false => line.push(c),
        }
    }
    line + "\n"
}

/// Whether a terminal acts on a character instead of showing it: controls, and marks that reorder the text.
fn moves(c: char) -> bool {
    let reorders = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    reorders || (c.is_control() && !matches!(c, '\n' | '\t'))
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
    }

    #[test]
    fn json_says_the_same_and_moves_nothing() {
        let text = "a\u{1b}[2J\u{7f}\u{9b}31m\u{202e}x\u{2069}\n\t\"é✓";
        let line = json_line(&serde_json::json!({ text: text }));
        assert!(!line.trim_end().chars().any(moves), "{line:?}");
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read[text], text);
        assert!(line.ends_with("}\n") && line.contains("é✓"), "{line:?}");
    }

    #[test]
    fn nothing_but_text_and_our_colours_reaches_a_terminal() {
        for (text, shown) in [
            ("a\u{1b}[31mb\nc\td", "a\u{fffd}[31mb\nc\td"),
            ("a\rb\u{7}\u{8}\u{7f}", "a\u{fffd}b\u{fffd}\u{fffd}\u{fffd}"),
            ("\u{9b}2J", "\u{fffd}2J"),
            ("x\u{202e}y\u{2069}z", "x\u{fffd}y\u{fffd}z"),
            ("größe ✓ ‘x’", "größe ✓ ‘x’"),
        ] {
            assert_eq!(plain(text), shown, "{text:?}");
        }
        let paint = Paint::new(true);
        for painted in [
            paint.good("a"),
            paint.change("a"),
            paint.bad("a"),
            paint.strong("a"),
            paint.faint("a"),
        ] {
            assert_eq!(printable(&painted), painted);
        }
        assert_eq!(paint.bad("\u{1b}[2J"), paint.bad("\u{fffd}[2J"));
        for text in [
            "\u{1b}[2J",
            "\u{1b}[8m",
            "\u{1b}]0;x\u{7}",
            "\u{1b}",
            "\u{1b}[3",
        ] {
            assert!(!printable(text).contains('\u{1b}'), "{text:?}");
        }
    }
}
