//! What went wrong with a call, in Google's own words.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::envelope::Refusal;
use super::{Call, Class, Token};
use crate::text::beginning;

/// Whether a failed request can have taken effect. A caller that keeps a record closes it on `No` and looks on
/// anything else. Ordered from the harmless to the dangerous.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MayHaveApplied {
    /// It never left this machine, or Google refused it: nothing happened.
    No,
    /// The connection broke before an answer: it may or may not have arrived.
    Unknown,
    /// It arrived, and what became of it was not said: a server fault, or an answer that was cut off.
    Yes,
}

/// A failed call, or the error with which an operation ended.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// Method and address, as [`Call`] prints them.
    pub call: Box<str>,
    /// The HTTP code, if there was an answer; for an operation the one that its error stands for.
    pub http: Option<u16>,
    /// What kind of failure it is.
    pub class: Class,
    /// Google's name for it, `resourceNotReady`, if it gave one.
    pub reason: Option<Box<str>>,
    /// Google's own words, or the operating system's.
    pub message: String,
    /// Whether it can have taken effect, over all tries.
    pub left_machine: MayHaveApplied,
    /// How often it was sent.
    pub attempts: u32,
    /// It is how an operation ended, not the answer to a call.
    pub of_operation: bool,
    /// How long Google asks to wait (`Retry-After`).
    pub retry_after: Option<Duration>,
    /// What to do, where the class alone does not say it.
    pub advice: Option<&'static str>,
    /// The error behind it, where there is one: of the connection, the credentials, a cluster. Its words are in `message`.
    pub cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words())
    }
}

impl Error for ApiError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl ApiError {
    /// An error without an answer.
    pub(super) fn unanswered(
        call: &Call,
        class: Class,
        may_have_applied: MayHaveApplied,
        message: String,
    ) -> ApiError {
        ApiError {
            call: call.to_string().into(),
            http: None,
            class,
            reason: None,
            message,
            left_machine: may_have_applied,
            attempts: 1,
            of_operation: false,
            retry_after: None,
            advice: None,
            cause: None,
        }
    }

    /// The error of a try that others went before: what one of them may have done, a later refusal does not undo. Keeps in
    /// `may_have_applied` what all tries so far may have done.
    pub fn after(mut self, may_have_applied: &mut MayHaveApplied) -> ApiError {
        *may_have_applied = self.left_machine.max(*may_have_applied);
        self.left_machine = *may_have_applied;
        self
    }

    /// A call that could not even be written down: what it is about lacks something.
    pub fn unsent(what: impl Into<String>, message: impl fmt::Display) -> ApiError {
        ApiError {
            call: what.into().into_boxed_str(),
            http: None,
            class: Class::BadRequest,
            reason: None,
            message: message.to_string(),
            left_machine: MayHaveApplied::No,
            attempts: 0,
            of_operation: false,
            retry_after: None,
            advice: None,
            cause: None,
        }
    }

    /// The same, with the error behind it. That one must not hold a token: [`ApiError::without`] does not look into it.
    pub fn caused_by(self, cause: impl Error + Send + Sync + 'static) -> ApiError {
        ApiError {
            cause: Some(Arc::new(cause)),
            ..self
        }
    }

    /// A refusal: the answer to `call`, or how the operation ended that `call` polls.
    pub(super) fn refused(call: &Call, refusal: Refusal) -> ApiError {
        let class = Class::of(&refusal);
        // An operation's end is known: what it did it did, and it is over. A refusal below 500 means that nothing was
        // done; above, Google itself does not know.
        let left_machine = match class {
            _ if refusal.operation => MayHaveApplied::Yes,
            Class::ServerFault => MayHaveApplied::Yes,
            _ => MayHaveApplied::No,
        };
        ApiError {
            http: refusal.http,
            reason: refusal
                .reason
                .or(refusal.status)
                .map(String::into_boxed_str),
            of_operation: refusal.operation,
            ..ApiError::unanswered(call, class, left_machine, refusal.message)
        }
    }

    /// How the operation ended of which `answer` to `call` speaks.
    pub(super) fn operation(call: &Call, answer: &Value) -> ApiError {
        ApiError::refused(call, Refusal::of_operation(answer))
    }

    /// The same, without the token if somebody has written it into his words, which are then cut: what is cut off in its
    /// middle is not found.
    pub(super) fn without(mut self, token: Option<&Token>) -> ApiError {
        if let Some(token) = token {
            self.message = token.hidden_in(&self.message);
        }
        self.message = beginning(&self.message);
        self
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(self.advice.unwrap_or(self.class.hint()).to_owned())
    }

    /// A try may be made later with a fair chance: Google or the network is at fault, not the request.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.class,
            Class::RateLimited | Class::ServerFault | Class::LostConnection
        )
    }

    fn words(&self) -> String {
        let mut words = self.message.clone();
        match (self.http, &self.reason) {
            (Some(http), Some(reason)) => words += &format!(" (HTTP {http} {reason})"),
            // The words of an answer that is not JSON name the code themselves.
            (Some(http), None) if !words.contains(&format!("HTTP {http}")) => {
                words += &format!(" (HTTP {http})")
            }
            _ => {}
        }
        if self.attempts > 1 {
            words += &format!(", after {} tries", self.attempts);
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::google::Api;

    #[test]
    fn what_one_try_may_have_done_a_later_refusal_does_not_undo() {
        use MayHaveApplied::*;
        let mut may_have_applied = No;
        for (told, counts) in [
            (No, No),
            (Unknown, Unknown),
            (No, Unknown),
            (Yes, Yes),
            (Unknown, Yes),
        ] {
            let call = Call::get(Api::Dns, "x");
            let error = ApiError::unanswered(&call, Class::Other, told, "m".into());
            assert_eq!(error.after(&mut may_have_applied).left_machine, counts);
        }
    }
}
