//! Exit codes, and the failures that end a command before or outside its run.

use std::fmt;

use crate::engine::event::RunOutcome;
use crate::engine::journal::JournalError;
use crate::google::SetupError;
use crate::steps::Diagnostics;

/// How a command ended, for its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Success.
    Done = 0,
    /// A step failed.
    Failed = 1,
    /// Bad usage or input; nothing was sent.
    Usage = 2,
    /// A difference, or a claim that does not hold.
    Different = 3,
    /// Another run holds the environment.
    Held = 4,
    /// Interrupted; run again to resume.
    Interrupted = 130,
}

impl From<RunOutcome> for Exit {
    fn from(how: RunOutcome) -> Exit {
        match how {
            RunOutcome::Done => Exit::Done,
            RunOutcome::Failed => Exit::Failed,
            RunOutcome::Interrupted => Exit::Interrupted,
        }
    }
}

/// The error of a command, before or outside its run.
#[derive(Debug)]
pub struct CommandError {
    /// The exit code.
    pub exit: Exit,
    /// The errors, one line each.
    pub errors: Vec<String>,
    /// What to do about them.
    pub hint: Option<String>,
}

impl CommandError {
    /// Bad usage or input.
    pub fn usage(error: impl fmt::Display, hint: &str) -> CommandError {
        CommandError {
            exit: Exit::Usage,
            errors: vec![error.to_string()],
            hint: Some(hint.to_owned()),
        }
    }

    /// Something outside the command line failed.
    pub fn failed(error: impl fmt::Display, hint: &str) -> CommandError {
        CommandError {
            exit: Exit::Failed,
            errors: vec![error.to_string()],
            hint: Some(hint.to_owned()),
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self
            .errors
            .iter()
            .map(|error| format!("error: {error}"))
            .collect();
        f.write_str(&lines.join("\n"))?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl From<Diagnostics> for CommandError {
    fn from(diagnostics: Diagnostics) -> CommandError {
        let errors = diagnostics.0.iter().map(ToString::to_string).collect();
        CommandError {
            exit: Exit::Usage,
            errors,
            hint: None,
        }
    }
}

impl From<JournalError> for CommandError {
    fn from(error: JournalError) -> CommandError {
        let (exit, hint) = match &error {
            JournalError::Held { .. } => (
                Exit::Held,
                "wait for it, or stop it; there is no lock to remove by hand",
            ),
            JournalError::Damaged { .. } => (
                Exit::Usage,
                "`provision adopt` rebuilds it from the live resources, and keeps this file beside the new one; until then nothing is changed",
            ),
            JournalError::Newer { .. } => (
                Exit::Usage,
                "use the newer version of provision: an older one must not write to this journal",
            ),
            JournalError::Io { .. } => (
                Exit::Usage,
                "make the folder writable, or name another one with --state-dir",
            ),
        };
        CommandError {
            exit,
            errors: vec![error.to_string()],
            hint: Some(hint.to_owned()),
        }
    }
}

impl From<SetupError> for CommandError {
    fn from(error: SetupError) -> CommandError {
        CommandError {
            exit: Exit::Usage,
            errors: vec![error.to_string()],
            hint: None,
        }
    }
}

/// The exit code for the shell.
pub fn code(exit: Exit) -> u8 {
    exit as u8
}
