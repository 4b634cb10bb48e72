//! Namespaces and pods without the mesh's proxy, or with a setting that keeps it from working.

use json::{list, text};
use serde_json::Value;

use super::config::{Config, ROOT};
use super::workload::created;
use super::{Code, Finding};
use crate::injection::{PROXY, UNFILLED, injects, proxy_container};
use crate::object::{Labels, Object, labels};
use crate::selector::Selector;

const PLAIN: &str = "istio-injection";
const REVISION: &str = "istio.io/rev";
const MODE: &str = "istio.io/dataplane-mode";

/// Whether a namespace is one of the platform's, which are not meant to have proxies.
pub fn is_platform(namespace: &str) -> bool {
    let beginnings = ["kube-", "gke-", "gmp-", "asm-", "config-management-"];
    namespace == ROOT
        || beginnings
            .iter()
            .any(|beginning| namespace.starts_with(beginning))
}

/// Namespaces without a label that requests injection, or with several labels about it.
pub fn namespaces(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, labels) in config
        .namespaces
        .iter()
        .filter(|(name, _)| !is_platform(name))
    {
        let object = Object::new("Namespace", "", name);
        let plain = labels.get(PLAIN);
        let off = plain.is_some_and(|value| value != "enabled");
        let more = [REVISION, MODE]
            .into_iter()
            .filter(|key| !off && labels.contains_key(*key));
        let stated: Vec<&str> = plain.map(|_| PLAIN).into_iter().chain(more).collect();
        if stated.len() > 1 {
            found.push(Finding::new(
                Code::NamespaceMultipleInjectionLabels,
                &object,
                format!(
                    "has several labels about injection: {}; istio-injection takes precedence",
                    stated.join(", ")
                ),
                "one of the labels; for a managed mesh with sidecars istio-injection=enabled",
            ));
        }
        let ambient = labels.get(MODE).is_some_and(|mode| mode == "ambient");
        let unstated = plain.is_none_or(String::is_empty) && !labels.contains_key(REVISION);
        if unstated && !ambient {
            let message = "its pods get no proxy: only the firewall and NetworkPolicies restrict their egress";
            found.push(Finding::new(
                Code::NamespaceNotInjected,
                &object,
                message,
                "label istio-injection=enabled, or =disabled if this is intended",
            ));
        }
    }
    found
}

/// Running pods without the proxy that the label of their namespace requests. Like istioctl, this goes by `istio-injection` only,
/// and a Pod of a manifest counts as it is written unless the webhook would change it.
pub fn pods(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for pod in config.of("Pod") {
        let object = Object::of(pod);
        let over = matches!(text(pod, "/status/phase"), "Succeeded" | "Failed");
        let labels = config.namespaces.get(&object.namespace);
        let enabled = labels.is_some_and(|labels| {
            let is = |key: &str, value: &str| labels.get(key).is_some_and(|own| own == value);
            is(PLAIN, "enabled") && !is(MODE, "ambient")
        });
        if over || !enabled || is_platform(&object.namespace) {
            continue;
        }
        let (wanted, why) = injects(
            labels.unwrap_or(&Labels::new()),
            &pod["metadata"],
            &pod["spec"],
        );
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

/// Whether a pod's own proxy container waits for the webhook to set its image. Native sidecars do not count, as for istioctl.
fn waits_for_image(spec: &Value) -> bool {
    list(spec, "/containers")
        .any(|container| text(container, "/name") == PROXY && text(container, "/image") == UNFILLED)
}

/// Whether an injection webhook applies to a pod of these labels, by the cluster's webhooks; `None` if none was read.
fn matches_webhook(config: &Config<'_>, namespace: &Labels, pod: &Labels) -> Option<bool> {
    let mut webhooks = config
        .of("MutatingWebhookConfiguration")
        .flat_map(|each| list(each, "/webhooks"))
        .filter(|webhook| text(webhook, "/name").ends_with("istio.io"))
        .peekable();
    webhooks.peek()?;
    Some(webhooks.any(|webhook| {
        let matches =
            |field: &str, labels: &Labels| Selector::read(&webhook[field]).matches(labels);
        matches("namespaceSelector", namespace) && matches("objectSelector", pod)
    }))
}

/// Pods and Deployments whose proxy has no image because nothing injects it.
pub fn images(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let empty = Labels::new();
    let of = |object: &Object| config.namespaces.get(&object.namespace).unwrap_or(&empty);
    let applies = |object: &Object, pod: &Value| {
        let own = labels(pod, "/metadata/labels");
        matches_webhook(config, of(object), &own)
            .unwrap_or_else(|| injects(of(object), &pod["metadata"], &pod["spec"]).0)
    };
    let instead = "label istio-injection=enabled on the namespace, or sidecar.istio.io/inject=true on the pod, and create the pod again";
    for pod in config.of("Pod").filter(|pod| waits_for_image(&pod["spec"])) {
        let object = Object::of(pod);
        // A Pod of a manifest gets its image when it is created.
        if created(pod) || !applies(&object, pod) {
            found.push(Finding::new(
                Code::ImageAutoWithoutInjectionError,
                &object,
                "its proxy has the image `auto`, which the injection webhook has not replaced: the container cannot start",
                instead,
            ));
        }
    }
    for deployment in config.of("Deployment") {
        let object = Object::of(deployment);
        let template = &deployment["spec"]["template"];
        if waits_for_image(&template["spec"]) && !applies(&object, template) {
            found.push(Finding::new(
                Code::ImageAutoWithoutInjectionWarning,
                &object,
                "its proxy has the image `auto`, and no injection webhook applies to its pods: they cannot start",
                instead,
            ));
        }
    }
    found
}

/// The user of the proxy, whose own traffic is not redirected to it.
const PROXY_USER: u64 = 1337;

/// Applications that run as the proxy's user: their traffic goes past the proxy.
pub fn users(config: &Config<'_>) -> Vec<Finding> {
    let pods = config.of("Pod").map(|pod| (pod, &pod["spec"]));
    let deployments = config
        .of("Deployment")
        .map(|each| (each, &each["spec"]["template"]["spec"]));
    let mut found = Vec::new();
    for (value, spec) in pods.chain(deployments) {
        let own = labels(value, "/metadata/labels");
        let of_istio =
            own.contains_key("istio") || own.get("release").is_some_and(|name| name == "istio");
        let is_proxys = |part: &Value| {
            let user = part.pointer("/securityContext/runAsUser");
            user.and_then(Value::as_u64) == Some(PROXY_USER)
        };
        let application = list(spec, "/containers")
            .filter(|container| !matches!(text(container, "/name"), PROXY | "istio-operator"))
            .any(is_proxys);
        if !of_istio && (is_proxys(spec) || application) {
            found.push(Finding::new(
                Code::InvalidApplicationUid,
                &Object::of(value),
                format!("runs as user {PROXY_USER}, which is the proxy's: its traffic goes past the proxy"),
                "another runAsUser",
            ));
        }
    }
    found
}
