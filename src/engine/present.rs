//! One step whose resource should exist: finish open work - read - compare - announce - send - wait - record.

use serde_json::Value;
use tokio::time::Instant;

use super::absence::{not_seen, proves_absence};
use super::absent::remove;
use super::change::{Change, Ownership};
use super::desired::{Converged, DesiredResource};
use super::entry::{ChangeVerb, Entry, LeftBehind, now};
use super::event::millis;
use super::event::{Event, StepOutcome};
use super::failure::Failure;
use super::finish::{Finished, finish};
use super::intent::Intent;
use super::obstacle::obstacle;
use super::ownership::{is_theirs, still_ours, whose};
use super::prune::{remove_parts, stale_parts};
use super::replacement::change_of;
use super::send::{SendResult, carry_out};
use super::state::{OpenRequest, TrackedResource};
use super::wait::{at_rest, broken_hint, confirmed, unchanging};
use super::worker::Worker;
use crate::kinds::{Observed, ResourceId};

/// Reads and compares, and changes nothing.
pub async fn look_only(
    worker: &Worker,
    wanted: &DesiredResource,
    tracked: Option<&TrackedResource>,
) -> Result<Converged, Failure> {
    let DesiredResource {
        resource,
        kind,
        want,
        ..
    } = wanted;
    let parts = kind.parts(want);
    // Values that are not known yet cannot be sent with the read.
    let known_want = if wanted.unknown.is_empty() {
        want
    } else {
        &Value::Null
    };
    let look = match worker
        .unless_stopped(kind.look(&worker.clients, &resource.at, known_want, &parts))
        .await?
    {
        Err(error) if proves_absence(&error, tracked) => Observed::Absent,
        look => look.map_err(|error| not_seen(*kind, resource, tracked, &error))?,
    };
    let tracked = match &look {
        Observed::Here(live) => still_ours(*kind, want, tracked, live),
        _ => tracked,
    };
    let (change, live) = match look {
        Observed::Absent if kind.is_wait() => (Change::Pending("not found yet".to_owned()), None),
        Observed::Settling(why) | Observed::Broken(why) if kind.is_wait() => {
            (Change::Pending(why), None)
        }
        Observed::Absent => (Change::Create, None),
        Observed::Here(live) if wanted.unknown.is_empty() => (
            {
                let our_parts = tracked.map(TrackedResource::our_parts).unwrap_or_default();
                let force = worker.clients.clusters.force;
                let whose = whose(*kind, force, tracked, &our_parts);
                let adopt = wanted.adopt && is_theirs(wanted, whose, &live);
                let mut fields = kind.diff(want, &live);
                fields.extend(stale_parts(wanted, &our_parts, &live));
                Change::of(fields, Ownership { adopt, ..whose })
            },
            Some(live),
        ),
        Observed::Here(live) => (Change::Waits(wanted.unknown.clone()), Some(live)),
        Observed::Broken(why) if wanted.never_ran => {
            warn(worker, made_again(resource, &why));
            (Change::Create, None)
        }
        Observed::Settling(why) | Observed::Broken(why) => {
            warn(worker, format!("{}: {why}", resource.short()));
            (Change::Waits(vec![]), None)
        }
    };
    if let Some(text) = live.as_ref().and_then(|live| kind.warning(live)) {
        warn(worker, format!("{}: {text}", resource.short()));
    }
    let ours = tracked.is_some_and(TrackedResource::is_ours);
    let change = match &wanted.replaced {
        Some(replaced) => change_of(*kind, want, replaced, change, ours),
        None => change,
    };
    let differs = change.is_difference();
    worker.emit(Event::Looked {
        step: worker.step.clone(),
        change,
        ours,
        want: want.clone(),
        inside: wanted.with.clone(),
    });
    Ok(Converged {
        outcome: StepOutcome::Looked,
        differs,
        outputs: live.map(|live| kind.outputs_of(&live)).unwrap_or_default(),
    })
}

/// Makes the resource exist as wanted.
pub async fn present(
    worker: &Worker,
    wanted: &DesiredResource,
    tracked: Option<&TrackedResource>,
) -> Result<Converged, Failure> {
    let DesiredResource {
        resource,
        kind,
        want,
        ..
    } = wanted;
    let (kind, parts) = (*kind, kind.parts(want));
    let mut open = tracked.and_then(|tracked| tracked.open.clone());
    if let Some(work) = &open
        && let Finished::Ended = finish(worker, kind, resource, work).await?
    {
        open = None;
    }

    let found = match at_rest(worker, kind, resource, want, &parts).await? {
        // A kind that needs several reads may miss the resource at the first.
        Observed::Here(_) if open.is_some() => {
            Observed::Here(confirmed(worker, kind, resource, want, &parts).await?)
        }
        found => found,
    };
    match found {
        Observed::Broken(why) if kind.is_wait() => {
            let error = format!("{} {}: {why}", kind.name(), resource.short());
            Err(Failure::new(error, &kind.wait_hint(&resource.at)))
        }
        Observed::Broken(why) if wanted.never_ran => {
            close(worker, resource, open.as_ref(), false).await?;
            warn(worker, made_again(resource, &why));
            let inside = wanted.inside.iter().map(|(inner, _)| inner.clone());
            let inside: Vec<ResourceId> = inside.collect();
            remove(worker, kind, resource, &[], &inside, None).await?;
            create(worker, wanted, tracked, None).await
        }
        Observed::Broken(why) => {
            close(worker, resource, open.as_ref(), false).await?;
            let error = format!("{} {}: {why}", kind.name(), resource.short());
            let ran = tracked.is_some_and(|tracked| tracked.made.is_some());
            Err(Failure::new(error, &broken_hint(&worker.step, &why, ran))
                .leaving(format!("{} exists, in an error state", resource.short())))
        }
        Observed::Here(live) => {
            if let Some(text) = kind.warning(&live) {
                warn(worker, format!("{}: {text}", resource.short()));
            }
            let created = close(worker, resource, open.as_ref(), true).await? || wanted.came_along;
            correct(worker, wanted, tracked, live, created).await
        }
        Observed::Absent | Observed::Settling(_) => {
            // An interrupted delete has taken effect; an interrupted create has not, and may be sent again under its id.
            let again = open
                .as_ref()
                .filter(|open| open.verb == ChangeVerb::Create)
                .map(|open| open.request.clone());
            if again.is_none() {
                close(worker, resource, open.as_ref(), false).await?;
            }
            create(worker, wanted, tracked, again).await
        }
    }
}

fn warn(worker: &Worker, text: String) {
    worker.emit(Event::Warned {
        step: worker.step.clone(),
        text,
    });
}

/// The warning for a resource of ours whose creation failed and that is in nobody's use.
fn made_again(resource: &ResourceId, why: &str) -> String {
    format!(
        "{} was never completed ({why}): it is deleted and created again",
        resource.short()
    )
}

/// Creates the resource and waits until it is visible.
async fn create(
    worker: &Worker,
    wanted: &DesiredResource,
    tracked: Option<&TrackedResource>,
    again: Option<String>,
) -> Result<Converged, Failure> {
    let DesiredResource {
        resource,
        kind,
        want,
        inside,
        ..
    } = wanted;
    let parts = kind.parts(want);
    let cut_off = again.is_some();
    worker.emit(Event::Looked {
        step: worker.step.clone(),
        change: Change::Create,
        ours: tracked.is_some_and(TrackedResource::is_ours),
        want: want.clone(),
        inside: None,
    });
    let mut body = want.clone();
    if let Some(list) = inside_list(inside) {
        let mut items = body
            .get(list)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        items.extend(inside.iter().map(|(inner, want)| named(inner, want)));
        body[list] = items.into();
    }
    let intent = Intent {
        resource,
        kind: *kind,
        verb: ChangeVerb::Create,
        parts: parts.clone(),
        inside: inside.iter().map(|(inner, _)| inner.clone()).collect(),
        request: again,
    };
    let carried = carry_out(worker, intent, |request| {
        let (clients, at, body) = (&worker.clients, &resource.at, &body);
        async move { kind.create(clients, at, body, &request).await }
    })
    .await?;
    let made = || {
        format!(
            "{} was created, and is recorded as created by provision",
            resource.short()
        )
    };
    match carried {
        SendResult::Done { since } => {
            let live = confirmed(worker, *kind, resource, want, &parts)
                .await
                .map_err(|failure| failure.after(made()))?;
            done(worker, resource, since).await?;
            Ok(Converged {
                outcome: StepOutcome::Created,
                differs: false,
                outputs: kind.outputs_of(&live),
            })
        }
        // Ours, if we had requested it before; a read that found nothing may have used the wrong location.
        SendResult::AlreadyThere { since, ours }
            if ours || cut_off || tracked.is_some_and(|tracked| tracked.ours) =>
        {
            let live = confirmed(worker, *kind, resource, want, &parts)
                .await
                .map_err(|failure| failure.after(made()))?;
            done(worker, resource, since).await?;
            correct(worker, wanted, tracked, live, true).await
        }
        SendResult::AlreadyThere { .. } => {
            let message = "it already existed".to_owned();
            worker
                .write(Entry::Failed {
                    at: now(),
                    key: resource.key(),
                    message,
                    left: LeftBehind::Nothing,
                })
                .await?;
            let live = confirmed(worker, *kind, resource, want, &parts).await?;
            correct(worker, wanted, tracked, live, false).await
        }
    }
}

/// Compares the live resource and changes what differs. `created` means that this run created the resource.
async fn correct(
    worker: &Worker,
    wanted: &DesiredResource,
    tracked: Option<&TrackedResource>,
    live: Value,
    created: bool,
) -> Result<Converged, Failure> {
    let DesiredResource {
        resource,
        kind,
        want,
        ..
    } = wanted;
    let tracked = still_ours(*kind, want, tracked, &live);
    let our_parts = tracked.map(TrackedResource::our_parts).unwrap_or_default();
    let ours = created || tracked.is_some_and(|tracked| tracked.ours);
    let force = worker.clients.clusters.force;
    let whose = Ownership {
        ours,
        ..whose(*kind, force, tracked, &our_parts)
    };
    // What this run created is ours by its intent.
    let adopt = wanted.adopt && !created && is_theirs(wanted, whose, &live);
    let stale = stale_parts(wanted, &our_parts, &live);
    let mut fields = kind.diff(want, &live);
    fields.extend(stale.iter().cloned());
    let change = Change::of(fields, Ownership { adopt, ..whose });
    if matches!(change, Change::Update(_)) && kind.is_being_changed(&live) {
        let live = unchanging(worker, *kind, resource, want, &kind.parts(want)).await?;
        return Box::pin(correct(worker, wanted, tracked, live, created)).await;
    }
    // A condition has no owner.
    if !kind.is_wait() {
        worker.emit(Event::Looked {
            step: worker.step.clone(),
            change: change.clone(),
            ours,
            want: want.clone(),
            inside: None,
        });
    }
    let fields = match change {
        Change::None => {
            let outcome = if created {
                StepOutcome::Created
            } else {
                StepOutcome::Unchanged
            };
            return Ok(Converged {
                outcome,
                differs: false,
                outputs: kind.outputs_of(&live),
            });
        }
        Change::Update(fields) => fields,
        Change::Adopt(fields) => {
            adopt_it(worker, wanted, &live, &our_parts).await?;
            if fields.is_empty() {
                return Ok(Converged {
                    outcome: StepOutcome::Adopted,
                    differs: false,
                    outputs: kind.outputs_of(&live),
                });
            }
            fields
        }
        change => match obstacle(&worker.step, *kind, &resource.short(), &change) {
            Some(failure) => return Err(Failure::Failed(failure)),
            None => Vec::new(),
        },
    };
    if !stale.is_empty() && stale.len() == fields.len() {
        remove_parts(worker, wanted, &stale).await?;
        return Ok(Converged {
            outcome: StepOutcome::Updated,
            differs: false,
            outputs: kind.outputs_of(&live),
        });
    }
    let parts: Vec<String> = kind
        .parts(want)
        .into_iter()
        .filter(|part| fields.iter().any(|f| f.path == *part))
        .collect();
    let intent = Intent {
        resource,
        kind: *kind,
        verb: ChangeVerb::Update,
        parts,
        inside: Vec::new(),
        request: None,
    };
    let carried = carry_out(worker, intent, |request| {
        let (clients, at, live) = (&worker.clients, &resource.at, &live);
        async move { kind.update(clients, at, want, live, &request).await }
    })
    .await?;
    let (SendResult::Done { since } | SendResult::AlreadyThere { since, .. }) = carried;
    let live = confirmed(worker, *kind, resource, want, &kind.parts(want))
        .await
        .map_err(|failure| failure.after(format!("{} was changed", resource.short())))?;
    done(worker, resource, since).await?;
    // An API that changes one field with each request: the fields that still differ are changed by the next one.
    let rest = kind.diff(want, &live);
    if stale.is_empty() && !rest.is_empty() && rest.len() < fields.len() {
        let rest = correct(worker, wanted, tracked, live, created);
        return Ok(Converged {
            outcome: StepOutcome::Updated,
            ..Box::pin(rest).await?
        });
    }
    if !stale.is_empty() {
        remove_parts(worker, wanted, &stale).await?;
    }
    Ok(Converged {
        outcome: if adopt {
            StepOutcome::Adopted
        } else {
            StepOutcome::Updated
        },
        differs: false,
        outputs: kind.outputs_of(&live),
    })
}

/// Records that the live resource is ours from now on.
async fn adopt_it(
    worker: &Worker,
    wanted: &DesiredResource,
    live: &Value,
    our_parts: &[String],
) -> Result<(), Failure> {
    let there = wanted.kind.present(&wanted.kind.parts(&wanted.want), live);
    let adopted = Entry::Adopted {
        at: now(),
        step: worker.step.clone(),
        resource: wanted.resource.clone(),
        parts: there
            .into_iter()
            .filter(|part| !our_parts.contains(part))
            .collect(),
        why: "requested with --adopt".to_owned(),
    };
    worker.write(adopted).await
}

/// Closes a request whose end was not seen, by what a read found. Returns whether the request created the resource.
async fn close(
    worker: &Worker,
    resource: &ResourceId,
    open: Option<&OpenRequest>,
    here: bool,
) -> Result<bool, Failure> {
    let Some(open) = open else { return Ok(false) };
    let (at, key) = (now(), resource.key());
    let (entry, created) = match (open.verb, here) {
        (ChangeVerb::Create, true) => (Entry::Done { at, key, took: 0 }, true),
        (ChangeVerb::Delete, false) => (Entry::Done { at, key, took: 0 }, false),
        (ChangeVerb::Create, false) => (
            Entry::Failed {
                at,
                key,
                message: "it is in an error state".to_owned(),
                left: LeftBehind::Something,
            },
            false,
        ),
        (ChangeVerb::Update | ChangeVerb::Delete, _) => {
            let message = "interrupted; the live state decides".to_owned();
            (
                Entry::Failed {
                    at,
                    key,
                    message,
                    left: LeftBehind::Something,
                },
                false,
            )
        }
    };
    worker.write(entry).await?;
    Ok(created)
}

async fn done(worker: &Worker, resource: &ResourceId, since: Instant) -> Result<(), Failure> {
    let took = millis(since.elapsed());
    worker
        .write(Entry::Done {
            at: now(),
            key: resource.key(),
            took,
        })
        .await
}

/// The list in the parent's body to which resources created inside it are added.
fn inside_list(inside: &[(ResourceId, Value)]) -> Option<&'static str> {
    let (first, _) = inside.first()?;
    Some(first.kind()?.created_with_parent()?.field)
}

/// A resource in its parent's body: its own body with its name.
fn named(resource: &ResourceId, want: &Value) -> Value {
    let mut body = want.clone();
    body["name"] = resource.short().into();
    body
}
