//! What the journal's lines add up to: a fold with one `match` of legal transitions. Pure; no file, no clock.

use super::entry::{ChangeVerb, Entry, LeftBehind, Run};
use crate::google::Operation;
use crate::kinds::ResourceId;
use crate::kinds::Step;

/// The environment as the journal knows it.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The newest format that any run wrote.
    pub format: u32,
    /// The last run.
    pub last_run: Option<Run>,
    /// Whether it came to its end.
    pub ended: bool,
    /// Every thing that was ever spoken of, in the order of its first intent.
    pub things: Vec<TrackedResource>,
}

/// What the journal knows of one thing.
#[derive(Debug, Clone)]
pub struct TrackedResource {
    /// The thing.
    pub thing: ResourceId,
    /// Its key.
    pub key: String,
    /// The step that last spoke of it.
    pub step: String,
    /// Whether we made it, or may have.
    pub ours: bool,
    /// When our creation was seen to be over; none where it was somebody else's.
    pub made: Option<String>,
    /// The parts of a set that we added, or may have.
    pub parts: Vec<String>,
    /// The request that has not come to its end.
    pub open: Option<OpenRequest>,
    /// Milliseconds that its last creation took.
    pub took: Option<u64>,
}

/// A request that has not come to its end.
#[derive(Debug, Clone)]
pub struct OpenRequest {
    /// What it does.
    pub verb: ChangeVerb,
    /// The id under which it may be repeated.
    pub request: String,
    /// When it was announced.
    pub since: String,
    /// How to ask how far it is, where Google said so.
    pub operation: Option<Operation>,
    /// The parts of a set that it concerns.
    pub parts: Vec<String>,
    /// Things that it makes inside this one.
    pub inside: Vec<ResourceId>,
}

/// A line that cannot follow those before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IllegalEntry {
    /// No run has begun.
    #[error("a record before the first run")]
    BeforeAnyRun,
    /// A request is announced on a thing whose last one has no end.
    #[error("{key}: {} recorded while {} is open", .verb.word(), .open.word())]
    AlreadyOpen {
        /// The thing.
        key: String,
        /// What is announced.
        verb: ChangeVerb,
        /// What is open.
        open: ChangeVerb,
    },
    /// It speaks of a request that was not announced.
    #[error("{key}: {what} without an intent")]
    NoIntent {
        /// The thing.
        key: String,
        /// What it says of the request: `sent`, `done`.
        what: &'static str,
    },
}

impl State {
    /// Takes one more line.
    pub fn take(&mut self, entry: &Entry) -> Result<(), IllegalEntry> {
        let needs_run = !matches!(entry, Entry::Run(_) | Entry::End { .. });
        if needs_run && self.last_run.is_none() {
            return Err(IllegalEntry::BeforeAnyRun);
        }
        self.take_alone(entry)
    }

    /// The same where the run that it belongs to is lost.
    pub fn take_alone(&mut self, entry: &Entry) -> Result<(), IllegalEntry> {
        match entry {
            Entry::Run(run) => {
                self.format = self.format.max(run.format);
                self.last_run = Some(run.clone());
                self.ended = false;
            }
            Entry::End { .. } => self.ended = true,
            Entry::Adopted {
                step, thing, parts, ..
            } => {
                let tracked = self.tracked(thing, step);
                tracked.made = None;
                step.clone_into(&mut tracked.step);
                tracked.ours = true;
                tracked.add(parts);
            }
            Entry::Intent {
                at,
                step,
                thing,
                verb,
                request,
                parts,
                inside,
            } => {
                let tracked = self.tracked(thing, step);
                // A request that was cut off may be announced again: a creation as itself, by its id; a deletion in any way.
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

    /// What is known of a thing.
    pub fn get(&self, key: &str) -> Option<&TrackedResource> {
        self.things.iter().find(|tracked| tracked.key == key)
    }

    /// Whether we made it, or may have: an open creation counts.
    pub fn is_ours(&self, key: &str) -> bool {
        self.get(key).is_some_and(TrackedResource::is_ours)
    }

    /// Everything of ours, in the order in which it was first made.
    pub fn ours(&self) -> impl Iterator<Item = &TrackedResource> {
        self.things.iter().filter(|tracked| tracked.is_ours())
    }

    /// Whether anything of ours is there that could be removed.
    pub fn stands(&self) -> bool {
        let is_made =
            |tracked: &TrackedResource| tracked.thing.kind().is_none_or(|kind| kind.is_deletable());
        self.ours().any(is_made)
    }

    fn tracked(&mut self, thing: &ResourceId, step: &str) -> &mut TrackedResource {
        let key = thing.key();
        let index = self
            .things
            .iter()
            .position(|tracked| tracked.key == key)
            .unwrap_or_else(|| {
                self.things.push(TrackedResource {
                    thing: thing.clone(),
                    key,
                    step: step.to_owned(),
                    ours: false,
                    made: None,
                    parts: Vec::new(),
                    open: None,
                    took: None,
                });
                self.things.len() - 1
            });
        &mut self.things[index]
    }

    fn find(
        &mut self,
        key: &str,
        what: &'static str,
    ) -> Result<&mut TrackedResource, IllegalEntry> {
        let found = self.things.iter_mut().find(|tracked| tracked.key == key);
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

    /// What a request that came to its end means for whose the thing is.
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
                    // A creation in it whose end nobody saw went with it.
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
                // A set is ours by its parts; what stood there before stays somebody else's.
                if open.verb == ChangeVerb::Create || !open.parts.is_empty() {
                    tracked.ours = true;
                    tracked.made = done.map(|(at, _)| at.to_owned());
                }
                tracked.add(&open.parts);
                tracked.took = done.map(|(_, took)| took).or(tracked.took);
            }
            (ChangeVerb::Delete, _) if finished => {
                tracked.ours = false;
                tracked.parts.clear();
            }
            // Nothing was made; or what could not be removed is still ours.
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

    /// Whether a step speaks of this thing: by its id, or because it came along with another one's request.
    pub fn is_of(&self, step: &Step) -> bool {
        self.thing.kind == step.kind.name() && (self.step == step.id || self.thing.at == step.at)
    }

    /// Whether we made it, or may have: an open creation counts.
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
