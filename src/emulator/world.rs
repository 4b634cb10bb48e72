//! The state of the emulated Google Cloud: objects, operations, timers. All of it is data and survives a restart.
//!
//! The world knows no API: what an object means, and what may not be done to it, is each service's business.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::clock::{Clock, Millis};
use super::kubernetes::Cluster;
use super::names;
use super::operation::{Effect, Operation, Start};
use super::pace::Pace;

/// A project that a request has named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Its id.
    pub id: String,
    /// Its number.
    pub number: u64,
    /// When it was first named.
    pub since: Millis,
}

/// Something that happens later by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Timer {
    due: Millis,
    effects: Vec<Effect>,
}

/// The next thing that happens by itself: an operation by its key, or a timer by its place.
enum Due {
    Operation(String),
    Timer(usize),
}

/// The whole state.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct World {
    objects: BTreeMap<String, Value>,
    operations: BTreeMap<String, Operation>,
    timers: Vec<Timer>,
    projects: BTreeMap<String, Project>,
    /// Since when a service is enabled, by `project/service`.
    services: BTreeMap<String, Millis>,
    /// The operation that a request id has led to.
    requests: BTreeMap<String, String>,
    counters: BTreeMap<String, u64>,
    /// What the Kubernetes API of a cluster serves, by the cluster's full resource name.
    #[serde(default)]
    clusters: BTreeMap<String, Cluster>,
    #[serde(skip)]
    clock: Clock,
    #[serde(skip)]
    pace: Pace,
    #[serde(skip)]
    changed: bool,
}

impl World {
    /// An empty world.
    pub fn new(clock: Clock, pace: Pace) -> World {
        World {
            clock,
            pace,
            ..World::default()
        }
    }

    /// Gives a world that was read from a file its clock and pace.
    #[must_use]
    pub fn running(mut self, clock: Clock, pace: Pace) -> World {
        (self.clock, self.pace) = (clock, pace);
        self
    }

    /// The present instant.
    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// Sets the clock: for tables of cases.
    pub fn set_clock(&mut self, clock: Clock) {
        self.clock = clock;
    }

    /// How long `what` takes here, see [`Pace::duration`].
    pub fn duration(&self, what: &str) -> Millis {
        self.pace.duration(what)
    }

    /// Whether anything changed since this was last asked; the server then writes the state to disk before it answers.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    // --- objects -----------------------------------------------------------------------------------------------------

    /// An object by its full resource name.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.objects.get(key)
    }

    /// Puts an object.
    pub fn put(&mut self, key: impl Into<String>, value: Value) {
        self.changed = true;
        self.objects.insert(key.into(), value);
    }

    /// Removes an object; says what it was.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.changed = true;
        self.objects.remove(key)
    }

    /// Changes an object in place. None if there is none.
    pub fn edit(&mut self, key: &str) -> Option<&mut Value> {
        self.changed = true;
        self.objects.get_mut(key)
    }

    /// The objects of a collection (`//compute.googleapis.com/projects/p/global/networks`), its direct members alone, in an
    /// order that is the same in every run and is neither alphabetical nor that of creation: no client may rely on one.
    pub fn list(&self, collection: &str) -> Vec<(&str, &Value)> {
        let prefix = format!("{collection}/");
        let direct = |key: &str| !key[prefix.len()..].contains('/');
        self.shuffled(&prefix, direct)
    }

    /// All objects whose key begins with `prefix` and of whose key `wanted` is true, shuffled like [`World::list`].
    pub fn shuffled(&self, prefix: &str, wanted: impl Fn(&str) -> bool) -> Vec<(&str, &Value)> {
        let from = self.objects.range(prefix.to_owned()..);
        let mut found: Vec<(&str, &Value)> = from
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter(|(key, _)| wanted(key))
            .map(|(key, value)| (key.as_str(), value))
            .collect();
        found.sort_by_key(|(key, _)| names::hash(key));
        found
    }

    /// Who refers to the object: the keys of all objects of which some text, at any depth, is a link to it, those that are
    /// being made included. References are read from the objects themselves, so none can be forgotten.
    pub fn users(&self, key: &str) -> Vec<&str> {
        let path = names::path(key);
        let running = self
            .operations
            .values()
            .filter(|operation| operation.failure.is_none());
        let coming = running
            .flat_map(|operation| &operation.effects)
            .filter_map(|effect| match effect {
                Effect::Put { key, value } => Some((key, value)),
                _ => None,
            });
        let users = self
            .objects
            .iter()
            .chain(coming)
            .filter(|(other, _)| *other != key);
        let users: BTreeSet<&str> = users
            .filter(|(_, value)| mentions(value, path))
            .map(|(other, _)| other.as_str())
            .collect();
        users.into_iter().collect()
    }

    /// Every object there is, by key.
    pub fn inventory(&self) -> Vec<(String, Value)> {
        self.objects
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    // --- what is inside clusters --------------------------------------------------------------------------------------

    /// The inside of a cluster.
    pub fn cluster(&self, key: &str) -> Option<&Cluster> {
        self.clusters.get(key)
    }

    /// A cluster has an inside from now on.
    pub fn add_cluster(&mut self, key: &str, cluster: Cluster) {
        self.changed = true;
        self.clusters.insert(key.to_owned(), cluster);
    }

    /// Lets `work` change the inside of a cluster. None if there is none.
    pub fn change_cluster<T>(
        &mut self,
        key: &str,
        work: impl FnOnce(&mut Cluster) -> T,
    ) -> Option<T> {
        let cluster = self.clusters.get_mut(key)?;
        let before = cluster.store.revision();
        let result = work(cluster);
        self.changed |= before != cluster.store.revision();
        Some(result)
    }

    /// Forgets the insides of all clusters but these.
    pub fn keep_clusters(&mut self, keys: &[String]) {
        let before = self.clusters.len();
        self.clusters.retain(|key, _| keys.contains(key));
        self.changed |= before != self.clusters.len();
    }

    /// Where the time comes from.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// How long things take.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    // --- projects and services ---------------------------------------------------------------------------------------

    /// The project of this id or number. Any well-formed id is known as soon as it is named; None for what Google would refuse.
    pub fn project(&mut self, name: &str) -> Option<Project> {
        if name.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty() {
            let number: u64 = name.parse().ok()?;
            return self
                .projects
                .values()
                .find(|project| project.number == number)
                .cloned();
        }
        if let Some(known) = self.projects.get(name) {
            return Some(known.clone());
        }
        if !names::is_project_id(name) {
            return None;
        }
        let project = Project {
            id: name.to_owned(),
            number: names::project_number(name),
            since: self.now(),
        };
        self.changed = true;
        self.projects.insert(name.to_owned(), project.clone());
        Some(project)
    }

    /// The id of a project that was named before, by its number.
    pub fn project_id(&self, number: &str) -> Option<&str> {
        let mut known = self.projects.values();
        known
            .find(|project| project.number.to_string() == number)
            .map(|project| project.id.as_str())
    }

    /// Every project that was ever named.
    pub fn projects(&self) -> Vec<Project> {
        let mut found: Vec<Project> = self.projects.values().cloned().collect();
        found.sort_by_key(|project| names::hash(&project.id));
        found
    }

    /// Since when a service is enabled in a project; None when it is not.
    pub fn enabled_since(&self, project: &str, service: &str) -> Option<Millis> {
        self.services.get(&format!("{project}/{service}")).copied()
    }

    // --- operations --------------------------------------------------------------------------------------------------

    /// Begins an operation and returns it as it is at that moment: not done.
    pub fn begin(&mut self, start: Start) -> Operation {
        let now = self.now();
        let operation = Operation {
            key: start.key.clone(),
            id: self.next_id(),
            dialect: start.dialect,
            verb: start.verb,
            target: start.target,
            began: now,
            due: now + start.duration,
            ended: None,
            polled: false,
            effects: start.effects,
            failure: start.failure,
            extra: start.extra,
        };
        self.changed = true;
        self.operations.insert(start.key, operation.clone());
        operation
    }

    /// Answers a poll. At pace 0 the first poll never sees the end and the second always does; at other paces time decides.
    pub fn poll(&mut self, key: &str) -> Option<Operation> {
        self.tick();
        let seen = self.operations.get_mut(key)?;
        if self.pace != Pace::Zero {
            return Some(seen.clone());
        }
        if !seen.polled {
            seen.polled = true;
            self.changed = true;
            return Some(seen.clone().unfinished());
        }
        self.finish(key)
    }

    /// Ends an operation now, if it is not over yet: `operations.wait` at pace 0.
    pub fn finish(&mut self, key: &str) -> Option<Operation> {
        let now = self.now();
        let operation = self.operations.get_mut(key)?;
        operation.polled = true;
        if operation.ended.is_none() {
            operation.ended = Some(now);
            let effects = std::mem::take(&mut operation.effects);
            if operation.failure.is_none() {
                self.apply(effects);
            }
        }
        self.changed = true;
        self.operations.get(key).cloned()
    }

    /// An operation as it is, without this being a poll.
    pub fn operation(&self, key: &str) -> Option<&Operation> {
        self.operations.get(key)
    }

    /// All operations whose key begins with `prefix`.
    pub fn operations(&self, prefix: &str) -> Vec<&Operation> {
        let from = self.operations.range(prefix.to_owned()..);
        from.take_while(|(key, _)| key.starts_with(prefix))
            .map(|(_, operation)| operation)
            .collect()
    }

    /// Forgets all operations whose key begins with `prefix`: those of a thing that is gone.
    pub fn forget(&mut self, prefix: &str) {
        self.changed = true;
        self.operations.retain(|key, _| !key.starts_with(prefix));
    }

    /// The operation that is being done to `target` right now.
    pub fn in_flight(&self, target: &str) -> Option<&Operation> {
        self.operations
            .values()
            .find(|operation| operation.target == target && !operation.is_done())
    }

    /// Whether operations.wait has to hold the line: at pace 0 nothing is worth waiting for.
    pub fn holds(&self) -> bool {
        self.pace != Pace::Zero
    }

    /// Remembers that `request_id` in `project` led to an operation.
    pub fn remember(&mut self, project: &str, request_id: &str, operation: &str) {
        self.changed = true;
        self.requests
            .insert(format!("{project}/{request_id}"), operation.to_owned());
    }

    /// The operation that this request id led to before: it is answered again, and nothing is made twice.
    pub fn remembered(&self, project: &str, request_id: &str) -> Option<&Operation> {
        self.requests
            .get(&format!("{project}/{request_id}"))
            .and_then(|key| self.operations.get(key))
    }

    // --- time --------------------------------------------------------------------------------------------------------

    /// Lets `effects` happen after `delay`.
    pub fn after(&mut self, delay: Millis, effects: Vec<Effect>) {
        let due = self.now() + delay;
        self.changed = true;
        self.timers.push(Timer { due, effects });
    }

    /// Catches up with time: ends operations and runs timers that are due, in the order in which they were.
    pub fn tick(&mut self) {
        let now = self.now();
        while let Some((due, next)) = self.next_due().filter(|(due, _)| *due <= now) {
            match next {
                Due::Operation(key) => self.end_unattended(&key, due),
                Due::Timer(at) => {
                    let timer = self.timers.swap_remove(at);
                    self.apply(timer.effects);
                }
            }
        }
    }

    /// What happens next by itself, and when.
    fn next_due(&self) -> Option<(Millis, Due)> {
        let running = self
            .operations
            .values()
            .filter(|operation| !operation.is_done());
        let operations = running.map(|one| (one.due, Due::Operation(one.key.clone())));
        let timers = self
            .timers
            .iter()
            .enumerate()
            .map(|(at, one)| (one.due, Due::Timer(at)));
        operations.chain(timers).min_by_key(|(due, _)| *due)
    }

    /// Ends an operation that nobody looked at; at pace 0 its first poll will still say "not done".
    fn end_unattended(&mut self, key: &str, due: Millis) {
        let polled = self
            .operations
            .get(key)
            .is_some_and(|operation| operation.polled);
        self.finish(key);
        if let Some(operation) = self.operations.get_mut(key) {
            (operation.polled, operation.ended) = (polled, Some(due));
        }
    }

    fn apply(&mut self, effects: Vec<Effect>) {
        self.changed = true;
        for effect in effects {
            match effect {
                Effect::Put { key, value } => {
                    self.objects.insert(key, value);
                }
                Effect::Merge { key, fields } => {
                    if let Some(Value::Object(object)) = self.objects.get_mut(&key) {
                        merge(object, fields);
                    }
                }
                Effect::Remove { key } => {
                    self.objects.remove(&key);
                }
                Effect::Enable { project, service } => {
                    let now = self.now();
                    self.services
                        .entry(format!("{project}/{service}"))
                        .or_insert(now);
                }
                Effect::Disable { project, service } => {
                    self.services.remove(&format!("{project}/{service}"));
                }
                Effect::After { delay, effects } => self.after(delay, effects),
            }
        }
    }

    // --- numbers -----------------------------------------------------------------------------------------------------

    /// The next value of a named counter, from 1.
    pub fn count(&mut self, name: &str) -> u64 {
        self.changed = true;
        let counter = self.counters.entry(name.to_owned()).or_insert(0);
        *counter += 1;
        *counter
    }

    /// A new id of 19 digits, as compute numbers its resources; never the same twice.
    pub fn next_id(&mut self) -> u64 {
        let serial = self.count("id");
        // The low digits are the serial itself, so two ids can never meet.
        let noise = names::hash(&serial.to_string()) % 8_000_000;
        (1_000_000 + noise) * 1_000_000_000_000 + serial
    }
}

/// Sets top-level fields; null removes one.
fn merge(object: &mut serde_json::Map<String, Value>, fields: serde_json::Map<String, Value>) {
    for (name, value) in fields {
        if value.is_null() {
            object.remove(&name);
        } else {
            object.insert(name, value);
        }
    }
}

/// Whether some text in `value` is a link to `path`.
fn mentions(value: &Value, path: &str) -> bool {
    match value {
        Value::String(text) => text.ends_with(path) && names::path(text) == path,
        Value::Array(items) => items.iter().any(|item| mentions(item, path)),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, field)| name != "selfLink" && mentions(field, path)),
        _ => false,
    }
}
