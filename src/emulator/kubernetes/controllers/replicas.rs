//! ReplicaSets and DaemonSets: the desired number of pods.

use serde_json::{Value, json};

use super::super::cluster::Cluster;
use super::super::deletion;
use super::super::kinds;
use super::objects::{
    condition, leaving, make, objects, owned, owner, ready, save, set_condition, tell, text,
};
use super::scheduler;

/// Makes and removes pods.
pub fn run(cluster: &mut Cluster) {
    for set in objects(cluster, "replicasets.apps") {
        if !leaving(&set) {
            replica_set(cluster, set);
        }
    }
    for set in objects(cluster, "daemonsets.apps") {
        if !leaving(&set) {
            daemon_set(cluster, set);
        }
    }
}

fn pods_of(cluster: &Cluster, set: &Value) -> Vec<Value> {
    let namespace = text(&set["metadata"]["namespace"]);
    let pods = cluster.store.list(&format!("pods/{namespace}/"));
    let live = pods
        .into_iter()
        .filter(|(_, pod)| owned(pod, set) && !leaving(pod));
    live.map(|(_, pod)| pod.clone()).collect()
}

fn pod_of(kind: &str, set: &Value) -> Value {
    let template = &set["spec"]["template"];
    let mut metadata = template["metadata"].clone();
    if !metadata.is_object() {
        metadata = json!({});
    }
    metadata["generateName"] = json!(format!("{}-", text(&set["metadata"]["name"])));
    metadata["ownerReferences"] = owner("apps/v1", kind, set);
    json!({"metadata": metadata, "spec": template["spec"]})
}

fn stop(cluster: &mut Cluster, pod: Value) {
    if let Some(kind) = kinds::built_in()
        .into_iter()
        .find(|kind| kind.kind == "Pod")
    {
        deletion::begin(cluster, &kind, pod, "Background", None);
    }
}

fn replica_set(cluster: &mut Cluster, mut set: Value) {
    let wanted = usize::try_from(set["spec"]["replicas"].as_u64().unwrap_or(0)).unwrap_or(0);
    let mut pods = pods_of(cluster, &set);
    // Those that do not serve yet go first.
    pods.sort_by_key(|pod| !ready(pod));
    for pod in pods.split_off(wanted.min(pods.len())) {
        stop(cluster, pod);
    }
    let mut failure = None;
    while pods.len() < wanted && failure.is_none() {
        let namespace = text(&set["metadata"]["namespace"]).to_owned();
        match make(cluster, "Pod", &namespace, pod_of("ReplicaSet", &set)) {
            Ok(pod) => pods.push(pod),
            Err(status) => failure = Some(status.message),
        }
    }
    let number = pods.len();
    let serving = pods.iter().filter(|pod| ready(pod)).count();
    let mut status =
        json!({"observedGeneration": set["metadata"]["generation"], "replicas": number});
    if number > 0 {
        status["fullyLabeledReplicas"] = json!(number);
    }
    if serving > 0 {
        (status["readyReplicas"], status["availableReplicas"]) = (json!(serving), json!(serving));
    }
    let failed_before = condition(&set, "ReplicaFailure").is_some();
    if let Some(message) = &failure {
        status["conditions"] = set["status"]["conditions"].clone();
        set["status"] = status;
        let time = cluster.time();
        set_condition(
            &mut set,
            &time,
            "ReplicaFailure",
            true,
            "FailedCreate",
            message,
        );
        if !failed_before {
            tell(
                cluster,
                "ReplicaSet",
                &set,
                "replicaset-controller",
                false,
                "FailedCreate",
                &format!("Error creating: {message}"),
            );
        }
    } else {
        set["status"] = status;
    }
    save(cluster, "replicasets.apps", set);
}

fn daemon_set(cluster: &mut Cluster, mut set: Value) {
    let nodes: Vec<Value> = objects(cluster, "nodes");
    let template = &set["spec"]["template"];
    let fitting: Vec<String> = nodes
        .iter()
        .filter(|node| scheduler::obstacle(&template["spec"], node).is_none())
        .map(|node| text(&node["metadata"]["name"]).to_owned())
        .collect();
    let pods = pods_of(cluster, &set);
    for node in &fitting {
        if pods
            .iter()
            .any(|pod| pod["spec"]["nodeName"] == node.as_str())
        {
            continue;
        }
        let mut pod = pod_of("DaemonSet", &set);
        pod["spec"]["nodeName"] = json!(node);
        let namespace = text(&set["metadata"]["namespace"]).to_owned();
        // Refused in a namespace that is being deleted; then no pod is missing.
        let _ = make(cluster, "Pod", &namespace, pod);
    }
    let pods = pods_of(cluster, &set);
    let serving = pods.iter().filter(|pod| ready(pod)).count();
    set["status"] = json!({
        "observedGeneration": set["metadata"]["generation"],
        "desiredNumberScheduled": fitting.len(),
        "currentNumberScheduled": pods.len(),
        "updatedNumberScheduled": pods.len(),
        "numberMisscheduled": 0,
        "numberReady": serving,
        "numberAvailable": serving,
    });
    save(cluster, "daemonsets.apps", set);
}
