//! The error of a call, in Google's own words.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::details::Details;
use super::envelope::Refusal;
use super::quota::OtherConsumer;
use super::{AuthError, Call, Class, Token, advice};
use crate::text::beginning;

/// Whether a failed request may have taken effect. A caller that keeps a record closes it on `No` and reads the live
/// state on anything else. Ordered from the harmless to the dangerous.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MayHaveApplied {
    /// The request never left this machine, or Google rejected it: nothing was changed.
    No,
    /// The connection broke before an answer: the request may have arrived or not.
    Unknown,
    /// The request arrived, and its result is unknown: a server fault, or an answer that was cut off.
    Yes,
}

/// A failed call, or the error of an operation.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// The method and the address, as [`Call`] prints them.
    pub call: Box<str>,
    /// The HTTP code, if there was an answer; for an operation, the code that its error corresponds to.
    pub http: Option<u16>,
    /// The class of the failure.
    pub class: Class,
    /// Google's name for the error, such as `resourceNotReady`, if there is one.
    pub reason: Option<Box<str>>,
    /// The message of Google or of the operating system.
    pub message: String,
    /// Whether it may have taken effect, over all attempts.
    pub left_machine: MayHaveApplied,
    /// How many times it was sent.
    pub attempts: u32,
    /// Whether it is the result of an operation, not the answer to a call.
    pub of_operation: bool,
    /// The pause that Google requests, in the header `Retry-After` or in the error's `RetryInfo`.
    pub retry_after: Option<Duration>,
    /// Advice for the user, if the class alone does not imply it.
    pub advice: Option<&'static str>,
    /// The underlying error, if there is one: of the connection, the credentials, or a cluster. Its text is part of
    /// `message`.
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
    /// The error of a call without an answer.
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

    /// The error of an attempt that was not the first: a later rejection does not undo what an earlier attempt may
    /// have done. Stores in `may_have_applied` what all attempts so far may have done.
    pub fn after(mut self, may_have_applied: &mut MayHaveApplied) -> ApiError {
        *may_have_applied = self.left_machine.max(*may_have_applied);
        self.left_machine = *may_have_applied;
        self
    }

    /// A call that could not even be built, because its subject is incomplete.
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

    /// Adds the underlying error. It must not contain a token: [`ApiError::without`] does not search it.
    pub fn caused_by(self, cause: impl Error + Send + Sync + 'static) -> ApiError {
        ApiError {
            cause: Some(Arc::new(cause)),
            ..self
        }
    }

    /// A rejection: the answer to `call`, or the result of the operation that `call` polls.
    pub(super) fn refused(call: &Call, refusal: Refusal) -> ApiError {
        let class = Class::of(&refusal);
        // The end of an operation is known: whatever it did, it is over. A code below 500 means that nothing was
        // done; above it, Google itself does not know.
        let left_machine = match class {
            _ if refusal.operation => MayHaveApplied::Yes,
            Class::ServerFault => MayHaveApplied::Yes,
            _ => MayHaveApplied::No,
        };
        let message = Details::after(&refusal.message, &refusal.told);
        ApiError {
            http: refusal.http,
            reason: refusal
                .reason
                .or(refusal.status)
                .map(String::into_boxed_str),
            of_operation: refusal.operation,
            retry_after: refusal.retry_after,
            ..ApiError::unanswered(call, class, left_machine, message)
        }
    }

    /// The error of the operation that `answer` to `call` describes.
    pub(super) fn operation(call: &Call, answer: &Value) -> ApiError {
        ApiError::refused(call, Refusal::of_operation(answer))
    }

    /// The same error without the token, in case another server included it in a message. The token is removed before
    /// the message is truncated, because a token that is cut in its middle would not be found.
    pub(super) fn without(mut self, token: Option<&Token>) -> ApiError {
        if let Some(token) = token {
            self.message = token.hidden_in(&self.message);
        }
        self.message = beginning(&self.message);
        self
    }

    /// The advice for the user.
    pub fn hint(&self) -> Option<String> {
        let cause = self.cause.as_deref();
        let credentials = cause.and_then(|cause| cause.downcast_ref::<AuthError>());
        let consumer = cause.and_then(|cause| cause.downcast_ref::<OtherConsumer>());
        if let Some(hint) = credentials.and_then(AuthError::hint) {
            return Some(hint);
        }
        if let Some(consumer) = consumer {
            return Some(consumer.hint());
        }
        let by_words = || {
            let row = ADVICE.iter().find(|(words, _)| {
                self.message.contains(words) || self.reason.as_deref() == Some(words)
            });
            row.map(|(_, advice)| *advice)
        };
        let advice = self.advice.or_else(by_words).map(str::to_owned);
        Some(
            advice
                .or_else(|| advice::of_message(self.class, &self.message))
                .unwrap_or_else(|| self.class.hint().to_owned()),
        )
    }

    /// Whether a later attempt has a fair chance: the cause is Google or the network, not the request.
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
            // The text of an answer that is not JSON contains the code itself.
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

/// Words or reasons of Google's, and the advice for them where that of their class says too little.
const ADVICE: &[(&str, &str)] = &[
    (
        "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
        "roles do not help: the access scopes of the Compute Engine VM or the node pool exclude this API. Stop the VM, run `gcloud compute instances set-service-account VM --scopes=cloud-platform`, and start it; or use other credentials (GOOGLE_APPLICATION_CREDENTIALS)",
    ),
    (
        "container.hostServiceAgent.use",
        "in the host project of the Shared VPC, grant roles/container.hostServiceAgentUser to GKE's service agent of this project, and roles/compute.networkUser on the subnet to the two agents that https://cloud.google.com/kubernetes-engine/docs/how-to/cluster-shared-vpc names",
    ),
];

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
