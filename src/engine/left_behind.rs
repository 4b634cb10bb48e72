//! What a failed request left behind: it reads the live resource, reports it in a sentence, and closes the intent accordingly.

use serde_json::Value;

use super::entry::{ChangeVerb, Entry, LeftBehind, now};
use super::failure::{Failure, NOTHING};
use super::intent::Intent;
use super::worker::Worker;
use crate::google::{ApiError, MayHaveApplied};
use crate::kinds::Observed;

/// The record that closes an intent of a request that failed.
pub fn failed(key: &str, message: &str, left: LeftBehind) -> Entry {
    Entry::Failed {
        at: now(),
        key: key.to_owned(),
        message: message.to_owned(),
        left,
    }
}

/// What a failed operation leaves behind as a rule; a read corrects it before the failure is reported.
pub fn left_of(verb: ChangeVerb) -> LeftBehind {
    match verb {
        ChangeVerb::Create => LeftBehind::Unknown,
        ChangeVerb::Update | ChangeVerb::Delete => LeftBehind::Something,
    }
}

/// Closes the intent of a failed request with what is left behind, by a read of the live resource.
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
            &intent.resource.at,
            &Value::Null,
            &intent.parts,
        )
        .await;
    let short = intent.resource.short();
    let (left, says) = match (intent.verb, seen) {
        (ChangeVerb::Create | ChangeVerb::Update, _)
            if error.left_machine == MayHaveApplied::No =>
        {
            (LeftBehind::Nothing, NOTHING.to_owned())
        }
        // The request may still be running, or its resource may be hidden like a new account: one read that does not find it
        // proves nothing.
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
        // The delete may still be running.
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
        .write(failed(&intent.resource.key(), &error.message, left))
        .await
    {
        Ok(()) => failure.leaving(says),
        Err(journal) => journal,
    }
}
