//! Where a verb writes: data to stdout, lines for people to stderr.

use std::io::Write;

use crate::ui::printable;

/// Writes data to stdout. A reader who went away is no reason to fail.
pub fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let text = printable(text);
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Writes a line for people to stderr. A reader who went away is no reason to fail: a pipe may end before the run does.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", printable(text));
}
