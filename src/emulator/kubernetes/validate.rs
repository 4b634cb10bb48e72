//! An object against its schema: unknown fields, values of the wrong type, and the schema's requirements.
//!
//! Built-in kinds are refused where the real server's decoder stops; custom kinds with the texts of its schema validation.
//! Rules in CEL are not evaluated.

use serde_json::Value;

use super::resource::Resource;
use super::schema;
use super::status::{Cause, Status};

/// The fields of `object` that its kind does not have: `spec.replicaz`, `spec.ports[0].nam`.
pub fn unknown(resource: &Resource, object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (name, value) in object.as_object().into_iter().flatten() {
        match name.as_str() {
            "apiVersion" | "kind" => {}
            _ => match schema::top(&resource.schema, name) {
                Some(below) => unknown_fields(below, value, name, &mut found),
                None if is_open(schema::resolved(&resource.schema)) => {}
                None => found.push(name.clone()),
            },
        }
    }
    found
}

/// Whether anything may be in such an object.
fn is_open(schema: &Value) -> bool {
    schema["x-kubernetes-preserve-unknown-fields"] == true || schema.get("properties").is_none()
}

fn unknown_fields(schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    let schema = schema::resolved(schema);
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = format!("{path}.{name}");
                match schema::field(schema, name) {
                    Some(below) => unknown_fields(below, value, &path, found),
                    None if is_open(schema) => {}
                    None => found.push(path),
                }
            }
        }
        Value::Array(items) => {
            let below = schema.get("items").unwrap_or(&Value::Null);
            for (at, item) in items.iter().enumerate() {
                unknown_fields(below, item, &format!("{path}[{at}]"), found);
            }
        }
        _ => {}
    }
}

/// `object` without the fields that its kind does not have.
pub fn pruned(resource: &Resource, mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        let open = is_open(schema::resolved(&resource.schema));
        fields.retain(|name, _| {
            open || matches!(name.as_str(), "apiVersion" | "kind")
                || schema::top(&resource.schema, name).is_some()
        });
        for (name, value) in fields.iter_mut() {
            if let Some(below) = schema::top(&resource.schema, name) {
                prune(below, value);
            }
        }
    }
    object
}

fn prune(schema: &Value, value: &mut Value) {
    let schema = schema::resolved(schema);
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| is_open(schema) || schema::field(schema, name).is_some());
            for (name, value) in fields.iter_mut() {
                if let Some(below) = schema::field(schema, name) {
                    prune(below, value);
                }
            }
        }
        Value::Array(items) => {
            if let Some(below) = schema.get("items") {
                items.iter_mut().for_each(|item| prune(below, item));
            }
        }
        _ => {}
    }
}

/// Whether every value is of its kind and what is required is there; status is the server's own and not judged.
///
/// # Errors
/// 400 for a built-in kind that cannot be decoded, 422 otherwise.
pub fn check(resource: &Resource, version: &str, object: &Value) -> Result<(), Status> {
    let mut causes = Vec::new();
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    for (field, value) in object.as_object().into_iter().flatten() {
        if matches!(field.as_str(), "apiVersion" | "kind" | "status") {
            continue;
        }
        let Some(below) = schema::top(&resource.schema, field) else {
            continue;
        };
        if !resource.custom || field == "metadata" {
            decoded(below, value, &resource.kind, field).map_err(|what| {
                let kind = &resource.kind;
                Status::bad_request(format!(
                    "{kind} in version {version:?} cannot be handled as a {kind}: {what}"
                ))
            })?;
        }
        judge(below, value, field, resource.custom, &mut causes);
    }
    let whole = schema::resolved(&resource.schema);
    let required = whole["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    for field in required
        .filter(|field| *field != "metadata" && object.get(field).is_none_or(Value::is_null))
    {
        causes.push(Cause::required(field, ""));
    }
    if causes.is_empty() {
        Ok(())
    } else {
        Err(Status::invalid(resource, name, &causes))
    }
}

/// A value that Go would not decode, as in `encoding/json`'s UnmarshalTypeError.
#[derive(Debug, thiserror::Error)]
#[error("json: cannot unmarshal {found} into Go struct field {field} of type {wanted}")]
struct UnmarshalTypeError {
    /// What stands there: `string`.
    found: &'static str,
    /// The field behind the type that it belongs to: `Deployment.spec.replicas`.
    field: String,
    /// The Go type that is wanted: `int32`.
    wanted: String,
}

/// Whether Go would decode the value.
fn decoded(
    schema: &Value,
    value: &Value,
    owner: &str,
    path: &str,
) -> Result<(), UnmarshalTypeError> {
    let name = schema["$ref"]
        .as_str()
        .and_then(|name| name.rsplit('.').next());
    let schema = schema::resolved(schema);
    let found = match value {
        Value::Null => return Ok(()),
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let (fits, wanted) = match schema["type"].as_str() {
        Some("string") => (found == "string", "string".to_owned()),
        Some("boolean") => (found == "bool", "bool".to_owned()),
        Some("integer") => (
            value.is_i64() || value.is_u64(),
            schema["format"].as_str().unwrap_or("int64").to_owned(),
        ),
        Some("array") => (found == "array", format!("[]{}", go_type(&schema["items"]))),
        Some("object") => (
            found == "object",
            name.map_or("map[string]string".to_owned(), |name| format!("v1.{name}")),
        ),
        _ => (true, String::new()),
    };
    if !fits {
        return Err(UnmarshalTypeError {
            found,
            field: format!("{owner}.{path}"),
            wanted,
        });
    }
    let owner = name.unwrap_or(owner);
    match value {
        Value::Object(fields) => {
            fields
                .iter()
                .try_for_each(|(field, value)| match schema::field(schema, field) {
                    Some(below) => decoded(below, value, owner, &format!("{path}.{field}")),
                    None => Ok(()),
                })
        }
        Value::Array(items) => items
            .iter()
            .try_for_each(|item| decoded(&schema["items"], item, owner, path)),
        _ => Ok(()),
    }
}

fn go_type(schema: &Value) -> String {
    match schema["$ref"]
        .as_str()
        .and_then(|name| name.rsplit('.').next())
    {
        Some(name) => format!("v1.{name}"),
        None => schema["type"].as_str().unwrap_or("interface {}").to_owned(),
    }
}

/// Collects what is wrong with the value; `strict` also judges types, lengths and alternatives, as for custom kinds.
fn judge(schema: &Value, value: &Value, path: &str, strict: bool, causes: &mut Vec<Cause>) {
    let schema = schema::resolved(schema);
    if strict {
        causes.extend(own_faults(schema, value, path));
    }
    match value {
        Value::Object(fields) => {
            let required = schema["required"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str);
            for field in required.filter(|field| fields.get(*field).is_none_or(Value::is_null)) {
                causes.push(Cause::required(format!("{path}.{field}"), ""));
            }
            for (field, value) in fields {
                if let Some(below) = schema::field(schema, field) {
                    judge(below, value, &format!("{path}.{field}"), strict, causes);
                }
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                judge(
                    &schema["items"],
                    item,
                    &format!("{path}[{at}]"),
                    strict,
                    causes,
                );
            }
        }
        _ => {}
    }
}

/// What is wrong with the value itself, not with what is below it.
fn own_faults(schema: &Value, value: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    let found = type_of(value);
    if let Some(wanted) = schema["type"].as_str()
        && !(wanted == found
            || (wanted == "number" && found == "integer")
            || (value.is_null() && schema["nullable"] == true))
    {
        let message =
            format!("Invalid value: {found:?}: {path} in body must be of type {wanted}: {found:?}");
        return vec![Cause {
            field: path.to_owned(),
            reason: "FieldValueTypeInvalid",
            message,
        }];
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        let allowed: Vec<String> = allowed
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        causes.push(Cause::unsupported(path, value, &allowed));
    }
    let mut limit = |broken: bool, what: String| {
        if broken {
            causes.push(Cause::invalid(
                path,
                value,
                &format!("{path} in body {what}"),
            ));
        }
    };
    let bound = |name: &str| schema[name].as_f64();
    if let (Some(number), Some(low)) = (value.as_f64(), bound("minimum")) {
        limit(
            number < low,
            format!("should be greater than or equal to {low}"),
        );
    }
    if let (Some(number), Some(high)) = (value.as_f64(), bound("maximum")) {
        limit(
            number > high,
            format!("should be less than or equal to {high}"),
        );
    }
    let size = |name: &str| {
        schema[name]
            .as_u64()
            .and_then(|size| usize::try_from(size).ok())
    };
    if let (Some(text), Some(most)) = (value.as_str(), size("maxLength")) {
        limit(
            text.chars().count() > most,
            format!("should be at most {most} chars long"),
        );
    }
    if let (Some(text), Some(least)) = (value.as_str(), size("minLength")) {
        limit(
            text.chars().count() < least,
            format!("should be at least {least} chars long"),
        );
    }
    if let (Some(text), Some(pattern)) = (value.as_str(), schema["pattern"].as_str()) {
        let fits = regex_lite::Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text));
        limit(!fits, format!("should match '{pattern}'"));
    }
    if let (Some(items), Some(most)) = (value.as_array(), size("maxItems")) {
        limit(
            items.len() > most,
            format!("should have at most {most} items"),
        );
    }
    if let (Some(items), Some(least)) = (value.as_array(), size("minItems")) {
        limit(
            items.len() < least,
            format!("should have at least {least} items"),
        );
    }
    if let Some(ways) = schema["oneOf"].as_array() {
        let fitting = ways.iter().filter(|way| fits(way, value)).count();
        let count = if fitting == 0 {
            "none".to_owned()
        } else {
            fitting.to_string()
        };
        limit(
            fitting != 1,
            format!("must validate one and only one schema (oneOf). Found {count} valid"),
        );
    }
    if let Some(ways) = schema["anyOf"].as_array() {
        limit(
            !ways.iter().any(|way| fits(way, value)),
            "must validate at least one schema (anyOf)".to_owned(),
        );
    }
    if let Some(forbidden) = schema.get("not") {
        limit(
            fits(forbidden, value),
            "must not validate the schema (not)".to_owned(),
        );
    }
    causes
}

/// Whether the value satisfies the schema, all of it.
fn fits(schema: &Value, value: &Value) -> bool {
    let mut causes = Vec::new();
    judge(schema, value, "", true, &mut causes);
    causes.is_empty()
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kubernetes::{kinds, mesh, served_kinds, store::Store};

    fn kind(name: &str) -> Resource {
        let mut store = Store::default();
        mesh::define(&mut store, 0);
        let known = served_kinds::all(&store)
            .into_iter()
            .chain(kinds::built_in());
        known.into_iter().find(|one| one.kind == name).unwrap()
    }

    #[test]
    fn fields_nobody_knows_are_found_by_their_path() {
        let deployment = json!({"metadata": {"name": "a", "labels": {"any": "b"}}, "spec": {"replicaz": 1,
            "template": {"spec": {"containers": [{"name": "c", "imag": "d"}]}}}});
        let found = unknown(&kind("Deployment"), &deployment);
        assert_eq!(
            found,
            ["spec.replicaz", "spec.template.spec.containers[0].imag"]
        );
        let entry = json!({"metadata": {"name": "a"}, "spec": {"hosts": ["a"], "protz": []}});
        assert_eq!(unknown(&kind("ServiceEntry"), &entry), ["spec.protz"]);
        assert_eq!(
            pruned(&kind("ServiceEntry"), entry)["spec"],
            json!({"hosts": ["a"]})
        );
    }

    #[test]
    fn values_of_the_wrong_kind_are_refused_in_kubernetes_words() {
        let cases = [
            (
                "Deployment",
                json!({"spec": {"replicas": "three"}}),
                400,
                "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
            ),
            (
                "ServiceEntry",
                json!({"metadata": {"name": "x"}, "spec": {"hosts": "a"}}),
                422,
                "ServiceEntry.networking.istio.io \"x\" is invalid: spec.hosts: Invalid value: \"string\": spec.hosts in body must be of type array: \"string\"",
            ),
            (
                "ServiceEntry",
                json!({"metadata": {"name": "x"}, "spec": {"hosts": ["a"], "location": "MESH_SOMEWHERE"}}),
                422,
                "ServiceEntry.networking.istio.io \"x\" is invalid: spec.location: Unsupported value: \"MESH_SOMEWHERE\": supported values: \"MESH_EXTERNAL\", \"MESH_INTERNAL\"",
            ),
        ];
        for (name, object, code, message) in cases {
            let status = check(&kind(name), "v1", &object).unwrap_err();
            assert_eq!((status.code, status.message.as_str()), (code, message));
        }
    }
}
