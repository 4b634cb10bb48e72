//! What a wait states, as data, and how it becomes a kind of step.

use std::fmt;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

use super::clusters::Clients;
use super::object_permissions;
use super::path_template;
use super::permissions::{self, Permissions};
use super::spec::{AGAIN, Effect, KindSpec, MutationResult, Observed};
use crate::google::{Api, ApiError};

/// Decides whether the condition of a wait holds: if not, why not yet, or why never.
pub type Look = for<'a> fn(
    &'a Clients,
    &'a Map<String, Value>,
    &'a Value,
) -> BoxFuture<'a, Result<Observed, ApiError>>;

/// A kind of wait.
pub struct Wait {
    /// The name that steps use.
    pub kind: &'static str,
    /// The path below the API's base. Two waits at the same path are one, so the path names what is awaited.
    pub path: &'static str,
    /// The API that serves it, or that serves its cluster.
    pub api: Api,
    /// Further keys that `at` may have beside those of the path.
    pub optional: &'static [&'static str],
    /// What other steps may refer to.
    pub outputs: &'static [&'static str],
    /// Decides whether the condition holds.
    pub look: Look,
    /// What to warn about although the condition holds.
    pub warning: Option<fn(&Value) -> Option<String>>,
    /// What it reads.
    pub permissions: Permissions,
    /// Whether it reads the object that `at` names by `apiVersion` and `kind`, instead.
    pub is_of_object: bool,
    /// What to do if it does not hold in time: the next command, or a page of Google's; with `{x}` for values of `at`.
    pub hint: &'static str,
}

impl Wait {
    /// A wait for a condition in a cluster.
    pub const fn in_cluster(
        kind: &'static str,
        path: &'static str,
        look: Look,
        permissions: Permissions,
    ) -> Wait {
        Wait {
            kind,
            path,
            api: Api::Container,
            optional: &[],
            outputs: &[],
            look,
            warning: None,
            permissions,
            is_of_object: false,
            hint: AGAIN,
        }
    }
}

#[async_trait]
impl KindSpec for Wait {
    fn name(&self) -> &'static str {
        self.kind
    }

    fn api(&self) -> Api {
        self.api
    }

    fn template(&self) -> &'static str {
        self.path
    }

    fn effect(&self) -> Effect {
        Effect::Wait
    }

    fn permissions(&self, at: &Map<String, Value>) -> Permissions {
        match self.is_of_object {
            true => permissions::reads(object_permissions::of_object(at).read),
            false => self.permissions,
        }
    }

    fn optional_keys(&self) -> &'static [&'static str] {
        self.optional
    }

    fn is_in_cluster(&self) -> bool {
        matches!(self.api, Api::Container)
    }

    fn outputs(&self) -> &'static [&'static str] {
        self.outputs
    }

    fn warning(&self, live: &Value) -> Option<String> {
        self.warning?(live)
    }

    fn wait_hint(&self, at: &Map<String, Value>) -> String {
        // A key that `at` lacks stays as it is written.
        path_template::fill(self.hint, at).unwrap_or_else(|_| self.hint.to_owned())
    }

    async fn look(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        want: &Value,
        _parts: &[String],
    ) -> Result<Observed, ApiError> {
        (self.look)(clients, at, want).await
    }

    async fn create(
        &self,
        _clients: &Clients,
        _at: &Map<String, Value>,
        _want: &Value,
        _request: &str,
    ) -> Result<MutationResult, ApiError> {
        Err(ApiError::unsent(self.kind, "a wait changes nothing"))
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)
    }
}
