//! The mesh's proxy in pods: which pods get it, and what they look like then.
//!
//! Which pods: those that an injecting webhook's selectors choose, read from the webhook objects themselves. What the proxy
//! does is not known here.

use serde_json::{Value, json};

use super::object;
use super::object::plain;
use super::selectors;
use super::store::Store;

/// The image that both templates put in.
const PROXY: &str = "gke.gcr.io/asm/proxyv2:1.28.2-asm.4-distroless";

/// A webhook that injects.
#[derive(Debug, Clone, PartialEq)]
pub struct Injector {
    /// The revision that it belongs to.
    pub revision: String,
    /// The webhook, as its configuration has it.
    pub hook: Value,
}

/// The webhook that injects into a pod with this metadata in a namespace with these labels, if one does.
pub fn injector(store: &Store, namespace: &Value, metadata: &Value) -> Option<Injector> {
    let annotated = metadata["annotations"]["sidecar.istio.io/inject"].as_str();
    if metadata["labels"].get("sidecar.istio.io/inject").is_none() && annotated == Some("false") {
        return None;
    }
    let chooses = |hook: &&Value| {
        hook["name"]
            .as_str()
            .is_some_and(|name| name.ends_with("sidecar-injector.istio.io"))
            && selectors::selects(&hook["namespaceSelector"], namespace)
            && selectors::selects(&hook["objectSelector"], &metadata["labels"])
    };
    let webhooks = store.list("mutatingwebhookconfigurations.admissionregistration.k8s.io/");
    webhooks.into_iter().find_map(|(_, configuration)| {
        let mut hooks = configuration["webhooks"].as_array().into_iter().flatten();
        let hook = hooks.find(chooses)?;
        let revision = configuration["metadata"]["labels"]["istio.io/rev"].as_str();
        Some(Injector {
            revision: revision.unwrap_or("default").to_owned(),
            hook: hook.clone(),
        })
    })
}

/// Puts the proxy into the pod, by the template that its annotation names.
pub fn inject(pod: &mut Value, revision: &str) {
    let gateway = pod["metadata"]["annotations"]["inject.istio.io/templates"] == "gateway";
    let labels = &mut pod["metadata"]["labels"];
    let name = labels["app"].as_str().unwrap_or("unknown").to_owned();
    let mut label = |key: &str, value: &str| {
        if labels.get(key).is_none() {
            labels[key] = json!(value);
        }
    };
    label("service.istio.io/canonical-name", &name);
    label("service.istio.io/canonical-revision", "latest");
    if !gateway {
        // A gateway lacks this label, so that clients never choose mutual TLS towards it by themselves.
        label("security.istio.io/tlsMode", "istio");
    }
    pod["metadata"]["annotations"]["istio.io/rev"] = json!(revision);
    if gateway {
        as_gateway(pod);
    } else {
        as_sidecar(pod, revision);
    }
}

fn proxy(role: &str) -> Value {
    json!({
        "args": ["proxy", role, "--domain", "$(POD_NAMESPACE).svc.cluster.local", "--proxyLogLevel=warning",
            "--proxyComponentLogLevel=misc:error", "--log_output_level=default:info"],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
            {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}},
        ],
        "image": PROXY,
        "name": "istio-proxy",
        "ports": [{"containerPort": 15090, "name": "http-envoy-prom", "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": "/healthz/ready", "port": 15021, "scheme": "HTTP"}, "initialDelaySeconds": 1,
            "periodSeconds": 2, "failureThreshold": 30, "successThreshold": 1, "timeoutSeconds": 3},
        "resources": {"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "privileged": false,
            "readOnlyRootFilesystem": true, "runAsGroup": 1337, "runAsNonRoot": true, "runAsUser": 1337},
    })
}

fn volumes(pod: &mut Value) {
    let mut volumes = pod["spec"]["volumes"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    for name in ["workload-socket", "credential-socket", "workload-certs"] {
        volumes.push(json!({"name": name, "emptyDir": {}}));
    }
    volumes.push(json!({"name": "istio-envoy", "emptyDir": {"medium": "Memory"}}));
    volumes.push(json!({"name": "istio-data", "emptyDir": {}}));
    pod["spec"]["volumes"] = json!(volumes);
}

fn as_gateway(pod: &mut Value) {
    for container in pod["spec"]["containers"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        if container["name"] != "istio-proxy" {
            continue;
        }
        // What the pod says itself wins, but for the image, which it asks to be chosen.
        let own = container.as_object().cloned().unwrap_or_default();
        let mut filled = proxy("router");
        for (field, value) in own {
            match (field.as_str(), &value) {
                ("image", Value::String(image)) if image == "auto" => {}
                ("env", Value::Array(own)) => {
                    let mut all = filled["env"].as_array().cloned().unwrap_or_default();
                    all.extend(own.iter().cloned());
                    filled["env"] = json!(all);
                }
                _ => filled[field] = value,
            }
        }
        *container = filled;
    }
    let sysctl = json!({"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"});
    pod["spec"]["securityContext"]["sysctls"] = json!([sysctl]);
    volumes(pod);
}

fn as_sidecar(pod: &mut Value, revision: &str) {
    let first = plain(&pod["spec"]["containers"][0]["name"]);
    let annotations = &mut pod["metadata"]["annotations"];
    for key in [
        "kubectl.kubernetes.io/default-container",
        "kubectl.kubernetes.io/default-logs-container",
    ] {
        if annotations.get(key).is_none() {
            annotations[key] = json!(first);
        }
    }
    let status = json!({"initContainers": ["istio-validation"], "containers": ["istio-proxy"], "imagePullSecrets": null, "revision": revision});
    annotations["sidecar.istio.io/status"] = json!(status.to_string());
    let mut first = pod["spec"]["initContainers"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let mut validation = proxy("sidecar");
    validation["name"] = json!("istio-validation");
    validation["args"] = json!([
        "istio-iptables",
        "-p",
        "15001",
        "-z",
        "15006",
        "-u",
        "1337",
        "--run-validation",
        "--skip-rule-apply"
    ]);
    object::forget(&mut validation, &["ports", "readinessProbe", "env"]);
    first.insert(0, validation);
    pod["spec"]["initContainers"] = json!(first);
    if let Some(containers) = pod["spec"]["containers"].as_array_mut() {
        containers.push(proxy("sidecar"));
    }
    volumes(pod);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::kubernetes::cluster::Site;
    use crate::kubernetes::controllers;
    use crate::kubernetes::mesh;
    use crate::kubernetes::tls::Authority;
    use crate::pace::Pace;

    #[test]
    fn labels_of_namespace_and_pod_decide() {
        let mut cluster = controllers::new_cluster(
            Site::default(),
            Authority::default(),
            Clock::At(0),
            Pace::Zero,
        );
        let enabled = json!({"istio-injection": "enabled"});
        assert_eq!(
            injector(&cluster.store, &enabled, &json!({})),
            None,
            "no mesh yet"
        );
        mesh::ready(&mut cluster, "TRAFFIC_DIRECTOR", "asm-managed");
        let on = json!({"labels": {"sidecar.istio.io/inject": "true"}});
        let off = json!({"labels": {"sidecar.istio.io/inject": "false"}});
        let cases = [
            (enabled.clone(), json!({}), true),
            (enabled.clone(), off.clone(), false),
            (
                enabled.clone(),
                json!({"annotations": {"sidecar.istio.io/inject": "false"}}),
                false,
            ),
            (json!({"istio.io/rev": "asm-managed"}), json!({}), true),
            (
                json!({"istio.io/rev": "asm-managed-rapid"}),
                json!({}),
                false,
            ),
            (
                json!({"istio.io/rev": "other", "istio-injection": "enabled"}),
                json!({}),
                true,
            ),
            (
                json!({"istio.io/rev": "asm-managed", "istio-injection": "disabled"}),
                json!({}),
                false,
            ),
            (json!({}), json!({}), false),
            (json!({}), on.clone(), true),
            (
                json!({}),
                json!({"labels": {"istio.io/rev": "asm-managed"}}),
                true,
            ),
            (json!({"istio-injection": "disabled"}), on, false),
        ];
        for (namespace, metadata, want) in cases {
            let found = injector(&cluster.store, &namespace, &metadata);
            assert_eq!(found.is_some(), want, "{namespace} {metadata}");
        }
    }

    #[test]
    fn a_gateway_keeps_its_own_words_and_gets_an_image() {
        let mut pod = json!({"metadata": {"labels": {"app": "g"}, "annotations": {"inject.istio.io/templates": "gateway"}},
            "spec": {"containers": [{"name": "istio-proxy", "image": "auto", "ports": [{"containerPort": 8080}]}]}});
        inject(&mut pod, "asm-managed");
        assert_eq!(pod["spec"]["containers"].as_array().unwrap().len(), 1);
        assert_eq!(pod["spec"]["containers"][0]["image"], PROXY);
        assert_eq!(
            pod["spec"]["containers"][0]["ports"],
            json!([{"containerPort": 8080}])
        );
        assert!(
            pod["metadata"]["labels"]
                .get("security.istio.io/tlsMode")
                .is_none()
        );
        let mut pod = json!({"metadata": {}, "spec": {"containers": [{"name": "test"}]}});
        inject(&mut pod, "asm-managed");
        assert_eq!(pod["spec"]["containers"][1]["name"], "istio-proxy");
        assert_eq!(
            pod["metadata"]["labels"]["security.istio.io/tlsMode"],
            "istio"
        );
    }
}
