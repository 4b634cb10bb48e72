//! Membership features, v2: the part of a feature that belongs to one membership.

use serde_json::{Value, json};

use super::catalogue;
use super::membership_specs::{self, object, state};
use super::operations::{self, HubAction};
use super::resource::{answer_page, idle, key, mask, missing, public, stored, vacant};
use crate::answer::{ErrorResponse, Response};
use crate::labels;
use crate::names;
use crate::operation::Effect;
use crate::request::Request;
use crate::world::{Project, World};

/// GET.
pub fn get(world: &World, request: &Request) -> Result<Response, ErrorResponse> {
    let name = request.param("name");
    let half = stored(world, name)?;
    Ok(print(world, name, half).into())
}

/// LIST.
pub fn list(world: &World, request: &Request) -> Result<Response, ErrorResponse> {
    let parent = request.param("parent");
    stored(world, parent)?;
    let found = world.list(&key(&format!("{parent}/features")));
    let printed = found
        .into_iter()
        .map(|(key, half)| print(world, names::path(key), half.clone()))
        .collect();
    answer_page(request, "membershipFeatures", printed)
}

/// POST.
pub fn create(
    world: &mut World,
    request: &Request,
    project: &Project,
) -> Result<Response, ErrorResponse> {
    if let Some(answer) = operations::before(world, request, project) {
        return Ok(answer);
    }
    let name = format!(
        "{}/features/{}",
        request.param("parent"),
        request.query("featureId").unwrap_or_default()
    );
    vacant(world, &name)?;
    begin(world, request, project, &name, "create")
}

/// PATCH; with `allowMissing` it also creates.
pub fn patch(
    world: &mut World,
    request: &Request,
    project: &Project,
) -> Result<Response, ErrorResponse> {
    if let Some(answer) = operations::before(world, request, project) {
        return Ok(answer);
    }
    let name = request.param("name");
    let there = world.get(&key(name)).is_some();
    if !there && !request.flag("allowMissing") {
        return Err(missing(name));
    }
    begin(
        world,
        request,
        project,
        name,
        if there { "update" } else { "create" },
    )
}

/// DELETE.
pub fn delete(
    world: &mut World,
    request: &Request,
    project: &Project,
) -> Result<Response, ErrorResponse> {
    if let Some(answer) = operations::before(world, request, project) {
        return Ok(answer);
    }
    let name = request.param("name");
    stored(world, name)?;
    idle(world, name)?;
    let effects = vec![Effect::Remove { key: key(name) }];
    let deed = HubAction {
        verb: "delete",
        target: name,
        kind: ("v2", "MembershipFeature"),
        result: Value::Null,
    };
    Ok(operations::begin(world, request, project, deed, effects))
}

fn begin(
    world: &mut World,
    request: &Request,
    project: &Project,
    name: &str,
    verb: &str,
) -> Result<Response, ErrorResponse> {
    let (membership, feature) = name.split_once("/features/").ok_or_else(|| missing(name))?;
    stored(world, membership)?;
    idle(world, name)?;
    membership_specs::check_enabled(world, project, feature)?;
    catalogue::check_spec(feature, "spec", &request.body["spec"])?;
    labels::check(&request.body["labels"], ErrorResponse::bad_request)?;
    // What the mask does not name stays as it was; a new membership feature has no mask.
    let before = world.get(&key(name)).cloned();
    let whole = || vec!["spec".to_owned(), "labels".to_owned()];
    let fields = match request.query("updateMask") {
        None if verb == "create" => whole(),
        // A mask must name something, also where the membership feature is made by it.
        _ if verb == "create" => {
            checked_mask(request)?;
            whole()
        }
        _ => checked_mask(request)?,
    };
    let mut spec = before
        .as_ref()
        .map_or(json!({}), |half| half["spec"].clone());
    if fields.iter().any(|field| field == "spec") {
        spec = request
            .body
            .get("spec")
            .cloned()
            .unwrap_or_else(|| json!({}));
    }
    let mut half = object(world, name, before.as_ref(), spec);
    if fields.iter().any(|field| field == "labels")
        && let Some(labels) = request.body.get("labels")
    {
        half["labels"] = labels.clone();
    }
    let effects = vec![Effect::Put {
        key: key(name),
        value: half.clone(),
    }];
    let result = print(world, name, half);
    let deed = HubAction {
        verb,
        target: name,
        kind: ("v2", "MembershipFeature"),
        result,
    };
    Ok(operations::begin(world, request, project, deed, effects))
}

/// The fields of a mask, each of which can be changed. The words are ours.
fn checked_mask(request: &Request) -> Result<Vec<String>, ErrorResponse> {
    let fields = mask(request)?;
    match fields
        .iter()
        .find(|field| !["spec", "labels"].contains(&field.as_str()))
    {
        None => Ok(fields),
        Some(other) => Err(ErrorResponse::bad_request(format!(
            "Field '{other}' cannot be updated."
        ))),
    }
}

fn print(world: &World, name: &str, half: Value) -> Value {
    let state = state(world, name, &half);
    let mut printed = public(half);
    printed["lifecycleState"] = json!({"state": "ACTIVE"});
    if let Some(state) = state {
        printed["state"] = state;
    }
    printed
}
