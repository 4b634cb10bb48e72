//! Reads a resource until it is at rest, or until enough reads in a row agree.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::failure::Failure;
use super::retry_policy::reason;
use super::worker::Worker;
use crate::google::{Class, retry};
use crate::kinds::{AGAIN, Kind, Observed, ResourceId};

/// First and longest pause between two reads.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// The longest pause between two reads of a resource in a cluster. Its API server is one hop away and pods become ready within
/// seconds, so a longer pause would be most of the wait.
const IN_CLUSTER: Duration = Duration::from_millis(500);
/// The pause between two of several reads that must agree: each is meant to reach another of Google's replicas.
pub(super) const NEXT_READ: Duration = Duration::from_millis(200);

/// How long a resource that was just created may answer with a 403.
const HIDDEN: Duration = Duration::from_secs(60);

/// The pauses between two reads of a resource of this kind.
fn pauses(kind: Kind) -> impl Iterator<Item = Duration> {
    let longest = match kind.is_in_cluster() {
        true => IN_CLUSTER,
        false => PAUSES.1,
    };
    retry::delays(PAUSES.0, longest)
}

/// Reads once. It waits for an API that was enabled and is not usable yet, and for a cluster that is not ready to answer.
async fn look(
    worker: &Worker,
    kind: Kind,
    resource: &ResourceId,
    want: &Value,
    parts: &[String],
) -> Result<Observed, Failure> {
    let what = format!("read {} {}", kind.name(), resource.short());
    let since = Instant::now();
    for pause in retry::delays(PAUSES.0, PAUSES.1) {
        let next = match worker
            .unless_stopped(kind.look(&worker.clients, &resource.at, want, parts))
            .await?
        {
            Ok(look) => return Ok(look),
            Err(error) => {
                let passes = matches!(
                    error.class,
                    Class::ApiDisabled | Class::NotJson | Class::NotReady
                );
                let limit = worker.patience(error.class, kind).filter(|_| passes);
                let limit = limit.filter(|limit| since.elapsed() < *limit);
                let next = limit.and_then(|limit| {
                    let left = limit.saturating_sub(since.elapsed());
                    retry::requested(pause, error.retry_after, left)
                });
                let next = next.ok_or_else(|| Failure::of(&what, &error))?;
                let why = format!("{}: {}", reason(error.class), error.message);
                worker.waiting(why);
                next
            }
        };
        worker.pause(next).await?;
    }
    // The pauses have no end.
    Ok(Observed::Absent)
}

/// Reads until the resource is not changing: absent, here, or broken.
pub async fn at_rest(
    worker: &Worker,
    kind: Kind,
    resource: &ResourceId,
    want: &Value,
    parts: &[String],
) -> Result<Observed, Failure> {
    let what = format!("{} {}", kind.name(), resource.short());
    let deadline = Instant::now() + worker.within;
    for pause in pauses(kind) {
        match look(worker, kind, resource, want, parts).await? {
            Observed::Settling(why) if Instant::now() < deadline => {
                worker.waiting(format!("{}: {why}", resource.short()))
            }
            Observed::Settling(why) => {
                let error = format!(
                    "{what}: timed out after {} s: {why}",
                    worker.within.as_secs()
                );
                let hint = match kind.is_deletable() {
                    true => kind.deletion_hint().to_owned(),
                    false => kind.wait_hint(&resource.at),
                };
                let failure = Failure::new(error, &hint);
                return Err(if kind.is_wait() {
                    failure
                } else {
                    failure.leaving(format!("{} exists and is not ready", resource.short()))
                });
            }
            rest => return Ok(rest),
        }
        worker.pause(pause).await?;
    }
    // The pauses have no end.
    Ok(Observed::Absent)
}

/// Reads until Google has finished a change of its own to a resource that works meanwhile.
pub async fn unchanging(
    worker: &Worker,
    kind: Kind,
    resource: &ResourceId,
    want: &Value,
    parts: &[String],
) -> Result<Value, Failure> {
    let deadline = Instant::now() + worker.within;
    for pause in pauses(kind) {
        match at_rest(worker, kind, resource, want, parts).await? {
            Observed::Here(live) if !kind.is_being_changed(&live) => return Ok(live),
            Observed::Here(_) if Instant::now() < deadline => {
                worker.waiting(format!(
                    "{}: Google is changing it, and accepts no other change meanwhile",
                    resource.short()
                ));
            }
            Observed::Broken(why) => {
                let error = format!("{} {}: {why}", kind.name(), resource.short());
                return Err(Failure::new(error, &broken_hint(&worker.step, &why, true))
                    .leaving(format!("{} exists, in an error state", resource.short())));
            }
            _ => break,
        }
        worker.pause(pause).await?;
    }
    let error = format!(
        "{} {}: Google did not finish a change of its own",
        kind.name(),
        resource.short()
    );
    Err(Failure::new(error, AGAIN).leaving(format!("{} is unchanged", resource.short())))
}

/// Reads until as many reads in a row as the kind needs agree on whether the resource exists: for a kind whose resources are
/// hidden at first, one read that does not find it proves nothing.
pub async fn agreed(
    worker: &Worker,
    kind: Kind,
    resource: &ResourceId,
    want: &Value,
    parts: &[String],
) -> Result<Observed, Failure> {
    let reads = kind.reads();
    let deadline = Instant::now() + worker.within;
    let mut last = at_rest(worker, kind, resource, want, parts).await?;
    let mut same = 1;
    while same < reads && Instant::now() < deadline {
        worker.pause(NEXT_READ).await?;
        let next = at_rest(worker, kind, resource, want, parts).await?;
        let agrees = matches!(last, Observed::Absent) == matches!(next, Observed::Absent);
        same = if agrees { same + 1 } else { 1 };
        last = next;
    }
    Ok(last)
}

/// Reads until the resource was found as often in a row as its kind needs.
pub async fn confirmed(
    worker: &Worker,
    kind: Kind,
    resource: &ResourceId,
    want: &Value,
    parts: &[String],
) -> Result<Value, Failure> {
    let reads = kind.reads();
    let deadline = Instant::now() + worker.within;
    let since = Instant::now();
    let mut found = 0;
    for pause in retry::delays(PAUSES.0, PAUSES.1) {
        let seen = match at_rest(worker, kind, resource, want, parts).await {
            // A replica that does not know a new account yet may answer with 403 (reported, not recorded).
            Err(failure) if hides(reads, &failure) && since.elapsed() < HIDDEN => Observed::Absent,
            seen => seen?,
        };
        match seen {
            Observed::Here(live) => {
                found += 1;
                if found >= reads {
                    return Ok(live);
                }
                worker.waiting(format!("{} to be visible everywhere", resource.short()));
            }
            Observed::Broken(why) => {
                let error = format!("{} {}: {why}", kind.name(), resource.short());
                return Err(Failure::new(error, &broken_hint(&worker.step, &why, false))
                    .leaving(format!("{} exists, in an error state", resource.short())));
            }
            Observed::Absent | Observed::Settling(_) => {
                found = 0;
                worker.waiting(format!("{} to become visible", resource.short()));
            }
        }
        if Instant::now() > deadline {
            break;
        }
        worker
            .pause(if found > 0 { NEXT_READ } else { pause })
            .await?;
    }
    let error = format!(
        "{} {}: created, but not visible after {} s",
        kind.name(),
        resource.short(),
        worker.within.as_secs()
    );
    Err(Failure::new(error, "run again to continue waiting")
        .leaving(format!("{} was created", resource.short())))
}

/// What to do about a resource in an error state, by the reason that it gives. `ran` is whether it was complete before.
pub fn broken_hint(step: &str, why: &str, ran: bool) -> String {
    let again =
        format!("delete and recreate it, and what uses it, with `provision up --replace {step}`");
    match Class::of_words(why) {
        Class::Other if ran => format!(
            "it worked before, and Google repairs some causes by itself: run the same command again later; if it stays, {again}"
        ),
        Class::Other => format!("Google could not complete it: {again}"),
        class => format!("{}; then {again}", class.hint()),
    }
}

/// Whether a 403 may come from a replica that does not know the resource yet.
fn hides(reads: u32, failure: &Failure) -> bool {
    reads > 1 && failure.class() == Some(Class::PermissionDenied)
}

/// Reads until the resource is gone.
pub async fn gone(
    worker: &Worker,
    kind: Kind,
    resource: &ResourceId,
    want: &Value,
    parts: &[String],
) -> Result<(), Failure> {
    let deadline = Instant::now() + worker.within;
    for pause in pauses(kind) {
        match look(worker, kind, resource, want, parts).await? {
            Observed::Absent => return Ok(()),
            Observed::Settling(_) | Observed::Broken(_) | Observed::Here(_) => {
                worker.waiting(format!("{} to be gone", resource.short()));
            }
        }
        if Instant::now() > deadline {
            break;
        }
        worker.pause(pause).await?;
    }
    let error = format!(
        "{} {}: deleted, but still present after {} s",
        kind.name(),
        resource.short(),
        worker.within.as_secs()
    );
    Err(Failure::new(error, "run again to continue waiting")
        .leaving(format!("{} still exists", resource.short())))
}
