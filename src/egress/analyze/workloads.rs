//! Selectors that select no pods.

use serde_json::json;

use super::config::{Config, ROOT};
use super::{Code, Finding};
use crate::object::Object;
use crate::pod::{Pod, Proxy};
use crate::selector::Selector;

/// The pods that Gateways select.
pub fn gateways(config: &Config<'_>) -> Vec<Finding> {
    let alone = config
        .gateways
        .iter()
        .filter(|gateway| config.pods_of(gateway).next().is_none());
    let new = |object: &Object| {
        Finding::new(
            Code::ReferencedResourceNotFound,
            object,
            "no pod has the labels that spec.selector asks for",
            "labels of the gateway's pods",
        )
    };
    alone.map(|gateway| new(&gateway.object)).collect()
}

/// The pods that Sidecars select.
pub fn sidecars(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for sidecar in config.of("Sidecar") {
        let wanted = &sidecar["spec"]["workloadSelector"];
        let object = Object::of(sidecar);
        let everywhere = object.namespace == ROOT;
        let selector = Selector::read(&json!({"matchLabels": wanted["labels"]}));
        let held = |pod: &Pod| {
            (everywhere || pod.object.namespace == object.namespace)
                && selector.matches(&pod.labels)
        };
        if wanted["labels"].is_object() && !config.pods.iter().any(held) {
            let message = "no pod has the labels that spec.workloadSelector asks for";
            let instead = "labels of pods in its own namespace, or no workloadSelector";
            found.push(Finding::new(
                Code::ReferencedResourceNotFound,
                &object,
                message,
                instead,
            ));
        }
    }
    found
}

/// The pods of the mesh that AuthorizationPolicies select.
pub fn policies(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for policy in config.of("AuthorizationPolicy") {
        let object = Object::of(policy);
        let spec = &policy["spec"];
        let selector = Selector::read(&spec["selector"]);
        let everywhere = object.namespace == ROOT;
        let held = |pod: &Pod| {
            pod.proxy != Proxy::Absent
                && (everywhere || pod.object.namespace == object.namespace)
                && selector.matches(&pod.labels)
        };
        let targeted = !spec["targetRef"].is_null() || !spec["targetRefs"].is_null();
        if !targeted && !config.pods.iter().any(held) {
            let message = "it applies to no pod with a proxy";
            let instead = "a selector of pods in its own namespace; policies for egress belong in the gateway's namespace";
            found.push(Finding::new(
                Code::NoMatchingWorkloadsFound,
                &object,
                message,
                instead,
            ));
        }
    }
    found
}
