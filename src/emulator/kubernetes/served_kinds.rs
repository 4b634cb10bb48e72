//! The kinds that a cluster serves now: the built-in ones, and those that its CustomResourceDefinitions define.

use serde_json::Value;

use super::kinds;
use super::resource::{Column, Resource, Verbs};
use super::store::Store;

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
