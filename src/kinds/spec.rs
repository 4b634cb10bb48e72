//! What a kind states and does: one trait, with a default for everything that most kinds do not have.
//!
//! A kind reads, compares, creates, changes and deletes one resource. It does not know steps, their order, the journal or the
//! screen, and no kind knows another one.

use std::fmt;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::checks::result::CheckResult;
use super::clusters::Clients;
use super::difference::FieldDiff;
use super::path_template::{self, PathError};
use super::permissions::Permissions;
use super::resource_id::ResourceId;
use super::resource_spec::ParentCreate;
use crate::google::{Api, ApiError, Operation};

/// The result of a read.
#[derive(Debug, Clone)]
pub enum Observed {
    /// The resource does not exist, or has none of the requested parts.
    Absent,
    /// It exists and is not ready; the text is the reason.
    Settling(String),
    /// It exists, and waiting will not make it ready; the text is the reason.
    Broken(String),
    /// It exists and is ready.
    Here(Value),
}

/// The progress of a request that changes something.
#[derive(Debug)]
pub enum MutationResult {
    /// The answer was final.
    Now,
    /// Google continues to work on it; the operation can be polled.
    Wait(Operation),
}

/// What a step of a kind leaves in the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// A resource that can be deleted.
    Resource,
    /// A change that leaves nothing to delete.
    Action,
    /// Nothing: it waits for a condition that others bring about.
    Wait,
    /// Nothing: it states what must hold, and `verify` checks it.
    Check,
}

/// What others left inside a resource.
#[derive(Debug, Clone, Default)]
pub struct FoundLeftovers {
    /// What can be deleted, in the order in which that is possible.
    pub found: Vec<ResourceId>,
    /// How many are not deleted, and why.
    pub kept: Option<String>,
    /// Whether a cluster lives in the resource.
    pub lived_in: bool,
}

/// What a system of Google's still holds.
#[derive(Debug, Clone, Default)]
pub struct HeldResources {
    /// The names of what it holds.
    pub left: Vec<String>,
    /// Why it is unknown whether these will go, if it is: then they are not awaited.
    pub unknown: Option<String>,
    /// What they are, in words.
    pub what: &'static str,
}

/// What to do about a wait that ended without what it waited for.
pub const AGAIN: &str = "run again to continue waiting";

/// A kind of step.
///
/// `at` fills the path of a kind, `want` is what a step states, `live` is the result of a read.
#[async_trait]
pub trait KindSpec: fmt::Debug + Send + Sync {
    /// The name that steps use, for example `compute.network`.
    fn name(&self) -> &'static str;

    /// The API that serves it, or that serves its cluster.
    fn api(&self) -> Api;

    /// Its path below the API's base, with `{x}` for values of `at`. Two steps with the same path are one resource.
    fn template(&self) -> &'static str;

    /// What a step of this kind leaves in the cloud.
    fn effect(&self) -> Effect;

    /// The permissions that its requests need.
    fn permissions(&self, at: &Map<String, Value>) -> Permissions;

    /// Further permissions that what a step states needs, to read it and what is in it.
    fn permissions_for(&self, _want: &Value) -> Vec<&'static str> {
        Vec::new()
    }

    /// The keys that `at` must have.
    fn keys(&self) -> Vec<&'static str> {
        path_template::keys(self.template())
    }

    /// Further keys that `at` may have.
    fn optional_keys(&self) -> &'static [&'static str] {
        &[]
    }

    /// The fields that `want` may have, if the kind has a short list of them.
    fn fields(&self) -> Option<&'static [&'static str]> {
        None
    }

    /// Whether a cluster's Kubernetes API serves it.
    fn is_in_cluster(&self) -> bool {
        false
    }

    /// Whether it is an object for which a mesh or a load balancer creates backends outside the cluster.
    fn asks_for_backends(&self, _at: &Map<String, Value>) -> bool {
        false
    }

    /// The kind of the resource that contains it and is deleted with it.
    fn parent(&self) -> Option<&'static str> {
        self.is_in_cluster().then_some("container.cluster")
    }

    /// Whether a project has it only once, so that all environments of the project share it and its name has no prefix.
    fn is_project_wide(&self) -> bool {
        false
    }

    /// The most characters that the name in its path may have, if the kind states a limit.
    fn longest_name(&self) -> Option<usize> {
        None
    }

    /// What of others still uses it, so that it must be kept although we created it.
    fn users(&self, _live: &Value) -> Vec<String> {
        Vec::new()
    }

    /// Where the create request of its parent may create it too.
    fn created_with_parent(&self) -> Option<&'static ParentCreate> {
        None
    }

    /// The fields that other steps may refer to.
    fn outputs(&self) -> &'static [&'static str] {
        &[]
    }

    /// The values of those fields.
    fn outputs_of(&self, live: &Value) -> Map<String, Value> {
        let outputs = self.outputs().iter();
        outputs
            .filter_map(|field| Some(((*field).to_owned(), live.get(field)?.clone())))
            .collect()
    }

    /// The value that an output will have, if it follows from the path.
    fn predict(&self, _at: &Map<String, Value>, _output: &str) -> Option<Value> {
        None
    }

    /// The outputs that are no fields of it and are read by requests of their own, for `provision output` only.
    fn derived(&self) -> &'static [&'static str] {
        &[]
    }

    /// The path, filled from `at`.
    ///
    /// # Errors
    /// The key that `at` lacks.
    fn path(&self, at: &Map<String, Value>) -> Result<String, PathError> {
        match self.template().contains("{apiVersion}") {
            true => path_template::of_object(self.template(), at),
            false => path_template::fill(self.template(), at),
        }
    }

    /// The name of what two requests must not change at the same time.
    fn lock(&self, _at: &Map<String, Value>) -> Option<String> {
        None
    }

    /// How many reads in a row must find it before other resources may rely on it.
    fn reads(&self) -> u32 {
        1
    }

    /// What it belongs to, if that may be unknown to some of Google's replicas for minutes after it was created, so that a 404 of a
    /// request that changes something passes by itself: the key of `at` with its name.
    fn late_holder(&self) -> Option<&'static str> {
        None
    }

    /// What to warn about a live resource that works and needs somebody's attention.
    fn warning(&self, _live: &Value) -> Option<String> {
        None
    }

    /// Whether Google is changing a live resource that works meanwhile: a change of ours must wait, and nothing else.
    fn is_being_changed(&self, _live: &Value) -> bool {
        false
    }

    /// The list of networks in it that `provision authorize` keeps up to date, as a path with dots.
    fn allow_list(&self) -> Option<&'static str> {
        None
    }

    /// Whether adding it where nothing exists takes nothing from others: a member of a policy, a record of a zone, a field that
    /// no field manager owns.
    fn is_shared(&self) -> bool {
        true
    }

    /// Whether its API records a field manager for each field, so that taking over fields needs --force-conflicts.
    fn has_field_managers(&self) -> bool {
        false
    }

    /// What to do if it still exists long after its deletion was requested.
    fn deletion_hint(&self) -> &'static str {
        "Google may still be working on it: run again to continue waiting"
    }

    /// What to do if it is not ready in time, or never will be.
    fn wait_hint(&self, _at: &Map<String, Value>) -> String {
        AGAIN.to_owned()
    }

    /// The hosts of the APIs that a step with this `want` enables.
    fn enables(&self, _want: &Value) -> Vec<String> {
        Vec::new()
    }

    /// The names of the parts, as the journal keeps them, if the kind is a set; otherwise none.
    fn parts(&self, _want: &Value) -> Vec<String> {
        Vec::new()
    }

    /// The names of the parts that exist.
    fn live_parts(&self, live: &Value) -> Vec<String> {
        self.parts(live)
    }

    /// The fields of `want` that `live` does not have. By default, the parts that are missing.
    fn diff(&self, want: &Value, live: &Value) -> Vec<FieldDiff> {
        let there = self.live_parts(live);
        let parts = self.parts(want).into_iter();
        parts
            .filter(|part| !there.contains(part))
            .map(FieldDiff::missing)
            .collect()
    }

    /// Whether `live` has our mark; `None` if its API has no field for one.
    fn has_our_mark(&self, _want: &Value, _live: &Value) -> Option<bool> {
        None
    }

    /// The creation time, if `live` has one and a new creation gives a new one.
    fn created<'a>(&self, _live: &'a Value) -> Option<&'a str> {
        None
    }

    /// Reads it. `want` is null if no step states it any more; `parts` are the requested parts.
    async fn look(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        want: &Value,
        parts: &[String],
    ) -> Result<Observed, ApiError>;

    /// Reads it for a step that only looks it up: where the API's own error says that it does not exist, the error is returned.
    async fn look_up(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        want: &Value,
        parts: &[String],
    ) -> Result<Observed, ApiError> {
        self.look(clients, at, want, parts).await
    }

    /// Creates it. `request` makes it safe to repeat the request, if the API accepts such an id.
    async fn create(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        want: &Value,
        request: &str,
    ) -> Result<MutationResult, ApiError>;

    /// Changes the fields that differ. By default, with the request that creates it.
    async fn update(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        want: &Value,
        _live: &Value,
        request: &str,
    ) -> Result<MutationResult, ApiError> {
        self.create(clients, at, want, request).await
    }

    /// Deletes it, or the named parts of a set. By default there is nothing to delete.
    async fn delete(
        &self,
        _clients: &Clients,
        _at: &Map<String, Value>,
        _parts: &[String],
        _request: &str,
    ) -> Result<MutationResult, ApiError> {
        Ok(MutationResult::Now)
    }

    /// The operation in progress on it: this finds a request whose answer was lost.
    async fn running(
        &self,
        _clients: &Clients,
        _at: &Map<String, Value>,
    ) -> Result<Option<Operation>, ApiError> {
        Ok(None)
    }

    /// What others left inside it and must be deleted first; only resources with the names that those others give.
    async fn leftovers(
        &self,
        _clients: &Clients,
        _at: &Map<String, Value>,
    ) -> Result<FoundLeftovers, ApiError> {
        Ok(FoundLeftovers::default())
    }

    /// What a system of Google's holds because of it, and removes by itself some time after it is deleted.
    async fn withdrawal(
        &self,
        _clients: &Clients,
        _at: &Map<String, Value>,
    ) -> Result<HeldResources, ApiError> {
        Ok(HeldResources::default())
    }

    /// The live state of a plain resource, whether it is ready or not.
    async fn read(
        &self,
        _clients: &Clients,
        _at: &Map<String, Value>,
    ) -> Result<Option<Value>, ApiError> {
        Ok(None)
    }

    /// The value of a derived output, if the kind has one with this name.
    async fn derive(
        &self,
        _clients: &Clients,
        _at: &Map<String, Value>,
        _name: &str,
    ) -> Result<Option<Value>, ApiError> {
        Ok(None)
    }

    /// The result of a check; `None` if the kind is not a check.
    async fn check(
        &self,
        _clients: &Clients,
        _at: &Map<String, Value>,
        _want: &Value,
    ) -> Option<Result<CheckResult, ApiError>> {
        None
    }

    /// The object that decides otherwise than a check expects, if it can be determined.
    async fn hint(
        &self,
        _clients: &Clients,
        _at: &Map<String, Value>,
        _want: &Value,
    ) -> Option<String> {
        None
    }
}

/// The result of reading a set: absent if it contains none of `parts`.
pub fn observed_set(spec: &dyn KindSpec, live: Option<Value>, parts: &[String]) -> Observed {
    match live {
        Some(live) if parts.is_empty() || has_any(spec, &live, parts) => Observed::Here(live),
        _ => Observed::Absent,
    }
}

fn has_any(spec: &dyn KindSpec, live: &Value, parts: &[String]) -> bool {
    spec.live_parts(live)
        .iter()
        .any(|part| parts.contains(part))
}
