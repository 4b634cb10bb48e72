//! The fields and types of an object against the published schema, as server-side apply checks them before anything else
//! (`sigs.k8s.io/structured-merge-diff`, typed validation).
//!
//! Null is a value of any type. Numbers are not told apart: a fraction in an integer's place is found later, by the decoder of a
//! built-in kind or by a definition's schema. Paths name the entries of a keyed list by their keys.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::at::Path;
use crate::fault::{Fault, Reason};
use crate::kind::Kind;
use crate::refusal::Refusal;
use crate::schema::{self, Shape};

/// What the API server answers if the object does not have the form of its kind.
pub fn refusal(kind: &Kind<'_>, object: &Value) -> Option<Refusal> {
    let faults = faults(kind, object);
    (!faults.is_empty()).then(|| Refusal::untyped(kind, object, faults))
}

/// What of the object does not have the form of its kind.
pub fn faults(kind: &Kind<'_>, object: &Value) -> Vec<Fault> {
    let mut found = Vec::new();
    let whole = schema::resolved(kind.schema);
    for (name, value) in object.as_object().into_iter().flatten() {
        if matches!(name.as_str(), "apiVersion" | "kind") {
            continue;
        }
        let place = Place::default().field(name);
        match schema::top(kind.schema, name) {
            Some(below) => walk(below, value, &place, &mut found),
            None if is_open(whole) => {}
            None => found.push(undeclared(whole, name, &place)),
        }
    }
    found
}

/// Where a value is: its path, and the path as this layer prints it.
#[derive(Default)]
struct Place {
    path: Path,
    told: String,
}

impl Place {
    fn field(&self, name: &str) -> Place {
        Place {
            path: self.path.field(name),
            told: format!("{}.{name}", self.told),
        }
    }

    fn item(&self, index: usize, told: &str) -> Place {
        Place {
            path: self.path.item(index),
            told: format!("{}[{told}]", self.told),
        }
    }

    fn fault(&self, reason: Reason, message: String) -> Fault {
        let mut fault = Fault::new(&self.path, reason, message);
        fault.field.clone_from(&self.told);
        fault
    }
}

fn walk(schema: &Value, value: &Value, place: &Place, found: &mut Vec<Fault>) {
    let schema = schema::resolved(schema);
    if value.is_null() {
        return;
    }
    let scalars = schema["x-kubernetes-int-or-string"] == true || schema.get("oneOf").is_some();
    match schema["type"].as_str() {
        Some("array") => match value {
            Value::Array(items) => list(schema, items, place, found),
            _ => found.push(unexpected("list", value, place)),
        },
        Some("object") => match value {
            Value::Object(fields) => map(schema, fields, place, found),
            _ => found.push(unexpected("map", value, place)),
        },
        Some("string") if !value.is_string() => found.push(unexpected("string", value, place)),
        Some("boolean") if !value.is_boolean() => found.push(unexpected("boolean", value, place)),
        Some("integer" | "number") if !value.is_number() => {
            found.push(unexpected("numeric (int or float)", value, place));
        }
        None if scalars && (value.is_array() || value.is_object()) => {
            found.push(unexpected("scalar", value, place));
        }
        _ => {}
    }
}

fn map(
    schema: &Value,
    fields: &serde_json::Map<String, Value>,
    place: &Place,
    found: &mut Vec<Fault>,
) {
    for (name, value) in fields {
        let place = place.field(name);
        match schema::field(schema, name) {
            Some(below) => walk(below, value, &place, found),
            None if is_open(schema) => {}
            None => found.push(undeclared(schema, name, &place)),
        }
    }
}

fn list(schema: &Value, items: &[Value], place: &Place, found: &mut Vec<Fault>) {
    let below = &schema["items"];
    let shape = schema::shape(Some(schema), &Value::Array(Vec::new()));
    let mut seen = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let told = match &shape {
            Shape::Keyed(keys) if item.is_object() => match key(below, item, keys) {
                Some(key) => key,
                None => {
                    let keys: Vec<String> = keys.iter().map(|key| format!("{key:?}")).collect();
                    found.push(Fault {
                        path: place.path.item(index),
                        ..place.fault(
                            Reason::Required,
                            format!(
                                "element {index}: associative list with keys has an element that omits all key fields [{}] (and doesn't have default values for any key fields)",
                                keys.join(" ")
                            ),
                        )
                    });
                    continue;
                }
            },
            Shape::Set => format!("={item}"),
            _ => {
                walk(below, item, &place.item(index, &index.to_string()), found);
                continue;
            }
        };
        if !seen.insert(told.clone()) {
            found.push(Fault {
                path: place.path.item(index),
                ..place.fault(
                    Reason::Duplicate,
                    format!("duplicate entries for key [{told}]"),
                )
            });
            continue;
        }
        walk(below, item, &place.item(index, &told), found);
    }
}

/// The key of an entry as paths print it: `name="app"`. None if it has nothing of its key.
///
/// A built-in kind's required text or number has a default, which is empty, and a protocol is TCP.
fn key(schema: &Value, item: &Value, keys: &[String]) -> Option<String> {
    let resolved = schema::resolved(schema);
    let built_in = schema.get("$ref").is_some();
    let required = |key: &str| {
        resolved["required"]
            .as_array()
            .is_some_and(|required| required.contains(&Value::from(key)))
    };
    let parts: Vec<String> = keys
        .iter()
        .filter_map(|key| {
            let default = || {
                let kind = &resolved["properties"][key]["type"];
                let fixed = &resolved["properties"][key]["default"];
                match () {
                    () if !fixed.is_null() => Some(fixed.clone()),
                    () if built_in && key == "protocol" => Some(Value::from("TCP")),
                    () if built_in && required(key) && *kind == "string" => Some(Value::from("")),
                    () if built_in && required(key) => Some(Value::from(0)),
                    () => None,
                }
            };
            let value = item.get(key).filter(|value| !value.is_null()).cloned();
            Some(format!("{key}={}", value.or_else(default)?))
        })
        .collect();
    (!parts.is_empty()).then(|| parts.join(","))
}

/// Whether anything may be in such an object.
fn is_open(schema: &Value) -> bool {
    schema["x-kubernetes-preserve-unknown-fields"] == true
        || (schema.get("properties").is_none() && schema.get("additionalProperties").is_none())
}

/// A field that the schema does not have, with the nearest that it has.
fn undeclared(schema: &Value, name: &str, place: &Place) -> Fault {
    let known = schema["properties"].as_object().into_iter().flatten();
    let always = ["metadata"]
        .into_iter()
        .filter(|_| place.told.matches('.').count() == 1);
    place
        .fault(Reason::Unknown, "field not declared in schema".to_owned())
        .meant(name, known.map(|(name, _)| name.as_str()).chain(always))
}

fn unexpected(wanted: &str, value: &Value, place: &Place) -> Fault {
    let message = match (wanted, value) {
        ("numeric (int or float)", Value::String(_)) => format!("expected {wanted}, got string"),
        ("boolean", Value::String(text)) => format!("expected {wanted}, got &{{{text}}}"),
        ("string", value) => {
            format!("expected {wanted}, got &value.valueUnstructured{{Value:{value}}}")
        }
        (_, value) => format!("expected {wanted}, got &{{{value}}}"),
    };
    place.fault(Reason::TypeInvalid, message)
}
