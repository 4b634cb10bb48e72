//! How an object is deleted: at once, or when its grace period, finalizers and dependents are gone.
//!
//! The DELETE requests are in [`super::delete`].

use serde_json::{Value, json};

use super::cluster::{Cluster, time};
use super::object::{is_over, owners};
use super::resource::Resource;

/// The finalizer that keeps an object until what it owns is gone.
pub const FOREGROUND: &str = "foregroundDeletion";

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
        object["metadata"]["deletionTimestamp"] = json!(time(
            cluster.now() + i64::try_from(grace).unwrap_or(0) * 1000
        ));
        if resource.counted {
            let generation = object["metadata"]["generation"].as_u64().unwrap_or(1);
            object["metadata"]["generation"] = json!(generation + 1);
        }
    }
    // A namespace has no grace period: it is removed when it is empty.
    if resource.kind != "Namespace" {
        object["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
    }
    if resource.kind == "Namespace" {
        object["status"]["phase"] = json!("Terminating");
    }
    if is_over(&object) {
        cluster.store.remove(&key);
        return None;
    }
    Some(cluster.store.put(&key, object))
}

/// Removes the references to an owner from all objects.
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
