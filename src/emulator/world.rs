//! The state of the emulated Google Cloud: objects, operations, timers. All of it is data and survives a restart.
//!
//! The world knows no API: what an object means, and what may not be done to it, is each service's business.

mod timers;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::clock::{Clock, Millis};
use super::kubernetes::Cluster;
use super::names;
use super::operation::{Effect, Operation};
use super::pace::Pace;
use super::settings::MeshCleanup;
use super::traffic_director;

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

/// The whole state.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(Default))]
pub struct World {
    /// What distinguishes this state from that of every other emulator.
    #[serde(default = "new_identity")]
    identity: String,
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
    mesh_cleanup: MeshCleanup,
    #[serde(skip)]
    changed: bool,
}

impl World {
    /// An empty world.
    pub fn new(clock: Clock, pace: Pace) -> World {
        World {
            identity: new_identity(),
            objects: BTreeMap::new(),
            operations: BTreeMap::new(),
            timers: Vec::new(),
            projects: BTreeMap::new(),
            services: BTreeMap::new(),
            requests: BTreeMap::new(),
            counters: BTreeMap::new(),
            clusters: BTreeMap::new(),
            clock,
            pace,
            mesh_cleanup: MeshCleanup::default(),
            changed: false,
        }
    }

    /// Gives a new world this identity.
    #[must_use]
    pub fn identified(mut self, identity: Option<String>) -> World {
        if let Some(identity) = identity {
            self.identity = identity;
        }
        self
    }

    /// What distinguishes this state from that of every other emulator; it survives a restart with the same state file.
    pub fn identity(&self) -> &str {
        &self.identity
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
        let before = cluster.progress();
        let result = work(cluster);
        self.changed |= before != cluster.progress();
        Some(result)
    }

    /// Sets how far Traffic Director is with a cluster.
    pub fn set_traffic_director(&mut self, key: &str, state: traffic_director::State) {
        if let Some(cluster) = self.clusters.get_mut(key) {
            self.changed |= cluster.traffic_director.has_moved_to(&state);
            cluster.traffic_director = state;
        }
    }

    /// What Traffic Director does with what no Service asks for any more.
    pub fn mesh_cleanup(&self) -> MeshCleanup {
        self.mesh_cleanup
    }

    /// Sets what it does.
    pub fn set_mesh_cleanup(&mut self, cleanup: MeshCleanup) {
        self.mesh_cleanup = cleanup;
    }

    /// Every object in every cluster, by the cluster's key and its own.
    pub fn objects_in_clusters(&self) -> Vec<(String, Value)> {
        let of = |(cluster, inside): (&String, &Cluster)| -> Vec<(String, Value)> {
            let objects = inside.store.list("").into_iter();
            objects
                .map(|(key, object)| (format!("{cluster} {key}"), object.clone()))
                .collect()
        };
        self.clusters.iter().flat_map(of).collect()
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

    /// Whether anything was made in a project, or the project itself. A request that only reads makes nothing.
    pub fn is_used(&self, id: &str) -> bool {
        let service = format!("{id}/");
        let (itself, within) = (format!("/projects/{id}"), format!("/projects/{id}/"));
        let mut services = self.services.keys();
        let mut objects = self.objects.keys();
        services.any(|key| key.starts_with(&service))
            || objects.any(|key| key.contains(&within) || key.ends_with(&itself))
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

    /// The next value of a named counter, from 1.
    pub fn count(&mut self, name: &str) -> u64 {
        self.changed = true;
        let counter = self.counters.entry(name.to_owned()).or_insert(0);
        *counter += 1;
        *counter
    }

    /// Whether something was ever counted under this name.
    pub fn has_counted(&self, name: &str) -> bool {
        self.counters.contains_key(name)
    }

    /// A new id of 19 digits, as compute numbers its resources; never the same twice.
    pub fn next_id(&mut self) -> u64 {
        let serial = self.count("id");
        // The low digits are the serial itself, so two ids can never meet.
        let noise = names::hash(&serial.to_string()) % 8_000_000;
        (1_000_000 + noise) * 1_000_000_000_000 + serial
    }
}

fn new_identity() -> String {
    uuid::Uuid::new_v4().to_string()
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_hold_direct_members_in_an_order_of_their_own() {
        let mut world = World::default();
        let names = ["a", "b", "c", "d", "e"];
        for name in names {
            world.put(format!("//x/zones/{name}"), json!({}));
            world.put(format!("//x/zones/{name}/records/r"), json!({}));
        }
        let listed: Vec<&str> = world
            .list("//x/zones")
            .iter()
            .map(|(key, _)| names::leaf(key))
            .collect();
        assert_eq!(listed.len(), names.len());
        assert_ne!(listed, names);
    }

    #[test]
    fn users_are_found_by_any_link_in_any_form() {
        let mut world = World::default();
        let network = "//compute.googleapis.com/projects/p/global/networks/n";
        world.put(network, json!({"selfLink": "https://www.googleapis.com/compute/v1/projects/p/global/networks/n"}));
        assert!(world.users(network).is_empty(), "nothing is its own user");
        world.put(
            "//x/deep",
            json!({"a": [{"b": "projects/p/global/networks/n"}]}),
        );
        world.put("//x/link", json!({"network": "https://www.googleapis.com/compute/v1/projects/p/global/networks/n"}));
        world.put("//x/other", json!({"network": "projects/p/global/networks/nn", "of": "projects/q/global/networks/n"}));
        assert_eq!(world.users(network), ["//x/deep", "//x/link"]);
    }

    #[test]
    fn a_project_is_known_once_it_was_named_by_id_and_by_number() {
        let mut world = World::default();
        assert!(world.project("Not A Project").is_none());
        let number = names::project_number("demo-proj").to_string();
        assert!(
            world.project(&number).is_none(),
            "a number alone says nothing"
        );
        let project = world.project("demo-proj").unwrap();
        assert_eq!(world.project(&number), Some(project));
    }

    #[test]
    fn ids_never_meet() {
        let mut world = World::default();
        let ids: BTreeSet<u64> = (0..1_000).map(|_| world.next_id()).collect();
        assert_eq!(ids.len(), 1_000);
        assert!(ids.iter().all(|id| id.to_string().len() == 19));
    }
}
