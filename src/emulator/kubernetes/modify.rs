//! PUT and PATCH of an object, or of its status.

use serde_json::{Value, json};

use super::call::{ApiCall, CallTarget};
use super::cluster::Cluster;
use super::decode;
use super::managed;
use super::object;
use super::patch;
use super::reply::ApiReply;
use super::requested::{options, stored};
use super::resource::Resource;
use super::status::{Cause, Status};
use super::validate;
use super::write;

/// The content types of patches.
const PATCHES: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/apply-patch+yaml",
    "application/strategic-merge-patch+json",
];

/// Answers PUT or PATCH.
///
/// # Errors
/// What Kubernetes would refuse.
pub fn answer(
    cluster: &mut Cluster,
    call: &ApiCall,
    resource: &Resource,
    target: &CallTarget,
    name: &str,
) -> Result<ApiReply, Status> {
    let content_type = call
        .content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    if call.method == "PATCH" && content_type == "application/apply-patch+yaml" {
        return apply(cluster, call, resource, target, name);
    }
    let old = stored(cluster, resource, target, name)?;
    let (new, warnings) = if call.method == "PUT" {
        decode::object(call, resource, target)?
    } else {
        patched(call, resource, target, &old, content_type)?
    };
    let written = write::update(
        cluster,
        resource,
        &old,
        new,
        &options(cluster, call, target, false)?,
    )?;
    Ok(ApiReply::Object {
        code: 200,
        body: object::printed(resource, &target.version, &written),
        warnings,
    })
}

fn patched(
    call: &ApiCall,
    resource: &Resource,
    target: &CallTarget,
    old: &Value,
    content_type: &str,
) -> Result<(Value, Vec<String>), Status> {
    if !content_type.ends_with("-patch+json") {
        return Err(Status::unknown_type());
    }
    let wanted = decode::value(call)?;
    let mut new = object::printed(resource, &target.version, old);
    match content_type {
        "application/merge-patch+json" => json::merge(&mut new, &wanted),
        "application/json-patch+json" => patch::json(&mut new, &wanted)?,
        "application/strategic-merge-patch+json" if !resource.custom => {
            patch::strategic(&mut new, &wanted, &resource.schema)
        }
        other => return Err(Status::unsupported(other, PATCHES)),
    }
    decode::fits(&new, resource, target)?;
    let unknown = validate::unknown(resource, &new);
    let warnings = decode::judged(call, resource, target, &unknown)?;
    if !unknown.is_empty() {
        new = validate::pruned(resource, new);
    }
    let namespace = target.namespace.as_deref().unwrap_or_default();
    validate::check(resource, &target.version, &new, namespace)?;
    Ok((new, warnings))
}

/// Server-side apply: makes the object if it is not there.
fn apply(
    cluster: &mut Cluster,
    call: &ApiCall,
    resource: &Resource,
    target: &CallTarget,
    name: &str,
) -> Result<ApiReply, Status> {
    if call.query("fieldManager").is_none() {
        let mut options = resource.clone();
        (options.kind, options.group) = ("PatchOptions".to_owned(), "meta.k8s.io".to_owned());
        let cause = Cause::required("fieldManager", "is required for apply patch");
        return Err(Status::invalid(&options, "", &[cause]));
    }
    let mut config = decode::value(call)?;
    if config["metadata"]["name"].is_null() && config["metadata"].is_object() {
        config["metadata"]["name"] = json!(name);
    }
    let kind = config["kind"].as_str().unwrap_or_default();
    if !kind.is_empty() && kind != resource.kind {
        let version = config["apiVersion"].as_str().unwrap_or_default();
        let named = grouped(version);
        let message = format!("invalid object type: {named}, Kind={kind}");
        return Err(Status::bad_request(message));
    }
    decode::fits(&config, resource, target)?;
    if config["metadata"].get("managedFields").is_some() {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    let namespace = target.namespace.clone().unwrap_or_default();
    validate::typed(resource, &target.version, &config)?;
    let options = options(cluster, call, target, true)?;
    let force = call.flag("force");
    match cluster.get(resource, &namespace, name).cloned() {
        Some(live) => {
            let mut merged = managed::applied(resource, &live, &config, &options.writer, force)?;
            object::forget(&mut merged, &["apiVersion", "kind"]);
            // A version in the applied object is a precondition.
            object::forget(&mut merged["metadata"], &["resourceVersion"]);
            if let Some(version) = config["metadata"].get("resourceVersion") {
                merged["metadata"]["resourceVersion"] = version.clone();
            }
            validate::admitted(resource, &target.version, &merged, &namespace)?;
            let written = write::update(cluster, resource, &live, merged, &options)?;
            Ok(ApiReply::ok(object::printed(
                resource,
                &target.version,
                &written,
            )))
        }
        None if target.subresource.is_some() => Err(Status::not_found(resource, name)),
        None => {
            if config["metadata"]["uid"].is_string()
                || config["metadata"]["resourceVersion"].is_string()
            {
                return Err(Status::conflict(
                    resource,
                    name,
                    "uid mismatch: the provided object specified a uid or version, and no existing object has it",
                ));
            }
            validate::admitted(resource, &target.version, &config, &namespace)?;
            let none = json!({"metadata": {"name": name}});
            let mut fresh = managed::applied(resource, &none, &config, &options.writer, force)?;
            let managed = fresh["metadata"]["managedFields"].clone();
            object::forget(&mut fresh, &["apiVersion", "kind"]);
            let mut created = write::create(cluster, resource, &namespace, fresh, &options)?;
            // A client that states only a name owns nothing, and an object without owners has no list of them.
            if !managed.is_null() {
                created["metadata"]["managedFields"] = managed;
            }
            if !options.dry_run {
                // The list of owners is part of the first revision, so no client sees the object without it.
                created = cluster
                    .store
                    .amend(&resource.key(&namespace, name), created);
            }
            Ok(ApiReply::created(
                object::printed(resource, &target.version, &created),
                Vec::new(),
            ))
        }
    }
}

/// A version with its group before it, be it the one without a name: `/v1`.
fn grouped(version: &str) -> String {
    let slash = if version.contains('/') { "" } else { "/" };
    format!("{slash}{version}")
}
