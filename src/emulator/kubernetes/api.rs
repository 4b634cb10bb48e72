//! From a request to an answer: which object, which verb.

use base64::Engine as _;
use serde_json::{Value, json};

use super::call::{ApiCall, CallTarget};
use super::cluster::Cluster;
use super::controllers;
use super::decode;
use super::delete;
use super::discovery;
use super::exec;
use super::kinds;
use super::log;
use super::modify;
use super::object;
use super::openapi;
use super::reply::ApiReply;
use super::requested::{options, stored};
use super::resource::{Resource, Verbs};
use super::reviews;
use super::scale;
use super::selectors::Selector;
use super::served_kinds;
use super::status::Status;
use super::table;
use super::watch::Watch;
use super::write;

/// Answers a request.
///
/// # Errors
/// What Kubernetes would refuse.
pub fn answer(cluster: &mut Cluster, call: &ApiCall) -> Result<ApiReply, Status> {
    controllers::tick(cluster);
    let reply = route(cluster, call);
    if call.method != "GET" {
        controllers::tick(cluster);
    }
    reply
}

fn route(cluster: &mut Cluster, call: &ApiCall) -> Result<ApiReply, Status> {
    match call.path.trim_end_matches('/') {
        "/version" => return Ok(ApiReply::ok(discovery::version(cluster))),
        "/livez" | "/readyz" | "/healthz" => {
            return Ok(ApiReply::Document {
                content_type: "text/plain; charset=utf-8",
                body: "ok".to_owned(),
                keep: false,
            });
        }
        path if path.starts_with("/openapi/v3") => return openapi::answer(cluster, path, call),
        path => {
            if let Some(found) = discovery::answer(cluster, path, &call.accept) {
                return Ok(found);
            }
        }
    }
    let Some(target) = CallTarget::of(&call.path) else {
        return Ok(ApiReply::Nowhere);
    };
    let Some(resource) = served_kinds::find(
        &cluster.store,
        &target.group,
        &target.version,
        &target.plural,
    ) else {
        // The server's own groups have a handler, which does not know the kind; other groups have none.
        let mut own = kinds::built_in().into_iter();
        let is_own =
            own.any(|one| one.group == target.group && one.versions.contains(&target.version));
        return if is_own {
            Err(Status::no_such_path())
        } else {
            Ok(ApiReply::Nowhere)
        };
    };
    if resource.verbs == Verbs::Review {
        return reviews::answer(cluster, call, &resource, &target);
    }
    // A namespaced path for a kind without namespaces, or the other way round for one object.
    let misplaced = target.namespace.is_some() && !resource.namespaced
        || target.namespace.is_none() && resource.namespaced && target.name.is_some();
    if misplaced {
        return Err(Status::no_such_path());
    }
    let mut reply = match (&target.name, &target.subresource) {
        (None, _) => collection(cluster, call, &resource, &target),
        (Some(name), None) => object(cluster, call, &resource, &target, name),
        (Some(name), Some(below)) => subresource(cluster, call, &resource, &target, name, below),
    }?;
    if let ApiReply::Object { warnings, .. } = &mut reply {
        warnings.extend(deprecated(&target));
    }
    Ok(reply)
}

/// The warning about a deprecated version.
fn deprecated(target: &CallTarget) -> Option<String> {
    let told = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice";
    (target.group.is_empty() && target.plural == "endpoints").then(|| told.to_owned())
}

fn collection(
    cluster: &mut Cluster,
    call: &ApiCall,
    resource: &Resource,
    target: &CallTarget,
) -> Result<ApiReply, Status> {
    match call.method.as_str() {
        "GET" if call.flag("watch") => Ok(ApiReply::Watch(Box::new(Watch::of(
            cluster, call, resource, target,
        )?))),
        "GET" => list(cluster, call, resource, target),
        "POST" => {
            let namespace = match (&target.namespace, resource.namespaced) {
                (None, true) => return Err(Status::method_not_allowed()),
                (namespace, _) => namespace.clone().unwrap_or_default(),
            };
            let (object, warnings) = decode::object(call, resource, target)?;
            let created = write::create(
                cluster,
                resource,
                &namespace,
                object,
                &options(cluster, call, target, false)?,
            )?;
            Ok(ApiReply::created(
                object::printed(resource, &target.version, &created),
                warnings,
            ))
        }
        "DELETE" => delete::all(cluster, call, resource, target),
        _ => Err(Status::method_not_allowed()),
    }
}

fn object(
    cluster: &mut Cluster,
    call: &ApiCall,
    resource: &Resource,
    target: &CallTarget,
    name: &str,
) -> Result<ApiReply, Status> {
    match call.method.as_str() {
        "GET" => {
            let found = stored(cluster, resource, target, name)?;
            Ok(shown(call, resource, target, &found, cluster))
        }
        "PUT" | "PATCH" => modify::answer(cluster, call, resource, target, name),
        "DELETE" => delete::one(cluster, call, resource, target, name),
        _ => Err(Status::method_not_allowed()),
    }
}

fn subresource(
    cluster: &mut Cluster,
    call: &ApiCall,
    resource: &Resource,
    target: &CallTarget,
    name: &str,
    below: &str,
) -> Result<ApiReply, Status> {
    if !resource.has(below) {
        return Err(Status::no_such_path());
    }
    let found = stored(cluster, resource, target, name)?;
    match (below, call.method.as_str()) {
        ("log", "GET") => Ok(ApiReply::Log(log::tail(call, resource, &found)?)),
        ("exec", "GET" | "POST") => Ok(ApiReply::Exec(exec::run(call, resource, &found)?)),
        ("scale", "GET") => Ok(ApiReply::ok(scale::of(&found))),
        ("scale", _) => scale::answer(cluster, call, resource, target, &found),
        ("status", "GET") => Ok(shown(call, resource, target, &found, cluster)),
        ("status" | "finalize", "PUT" | "PATCH") => {
            modify::answer(cluster, call, resource, target, name)
        }
        _ => Err(Status::method_not_allowed()),
    }
}

fn shown(
    call: &ApiCall,
    resource: &Resource,
    target: &CallTarget,
    object: &Value,
    cluster: &Cluster,
) -> ApiReply {
    let printed = object::printed(resource, &target.version, object);
    if call.wants_table() {
        let revision = object["metadata"]["resourceVersion"].clone();
        return ApiReply::ok(table::table(
            resource,
            &[printed],
            call.query("includeObject"),
            cluster.now(),
            &json!({"resourceVersion": revision}),
        ));
    }
    ApiReply::ok(printed)
}

fn list(
    cluster: &Cluster,
    call: &ApiCall,
    resource: &Resource,
    target: &CallTarget,
) -> Result<ApiReply, Status> {
    let selector = Selector::of(
        resource,
        call.query("labelSelector"),
        call.query("fieldSelector"),
    )?;
    let prefix = resource.prefix(target.namespace.as_deref());
    let found = cluster.store.list(&prefix);
    let after = match call.query("continue") {
        Some(token) => read_token(token).ok_or_else(Status::stale_continue)?,
        None => String::new(),
    };
    let limit: usize = call
        .query("limit")
        .and_then(|limit| limit.parse().ok())
        .unwrap_or(0);
    let mut matching = found
        .into_iter()
        .filter(|(key, object)| *key > after.as_str() && selector.matches(object))
        .peekable();
    let mut items = Vec::new();
    let mut last = String::new();
    while let Some((key, object)) = matching.next_if(|_| limit == 0 || items.len() < limit) {
        items.push(object::printed(resource, &target.version, object));
        last = key.to_owned();
    }
    let left = matching.count();
    let mut metadata = json!({"resourceVersion": cluster.store.revision().to_string()});
    if resource.custom {
        // For kinds without a Go type the API server also prints the empty field.
        metadata["continue"] = json!("");
    }
    if left > 0 {
        metadata["continue"] = json!(token(&last));
        metadata["remainingItemCount"] = json!(left);
    }
    if call.wants_table() {
        return Ok(ApiReply::ok(table::table(
            resource,
            &items,
            call.query("includeObject"),
            cluster.now(),
            &metadata,
        )));
    }
    // Items of a list do not repeat what the list says, for built-in kinds.
    if !resource.custom {
        items
            .iter_mut()
            .for_each(|item| object::forget(item, &["apiVersion", "kind"]));
    }
    Ok(ApiReply::ok(json!({
        "kind": format!("{}List", resource.kind),
        "apiVersion": resource.api_version(&target.version),
        "metadata": metadata,
        "items": items,
    })))
}

fn token(last: &str) -> String {
    base64::engine::general_purpose::URL_SAFE_NO_PAD
        .encode(json!({"v": "meta.k8s.io/v1", "start": last}).to_string())
}

fn read_token(token: &str) -> Option<String> {
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(token)
        .ok()?;
    let token: Value = serde_json::from_slice(&bytes).ok()?;
    token["start"].as_str().map(str::to_owned)
}
