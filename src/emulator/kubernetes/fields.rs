//! Sets of fields: which leaves an object has, and how `managedFields` writes them down (FieldsV1).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::schema::{self, Shape};

/// A step on the way to a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A field by its name.
    Field(String),
    /// An item of a keyed list; the key as JSON.
    Key(String),
    /// An item of a set; the value as JSON.
    Item(String),
}

/// The way to a field.
pub type Path = Vec<Step>;

/// Some fields of an object.
pub type Set = BTreeSet<Path>;

/// The leaves of `object` and what they hold; the items of keyed lists are there too, holding null.
pub fn leaves(object: &Value, schema: &Value) -> BTreeMap<Path, Value> {
    let mut found = BTreeMap::new();
    for (name, value) in object.as_object().into_iter().flatten() {
        if !matches!(name.as_str(), "apiVersion" | "kind") {
            walk(
                schema::top(schema, name),
                value,
                &mut vec![Step::Field(name.clone())],
                &mut found,
            );
        }
    }
    found.retain(|path, _| !is_the_servers(path));
    found
}

/// Metadata without an owner.
fn is_the_servers(path: &Path) -> bool {
    const SERVERS: &[&str] = &[
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "resourceVersion",
        "generation",
        "managedFields",
        "selfLink",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generateName",
    ];
    match path.as_slice() {
        [Step::Field(metadata), Step::Field(name), ..] if metadata == "metadata" => {
            SERVERS.contains(&name.as_str())
        }
        [Step::Field(metadata)] => metadata == "metadata",
        _ => false,
    }
}

fn walk(schema: Option<&Value>, value: &Value, path: &mut Path, found: &mut BTreeMap<Path, Value>) {
    match (schema::shape(schema, value), value) {
        (Shape::Fields, Value::Object(fields)) if !fields.is_empty() => {
            for (name, value) in fields {
                path.push(Step::Field(name.clone()));
                walk(
                    schema.and_then(|schema| schema::field(schema, name)),
                    value,
                    path,
                    found,
                );
                path.pop();
            }
        }
        (Shape::Keyed(keys), Value::Array(items)) if !items.is_empty() => {
            let below = schema
                .map(schema::resolved)
                .and_then(|schema| schema.get("items"));
            for item in items {
                path.push(key_step(item, &keys));
                found.insert(path.clone(), Value::Null);
                for (name, value) in item.as_object().into_iter().flatten() {
                    path.push(Step::Field(name.clone()));
                    walk(
                        below.and_then(|schema| schema::field(schema, name)),
                        value,
                        path,
                        found,
                    );
                    path.pop();
                }
                path.pop();
            }
        }
        (Shape::Set, Value::Array(items)) if !items.is_empty() => {
            for item in items {
                path.push(Step::Item(item.to_string()));
                found.insert(path.clone(), Value::Null);
                path.pop();
            }
        }
        _ => {
            found.insert(path.clone(), value.clone());
        }
    }
}

/// The step to an item of a keyed list.
pub fn key_step(item: &Value, keys: &[String]) -> Step {
    let mut key: Vec<(String, Value)> = schema::key_of(item, keys);
    key.sort_by(|one, other| one.0.cmp(&other.0));
    Step::Key(Value::Object(key.into_iter().collect()).to_string())
}

/// A path as messages print it: `.spec.template.spec.containers[name="c"].image`.
pub fn text(path: &Path) -> String {
    path.iter()
        .map(|step| match step {
            Step::Field(name) => format!(".{name}"),
            Step::Item(value) => format!("[={value}]"),
            Step::Key(key) => {
                let key: Map<String, Value> = serde_json::from_str(key).unwrap_or_default();
                let parts: Vec<String> = key
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                format!("[{}]", parts.join(","))
            }
        })
        .collect()
}

/// A set as FieldsV1: `{"f:spec": {"f:replicas": {}}}`.
pub fn printed(set: &Set) -> Value {
    let mut root = json!({});
    for path in set {
        let mut at = &mut root;
        for step in path {
            let name = match step {
                Step::Field(name) => format!("f:{name}"),
                Step::Key(key) => format!("k:{key}"),
                Step::Item(value) => format!("v:{value}"),
            };
            at = &mut at[name];
            if at.is_null() {
                *at = json!({});
            }
        }
        if matches!(path.last(), Some(Step::Key(_))) {
            at["."] = json!({});
        }
    }
    root
}

/// The set that a FieldsV1 writes down.
pub fn read(fields: &Value) -> Set {
    let mut found = Set::new();
    collect(fields, &mut Vec::new(), &mut found);
    found
}

fn collect(fields: &Value, path: &mut Path, found: &mut Set) {
    let below = fields.as_object();
    if below.is_none_or(Map::is_empty) {
        if !path.is_empty() {
            found.insert(path.clone());
        }
        return;
    }
    for (name, below) in below.into_iter().flatten() {
        let step = match name.split_once(':') {
            Some(("f", name)) => Step::Field(name.to_owned()),
            Some(("k", key)) => Step::Key(key.to_owned()),
            Some(("v", value)) => Step::Item(value.to_owned()),
            _ => {
                found.insert(path.clone());
                continue;
            }
        };
        path.push(step);
        collect(below, path, found);
        path.pop();
    }
}

/// Takes the field out of the object, and the objects that are empty without it.
pub fn remove(object: &mut Value, path: &[Step]) {
    let Some((step, rest)) = path.split_first() else {
        return;
    };
    match (step, object) {
        (Step::Field(name), Value::Object(fields)) => {
            let Some(below) = fields.get_mut(name) else {
                return;
            };
            if !rest.is_empty() {
                remove(below, rest);
                let emptied = below.as_object().is_some_and(Map::is_empty)
                    || below.as_array().is_some_and(Vec::is_empty);
                if !emptied {
                    return;
                }
            }
            // Not `remove`: the order of the fields that stay is kept.
            fields.shift_remove(name);
        }
        (Step::Key(key), Value::Array(items)) => {
            let key: Map<String, Value> = serde_json::from_str(key).unwrap_or_default();
            let keys: Vec<String> = key.keys().cloned().collect();
            let wanted = |item: &Value| {
                schema::key_of(item, &keys)
                    .into_iter()
                    .collect::<Map<_, _>>()
                    == key
            };
            if rest.is_empty() {
                items.retain(|item| !wanted(item));
            } else if let Some(item) = items.iter_mut().find(|item| wanted(item)) {
                remove(item, rest);
            }
        }
        (Step::Item(value), Value::Array(items)) => {
            let gone: Value = serde_json::from_str(value).unwrap_or_default();
            items.retain(|item| *item != gone);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_reads_as_it_prints_and_paths_are_told_as_kubernetes_tells_them() {
        let schema = json!({"$ref": "io.k8s.api.core.v1.Service"});
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "labels": {"istio.io/rev": "x"}},
            "spec": {"selector": {"app": "a"}, "ports": [{"port": 80, "name": "http"}]}});
        let set: Set = leaves(&service, &schema).into_keys().collect();
        let told: Vec<String> = set.iter().map(text).collect();
        assert_eq!(
            told,
            [
                ".metadata.labels.istio.io/rev",
                ".spec.ports[port=80,protocol=\"TCP\"]",
                ".spec.ports[port=80,protocol=\"TCP\"].name",
                ".spec.ports[port=80,protocol=\"TCP\"].port",
                ".spec.selector",
            ]
        );
        assert_eq!(read(&printed(&set)), set);
        let item = "k:{\"port\":80,\"protocol\":\"TCP\"}";
        assert_eq!(
            printed(&set)["f:spec"]["f:ports"][item],
            json!({".": {}, "f:name": {}, "f:port": {}})
        );
    }

    #[test]
    fn what_is_empty_without_a_field_goes_with_it() {
        let mut object = json!({"metadata": {"name": "a", "labels": {"b": "c"}}});
        let labels = [
            Step::Field("metadata".into()),
            Step::Field("labels".into()),
            Step::Field("b".into()),
        ];
        remove(&mut object, &labels);
        assert_eq!(object, json!({"metadata": {"name": "a"}}));
    }
}
