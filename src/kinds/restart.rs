//! Restarts the workloads of a namespace once per change of what the step names, as `kubectl rollout restart` does.
//!
//! The pod template has an annotation with a word computed from what the restart depends on; as long as it is the same, nothing
//! happens.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::cluster_error::of_cluster;
use super::clusters::{Clients, connect, steadily};
use super::permissions::{self, Permissions};
use super::spec::{Effect, KindSpec, MutationResult, Observed};
use super::{conditions, pods};
use crate::cluster::{ClusterClient, ObjectRef};
use crate::google::{Api, ApiError};

/// The name that steps use.
const KIND: &str = "kubernetes.restart";
/// The annotation beside that of `kubectl rollout restart`; its value names what the restart came after.
const AFTER: &str = "provision/restarted-after";
const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";

/// A restart of the workloads in a namespace.
#[derive(Debug)]
pub struct Restart;

#[async_trait]
impl KindSpec for Restart {
    fn name(&self) -> &'static str {
        KIND
    }

    fn api(&self) -> Api {
        Api::Container
    }

    /// The path of the namespace.
    fn template(&self) -> &'static str {
        "projects/{project}/locations/{location}/clusters/{cluster}/restart/{namespace}"
    }

    fn effect(&self) -> Effect {
        Effect::Action
    }

    fn permissions(&self, _at: &Map<String, Value>) -> Permissions {
        permissions::RESTART
    }

    fn is_in_cluster(&self) -> bool {
        true
    }

    fn wait_hint(&self, at: &Map<String, Value>) -> String {
        let namespace = at.get("namespace").and_then(Value::as_str);
        format!(
            "`kubectl -n {} describe pods` says what each pod lacks; then run again",
            namespace.unwrap_or("NAMESPACE")
        )
    }

    async fn look(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        want: &Value,
        _parts: &[String],
    ) -> Result<Observed, ApiError> {
        look(clients, at, want).await
    }

    async fn create(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        want: &Value,
        _request: &str,
    ) -> Result<MutationResult, ApiError> {
        steadily(clients, || restart(clients, at, want)).await
    }
}

/// Whether every Deployment of the namespace was restarted since, and runs.
async fn look(
    clients: &Clients,
    at: &Map<String, Value>,
    want: &Value,
) -> Result<Observed, ApiError> {
    let Some(cluster) = connect(clients, at).await? else {
        return Ok(Observed::Absent);
    };
    let word = word(want);
    for live in deployments(&cluster, at).await? {
        let annotations = live.pointer("/spec/template/metadata/annotations");
        if annotations
            .and_then(|all| all.get(AFTER))
            .and_then(Value::as_str)
            != Some(&word)
        {
            return Ok(Observed::Absent);
        }
        if let Some(why) = conditions::missing(&live, "Available") {
            let pods = pods::reasons(&cluster, &like(at), &live).await?;
            return Ok(Observed::Settling([vec![why], pods].concat().join("; ")));
        }
    }
    Ok(Observed::Here(Value::Null))
}

/// Restarts the Deployments that were not restarted yet.
async fn restart(
    clients: &Clients,
    at: &Map<String, Value>,
    want: &Value,
) -> Result<MutationResult, ApiError> {
    let Some(cluster) = connect(clients, at).await? else {
        return Err(ApiError::unsent(
            KIND,
            "there is no cluster in which to restart workloads",
        ));
    };
    let (word, now) = (word(want), jiff::Timestamp::now().to_string());
    let change =
        json!({"spec": {"template": {"metadata": {"annotations": {AFTER: word, RESTARTED: now}}}}});
    for live in deployments(&cluster, at).await? {
        let name = live
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let deployment = like(at).beside("apps/v1", "Deployment", name);
        cluster
            .merge(&deployment, &change)
            .await
            .map_err(of_cluster)?;
    }
    Ok(MutationResult::Now)
}

async fn deployments(
    cluster: &ClusterClient,
    at: &Map<String, Value>,
) -> Result<Vec<Value>, ApiError> {
    cluster.list(&like(at), "").await.map_err(of_cluster)
}

/// Any Deployment of the namespace.
fn like(at: &Map<String, Value>) -> ObjectRef {
    ObjectRef {
        api_version: "apps/v1".to_owned(),
        kind: "Deployment".to_owned(),
        namespace: at
            .get("namespace")
            .and_then(Value::as_str)
            .map(str::to_owned),
        name: String::new(),
    }
}

/// A word that changes when anything that the step names changes.
fn word(want: &Value) -> String {
    format!(
        "{:08x}",
        crc32fast::hash(
            want.get("after")
                .unwrap_or(&Value::Null)
                .to_string()
                .as_bytes()
        )
    )
}
