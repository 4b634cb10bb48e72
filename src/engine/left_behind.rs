//! What a failed request left behind: it looks, says it in a sentence, and closes the intent with the same truth.

use serde_json::Value;

use super::entry::{ChangeVerb, Entry, LeftBehind, now};
use super::failure::{Failure, NOTHING};
use super::intent::Intent;
use super::worker::Worker;
use crate::google::{ApiError, MayHaveApplied};
use crate::kinds::Observed;

/// The entry that closes an intent which did not come to a good end.
pub fn failed(key: &str, message: &str, left: LeftBehind) -> Entry {
    Entry::Failed {
        at: now(),
        key: key.to_owned(),
        message: message.to_owned(),
        left,
    }
}

/// What a failed operation leaves as a rule; a look corrects it before anybody is told.
pub fn left_of(verb: ChangeVerb) -> LeftBehind {
    match verb {
        ChangeVerb::Create => LeftBehind::Unknown,
        ChangeVerb::Update | ChangeVerb::Delete => LeftBehind::Something,
    }
}

/// Closes the intent of a request that failed with the truth about what is left: it looks.
pub async fn account(
    worker: &Worker,
    intent: &Intent<'_>,
    error: &ApiError,
    failure: Failure,
) -> Failure {
    let seen = intent
        .kind
        .look(
            &worker.clients,
            &intent.thing.at,
            &Value::Null,
            &intent.parts,
        )
        .await;
    let short = intent.thing.short();
    let (left, says) = match (intent.verb, seen) {
        (ChangeVerb::Create | ChangeVerb::Update, _)
            if error.left_machine == MayHaveApplied::No =>
        {
            (LeftBehind::Nothing, NOTHING.to_owned())
        }
        // It may still be at work, or hide as a new account does: one look that does not find it proves nothing.
        (ChangeVerb::Create, Ok(Observed::Absent)) if !error.of_operation => (
            LeftBehind::Unknown,
            format!(
                "{short} may exist: the answer was lost and it was not found; run again to be sure"
            ),
        ),
        (_, Ok(Observed::Absent)) => (LeftBehind::Nothing, format!("{short} does not exist")),
        (ChangeVerb::Create, Ok(_)) => (
            LeftBehind::Something,
            format!("{short} exists, and is recorded as created by provision"),
        ),
        (ChangeVerb::Update, Ok(_)) => (
            LeftBehind::Something,
            format!("{short} exists, perhaps unchanged"),
        ),
        // It may be on its way out.
        (ChangeVerb::Delete, Ok(_))
            if !error.of_operation && error.left_machine != MayHaveApplied::No =>
        {
            (
                LeftBehind::Something,
                format!(
                    "{short} may be in deletion: the answer was lost and it still exists; run again to be sure"
                ),
            )
        }
        (ChangeVerb::Delete, Ok(_)) => (LeftBehind::Something, format!("{short} still exists")),
        (_, Err(_)) => (
            LeftBehind::Unknown,
            format!("whether {short} exists is unknown: it could not be read"),
        ),
    };
    match worker
        .write(failed(&intent.thing.key(), &error.message, left))
        .await
    {
        Ok(()) => failure.leaving(says),
        Err(journal) => journal,
    }
}
