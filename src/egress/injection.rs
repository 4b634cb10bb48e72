//! Whether the mesh's proxy is injected into a pod: the selectors of Istio's injection webhook.
//!
//! For pods that do not exist yet. A live pod shows whether it has a proxy, and that is what counts.

use json::{list, text};
use serde_json::Value;

use super::object::{Labels, labels};

const NAMESPACE: &str = "istio-injection";
const POD: &str = "sidecar.istio.io/inject";
const REVISION: &str = "istio.io/rev";

/// Whether a pod with these `metadata` and `spec` is injected in a namespace with these labels, and why.
pub fn injects(namespace: &Labels, metadata: &Value, spec: &Value) -> (bool, String) {
    let pod = labels(metadata, "/labels");
    let annotations = labels(metadata, "/annotations");
    let own = pod.get(POD).or_else(|| annotations.get(POD));
    let off = |text: &str| (false, text.to_owned());
    if spec.get("hostNetwork") == Some(&Value::Bool(true)) {
        return off("a pod in the host network gets no proxy");
    }
    if own.is_some_and(|value| value == "false") {
        return off("the pod asks for no proxy (sidecar.istio.io/inject=false)");
    }
    match namespace.get(NAMESPACE).map(String::as_str) {
        Some("enabled") => return (true, "label istio-injection=enabled".to_owned()),
        Some(value) => return off(&format!("label istio-injection={value}")),
        None => {}
    }
    if let Some(revision) = namespace.get(REVISION) {
        return (true, format!("label istio.io/rev={revision}"));
    }
    if pod.get(POD).is_some_and(|value| value == "true") {
        return (
            true,
            "the pod's label sidecar.istio.io/inject=true".to_owned(),
        );
    }
    match pod.get(REVISION) {
        Some(revision) => (true, format!("the pod's label istio.io/rev={revision}")),
        None => off("the namespace has no label that enables injection"),
    }
}

/// The proxy's container: a container or, for a native sidecar, an init container.
pub fn proxy_container(spec: &Value) -> Option<&Value> {
    let mut containers = list(spec, "/containers").chain(list(spec, "/initContainers"));
    containers.find(|container| text(container, "/name") == PROXY)
}

/// Whether a pod has a proxy that can run. A gateway's container whose image is still `auto` waits for the webhook.
pub fn has_proxy(spec: &Value) -> bool {
    proxy_container(spec).is_some_and(|container| text(container, "/image") != UNFILLED)
}

/// The name of the proxy's container.
pub const PROXY: &str = "istio-proxy";
/// The image of a gateway's container until the injection webhook replaces it with the proxy's image.
pub const UNFILLED: &str = "auto";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
            assert_eq!(has_proxy(&spec), expected, "{spec}");
        }
    }

    #[test]
    fn the_webhooks_selectors() {
        // (labels of the namespace, metadata of the pod, spec of the pod, injected)
        let on = json!({"istio-injection": "enabled"});
        let rev = json!({"istio.io/rev": "asm-managed"});
        let cases = [
            (&on, json!({}), json!({}), true),
            (&on, json!({"labels": {POD: "false"}}), json!({}), false),
            (
                &on,
                json!({"annotations": {POD: "false"}}),
                json!({}),
                false,
            ),
            (
                &on,
                json!({"labels": {POD: "true"}, "annotations": {POD: "false"}}),
                json!({}),
                true,
            ),
            (&on, json!({}), json!({"hostNetwork": true}), false),
            (&rev, json!({}), json!({}), true),
            (
                &json!({"istio.io/rev": "x", "istio-injection": "disabled"}),
                json!({}),
                json!({}),
                false,
            ),
            (
                &json!({"istio-injection": "disabled"}),
                json!({"labels": {POD: "true"}}),
                json!({}),
                false,
            ),
            (&json!({}), json!({}), json!({}), false),
            (
                &json!({}),
                json!({"labels": {POD: "true"}}),
                json!({}),
                true,
            ),
            (
                &json!({}),
                json!({"labels": {REVISION: "x"}}),
                json!({}),
                true,
            ),
        ];
        for (namespace, metadata, spec, injected) in cases {
            let namespace = labels(&json!({"labels": namespace}), "/labels");
            assert_eq!(
                injects(&namespace, &metadata, &spec).0,
                injected,
                "{namespace:?} {metadata} {spec}"
            );
        }
    }
}
