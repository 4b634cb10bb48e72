//! The output of a verb: data to stdout, messages to stderr.

use std::io::Write;

use jiff::Timestamp;
use serde_json::json;

use crate::error::{CommandError, code};
use crate::ui::{json_line, printable, stamped};

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

/// Reports the error that ended a command: as text, and with `json` also as an event. A stop that the user asked for is not an error.
pub fn report(halt: &CommandError, json: bool) {
    if json && !halt.errors.is_empty() {
        let mut event = json!({
            "event": "error",
            "errors": halt.errors,
            "exit": code(halt.exit),
        });
        if let Some(hint) = &halt.hint {
            event["hint"] = hint.as_str().into();
        }
        say(&json_line(&stamped(&event, Timestamp::now())));
    }
    note(&halt.to_string());
}
