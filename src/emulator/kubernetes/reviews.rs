//! Reviews of access and identity: objects that are answered and not stored. The answer is that everything is allowed.

use serde_json::{Value, json};

use super::call::{ApiCall, CallTarget};
use super::cluster::Cluster;
use super::decode;
use super::object;
use super::reply::ApiReply;
use super::resource::Resource;
use super::status::Status;

/// Answers a review.
///
/// # Errors
/// 405 for anything but POST, 400 for an invalid body.
pub fn answer(
    cluster: &Cluster,
    call: &ApiCall,
    resource: &Resource,
    target: &CallTarget,
) -> Result<ApiReply, Status> {
    if call.method != "POST" {
        return Err(Status::method_not_allowed());
    }
    let (mut review, warnings) = decode::object(call, resource, target)?;
    let user = json!({"username": "admin@example.com", "groups": ["system:authenticated"]});
    review["status"] = match resource.kind.as_str() {
        "SelfSubjectReview" => json!({"userInfo": user}),
        "TokenReview" => json!({"authenticated": true, "user": user}),
        "SelfSubjectRulesReview" => json!({
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": false,
        }),
        _ => json!({"allowed": true}),
    };
    if !review["metadata"].is_object() {
        review["metadata"] = json!({});
    }
    review["metadata"]["creationTimestamp"] = Value::Null;
    if resource.kind == "SelfSubjectReview" {
        review["metadata"]["creationTimestamp"] = json!(cluster.time());
    }
    object::forget(&mut review, &["apiVersion", "kind"]);
    Ok(ApiReply::created(
        object::printed(resource, &target.version, &review),
        warnings,
    ))
}
