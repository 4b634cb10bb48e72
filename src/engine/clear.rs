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
    left: BTreeMap<String, String>,
    said: BTreeSet<String>,
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
        if let Some(kept) = &leftovers.kept {
            self.say(worker, format!("{} in {}", kept, resource.short()));
        }
        self.left.clear();
        for stage in leftovers.found.chunk_by(|one, next| one.kind == next.kind) {
            self.announce(worker, stage);
            for some in stage.chunks(AT_ONCE) {
                let deleted = some.iter().map(|leftover| delete(worker, leftover));
                for (leftover, deleted) in some.iter().zip(join_all(deleted).await) {
                    if let Some(why) = deleted? {
                        self.left.insert(leftover.key(), why);
                    }
                }
            }
        }
        Ok(())
    }

    /// The names of what is left.
    pub fn left(&self) -> Vec<String> {
        self.left.keys().cloned().collect()
    }

    /// What is left and who holds it, in words; `None` if nothing is.
    pub fn words(&self) -> Option<String> {
        let each = self.left.iter();
        let each: Vec<String> = each.map(|(name, why)| format!("{name} ({why})")).collect();
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

/// Deletes one leftover. The result is why it is still there, if it is.
async fn delete(worker: &Worker, leftover: &ResourceId) -> Result<Option<String>, Failure> {
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
fn refused(failure: &Failure) -> Option<String> {
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
        Some(path) => format!("used by {path}"),
        None => format!("its deletion is refused: {}", source.message),
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
            assert_eq!(refused(&failure).as_deref(), expected, "{failure:?}");
        }
    }
}
