//! The kubelets: containers of scheduled pods start, and stop when their pod is deleted.

use serde_json::{Value, json};

use super::super::addresses;
use super::super::cluster::Cluster;
use super::super::log;
use super::super::object::plain;
use super::objects::{leaving, objects, save, set_condition, text};

/// An image that only an injecting webhook can fill in; without one it cannot be pulled.
const UNFILLED: &str = "auto";

/// Brings each pod with a node a step further.
pub fn run(cluster: &mut Cluster) {
    for pod in objects(cluster, "pods") {
        if pod["spec"]["nodeName"].as_str().is_none() {
            continue;
        }
        let uid = text(&pod["metadata"]["uid"]).to_owned();
        if leaving(&pod) {
            end(cluster, &pod, uid);
        } else if pod["status"]["phase"] == "Pending" {
            start(cluster, pod, uid);
        }
    }
}

/// Containers stop well before the grace period is over; then the pod is removed.
fn end(cluster: &mut Cluster, pod: &Value, uid: String) {
    let held = pod["metadata"]["finalizers"]
        .as_array()
        .is_some_and(|all| !all.is_empty());
    let grace = pod["metadata"]["deletionGracePeriodSeconds"]
        .as_u64()
        .unwrap_or(0);
    if !held && (grace == 0 || cluster.elapsed(format!("stop {uid}"), "kubernetes.pod.stop")) {
        let (namespace, name) = (
            text(&pod["metadata"]["namespace"]),
            text(&pod["metadata"]["name"]),
        );
        cluster.store.remove(&format!("pods/{namespace}/{name}"));
        cluster.forget_logs(&format!("{namespace}/{name}/"));
    }
}

fn start(cluster: &mut Cluster, mut pod: Value, uid: String) {
    let time = cluster.time();
    let containers = pod["spec"]["containers"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let unfilled = containers
        .iter()
        .any(|container| container["image"] == UNFILLED);
    if unfilled
        && pod["status"]["containerStatuses"]
            .to_string()
            .contains("ImagePullBackOff")
    {
        return;
    }
    let over = cluster.elapsed(format!("start {uid}"), "kubernetes.pod.start");
    let running = over && !unfilled;
    let node = cluster
        .store
        .get(&format!("nodes//{}", text(&pod["spec"]["nodeName"])))
        .cloned()
        .unwrap_or_default();
    pod["status"]["startTime"] = pod["status"]
        .get("startTime")
        .cloned()
        .unwrap_or_else(|| json!(time));
    let address = &node["status"]["addresses"][0]["address"];
    pod["status"]["hostIP"] = address.clone();
    pod["status"]["hostIPs"] = json!([{"ip": address}]);
    let reason = if unfilled && over {
        "ImagePullBackOff"
    } else {
        "ContainerCreating"
    };
    let state = |container: &Value, done: bool| -> Value {
        let image = plain(&container["image"]);
        let id = |what: &str| {
            format!(
                "containerd://{}",
                crate::names::hex(&format!("{uid} {} {what}", container["name"]), 16)
            )
        };
        let now = match (running, done) {
            (false, _) if reason == "ImagePullBackOff" => {
                json!({"waiting": {"reason": reason, "message": format!("Back-off pulling image {image:?}")}})
            }
            (false, _) => json!({"waiting": {"reason": reason}}),
            (true, false) => json!({"running": {"startedAt": time}}),
            (true, true) => {
                json!({"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": time, "finishedAt": time}})
            }
        };
        let mut status = json!({
            "name": container["name"], "image": image, "imageID": if running { image.clone() } else { String::new() },
            "ready": running, "started": running && !done, "restartCount": 0, "state": now, "lastState": {},
        });
        if running {
            status["containerID"] = json!(id("c"));
        }
        status
    };
    pod["status"]["containerStatuses"] = json!(
        containers
            .iter()
            .map(|one| state(one, false))
            .collect::<Vec<_>>()
    );
    if let Some(initial) = pod["spec"]["initContainers"].as_array() {
        pod["status"]["initContainerStatuses"] = json!(
            initial
                .iter()
                .map(|one| state(one, true))
                .collect::<Vec<_>>()
        );
    }
    let not_ready = "containers with unready status";
    for (kind, now) in [
        ("PodReadyToStartContainers", running),
        ("Initialized", running),
        ("Ready", running),
        ("ContainersReady", running),
        ("PodScheduled", true),
    ] {
        let (why, message) = if now {
            ("", String::new())
        } else {
            let names: Vec<String> = containers.iter().map(|one| plain(&one["name"])).collect();
            (
                "ContainersNotReady",
                format!("{not_ready}: [{}]", names.join(" ")),
            )
        };
        set_condition(&mut pod, &time, kind, now, why, &message);
    }
    if running {
        pod["status"]["phase"] = json!("Running");
        let ip = if pod["spec"]["hostNetwork"] == true {
            plain(&pod["status"]["hostIP"])
        } else {
            addresses::pod(
                cluster,
                text(&node["metadata"]["name"]),
                text(&node["spec"]["podCIDR"]),
            )
        };
        pod["status"]["podIP"] = json!(ip);
        pod["status"]["podIPs"] = json!([{"ip": ip}]);
        greet(cluster, &pod, &containers);
    }
    save(cluster, "pods", pod);
}

/// The log line of a proxy that is ready.
fn greet(cluster: &mut Cluster, pod: &Value, containers: &[Value]) {
    if containers
        .iter()
        .any(|container| container["name"] == "istio-proxy")
    {
        let key = log::key(
            text(&pod["metadata"]["namespace"]),
            text(&pod["metadata"]["name"]),
            "istio-proxy",
        );
        let time = crate::clock::utc(cluster.now());
        cluster.write_log(&key, format!("{time}\tinfo\tEnvoy proxy is ready"));
    }
}
