//! From a label selector to a running pod, found as the tutorial's commands find theirs.

use serde_json::Value;

use super::check::CheckTarget;
use crate::cluster::{ContainerRef, ObjectRef};
use crate::google::ApiError;
use crate::kinds::cluster_error::of_cluster;

/// The pods that a selector finds in a namespace, without those that are being deleted.
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

/// Why there is no container to use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoContainer {
    /// The selector finds no pod.
    #[error("no pod {selector} in {namespace}")]
    NoPod {
        /// The label selector.
        selector: String,
        /// The namespace.
        namespace: String,
    },
    /// None of the pods that the selector finds is running.
    #[error("pod {pod} is {phase}")]
    NotRunning {
        /// The first of these pods.
        pod: String,
        /// Its phase: `Pending`.
        phase: String,
    },
    /// A pod has no container of that name.
    #[error("pod {pod} has no container {container}")]
    NotInPod {
        /// The pod.
        pod: String,
        /// The container.
        container: String,
    },
}

/// The containers of this name in the running pods, at least one; the inner error is the reason why there is none.
pub async fn containers(
    place: &CheckTarget<'_>,
    namespace: &str,
    selector: &str,
    name: &str,
) -> Result<Result<Vec<ContainerRef>, NoContainer>, ApiError> {
    let found = pods(place, namespace, selector).await?;
    if found.is_empty() {
        return Ok(Err(NoContainer::NoPod {
            selector: selector.to_owned(),
            namespace: namespace.to_owned(),
        }));
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
        return Ok(Err(NoContainer::NotRunning { pod, phase }));
    }
    // A sidecar may be an init container that keeps running (a native sidecar).
    let has = |pod: &Value| {
        ["/spec/containers", "/spec/initContainers"]
            .iter()
            .filter_map(|list| pod.pointer(list)?.as_array())
            .flatten()
            .any(|container| container["name"] == name)
    };
    if let Some(pod) = running.iter().find(|pod| !has(pod)) {
        let pod = text(pod, "/metadata/name");
        let container = name.to_owned();
        return Ok(Err(NoContainer::NotInPod { pod, container }));
    }
    let containers = running.iter().map(|pod| ContainerRef {
        namespace: namespace.to_owned(),
        pod: text(pod, "/metadata/name"),
        name: name.to_owned(),
    });
    Ok(Ok(containers.collect()))
}

/// The first of the containers; with one replica, as in the tutorial, the only one.
pub async fn container(
    place: &CheckTarget<'_>,
) -> Result<Result<ContainerRef, NoContainer>, ApiError> {
    let [namespace, selector, name] = ["namespace", "pods", "container"].map(|key| place.text(key));
    let found = containers(place, namespace, selector, name).await?;
    Ok(found.and_then(|containers| {
        let first = containers.into_iter().next();
        first.ok_or_else(|| NoContainer::NoPod {
            selector: selector.to_owned(),
            namespace: namespace.to_owned(),
        })
    }))
}
