//! Resource Manager, v1 and v3: projects. Their policies are in [`super::policy`].
//!
//! Any project that a request names exists and is active until it is deleted. There are no folders and no organisations. The
//! resources of a deleted project are deleted at once, where Google waits thirty days.

use serde_json::{Value, json};

use super::answer::{ErrorResponse, Response};
use super::clock;
use super::names;
use super::operation::{Dialect, Operation, Start};
use super::paging;
use super::policy;
use super::project_lookup::{key, known, named};
use super::request::Request;
use super::world::{Project, World};
use super::{billing, labels, lro};

/// Serves one call.
///
/// # Errors
/// What Google would refuse.
pub fn serve(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    match request.method_id.as_str() {
        "cloudresourcemanager.projects.get" => {
            let project = known(world, id(request))?;
            let (v1, v3) = render(world, &project);
            Ok(if is_v3(request) { v3 } else { v1 }.into())
        }
        "cloudresourcemanager.projects.list" | "cloudresourcemanager.projects.search" => {
            list(world, request)
        }
        "cloudresourcemanager.projects.create" => create(world, request),
        "cloudresourcemanager.projects.delete" => delete(world, request),
        "cloudresourcemanager.projects.getIamPolicy" => {
            let project = named(world, id(request))?;
            policy::get(
                world,
                &policy::Resource::project(&project),
                version(request),
            )
            .map(Response::from)
        }
        "cloudresourcemanager.projects.setIamPolicy" => {
            let project = named(world, id(request))?;
            policy::set(world, &policy::Resource::project(&project), &request.body)
                .map(Response::from)
        }
        "cloudresourcemanager.projects.testIamPermissions" => {
            named(world, id(request))?;
            policy::test(&request.body).map(Response::from)
        }
        "cloudresourcemanager.operations.get" => {
            let name = request.param("name");
            let operation = world.poll(&names::key("cloudresourcemanager", name));
            operation
                .map(|found| lro::quiet(&found, name).into())
                .ok_or_else(|| ErrorResponse::not_found("Requested entity was not found."))
        }
        other => Err(ErrorResponse::not_served(other)),
    }
}

/// v1 calls it `projectId` or `resource`, v3 `name` or `resource`.
fn id(request: &Request) -> &str {
    ["projectId", "resource", "name"]
        .into_iter()
        .map(|name| request.param(name))
        .find(|value| !value.is_empty())
        .unwrap_or_default()
}

/// v3 names its resources in full, v1 does not.
fn is_v3(request: &Request) -> bool {
    request.params.contains_key("name")
}

fn version(request: &Request) -> i64 {
    request
        .body
        .pointer("/options/requestedPolicyVersion")
        .and_then(Value::as_i64)
        .unwrap_or(1)
}

/// The project as v1 prints it, and as v3 does.
fn render(world: &World, project: &Project) -> (Value, Value) {
    let usual = json!({"lifecycleState": "ACTIVE", "name": project.id});
    let stored = world.get(&key(project)).unwrap_or(&usual);
    let made = clock::utc(project.since);
    let mut v1 = json!({
        "projectNumber": project.number.to_string(),
        "projectId": project.id,
        "lifecycleState": stored["lifecycleState"],
        "name": stored["name"],
        "createTime": made,
    });
    let mut v3 = json!({
        "name": format!("projects/{}", project.number),
        "projectId": project.id,
        "state": stored["lifecycleState"],
        "displayName": stored["name"],
        "createTime": made,
        "updateTime": made,
        "etag": format!("W/\"{}\"", names::hex(&stored.to_string(), 16)),
    });
    if let Some(labels) = stored.get("labels") {
        v1["labels"] = labels.clone();
        v3["labels"] = labels.clone();
    }
    if let Some(parent) = stored.get("parent") {
        v1["parent"] = parent.clone();
        let (kind, id) = (parent["type"].as_str(), parent["id"].as_str());
        v3["parent"] = json!(format!(
            "{}s/{}",
            kind.unwrap_or_default(),
            id.unwrap_or_default()
        ));
    }
    (v1, v3)
}

/// `filter` (v1) and `query` (v3) are `key:value` or `key=value`, all of which must hold.
fn list(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let v3 = request.method_id.ends_with("search");
    let wanted = request
        .query(if v3 { "query" } else { "filter" })
        .unwrap_or_default();
    let mut found = Vec::new();
    for project in world.projects() {
        let (as_v1, as_v3) = render(world, &project);
        let printed = if v3 { as_v3 } else { as_v1 };
        if fits(&printed, wanted)? {
            found.push(printed);
        }
    }
    let (page, next) = paging::page(found, request, 500, 500)?;
    let mut answer = json!({});
    if !page.is_empty() {
        answer["projects"] = json!(page);
    }
    if let Some(token) = next {
        answer["nextPageToken"] = json!(token);
    }
    Ok(answer.into())
}

fn fits(project: &Value, filter: &str) -> Result<bool, ErrorResponse> {
    for term in filter
        .split_whitespace()
        .filter(|term| !term.eq_ignore_ascii_case("AND"))
    {
        let (field, value) = term
            .split_once([':', '='])
            .ok_or_else(|| ErrorResponse::bad_request("Request contains an invalid argument."))?;
        let field = match field {
            "id" => "projectId",
            "labels" | "parent" => {
                return Err(ErrorResponse::bad_request(
                    "Request contains an invalid argument.",
                ));
            }
            other => other,
        };
        let pointer = format!("/{}", field.replace('.', "/"));
        let is = project
            .pointer(&pointer)
            .and_then(Value::as_str)
            .unwrap_or_default();
        let value = value.trim_matches('"');
        let holds = match value.strip_suffix('*') {
            Some(prefix) => is.starts_with(prefix),
            None => is == value,
        };
        if !holds {
            return Ok(false);
        }
    }
    Ok(true)
}

fn create(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let id = request.text("projectId").unwrap_or_default().to_owned();
    if !names::is_project_id(&id) {
        return Err(ErrorResponse::bad_request(
            "project_id contains invalid characters",
        ));
    }
    labels::check_project(&request.body["labels"])?;
    let name = request.text("name").unwrap_or_default();
    if !name.is_empty() && !(4..=30).contains(&name.chars().count()) {
        // As gcloud prints it (google/create-service-account, issue 9); what is said of a shorter name is not recorded.
        return Err(ErrorResponse::bad_request(format!(
            "field [display_name] has issue [project display name must be at {}]",
            if name.len() > 30 {
                "most 30 characters"
            } else {
                "least 4 characters"
            }
        )));
    }
    // An id is taken once it has been used.
    if world.projects().iter().any(|known| known.id == id) {
        return Err(ErrorResponse::already_exists(
            "Requested entity already exists",
        ));
    }
    let project = world.project(&id).ok_or_else(ErrorResponse::no_project)?;
    let mut stored = request.body.clone();
    stored["lifecycleState"] = json!("ACTIVE");
    stored["name"] = json!(request.text("name").unwrap_or(&id));
    world.put(key(&project), stored);
    billing::unlink(world, &project);
    let (mut response, _) = render(world, &project);
    response["@type"] = json!("type.googleapis.com/google.cloudresourcemanager.v1.Project");
    let status = "type.googleapis.com/google.cloudresourcemanager.v1.ProjectCreationStatus";
    let serial = world.next_id();
    let name = format!("operations/cp.{serial}");
    let operation = world.begin(Start {
        key: names::key("cloudresourcemanager", &name),
        dialect: Dialect::LongRunning,
        verb: "create".to_owned(),
        target: key(&project),
        duration: world.duration(&request.method_id),
        effects: Vec::new(),
        failure: None,
        extra: json!({"metadata": {"@type": status, "gettable": true, "ready": true}, "response": response}),
    });
    Ok(begun(&operation, &name))
}

fn begun(operation: &Operation, name: &str) -> Response {
    lro::quiet(operation, name).into()
}

fn delete(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let project = named(world, id(request))?;
    let (mut stored, _) = render(world, &project);
    stored["lifecycleState"] = json!("DELETE_REQUESTED");
    let theirs: Vec<String> = world
        .inventory()
        .into_iter()
        .map(|(key, _)| key)
        .filter(|key| names::segment(key, "projects") == Some(&project.id))
        .collect();
    for key in theirs {
        world.remove(&key);
    }
    world.put(key(&project), stored);
    Ok(json!({}).into())
}
