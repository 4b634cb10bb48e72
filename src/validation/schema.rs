//! Schemas: Kubernetes' own for the built-in kinds, Istio's for the mesh's, and those that definitions bring along.
//!
//! A schema is JSON as the API description has it; `{"$ref": name}` stands for one of the tables in fixtures/kubernetes/.

use std::sync::LazyLock;

use serde_json::{Map, Value};

static BUILT_IN: LazyLock<Value> =
    LazyLock::new(|| parsed(include_str!("../../fixtures/kubernetes/schemas.json")));
static ISTIO: LazyLock<Value> =
    LazyLock::new(|| parsed(include_str!("../../fixtures/kubernetes/istio.json")));

/// The table is part of the program, and a test reads all of it.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// The schemas of the built-in kinds and of their parts, by name.
pub fn built_in() -> &'static Value {
    &BUILT_IN
}

/// The mesh's definitions, by name (`sidecars.networking.istio.io`), reduced to what differs between them.
pub fn istio() -> &'static Map<String, Value> {
    static NONE: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
    ISTIO.as_object().unwrap_or(&NONE)
}

/// The metadata that every object has.
pub const METADATA: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// The schema that a reference stands for; any other schema is itself.
pub fn resolved(schema: &Value) -> &Value {
    let Some(name) = schema["$ref"].as_str() else {
        return schema;
    };
    match name.strip_prefix("istio/") {
        Some(name) => &ISTIO[name]["schema"],
        None => &BUILT_IN[name],
    }
}

/// The schema of a field of an object, if it is known.
pub fn field<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    let schema = resolved(schema);
    schema["properties"].get(name).or_else(|| {
        schema
            .get("additionalProperties")
            .filter(|below| below.is_object())
    })
}

/// The schema of a field at the top of an object: custom kinds leave metadata to the server.
pub fn top<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    static METADATA_REF: LazyLock<Value> = LazyLock::new(|| serde_json::json!({"$ref": METADATA}));
    if name == "metadata" {
        return Some(&METADATA_REF);
    }
    field(schema, name)
}

/// How a value is merged and owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// An object, field by field.
    Fields,
    /// A list of objects with these fields as key.
    Keyed(Vec<String>),
    /// A list without duplicates.
    Set,
    /// As a whole.
    Whole,
}

/// How `value` is merged and owned under `schema`.
pub fn shape(schema: Option<&Value>, value: &Value) -> Shape {
    let schema = schema.map_or(&Value::Null, resolved);
    match value {
        Value::Object(_) if schema["x-kubernetes-map-type"] == "atomic" => Shape::Whole,
        Value::Object(_) => Shape::Fields,
        Value::Array(_) => match schema["x-kubernetes-list-type"].as_str() {
            Some("map") => {
                let keys = schema["x-kubernetes-list-map-keys"]
                    .as_array()
                    .into_iter()
                    .flatten();
                Shape::Keyed(keys.filter_map(Value::as_str).map(str::to_owned).collect())
            }
            Some("set") => Shape::Set,
            _ => Shape::Whole,
        },
        _ => Shape::Whole,
    }
}

/// The key of an item of a keyed list. The default protocol of a port is TCP.
pub fn key_of(item: &Value, keys: &[String]) -> Vec<(String, Value)> {
    keys.iter()
        .filter_map(|key| match item.get(key) {
            Some(value) => Some((key.clone(), value.clone())),
            None if key == "protocol" => Some((key.clone(), Value::from("TCP"))),
            None => None,
        })
        .collect()
}

/// The names of all schemas that `schema` reaches.
pub fn reached(schema: &Value, into: &mut std::collections::BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(name) = fields.get("$ref").and_then(Value::as_str)
                && into.insert(name.to_owned())
            {
                reached(resolved(schema), into);
            }
            fields.values().for_each(|below| reached(below, into));
        }
        Value::Array(items) => items.iter().for_each(|item| reached(item, into)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reference_leads_somewhere() {
        let mut names = BTreeSet::new();
        reached(built_in(), &mut names);
        assert!(names.len() > 200, "{}", names.len());
        for name in names {
            assert!(built_in().get(&name).is_some(), "{name}");
        }
        assert_eq!(istio().len(), 15);
    }

    #[test]
    fn ports_are_told_apart_by_number_and_protocol() {
        let spec =
            resolved(&built_in()["io.k8s.api.core.v1.Service"])["properties"]["spec"].clone();
        let ports = field(&spec, "ports").unwrap();
        let shape = shape(Some(ports), &serde_json::json!([]));
        assert_eq!(
            shape,
            Shape::Keyed(vec!["port".to_owned(), "protocol".to_owned()])
        );
    }
}
