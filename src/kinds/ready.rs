//! Waits for a condition of an object in a cluster, and reports why it does not hold. Nothing is changed.

use serde_json::{Map, Value};

use super::cluster_error::of_cluster;
use super::clusters::{Clients, connect, object};
use super::permissions;
use super::spec::Observed;
use super::wait::Wait;
use super::{conditions, pods};
use crate::google::ApiError;

/// Waits for a condition of an object. The condition is part of the path, so two conditions of one object are two waits.
pub static WAIT: Wait = Wait {
    optional: &["namespace"],
    is_of_object: true,
    hint: "`kubectl get {kind} --all-namespaces` shows the state of {name}; run again to continue waiting",
    ..Wait::in_cluster(
        "kubernetes.ready",
        "projects/{project}/locations/{location}/clusters/{cluster}/ready/{condition}/{apiVersion}/{kind}/{name}",
        |clients, at, _| Box::pin(look(clients, at)),
        permissions::UNSTATED,
    )
};

/// Whether the object of `at` meets the condition that `at` names.
async fn look(clients: &Clients, at: &Map<String, Value>) -> Result<Observed, ApiError> {
    let object = object(at)?;
    let Some(cluster) = connect(clients, at).await? else {
        return Ok(Observed::Absent);
    };
    let Some(live) = cluster.get(&object).await.map_err(of_cluster)? else {
        return Ok(Observed::Settling("not found yet".to_owned()));
    };
    let condition = at
        .get("condition")
        .and_then(Value::as_str)
        .unwrap_or_default();
    match conditions::missing(&live, condition) {
        None => Ok(Observed::Here(live)),
        Some(why) => {
            let pods = pods::reasons(&cluster, &object, &live).await?;
            Ok(Observed::Settling(if pods.is_empty() {
                why
            } else {
                format!("{why}; {}", pods.join("; "))
            }))
        }
    }
}
