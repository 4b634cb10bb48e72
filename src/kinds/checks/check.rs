//! What a check states, as data, and how it becomes a kind of step.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

use super::result::CheckResult;
use crate::cluster::ClusterClient;
use crate::google::{Api, ApiError};
use crate::kinds::clusters::Clients;
use crate::kinds::clusters::{self, connect};
use crate::kinds::path_template::{self, PathError};
use crate::kinds::spec::{Effect, KindSpec, MutationResult, Observed};

/// How long one command in a pod may take: a request that a firewall drops takes curl two minutes.
pub(super) const WITHIN: Duration = Duration::from_secs(150);

/// The field that says what a check needs that only a cluster of Google has.
pub(super) const ONLY_GKE: &str = "only_gke";

/// The path of a cluster, with which the path of every check begins.
macro_rules! in_cluster {
    ($rest:literal) => {
        concat!(
            "projects/{project}/locations/{location}/clusters/{cluster}/",
            $rest
        )
    };
}
pub(super) use in_cluster;

/// Looks whether a check holds.
pub(super) type Look =
    for<'a> fn(&'a CheckTarget<'a>, &'a Value) -> BoxFuture<'a, Result<CheckResult, ApiError>>;
/// Says what decides otherwise than a check expects; none where that cannot be said.
pub(super) type Hint =
    for<'a> fn(&'a Clients, &'a Map<String, Value>, &'a Value) -> BoxFuture<'a, Option<String>>;

/// A kind of check.
pub struct Check {
    /// The name that steps use.
    pub kind: &'static str,
    /// What it is about; the keys are those that `at` has.
    pub path: &'static str,
    /// Keys that `at` may have beside those.
    pub optional: &'static [&'static str],
    /// The fields that `want` may have.
    pub fields: &'static [&'static str],
    pub(super) look: Look,
    pub(super) hint: Option<Hint>,
}

/// What a check needs that only a cluster of Google has, in its step's words; none where any cluster will do. Pure.
pub fn only_gke(want: &Value) -> Option<&str> {
    want.get(ONLY_GKE)?.as_str()
}

/// The cluster that a check looks at, and the place in it.
pub struct CheckTarget<'a> {
    pub(super) cluster: ClusterClient,
    pub(super) at: &'a Map<String, Value>,
}

impl CheckTarget<'_> {
    /// The text of `at` under a key; its keys are checked when steps are loaded.
    pub(super) fn text(&self, key: &str) -> &str {
        self.at.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}

impl Check {
    /// Looks whether the check holds. A pod that does not exist is no error: the check does not hold.
    ///
    /// # Errors
    /// Google or the cluster does not answer, or forbids.
    async fn result(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        want: &Value,
    ) -> Result<CheckResult, ApiError> {
        let Some(cluster) = connect(clients, at).await? else {
            let path = path_template::path(clusters::PATH, at)?;
            let seen = format!("{path} not found");
            return Ok(CheckResult::not("a cluster".to_owned(), seen));
        };
        (self.look)(&CheckTarget { cluster, at }, want).await
    }
}

#[async_trait]
impl KindSpec for Check {
    fn name(&self) -> &'static str {
        self.kind
    }

    fn api(&self) -> Api {
        Api::Container
    }

    fn template(&self) -> &'static str {
        self.path
    }

    fn effect(&self) -> Effect {
        Effect::Check
    }

    fn optional_keys(&self) -> &'static [&'static str] {
        self.optional
    }

    fn fields(&self) -> Option<&'static [&'static str]> {
        Some(self.fields)
    }

    fn path(&self, at: &Map<String, Value>) -> Result<String, PathError> {
        match self.path.contains("{apiVersion}") {
            true => path_template::of_object(self.path, at),
            false => path_template::fill(self.path, at),
        }
    }

    async fn look(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        want: &Value,
        _parts: &[String],
    ) -> Result<Observed, ApiError> {
        let result = self.result(clients, at, want).await?;
        Ok(match result.holds {
            true => Observed::Here(result.seen.into()),
            false => Observed::Settling(result.seen),
        })
    }

    async fn create(
        &self,
        _clients: &Clients,
        _at: &Map<String, Value>,
        _want: &Value,
        _request: &str,
    ) -> Result<MutationResult, ApiError> {
        Err(ApiError::unsent(self.kind, "a check changes nothing"))
    }

    async fn check(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        want: &Value,
    ) -> Option<Result<CheckResult, ApiError>> {
        Some(self.result(clients, at, want).await)
    }

    async fn hint(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        want: &Value,
    ) -> Option<String> {
        self.hint?(clients, at, want).await
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)
    }
}
