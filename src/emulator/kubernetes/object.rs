//! Objects as JSON: what all kinds have in common when they are read, changed and printed.

use serde_json::{Map, Value, json};

use super::resource::Resource;

/// An object as clients get it: with its version and kind, and with references in schemas resolved.
pub fn printed(resource: &Resource, version: &str, object: &Value) -> Value {
    let mut printed = Map::new();
    printed.insert(
        "apiVersion".to_owned(),
        json!(resource.api_version(version)),
    );
    printed.insert("kind".to_owned(), json!(resource.kind));
    printed.extend(object.as_object().cloned().unwrap_or_default());
    let mut printed = Value::Object(printed);
    if resource.kind == "CustomResourceDefinition" {
        for version in printed["spec"]["versions"]
            .as_array_mut()
            .into_iter()
            .flatten()
        {
            let schema = &mut version["schema"]["openAPIV3Schema"];
            *schema = super::schema::resolved(schema).clone();
        }
    }
    printed
}

/// The references to the owners of an object.
pub fn owners(object: &Value) -> impl Iterator<Item = &Value> {
    object["metadata"]["ownerReferences"]
        .as_array()
        .into_iter()
        .flatten()
}

/// Whether the object is being deleted and nothing delays its removal any more.
pub fn is_over(object: &Value) -> bool {
    let none = |list: &Value| list.as_array().is_none_or(Vec::is_empty);
    object["metadata"].get("deletionTimestamp").is_some()
        && none(&object["metadata"]["finalizers"])
        && none(&object["spec"]["finalizers"])
        // A pod with a grace period goes when its containers have stopped.
        && object["metadata"]["deletionGracePeriodSeconds"].as_u64().unwrap_or(0) == 0
}

/// Removes fields, if they are there.
pub fn forget(object: &mut Value, names: &[&str]) {
    if let Some(fields) = object.as_object_mut() {
        for name in names {
            fields.shift_remove(*name);
        }
    }
}

/// A text without its quotes; any other value as JSON.
pub fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
