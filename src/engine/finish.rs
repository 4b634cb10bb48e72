//! Finishes what an earlier run left open: it polls the operation that Google still runs, or finds it again.

use std::time::Duration;

use tokio::time::Instant;

use super::event::Event;
use super::failure::Failure;
use super::left_behind::{failed, left_of};
use super::retry_policy::reason;
use super::state::OpenRequest;
use super::worker::Worker;
use crate::google::{ApiError, Class, Operation, retry};
use crate::kinds::{Kind, ResourceId};

/// First and longest pause after a failed poll of an operation.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// The state of an open request after polling.
pub enum Finished {
    /// The request ended, and the journal records it.
    Ended,
    /// Unknown whether the request took effect: a read of the live resource decides, and the same id may be used again.
    Lost,
}

/// Finds the operation of an open request and waits for it.
pub async fn finish(
    worker: &Worker,
    kind: Kind,
    resource: &ResourceId,
    open: &OpenRequest,
) -> Result<Finished, Failure> {
    let what = format!("{} {} {}", open.verb.word(), kind.name(), resource.short());
    let operation = match &open.operation {
        Some(operation) => Some(operation.clone()),
        // The answer was lost, and the request may still be running: an operation that runs now names its target.
        None => match kind.running(&worker.clients, &resource.at).await {
            Ok(found) => found,
            Err(error) if matches!(error.class, Class::NotFound | Class::ApiDisabled) => None,
            Err(error) => {
                return Err(Failure::of(&format!("{what}: list its operations"), &error));
            }
        },
    };
    let Some(operation) = operation else {
        return Ok(Finished::Lost);
    };
    worker.emit(Event::Reattached {
        step: worker.step.clone(),
        verb: open.verb,
        since: open.since.clone(),
    });
    let entry = match ended(worker, kind, &operation).await? {
        // A create is done when the resource was seen; what is known now is that its request is over.
        OperationEnd::Done | OperationEnd::Unknown => return Ok(Finished::Lost),
        OperationEnd::Failed(error) => failed(&resource.key(), &error.message, left_of(open.verb)),
        // The request may still be running: it stays open.
        OperationEnd::Unseen(error) => {
            let says = format!(
                "{} may exist: {what} is still in progress",
                resource.short()
            );
            return Err(Failure::of(&what, &error).leaving(says));
        }
    };
    worker.write(entry).await?;
    Ok(Finished::Ended)
}

/// How an operation ended, as far as it could be polled.
pub enum OperationEnd {
    /// It succeeded.
    Done,
    /// It failed.
    Failed(ApiError),
    /// Unknown, since Google deletes operations after some time: the live resource decides.
    Unknown,
    /// It could not be polled: its target may still be created.
    Unseen(ApiError),
}

/// Waits for an operation. A failed poll says nothing about the operation: a temporary error is waited out, and nothing is sent a
/// second time because of it.
pub async fn ended(
    worker: &Worker,
    kind: Kind,
    operation: &Operation,
) -> Result<OperationEnd, Failure> {
    let since = Instant::now();
    for pause in retry::delays(PAUSES.0, PAUSES.1) {
        let within = worker.within.saturating_sub(since.elapsed());
        let wait = operation.wait(&worker.clients.client, within, &*worker.clients.watch);
        let error = match worker.unless_stopped(wait).await? {
            Ok(_) => return Ok(OperationEnd::Done),
            Err(error) if error.of_operation => return Ok(OperationEnd::Failed(error)),
            Err(error) if error.class == Class::NotFound => return Ok(OperationEnd::Unknown),
            Err(error) => error,
        };
        let patience = worker.patience(error.class, kind).unwrap_or_default();
        let left = patience.saturating_sub(since.elapsed());
        let next = retry::requested(pause, error.retry_after, left).filter(|_| !left.is_zero());
        let Some(pause) = next else {
            return Ok(OperationEnd::Unseen(error));
        };
        worker.waiting(format!("{}: {}", reason(error.class), error.message));
        worker.pause(pause).await?;
    }
    // The pauses have no end.
    Ok(OperationEnd::Unknown)
}
