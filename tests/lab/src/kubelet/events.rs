//! What a kubelet tells of a pod in events, in its own words.

use serde_json::json;

use super::pod::Pod;
use crate::control_plane::now;

/// Tells a warning of a pod. An API server that is away is told of the next one.
pub(super) async fn tell(pod: &Pod, reason: &str, message: &str) {
    let (namespace, name) = (&pod.namespace, &pod.name);
    let event = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"generateName": format!("{name}."), "namespace": namespace},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": namespace, "name": name, "uid": pod.object["metadata"]["uid"]},
        "reason": reason, "type": "Warning", "message": message,
        "source": {"component": "kubelet"}, "firstTimestamp": now(), "lastTimestamp": now(), "count": 1,
    });
    let path = format!("/api/v1/namespaces/{namespace}/events");
    let _ = pod.api.post(&path, &event).await;
}
