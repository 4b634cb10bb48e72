//! Waits until as many nodes of a pool as a step states are Ready, with its taints. Nothing is changed.
//!
//! The stated number is that of each zone, as in the pool itself: a regional cluster has it in each zone of the pool.

use serde_json::{Map, Value};

use super::cluster_error::of_cluster;
use super::clusters::{Clients, connect};
use super::nodes::{any, missing, of_pool};
use super::path_template;
use super::permissions;
use super::spec::Observed;
use super::wait::Wait;
use crate::google::{Api, ApiError, Call, Class};
use crate::steps::is_region;

/// Waits for the nodes of a pool.
pub static WAIT: Wait = Wait {
    hint: "`kubectl describe nodes` says what each node lacks (`provision kubeconfig --write FILE` sets kubectl up); without a node, check the firewall rules and the private DNS zones with `provision plan`, then run again",
    ..Wait::in_cluster(
        "kubernetes.nodes",
        "projects/{project}/locations/{location}/clusters/{cluster}/nodes/{nodePool}",
        |clients, at, want| Box::pin(look(clients, at, want)),
        permissions::reads(&["container.clusters.get", "container.nodes.list"]),
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
    let want = in_all_zones(want, zones(clients, at).await?);
    Ok(match missing(&nodes, &want) {
        None => Observed::Here(Value::Null),
        Some(why) => Observed::Settling(why),
    })
}

/// The path of the pool that the nodes belong to.
const POOL: &str =
    "v1/projects/{project}/locations/{location}/clusters/{cluster}/nodePools/{nodePool}";

/// The number of zones in which the pool has nodes. In a user's own cluster the pools are only labels.
async fn zones(clients: &Clients, at: &Map<String, Value>) -> Result<u64, ApiError> {
    let location = at.get("location").and_then(Value::as_str);
    let is_zone = location.is_some_and(|location| !is_region(location));
    if is_zone || clients.clusters.is_own() {
        return Ok(1);
    }
    let call = Call::get(Api::Container, path_template::path(POOL, at)?);
    let pool = match clients.client.send(&call, &*clients.watch).await {
        Err(error) if error.class == Class::NotFound => return Ok(1),
        pool => pool?,
    };
    Ok(pool["locations"]
        .as_array()
        .map_or(1, |zones| zones.len().max(1) as u64))
}

/// The nodes that a step wants in all of the pool's zones. Pure.
fn in_all_zones(want: &Value, zones: u64) -> Value {
    let mut want = want.clone();
    if let Some(count) = want.get("count").and_then(Value::as_u64) {
        want["count"] = count.saturating_mul(zones).into();
    }
    want
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_number_of_nodes_is_that_of_each_zone() {
        for (want, zones, expected) in [
            (json!({"count": 3}), 1, json!({"count": 3})),
            (
                json!({"count": 3, "taints": ["t"]}),
                3,
                json!({"count": 9, "taints": ["t"]}),
            ),
            (json!({}), 3, json!({})),
        ] {
            assert_eq!(in_all_zones(&want, zones), expected);
        }
    }
}
