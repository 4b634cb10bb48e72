//! Fleet operations: `google.longrunning.Operation`, with verb and target in the metadata.

use serde_json::{Value, json};
use uuid::Uuid;

use super::resource::{answer_page, key, missing};
use crate::answer::{ErrorResponse, Response};
use crate::clock;
use crate::lro;
use crate::names;
use crate::operation::{Dialect, Effect, Operation, Start};
use crate::request::Request;
use crate::world::{Project, World};

/// What an operation is about.
pub struct HubAction<'a> {
    /// `create`, `update`, `delete`.
    pub verb: &'a str,
    /// The resource's name.
    pub target: &'a str,
    /// The API's version, and the type of the resource in it: `v1`, `Feature`.
    pub kind: (&'a str, &'a str),
    /// The resource as the answer has it; null for a deletion.
    pub result: Value,
}

/// Begins an operation at the target's location and answers with it.
pub fn begin(
    world: &mut World,
    request: &Request,
    project: &Project,
    deed: HubAction<'_>,
    effects: Vec<Effect>,
) -> Response {
    let (version, kind) = deed.kind;
    let serial = world.count("gkehub.operation").to_string();
    let hex = [13, 8, 8]
        .map(|digits| names::hex(&format!("hub {serial} {digits}"), digits))
        .join("-");
    let location = names::segment(deed.target, "locations").unwrap_or("global");
    let name = format!(
        "projects/{}/locations/{location}/operations/operation-{}-{hex}",
        project.id,
        world.now()
    );
    let response = match deed.result {
        Value::Null => json!({"@type": "type.googleapis.com/google.protobuf.Empty"}),
        mut resource => {
            if let Some(fields) = resource.as_object_mut() {
                // Recorded: the answer in the operation lacks the labels that GET shows.
                fields.remove("labels");
                fields.insert(
                    "@type".to_owned(),
                    json!(format!(
                        "type.googleapis.com/google.cloud.gkehub.{version}.{kind}"
                    )),
                );
            }
            resource
        }
    };
    let operation = world.begin(Start {
        key: key(&name),
        dialect: Dialect::LongRunning,
        verb: deed.verb.to_owned(),
        target: key(deed.target),
        duration: world.duration(&request.method_id),
        effects,
        failure: None,
        extra: json!({"version": version, "response": response}),
    });
    if let Some(id) = request.query("requestId") {
        world.remember(&project.id, id, &operation.key);
    }
    print(&operation).into()
}

/// Checks the request id, if there is one.
///
/// # Errors
/// 400 for anything but a UUID, and for the zero UUID. That is documented; the words are ours.
pub fn check_request_id(request: &Request) -> Result<(), ErrorResponse> {
    match request.query("requestId") {
        Some(id) if !Uuid::parse_str(id).is_ok_and(|uuid| !uuid.is_nil()) => {
            Err(ErrorResponse::bad_request(format!(
                "InvalidValueError for field request_id: \"{id}\" is not a valid UUID."
            )))
        }
        _ => Ok(()),
    }
}

/// The operation that the same request id led to before.
pub fn before(world: &World, request: &Request, project: &Project) -> Option<Response> {
    let operation = world.remembered(&project.id, request.query("requestId")?)?;
    Some(print(operation).into())
}

/// GET.
pub fn get(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let name = request.param("name");
    world
        .poll(&key(name))
        .map(|found| print(&found).into())
        .ok_or_else(|| missing(name))
}

/// LIST.
pub fn list(world: &World, request: &Request) -> Result<Response, ErrorResponse> {
    let prefix = key(&format!("{}/operations/", request.param("name")));
    let mut found = world.operations(&prefix);
    found.sort_by_key(|operation| names::hash(&operation.key));
    answer_page(
        request,
        "operations",
        found.into_iter().map(print).collect(),
    )
}

fn print(operation: &Operation) -> Value {
    let version = operation.extra["version"].as_str().unwrap_or("v1");
    let mut metadata = json!({
        "@type": format!("type.googleapis.com/google.cloud.gkehub.{version}.OperationMetadata"),
        "apiVersion": version,
        "createTime": clock::utc(operation.began),
        "target": names::path(&operation.target),
        "verb": operation.verb,
    });
    if let Some(ended) = operation.ended {
        metadata["endTime"] = json!(clock::utc(ended));
    }
    let mut printed = json!({
        "name": names::path(&operation.key),
        "metadata": metadata,
        // Unlike the other services this one prints false.
        "done": operation.is_done(),
    });
    if operation.is_done() {
        lro::outcome(operation, &mut printed);
    }
    printed
}
