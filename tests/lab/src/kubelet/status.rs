//! A pod's status, as its kubelet reports it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::container::Container;
use super::pod::{Pod, path};
use super::{list, text};
use crate::api::status as code;
use crate::control_plane::now;

/// How far a pod is.
#[derive(Clone, Copy)]
pub(super) enum Stage<'a> {
    /// Its volumes or its init containers are not done.
    Creating,
    /// It cannot be run, and why.
    Failed(&'a str),
    Running,
}

/// Reports how a pod is.
pub(super) async fn report(pod: &Pod, containers: &BTreeMap<String, Container>, stage: Stage<'_>) {
    let runs = matches!(stage, Stage::Running);
    let all_ready = !containers.is_empty() && containers.values().all(|container| container.ready);
    let is_ready = runs && all_ready;
    let error = match stage {
        Stage::Failed(error) => Some(error),
        Stage::Creating | Stage::Running => None,
    };
    let condition = |kind: &str, holds: bool| json!({"type": kind, "status": if holds { "True" } else { "False" }, "lastTransitionTime": now()});
    // As a kubelet words it.
    let waiting: Vec<String> = list(&pod.object, "/spec/containers")
        .iter()
        .map(|spec| text(spec, "/name"))
        .filter(|name| {
            !containers
                .get(name)
                .is_some_and(|container| container.ready)
        })
        .collect();
    let readiness = |kind: &str| {
        let mut condition = condition(kind, is_ready);
        if !is_ready {
            condition["reason"] = "ContainersNotReady".into();
            let names = waiting.join(" ");
            condition["message"] = format!("containers with unready status: [{names}]").into();
        }
        condition
    };
    let status = json!({"status": {
        "phase": if runs { "Running" } else { "Pending" },
        "message": error,
        "hostIP": pod.node.address(),
        "hostIPs": [{"ip": pod.node.address()}],
        "podIP": pod.address,
        "podIPs": [{"ip": pod.address}],
        "startTime": pod.started,
        "conditions": [
            condition("PodScheduled", true),
            condition("Initialized", runs),
            readiness("ContainersReady"),
            readiness("Ready"),
        ],
        "initContainerStatuses": statuses(pod, containers, "/spec/initContainers", stage),
        "containerStatuses": statuses(pod, containers, "/spec/containers", stage),
    }});
    let path = format!("{}/status", path(&pod.object, false));
    // An API server that is away is told as soon as it is back; a pod that is gone needs no status.
    while let Err(refusal) = pod.api.patch(&path, &status).await {
        if code(&refusal) != 0 && code(&refusal) < 500 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
}

fn statuses(
    pod: &Pod,
    containers: &BTreeMap<String, Container>,
    pointer: &str,
    stage: Stage<'_>,
) -> Vec<Value> {
    // As a kubelet words it.
    let creating = if list(&pod.object, "/spec/initContainers").is_empty() {
        "ContainerCreating"
    } else {
        "PodInitializing"
    };
    let specs = list(&pod.object, pointer).iter();
    specs
        .map(|spec| {
            let name = text(spec, "/name");
            let container = containers.get(&name);
            let state = match (container, stage) {
                (Some(_), _) => json!({"running": {"startedAt": pod.started}}),
                (None, Stage::Creating) => json!({"waiting": {"reason": creating}}),
                (None, Stage::Failed(error)) => json!({"waiting": {"reason": "CreateContainerError", "message": error}}),
                (None, Stage::Running) => json!({"terminated": {
                    "exitCode": 0, "reason": "Completed", "startedAt": pod.started, "finishedAt": pod.started,
                }}),
            };
            json!({
                "name": name, "image": spec["image"], "imageID": "", "started": true, "state": state,
                "restartCount": container.map_or(0, |container| container.restarts),
                "ready": container.map_or(matches!(stage, Stage::Running), |container| container.ready),
            })
        })
        .collect()
}
