//! Fleets (GKE Hub), v1 and v2: memberships, features and their membership halves, of which only the service mesh does anything.
//!
//! Ids and numbers of a project are both accepted in the keys of a feature's maps; the number comes back. Other features than
//! `servicemesh` can be enabled and say nothing.

mod features;
mod fleets;
mod membership_features;
mod memberships;
mod mesh;
mod operations;

pub use membership_features::mesh_of;
pub use memberships::{registered_by_gke, unregistered_by_gke};

use serde_json::Value;

use super::answer::{ErrorResponse, Response};
use super::names;
use super::paging;
use super::projects;
use super::request::Request;
use super::world::{Project, World};

/// Serves one call.
///
/// # Errors
/// What Google would refuse, in Google's words.
pub fn serve(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let name = request
        .params
        .get("name")
        .or_else(|| request.params.get("parent"));
    let project = projects::named(world, name.map_or("", String::as_str))?;
    let method = request
        .method_id
        .strip_prefix("gkehub.projects.locations.")
        .unwrap_or_default();
    match method {
        "memberships.get" => memberships::get(world, request),
        "memberships.list" => memberships::list(world, request),
        "memberships.create" => memberships::create(world, request, &project),
        "memberships.patch" => memberships::patch(world, request, &project),
        "memberships.delete" => memberships::delete(world, request, &project),
        "memberships.features.get" => membership_features::get(world, request),
        "memberships.features.list" => membership_features::list(world, request),
        "memberships.features.create" => membership_features::create(world, request, &project),
        "memberships.features.patch" => membership_features::patch(world, request, &project),
        "memberships.features.delete" => membership_features::delete(world, request, &project),
        "features.get" => features::get(world, request, &project),
        "features.list" => features::list(world, request, &project),
        "features.create" => features::create(world, request, &project),
        "features.patch" => features::patch(world, request, &project),
        "features.delete" => features::delete(world, request, &project),
        "fleets.get" => fleets::get(world, request),
        "fleets.list" => fleets::list(world, request),
        "fleets.create" => fleets::create(world, request, &project),
        "operations.get" => operations::get(world, request),
        "operations.list" => operations::list(world, request),
        _ => Err(ErrorResponse::not_served(&request.method_id)),
    }
}

/// The key of a resource by its name.
fn key(name: &str) -> String {
    names::key("gkehub", name)
}

/// What is said of a resource that is not there.
fn missing(name: &str) -> ErrorResponse {
    ErrorResponse::not_found(format!("Resource '{name}' was not found"))
}

/// A stored resource.
fn stored(world: &World, name: &str) -> Result<Value, ErrorResponse> {
    world.get(&key(name)).cloned().ok_or_else(|| missing(name))
}

/// Refuses a name that is taken. No record of the words.
fn vacant(world: &World, name: &str) -> Result<(), ErrorResponse> {
    match world.get(&key(name)) {
        None => Ok(()),
        Some(_) => Err(ErrorResponse::already_exists(format!(
            "Resource '{name}' already exists"
        ))),
    }
}

/// Refuses to change what is being changed. No record of the words.
fn idle(world: &World, name: &str) -> Result<(), ErrorResponse> {
    match world.in_flight(&key(name)) {
        None => Ok(()),
        Some(_) => Err(ErrorResponse::aborted(format!(
            "Resource '{name}' has another operation in progress"
        ))),
    }
}

/// The fields that a mask names, in camel case.
///
/// # Errors
/// 400 without a mask.
fn mask(request: &Request) -> Result<Vec<String>, ErrorResponse> {
    let fields: Vec<String> = request
        .query("updateMask")
        .unwrap_or_default()
        .split(',')
        .filter(|field| !field.is_empty())
        .map(|field| camel(field.split('.').next().unwrap_or(field)))
        .collect();
    if fields.is_empty() {
        return Err(ErrorResponse::bad_request(
            "Required field 'update_mask' not specified",
        ));
    }
    Ok(fields)
}

fn camel(field: &str) -> String {
    let mut parts = field.split('_');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut chars = part.chars();
        out.extend(chars.next().map(|c| c.to_ascii_uppercase()));
        out.extend(chars);
    }
    out
}

/// The resources of a collection; a parent in `locations/-` stands for all locations.
fn members(world: &World, request: &Request, collection: &str) -> Vec<(String, Value)> {
    let parent = request.param("parent");
    let found = match parent.strip_suffix("/locations/-") {
        None => world.list(&key(&format!("{parent}/{collection}"))),
        Some(project) => {
            let prefix = key(&format!("{project}/locations/"));
            world.shuffled(&prefix, |key| {
                key[prefix.len()..].split('/').nth(1) == Some(collection)
                    && key[prefix.len()..].split('/').count() == 3
            })
        }
    };
    found
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .collect()
}

/// A page of printed resources under the name that the answer gives them.
fn answer_page(
    request: &Request,
    field: &str,
    printed: Vec<Value>,
) -> Result<Response, ErrorResponse> {
    let (page, next) = paging::page(printed, request, 500, 500)?;
    let mut answer = serde_json::json!({});
    if !page.is_empty() {
        answer[field] = page.into();
    }
    if let Some(token) = next {
        answer["nextPageToken"] = token.into();
    }
    Ok(answer.into())
}

/// `name` with the project's number for its id: how maps are keyed.
fn numbered(name: &str, project: &Project) -> String {
    let rest = names::path(name).splitn(3, '/').nth(2).unwrap_or_default();
    format!("projects/{}/{rest}", project.number)
}

/// Without the state's own notes, whose names begin with an underscore.
fn public(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|name, _| !name.starts_with('_'));
    }
    value
}
