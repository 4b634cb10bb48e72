//! What the controllers do with objects: list, create, save, and read and write conditions, owners and events.

use serde_json::{Value, json};

use super::super::cluster::Cluster;
use super::super::kinds;
use super::super::managed::{self, Writer};
use super::super::object::owners;
use super::super::resource::{Resource, key};
use super::super::status::Status;
use super::super::write::{self, WriteOptions};

/// All objects of a built-in kind: `deployments.apps`.
pub fn objects(cluster: &Cluster, full: &str) -> Vec<Value> {
    cluster
        .store
        .list(&format!("{full}/"))
        .into_iter()
        .map(|(_, object)| object.clone())
        .collect()
}

/// Stores an object that its controller has changed.
pub fn save(cluster: &mut Cluster, full: &str, mut object: Value) {
    if full == "pods" {
        let conditions = object["status"]["conditions"].as_array_mut();
        for condition in conditions.into_iter().flatten() {
            condition["lastProbeTime"] = Value::Null;
        }
    }
    let text = |field: &str| {
        object["metadata"][field]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let key = key(full, &text("namespace"), &text("name"));
    let old = cluster.store.get(&key).cloned().unwrap_or_default();
    if old != object
        && let Some(resource) = resource(full)
    {
        let manager = match full {
            "pods" if old["spec"]["nodeName"].is_string() => "kubelet",
            "pods" => "kube-scheduler",
            _ => "kube-controller-manager",
        };
        let of_status = old["status"] != object["status"];
        let writer = Writer {
            manager: manager.to_owned(),
            applies: false,
            api_version: resource.api_version(&resource.versions[0]),
            subresource: if of_status { "status" } else { "" }.to_owned(),
            time: cluster.time(),
        };
        managed::updated(&resource, &old, &mut object, &writer);
    }
    cluster.store.put(&key, object);
}

/// The built-in kind of a full name, `deployments.apps`.
fn resource(full: &str) -> Option<Resource> {
    let mut all = kinds::built_in().into_iter();
    all.find(|resource| resource.full() == full)
}

/// Creates an object as the cluster's own controllers do.
///
/// # Errors
/// What Kubernetes would refuse.
pub fn make(
    cluster: &mut Cluster,
    kind: &str,
    namespace: &str,
    object: Value,
) -> Result<Value, Status> {
    let found: Option<Resource> = kinds::built_in()
        .into_iter()
        .find(|resource| resource.kind == kind);
    let resource = found.ok_or_else(Status::no_such_path)?;
    let writer = Writer {
        manager: "kube-controller-manager".to_owned(),
        applies: false,
        api_version: resource.api_version(&resource.versions[0]),
        subresource: String::new(),
        time: cluster.time(),
    };
    write::create(
        cluster,
        &resource,
        namespace,
        object,
        &WriteOptions {
            writer,
            dry_run: false,
        },
    )
}

/// The owner references of an object that `object` controls.
pub fn owner(api_version: &str, kind: &str, object: &Value) -> Value {
    json!([{
        "apiVersion": api_version,
        "kind": kind,
        "name": object["metadata"]["name"],
        "uid": object["metadata"]["uid"],
        "controller": true,
        "blockOwnerDeletion": true,
    }])
}

/// Whether `owner` controls the object.
pub fn owned(object: &Value, owner: &Value) -> bool {
    let mut owners = owners(object);
    owners.any(|reference| {
        reference["uid"] == owner["metadata"]["uid"] && reference["controller"] == true
    })
}

/// A text; an empty one for any other value.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Whether an object is being deleted.
pub fn leaving(object: &Value) -> bool {
    object["metadata"].get("deletionTimestamp").is_some()
}

/// Whether a pod is ready.
pub fn ready(pod: &Value) -> bool {
    condition(pod, "Ready") == Some("True")
}

/// The status of a condition.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    let mut conditions = object["status"]["conditions"].as_array()?.iter();
    conditions.find(|condition| condition["type"] == kind)?["status"].as_str()
}

/// Sets a condition; the time of its transition changes only with its status.
pub fn set_condition(
    object: &mut Value,
    time: &str,
    kind: &str,
    status: bool,
    reason: &str,
    message: &str,
) {
    let status = if status { "True" } else { "False" };
    let mut conditions = object["status"]["conditions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let before = conditions
        .iter()
        .find(|condition| condition["type"] == kind);
    let since = before
        .filter(|condition| condition["status"] == status)
        .map_or_else(
            || json!(time),
            |condition| condition["lastTransitionTime"].clone(),
        );
    let mut condition = json!({"type": kind, "status": status, "lastTransitionTime": since});
    for (field, value) in [("reason", reason), ("message", message)] {
        if !value.is_empty() {
            condition[field] = json!(value);
        }
    }
    match conditions
        .iter_mut()
        .find(|condition| condition["type"] == kind)
    {
        Some(there) => *there = condition,
        None => conditions.push(condition),
    }
    object["status"]["conditions"] = json!(conditions);
}

/// Creates an event about an object, as `kubectl get events` shows it.
pub fn tell(
    cluster: &mut Cluster,
    kind: &str,
    about: &Value,
    from: &str,
    normal: bool,
    reason: &str,
    message: &str,
) {
    let (namespace, name) = (
        text(&about["metadata"]["namespace"]).to_owned(),
        text(&about["metadata"]["name"]),
    );
    let time = cluster.time();
    let event = json!({
        "metadata": {"generateName": format!("{name}.")},
        "involvedObject": {"apiVersion": if kind == "Pod" { "v1" } else { "apps/v1" }, "kind": kind, "namespace": namespace, "name": name, "uid": about["metadata"]["uid"]},
        "reason": reason,
        "message": message,
        "type": if normal { "Normal" } else { "Warning" },
        "source": {"component": from},
        "reportingComponent": from,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    });
    // A namespace that is being deleted refuses new events.
    let _ = make(cluster, "Event", &namespace, event);
}
