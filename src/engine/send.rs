//! One request that changes something, from its announcement to its end: announce (on disk), send, record the operation (on
//! disk), wait. Temporary refusals are waited out here.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::entry::{ChangeVerb, Entry, now};
use super::event::Event;
use super::failure::Failure;
use super::finish::{OperationEnd, ended};
use super::intent::Intent;
use super::left_behind::{account, failed, left_of};
use super::retry_policy::reason;
use super::wait::agreed;
use super::worker::Worker;
use crate::google::{ApiError, Class, MayHaveApplied, retry};
use crate::kinds::{MutationResult, Observed};

/// The result of a request.
pub enum SendResult {
    /// Google has accepted and completed it; the intent is still open until the resource was read.
    Done {
        /// The time of the announcement.
        since: Instant,
    },
    /// The resource to create exists already. It may be ours or not.
    AlreadyThere {
        /// The time of the announcement.
        since: Instant,
        /// Whether an earlier attempt of the same intent may have created it: its answer was lost.
        ours: bool,
    },
}

/// First and longest pause between two attempts of the same request.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// Announces the request and carries it out. The caller closes the intent once it has read the resource.
pub async fn carry_out<F, R>(
    worker: &Worker,
    intent: Intent<'_>,
    request: F,
) -> Result<SendResult, Failure>
where
    F: Fn(String) -> R,
    R: Future<Output = Result<MutationResult, ApiError>>,
{
    let key = intent.resource.key();
    let what = format!(
        "{} {} {}",
        intent.verb.word(),
        intent.kind.name(),
        intent.resource.short()
    );
    let since = Instant::now();
    let mut pauses = retry::delays(PAUSES.0, PAUSES.1);
    let mut id = intent.request.clone();
    let mut attempt = 0;
    let mut may_have_applied = MayHaveApplied::No;
    let _turn = worker
        .unless_stopped(worker.lock(intent.kind.lock(&intent.resource.at)))
        .await?;
    loop {
        if worker.stopping() {
            return Err(Failure::Stopped);
        }
        let request_id = match &id {
            // Cut off or refused: the same request again, under the same intent.
            Some(id) if attempt > 0 => id.clone(),
            given => {
                let request_id = given
                    .clone()
                    .unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
                worker
                    .write(announcement(worker, &intent, &request_id))
                    .await?;
                worker.emit(Event::Sending {
                    step: worker.step.clone(),
                    verb: intent.verb,
                });
                request_id
            }
        };
        id = Some(request_id.clone());
        attempt += 1;
        let error = match request(request_id).await {
            Ok(MutationResult::Now) => return Ok(SendResult::Done { since }),
            Ok(MutationResult::Wait(operation)) => {
                worker
                    .write(Entry::Sent {
                        at: now(),
                        key: key.clone(),
                        operation: operation.clone(),
                    })
                    .await?;
                match ended(worker, intent.kind, &operation).await? {
                    OperationEnd::Done | OperationEnd::Unknown => {
                        return Ok(SendResult::Done { since });
                    }
                    // The end of an operation does not change: one look decides whether what exists is what was to be created.
                    OperationEnd::Failed(error)
                        if error.class == Class::AlreadyExists
                            && intent.verb == ChangeVerb::Create =>
                    {
                        let ours = may_have_applied != MayHaveApplied::No;
                        match is_there(worker, &intent).await {
                            Ok(true) => return Ok(SendResult::AlreadyThere { since, ours }),
                            Err(Failure::Stopped) => return Err(Failure::Stopped),
                            Ok(false) | Err(Failure::Failed(_)) => error,
                        }
                    }
                    OperationEnd::Failed(error) => error,
                    // It was sent, and may still be running: the intent stays open, and the next run waits for it.
                    OperationEnd::Unseen(error) => {
                        let says = format!(
                            "{} may exist: {what} is still in progress",
                            intent.resource.short()
                        );
                        return Err(Failure::of(&what, &error).leaving(says));
                    }
                }
            }
            Err(error)
                if error.class == Class::AlreadyExists && intent.verb == ChangeVerb::Create =>
            {
                let ours = may_have_applied.max(error.left_machine) != MayHaveApplied::No;
                match is_there(worker, &intent).await {
                    Ok(true) => return Ok(SendResult::AlreadyThere { since, ours }),
                    Err(Failure::Stopped) => return Err(Failure::Stopped),
                    // One replica knows a resource that another does not know yet, or no longer: at a later request they agree.
                    Ok(false) | Err(Failure::Failed(_)) => error,
                }
            }
            Err(error) => error,
        };
        let error = error.after(&mut may_have_applied);
        let unknown_account = worker.unknown_account(&error);
        let patient = match error.class {
            Class::NotFound => worker.holder_patience(intent.kind, &intent.resource.at),
            class => worker.patience(class, intent.kind),
        };
        let patient = patient
            .filter(|_| mends(&error, intent.verb) && unknown_account.is_none())
            .filter(|limit| since.elapsed() < *limit);
        let pause = patient.zip(pauses.next()).and_then(|(limit, pause)| {
            let left = limit.saturating_sub(since.elapsed());
            retry::requested(pause, error.retry_after, left)
        });
        match pause {
            Some(pause) => {
                if error.of_operation {
                    // This request has ended, and its id with it: the next one gets a new id.
                    worker
                        .write(failed(&key, &error.message, left_of(intent.verb)))
                        .await?;
                    id = None;
                }
                worker.clients.watch.retrying(
                    &what,
                    &format!("{}: {}", reason(error.class), error.message),
                    attempt,
                    pause,
                );
                worker.pause(pause).await?;
            }
            None => {
                let mut failure = Failure::of(&what, &error);
                if let Some(account) = unknown_account {
                    failure = failure.with_hint(&format!(
                        "no step creates {account}, and IAM does not know it: create it, correct its name, or remove it from the policy; then run the same command again"
                    ));
                }
                return Err(account(worker, &intent, &error, failure).await);
            }
        }
    }
}

fn announcement(worker: &Worker, intent: &Intent<'_>, request: &str) -> Entry {
    Entry::Intent {
        at: now(),
        step: worker.step.clone(),
        resource: intent.resource.clone(),
        verb: intent.verb,
        request: request.to_owned(),
        parts: intent.parts.clone(),
        inside: intent.inside.clone(),
    }
}

/// Whether the same request can succeed a little later. The error of an operation is final, and an update that was computed from
/// a state which another client has changed since must be computed again.
fn mends(error: &ApiError, verb: ChangeVerb) -> bool {
    match error.class {
        Class::LostConnection | Class::ServerFault | Class::AlreadyExists => !error.of_operation,
        Class::PolicyConflict => verb != ChangeVerb::Update,
        _ => true,
    }
}

/// Whether a resource that exists according to the API can be read.
async fn is_there(worker: &Worker, intent: &Intent<'_>) -> Result<bool, Failure> {
    let (kind, resource) = (intent.kind, intent.resource);
    let seen = agreed(worker, kind, resource, &Value::Null, &intent.parts).await?;
    Ok(!matches!(seen, Observed::Absent))
}
