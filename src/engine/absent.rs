//! One resource to delete: finish open work - read - announce - delete - wait - record. It deletes only what the journal records
//! as ours.

use serde_json::{Map, Value};
use tokio::time::Instant;

use super::clear::Clearing;
use super::desired::Converged;
use super::entry::{ChangeVerb, Entry, now};
use super::event::millis;
use super::event::{Event, StepOutcome};
use super::failure::{Failure, StepError, StepFailure};
use super::finish::{Finished, finish};
use super::intent::Intent;
use super::ownership::still_ours;
use super::patience::{self, Progress, Round};
use super::send::{SendResult, carry_out};
use super::state::TrackedResource;
use super::wait::{agreed, gone};
use super::withdrawal::withdrawn;
use super::worker::Worker;
use crate::google::{Class, holder};
use crate::kinds::{Kind, Observed, ResourceId};

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
            withdrawn(worker, kind, resource).await?;
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

/// Deletes an object before its cluster. If that fails, perhaps because the cluster does not answer, it goes with the cluster: that
/// must not keep anything else.
pub async fn absent_early(
    worker: &Worker,
    kind: Kind,
    tracked: &TrackedResource,
    want: &Value,
) -> Result<Converged, Failure> {
    let limited = worker.at_most(worker.deletion_patience);
    let failed = match absent(&limited, kind, tracked, want, &[]).await {
        Err(Failure::Failed(failed)) if !matches!(failed.error, StepError::Journal(_)) => failed,
        ended => return ended,
    };
    let text = format!("it goes with the cluster instead: {}", failed.error);
    let step = worker.step.clone();
    worker.emit(Event::Warned { step, text });
    Ok(Converged {
        outcome: StepOutcome::WithParent,
        differs: false,
        outputs: Map::new(),
    })
}

/// What to do about a resource in which something of Google's is left.
const HELD: &str = "Google removes what is named above by itself, or an account with more permissions can delete it: run `provision down` again later, or with a longer --patience";

/// What to do about a resource that something uses which `down` does not delete. After a journal was cut short, that may be ours.
const USED: &str = "if provision created what uses it, named above, but the journal has lost the record, run `provision adopt` and then `provision down` again; otherwise delete what uses it first";

/// Sends the delete, and repeats it while something still uses the resource: as long as anything changes, and for as long as the
/// holder deserves (`patience`).
pub(super) async fn remove(
    worker: &Worker,
    kind: Kind,
    resource: &ResourceId,
    parts: &[String],
    inside: &[ResourceId],
    mut again: Option<String>,
) -> Result<(), Failure> {
    let began = Instant::now();
    let mut progress = Progress::default();
    let mut clearing = Clearing::default();
    loop {
        clearing.round(worker, kind, resource).await?;
        let ended = worker.ended();
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
                withdrawn(worker, kind, resource).await?;
                if let Some(words) = clearing.words() {
                    let text = format!("left in {}: {words}", resource.short());
                    let step = worker.step.clone();
                    worker.emit(Event::Warned { step, text });
                }
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
        let Some(refusal) = in_use(&failure) else {
            return Err(failure);
        };
        let limit = patience::limit(&refusal, clearing.is_lived_in(), worker.deletion_patience);
        let by = holder(&refusal).map_or_else(|| refusal.clone(), |by| format!("used by {by}"));
        let round = Round {
            refusal,
            left: clearing.left(),
            ended,
        };
        let elapsed = began.elapsed();
        let Some(pause) = progress.next(round, elapsed, limit) else {
            let short = resource.short();
            return Err(match clearing.words() {
                Some(words) => failure
                    .with_hint(HELD)
                    .leaving(format!("{short} still exists, and in it {words}")),
                None => failure.with_hint(USED),
            });
        };
        worker.waiting(format!(
            "{}: {by}; its deletion is repeated {} (Ctrl-C stops it, and `provision down` continues)",
            resource.short(),
            patience::remaining(elapsed, limit)
        ));
        worker.pause_until_one_ends(pause).await?;
    }
}

/// Google's words if the resource was not deleted because another one uses it. Pure.
fn in_use(failure: &Failure) -> Option<String> {
    match failure {
        Failure::Failed(StepFailure {
            error: StepError::Call { source, .. },
            ..
        }) if source.class == Class::InUse => Some(source.message.clone()),
        Failure::Failed(_) | Failure::Stopped => None,
    }
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
