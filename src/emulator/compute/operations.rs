//! Compute's operations: how they begin, print, are polled and waited for.

use serde_json::{Value, json};
use uuid::Uuid;

use super::pages;
use super::scope::{self, Scope};
use crate::answer::{ErrorResponse, Response};
use crate::clock;
use crate::names;
use crate::operation::{Dialect, Effect, Failure, Operation, Start};
use crate::request::Request;
use crate::world::World;

/// Begins an operation in the request's scope and answers with it. It will have `outcome`: effects, or its failure.
pub fn begin(
    world: &mut World,
    request: &Request,
    scope: &Scope,
    verb: &str,
    target: &str,
    target_id: &Value,
    outcome: Result<Vec<Effect>, Failure>,
) -> Response {
    let key = scope::key(&format!("{}/operations/{}", scope.path, name(world)));
    let (effects, failure) = match outcome {
        Ok(effects) => (effects, None),
        Err(failure) => (Vec::new(), Some(failure)),
    };
    let start = Start {
        key,
        dialect: Dialect::Compute,
        verb: verb.to_owned(),
        target: target.to_owned(),
        duration: world.duration(&request.method_id),
        effects,
        failure,
        extra: json!({ "targetId": target_id }),
    };
    let operation = world.begin(start);
    if let Some(id) = request.query("requestId") {
        world.remember(&scope.project, id, &operation.key);
    }
    printed(&operation).into()
}

/// The operation that a request with the same request id has begun before.
pub fn remembered(world: &World, request: &Request, scope: &Scope) -> Option<Response> {
    let id = request.query("requestId")?;
    world
        .remembered(&scope.project, id)
        .map(|operation| printed(operation).into())
}

/// Checks the request id, if there is one.
///
/// # Errors
/// 400 for anything but a UUID, and for the zero UUID. That is documented; the text is not recorded.
pub fn check_request_id(request: &Request) -> Result<(), ErrorResponse> {
    match request.query("requestId") {
        Some(id) if !Uuid::parse_str(id).is_ok_and(|uuid| !uuid.is_nil()) => {
            Err(ErrorResponse::invalid(format!(
                "Invalid value for field 'requestId': '{id}'. Must be a valid, non-zero UUID."
            )))
        }
        _ => Ok(()),
    }
}

/// GET.
pub fn get(world: &mut World, request: &Request, scope: &Scope) -> Result<Response, ErrorResponse> {
    let (path, key) = located(request, scope);
    world
        .poll(&key)
        .map(|operation| printed(&operation).into())
        .ok_or_else(|| scope::missing(&path))
}

/// POST `…/wait`: the answer comes when the operation is over, after two minutes at the latest.
pub fn wait(
    world: &mut World,
    request: &Request,
    scope: &Scope,
) -> Result<Response, ErrorResponse> {
    let (path, key) = located(request, scope);
    let known = world
        .operation(&key)
        .cloned()
        .ok_or_else(|| scope::missing(&path))?;
    if known.is_done() {
        return Ok(printed(&known).into());
    }
    if world.holds() {
        return Ok(Response {
            hold: Some(known.due),
            ..printed(&known).into()
        });
    }
    world
        .finish(&key)
        .map(|operation| printed(&operation).into())
        .ok_or_else(|| scope::missing(&path))
}

/// The scope's operations.
pub fn list(world: &World, request: &Request, scope: &Scope) -> Result<Response, ErrorResponse> {
    let prefix = scope::key(&format!("{}/operations/", scope.path));
    let items = world.operations(&prefix).into_iter().map(printed).collect();
    let collection = format!("{}/operations", scope.path);
    pages::page(request, "compute#operationList", &collection, items)
}

fn located(request: &Request, scope: &Scope) -> (String, String) {
    let path = format!("{}/operations/{}", scope.path, request.param("operation"));
    let key = scope::key(&path);
    (path, key)
}

/// `operation-<milliseconds>-<13 hex>-<8 hex>-<8 hex>`, the form of real names.
fn name(world: &mut World) -> String {
    let serial = world.count("compute.operation").to_string();
    let hex = names::hex(&format!("operation {serial}"), 16);
    let more = names::hex(&format!("more {serial}"), 16);
    format!(
        "operation-{}-{}-{}-{}",
        world.now(),
        &hex[..13],
        &more[..8],
        &more[8..]
    )
}

/// The operation as compute prints it.
fn printed(operation: &Operation) -> Value {
    let path = names::path(&operation.key);
    let done = operation.is_done();
    let mut value = json!({
        "kind": "compute#operation",
        "id": operation.id.to_string(),
        "name": operation.name(),
        "operationType": operation.verb,
        "targetLink": scope::link(names::path(&operation.target)),
        "targetId": operation.extra["targetId"],
        "status": if done { "DONE" } else { "RUNNING" },
        "user": "user@example.com",
        "progress": if done { 100 } else { 0 },
        "insertTime": clock::pacific(operation.began),
        "startTime": clock::pacific(operation.began),
        "selfLink": scope::link(path),
    });
    if let Some(ended) = operation.ended {
        value["endTime"] = json!(clock::pacific(ended));
    }
    for collection in ["regions", "zones"] {
        if let Some(place) = names::segment(path, collection) {
            let project = names::segment(path, "projects").unwrap_or_default();
            let field = collection.trim_end_matches('s');
            value[field] = json!(scope::link(&format!(
                "projects/{project}/{collection}/{place}"
            )));
        }
    }
    if let (true, Some(failure)) = (done, &operation.failure) {
        value["error"] = json!({"errors": [{"code": failure.code, "message": failure.message}]});
        value["httpErrorStatusCode"] = json!(failure.http);
        value["httpErrorMessage"] = json!("BAD REQUEST");
    }
    value
}
