//! Why a step failed: the error, Google's own message, what to do, and what is left behind.

use std::sync::Arc;

use crate::google::{ApiError, Class};
use crate::kinds::FieldDiff;

use super::event::Cause;
use super::journal::JournalError;

/// What most failures leave behind.
pub const NOTHING: &str = "nothing new";

/// Why a step did not finish.
#[derive(Debug, Clone)]
pub enum Failure {
    /// The step failed.
    Failed(StepFailure),
    /// The run was stopped; nothing is wrong.
    Stopped,
}

/// A failure, with what the user needs beside the error.
#[derive(Debug, Clone)]
pub struct StepFailure {
    /// What went wrong.
    pub error: StepError,
    /// What to do about it.
    pub hint: Option<String>,
    /// What exists as a result.
    pub left: String,
}

/// What went wrong with a step.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StepError {
    /// An API call failed.
    #[error("{what}: {source}")]
    Call {
        /// The call's purpose: `create compute.network vpc-network`.
        what: String,
        /// The call's error, with Google's own message.
        source: Box<ApiError>,
    },
    /// The journal cannot be written, so nothing more is sent.
    #[error("the journal cannot be written: {0}")]
    Journal(#[source] Arc<JournalError>),
    /// The live state is not what the step needs, and provision cannot repair it.
    #[error("{0}")]
    State(String),
    /// The step waits for itself.
    #[error("dependency cycle: it waits for a step that waits for it")]
    Cycle,
    /// A bug in provision.
    #[error("the step panicked: {0}")]
    Panicked(String),
}

impl StepError {
    /// The API's error as an object, if an API refused something.
    pub fn cause(&self) -> Option<Cause> {
        let StepError::Call { what, source } = self else {
            return None;
        };
        Some(Cause {
            what: what.clone(),
            call: source.call.to_string(),
            class: format!("{:?}", source.class),
            message: source.message.clone(),
            http: source.http,
            reason: source.reason.as_deref().map(str::to_owned),
        })
    }
}

impl Failure {
    /// A failed call that left nothing behind.
    pub fn of(what: &str, error: &ApiError) -> Failure {
        Failure::Failed(StepFailure {
            error: StepError::Call {
                what: what.to_owned(),
                source: Box::new(error.clone()),
            },
            hint: error.hint(),
            left: NOTHING.to_owned(),
        })
    }

    /// A state that provision cannot repair.
    pub fn new(error: String, hint: &str) -> Failure {
        Failure::Failed(StepFailure {
            error: StepError::State(error),
            hint: Some(hint.to_owned()),
            left: NOTHING.to_owned(),
        })
    }

    /// The same failure, with what is left behind.
    pub fn leaving(self, left: String) -> Failure {
        match self {
            Failure::Failed(told) => Failure::Failed(StepFailure { left, ..told }),
            Failure::Stopped => Failure::Stopped,
        }
    }

    /// The same failure, with another hint.
    pub fn with_hint(self, hint: &str) -> Failure {
        match self {
            Failure::Failed(told) => Failure::Failed(StepFailure {
                hint: Some(hint.to_owned()),
                ..told
            }),
            Failure::Stopped => Failure::Stopped,
        }
    }

    /// The same failure after a change was made: `left` replaces what is left behind if the failure itself left nothing.
    pub fn after(self, left: String) -> Failure {
        match self {
            Failure::Failed(told) if told.left == NOTHING => {
                Failure::Failed(StepFailure { left, ..told })
            }
            failure => failure,
        }
    }

    /// The class of the API error, where there is one.
    pub fn class(&self) -> Option<Class> {
        match self {
            Failure::Failed(StepFailure {
                error: StepError::Call { source, .. },
                ..
            }) => Some(source.class),
            Failure::Failed(_) | Failure::Stopped => None,
        }
    }
}

impl From<Arc<JournalError>> for Failure {
    fn from(error: Arc<JournalError>) -> Failure {
        let hint = "no request is sent before it is in the journal: free disk space, or name another folder with --state-dir";
        Failure::Failed(StepFailure {
            error: StepError::Journal(error),
            hint: Some(hint.to_owned()),
            left: NOTHING.to_owned(),
        })
    }
}

/// Fields that differ, as one line of an error.
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

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::google::{Api, Auth, Call, Client, Endpoints, NoWatch};
    use crate::text::errors;

    #[tokio::test]
    async fn the_first_cause_of_a_failure_can_be_reached() {
        let env = |name: &str| {
            (name == "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE").then(|| "/nowhere/at/all".to_owned())
        };
        let endpoints = Endpoints::emulator("http://127.0.0.1:9");
        let client = Client::new(endpoints, Auth::from_env(&env)).unwrap();
        let call = Call::get(Api::Dns, "x");
        let error = client.send(&call, &NoWatch).await.unwrap_err();
        let Failure::Failed(told) = Failure::of("look at x", &error) else {
            panic!("a call that failed is told");
        };
        let said = told.error.to_string();
        let words = "look at x: cannot read an access token from /nowhere/at/all";
        assert!(said.starts_with(words), "{said}");
        let first = errors(&told.error).last().unwrap();
        let first = first.downcast_ref::<Arc<io::Error>>().unwrap();
        assert_eq!(first.kind(), io::ErrorKind::NotFound);
    }
}
