//! `/scale`: how many pods a workload has, as an object of its own.

use serde_json::{Value, json};

use super::call::{ApiCall, CallTarget};
use super::cluster::Cluster;
use super::decode;
use super::object;
use super::patch;
use super::reply::ApiReply;
use super::requested::options;
use super::resource::Resource;
use super::status::Status;
use super::write;

/// The scale of a workload.
pub fn of(workload: &Value) -> Value {
    let metadata = &workload["metadata"];
    let labels = workload["spec"]["selector"]["matchLabels"]
        .as_object()
        .into_iter()
        .flatten();
    let selector: Vec<String> = labels
        .map(|(key, value)| format!("{key}={}", object::plain(value)))
        .collect();
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"], "creationTimestamp": metadata["creationTimestamp"],
        },
        "spec": {"replicas": workload["spec"]["replicas"].as_u64().unwrap_or(0)},
        "status": {"replicas": workload["status"]["replicas"].as_u64().unwrap_or(0), "selector": selector.join(",")},
    })
}

/// Changes it.
///
/// # Errors
/// 400 for an invalid body, 409 if the workload has changed.
pub fn answer(
    cluster: &mut Cluster,
    call: &ApiCall,
    resource: &Resource,
    target: &CallTarget,
    workload: &Value,
) -> Result<ApiReply, Status> {
    let sent = decode::value(call)?;
    let mut scale = of(workload);
    match (call.method.as_str(), call.content_type.as_str()) {
        ("PUT", _) => scale = sent,
        ("PATCH", "application/json-patch+json") => patch::json(&mut scale, &sent)?,
        ("PATCH", _) => json::merge(&mut scale, &sent),
        _ => return Err(Status::method_not_allowed()),
    }
    let mut wanted = workload.clone();
    let replicas = scale["spec"]["replicas"].as_u64();
    wanted["spec"]["replicas"] =
        json!(replicas.ok_or_else(|| Status::bad_request("spec.replicas: Required value"))?);
    wanted["metadata"]["resourceVersion"] = scale["metadata"]["resourceVersion"].clone();
    let written = write::update(
        cluster,
        resource,
        workload,
        wanted,
        &options(cluster, call, target, false)?,
    )?;
    Ok(ApiReply::ok(of(&written)))
}
