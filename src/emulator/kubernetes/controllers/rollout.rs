//! Deployments: a ReplicaSet for each template, and the way from the old ones to the new one.

use serde_json::{Value, json};

use super::super::cluster::{Cluster, letters};
use super::super::object::plain;
use super::objects::{leaving, make, objects, owned, owner, save, set_condition, text};

const SETS: &str = "replicasets.apps";
const REVISION: &str = "deployment.kubernetes.io/revision";

/// Brings each deployment a step further.
pub fn run(cluster: &mut Cluster) {
    for deployment in objects(cluster, "deployments.apps") {
        if !leaving(&deployment) {
            advance(cluster, deployment);
        }
    }
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn advance(cluster: &mut Cluster, mut deployment: Value) {
    let hash = letters(&deployment["spec"]["template"].to_string(), 10);
    let mine = |set: &Value| owned(set, &deployment) && !leaving(set);
    let mut sets: Vec<Value> = objects(cluster, SETS).into_iter().filter(mine).collect();
    let newest = sets.iter().map(revision).max().unwrap_or(0);
    let current = sets
        .iter()
        .position(|set| set["metadata"]["labels"]["pod-template-hash"] == hash.as_str());
    let paused = deployment["spec"]["paused"] == true;
    let current = match current {
        Some(at) => at,
        None if paused => return,
        None => match start(cluster, &deployment, &hash, newest + 1) {
            Some(set) => {
                sets.push(set);
                sets.len() - 1
            }
            None => return,
        },
    };
    // Back to an earlier template: it is the newest again.
    if revision(&sets[current]) < newest {
        sets[current]["metadata"]["annotations"][REVISION] = json!((newest + 1).to_string());
    }
    deployment["metadata"]["annotations"][REVISION] =
        sets[current]["metadata"]["annotations"][REVISION].clone();
    shift(&deployment, &mut sets, current);
    report(cluster, &mut deployment, &sets, current);
    for set in sets {
        save_set(cluster, set);
    }
    prune(cluster, &deployment);
    save(cluster, "deployments.apps", deployment);
}

fn revision(set: &Value) -> u64 {
    text(&set["metadata"]["annotations"][REVISION])
        .parse()
        .unwrap_or(0)
}

/// A ReplicaSet's number is part of its spec, and its changes are counted.
fn save_set(cluster: &mut Cluster, mut set: Value) {
    let key = format!(
        "{SETS}/{}/{}",
        text(&set["metadata"]["namespace"]),
        text(&set["metadata"]["name"])
    );
    let Some(before) = cluster.store.get(&key) else {
        return;
    };
    if before["spec"] != set["spec"] {
        set["metadata"]["generation"] = json!(count(&set["metadata"]["generation"]) + 1);
    }
    cluster.store.put(&key, set);
}

fn start(cluster: &mut Cluster, deployment: &Value, hash: &str, revision: u64) -> Option<Value> {
    let metadata = &deployment["metadata"];
    let mut template = deployment["spec"]["template"].clone();
    template["metadata"]["labels"]["pod-template-hash"] = json!(hash);
    let mut selector = deployment["spec"]["selector"].clone();
    selector["matchLabels"]["pod-template-hash"] = json!(hash);
    let set = json!({
        "metadata": {
            "name": format!("{}-{hash}", text(&metadata["name"])),
            "labels": template["metadata"]["labels"],
            "annotations": {REVISION: revision.to_string()},
            "ownerReferences": owner("apps/v1", "Deployment", deployment),
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
    });
    make(cluster, "ReplicaSet", text(&metadata["namespace"]), set).ok()
}

/// A number of pods, or a share of all; shares of what may be more are rounded up, of what may be missing down.
fn share(value: &Value, of: u64, up: bool) -> u64 {
    let text = plain(value);
    match text
        .strip_suffix('%')
        .and_then(|share| share.parse::<u64>().ok())
    {
        Some(share) if up => (of * share).div_ceil(100),
        Some(share) => of * share / 100,
        None => text.parse().unwrap_or(0),
    }
}

/// Makes the new set larger and the old ones smaller, as far as the strategy allows now.
fn shift(deployment: &Value, sets: &mut [Value], current: usize) {
    let desired = count(&deployment["spec"]["replicas"]);
    let replicas = |set: &Value| count(&set["spec"]["replicas"]);
    let old: u64 = sets
        .iter()
        .enumerate()
        .filter(|(at, _)| *at != current)
        .map(|(_, set)| replicas(set))
        .sum();
    let rolling = &deployment["spec"]["strategy"]["rollingUpdate"];
    let recreates = deployment["spec"]["strategy"]["type"] == "Recreate";
    let mut missing = share(&rolling["maxUnavailable"], desired, false);
    let surge = share(&rolling["maxSurge"], desired, true);
    if missing == 0 && surge == 0 {
        missing = 1;
    }
    let own = replicas(&sets[current]);
    let next = if own > desired || old == 0 {
        desired
    } else if recreates {
        let pods: u64 = sets
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != current)
            .map(|(_, set)| count(&set["status"]["replicas"]))
            .sum();
        if pods == 0 { desired } else { 0 }
    } else {
        (own + (desired + surge).saturating_sub(own + old)).min(desired)
    };
    sets[current]["spec"]["replicas"] = json!(next);
    let available: u64 = sets
        .iter()
        .map(|set| count(&set["status"]["availableReplicas"]))
        .sum();
    let mut spare = if recreates {
        old
    } else {
        available.saturating_sub(desired.saturating_sub(missing))
    };
    for (at, set) in sets.iter_mut().enumerate() {
        if at == current {
            continue;
        }
        // Pods of an old template that are not ready serve no requests.
        let idle = replicas(set).saturating_sub(count(&set["status"]["availableReplicas"]));
        let fewer = (spare + idle).min(replicas(set));
        spare = spare.saturating_sub(fewer.saturating_sub(idle));
        set["spec"]["replicas"] = json!(replicas(set) - fewer);
    }
}

fn report(cluster: &Cluster, deployment: &mut Value, sets: &[Value], current: usize) {
    let desired = count(&deployment["spec"]["replicas"]);
    let sum = |field: &str| -> u64 { sets.iter().map(|set| count(&set["status"][field])).sum() };
    let (all, ready, available) = (
        sum("replicas"),
        sum("readyReplicas"),
        sum("availableReplicas"),
    );
    let updated = count(&sets[current]["status"]["replicas"]);
    let mut status = json!({"observedGeneration": deployment["metadata"]["generation"]});
    let missing = desired.saturating_sub(available);
    let numbers = [
        ("replicas", all),
        ("updatedReplicas", updated),
        ("readyReplicas", ready),
        ("availableReplicas", available),
        ("unavailableReplicas", missing),
    ];
    for (field, number) in numbers.into_iter().filter(|(_, number)| *number > 0) {
        status[field] = json!(number);
    }
    let before = deployment["status"]["conditions"].clone();
    status["conditions"] = before.clone();
    deployment["status"] = status;
    let time = cluster.time();
    let least = desired.saturating_sub(share(
        &deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"],
        desired,
        false,
    ));
    if available >= least {
        set_condition(
            deployment,
            &time,
            "Available",
            true,
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
        );
    } else {
        set_condition(
            deployment,
            &time,
            "Available",
            false,
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
        );
    }
    let name = text(&sets[current]["metadata"]["name"]);
    if updated == desired && available >= desired && all == updated {
        set_condition(
            deployment,
            &time,
            "Progressing",
            true,
            "NewReplicaSetAvailable",
            &format!("ReplicaSet {name:?} has successfully progressed."),
        );
    } else {
        set_condition(
            deployment,
            &time,
            "Progressing",
            true,
            "ReplicaSetUpdated",
            &format!("ReplicaSet {name:?} is progressing."),
        );
    }
    let failed = sets[current]["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|one| one["type"] == "ReplicaFailure");
    if let Some(message) = failed.map(|one| text(&one["message"])) {
        set_condition(
            deployment,
            &time,
            "ReplicaFailure",
            true,
            "FailedCreate",
            message,
        );
    }
    date(deployment, &before, &time);
}

/// Sets the update time of each changed condition; the transition time changes only with the status.
fn date(deployment: &mut Value, before: &Value, time: &str) {
    let said = |one: &Value| ["type", "status", "reason", "message"].map(|name| one[name].clone());
    let conditions = deployment["status"]["conditions"].as_array_mut();
    for condition in conditions.into_iter().flatten() {
        let mut earlier = before.as_array().into_iter().flatten();
        let since = earlier
            .find(|one| said(one) == said(condition))
            .and_then(|one| one["lastUpdateTime"].as_str())
            .unwrap_or(time);
        condition["lastUpdateTime"] = json!(since);
    }
}

/// Keeps as many old sets for a rollback as the deployment says.
fn prune(cluster: &mut Cluster, deployment: &Value) {
    let limit = usize::try_from(
        deployment["spec"]["revisionHistoryLimit"]
            .as_u64()
            .unwrap_or(10),
    )
    .unwrap_or(10);
    let empty = |set: &Value| {
        owned(set, deployment)
            && count(&set["spec"]["replicas"]) + count(&set["status"]["replicas"]) == 0
    };
    let mut old: Vec<Value> = objects(cluster, SETS).into_iter().filter(empty).collect();
    // The set of the present template is there even when nothing is wanted.
    old.retain(|set| {
        set["metadata"]["annotations"][REVISION] != deployment["metadata"]["annotations"][REVISION]
    });
    old.sort_by_key(|set| std::cmp::Reverse(revision(set)));
    for set in old.into_iter().skip(limit) {
        let key = format!(
            "{SETS}/{}/{}",
            text(&set["metadata"]["namespace"]),
            text(&set["metadata"]["name"])
        );
        cluster.store.remove(&key);
    }
}
