//! A bucket's policy: read and replaced under `/iam`, not `:setIamPolicy`; a stale etag is 412 and not 409.

use serde_json::{Value, json};

use super::bucket_lookup::bucket;
use super::checksums;
use crate::answer::{ErrorResponse, Response};
use crate::etag;
use crate::policy;
use crate::request::Request;
use crate::roles;
use crate::world::World;

/// GET.
pub fn get(world: &World, request: &Request) -> Result<Response, ErrorResponse> {
    let (key, bucket) = bucket(world, request)?;
    Ok(stored(world, &key, &bucket, request).into())
}

/// PUT: the whole policy is replaced.
pub fn set(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let (key, bucket) = bucket(world, request)?;
    let before = stored(world, &key, &bucket, request);
    if let Some(sent) = request.text("etag").filter(|etag| !etag.is_empty())
        && !etag::same(sent, before["etag"].as_str().unwrap_or_default())
    {
        return Err(ErrorResponse::condition_not_met(
            "At least one of the pre-conditions you specified did not hold.",
        ));
    }
    let bindings = request.body["bindings"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    policy::check_members(world, owner(world, &bucket), &json!(bindings))?;
    let role = |binding: &Value| binding["role"].as_str().unwrap_or_default().to_owned();
    let mut named = bindings.iter().map(role);
    if let Some(unknown) = named.find(|role| !roles::exists(role)) {
        // The words are those of other services; what Cloud Storage says is not recorded.
        let refusal = ErrorResponse::invalid(format!(
            "Role {unknown} is not supported for this resource."
        ));
        return Err(roles::refused(&unknown, refusal));
    }
    let is_conditional = bindings
        .iter()
        .any(|binding| binding.get("condition").is_some());
    if is_conditional && request.body["version"] != json!(3) {
        return Err(ErrorResponse::invalid(
            "Conditional policy bindings need a policy of version 3.",
        ));
    }
    let count = world.count(&format!("bucket policy {key}")) + 1;
    let kept: Vec<&Value> = bindings
        .iter()
        .filter(|binding| {
            binding["members"]
                .as_array()
                .is_some_and(|members| !members.is_empty())
        })
        .collect();
    let value = json!({
        "kind": "storage#policy",
        "resourceId": before["resourceId"],
        "version": if is_conditional { 3 } else { 1 },
        "etag": checksums::etag(&[(1, count)]),
        "bindings": kept,
    });
    world.put(format!("{key}/iamPolicy"), value.clone());
    Ok(value.into())
}

/// The caller may do everything here.
pub fn test(world: &World, request: &Request) -> Result<Response, ErrorResponse> {
    bucket(world, request)?;
    let mut body = json!({ "kind": "storage#testIamPermissionsResponse" });
    if let Some(asked) = request.query.get("permissions") {
        body["permissions"] = json!(asked);
    }
    Ok(body.into())
}

/// The id of the bucket's project.
fn owner<'a>(world: &'a World, bucket: &Value) -> &'a str {
    let number = bucket["projectNumber"].as_str().unwrap_or_default();
    world.project_id(number).unwrap_or_default()
}

/// The policy as it was set, or the default: the project's owners, editors and viewers have their legacy roles.
fn stored(world: &World, key: &str, bucket: &Value, request: &Request) -> Value {
    if let Some(policy) = world.get(&format!("{key}/iamPolicy")) {
        return policy.clone();
    }
    let project = owner(world, bucket);
    let owners = json!([
        format!("projectEditor:{project}"),
        format!("projectOwner:{project}")
    ]);
    let viewers = json!([format!("projectViewer:{project}")]);
    let mut bindings = vec![
        json!({"role": "roles/storage.legacyBucketOwner", "members": owners}),
        json!({"role": "roles/storage.legacyBucketReader", "members": viewers}),
    ];
    if bucket.pointer("/iamConfiguration/uniformBucketLevelAccess/enabled") == Some(&json!(true)) {
        bindings.push(json!({"role": "roles/storage.legacyObjectOwner", "members": owners}));
        bindings.push(json!({"role": "roles/storage.legacyObjectReader", "members": viewers}));
    }
    json!({
        "kind": "storage#policy",
        "resourceId": format!("projects/_/buckets/{}", request.param("bucket")),
        "version": 1,
        "etag": checksums::etag(&[(1, 1)]),
        "bindings": bindings,
    })
}
