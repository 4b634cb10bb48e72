//! A Kubernetes object by server-side apply: our fields become as stated, and others keep their fields.
//!
//! The cluster itself computes the difference: the result of a dry-run apply is compared with the live object. So this module
//! needs no knowledge of defaults, mutating webhooks and other managers' fields.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::cluster_error::of_cluster;
use super::clusters::{Clients, connect, object, steadily};
use super::difference::FieldDiff;
use super::permissions::Permissions;
use super::spec::{Effect, KindSpec, MutationResult, Observed};
use super::{evidence, object_permissions, ownership, residents};
use crate::cluster::{ApplyOptions, Conflict};
use crate::google::{Api, ApiError};

/// The name that steps use.
const KIND: &str = "kubernetes.object";

/// The objects for which backends are created outside the cluster: routes, gateways and Services, by API group. Whether Traffic
/// Director holds anything for other objects of Istio's is not recorded.
const ASK_FOR_BACKENDS: &[(&str, &[&str])] = &[
    ("", &["Service"]),
    ("networking.istio.io", &["Gateway", "VirtualService"]),
    ("networking.k8s.io", &["Ingress"]),
    (
        "gateway.networking.k8s.io",
        &["Gateway", "GRPCRoute", "HTTPRoute", "TCPRoute", "TLSRoute"],
    ),
];

/// A Kubernetes object.
#[derive(Debug)]
pub struct KubernetesObject;

#[async_trait]
impl KindSpec for KubernetesObject {
    fn name(&self) -> &'static str {
        KIND
    }

    fn api(&self) -> Api {
        Api::Container
    }

    /// The cluster and the object in it.
    fn template(&self) -> &'static str {
        "projects/{project}/locations/{location}/clusters/{cluster}/{apiVersion}/{kind}/{name}"
    }

    fn effect(&self) -> Effect {
        Effect::Resource
    }

    fn permissions(&self, at: &Map<String, Value>) -> Permissions {
        object_permissions::of_object(at)
    }

    /// Cluster-scoped objects have no namespace.
    fn optional_keys(&self) -> &'static [&'static str] {
        &["namespace"]
    }

    fn is_in_cluster(&self) -> bool {
        true
    }

    fn asks_for_backends(&self, at: &Map<String, Value>) -> bool {
        let text = |key: &str| at.get(key).and_then(Value::as_str).unwrap_or_default();
        let group = text("apiVersion").split_once('/');
        let group = group.map_or("", |(group, _)| group);
        ASK_FOR_BACKENDS
            .iter()
            .any(|(of, kinds)| *of == group && kinds.contains(&text("kind")))
    }

    fn outputs(&self) -> &'static [&'static str] {
        &["uid", "version"]
    }

    fn outputs_of(&self, live: &Value) -> Map<String, Value> {
        outputs(live)
    }

    fn has_field_managers(&self) -> bool {
        true
    }

    fn deletion_hint(&self) -> &'static str {
        "the cluster deletes it when the finalizers and resources named above are gone: remove them, then run again"
    }

    fn diff(&self, _want: &Value, live: &Value) -> Vec<FieldDiff> {
        diff(live)
    }

    fn has_our_mark(&self, want: &Value, live: &Value) -> Option<bool> {
        evidence::has_our_mark(want, live)
    }

    fn created<'a>(&self, live: &'a Value) -> Option<&'a str> {
        live.pointer("/live/metadata/creationTimestamp")?.as_str()
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
        steadily(clients, || apply(clients, at, want)).await
    }

    async fn delete(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        _parts: &[String],
        _request: &str,
    ) -> Result<MutationResult, ApiError> {
        steadily(clients, || residents::none(clients, at)).await?;
        steadily(clients, || delete(clients, at)).await
    }
}

/// Reads the object and, if a step states it, its state after an apply (dry run).
async fn look(
    clients: &Clients,
    at: &Map<String, Value>,
    want: &Value,
) -> Result<Observed, ApiError> {
    let object = object(at)?;
    let Some(cluster) = connect(clients, at).await? else {
        return Ok(Observed::Absent);
    };
    let Some(live) = cluster.get(&object).await.map_err(of_cluster)? else {
        return Ok(Observed::Absent);
    };
    if live.pointer("/metadata/deletionTimestamp").is_some() {
        return Ok(Observed::Settling(going(&live)));
    }
    if want.is_null() {
        return Ok(Observed::Here(json!({ "live": live })));
    }
    // The first attempt is without force, even if force is requested: only the conflict names the owners of the fields that would
    // be taken over.
    let dry = |force| ApplyOptions {
        dry_run: true,
        force,
    };
    match cluster.apply(&object, want, dry(false)).await {
        Err(refused) if !refused.conflicts.is_empty() => {
            let applied = cluster.apply(&object, want, dry(true)).await;
            let applied = applied.map_err(of_cluster)?;
            Ok(Observed::Here(
                json!({"live": live, "applied": applied, "conflicts": refused.conflicts}),
            ))
        }
        applied => {
            let applied = applied.map_err(of_cluster)?;
            Ok(Observed::Here(json!({"live": live, "applied": applied})))
        }
    }
}

/// What an object that is being deleted waits for: its own finalizers and, for a namespace, its remaining content, in the words
/// of its conditions. Pure.
fn going(live: &Value) -> String {
    let list = |at: &str| {
        live.pointer(at)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let finalizers: Vec<&str> = list("/metadata/finalizers")
        .filter_map(Value::as_str)
        .collect();
    let conditions = list("/status/conditions").filter(|condition| condition["status"] == "True");
    let mut why: Vec<String> = conditions
        .filter_map(|condition| condition["message"].as_str().map(str::to_owned))
        .collect();
    if !finalizers.is_empty() {
        why.push(format!("finalizers {}", finalizers.join(", ")));
    }
    if why.is_empty() {
        return "being deleted".to_owned();
    }
    format!("being deleted: {}", why.join("; "))
}

/// What an apply would change; the fields that it would take over from other managers come first. Pure.
fn diff(live: &Value) -> Vec<FieldDiff> {
    let (Some(have), Some(want)) = (live.get("live"), live.get("applied")) else {
        return Vec::new();
    };
    let conflicts = live.get("conflicts").cloned().unwrap_or_default();
    let conflicts: Vec<Conflict> = serde_json::from_value(conflicts).unwrap_or_default();
    let (mut found, rest) = ownership::contested(have, want, &conflicts);
    compare("", have, &rest, &mut found);
    found
}

/// Fields that are not part of the desired state.
fn is_bookkeeping(path: &str) -> bool {
    [
        "metadata.managedFields",
        "metadata.resourceVersion",
        "metadata.generation",
        "status",
    ]
    .contains(&path)
}

fn compare(path: &str, have: &Value, want: &Value, found: &mut Vec<FieldDiff>) {
    if have == want || is_bookkeeping(path) {
        return;
    }
    match (have, want) {
        (Value::Object(a), Value::Object(b)) => {
            let only_there = a.keys().filter(|key| !b.contains_key(*key));
            for key in b.keys().chain(only_there) {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                let side = |side: &Map<String, Value>| side.get(key).cloned().unwrap_or_default();
                compare(&path, &side(a), &side(b), found);
            }
        }
        _ => found.push(FieldDiff {
            path: path.to_owned(),
            have: have.clone(),
            want: want.clone(),
            fixed: false,
            owner: None,
        }),
    }
}

/// Applies the object.
async fn apply(
    clients: &Clients,
    at: &Map<String, Value>,
    want: &Value,
) -> Result<MutationResult, ApiError> {
    let object = object(at)?;
    let cluster = connect(clients, at).await?.ok_or_else(|| {
        ApiError::unsent(
            object.to_string(),
            "there is no cluster to apply the object to",
        )
    })?;
    let how = ApplyOptions {
        dry_run: false,
        force: clients.clusters.force,
    };
    cluster
        .apply(&object, want, how)
        .await
        .map_err(of_cluster)?;
    Ok(MutationResult::Now)
}

/// Deletes the object. If the cluster is gone, the object is gone.
async fn delete(clients: &Clients, at: &Map<String, Value>) -> Result<MutationResult, ApiError> {
    let object = object(at)?;
    if let Some(cluster) = connect(clients, at).await? {
        cluster.delete(&object).await.map_err(of_cluster)?;
    }
    Ok(MutationResult::Now)
}

/// The outputs: the identity of the object, and a word that changes when the object's content changes.
fn outputs(live: &Value) -> Map<String, Value> {
    let text = |pointer: &str| {
        live.pointer(pointer).map(|value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        })
    };
    let uid = text("/live/metadata/uid").unwrap_or_default();
    let version = format!(
        "{uid}/{}",
        text("/live/metadata/generation").unwrap_or_default()
    );
    Map::from_iter([
        ("uid".to_owned(), uid.into()),
        ("version".to_owned(), version.into()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_an_object_that_is_being_deleted_is_told() {
        let remain = |status: &str| json!({"type": "NamespaceFinalizersRemaining", "status": status, "message": "example.com/hold in 1 resource instances"});
        for (live, expected) in [
            (
                json!({"spec": {"finalizers": ["kubernetes"]}}),
                "being deleted",
            ),
            (
                json!({"metadata": {"finalizers": ["a/b", "c/d"]}}),
                "being deleted: finalizers a/b, c/d",
            ),
            (
                json!({"status": {"conditions": [remain("True")]}}),
                "being deleted: example.com/hold in 1 resource instances",
            ),
            (
                json!({"status": {"conditions": [remain("False")]}}),
                "being deleted",
            ),
        ] {
            assert_eq!(going(&live), expected, "{live}");
        }
    }

    #[test]
    fn only_what_an_apply_would_change_is_told() {
        let live = json!({"metadata": {"labels": {"a": "1"}, "generation": 1}, "spec": {"x": 1, "theirs": true}, "status": {"s": 1}});
        let mut applied = live.clone();
        applied["metadata"]["generation"] = 2.into();
        let same = json!({"live": live, "applied": applied});
        assert_eq!(diff(&same), []);
        applied["spec"]["x"] = 2.into();
        applied["metadata"]["labels"]["b"] = "2".into();
        applied["spec"].as_object_mut().unwrap().remove("theirs");
        let paths: Vec<String> = diff(&json!({"live": live, "applied": applied}))
            .into_iter()
            .map(|f| f.path)
            .collect();
        assert_eq!(paths, ["metadata.labels.b", "spec.x", "spec.theirs"]);
    }
}
