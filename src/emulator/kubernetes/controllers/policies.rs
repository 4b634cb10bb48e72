//! Autoscalers and disruption budgets: their status. Load is not measured, so nothing is scaled by it.

use serde_json::{Value, json};

use super::super::cluster::Cluster;
use super::super::selectors;
use super::objects::{objects, ready, save, set_condition, text};

/// Updates their status.
pub fn run(cluster: &mut Cluster) {
    for autoscaler in objects(cluster, "horizontalpodautoscalers.autoscaling") {
        autoscale(cluster, autoscaler);
    }
    for budget in objects(cluster, "poddisruptionbudgets.policy") {
        count(cluster, budget);
    }
}

/// Keeps its target within its limits.
fn autoscale(cluster: &mut Cluster, mut autoscaler: Value) {
    let namespace = text(&autoscaler["metadata"]["namespace"]).to_owned();
    let target = &autoscaler["spec"]["scaleTargetRef"];
    let key = format!("deployments.apps/{namespace}/{}", text(&target["name"]));
    let found = cluster
        .store
        .get(&key)
        .filter(|_| target["kind"] == "Deployment")
        .cloned();
    let time = cluster.time();
    let Some(mut deployment) = found else {
        let message = "the HPA controller was unable to get the target's current scale";
        set_condition(
            &mut autoscaler,
            &time,
            "AbleToScale",
            false,
            "FailedGetScale",
            message,
        );
        save(cluster, "horizontalpodautoscalers.autoscaling", autoscaler);
        return;
    };
    let limit = |field: &str| autoscaler["spec"][field].as_u64().unwrap_or(1);
    let (least, most) = (limit("minReplicas"), limit("maxReplicas"));
    let replicas = deployment["spec"]["replicas"].as_u64().unwrap_or(1);
    let wanted = replicas.clamp(least.min(most), most);
    if replicas != wanted && replicas > 0 {
        deployment["spec"]["replicas"] = json!(wanted);
        deployment["metadata"]["generation"] =
            json!(deployment["metadata"]["generation"].as_u64().unwrap_or(1) + 1);
        cluster.store.put(&key, deployment.clone());
    }
    autoscaler["status"]["currentReplicas"] =
        json!(deployment["status"]["replicas"].as_u64().unwrap_or(0));
    autoscaler["status"]["desiredReplicas"] = json!(wanted);
    set_condition(
        &mut autoscaler,
        &time,
        "AbleToScale",
        true,
        "SucceededGetScale",
        "the HPA controller was able to get the target's current scale",
    );
    save(cluster, "horizontalpodautoscalers.autoscaling", autoscaler);
}

fn count(cluster: &mut Cluster, mut budget: Value) {
    let namespace = text(&budget["metadata"]["namespace"]);
    let pods = cluster.store.list(&format!("pods/{namespace}/"));
    let chosen: Vec<&Value> = pods
        .into_iter()
        .map(|(_, pod)| pod)
        .filter(|pod| selectors::selects(&budget["spec"]["selector"], &pod["metadata"]["labels"]))
        .collect();
    let expected = chosen.len() as u64;
    let healthy = chosen.iter().filter(|pod| ready(pod)).count() as u64;
    let share = |value: &Value| match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text
            .strip_suffix('%')?
            .parse::<u64>()
            .ok()
            .map(|share| (expected * share).div_ceil(100)),
        _ => None,
    };
    let desired = match (
        share(&budget["spec"]["minAvailable"]),
        share(&budget["spec"]["maxUnavailable"]),
    ) {
        (Some(least), _) => least,
        (_, Some(missing)) => expected.saturating_sub(missing),
        _ => 0,
    };
    let allowed = healthy.saturating_sub(desired);
    budget["status"] = json!({
        "observedGeneration": budget["metadata"]["generation"],
        "conditions": budget["status"]["conditions"],
        "expectedPods": expected,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "disruptionsAllowed": allowed,
    });
    let time = cluster.time();
    let reason = if allowed > 0 {
        "SufficientPods"
    } else {
        "InsufficientPods"
    };
    set_condition(
        &mut budget,
        &time,
        "DisruptionAllowed",
        allowed > 0,
        reason,
        "",
    );
    let generation = budget["metadata"]["generation"].clone();
    let conditions = budget["status"]["conditions"].as_array_mut();
    for condition in conditions.into_iter().flatten() {
        condition["message"] = json!("");
        condition["observedGeneration"] = generation.clone();
    }
    save(cluster, "poddisruptionbudgets.policy", budget);
}
