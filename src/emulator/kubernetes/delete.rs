//! DELETE: what goes at once, what goes when it has finished, and what becomes of what it owned.

use serde_json::{Value, json};

use super::api::stored;
use super::call::{ApiCall, ApiReply, CallTarget};
use super::cluster::Cluster;
use super::decode;
use super::resource::Resource;
use super::selectors::Selector;
use super::status::Status;
use super::write;

/// The finalizer that keeps an object until what it owns is gone.
pub const FOREGROUND: &str = "foregroundDeletion";

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
            // Options come as an object of any format; what matters of them may also stand in the query.
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
                write::plain(own)
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
        Some(left) => write::printed(resource, &target.version, &left),
        None => gone(resource, name, &uid),
    }))
}

/// Deletes what a selector selects.
///
/// # Errors
/// 400 for a selector that is none.
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
        .map(|object| write::printed(resource, &target.version, object))
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
        write::forget(&mut details, &["group"]);
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}

/// Begins to delete an object. None if it is gone at once, otherwise what is left of it.
pub fn begin(
    cluster: &mut Cluster,
    resource: &Resource,
    mut object: Value,
    policy: &str,
    grace: Option<u64>,
) -> Option<Value> {
    let text = |field: &str| {
        object["metadata"][field]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let (namespace, name) = (text("namespace"), text("name"));
    let key = resource.key(&namespace, &name);
    let uid = text("uid");
    if policy == "Orphan" {
        disown(cluster, &uid);
    }
    if policy == "Foreground" {
        let finalizers = &mut object["metadata"]["finalizers"];
        let mut held: Vec<Value> = finalizers.as_array().cloned().unwrap_or_default();
        if !held.contains(&json!(FOREGROUND)) {
            held.push(json!(FOREGROUND));
        }
        *finalizers = json!(held);
    }
    let grace = if resource.kind == "Pod" && object["spec"]["nodeName"].is_string() {
        let own = object["spec"]["terminationGracePeriodSeconds"]
            .as_u64()
            .unwrap_or(30);
        grace.unwrap_or(own)
    } else {
        0
    };
    if object["metadata"].get("deletionTimestamp").is_none() {
        object["metadata"]["deletionTimestamp"] = json!(super::cluster::time(
            cluster.now() + i64::try_from(grace).unwrap_or(0) * 1000
        ));
        if resource.counted {
            let generation = object["metadata"]["generation"].as_u64().unwrap_or(1);
            object["metadata"]["generation"] = json!(generation + 1);
        }
    }
    // A namespace has no grace: it goes when what is in it has gone.
    if resource.kind != "Namespace" {
        object["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
    }
    if resource.kind == "Namespace" {
        object["status"]["phase"] = json!("Terminating");
    }
    if write::is_over(&object) {
        cluster.store.remove(&key);
        return None;
    }
    Some(cluster.store.put(&key, object))
}

/// What the object owned belongs to nobody any more.
fn disown(cluster: &mut Cluster, uid: &str) {
    let owned: Vec<(String, Value)> = cluster
        .store
        .list("")
        .into_iter()
        .filter(|(_, object)| owners(object).any(|owner| owner["uid"] == uid))
        .map(|(key, object)| (key.to_owned(), object.clone()))
        .collect();
    for (key, mut object) in owned {
        if let Some(references) = object["metadata"]["ownerReferences"].as_array_mut() {
            references.retain(|owner| owner["uid"] != uid);
        }
        cluster.store.put(&key, object);
    }
}

/// Who owns an object.
pub fn owners(object: &Value) -> impl Iterator<Item = &Value> {
    object["metadata"]["ownerReferences"]
        .as_array()
        .into_iter()
        .flatten()
}
