//! The cluster's objects, with one revision for all of them, and the changes for watchers.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How many changes are remembered for watchers. A watcher of older ones has to list again.
const REMEMBERED: usize = 4_096;

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchEvent {
    /// It was not there before.
    Added,
    /// It changed.
    Modified,
    /// It is gone.
    Deleted,
}

/// A change.
#[derive(Debug, Clone)]
pub struct StoreChange {
    /// The revision it made.
    pub revision: u64,
    /// The object's key.
    pub key: String,
    /// What happened.
    pub happened: WatchEvent,
    /// The object after it; as it last was when it is gone.
    pub object: Value,
    /// The object before it.
    pub before: Option<Value>,
}

/// The objects of a cluster, without knowledge of their kinds.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Store {
    objects: BTreeMap<String, Value>,
    revision: u64,
    #[serde(skip)]
    changes: VecDeque<StoreChange>,
}

impl Store {
    /// The revision of the last change.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The revision after which every change is remembered.
    pub fn remembers_since(&self) -> u64 {
        self.changes
            .front()
            .map_or(self.revision, |change| change.revision - 1)
    }

    /// An object.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.objects.get(key)
    }

    /// The objects whose keys begin with `prefix`, in the order of namespace and name.
    pub fn list(&self, prefix: &str) -> Vec<(&str, &Value)> {
        self.objects
            .range(prefix.to_owned()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, value)| (key.as_str(), value))
            .collect()
    }

    /// Writes an object and gives it the next revision, unless it is unchanged. Returns it as it is now.
    pub fn put(&mut self, key: &str, mut object: Value) -> Value {
        let before = self.objects.get(key);
        if let Some(before) = before {
            object["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"].clone();
            if *before == object {
                return object;
            }
        }
        self.revision += 1;
        object["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        let before = self.objects.insert(key.to_owned(), object.clone());
        let happened = if before.is_some() {
            WatchEvent::Modified
        } else {
            WatchEvent::Added
        };
        self.remember(key, happened, object.clone(), before);
        object
    }

    /// Completes an object that was just put, without a revision of its own.
    pub fn amend(&mut self, key: &str, object: Value) -> Value {
        if let Some(change) = self.changes.back_mut().filter(|change| change.key == key) {
            change.object.clone_from(&object);
        }
        self.objects.insert(key.to_owned(), object.clone());
        object
    }

    /// Removes an object. Returns it as it was, with the revision of its removal.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let before = self.objects.remove(key)?;
        self.revision += 1;
        let mut object = before.clone();
        object["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        self.remember(key, WatchEvent::Deleted, object.clone(), Some(before));
        Some(object)
    }

    fn remember(&mut self, key: &str, happened: WatchEvent, object: Value, before: Option<Value>) {
        if self.changes.len() == REMEMBERED {
            self.changes.pop_front();
        }
        self.changes.push_back(StoreChange {
            revision: self.revision,
            key: key.to_owned(),
            happened,
            object,
            before,
        });
    }

    /// The changes after `revision` of objects whose keys begin with `prefix`; None when some are forgotten.
    pub fn changes(&self, prefix: &str, revision: u64) -> Option<Vec<StoreChange>> {
        if revision < self.remembers_since() {
            return None;
        }
        let later = self
            .changes
            .iter()
            .filter(|change| change.revision > revision);
        Some(
            later
                .filter(|change| change.key.starts_with(prefix))
                .cloned()
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_what_is_there_already_changes_nothing() {
        let mut store = Store::default();
        let first = store.put("pods/a/b", json!({"metadata": {"name": "b"}}));
        let again = store.put("pods/a/b", json!({"metadata": {"name": "b"}}));
        assert_eq!(first, again);
        assert_eq!(store.revision(), 1);
        store.put("pods/a/b", json!({"metadata": {"name": "b"}, "spec": 1}));
        assert_eq!(
            store.remove("pods/a/b").unwrap()["metadata"]["resourceVersion"],
            "3"
        );
        let told: Vec<WatchEvent> = store
            .changes("pods/", 1)
            .unwrap()
            .iter()
            .map(|change| change.happened)
            .collect();
        assert_eq!(told, [WatchEvent::Modified, WatchEvent::Deleted]);
    }

    #[test]
    fn what_happened_before_a_restart_is_forgotten() {
        let mut store = Store::default();
        store.put("pods/a/b", json!({"metadata": {}}));
        let kept = serde_json::to_string(&store).unwrap();
        let store: Store = serde_json::from_str(&kept).unwrap();
        assert!(store.changes("pods/", 0).is_none());
        assert_eq!(
            store.changes("pods/", 1).map(|changes| changes.len()),
            Some(0)
        );
    }
}
