//! What all resources of compute have in common: made, changed and deleted by operations, one at a time each.

use serde_json::{Map, Value, json};

use super::scope::{self, Scope};
use super::{auto_mode, catalogue, operations, printed, reserved};
use crate::answer::{ErrorResponse, Response};
use crate::clock;
use crate::labels;
use crate::names;
use crate::operation::Effect;
use crate::policy;
use crate::request::Request;
use crate::world::World;

/// Makes a resource's value out of what was sent.
pub type BuildResource = fn(&World, &Scope, &Value) -> Result<Value, ErrorResponse>;

/// Makes a resource's new value out of its old one and what was sent.
pub type PatchResource = fn(&World, &Scope, &Value, &Value) -> Result<Value, ErrorResponse>;

/// What comes with a new resource of this value.
pub type Beside = fn(&mut World, &Scope, &Value) -> Vec<Effect>;

/// Nothing does.
pub fn nothing(_: &mut World, _: &Scope, _: &Value) -> Vec<Effect> {
    Vec::new()
}

/// POST on a collection.
pub fn insert(
    world: &mut World,
    request: &Request,
    scope: &Scope,
    draft: BuildResource,
    beside: Beside,
) -> Result<Response, ErrorResponse> {
    if let Some(before) = operations::remembered(world, request, scope) {
        return Ok(before);
    }
    catalogue::known(scope)?;
    let name = request
        .text("name")
        .ok_or_else(|| ErrorResponse::required("Required field 'resource.name' not specified"))?;
    let path = scope.member(name);
    labels::check_compute(&request.body["labels"])?;
    let key = scope::key(&path);
    match world
        .in_flight(&key)
        .map(|operation| operation.verb.as_str())
    {
        Some("insert") => return Err(exists(&path)),
        Some(_) => return Err(ErrorResponse::not_ready(&path)),
        None if world.get(&key).is_some() => return Err(exists(&path)),
        None => {}
    }
    let mut value = new_resource(world, scope, &path, draft(world, scope, &request.body)?);
    if let Some(region) = scope.region() {
        value["region"] = json!(scope::link(&format!(
            "projects/{}/regions/{region}",
            scope.project
        )));
    }
    let id = value["id"].clone();
    let mut effects = beside(world, scope, &value);
    effects.push(Effect::Put {
        key: key.clone(),
        value,
    });
    Ok(operations::begin(
        world,
        request,
        scope,
        "insert",
        &key,
        &id,
        Ok(effects),
    ))
}

/// PATCH and PUT on a resource.
pub fn change(
    world: &mut World,
    request: &Request,
    scope: &Scope,
    change: PatchResource,
) -> Result<Response, ErrorResponse> {
    if let Some(before) = operations::remembered(world, request, scope) {
        return Ok(before);
    }
    let (path, key) = located(request, scope);
    let old = existing(world, &path, &key)?;
    let new = change(world, scope, &old, &request.body)?;
    let id = old["id"].clone();
    // As recorded: a network's PATCH has a name of its own.
    let verb = match request.method_id.rsplit('.').next() {
        Some("patch") if scope.collection == "networks" => "updateNetwork",
        verb => verb.unwrap_or_default(),
    };
    let effects = vec![Effect::Put {
        key: key.clone(),
        value: new,
    }];
    Ok(operations::begin(
        world,
        request,
        scope,
        verb,
        &key,
        &id,
        Ok(effects),
    ))
}

/// DELETE on a resource that nothing may use.
pub fn delete(
    world: &mut World,
    request: &Request,
    scope: &Scope,
) -> Result<Response, ErrorResponse> {
    if let Some(before) = operations::remembered(world, request, scope) {
        return Ok(before);
    }
    let (path, key) = located(request, scope);
    let old = existing(world, &path, &key)?;
    let network = old["network"].as_str().map(names::path).map(scope::key);
    if let Some(network) = network.and_then(|key| world.get(&key))
        && scope.collection == "subnetworks"
        && auto_mode::is_own(&old, network)
    {
        // Quoted by users (the troubleshooting page of terraform-google-forseti).
        return Err(ErrorResponse {
            reason: "invalidResourceUsage",
            ..ErrorResponse::invalid(
                "Invalid resource usage: 'Cannot delete auto subnetwork from an auto subnet mode network.'.",
            )
        });
    }
    if let Some(refusal) = reserved::refusal(world, scope, &path, &old) {
        return Err(refusal);
    }
    if let Some(user) = world.users(&key).first() {
        return Err(ErrorResponse::in_use(in_use(
            &scope.singular(),
            &path,
            user,
        )));
    }
    let mut effects = vec![Effect::Remove { key: key.clone() }];
    if scope.collection == "subnetworks" {
        let key = policy::Resource::subnetwork(&path).key().to_owned();
        effects.push(Effect::Remove { key });
    }
    Ok(operations::begin(
        world,
        request,
        scope,
        "delete",
        &key,
        &old["id"],
        Ok(effects),
    ))
}

/// GET on a resource.
pub fn get(world: &World, request: &Request, scope: &Scope) -> Result<Response, ErrorResponse> {
    let (path, key) = located(request, scope);
    let value = world.get(&key).ok_or_else(|| scope::missing(&path))?;
    Ok(printed::printed(world, &key, value).into())
}

/// The path and the key of the resource that the request's path names.
pub fn located(request: &Request, scope: &Scope) -> (String, String) {
    let path = scope.member(scope.name(request));
    let key = scope::key(&path);
    (path, key)
}

/// The resource, if it exists and no operation on it is running.
pub fn existing(world: &World, path: &str, key: &str) -> Result<Value, ErrorResponse> {
    let value = world.get(key).ok_or_else(|| scope::missing(path))?;
    match world.in_flight(key) {
        Some(_) => Err(ErrorResponse::not_ready(path)),
        None => Ok(value.clone()),
    }
}

/// Checks that the network that a body refers to exists in the same project and is not being changed; returns its path.
///
/// # Errors
/// The text for a missing network is not recorded; that for one in the middle of a change is as recorded of a DELETE.
pub fn network(world: &World, scope: &Scope, body: &Value) -> Result<String, ErrorResponse> {
    let path = scope::reference(scope, body, "network")?.ok_or_else(|| {
        ErrorResponse::required("Required field 'resource.network' not specified")
    })?;
    if names::segment(&path, "projects") != Some(&scope.project) {
        // As users quote it of firewall rules (terraform-google-bastion-host, issue 5).
        return Err(ErrorResponse::invalid(format!(
            "Invalid value for field 'resource.network': '{path}'. Cross project referencing is not allowed for this resource."
        )));
    }
    let key = scope::key(&path);
    if world.in_flight(&key).is_some() {
        return Err(ErrorResponse::not_ready(&path));
    }
    world.get(&key).ok_or_else(|| {
        let sent = body["network"].as_str().unwrap_or_default();
        ErrorResponse::invalid(format!(
            "Invalid value for field 'resource.network': '{sent}'. The referenced network resource cannot be found."
        ))
    })?;
    Ok(path)
}

/// `"The network resource 'projects/…' is already being used by 'projects/…'"`: recorded of networks and health checks.
pub fn in_use(kind: &str, path: &str, user: &str) -> String {
    // `networkEndpointGroup` is `network_endpoint_group` there.
    let mut words = String::new();
    for c in kind.chars() {
        if c.is_ascii_uppercase() {
            words.push('_');
        }
        words.push(c.to_ascii_lowercase());
    }
    format!(
        "The {words} resource '{path}' is already being used by '{}'",
        names::path(user)
    )
}

/// The fields sent, with arrays replaced whole and objects merged: what PATCH does. Null removes a field.
pub fn merged(old: &Value, sent: &Value) -> Value {
    let mut new = old.clone();
    json::merge(&mut new, sent);
    new
}

/// A new value that is what was sent.
pub fn sent(_: &World, _: &Scope, body: &Value) -> Result<Value, ErrorResponse> {
    Ok(body.clone())
}

/// A value after a PATCH: the fields that were sent, and the others as they were.
pub fn patched(_: &World, _: &Scope, old: &Value, sent: &Value) -> Result<Value, ErrorResponse> {
    keep_immutable(old, merged(old, sent))
}

/// A value after a PUT: what was sent.
pub fn replaced(_: &World, _: &Scope, old: &Value, sent: &Value) -> Result<Value, ErrorResponse> {
    keep_immutable(old, sent.clone())
}

/// The fields that a resource keeps for life, whatever a PATCH or PUT sends back.
const LIFELONG: &[&str] = &[
    "kind",
    "id",
    "creationTimestamp",
    "name",
    "selfLink",
    "network",
    "region",
    "zone",
];

/// `new` with the lifelong fields of `old`.
///
/// # Errors
/// 400 when the client wants another value of one. The text is not recorded.
pub fn keep_immutable(old: &Value, mut new: Value) -> Result<Value, ErrorResponse> {
    for field in LIFELONG {
        let (was, sent) = (&old[field], &new[field]);
        let moved = !sent.is_null() && matches!(*field, "network" | "name") && {
            let texts = (
                was.as_str().unwrap_or_default(),
                sent.as_str().unwrap_or_default(),
            );
            let (was, sent) = (names::path(texts.0), names::path(texts.1));
            // A partial link (`global/networks/n`) is of the same project.
            was != sent && !was.ends_with(&format!("/{sent}"))
        };
        if moved {
            return Err(ErrorResponse::invalid(format!(
                "Invalid value for field 'resource.{field}': '{}'. Cannot change {field} of an existing resource.",
                sent.as_str().unwrap_or_default()
            )));
        }
        if !was.is_null() {
            new[field] = was.clone();
        }
    }
    Ok(new)
}

fn exists(path: &str) -> ErrorResponse {
    ErrorResponse::already_exists(format!("The resource '{path}' already exists"))
}

/// A new resource, with the fields that every resource has.
fn new_resource(world: &mut World, scope: &Scope, path: &str, drafted: Value) -> Value {
    let kind = format!("compute#{}", scope.singular());
    let mut value = Map::new();
    value.insert("kind".to_owned(), json!(kind));
    value.insert("id".to_owned(), json!(world.next_id().to_string()));
    value.insert(
        "creationTimestamp".to_owned(),
        json!(clock::pacific(world.now())),
    );
    if let Value::Object(drafted) = drafted {
        value.extend(drafted);
    }
    value.insert("selfLink".to_owned(), json!(scope::link(path)));
    Value::Object(value)
}
