//! Finishing what an earlier run left open: re-attach to the operation Google still runs, or find it again.

use super::event::Event;
use super::failure::Failure;
use super::journal::{Entry, Left, Verb, now};
use super::state::Open;
use super::worker::Worker;
use crate::google::Class;
use crate::kinds::{Kind, Thing};

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
    thing: &Thing,
    open: &Open,
) -> Result<Finished, Failure> {
    let what = format!("{} {} {}", open.verb.word(), kind.name(), thing.short());
    let operation = match &open.operation {
        Some(operation) => Some(operation.clone()),
        // The answer was lost, perhaps with the request still at work: one that runs now names what it works on.
        None => match kind.running(&worker.door, &thing.at).await {
            Ok(found) => found,
            Err(error) if matches!(error.class, Class::NotFound | Class::ApiDisabled) => None,
            Err(error) => {
                return Err(Failure::of(
                    &format!("{what}: look for its operation"),
                    &error,
                ));
            }
        },
    };
    let Some(operation) = operation else {
        return Ok(Finished::Lost);
    };
    worker.tell(Event::Reattached {
        step: worker.step.clone(),
        verb: open.verb,
        since: open.since.clone(),
    });
    let wait = operation.wait(&worker.door.client, worker.within, &*worker.door.watch);
    let entry = match worker.unless_stopped(wait).await? {
        // A creation is done when the thing was seen; what is known now is that its request is over.
        Ok(_) => return Ok(Finished::Lost),
        Err(error) if error.of_operation => Entry::Failed {
            at: now(),
            key: thing.key(),
            message: error.message.clone(),
            left: if open.verb == Verb::Create {
                Left::Unknown
            } else {
                Left::Something
            },
        },
        Err(error) if error.class == Class::NotFound => return Ok(Finished::Lost),
        // The request may still be at work: it stays open.
        Err(error) => {
            let says = format!("{what} may still be going on");
            return Err(Failure::of(&what, &error).leaving(says));
        }
    };
    worker.write(entry).await?;
    Ok(Finished::Ended)
}
