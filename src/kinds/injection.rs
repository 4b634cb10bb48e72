//! Whether a pod has the mesh's proxy, and if not, why: read from the labels and the injection webhooks. Pure, except for the
//! reads.
//!
//! The selectors are read from Istio's injection webhooks themselves; the values of the labels are those in Istio's
//! documentation.

use egress::object::labels;
use egress::selector::Selector;
use json::text;
use serde_json::Value;

use super::cluster_error::of_cluster;
use crate::cluster::{ClusterClient, ObjectRef};
use crate::google::ApiError;

/// The end of the name of every injection webhook.
const INJECTS: &str = "sidecar-injector.istio.io";
/// The label with which a pod opts out of injection.
const SWITCH: &str = "sidecar.istio.io/inject";

/// What decides about injection in a namespace.
pub struct Injection {
    namespace: Value,
    configurations: Vec<Value>,
}

impl Injection {
    /// Reads the namespace and the webhooks.
    ///
    /// # Errors
    /// The error of the cluster.
    pub async fn of(cluster: &ClusterClient, namespace: &str) -> Result<Injection, ApiError> {
        let object = |api: &str, kind: &str, name: &str| ObjectRef {
            api_version: api.to_owned(),
            kind: kind.to_owned(),
            namespace: None,
            name: name.to_owned(),
        };
        let webhooks = object(
            "admissionregistration.k8s.io/v1",
            "MutatingWebhookConfiguration",
            "",
        );
        Ok(Injection {
            namespace: cluster
                .get(&object("v1", "Namespace", namespace))
                .await
                .map_err(of_cluster)?
                .unwrap_or_default(),
            configurations: cluster.list(&webhooks, "").await.map_err(of_cluster)?,
        })
    }

    /// Why a pod of the namespace has no proxy.
    pub fn why_not(&self, pod: &Value) -> String {
        let labels = |object: &Value| labels(object, "/metadata/labels");
        let (namespace, own) = (labels(&self.namespace), labels(pod));
        let name = text(&self.namespace, "/metadata/name");
        let annotated = pod.pointer("/metadata/annotations").map(|all| &all[SWITCH]);
        let switch = own.get(SWITCH).map(String::as_str);
        if switch.or(annotated.and_then(Value::as_str)) == Some("false") {
            return format!("pod {} has {SWITCH}=false", text(pod, "/metadata/name"));
        }
        let hooks: Vec<(&Value, &Value)> = self
            .configurations
            .iter()
            .flat_map(|one| {
                let hooks = one["webhooks"].as_array().into_iter().flatten();
                hooks.map(move |hook| (one, hook))
            })
            .filter(|(_, hook)| text(hook, "/name").ends_with(INJECTS))
            .collect();
        if hooks.is_empty() {
            return format!(
                "no MutatingWebhookConfiguration has a webhook *.{INJECTS}: the control plane is not installed, or not ready"
            );
        }
        let selected = |(_, hook): &&(&Value, &Value)| {
            Selector::read(&hook["namespaceSelector"]).matches(&namespace)
                && Selector::read(&hook["objectSelector"]).matches(&own)
        };
        if let Some((configuration, _)) = hooks.iter().find(selected) {
            return format!(
                "{} would inject the proxy: the pod is older than this webhook or than the label of namespace {name}, and a new pod will have the proxy",
                text(configuration, "/metadata/name")
            );
        }
        let said: Vec<String> = ["istio-injection", "istio.io/rev"]
            .iter()
            .filter_map(|key| Some(format!("{key}={}", namespace.get(*key)?)))
            .collect();
        let said = if said.is_empty() {
            "neither istio-injection nor istio.io/rev".to_owned()
        } else {
            said.join(", ")
        };
        let mut there: Vec<&str> = hooks
            .iter()
            .map(|(one, _)| text(one, "/metadata/name"))
            .collect();
        there.dedup();
        format!(
            "namespace {name} has {said}, which no injecting webhook selects (webhooks: {})",
            there.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn says_why_injection_passed_a_pod_over() {
        let hook = |key: &str, value: &str| {
            json!({"metadata": {"name": format!("by-{value}")}, "webhooks": [{
                "name": "namespace.sidecar-injector.istio.io",
                "namespaceSelector": {"matchExpressions": [{"key": key, "operator": "In", "values": [value]}]},
                "objectSelector": {"matchExpressions": [{"key": SWITCH, "operator": "NotIn", "values": ["false"]}]},
            }]})
        };
        let both = vec![
            hook("istio-injection", "enabled"),
            hook("istio.io/rev", "asm-managed"),
        ];
        let nobody = "which no injecting webhook selects (webhooks: by-enabled, by-asm-managed)";
        for (labels, pod, configurations, expected) in [
            (
                json!({"istio-injection": "enabled"}),
                json!({}),
                vec![],
                "no MutatingWebhookConfiguration has a webhook *.sidecar-injector.istio.io: the control plane is not installed, or not ready",
            ),
            (
                json!({}),
                json!({}),
                both.clone(),
                &format!("namespace x has neither istio-injection nor istio.io/rev, {nobody}"),
            ),
            (
                json!({"istio.io/rev": "asm-managed-rapid"}),
                json!({}),
                both.clone(),
                &format!("namespace x has istio.io/rev=asm-managed-rapid, {nobody}"),
            ),
            (
                json!({"istio-injection": "enabled"}),
                json!({"sidecar.istio.io/inject": "false"}),
                both.clone(),
                "pod p has sidecar.istio.io/inject=false",
            ),
            (
                json!({"istio-injection": "enabled"}),
                json!({}),
                both,
                "by-enabled would inject the proxy: the pod is older than this webhook or than the label of namespace x, and a new pod will have the proxy",
            ),
        ] {
            let injection = Injection {
                namespace: json!({"metadata": {"name": "x", "labels": labels}}),
                configurations,
            };
            let pod = json!({"metadata": {"name": "p", "labels": pod}});
            assert_eq!(injection.why_not(&pod), expected);
        }
    }
}
