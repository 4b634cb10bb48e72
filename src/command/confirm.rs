//! Asks the user for confirmation, if there is a terminal.

use std::io::{IsTerminal, Write};

use super::output::columns_of_stderr;
use super::signals;
use crate::error::{CommandError, Exit};
use crate::ui::fold::fold;

/// The choice behind a question.
const CHOICE: &str = " [y/N]";
/// The columns of an answer: a space and `yes`.
const ANSWER: usize = 4;

/// Fails if there is no terminal to ask for confirmation and `--yes` is not given.
pub fn require_confirmation(verb: &str, yes: bool) -> Result<(), CommandError> {
    if yes || std::io::stdin().is_terminal() {
        return Ok(());
    }
    let error = format!(
        "`provision {verb}` changes resources, and there is no terminal to ask for confirmation"
    );
    Err(CommandError::usage(
        error,
        "check `provision plan` or `provision status`, then pass --yes",
    ))
}

/// Asks a question.
///
/// # Errors
/// The answer is not `yes` or `y`, or there is none.
pub async fn require_yes(question: &str) -> Result<(), CommandError> {
    let answer = answer(question, CHOICE).await?;
    match answer.as_deref() {
        Some("y" | "yes") => Ok(()),
        _ => Err(cancelled()),
    }
}

/// Asks the user to type a word.
///
/// # Errors
/// The user typed another one, or none.
pub async fn require_word(question: &str, word: &str) -> Result<(), CommandError> {
    match answer(question, "").await?.as_deref() {
        Some(typed) if typed == word => Ok(()),
        _ => Err(cancelled()),
    }
}

fn cancelled() -> CommandError {
    CommandError {
        exit: Exit::Failed,
        errors: vec!["cancelled, nothing was changed".to_owned()],
        hint: None,
    }
}

/// Asks, and reads a line from stdin; none if stdin is closed. A stop signal is an error. The choice, if there is one, stands in the
/// question's last line, as the answer does.
async fn answer(question: &str, choice: &str) -> Result<Option<String>, CommandError> {
    let mut stop = signals::listen();
    let beside = choice.len() + ANSWER;
    let question = match columns_of_stderr() {
        Some(width) => fold(question, width.saturating_sub(beside)) + choice,
        None => format!("{question}{choice}"),
    };
    let read = tokio::task::spawn_blocking(move || {
        let mut err = std::io::stderr();
        // At once: what is typed meanwhile does not stand in the middle of it.
        let text = format!("{question} ");
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
        let mut line = String::new();
        match std::io::stdin().read_line(&mut line) {
            Ok(read) if read > 0 => Some(line.trim().to_owned()),
            _ => None,
        }
    });
    tokio::select! {
        line = read => Ok(line.unwrap_or_default()),
        _ = stop.wait_for(|stop| *stop) => Err(CommandError { exit: Exit::Interrupted, errors: Vec::new(), hint: None }),
    }
}
