//! From a label selector to a pod that runs, as the tutorial's commands find theirs.

use serde_json::Value;

use super::CheckTarget;
use crate::cluster::{ContainerRef, ObjectRef};
use crate::google::ApiError;
use crate::kinds::clusters::of_cluster;

/// The pods that a selector finds in a namespace, those on their way out left out.
pub async fn pods(
    place: &CheckTarget<'_>,
    namespace: &str,
    selector: &str,
) -> Result<Vec<Value>, ApiError> {
    let like = ObjectRef {
        api_version: "v1".to_owned(),
        kind: "Pod".to_owned(),
        namespace: Some(namespace.to_owned()),
        name: String::new(),
    };
    let found = place.cluster.list(&like, selector).await;
    let mut found = found.map_err(of_cluster)?;
    found.retain(|pod| pod.pointer("/metadata/deletionTimestamp").is_none());
    Ok(found)
}

/// The containers of this name in the pods that run; an error in words says what is in the way.
pub async fn containers(
    place: &CheckTarget<'_>,
    namespace: &str,
    selector: &str,
    name: &str,
) -> Result<Result<Vec<ContainerRef>, String>, ApiError> {
    let found = pods(place, namespace, selector).await?;
    if found.is_empty() {
        return Ok(Err(format!("no pod {selector} in {namespace}")));
    }
    let text = |pod: &Value, pointer: &str| {
        pod.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (running, others): (Vec<&Value>, Vec<&Value>) = found
        .iter()
        .partition(|pod| text(pod, "/status/phase") == "Running");
    if let (true, Some(pod)) = (running.is_empty(), others.first()) {
        let (pod, phase) = (text(pod, "/metadata/name"), text(pod, "/status/phase"));
        return Ok(Err(format!("pod {pod} is {phase}")));
    }
    // A sidecar may be an init container that goes on (a native sidecar).
    let has = |pod: &Value| {
        ["/spec/containers", "/spec/initContainers"]
            .iter()
            .filter_map(|list| pod.pointer(list)?.as_array())
            .flatten()
            .any(|container| container["name"] == name)
    };
    if let Some(pod) = running.iter().find(|pod| !has(pod)) {
        let pod = text(pod, "/metadata/name");
        return Ok(Err(format!("pod {pod} has no container {name}")));
    }
    let containers = running.iter().map(|pod| ContainerRef {
        namespace: namespace.to_owned(),
        pod: text(pod, "/metadata/name"),
        name: name.to_owned(),
    });
    Ok(Ok(containers.collect()))
}

/// The first of them: where the tutorial has one replica, the one.
pub async fn container(place: &CheckTarget<'_>) -> Result<Result<ContainerRef, String>, ApiError> {
    let [namespace, selector, name] = ["namespace", "pods", "container"].map(|key| place.text(key));
    let found = containers(place, namespace, selector, name).await?;
    Ok(found.and_then(|containers| {
        let first = containers.into_iter().next();
        first.ok_or_else(|| format!("no pod {selector} runs in {namespace}"))
    }))
}
