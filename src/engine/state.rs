//! The state that the journal's records add up to: a fold with one `match` of legal transitions. Pure: no file, no clock.

use std::collections::BTreeSet;

use super::entry::{ChangeVerb, Entry, LeftBehind, Run};
use crate::google::Operation;
use crate::kinds::ResourceId;
use crate::kinds::Step;

/// The environment, as the journal records it.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The newest format of any run.
    pub format: u32,
    /// The last run.
    pub last_run: Option<Run>,
    /// Whether the last run ended.
    pub ended: bool,
    /// The keys of the resources that the steps of any run kept.
    pub kept: BTreeSet<String>,
    /// Every resource that was ever recorded, in the order of its first record.
    pub resources: Vec<TrackedResource>,
}

/// What the journal records of one resource.
#[derive(Debug, Clone)]
pub struct TrackedResource {
    /// The resource.
    pub resource: ResourceId,
    /// The resource's key.
    pub key: String,
    /// The id of the step that last recorded it.
    pub step: String,
    /// Whether we created it, or may have.
    pub ours: bool,
    /// When our create was seen to be complete; none if it was not seen, or if provision did not create it.
    pub made: Option<String>,
    /// Whether it was taken over, and not created by provision.
    pub adopted: bool,
    /// The parts of a set that we added, or may have.
    pub parts: Vec<String>,
    /// The request that has not ended.
    pub open: Option<OpenRequest>,
    /// Milliseconds that its last create took.
    pub took: Option<u64>,
}

/// A request that has not ended.
#[derive(Debug, Clone)]
pub struct OpenRequest {
    /// The request's verb.
    pub verb: ChangeVerb,
    /// The id under which the request may be repeated.
    pub request: String,
    /// The time at which it was announced.
    pub since: String,
    /// How to poll the operation, where Google returned one.
    pub operation: Option<Operation>,
    /// The parts of a set that it concerns.
    pub parts: Vec<String>,
    /// Resources that it creates inside this one.
    pub inside: Vec<ResourceId>,
}

/// A record that cannot follow those before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IllegalEntry {
    /// No run has started.
    #[error("a record before the first run")]
    BeforeAnyRun,
    /// It announces a request on a resource whose last request is open.
    #[error("{key}: {} recorded while {} is open", .verb.word(), .open.word())]
    AlreadyOpen {
        /// The resource's key.
        key: String,
        /// The verb that is announced.
        verb: ChangeVerb,
        /// The verb that is open.
        open: ChangeVerb,
    },
    /// It concerns a request that was not announced.
    #[error("{key}: {what} without an intent")]
    NoIntent {
        /// The resource's key.
        key: String,
        /// The record's type: `sent`, `done` or `failed`.
        what: &'static str,
    },
}

impl State {
    /// Applies one more record.
    pub fn take(&mut self, entry: &Entry) -> Result<(), IllegalEntry> {
        let needs_run = !matches!(entry, Entry::Run(_) | Entry::End { .. });
        if needs_run && self.last_run.is_none() {
            return Err(IllegalEntry::BeforeAnyRun);
        }
        self.take_alone(entry)
    }

    /// The same for a record whose run is lost.
    pub fn take_alone(&mut self, entry: &Entry) -> Result<(), IllegalEntry> {
        match entry {
            Entry::Run(run) => {
                self.format = self.format.max(run.format);
                self.kept.extend(run.kept.iter().cloned());
                self.last_run = Some(Run::clone(run));
                self.ended = false;
            }
            Entry::End { .. } => self.ended = true,
            Entry::Adopted {
                step,
                resource,
                parts,
                ..
            } => {
                let tracked = self.tracked(resource, step);
                tracked.made = None;
                tracked.adopted = true;
                step.clone_into(&mut tracked.step);
                tracked.ours = true;
                tracked.add(parts);
            }
            Entry::Intent {
                at,
                step,
                resource,
                verb,
                request,
                parts,
                inside,
            } => {
                let tracked = self.tracked(resource, step);
                // A request that was cut off may be announced again: a create only under its id, a delete in any way.
                if let Some(open) = &tracked.open
                    && (open.verb != *verb
                        || (*verb == ChangeVerb::Create && open.request != *request))
                {
                    return Err(IllegalEntry::AlreadyOpen {
                        key: tracked.key.clone(),
                        verb: *verb,
                        open: open.verb,
                    });
                }
                step.clone_into(&mut tracked.step);
                tracked.open = Some(OpenRequest {
                    verb: *verb,
                    request: request.clone(),
                    since: at.clone(),
                    operation: None,
                    parts: parts.clone(),
                    inside: inside.clone(),
                });
            }
            Entry::Sent { key, operation, .. } => {
                self.open(key, "sent")?.operation = Some(operation.clone());
            }
            Entry::Done { at, key, took } => {
                let open = self.close(key, "done")?;
                self.apply_outcome(key, &open, LeftBehind::Something, Some((at, *took)));
            }
            Entry::Failed { key, left, .. } => {
                let open = self.close(key, "failed")?;
                self.apply_outcome(key, &open, *left, None);
            }
        }
        Ok(())
    }

    /// What is recorded of a resource.
    pub fn get(&self, key: &str) -> Option<&TrackedResource> {
        self.resources.iter().find(|tracked| tracked.key == key)
    }

    /// Whether we created it, or may have: an open create counts.
    pub fn is_ours(&self, key: &str) -> bool {
        self.get(key).is_some_and(TrackedResource::is_ours)
    }

    /// Every resource of ours, in the order of its first record.
    pub fn ours(&self) -> impl Iterator<Item = &TrackedResource> {
        self.resources.iter().filter(|tracked| tracked.is_ours())
    }

    /// Whether `down` leaves a resource of ours: its kind cannot be deleted, or a step has kept it.
    pub fn stays(&self, tracked: &TrackedResource) -> bool {
        let kind = tracked.resource.kind();
        self.kept.contains(&tracked.key) || kind.is_some_and(|kind| !kind.is_deletable())
    }

    /// Whether a resource of ours may exist that `down` deletes.
    pub fn stands(&self) -> bool {
        self.ours().any(|tracked| !self.stays(tracked))
    }

    fn tracked(&mut self, resource: &ResourceId, step: &str) -> &mut TrackedResource {
        let key = resource.key();
        let index = self
            .resources
            .iter()
            .position(|tracked| tracked.key == key)
            .unwrap_or_else(|| {
                self.resources.push(TrackedResource {
                    resource: resource.clone(),
                    key,
                    step: step.to_owned(),
                    ours: false,
                    made: None,
                    adopted: false,
                    parts: Vec::new(),
                    open: None,
                    took: None,
                });
                self.resources.len() - 1
            });
        &mut self.resources[index]
    }

    fn find(
        &mut self,
        key: &str,
        what: &'static str,
    ) -> Result<&mut TrackedResource, IllegalEntry> {
        let found = self.resources.iter_mut().find(|tracked| tracked.key == key);
        found.ok_or_else(|| no_intent(key, what))
    }

    fn open(&mut self, key: &str, what: &'static str) -> Result<&mut OpenRequest, IllegalEntry> {
        self.find(key, what)?
            .open
            .as_mut()
            .ok_or_else(|| no_intent(key, what))
    }

    fn close(&mut self, key: &str, what: &'static str) -> Result<OpenRequest, IllegalEntry> {
        self.find(key, what)?
            .open
            .take()
            .ok_or_else(|| no_intent(key, what))
    }

    /// Applies the end of a request to the ownership of its resource.
    fn apply_outcome(
        &mut self,
        key: &str,
        open: &OpenRequest,
        left: LeftBehind,
        done: Option<(&str, u64)>,
    ) {
        let finished = done.is_some();
        for inner in &open.inside {
            let tracked = self.tracked(inner, key);
            match open.verb {
                ChangeVerb::Create if left != LeftBehind::Nothing => tracked.ours = true,
                ChangeVerb::Delete if finished => {
                    tracked.ours = false;
                    // An open create inside it ended with it.
                    tracked.open = None;
                    tracked.parts.clear();
                }
                ChangeVerb::Create | ChangeVerb::Update | ChangeVerb::Delete => {}
            }
        }
        let Ok(tracked) = self.find(key, "settled") else {
            return;
        };
        match (open.verb, left) {
            (
                ChangeVerb::Create | ChangeVerb::Update,
                LeftBehind::Something | LeftBehind::Unknown,
            ) => {
                // A set is ours by its parts; the parts that existed before do not become ours.
                if open.verb == ChangeVerb::Create || !open.parts.is_empty() {
                    tracked.ours = true;
                    tracked.adopted &= open.verb != ChangeVerb::Create;
                    tracked.made = done.map(|(at, _)| at.to_owned());
                }
                tracked.add(&open.parts);
                tracked.took = done.map(|(_, took)| took).or(tracked.took);
            }
            // Of a set, only the parts that the request named are gone.
            (ChangeVerb::Delete, _) if finished => {
                tracked.parts.retain(|part| !open.parts.contains(part));
                tracked.ours = !open.parts.is_empty() && !tracked.parts.is_empty();
            }
            // Nothing was created, or what could not be deleted is still ours.
            _ => {}
        }
    }
}

impl TrackedResource {
    fn add(&mut self, parts: &[String]) {
        for part in parts {
            if !self.parts.contains(part) {
                self.parts.push(part.clone());
            }
        }
    }

    /// Whether a step declares this resource: by its id, or because another step's request included it.
    pub fn is_of(&self, step: &Step) -> bool {
        self.resource.kind == step.kind.name()
            && (self.step == step.id || self.resource.at == step.at)
    }

    /// Whether we created it, or may have: an open create counts.
    pub fn is_ours(&self) -> bool {
        self.ours
            || self
                .open
                .as_ref()
                .is_some_and(|open| open.verb == ChangeVerb::Create || !open.parts.is_empty())
    }

    /// The parts of a set that are ours, or may be.
    pub fn our_parts(&self) -> Vec<String> {
        let open = self
            .open
            .iter()
            .filter(|open| open.verb != ChangeVerb::Delete)
            .flat_map(|open| &open.parts);
        let mut parts = self.parts.clone();
        for part in open {
            if !parts.contains(part) {
                parts.push(part.clone());
            }
        }
        parts
    }
}

fn no_intent(key: &str, what: &'static str) -> IllegalEntry {
    IllegalEntry::NoIntent {
        key: key.to_owned(),
        what,
    }
}
