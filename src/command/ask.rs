//! Asking a person, where there is one.

use std::io::{IsTerminal, Write};

use crate::error::Halt;

/// Refuses to act where nobody can be asked and nobody has said yes.
pub fn somebody_is_there(verb: &str, yes: bool) -> Result<(), Halt> {
    if yes || std::io::stdin().is_terminal() {
        return Ok(());
    }
    let error = format!("`provision {verb}` changes things and there is no terminal to ask on");
    Err(Halt::usage(
        error,
        "look at `provision plan` or `provision status`, then say --yes",
    ))
}

/// Asks; anything but `yes` or `y` is no.
pub fn agreed(question: &str) -> bool {
    matches!(
        answer(&format!("{question} [y/N]")).as_deref(),
        Some("y" | "yes")
    )
}

/// Asks for a word to be typed.
pub fn typed(question: &str, word: &str) -> bool {
    answer(question).as_deref() == Some(word)
}

/// Asks, and reads a line from stdin; none where it is closed.
fn answer(question: &str) -> Option<String> {
    let mut err = std::io::stderr();
    let _ = write!(err, "{question} ").and_then(|()| err.flush());
    let mut line = String::new();
    match std::io::stdin().read_line(&mut line) {
        Ok(read) if read > 0 => Some(line.trim().to_owned()),
        _ => None,
    }
}
