//! The revision of the mesh's control plane, found as the tutorial tells its reader to find it: for a managed control plane the
//! name of the ControlPlaneRevision, for one in the cluster the label `istio.io/rev` of istiod's Deployment. Nothing is changed.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::cluster_error::of_cluster;
use super::clusters::{Clients, connect};
use super::conditions;
use super::mesh::NOT_READY;
use super::permissions;
use super::spec::Observed;
use super::wait::Wait;
use crate::cluster::{ClusterClient, ObjectRef};
use crate::google::ApiError;

/// Waits for the revision of the control plane.
pub static WAIT: Wait = Wait {
    outputs: &["revision"],
    hint: NOT_READY,
    ..Wait::in_cluster(
        "mesh.revision",
        "projects/{project}/locations/{location}/clusters/{cluster}/revision",
        |clients, at, want| Box::pin(look(clients, at, want)),
        permissions::reads(&["container.clusters.get", "container.thirdPartyObjects.list"]),
    )
};

/// The namespace of the objects of both sorts of control plane.
const NAMESPACE: &str = "istio-system";
/// The versions that Google's definition (CRD) has had, the newer first.
const VERSIONS: [&str; 2] = ["v1beta1", "v1alpha1"];

/// Reads the one revision of the control plane that `want` names.
async fn look(
    clients: &Clients,
    at: &Map<String, Value>,
    want: &Value,
) -> Result<Observed, ApiError> {
    let Some(cluster) = connect(clients, at).await? else {
        return Ok(Observed::Absent);
    };
    Ok(if want["control_plane"] == "in-cluster" {
        let istiod = listed(&cluster, "apps/v1", "Deployment", "app=istiod").await?;
        one("Deployment of istiod", "Available", &istiod, |istiod| {
            istiod["metadata"]["labels"]["istio.io/rev"].as_str()
        })
    } else {
        let mut found = Vec::new();
        for version in VERSIONS {
            let api = format!("mesh.cloud.google.com/{version}");
            found = listed(&cluster, &api, "ControlPlaneRevision", "").await?;
            if !found.is_empty() {
                break;
            }
        }
        one("ControlPlaneRevision", "Reconciled", &found, |revision| {
            revision["metadata"]["name"].as_str()
        })
    })
}

/// Objects of a kind in the control plane's namespace; none if the cluster does not know the kind.
async fn listed(
    cluster: &ClusterClient,
    api_version: &str,
    kind: &str,
    selector: &str,
) -> Result<Vec<Value>, ApiError> {
    let like = ObjectRef {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        name: String::new(),
    };
    match cluster.list(&like, selector).await {
        Err(error) if error.is_absent() => Ok(Vec::new()),
        found => found.map_err(of_cluster),
    }
}

/// The only revision among the objects that meet a condition. Pure.
fn one<'a>(
    what: &str,
    condition: &str,
    found: &'a [Value],
    named: impl Fn(&'a Value) -> Option<&'a str>,
) -> Observed {
    let (ready, waits): (Vec<&Value>, Vec<&Value>) = found
        .iter()
        .partition(|object| conditions::missing(object, condition).is_none());
    let names: BTreeSet<&str> = ready.into_iter().filter_map(&named).collect();
    let names: Vec<&str> = names.into_iter().collect();
    match names.as_slice() {
        [only] => Observed::Here(json!({ "revision": only })),
        [] => {
            let why = waits
                .iter()
                .find_map(|object| conditions::missing(object, condition));
            let why = why.map_or_else(String::new, |why| format!(" ({why})"));
            Observed::Settling(format!(
                "no {what} in {NAMESPACE} that is {condition} and has a revision{why}"
            ))
        }
        several => Observed::Broken(format!(
            "more than one revision: {}; it is unknown which one should inject",
            several.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_revision_is_the_one_that_is_ready() {
        let plane = |name: &str, status: &str| {
            json!({"metadata": {"name": name}, "status": {"conditions": [
                {"type": "Reconciled", "status": status, "message": "m"}]}})
        };
        for (found, expected) in [
            (
                vec![],
                "settling no X in istio-system that is Reconciled and has a revision",
            ),
            (
                vec![plane("asm-managed", "False")],
                "settling no X in istio-system that is Reconciled and has a revision (not Reconciled: m)",
            ),
            (
                vec![plane("asm-managed", "True")],
                "here {\"revision\":\"asm-managed\"}",
            ),
            (
                vec![
                    plane("asm-managed", "True"),
                    plane("asm-managed-rapid", "False"),
                ],
                "here {\"revision\":\"asm-managed\"}",
            ),
            (
                vec![plane("b", "True"), plane("a", "True")],
                "broken more than one revision: a, b; it is unknown which one should inject",
            ),
        ] {
            let name = |object: &'static Value| object["metadata"]["name"].as_str();
            let found: &'static [Value] = Vec::leak(found);
            let said = match one("X", "Reconciled", found, name) {
                Observed::Here(live) => format!("here {live}"),
                Observed::Settling(why) => format!("settling {why}"),
                Observed::Broken(why) => format!("broken {why}"),
                Observed::Absent => "absent".to_owned(),
            };
            assert_eq!(said, expected);
        }
    }
}
