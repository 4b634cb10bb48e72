//! Colour, where it is enabled: the meaning never depends on it.

use anstyle::{AnsiColor, Style};

use super::plain;

const GOOD: Style = AnsiColor::Green.on_default();
const CHANGE: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const STRONG: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();

/// The length of the escape code at the start of a text, if it is one of ours.
pub(super) fn code(text: &str) -> Option<usize> {
    if !text.starts_with('\u{1b}') {
        return None;
    }
    let codes = [GOOD, CHANGE, BAD, STRONG, FAINT].map(|style| style.render().to_string());
    let reset = GOOD.render_reset().to_string();
    let mut ours = codes.iter().chain([&reset]);
    ours.find(|code| text.starts_with(*code)).map(String::len)
}

/// Whether to use colour.
#[derive(Debug, Clone, Copy)]
pub struct Paint(bool);

impl Paint {
    /// Colours if `on`.
    pub fn new(on: bool) -> Paint {
        Paint(on)
    }

    /// Something new or good.
    pub fn good(self, text: &str) -> String {
        self.with(GOOD, text)
    }

    /// Something that changes or waits.
    pub fn change(self, text: &str) -> String {
        self.with(CHANGE, text)
    }

    /// Something that is deleted or failed.
    pub fn bad(self, text: &str) -> String {
        self.with(BAD, text)
    }

    /// A heading.
    pub fn strong(self, text: &str) -> String {
        self.with(STRONG, text)
    }

    /// Secondary text.
    pub fn faint(self, text: &str) -> String {
        self.with(FAINT, text)
    }

    fn with(self, style: Style, text: &str) -> String {
        let text = plain(text);
        match self.0 {
            true => format!("{style}{text}{style:#}"),
            false => text,
        }
    }
}
