//! Why a step did not come to its end: what failed, in Google's own words, what to do, and what is left behind.

use crate::google::{ApiError, Class};
use crate::kinds::FieldDiff;

use super::journal::JournalError;

/// What most failures leave.
pub const NOTHING: &str = "nothing new";

/// Why a step did not come to its end.
#[derive(Debug, Clone)]
pub enum Failure {
    /// It failed.
    Told(StepFailure),
    /// The run was asked to stop; nothing is wrong.
    Stopped,
}

/// A failure as it is told.
#[derive(Debug, Clone)]
pub struct StepFailure {
    /// What and where: `create compute.network vpc-network`, and Google's own words.
    pub error: String,
    /// What to do.
    pub hint: Option<String>,
    /// What exists because of it.
    pub left: String,
    /// The class of the answer, where there was one.
    pub class: Option<Class>,
}

impl Failure {
    /// A call that failed and left nothing.
    pub fn of(what: &str, error: &ApiError) -> Failure {
        Failure::Told(StepFailure {
            error: format!("{what}: {error}"),
            hint: error.hint(),
            left: NOTHING.to_owned(),
            class: Some(error.class),
        })
    }

    /// A state that nobody can mend from here.
    pub fn new(error: String, hint: &str) -> Failure {
        Failure::Told(StepFailure {
            error,
            hint: Some(hint.to_owned()),
            left: NOTHING.to_owned(),
            class: None,
        })
    }

    /// The same, with what is left.
    pub fn leaving(self, left: String) -> Failure {
        match self {
            Failure::Told(told) => Failure::Told(StepFailure { left, ..told }),
            Failure::Stopped => Failure::Stopped,
        }
    }

    /// The same, after something was done: `left` where the failure itself says of nothing.
    pub fn after(self, left: String) -> Failure {
        match self {
            Failure::Told(told) if told.left == NOTHING => {
                Failure::Told(StepFailure { left, ..told })
            }
            failure => failure,
        }
    }

    /// The class of the answer, where there was one.
    pub fn class(&self) -> Option<Class> {
        match self {
            Failure::Told(told) => told.class,
            Failure::Stopped => None,
        }
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Failure {
        Failure::new(
            format!("the journal cannot be written: {error}"),
            "nothing is sent that is not announced there first: make room, or name another folder with --state-dir",
        )
    }
}

/// Fields that differ, for one line of an error.
pub fn differences(fields: &[FieldDiff]) -> String {
    let each = fields.iter().map(|field| {
        let owner = field.owner.as_ref();
        let owner = owner.map_or_else(String::new, |owner| format!(" (owned by {owner})"));
        format!(
            "{} is {}, wanted {}{owner}",
            field.path, field.have, field.want
        )
    });
    each.collect::<Vec<_>>().join("; ")
}
