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
use crate::kinds::path_template;
use crate::kinds::permissions::{self, Permissions};
use crate::kinds::spec::{Effect, KindSpec, MutationResult, Observed};

/// The time limit of one command in a pod. curl needs two minutes for a request that a firewall drops.
pub(super) const WITHIN: Duration = Duration::from_secs(150);

/// The field that names what a check needs and only a cluster of Google's has.
pub(super) const ONLY_GKE: &str = "only_gke";

/// The path of a cluster. The path of every check begins with it.
macro_rules! in_cluster {
    ($rest:literal) => {
        concat!(
            "projects/{project}/locations/{location}/clusters/{cluster}/",
            $rest
        )
    };
}
pub(super) use in_cluster;

/// Decides whether a check holds.
pub(super) type Look =
    for<'a> fn(&'a CheckTarget<'a>, &'a Value) -> BoxFuture<'a, Result<CheckResult, ApiError>>;
/// Names what decides otherwise than a check expects; `None` if that cannot be determined.
pub(super) type Hint =
    for<'a> fn(&'a Clients, &'a Map<String, Value>, &'a Value) -> BoxFuture<'a, Option<String>>;

/// A kind of check.
pub struct Check {
    /// The name that steps use.
    pub kind: &'static str,
    /// The path of what is checked; its keys are those that `at` must have.
    pub path: &'static str,
    /// Further keys that `at` may have.
    pub optional: &'static [&'static str],
    /// The fields that `want` may have.
    pub fields: &'static [&'static str],
    pub(super) look: Look,
    pub(super) hint: Option<Hint>,
}

/// What a check needs and only a cluster of Google's has, in the words of its step; `None` if any cluster will do. Pure.
pub fn only_gke(want: &Value) -> Option<&str> {
    want.get(ONLY_GKE)?.as_str()
}

/// The cluster that a check inspects, and the place in it.
pub struct CheckTarget<'a> {
    pub(super) cluster: ClusterClient,
    pub(super) at: &'a Map<String, Value>,
}

impl CheckTarget<'_> {
    /// The text of `at` under a key. The keys are validated when the steps are loaded.
    pub(super) fn text(&self, key: &str) -> &str {
        self.at.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}

impl Check {
    /// Decides whether the check holds. A pod that does not exist is not an error: the check does not hold.
    ///
    /// # Errors
    /// Google or the cluster does not answer, or denies access.
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

    fn permissions(&self, _at: &Map<String, Value>) -> Permissions {
        permissions::CHECK
    }

    fn optional_keys(&self) -> &'static [&'static str] {
        self.optional
    }

    fn fields(&self) -> Option<&'static [&'static str]> {
        Some(self.fields)
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
