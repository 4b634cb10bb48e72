//! Waits until as many nodes of a pool as a step states are Ready, with its taints. Nothing is changed.

use serde_json::{Map, Value};

use super::cluster_error::of_cluster;
use super::clusters::{Clients, connect};
use super::nodes::{any, missing, of_pool};
use super::spec::Observed;
use super::wait::Wait;
use crate::google::ApiError;

/// Waits for the nodes of a pool.
pub static WAIT: Wait = Wait {
    hint: "`kubectl describe nodes` says what each node lacks (`provision kubeconfig --write FILE` sets kubectl up); without a node, check the firewall rules and the private DNS zones with `provision plan`, then run again",
    ..Wait::in_cluster(
        "kubernetes.nodes",
        "projects/{project}/locations/{location}/clusters/{cluster}/nodes/{nodePool}",
        |clients, at, want| Box::pin(look(clients, at, want)),
    )
};

/// Reads the nodes of the pool.
async fn look(
    clients: &Clients,
    at: &Map<String, Value>,
    want: &Value,
) -> Result<Observed, ApiError> {
    let Some(cluster) = connect(clients, at).await? else {
        return Ok(Observed::Absent);
    };
    let pool = at
        .get("nodePool")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let nodes = cluster
        .list(&any(), &of_pool(pool))
        .await
        .map_err(of_cluster)?;
    Ok(match missing(&nodes, want) {
        None => Observed::Here(Value::Null),
        Some(why) => Observed::Settling(why),
    })
}
