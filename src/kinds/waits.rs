//! Every wait: conditions that others bring about and that later steps need. A wait is a `static` in its own file.

use super::wait::Wait;
use super::{definitions, mesh, nodes_ready, pods, ready, revision};

/// Every wait.
pub static WAITS: [&Wait; 6] = [
    &mesh::WAIT,
    &revision::WAIT,
    &definitions::WAIT,
    &nodes_ready::WAIT,
    &pods::WAIT,
    &ready::WAIT,
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::spec::KindSpec;

    #[test]
    fn a_wait_names_the_next_command_or_a_page() {
        let at =
            json!({"namespace": "team-x", "deployment": "test", "kind": "Gateway", "name": "g"});
        for wait in WAITS {
            let hint = wait.wait_hint(at.as_object().unwrap());
            let words = match wait.kind {
                "kubernetes.nodes" => "`kubectl describe nodes`",
                "kubernetes.pods" => "`kubectl -n team-x rollout restart deployment test`",
                "kubernetes.ready" => "`kubectl get Gateway --all-namespaces`",
                _ => "https://cloud.google.com/service-mesh/",
            };
            assert!(hint.contains(words), "{}: {hint}", wait.kind);
        }
    }
}
