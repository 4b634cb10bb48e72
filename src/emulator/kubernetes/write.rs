//! Writing objects: what every kind has in common. What a kind adds is in [`super::admission`].

use serde_json::{Map, Value, json};

use super::admission;
use super::cluster::Cluster;
use super::defaults;
use super::managed::{self, Writer};
use super::object::{forget, is_over, plain};
use super::resource::Resource;
use super::status::{Cause, Status};

/// How to write.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// The writer.
    pub writer: Writer,
    /// Whether the request is a dry run.
    pub dry_run: bool,
}

/// Stores a new object.
///
/// # Errors
/// What Kubernetes would refuse.
pub fn create(
    cluster: &mut Cluster,
    resource: &Resource,
    namespace: &str,
    mut object: Value,
    options: &WriteOptions,
) -> Result<Value, Status> {
    strip(&mut object);
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    let prefix = object["metadata"]["generateName"]
        .as_str()
        .map(str::to_owned);
    if object["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .is_empty()
        && let Some(prefix) = prefix
    {
        object["metadata"]["name"] = json!(format!("{prefix}{}", cluster.suffix()));
    }
    let name = object["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    if name.is_empty() {
        let cause = Cause::required("metadata.name", "name or generateName is required");
        return Err(Status::invalid(resource, "", &[cause]));
    }
    if resource.namespaced {
        admission::namespace(cluster, resource, namespace, &name)?;
        object["metadata"]["namespace"] = json!(namespace);
    } else {
        forget(&mut object["metadata"], &["namespace"]);
    }
    let key = resource.key(namespace, &name);
    if cluster.store.get(&key).is_some() {
        return Err(Status::already_exists(resource, &name));
    }
    forget(
        &mut object["metadata"],
        &[
            "resourceVersion",
            "managedFields",
            "selfLink",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "generation",
        ],
    );
    if resource.has("status") && options.writer.subresource.is_empty() {
        forget(&mut object, &["status"]);
    }
    defaults::fill(&resource.kind, &mut object);
    object["metadata"]["uid"] = json!(cluster.uid());
    object["metadata"]["creationTimestamp"] = json!(cluster.time());
    if resource.counted {
        object["metadata"]["generation"] = json!(1);
    }
    admission::create(cluster, resource, &mut object)?;
    if !options.writer.applies {
        managed::updated(
            resource,
            &json!({"metadata": {}}),
            &mut object,
            &options.writer,
        );
    }
    Ok(keep(cluster, &key, ordered(object), options.dry_run))
}

/// Replaces an object by a client's new version. A subresource changes only its own part, and the main resource never that part.
///
/// # Errors
/// What Kubernetes would refuse.
pub fn update(
    cluster: &mut Cluster,
    resource: &Resource,
    old: &Value,
    mut new: Value,
    options: &WriteOptions,
) -> Result<Value, Status> {
    strip(&mut new);
    let name = old["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let namespace = old["metadata"]["namespace"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let version = new["metadata"]["resourceVersion"]
        .as_str()
        .unwrap_or_default();
    if !version.is_empty() && old["metadata"]["resourceVersion"] != version {
        return Err(Status::outdated(resource, &name));
    }
    let uid = &new["metadata"]["uid"];
    if uid.is_string() && *uid != old["metadata"]["uid"] {
        let why = format!(
            "Precondition failed: UID in precondition: {}, UID in object meta: {}",
            plain(uid),
            plain(&old["metadata"]["uid"])
        );
        return Err(Status::conflict(resource, &name, &why));
    }
    if options.writer.subresource == "status" {
        let status = new.get("status").cloned();
        let managed = new["metadata"]["managedFields"].clone();
        new = old.clone();
        match status {
            Some(status) => new["status"] = status,
            None => forget(&mut new, &["status"]),
        }
        if options.writer.applies {
            new["metadata"]["managedFields"] = managed;
        }
    } else {
        if resource.has("status") {
            match old.get("status") {
                Some(status) => new["status"] = status.clone(),
                None => forget(&mut new, &["status"]),
            }
        }
        for field in [
            "uid",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "generation",
            "namespace",
            "name",
        ] {
            match old["metadata"].get(field) {
                Some(value) => new["metadata"][field] = value.clone(),
                None => forget(&mut new["metadata"], &[field]),
            }
        }
        defaults::fill(&resource.kind, &mut new);
        admission::update(cluster, resource, old, &mut new)?;
        if resource.counted && differs(old, &new) {
            let generation = old["metadata"]["generation"].as_u64().unwrap_or(1);
            new["metadata"]["generation"] = json!(generation + 1);
        }
    }
    new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"].clone();
    if !options.writer.applies {
        managed::updated(resource, old, &mut new, &options.writer);
    }
    let key = resource.key(&namespace, &name);
    if !options.dry_run && is_over(&new) {
        return Ok(cluster.store.remove(&key).unwrap_or(new));
    }
    Ok(keep(cluster, &key, ordered(new), options.dry_run))
}

/// Whether anything differs but metadata and status.
fn differs(old: &Value, new: &Value) -> bool {
    let own = |object: &Value| -> Map<String, Value> {
        let fields = object.as_object().cloned().unwrap_or_default();
        fields
            .into_iter()
            .filter(|(name, _)| !matches!(name.as_str(), "metadata" | "status"))
            .collect()
    };
    own(old) != own(new)
}

fn keep(cluster: &mut Cluster, key: &str, object: Value, dry_run: bool) -> Value {
    if dry_run {
        object
    } else {
        cluster.store.put(key, object)
    }
}

/// Kind and version belong to the answer, not to what is stored; null means that a field is missing.
fn strip(object: &mut Value) {
    forget(object, &["apiVersion", "kind"]);
    // Empty lists and maps of the metadata are not kept, whatever the kind.
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|_, value| match value {
            Value::Object(fields) => !fields.is_empty(),
            Value::Array(items) => !items.is_empty(),
            _ => true,
        });
    }
    without_nulls(object);
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// Metadata first and status last, as objects are printed.
fn ordered(object: Value) -> Value {
    let Value::Object(mut fields) = object else {
        return object;
    };
    let metadata = fields.shift_remove("metadata");
    let status = fields.shift_remove("status");
    let mut sorted = Map::new();
    sorted.extend(metadata.map(|metadata| ("metadata".to_owned(), metadata)));
    sorted.extend(fields);
    sorted.extend(status.map(|status| ("status".to_owned(), status)));
    Value::Object(sorted)
}
