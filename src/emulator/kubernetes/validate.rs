//! An object against its kind: unknown fields, what the real server's decoder of a POST does not read, and the validator's answer
//! as the emulated server gives it.

use serde_json::Value;

use super::resource::Resource;
use super::schema;
use super::status::Status;
use validation::Kind;

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

/// The kind of a resource, as the validator knows it.
fn kind<'k>(resource: &'k Resource, version: &'k str) -> Kind<'k> {
    Kind {
        group: &resource.group,
        version,
        name: &resource.kind,
        custom: resource.custom,
        schema: &resource.schema,
    }
}

/// Whether an applied object has the form of its kind.
///
/// # Errors
/// 500, as the real server answers.
pub fn typed(resource: &Resource, version: &str, object: &Value) -> Result<(), Status> {
    match validation::typed::refusal(&kind(resource, version), object) {
        None => Ok(()),
        Some(refusal) => Err(Status::refused(resource, object, refusal)),
    }
}

/// Whether an object that was sent as a whole can be decoded, and is admitted.
///
/// # Errors
/// 400 for a built-in kind that cannot be decoded; what [`admitted`] refuses.
pub fn check(
    resource: &Resource,
    version: &str,
    object: &Value,
    namespace: &str,
) -> Result<(), Status> {
    let cannot = |what: &dyn std::fmt::Display| {
        let kind = &resource.kind;
        Status::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {kind}: {what}"
        ))
    };
    for (field, value) in object.as_object().into_iter().flatten() {
        if matches!(field.as_str(), "apiVersion" | "kind" | "status") {
            continue;
        }
        if let Some(below) = schema::top(&resource.schema, field)
            && (!resource.custom || field == "metadata")
        {
            decoded(below, value, &resource.kind, field).map_err(|what| cannot(&what))?;
        }
    }
    admitted(resource, version, object, namespace).map_err(|status| match status.code {
        // The decoder's own refusal, of which only server-side apply makes an error of the server.
        500 => cannot(&status.message),
        _ => status,
    })
}

/// Whether the object is one that the API server keeps: valid for its kind, and not denied by istiod.
///
/// # Errors
/// 422 with its causes; 400 of the webhook; 500 for what the decoder does not read.
pub fn admitted(
    resource: &Resource,
    version: &str,
    object: &Value,
    namespace: &str,
) -> Result<(), Status> {
    match validation::admission(&kind(resource, version), object, namespace) {
        None => Ok(()),
        Some(refusal) => Err(Status::refused(resource, object, refusal)),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kubernetes::{kinds, mesh, served_kinds, store::Store};

    fn resource(name: &str) -> Resource {
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
        let found = unknown(&resource("Deployment"), &deployment);
        assert_eq!(
            found,
            ["spec.replicaz", "spec.template.spec.containers[0].imag"]
        );
        let entry = json!({"metadata": {"name": "a"}, "spec": {"hosts": ["a"], "protz": []}});
        assert_eq!(unknown(&resource("ServiceEntry"), &entry), ["spec.protz"]);
        assert_eq!(
            pruned(&resource("ServiceEntry"), entry)["spec"],
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
                "ConfigMap",
                json!({"metadata": {"name": "x"}, "binaryData": {"a": "no base64!"}}),
                400,
                "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: ",
            ),
            (
                "ServiceEntry",
                json!({"metadata": {"name": "x"}, "spec": {"hosts": "a"}}),
                422,
                "ServiceEntry.networking.istio.io \"x\" is invalid: [spec.hosts: Invalid value: \"string\": spec.hosts in body must be of type array: \"string\", <nil>: ",
            ),
            (
                "ServiceEntry",
                json!({"metadata": {"name": "x"}, "spec": {"hosts": ["*"]}}),
                422,
                "ServiceEntry.networking.istio.io \"x\" is invalid: spec.hosts[0]: Invalid value: \"string\": hostname cannot be wildcard",
            ),
            (
                "Gateway",
                json!({"metadata": {"name": "x"}, "spec": {}}),
                400,
                "admission webhook \"validation.istio.io\" denied the request: configuration is invalid: gateway must have at least one server",
            ),
        ];
        for (name, object, code, message) in cases {
            let status = check(&resource(name), "v1", &object, "default").unwrap_err();
            assert_eq!(status.code, code, "{}", status.message);
            assert!(status.message.starts_with(message), "{}", status.message);
        }
    }
}
