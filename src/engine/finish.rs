//! Finishing what an earlier run left open: re-attach to the operation Google still runs, or find it again.

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

/// First and longest pause after a refusal to tell how far an operation is.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// What is known of open work after asking.
pub enum Finished {
    /// It came to its end, and the journal says so.
    Ended,
    /// Nobody knows whether the request took effect; a look decides, and the same id may be used again.
    Lost,
}

/// Asks Google about open work and waits for it.
pub async fn finish(
    worker: &Worker,
    kind: Kind,
    thing: &ResourceId,
    open: &OpenRequest,
) -> Result<Finished, Failure> {
    let what = format!("{} {} {}", open.verb.word(), kind.name(), thing.short());
    let operation = match &open.operation {
        Some(operation) => Some(operation.clone()),
        // The answer was lost, perhaps with the request still at work: one that runs now names what it works on.
        None => match kind.running(&worker.clients, &thing.at).await {
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
        // A creation is done when the thing was seen; what is known now is that its request is over.
        OperationEnd::Done | OperationEnd::Unknown => return Ok(Finished::Lost),
        OperationEnd::Failed(error) => failed(&thing.key(), &error.message, left_of(open.verb)),
        // The request may still be at work: it stays open.
        OperationEnd::Unseen(error) => {
            let says = format!("{} may exist: {what} is still in progress", thing.short());
            return Err(Failure::of(&what, &error).leaving(says));
        }
    };
    worker.write(entry).await?;
    Ok(Finished::Ended)
}

/// How an operation ended, as far as it could be seen.
pub enum OperationEnd {
    /// Well.
    Done,
    /// In error.
    Failed(ApiError),
    /// Google forgets operations in time; what there is now decides.
    Unknown,
    /// It could not be seen: what it works on may yet come about.
    Unseen(ApiError),
}

/// Waits for an operation. A refusal to tell how far it is says nothing about the operation: one that time mends is waited out,
/// and nothing is sent a second time because of it.
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
        if since.elapsed() >= patience {
            return Ok(OperationEnd::Unseen(error));
        }
        worker.waiting(format!("{}: {}", reason(error.class), error.message));
        worker.pause(pause).await?;
    }
    // The pauses have no end.
    Ok(OperationEnd::Unknown)
}
