//! What is ours and no step asks for any more: parts of a set that its step no longer names, and whole resources, which a run that
//! only reads looks up here. `absent` deletes whole resources.

use serde_json::Value;
use tokio::time::Instant;

use super::absence::{not_seen, proves_absence};
use super::change::Change;
use super::desired::{Converged, DesiredResource};
use super::entry::{ChangeVerb, Entry, now};
use super::event::{Event, StepOutcome, millis};
use super::failure::Failure;
use super::intent::Intent;
use super::send::{SendResult, carry_out};
use super::state::TrackedResource;
use super::wait::gone;
use super::worker::Worker;
use crate::kinds::{FieldDiff, Kind, Observed};

/// The parts of a set that are ours, exist, and are not wanted any more.
pub fn stale_parts(wanted: &DesiredResource, our_parts: &[String], live: &Value) -> Vec<FieldDiff> {
    if !wanted.prunes {
        return Vec::new();
    }
    let wants = wanted.kind.parts(&wanted.want);
    let there = wanted.kind.present(our_parts, live).into_iter();
    let stale = there.filter(|part| !wants.contains(part));
    stale
        .map(|part| FieldDiff {
            have: true.into(),
            want: Value::Null,
            ..FieldDiff::missing(part)
        })
        .collect()
}

/// Removes parts of a set from the live resource.
pub async fn remove_parts(
    worker: &Worker,
    wanted: &DesiredResource,
    stale: &[FieldDiff],
) -> Result<(), Failure> {
    let parts: Vec<String> = stale.iter().map(|field| field.path.clone()).collect();
    let (kind, resource) = (wanted.kind, &wanted.resource);
    let intent = Intent {
        resource,
        kind,
        verb: ChangeVerb::Delete,
        parts: parts.clone(),
        inside: Vec::new(),
        request: None,
    };
    let carried = carry_out(worker, intent, |request| {
        let (clients, at, parts) = (&worker.clients, &resource.at, &parts);
        async move { kind.delete(clients, at, parts, &request).await }
    })
    .await?;
    let (SendResult::Done { since } | SendResult::AlreadyThere { since, .. }) = carried;
    gone(worker, kind, resource, &Value::Null, &parts).await?;
    done(worker, &resource.key(), since).await
}

async fn done(worker: &Worker, key: &str, since: Instant) -> Result<(), Failure> {
    let took = millis(since.elapsed());
    worker
        .write(Entry::Done {
            at: now(),
            key: key.to_owned(),
            took,
        })
        .await
}

/// Reads whether a resource that no step asks for any more exists; changes nothing.
pub async fn look_absent(
    worker: &Worker,
    kind: Kind,
    tracked: &TrackedResource,
) -> Result<Converged, Failure> {
    let resource = &tracked.resource;
    let parts = tracked.our_parts();
    let read = kind.look(&worker.clients, &resource.at, &Value::Null, &parts);
    let found = match worker.unless_stopped(read).await? {
        Err(error) if proves_absence(&error, Some(tracked)) => Observed::Absent,
        found => found.map_err(|error| not_seen(kind, resource, Some(tracked), &error))?,
    };
    let change = match found {
        Observed::Absent => Change::None,
        Observed::Settling(_) | Observed::Broken(_) | Observed::Here(_) => Change::Delete,
    };
    let differs = change.is_difference();
    worker.emit(Event::Looked {
        step: worker.step.clone(),
        change,
        ours: true,
        want: Value::Null,
        inside: None,
    });
    Ok(Converged {
        outcome: StepOutcome::Looked,
        differs,
        outputs: serde_json::Map::new(),
    })
}
