//! The API description (OpenAPI v3): the schemas that clients validate with, and which query parameters are understood.
//!
//! One document a group and version; only the paths and operations that clients look at.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::call::ApiCall;
use super::cluster::Cluster;
use super::reply::ApiReply;
use super::resource::Resource;
use super::schema;
use super::served_kinds;
use super::status::Status;
use crate::names;

/// Answers `/openapi/v3` and what is below it.
///
/// # Errors
/// 404 for a group and version that is not served.
pub fn answer(cluster: &Cluster, path: &str, call: &ApiCall) -> Result<ApiReply, Status> {
    let kinds = served_kinds::all(&cluster.store);
    let Some(path) = path.strip_prefix("/openapi/v3/") else {
        return Ok(ApiReply::ok(index(&kinds)));
    };
    let (group, version) = match path.split('/').collect::<Vec<_>>().as_slice() {
        ["api", version] => (String::new(), (*version).to_owned()),
        ["apis", group, version] => ((*group).to_owned(), (*version).to_owned()),
        _ => return Err(Status::no_such_path()),
    };
    let here: Vec<&Resource> = kinds
        .iter()
        .filter(|kind| kind.group == group && kind.versions.contains(&version))
        .collect();
    if here.is_empty() {
        return Err(Status::no_such_path());
    }
    let body = document(&here, &version).to_string();
    Ok(ApiReply::Document {
        content_type: "application/json",
        body,
        keep: call.query("hash").is_some(),
    })
}

fn index(kinds: &[Resource]) -> Value {
    let mut paths = Map::new();
    for kind in kinds {
        for version in &kind.versions {
            let root = if kind.group.is_empty() { "api" } else { "apis" };
            let at = format!("{root}/{}", kind.api_version(version));
            let here: Vec<&Resource> = kinds
                .iter()
                .filter(|one| one.group == kind.group && one.versions.contains(version))
                .collect();
            // The hash names the content, so that a client may keep what it has read under it.
            let content: Vec<String> = here
                .iter()
                .map(|one| format!("{} {}", one.kind, one.schema))
                .collect();
            let hash = names::hex(&content.concat(), 16).to_uppercase();
            paths.entry(at.clone()).or_insert_with(
                || json!({"serverRelativeURL": format!("/openapi/v3/{at}?hash={hash}")}),
            );
        }
    }
    json!({"paths": paths})
}

fn document(kinds: &[&Resource], version: &str) -> Value {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    let mut reached = BTreeSet::from([schema::METADATA.to_owned()]);
    schema::reached(&json!({"$ref": schema::METADATA}), &mut reached);
    schema::reached(&schema::built_in()[schema::METADATA], &mut reached);
    for kind in kinds {
        let name = schema_name(kind, version);
        schema::reached(&kind.schema, &mut reached);
        let mut own = schema::resolved(&kind.schema).clone();
        own["x-kubernetes-group-version-kind"] =
            json!([{"group": kind.group, "kind": kind.kind, "version": version}]);
        if kind.custom {
            own["properties"]["apiVersion"] = json!({"type": "string"});
            own["properties"]["kind"] = json!({"type": "string"});
            own["properties"]["metadata"] = json!({"$ref": schema::METADATA});
        }
        paths.insert(path_of(kind, version), operations(kind, version, &name));
        schemas.insert(name, linked(own));
    }
    for name in reached {
        if !schemas.contains_key(&name) && !name.starts_with("istio/") {
            schemas.insert(name.clone(), linked(schema::built_in()[&name].clone()));
        }
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

fn schema_name(kind: &Resource, version: &str) -> String {
    match kind.schema["$ref"].as_str().filter(|_| !kind.custom) {
        Some(name) => name.to_owned(),
        None => {
            let reversed: Vec<&str> = kind.group.split('.').rev().collect();
            format!("{}.{version}.{}", reversed.join("."), kind.kind)
        }
    }
}

fn path_of(kind: &Resource, version: &str) -> String {
    let root = if kind.group.is_empty() { "api" } else { "apis" };
    let within = if kind.namespaced {
        "/namespaces/{namespace}"
    } else {
        ""
    };
    format!(
        "/{root}/{}{within}/{}/{{name}}",
        kind.api_version(version),
        kind.plural
    )
}

fn operations(kind: &Resource, version: &str, name: &str) -> Value {
    let parameter = |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}});
    let of = json!({"group": kind.group, "kind": kind.kind, "version": version});
    let answer = json!({"200": {"description": "OK", "content": {"application/json": {"schema": {"$ref": format!("#/components/schemas/{name}")}}}}});
    let mut patches = vec![
        "application/apply-patch+yaml",
        "application/json-patch+json",
        "application/merge-patch+json",
    ];
    if !kind.custom {
        patches.push("application/strategic-merge-patch+json");
    }
    let parameters = ["dryRun", "fieldManager", "fieldValidation", "force"].map(parameter);
    let content: Map<String, Value> = patches
        .into_iter()
        .map(|format| (format.to_owned(), json!({"schema": {"type": "object"}})))
        .collect();
    json!({
        "get": {"x-kubernetes-action": "get", "x-kubernetes-group-version-kind": of, "responses": answer},
        "patch": {
            "x-kubernetes-action": "patch",
            "x-kubernetes-group-version-kind": of,
            "parameters": parameters,
            "requestBody": {"content": content},
            "responses": answer,
        },
    })
}

/// A schema with its references as this format writes them.
fn linked(schema: Value) -> Value {
    match schema {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| match (name.as_str(), value) {
                ("$ref", Value::String(of)) => (name, json!(format!("#/components/schemas/{of}"))),
                (_, value) => (name, linked(value)),
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(linked).collect(),
        other => other,
    }
}
