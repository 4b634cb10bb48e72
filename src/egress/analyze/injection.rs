//! Namespaces and pods without the mesh's proxy.

use json::text;

use super::config::{Config, ROOT};
use super::{Code, Finding};
use crate::injection::{injects, proxy_container};
use crate::object::Object;

/// Namespaces of the platform, which are not meant to have proxies.
fn platform(namespace: &str) -> bool {
    let beginnings = ["kube-", "gke-", "gmp-", "asm-", "config-management-"];
    namespace == ROOT
        || beginnings
            .iter()
            .any(|beginning| namespace.starts_with(beginning))
}

/// Namespaces without a label that requests injection, or with two of them.
pub fn namespaces(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, labels) in config.namespaces.iter().filter(|(name, _)| !platform(name)) {
        let object = Object::new("Namespace", "", name);
        let (plain, revision) = (labels.get("istio-injection"), labels.get("istio.io/rev"));
        let ambient = labels
            .get("istio.io/dataplane-mode")
            .is_some_and(|mode| mode == "ambient");
        match (plain, revision) {
            (None, None) if !ambient => {
                let message = "its pods get no proxy: only the firewall and NetworkPolicies restrict their egress";
                found.push(Finding::new(
                    Code::NamespaceNotInjected,
                    &object,
                    message,
                    "label istio-injection=enabled, or =disabled if this is intended",
                ));
            }
            (Some(_), Some(_)) => {
                let message =
                    "has both istio-injection and istio.io/rev; istio-injection takes precedence";
                found.push(Finding::new(
                    Code::NamespaceMultipleInjectionLabels,
                    &object,
                    message,
                    "one of the two labels; for a managed mesh istio-injection=enabled",
                ));
            }
            _ => {}
        }
    }
    found
}

/// Running pods without the proxy that they should have.
pub fn pods(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for pod in config.of("Pod") {
        let object = Object::of(pod);
        let over = matches!(text(pod, "/status/phase"), "Succeeded" | "Failed");
        let Some(labels) = config
            .namespaces
            .get(&object.namespace)
            .filter(|_| !over && !platform(&object.namespace))
        else {
            continue;
        };
        let (wanted, why) = injects(labels, &pod["metadata"], &pod["spec"]);
        if wanted && proxy_container(&pod["spec"]).is_none() {
            let message = format!(
                "has no proxy, although {why} asks for one: the pod is older, or injection failed"
            );
            let instead = format!(
                "kubectl -n {} rollout restart of its workload",
                object.namespace
            );
            found.push(Finding::new(
                Code::PodMissingProxy,
                &object,
                message,
                instead,
            ));
        }
    }
    found
}
