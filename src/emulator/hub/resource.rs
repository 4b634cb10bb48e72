//! What all resources of a fleet have in common: their keys, the errors about them, masks and pages.

use serde_json::Value;

use crate::answer::{ErrorResponse, Response};
use crate::names;
use crate::paging;
use crate::request::Request;
use crate::world::{Project, World};

/// The key of a resource by its name.
pub fn key(name: &str) -> String {
    names::key("gkehub", name)
}

/// The error for a resource that does not exist.
pub fn missing(name: &str) -> ErrorResponse {
    ErrorResponse::not_found(format!("Resource '{name}' was not found"))
}

/// A stored resource.
///
/// # Errors
/// 404.
pub fn stored(world: &World, name: &str) -> Result<Value, ErrorResponse> {
    world.get(&key(name)).cloned().ok_or_else(|| missing(name))
}

/// Refuses a name that is taken.
///
/// # Errors
/// 409; the text is not recorded.
pub fn vacant(world: &World, name: &str) -> Result<(), ErrorResponse> {
    match world.get(&key(name)) {
        None => Ok(()),
        Some(_) => Err(ErrorResponse::already_exists(format!(
            "Resource '{name}' already exists"
        ))),
    }
}

/// Refuses to change a resource while an operation on it is running.
///
/// # Errors
/// 409; the text is not recorded.
pub fn idle(world: &World, name: &str) -> Result<(), ErrorResponse> {
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
pub fn mask(request: &Request) -> Result<Vec<String>, ErrorResponse> {
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

/// The resources of a collection; the parent `locations/-` means all locations.
pub fn members(world: &World, request: &Request, collection: &str) -> Vec<(String, Value)> {
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

/// A page of printed resources, in the field that the answer has for them.
pub fn answer_page(
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

/// `name` with the project's number in place of its id: the key in the maps of a feature.
pub fn numbered(name: &str, project: &Project) -> String {
    let rest = names::path(name).splitn(3, '/').nth(2).unwrap_or_default();
    format!("projects/{}/{rest}", project.number)
}

/// A resource without the emulator's own fields, whose names begin with an underscore.
pub fn public(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|name, _| !name.starts_with('_'));
    }
    value
}
