//! What the server knows of a kind of object, built-in or defined by a CustomResourceDefinition.

use serde_json::Value;

/// The verbs that a kind supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbs {
    /// Everything.
    All,
    /// Only POST, and nothing is stored: reviews.
    Review,
}

/// A column that a CustomResourceDefinition adds to `kubectl get`.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its heading.
    pub name: String,
    /// `string`, `date`, …
    pub kind: String,
    /// Where its value is: `.spec.hosts`.
    pub path: String,
}

/// A kind of object and how it is served.
#[derive(Debug, Clone)]
pub struct Resource {
    /// The API group; empty for the core.
    pub group: String,
    /// The versions it is served in, the preferred one first. All have one schema.
    pub versions: Vec<String>,
    /// `Deployment`.
    pub kind: String,
    /// `deployments`.
    pub plural: String,
    /// `deployment`.
    pub singular: String,
    /// What kubectl also calls it.
    pub short: Vec<String>,
    /// `all`, `istio-io`.
    pub categories: Vec<String>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// The verbs that it supports.
    pub verbs: Verbs,
    /// `status`, `scale`, `log`, `exec`.
    pub subresources: Vec<String>,
    /// Whether `metadata.generation` counts its changes.
    pub counted: bool,
    /// Whether a CustomResourceDefinition made it.
    pub custom: bool,
    /// Its schema, maybe a reference.
    pub schema: Value,
    /// Its own columns.
    pub columns: Vec<Column>,
}

impl Resource {
    /// `deployments.apps`, or `pods`: how messages and keys name it.
    pub fn full(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// `apps/v1`, or `v1`.
    pub fn api_version(&self, version: &str) -> String {
        api_version(&self.group, version)
    }

    /// `Deployment.apps`, or `Pod`: how a refusal of an object names its kind.
    pub fn kind_full(&self) -> String {
        if self.group.is_empty() {
            self.kind.clone()
        } else {
            format!("{}.{}", self.kind, self.group)
        }
    }

    /// The prefix of the keys of its objects, in one namespace or in all.
    pub fn prefix(&self, namespace: Option<&str>) -> String {
        match namespace {
            Some(namespace) => format!("{}/{namespace}/", self.full()),
            None => format!("{}/", self.full()),
        }
    }

    /// The key of one of its objects.
    pub fn key(&self, namespace: &str, name: &str) -> String {
        key(&self.full(), namespace, name)
    }

    /// Whether it has this subresource.
    pub fn has(&self, subresource: &str) -> bool {
        self.subresources.iter().any(|one| one == subresource)
    }
}

/// `apps/v1`, or `v1` for the core.
pub fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

/// The key of an object: `pods/team-x/test`; `namespaces//team-x` for one without a namespace.
pub fn key(full: &str, namespace: &str, name: &str) -> String {
    format!("{full}/{namespace}/{name}")
}
