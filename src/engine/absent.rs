//! One resource to delete: finish open work - read - announce - delete - wait - record. It deletes only what the journal records
//! as ours.

use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::Instant;

use super::desired::Converged;
use super::entry::{ChangeVerb, Entry, now};
use super::event::millis;
use super::event::{Event, StepOutcome};
use super::failure::Failure;
use super::finish::{Finished, finish};
use super::intent::Intent;
use super::ownership::still_ours;
use super::send::{SendResult, carry_out};
use super::state::TrackedResource;
use super::wait::{agreed, gone};
use super::worker::Worker;
use crate::google::{Class, retry};
use crate::kinds::{Kind, Observed, ResourceId};

/// How often a delete is repeated while something uses the resource and nothing changes, and the first and longest pause before
/// it: some 40 s in all. That outlasts what Google removes by itself after a cluster, and is short enough for the user to wait.
const IN_USE: (usize, Duration, Duration) =
    (9, Duration::from_millis(100), Duration::from_secs(15));

/// Deletes the resource, or our parts of a set. `want` is the step's body with its references unfilled; `inside` are resources
/// that are deleted with it.
pub async fn absent(
    worker: &Worker,
    kind: Kind,
    tracked: &TrackedResource,
    want: &Value,
    inside: &[ResourceId],
) -> Result<Converged, Failure> {
    let resource = &tracked.resource;
    let mut open = tracked.open.clone();
    if let Some(work) = &open
        && let Finished::Ended = finish(worker, kind, resource, work).await?
    {
        open = None;
    }
    let parts = tracked.our_parts();
    let found = agreed(worker, kind, resource, &Value::Null, &parts).await;
    let cut_off = open
        .as_ref()
        .filter(|open| open.verb == ChangeVerb::Delete)
        .map(|open| open.request.clone());
    if let (Some(open), None) = (&open, &cut_off) {
        // A create or an update whose end was not seen: it is over, and the live resource is ours.
        let took = 0;
        worker
            .write(Entry::Done {
                at: open.since.clone(),
                key: resource.key(),
                took,
            })
            .await?;
    }
    let outcome = match found? {
        Observed::Absent => {
            forget(worker, kind, resource, (&parts, inside), cut_off).await?;
            StepOutcome::Gone
        }
        Observed::Here(live) if still_ours(kind, want, Some(tracked), &live).is_none() => {
            let text = format!(
                "{} was deleted and recreated by someone else: it is kept, unless its namespace is deleted",
                resource.short()
            );
            let step = worker.step.clone();
            worker.emit(Event::Warned { step, text });
            forget(worker, kind, resource, (&parts, inside), cut_off).await?;
            StepOutcome::Kept
        }
        Observed::Here(live) if !kind.users(&live).is_empty() => {
            let text = format!(
                "{} is kept, because {} uses it",
                resource.short(),
                kind.users(&live).join(", ")
            );
            let step = worker.step.clone();
            worker.emit(Event::Warned { step, text });
            forget(worker, kind, resource, (&parts, inside), cut_off).await?;
            StepOutcome::Kept
        }
        Observed::Here(_) | Observed::Broken(_) | Observed::Settling(_) => {
            remove(worker, kind, resource, &parts, inside, cut_off).await?;
            StepOutcome::Deleted
        }
    };
    Ok(Converged {
        outcome,
        differs: false,
        outputs: Map::new(),
    })
}

/// What to do about a resource that something uses which `down` does not delete. After a journal was cut short, that may be ours.
const USED: &str = "if provision created what uses it, named above, but the journal has lost the record, run `provision adopt` and then `provision down` again; otherwise delete what uses it first";

/// Sends the delete, and repeats it while something that is being deleted still uses the resource.
pub(super) async fn remove(
    worker: &Worker,
    kind: Kind,
    resource: &ResourceId,
    parts: &[String],
    inside: &[ResourceId],
    mut again: Option<String>,
) -> Result<(), Failure> {
    let mut pauses = retry::delays(IN_USE.1, IN_USE.2).take(IN_USE.0);
    loop {
        let moved = clear(worker, kind, resource).await?;
        let intent = Intent {
            resource,
            kind,
            verb: ChangeVerb::Delete,
            parts: parts.to_vec(),
            inside: inside.to_vec(),
            request: again.take(),
        };
        let carried = carry_out(worker, intent, |request| async move {
            kind.delete(&worker.clients, &resource.at, parts, &request)
                .await
        })
        .await;
        let failure = match carried {
            Ok(SendResult::Done { since } | SendResult::AlreadyThere { since, .. }) => {
                gone(worker, kind, resource, &Value::Null, parts)
                    .await
                    .map_err(|failure| {
                        failure.after(format!("{} was deleted", resource.short()))
                    })?;
                let took = millis(since.elapsed());
                return worker
                    .write(Entry::Done {
                        at: now(),
                        key: resource.key(),
                        took,
                    })
                    .await;
            }
            Err(failure) => failure,
        };
        if failure.class() != Some(Class::InUse) {
            return Err(failure);
        }
        if moved {
            pauses = retry::delays(IN_USE.1, IN_USE.2).take(IN_USE.0);
        }
        let Some(pause) = pauses.next() else {
            return Err(failure.with_hint(USED));
        };
        if let Failure::Failed(told) = &failure {
            worker.clients.watch.retrying(
                &format!("delete {}", resource.short()),
                &told.error.to_string(),
                1,
                pause,
            );
        }
        worker.pause(pause).await?;
    }
}

/// Deletes what GKE left inside the resource, and reports each before its deletion. Returns whether there was anything.
async fn clear(worker: &Worker, kind: Kind, resource: &ResourceId) -> Result<bool, Failure> {
    let listed = worker
        .unless_stopped(kind.leftovers(&worker.clients, &resource.at))
        .await?;
    let what = format!("list the leftovers in {}", resource.short());
    let leftovers = listed.map_err(|error| Failure::of(&what, &error))?;
    for leftover in &leftovers {
        let text = format!(
            "deleting {} {}, which GKE left",
            leftover.kind,
            leftover.short()
        );
        worker.emit(Event::Warned {
            step: worker.step.clone(),
            text,
        });
    }
    for leftover in &leftovers {
        let Some(kind) = leftover.kind() else {
            continue;
        };
        let intent = Intent {
            resource: leftover,
            kind,
            verb: ChangeVerb::Delete,
            parts: Vec::new(),
            inside: Vec::new(),
            request: None,
        };
        carry_out(worker, intent, |request| async move {
            kind.delete(&worker.clients, &leftover.at, &[], &request)
                .await
        })
        .await?;
        gone(worker, kind, leftover, &Value::Null, &[]).await?;
        worker
            .write(Entry::Done {
                at: now(),
                key: leftover.key(),
                took: 0,
            })
            .await?;
    }
    Ok(!leftovers.is_empty())
}

/// Records that the resource, or these parts of a set, are not ours any more, since they are gone already: as a delete that had
/// nothing to do. `inside` is gone with it.
async fn forget(
    worker: &Worker,
    kind: Kind,
    resource: &ResourceId,
    (parts, inside): (&[String], &[ResourceId]),
    announced: Option<String>,
) -> Result<(), Failure> {
    if announced.is_none() {
        let intent = Entry::Intent {
            at: now(),
            step: worker.step.clone(),
            resource: resource.clone(),
            verb: ChangeVerb::Delete,
            request: format!("none: {} was gone", kind.name()),
            parts: parts.to_vec(),
            inside: inside.to_vec(),
        };
        worker.write(intent).await?;
    }
    let since = Instant::now();
    worker
        .write(Entry::Done {
            at: now(),
            key: resource.key(),
            took: millis(since.elapsed()),
        })
        .await
}
