//! What to do when a wait ends without what it waited for: the next command, or Google's own page. Pure.

use serde_json::Value;

use crate::kinds::ResourceId;

/// The hint for a wait for this resource.
pub fn wait_hint(resource: &ResourceId) -> String {
    let at = |key: &str| {
        resource
            .at
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or("NAME")
    };
    match resource.kind.as_str() {
        "kubernetes.nodes" => "`kubectl describe nodes` says what each node lacks (`provision kubeconfig --write FILE` sets kubectl up); without a node, check the firewall rules and the private DNS zones with `provision plan`, then run again".to_owned(),
        "kubernetes.pods" | "kubernetes.ready" | "kubernetes.restart" => {
            let (namespace, deployment) = (at("namespace"), at("deployment"));
            format!(
                "`kubectl -n {namespace} describe pods` says what each pod lacks. A pod without a sidecar does not get one later: fix the cause, then run `kubectl -n {namespace} rollout restart deployment {deployment}`."
            )
        }
        "mesh.ready" | "mesh.revision" | "kubernetes.definitions" => "run again to continue waiting; Google's page on a managed mesh that is not ready: https://cloud.google.com/service-mesh/docs/troubleshooting/troubleshoot-managed-service-mesh".to_owned(),
        _ => "run again to continue waiting".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_wait_names_the_next_command_or_a_page() {
        let at = json!({"namespace": "team-x", "deployment": "test"});
        for (kind, words) in [
            ("kubernetes.nodes", "`kubectl describe nodes`"),
            (
                "kubernetes.pods",
                "`kubectl -n team-x rollout restart deployment test`",
            ),
            ("mesh.ready", "https://cloud.google.com/service-mesh/"),
            ("services", "run again"),
        ] {
            let hint = wait_hint(&ResourceId {
                kind: kind.to_owned(),
                at: at.as_object().unwrap().clone(),
            });
            assert!(hint.contains(words), "{kind}: {hint}");
        }
    }
}
