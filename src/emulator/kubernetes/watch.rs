//! Watches: changes from a revision on, as a stream of events.

use serde_json::{Value, json};

use super::call::{ApiCall, CallTarget};
use super::cluster::Cluster;
use super::object;
use super::resource::Resource;
use super::selectors::Selector;
use super::status::Status;
use super::store::WatchEvent;
use super::table;
use crate::clock::Millis;

/// How long a watch lasts when its client names no limit; then the client watches again. Kubernetes: 30 to 60 minutes.
const LONGEST: Millis = 1_800_000;

/// A watch under way.
#[derive(Debug, Clone)]
pub struct Watch {
    resource: Resource,
    version: String,
    prefix: String,
    selector: Selector,
    since: u64,
    /// Whether the existing objects come first.
    initial: bool,
    /// Whether a bookmark marks their end.
    marked: bool,
    bookmarks: bool,
    table: bool,
    include: Option<String>,
    /// When it ends.
    pub until: Millis,
}

impl Watch {
    /// The watch that a request asks for.
    ///
    /// # Errors
    /// 400 for an invalid revision, 410 for one that is forgotten.
    pub fn of(
        cluster: &Cluster,
        call: &ApiCall,
        resource: &Resource,
        target: &CallTarget,
    ) -> Result<Watch, Status> {
        let asked = call.query("resourceVersion");
        let since =
            match asked {
                None | Some("0") => None,
                Some(text) => Some(text.parse::<u64>().map_err(|_| {
                    Status::bad_request(format!("invalid resource version {text:?}"))
                })?),
            };
        let marked = call.flag("sendInitialEvents");
        if let Some(since) =
            since.filter(|since| !marked && *since < cluster.store.remembers_since())
        {
            return Err(Status::expired(since, cluster.store.remembers_since()));
        }
        let limit = call
            .query("timeoutSeconds")
            .and_then(|seconds| seconds.parse::<Millis>().ok());
        Ok(Watch {
            resource: resource.clone(),
            version: target.version.clone(),
            prefix: resource.prefix(target.namespace.as_deref()),
            selector: Selector::of(
                resource,
                call.query("labelSelector"),
                call.query("fieldSelector"),
            )?,
            since: since.unwrap_or(0),
            initial: since.is_none() || marked,
            marked,
            bookmarks: call.flag("allowWatchBookmarks"),
            table: call.wants_table(),
            include: call.query("includeObject").map(str::to_owned),
            until: cluster.now()
                + limit
                    .filter(|limit| *limit > 0)
                    .map_or(LONGEST, |seconds| seconds * 1000),
        })
    }

    /// The events since the last look.
    ///
    /// # Errors
    /// 410 when the watcher was too slow.
    pub fn next(&mut self, cluster: &Cluster) -> Result<Vec<Value>, Status> {
        if std::mem::take(&mut self.initial) {
            return Ok(self.beginning(cluster));
        }
        let changes = cluster
            .store
            .changes(&self.prefix, self.since)
            .ok_or_else(|| Status::expired(self.since, cluster.store.remembers_since()))?;
        self.since = cluster.store.revision();
        let mut events = Vec::new();
        for change in changes {
            let now =
                change.happened != WatchEvent::Deleted && self.selector.matches(&change.object);
            let before = change
                .before
                .as_ref()
                .is_some_and(|before| self.selector.matches(before));
            // An object that is no longer selected is deleted for this watcher, and the other way round.
            let kind = match (before, now) {
                (false, true) => "ADDED",
                (true, true) => "MODIFIED",
                (true, false) => "DELETED",
                (false, false) => continue,
            };
            events.push(self.event(kind, &change.object, cluster.now()));
        }
        Ok(events)
    }

    fn beginning(&mut self, cluster: &Cluster) -> Vec<Value> {
        self.since = cluster.store.revision();
        let found = cluster.store.list(&self.prefix);
        let selected = found
            .into_iter()
            .filter(|(_, object)| self.selector.matches(object));
        let mut events: Vec<Value> = selected
            .map(|(_, object)| self.event("ADDED", object, cluster.now()))
            .collect();
        if self.marked {
            let mut mark = self.bookmark();
            mark["object"]["metadata"]["annotations"] =
                json!({"k8s.io/initial-events-end": "true"});
            events.push(mark);
        }
        events
    }

    /// Whether this watcher asked for bookmarks.
    pub fn wants_bookmarks(&self) -> bool {
        self.bookmarks
    }

    /// A bookmark with the present revision.
    pub fn bookmark(&self) -> Value {
        let metadata =
            json!({"resourceVersion": self.since.to_string(), "creationTimestamp": null});
        json!({"type": "BOOKMARK", "object": {
            "kind": self.resource.kind,
            "apiVersion": self.resource.api_version(&self.version),
            "metadata": metadata,
        }})
    }

    fn event(&self, kind: &str, object: &Value, now: Millis) -> Value {
        let printed = object::printed(&self.resource, &self.version, object);
        let revision = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
        let object = if self.table {
            table::table(
                &self.resource,
                &[printed],
                self.include.as_deref(),
                now,
                &revision,
            )
        } else {
            printed
        };
        json!({"type": kind, "object": object})
    }
}
