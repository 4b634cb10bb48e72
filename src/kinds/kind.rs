//! Every kind, by name. This is the only place where a kind is registered.

use std::fmt;
use std::ops::Deref;

use serde_json::{Map, Value};

use super::clusters::Clients;
use super::resource_id::ResourceId;
use super::spec::{Effect, KindSpec, Observed};
use super::{checks, clusters, iam_policy, kubernetes, object, records, resource_table, restart};
use super::{services, waits};
use crate::google::ApiError;

/// A kind of step: what its name stands for.
#[derive(Clone, Copy)]
pub struct Kind(&'static dyn KindSpec);

/// The kinds that are neither a row of the table, nor a wait, nor a check.
const BEHAVIOURS: [&dyn KindSpec; 5] = [
    &records::Records,
    &services::Services,
    &object::StorageObject,
    &kubernetes::KubernetesObject,
    &restart::Restart,
];

impl Kind {
    /// Every kind.
    pub fn all() -> impl Iterator<Item = Kind> {
        let rows = resource_table::ROWS.iter();
        let rows = rows.map(|spec| *spec as &'static dyn KindSpec);
        let policies = iam_policy::POLICIES.iter().map(|policy| policy as _);
        let waits = waits::WAITS.iter().map(|wait| *wait as _);
        let checks = checks::CHECKS.iter().map(|check| *check as _);
        rows.chain(policies)
            .chain(BEHAVIOURS)
            .chain(waits)
            .chain(checks)
            .map(Kind)
    }

    /// The kind with this name.
    pub fn named(name: &str) -> Option<Kind> {
        Kind::all().find(|kind| kind.name() == name)
    }

    /// Whether it only waits for something that others bring about.
    pub fn is_wait(&self) -> bool {
        self.effect() == Effect::Wait
    }

    /// Whether it is a check.
    pub fn is_check(&self) -> bool {
        self.effect() == Effect::Check
    }

    /// Whether it leaves something that can be deleted.
    pub fn is_deletable(&self) -> bool {
        self.effect() == Effect::Resource
    }

    /// Those of `parts` that exist.
    pub fn present(&self, parts: &[String], live: &Value) -> Vec<String> {
        let there = self.live_parts(live);
        let parts = parts.iter().filter(|part| there.contains(part));
        parts.cloned().collect()
    }

    /// Whether `live` is a different object than the one that we created: it was created after `made`, the time at which our
    /// creation had finished, and it lacks our mark. The missing mark alone is no proof: it disappears when another manager
    /// overwrites all our fields. Kubernetes' timestamps have whole seconds, so an object that is created again within the same
    /// second counts as the first.
    pub fn is_anothers(&self, want: &Value, live: &Value, made: &str) -> bool {
        let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
        let created = self.created(live).and_then(time);
        let is_younger = time(made).is_some_and(|made| created > Some(made));
        is_younger && self.has_our_mark(want, live) == Some(false)
    }

    /// Reads the resource. A cluster that has answered before is asked again while it is unreachable.
    ///
    /// # Errors
    /// The error of Google or of the cluster.
    pub async fn look(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        want: &Value,
        parts: &[String],
    ) -> Result<Observed, ApiError> {
        let look = || self.0.look(clients, at, want, parts);
        match self.is_in_cluster() {
            true => clusters::steadily(clients, look).await,
            false => look().await,
        }
    }
}

impl Deref for Kind {
    type Target = dyn KindSpec;

    fn deref(&self) -> &Self::Target {
        self.0
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ResourceId {
    /// The resource of this kind at this place.
    pub fn new(kind: Kind, at: Map<String, Value>) -> ResourceId {
        ResourceId {
            kind: kind.name().to_owned(),
            at,
        }
    }

    /// Its kind; `None` if a journal of another version names a kind that this version does not know.
    pub fn kind(&self) -> Option<Kind> {
        Kind::named(&self.kind)
    }

    /// Its kind and path: its name in the journal.
    pub fn key(&self) -> String {
        let path = self.kind().and_then(|kind| kind.path(&self.at).ok());
        let path = path.unwrap_or_else(|| Value::Object(self.at.clone()).to_string());
        format!("{} {path}", self.kind)
    }

    /// The last part of its path: its name for the reader.
    pub fn short(&self) -> String {
        let key = self.key();
        if self.kind().is_some_and(|kind| kind.is_check()) {
            return checks::title(&self.at);
        }
        let last = key.rsplit('/').next().unwrap_or(&key);
        last.split('@').next().unwrap_or(last).to_owned()
    }

    /// The value that an output of the resource will have, if it follows from the path: the address of a service account.
    pub fn predict(&self, output: &str) -> Option<Value> {
        match output {
            "name" => Some(self.short().into()),
            _ => self.kind()?.predict(&self.at, output),
        }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_kind_has_a_name_of_its_own_and_is_found_by_it() {
        let mut names: Vec<&str> = Kind::all().map(|kind| kind.name()).collect();
        for name in &names {
            assert_eq!(Kind::named(name).unwrap().name(), *name);
        }
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn each_kind_states_its_permissions() {
        let at = json!({"apiVersion": "apps/v1", "kind": "Deployment"});
        let at = at.as_object().unwrap();
        for kind in Kind::all() {
            let name = kind.name();
            let stated = kind.permissions(at);
            assert!(!stated.read.is_empty(), "{name} is read without permission");
            // Of these kinds nothing is created here.
            let only_read = kind.is_wait()
                || kind.is_check()
                || [
                    "resourcemanager.project",
                    "compute.networkEndpointGroup",
                    "compute.backendService",
                    "compute.healthCheck",
                ]
                .contains(&name);
            assert_eq!(stated.change.is_empty(), only_read, "{name}");
            let stays = !kind.is_deletable() || name == "resourcemanager.project";
            assert_eq!(stated.delete.is_empty(), stays, "{name}");
            let all = [stated.read, stated.change, stated.delete].concat();
            for permission in all {
                let parts: Vec<&str> = permission.split('.').collect();
                assert_eq!(parts.len(), 3, "{name}: {permission}");
            }
        }
    }

    #[test]
    fn an_object_that_was_made_anew_by_somebody_else_is_theirs() {
        let kubernetes = Kind(&kubernetes::KubernetesObject);
        let want = json!({"metadata": {"name": "a"}, "spec": {}});
        let object = |created: &str, manager: &str| {
            let managed = json!([{"manager": manager, "operation": "Apply"}]);
            json!({"live": {"metadata": {"creationTimestamp": created, "managedFields": managed}}})
        };
        let made = "2026-11-29T19:00:00.500Z";
        for (created, manager, expected) in [
            ("2026-11-29T19:00:01Z", "kubectl", true),
            ("2026-11-29T19:00:01Z", "provision", false),
            // Another manager overwrote all fields that we had stated: it is still the same object.
            ("2026-11-29T19:00:00Z", "kubectl", false),
            ("2026-11-29T18:59:59Z", "kubectl", false),
            ("no time", "kubectl", false),
        ] {
            let live = object(created, manager);
            let said = kubernetes.is_anothers(&want, &live, made);
            assert_eq!(said, expected, "{live}");
        }
        let theirs = object("2026-11-29T19:00:01Z", "kubectl");
        assert!(!kubernetes.is_anothers(&want, &theirs, "no time"));
        // An object that states only its name has no field that a manager could own.
        assert!(!kubernetes.is_anothers(&json!({}), &theirs, made));
        assert!(!Kind(&records::Records).is_anothers(&want, &theirs, made));
    }

    #[test]
    fn the_address_of_a_service_account_is_known_before_it_exists() {
        let at = json!({"project": "p", "account": "a"});
        let account = ResourceId {
            kind: "iam.serviceAccount".to_owned(),
            at: at.as_object().cloned().unwrap_or_default(),
        };
        let address = json!("a@p.iam.gserviceaccount.com");
        assert_eq!(account.predict("email"), Some(address));
        assert_eq!(account.predict("uniqueId"), None);
        assert_eq!(account.predict("name"), Some("a".into()));
    }
}
