//! The output of a verb: data to stdout, messages to stderr.

use std::io::IsTerminal;

use console::Term;
use jiff::Timestamp;
use serde_json::json;

use super::writer::{Stream, write};
use crate::error::{CommandError, code};
use crate::ui::fold::fold;
use crate::ui::{json_line, printable, stamped};

/// Writes data to stdout. A closed pipe is no reason to fail.
pub fn say(text: &str) {
    write(Stream::Out, printable(text));
}

/// Writes a text for people to stdout. On a terminal, no line is wider than it, except for what is not divided.
pub fn show(text: &str) {
    match columns_of_stdout() {
        Some(width) => say(&fold(text, width)),
        None => say(text),
    }
}

/// The width of the terminal on stdout; none if there is no terminal.
pub fn columns_of_stdout() -> Option<usize> {
    columns(&std::io::stdout(), &Term::stdout())
}

/// The width of the terminal on stderr; none if there is no terminal.
pub fn columns_of_stderr() -> Option<usize> {
    columns(&std::io::stderr(), &Term::stderr())
}

fn columns(stream: &impl IsTerminal, term: &Term) -> Option<usize> {
    // A terminal may say that it has no columns.
    let (_, width) = term.size();
    stream
        .is_terminal()
        .then(|| usize::from(width))
        .filter(|width| *width > 0)
}

/// Writes a message to stderr. A closed pipe is no reason to fail: the reader may exit before the run does.
pub fn note(text: &str) {
    let text = match columns_of_stderr() {
        Some(width) => fold(text, width),
        None => text.to_owned(),
    };
    write(Stream::Err, printable(&text) + "\n");
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
