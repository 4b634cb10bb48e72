//! Features of a fleet, v1: enabled once for all members, with a spec and a state for each.

use serde_json::{Map, Value, json};

use super::operations::{self, HubAction};
use super::resource::{answer_page, idle, key, mask, members, numbered, public, stored, vacant};
use super::{catalogue, membership_specs, memberships};
use crate::answer::{ErrorResponse, Response};
use crate::clock;
use crate::names;
use crate::operation::Effect;
use crate::request::Request;
use crate::world::{Project, World};

/// GET.
pub fn get(world: &World, request: &Request, project: &Project) -> Result<Response, ErrorResponse> {
    let feature = stored(world, request.param("name"))?;
    Ok(print(world, project, feature).into())
}

/// LIST.
pub fn list(
    world: &World,
    request: &Request,
    project: &Project,
) -> Result<Response, ErrorResponse> {
    let found = members(world, request, "features");
    let printed = found
        .into_iter()
        .map(|(_, feature)| print(world, project, feature))
        .collect();
    answer_page(request, "resources", printed)
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
    let id = request.query("featureId").unwrap_or_default().to_owned();
    let name = format!("{}/features/{id}", request.param("parent"));
    if names::segment(&name, "locations") != Some("global") {
        // Features are global. The text is not recorded.
        return Err(ErrorResponse::bad_request(format!(
            "Location of '{name}' must be 'global'."
        )));
    }
    catalogue::check_id(&id)?;
    catalogue::check_body(&id, &request.body)?;
    vacant(world, &name)?;
    let mut effects = specs(world, project, &id, &request.body)?;
    let now = clock::utc(world.now());
    let mut feature = json!({
        "name": name,
        "createTime": now,
        "updateTime": now,
        "resourceState": {"state": "ACTIVE"},
        "spec": request.body.get("spec").cloned().unwrap_or_else(|| json!({})),
    });
    for field in ["labels", "fleetDefaultMemberConfig"] {
        if let Some(value) = request.body.get(field) {
            feature[field] = value.clone();
        }
    }
    effects.insert(
        0,
        Effect::Put {
            key: key(&name),
            value: feature.clone(),
        },
    );
    let mut coming = feature.clone();
    coming["resourceState"] = json!({"state": "ENABLING"});
    world.put(key(&name), coming);
    let deed = HubAction {
        verb: "create",
        target: &name,
        kind: ("v1", "Feature"),
        result: public(feature),
    };
    Ok(operations::begin(world, request, project, deed, effects))
}

/// PATCH. Reported by the maintainers of a client: a mask of `membershipSpecs` merges by key, and a key with an empty spec
/// removes that one.
pub fn patch(
    world: &mut World,
    request: &Request,
    project: &Project,
) -> Result<Response, ErrorResponse> {
    if let Some(answer) = operations::before(world, request, project) {
        return Ok(answer);
    }
    let name = request.param("name");
    let mut feature = stored(world, name)?;
    idle(world, name)?;
    catalogue::check_body(names::leaf(name), &request.body)?;
    let mut effects = Vec::new();
    for field in mask(request)? {
        match field.as_str() {
            "membershipSpecs" => {
                effects.extend(specs(world, project, names::leaf(name), &request.body)?)
            }
            "labels" | "spec" => {
                feature[&field] = request
                    .body
                    .get(&field)
                    .cloned()
                    .unwrap_or_else(|| json!({}))
            }
            "fleetDefaultMemberConfig" => {
                match (request.body.get(&field), feature.as_object_mut()) {
                    (Some(value), _) => feature[&field] = value.clone(),
                    (None, Some(fields)) => {
                        fields.remove(&field);
                    }
                    (None, None) => {}
                }
            }
            other => {
                return Err(ErrorResponse::bad_request(format!(
                    "Field '{other}' cannot be updated."
                )));
            }
        }
    }
    feature["updateTime"] = json!(clock::utc(world.now()));
    effects.push(Effect::Put {
        key: key(name),
        value: feature.clone(),
    });
    let deed = HubAction {
        verb: "update",
        target: name,
        kind: ("v1", "Feature"),
        result: public(feature),
    };
    Ok(operations::begin(world, request, project, deed, effects))
}

/// DELETE: with `force` the membership features are deleted too; without it they forbid the deletion.
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
    let id = names::leaf(name);
    let below = membership_specs::of_feature(world, project, id);
    if !below.is_empty() && !request.flag("force") {
        // Documented of `force`. The text is not recorded.
        return Err(ErrorResponse::failed_precondition(format!(
            "Feature '{name}' has membership specs. Set 'force' to true to delete it with them."
        )));
    }
    if let Some(stored) = world.edit(&key(name)) {
        stored["resourceState"] = json!({"state": "DISABLING"});
    }
    let halves = below
        .iter()
        .map(|(membership, ..)| key(&format!("{membership}/features/{id}")));
    let effects = halves
        .chain([key(name)])
        .map(|key| Effect::Remove { key })
        .collect();
    let deed = HubAction {
        verb: "delete",
        target: name,
        kind: ("v1", "Feature"),
        result: Value::Null,
    };
    Ok(operations::begin(world, request, project, deed, effects))
}

/// The effects of the `membershipSpecs` of a body.
fn specs(
    world: &World,
    project: &Project,
    feature: &str,
    body: &Value,
) -> Result<Vec<Effect>, ErrorResponse> {
    let sent = body["membershipSpecs"].as_object().into_iter().flatten();
    sent.map(|(name, spec)| {
        let membership = memberships::named(world, project, name)?;
        Ok(membership_specs::set_by_v1(
            world,
            &membership,
            feature,
            spec,
        ))
    })
    .collect()
}

/// The feature with the specs and states of its members, keyed by the project's number.
fn print(world: &World, project: &Project, feature: Value) -> Value {
    let mut printed = public(feature);
    let id = names::leaf(printed["name"].as_str().unwrap_or_default()).to_owned();
    let (mut specs, mut states) = (Map::new(), Map::new());
    for (membership, spec, state) in membership_specs::of_feature(world, project, &id) {
        let key = numbered(&membership, project);
        states.extend(state.map(|state| (key.clone(), state)));
        specs.insert(key, spec);
    }
    for (field, map) in [("membershipSpecs", specs), ("membershipStates", states)] {
        if !map.is_empty() {
            printed[field] = Value::Object(map);
        }
    }
    printed
}
