//! What the server knows of a kind of object, built-in or defined by a CustomResourceDefinition.

use serde_json::Value;

use super::kinds::{self, Verbs};
use super::store::Store;

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
    /// What can be done with it.
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

/// Every kind that is served now.
pub fn all(store: &Store) -> Vec<Resource> {
    let mut found = kinds::built_in();
    let definitions = store.list("customresourcedefinitions.apiextensions.k8s.io/");
    found.extend(
        definitions
            .into_iter()
            .filter_map(|(_, definition)| custom(definition)),
    );
    found
}

/// The kind at `group/version/plural`.
pub fn find(store: &Store, group: &str, version: &str, plural: &str) -> Option<Resource> {
    let here = |one: &Resource| {
        one.group == group
            && one.plural == plural
            && one.versions.iter().any(|served| served == version)
    };
    all(store).into_iter().find(here)
}

/// The kind that `group/version/kind` names.
pub fn of_kind(store: &Store, group: &str, kind: &str) -> Option<Resource> {
    all(store)
        .into_iter()
        .find(|one| one.group == group && one.kind == kind)
}

/// The kind that a CustomResourceDefinition defines, once it is established.
fn custom(definition: &Value) -> Option<Resource> {
    let spec = &definition["spec"];
    let established = definition["status"]["conditions"]
        .as_array()?
        .iter()
        .any(|condition| condition["type"] == "Established" && condition["status"] == "True");
    let served: Vec<&Value> = spec["versions"]
        .as_array()?
        .iter()
        .filter(|version| version["served"] == true)
        .collect();
    let first = *served.first()?;
    if !established {
        return None;
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let texts = |value: &Value| {
        value
            .as_array()
            .into_iter()
            .flatten()
            .map(text)
            .collect::<Vec<_>>()
    };
    let names = &spec["names"];
    let mut versions: Vec<String> = served
        .iter()
        .map(|version| text(&version["name"]))
        .collect();
    versions.sort_by_key(|version| priority(version));
    let columns = first["additionalPrinterColumns"]
        .as_array()
        .into_iter()
        .flatten();
    let below = first["subresources"].as_object().into_iter().flatten();
    Some(Resource {
        group: text(&spec["group"]),
        versions,
        kind: text(&names["kind"]),
        plural: text(&names["plural"]),
        singular: text(&names["singular"]),
        short: texts(&names["shortNames"]),
        categories: texts(&names["categories"]),
        namespaced: spec["scope"] == "Namespaced",
        verbs: Verbs::All,
        subresources: below.map(|(name, _)| name.clone()).collect(),
        counted: true,
        custom: true,
        schema: first["schema"]["openAPIV3Schema"].clone(),
        columns: columns
            .map(|column| Column {
                name: text(&column["name"]),
                kind: text(&column["type"]),
                path: text(&column["jsonPath"]),
            })
            .collect(),
    })
}

/// Kubernetes prefers stable versions, then beta, then alpha, and the higher number of each.
fn priority(version: &str) -> (u8, std::cmp::Reverse<u32>, std::cmp::Reverse<u32>) {
    let rest = version.strip_prefix('v').unwrap_or(version);
    let number = |text: &str| std::cmp::Reverse(text.parse().unwrap_or(0));
    for (rank, word) in [(1, "beta"), (2, "alpha")] {
        if let Some((major, minor)) = rest.split_once(word) {
            return (rank, number(major), number(minor));
        }
    }
    (0, number(rest), number(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_preferred_as_kubernetes_prefers_them() {
        let mut versions = ["v1alpha3", "v2", "v1", "v1beta1", "v1beta2", "v10"];
        versions.sort_by_key(|version| priority(version));
        assert_eq!(
            versions,
            ["v10", "v2", "v1", "v1beta2", "v1beta1", "v1alpha3"]
        );
    }
}
