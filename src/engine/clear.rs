//! Deletes what others left inside a resource that is to be deleted. What refuses its deletion is kept and reported: Google refuses
//! everybody what a system of its own owns (reported of Traffic Director's reserved resources; the words are not recorded), so that
//! it is waited for and not forced.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use serde_json::Value;

use super::entry::{ChangeVerb, Entry, now};
use super::event::Event;
use super::failure::{Failure, StepError};
use super::intent::Intent;
use super::send::carry_out;
use super::wait::gone;
use super::worker::Worker;
use crate::google::{Class, holder};
use crate::kinds::{Kind, ResourceId};

/// How many deletions of one kind are in progress at once.
const AT_ONCE: usize = 8;

/// What is left inside a resource, and what was said about it.
#[derive(Debug, Default)]
pub struct Clearing {
    /// What refused its deletion in the last round, and why, by name.
    left: BTreeMap<String, Refusal>,
    said: BTreeSet<String>,
    /// Whether a cluster that is not deleted lives in the resource, as the last round has seen.
    lived_in: bool,
}

impl Clearing {
    /// Deletes what others left inside the resource, and reports it before its deletion.
    pub async fn round(
        &mut self,
        worker: &Worker,
        kind: Kind,
        resource: &ResourceId,
    ) -> Result<(), Failure> {
        let listed = worker
            .unless_stopped(kind.leftovers(&worker.clients, &resource.at))
            .await?;
        let what = format!("list the leftovers in {}", resource.short());
        let leftovers = listed.map_err(|error| Failure::of(&what, &error))?;
        self.lived_in = leftovers.lived_in;
        if let Some(kept) = &leftovers.kept {
            self.say(worker, format!("{} in {}", kept, resource.short()));
        }
        let before = std::mem::take(&mut self.left);
        for stage in leftovers.found.chunk_by(|one, next| one.kind == next.kind) {
            self.announce(worker, stage);
            let (held, free): (Vec<_>, Vec<_>) = stage.iter().partition(|leftover| {
                let refusal = before.get(&leftover.key());
                refusal.is_some_and(|refusal| is_held(refusal, self.left.keys()))
            });
            for some in free.chunks(AT_ONCE) {
                let deleted = some.iter().map(|leftover| delete(worker, leftover));
                for (leftover, deleted) in some.iter().zip(join_all(deleted).await) {
                    if let Some(refusal) = deleted? {
                        self.left.insert(leftover.key(), refusal);
                    }
                }
            }
            for key in held.iter().map(|leftover| leftover.key()) {
                if let Some(refusal) = before.get(&key) {
                    self.left.insert(key, refusal.clone());
                }
            }
        }
        Ok(())
    }

    /// Whether a cluster that is not deleted lives in the resource.
    pub fn is_lived_in(&self) -> bool {
        self.lived_in
    }

    /// The names of what is left.
    pub fn left(&self) -> Vec<String> {
        self.left.keys().cloned().collect()
    }

    /// What is left and who holds it, in words; `None` if nothing is.
    pub fn words(&self) -> Option<String> {
        let each = self.left.iter();
        let each: Vec<String> = each
            .map(|(name, refusal)| format!("{name} ({})", refusal.words()))
            .collect();
        (!each.is_empty()).then(|| each.join("; "))
    }

    /// Reports the deletions of one kind, each resource once.
    fn announce(&mut self, worker: &Worker, stage: &[ResourceId]) {
        let new: Vec<&ResourceId> = stage
            .iter()
            .filter(|leftover| self.said.insert(leftover.key()))
            .collect();
        let Some(first) = new.first() else {
            return;
        };
        let names: Vec<String> = new.iter().take(3).map(|one| one.short()).collect();
        let more = match new.len().saturating_sub(names.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let text = format!(
            "deleting {} {}{more}, which Google left",
            first.kind,
            names.join(", ")
        );
        let step = worker.step.clone();
        worker.emit(Event::Warned { step, text });
    }

    fn say(&mut self, worker: &Worker, text: String) {
        if self.said.insert(text.clone()) {
            let step = worker.step.clone();
            worker.emit(Event::Warned { step, text });
        }
    }
}

/// Why a leftover was not deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Refusal {
    /// The resource with this path uses it.
    UsedBy(String),
    /// Google's words.
    Other(String),
}

impl Refusal {
    fn words(&self) -> String {
        match self {
            Refusal::UsedBy(path) => format!("used by {path}"),
            Refusal::Other(message) => format!("its deletion is refused: {message}"),
        }
    }
}

/// Whether one of these, which have refused their deletion in this round, holds the leftover: then it need not be tried. Pure.
fn is_held<'a>(refusal: &Refusal, mut left: impl Iterator<Item = &'a String>) -> bool {
    match refusal {
        Refusal::UsedBy(path) => left.any(|key| key.ends_with(path.as_str())),
        Refusal::Other(_) => false,
    }
}

/// Deletes one leftover. The result is why it is still there, if it is.
async fn delete(worker: &Worker, leftover: &ResourceId) -> Result<Option<Refusal>, Failure> {
    let Some(kind) = leftover.kind() else {
        return Ok(None);
    };
    let intent = Intent {
        resource: leftover,
        kind,
        verb: ChangeVerb::Delete,
        parts: Vec::new(),
        inside: Vec::new(),
        request: None,
    };
    let carried = carry_out(worker, intent, |request| async move {
        kind.delete(&worker.clients, &leftover.at, &[], &request)
            .await
    });
    if let Err(failure) = carried.await {
        return refused(&failure).map(Some).ok_or(failure);
    }
    gone(worker, kind, leftover, &Value::Null, &[]).await?;
    worker
        .write(Entry::Done {
            at: now(),
            key: leftover.key(),
            took: 0,
        })
        .await?;
    Ok(None)
}

/// Why Google refused a deletion, if it did; nothing else is waited for here. Pure.
fn refused(failure: &Failure) -> Option<Refusal> {
    let Failure::Failed(told) = failure else {
        return None;
    };
    let StepError::Call { source, .. } = &told.error else {
        return None;
    };
    let is_refusal = !matches!(
        source.class,
        Class::Unauthenticated | Class::LostConnection | Class::ServerFault | Class::Deadline
    );
    is_refusal.then(|| match holder(&source.message) {
        Some(path) => Refusal::UsedBy(path.to_owned()),
        None => Refusal::Other(source.message.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::google::ApiError;

    #[test]
    fn a_refusal_says_who_holds_the_resource() {
        let failure = |class: Class, message: &str| {
            let error = ApiError {
                class,
                ..ApiError::unsent("DELETE x", message.to_owned())
            };
            Failure::of("delete x", &error)
        };
        let used = "The group 'g' is already being used by 'projects/p/global/backendServices/s'";
        for (failure, expected) in [
            (
                failure(Class::InUse, used),
                Some("used by projects/p/global/backendServices/s"),
            ),
            (
                failure(Class::PermissionDenied, "owned by Google"),
                Some("its deletion is refused: owned by Google"),
            ),
            (
                failure(Class::BadRequest, "reserved"),
                Some("its deletion is refused: reserved"),
            ),
            (failure(Class::LostConnection, "cut off"), None),
            (failure(Class::Unauthenticated, "no token"), None),
            (Failure::Stopped, None),
            (Failure::new("a state".to_owned(), "wait"), None),
        ] {
            let words = refused(&failure).map(|refusal| refusal.words());
            assert_eq!(words.as_deref(), expected, "{failure:?}");
        }
    }

    #[test]
    fn what_is_held_by_something_that_is_left_is_not_tried_again() {
        let service = "projects/p/global/backendServices/s";
        let left = [format!("compute.backendService {service}")];
        for (refusal, expected) in [
            (Refusal::UsedBy(service.to_owned()), true),
            (
                Refusal::UsedBy("projects/p/global/backendServices/t".to_owned()),
                false,
            ),
            (Refusal::Other("refused".to_owned()), false),
        ] {
            assert_eq!(is_held(&refusal, left.iter()), expected, "{refusal:?}");
        }
    }
}
