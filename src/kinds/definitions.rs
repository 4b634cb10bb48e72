//! Waits until a cluster knows kinds of objects: their definitions (CRDs) exist and are established.
//!
//! An object of a kind that is not established is rejected as if its path did not exist, so the wait comes before the first
//! object.

use serde_json::{Map, Value};

use super::cluster_error::of_cluster;
use super::clusters::{Clients, connect};
use super::conditions;
use super::mesh::NOT_READY;
use super::permissions;
use super::spec::Observed;
use super::wait::Wait;
use crate::cluster::ObjectRef;
use crate::google::ApiError;

/// Waits for CustomResourceDefinitions.
pub static WAIT: Wait = Wait {
    hint: NOT_READY,
    ..Wait::in_cluster(
        "kubernetes.definitions",
        "projects/{project}/locations/{location}/clusters/{cluster}/definitions/{set}",
        |clients, at, want| Box::pin(look(clients, at, want)),
        permissions::reads(&[
            "container.clusters.get",
            "container.customResourceDefinitions.get",
        ]),
    )
};

/// Reads the definitions that `want` names, and reports which are not established.
async fn look(
    clients: &Clients,
    at: &Map<String, Value>,
    want: &Value,
) -> Result<Observed, ApiError> {
    let Some(cluster) = connect(clients, at).await? else {
        return Ok(Observed::Absent);
    };
    let names = want.get("names").and_then(Value::as_array);
    let mut lacking = Vec::new();
    for name in names.into_iter().flatten().filter_map(Value::as_str) {
        let definition = ObjectRef {
            api_version: "apiextensions.k8s.io/v1".to_owned(),
            kind: "CustomResourceDefinition".to_owned(),
            namespace: None,
            name: name.to_owned(),
        };
        match cluster.get(&definition).await.map_err(of_cluster)? {
            None => lacking.push(format!("no {name}")),
            Some(live) => lacking.extend(
                conditions::missing(&live, "Established").map(|why| format!("{name} {why}")),
            ),
        }
    }
    Ok(if lacking.is_empty() {
        Observed::Here(Value::Null)
    } else {
        Observed::Settling(lacking.join(", "))
    })
}
