//! The body of a request: JSON, YAML or protobuf in, an object of the right kind out.

use serde_json::Value;

use super::call::{ApiCall, CallTarget};
use super::protobuf;
use super::resource::Resource;
use super::status::Status;
use super::validate;

/// What bodies may be.
const ACCEPTED: &[&str] = &[
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
];

/// The value of a body, whatever its format. An empty body is null.
///
/// # Errors
/// 400 for a body that cannot be read, 415 for a format that is not known.
pub fn value(call: &ApiCall) -> Result<Value, Status> {
    if call.body.is_empty() {
        return Ok(Value::Null);
    }
    let unreadable = |why: String| {
        Status::bad_request(format!(
            "the object provided is unrecognized (must be of type): {why}"
        ))
    };
    match call
        .content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
    {
        "application/json"
        | ""
        | "application/json-patch+json"
        | "application/merge-patch+json"
        | "application/strategic-merge-patch+json" => {
            serde_json::from_slice(&call.body).map_err(|error| unreadable(error.to_string()))
        }
        "application/yaml" | "application/apply-patch+yaml" => {
            let text =
                std::str::from_utf8(&call.body).map_err(|error| unreadable(error.to_string()))?;
            // JSON is YAML too, and most bodies of this type are JSON.
            serde_json::from_str(text)
                .or_else(|_| serde_saphyr::from_str(text))
                .map_err(|error| Status::bad_request(format!("error decoding YAML: {error}")))
        }
        "application/vnd.kubernetes.protobuf" => {
            protobuf::object(&call.body).map_err(|error| unreadable(error.to_string()))
        }
        other => Err(Status::unsupported(other, ACCEPTED)),
    }
}

/// The object of a body: of the kind that the path names, with fields that its kind has.
///
/// # Errors
/// 400 for another kind, another name or, under strict validation, unknown fields.
pub fn object(
    call: &ApiCall,
    resource: &Resource,
    target: &CallTarget,
) -> Result<(Value, Vec<String>), Status> {
    let object = value(call)?;
    fits(&object, resource, target)?;
    let unknown = validate::unknown(resource, &object);
    let warnings = judged(call, resource, target, &unknown)?;
    let object = if unknown.is_empty() {
        object
    } else {
        validate::pruned(resource, object)
    };
    let namespace = target.namespace.as_deref().unwrap_or_default();
    validate::check(resource, &target.version, &object, namespace)?;
    Ok((object, warnings))
}

/// Whether the object is of the kind, the namespace and the name of the path.
///
/// # Errors
/// 400.
pub fn fits(object: &Value, resource: &Resource, target: &CallTarget) -> Result<(), Status> {
    let (kind, version) = (
        object["kind"].as_str().unwrap_or_default(),
        object["apiVersion"].as_str().unwrap_or_default(),
    );
    let expected = resource.api_version(&target.version);
    if kind.is_empty() || version.is_empty() {
        let what = if kind.is_empty() {
            "Object 'Kind' is missing"
        } else {
            "Object 'apiVersion' is missing"
        };
        return Err(Status::bad_request(format!("{what} in '{object}'")));
    }
    if version != expected {
        return Err(Status::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({expected})"
        )));
    }
    if kind != resource.kind {
        let wanted = &resource.kind;
        return Err(Status::bad_request(format!(
            "{kind} in version {:?} cannot be handled as a {wanted}",
            target.version
        )));
    }
    let own = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
    let namespace = target.namespace.as_deref().unwrap_or_default();
    if !own("namespace").is_empty() && resource.namespaced && own("namespace") != namespace {
        return Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    match &target.name {
        Some(name) if !own("name").is_empty() && own("name") != name => {
            Err(Status::bad_request(format!(
                "the name of the object ({}) does not match the name on the URL ({name})",
                own("name")
            )))
        }
        _ => Ok(()),
    }
}

/// What the request wants for unknown fields: an error, a warning, or nothing.
///
/// # Errors
/// 400 under `fieldValidation=Strict`.
pub fn judged(
    call: &ApiCall,
    resource: &Resource,
    target: &CallTarget,
    unknown: &[String],
) -> Result<Vec<String>, Status> {
    let told: Vec<String> = unknown
        .iter()
        .map(|path| format!("unknown field {path:?}"))
        .collect();
    match call.query("fieldValidation") {
        _ if told.is_empty() => Ok(Vec::new()),
        Some("Ignore") => Ok(Vec::new()),
        Some("Strict") => Err(Status::bad_request(format!(
            "{kind} in version {:?} cannot be handled as a {kind}: strict decoding error: {}",
            target.version,
            told.join(", "),
            kind = resource.kind,
        ))),
        _ => Ok(told),
    }
}
