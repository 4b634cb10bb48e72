//! The output of a verb: data to stdout, messages to stderr.

use std::io::Write;

use crate::ui::printable;

/// Writes data to stdout. A closed pipe is no reason to fail.
pub fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let text = printable(text);
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Writes a message to stderr. A closed pipe is no reason to fail: the reader may exit before the run does.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", printable(text));
}
