//! Whether a pod has the mesh's proxy, and why it has none: read from the labels and the injecting webhooks. Pure but for the
//! reading.
//!
//! How Istio's injecting webhooks select is in the webhooks themselves; the words of the labels are in its documentation.

use serde_json::{Map, Value};

use super::clusters::of_cluster;
use crate::cluster::{ClusterClient, ObjectRef};
use crate::google::ApiError;

/// The proxy's container, of a sidecar as of a gateway.
const PROXY: &str = "istio-proxy";
/// The image of a gateway's container until injection puts the proxy's in.
const UNFILLED: &str = "auto";
/// How the webhooks that inject are named, whatever stands before.
const INJECTS: &str = "sidecar-injector.istio.io";
/// The label by which a pod wants none.
const SWITCH: &str = "sidecar.istio.io/inject";

/// Whether a pod has the proxy: as a container, or as an init container that stays (a native sidecar).
pub fn has_proxy(pod: &Value) -> bool {
    let list = |at: &str| {
        pod.pointer(at)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let mut containers = list("/spec/containers").chain(list("/spec/initContainers"));
    containers.any(|one| one["name"] == PROXY && one["image"] != UNFILLED)
}

/// What decides about injection in a namespace.
pub struct Injection {
    namespace: Value,
    configurations: Vec<Value>,
}

impl Injection {
    /// Reads the namespace and the webhooks.
    ///
    /// # Errors
    /// What the cluster refuses.
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
        let empty = Map::new();
        let labels = |object: &'_ Value| -> Map<String, Value> {
            let labels = object.pointer("/metadata/labels");
            labels.and_then(Value::as_object).unwrap_or(&empty).clone()
        };
        let (namespace, own) = (labels(&self.namespace), labels(pod));
        let name = text(&self.namespace, "/metadata/name");
        let annotated = pod.pointer("/metadata/annotations").map(|all| &all[SWITCH]);
        if own
            .get(SWITCH)
            .or(annotated)
            .is_some_and(|said| said == "false")
        {
            return format!("pod {} says {SWITCH}=false", text(pod, "/metadata/name"));
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
                "no MutatingWebhookConfiguration has a webhook *.{INJECTS}: the control plane is not there, or not ready"
            );
        }
        let selected = |(_, hook): &&(&Value, &Value)| {
            selects(&hook["namespaceSelector"], &namespace)
                && selects(&hook["objectSelector"], &own)
        };
        if let Some((configuration, _)) = hooks.iter().find(selected) {
            return format!(
                "{} would inject: the pod is older than it or than the label of namespace {name}, and a new one will have it",
                text(configuration, "/metadata/name")
            );
        }
        let said: Vec<String> = ["istio-injection", "istio.io/rev"]
            .iter()
            .filter_map(|key| Some(format!("{key}={}", namespace.get(*key)?.as_str()?)))
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
            "namespace {name} has {said}, which no injecting webhook selects (there: {})",
            there.join(", ")
        )
    }
}

fn text<'a>(object: &'a Value, at: &str) -> &'a str {
    object
        .pointer(at)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Whether a label selector selects these labels; one that is not there selects everything.
fn selects(selector: &Value, labels: &Map<String, Value>) -> bool {
    let pairs = selector["matchLabels"].as_object().into_iter().flatten();
    let expressions = selector["matchExpressions"]
        .as_array()
        .into_iter()
        .flatten();
    let holds = |one: &Value| {
        let value = labels.get(one["key"].as_str().unwrap_or_default());
        let listed = || {
            let values = one["values"].as_array();
            values.is_some_and(|all| value.is_some_and(|value| all.contains(value)))
        };
        match one["operator"].as_str() {
            Some("In") => listed(),
            Some("NotIn") => !listed(),
            Some("Exists") => value.is_some(),
            Some("DoesNotExist") => value.is_none(),
            _ => false,
        }
    };
    pairs
        .into_iter()
        .all(|(key, value)| labels.get(key) == Some(value))
        && expressions.into_iter().all(holds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_has_its_proxy_or_not() {
        for (spec, expected) in [
            (json!({"containers": [{"name": "test"}]}), false),
            (
                json!({"containers": [{"name": "test"}, {"name": "istio-proxy", "image": "p"}]}),
                true,
            ),
            (
                json!({"containers": [{"name": "istio-proxy", "image": "auto"}]}),
                false,
            ),
            (
                json!({"initContainers": [{"name": "istio-proxy", "image": "p", "restartPolicy": "Always"}]}),
                true,
            ),
        ] {
            assert_eq!(has_proxy(&json!({ "spec": spec })), expected, "{spec}");
        }
    }

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
        let nobody = "which no injecting webhook selects (there: by-enabled, by-asm-managed)";
        for (labels, pod, configurations, expected) in [
            (
                json!({"istio-injection": "enabled"}),
                json!({}),
                vec![],
                "no MutatingWebhookConfiguration has a webhook *.sidecar-injector.istio.io: the control plane is not there, or not ready",
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
                "pod p says sidecar.istio.io/inject=false",
            ),
            (
                json!({"istio-injection": "enabled"}),
                json!({}),
                both,
                "by-enabled would inject: the pod is older than it or than the label of namespace x, and a new one will have it",
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
