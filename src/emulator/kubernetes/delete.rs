//! DELETE requests: of one object, and of all that a selector selects.

use serde_json::{Value, json};

use super::call::{ApiCall, CallTarget};
use super::cluster::Cluster;
use super::decode;
use super::deletion::begin;
use super::object;
use super::reply::ApiReply;
use super::requested::stored;
use super::resource::Resource;
use super::selectors::Selector;
use super::status::Status;

/// Namespaces that stay.
const PERMANENT: &[&str] = &["default", "kube-system", "kube-public", "kube-node-lease"];

/// How to delete.
#[derive(Debug, Clone, Default, PartialEq)]
struct DeleteOptions {
    policy: String,
    grace: Option<u64>,
    uid: Option<String>,
    version: Option<String>,
    dry_run: bool,
}

impl DeleteOptions {
    fn of(call: &ApiCall) -> Result<DeleteOptions, Status> {
        let body = match decode::value(call) {
            Ok(body) => body,
            // A body that cannot be read counts as none: the options may also stand in the query.
            Err(_) => Value::Null,
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let grace = body["gracePeriodSeconds"].as_u64();
        Ok(DeleteOptions {
            policy: text(&body["propagationPolicy"])
                .or_else(|| call.query("propagationPolicy").map(str::to_owned))
                .unwrap_or_else(|| "Background".to_owned()),
            grace: grace.or_else(|| {
                call.query("gracePeriodSeconds")
                    .and_then(|grace| grace.parse().ok())
            }),
            uid: text(&body["preconditions"]["uid"]),
            version: text(&body["preconditions"]["resourceVersion"]),
            dry_run: call.dry_run()?
                || body["dryRun"].as_array().is_some_and(|all| !all.is_empty()),
        })
    }
}

/// Deletes an object.
///
/// # Errors
/// 404, 403 for a namespace that stays, 409 for a precondition that does not hold.
pub fn one(
    cluster: &mut Cluster,
    call: &ApiCall,
    resource: &Resource,
    target: &CallTarget,
    name: &str,
) -> Result<ApiReply, Status> {
    let wish = DeleteOptions::of(call)?;
    let object = stored(cluster, resource, target, name)?;
    let uid = &object["metadata"]["uid"];
    for (wanted, own, what) in [
        (&wish.uid, uid, "UID"),
        (
            &wish.version,
            &object["metadata"]["resourceVersion"],
            "ResourceVersion",
        ),
    ] {
        if let Some(wanted) = wanted.as_deref().filter(|wanted| own != wanted) {
            let why = format!(
                "Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {}",
                object::plain(own)
            );
            return Err(Status::conflict(resource, name, &why));
        }
    }
    if resource.kind == "Namespace" && PERMANENT.contains(&name) {
        return Err(Status::forbidden(
            resource,
            name,
            "this namespace may not be deleted",
        ));
    }
    let uid = uid.clone();
    let left = if wish.dry_run {
        None
    } else {
        begin(cluster, resource, object, &wish.policy, wish.grace)
    };
    Ok(ApiReply::ok(match left {
        Some(left) => object::printed(resource, &target.version, &left),
        None => gone(resource, name, &uid),
    }))
}

/// Deletes what a selector selects.
///
/// # Errors
/// 400 for an invalid selector.
pub fn all(
    cluster: &mut Cluster,
    call: &ApiCall,
    resource: &Resource,
    target: &CallTarget,
) -> Result<ApiReply, Status> {
    let wish = DeleteOptions::of(call)?;
    let selector = Selector::of(
        resource,
        call.query("labelSelector"),
        call.query("fieldSelector"),
    )?;
    let found = cluster
        .store
        .list(&resource.prefix(target.namespace.as_deref()));
    let doomed: Vec<Value> = found
        .into_iter()
        .map(|(_, object)| object.clone())
        .filter(|object| selector.matches(object))
        .collect();
    let items: Vec<Value> = doomed
        .iter()
        .map(|object| object::printed(resource, &target.version, object))
        .collect();
    for object in doomed {
        if !wish.dry_run {
            begin(cluster, resource, object, &wish.policy, wish.grace);
        }
    }
    Ok(ApiReply::ok(json!({
        "kind": format!("{}List", resource.kind),
        "apiVersion": resource.api_version(&target.version),
        "metadata": {"resourceVersion": cluster.store.revision().to_string()},
        "items": items,
    })))
}

fn gone(resource: &Resource, name: &str, uid: &Value) -> Value {
    let mut details =
        json!({"name": name, "group": resource.group, "kind": resource.plural, "uid": uid});
    if resource.group.is_empty() {
        object::forget(&mut details, &["group"]);
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}
