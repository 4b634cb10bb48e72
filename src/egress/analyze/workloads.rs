//! Selectors that select no pods, and selectors that select pods without effect.

use std::collections::BTreeSet;

use json::text;
use serde_json::Value;

use super::config::{Config, ROOT};
use super::workload::Workload;
use super::{Code, Finding};
use crate::object::{Labels, Object, labels};
use crate::selector::Selector;

/// The label of a pod of a Gateway of the Gateway API, with the name of the Gateway.
const OF_GATEWAY_API: &str = "gateway.networking.k8s.io/gateway-name";

/// The pods that Gateways select, in any namespace.
pub fn gateways(config: &Config<'_>) -> Vec<Finding> {
    let alone = config
        .gateways
        .iter()
        .filter(|gateway| config.selected(&gateway.selector).next().is_none());
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

/// The pods that Sidecars and Telemetry objects select, in their own namespace.
pub fn own_pods(config: &Config<'_>) -> Vec<Finding> {
    let sidecars = config
        .of("Sidecar")
        .map(|each| (each, "workloadSelector", "labels"));
    let telemetry = config
        .of("Telemetry")
        .map(|each| (each, "selector", "matchLabels"));
    let mut found = Vec::new();
    for (value, field, inner) in sidecars.chain(telemetry) {
        let object = Object::of(value);
        let wanted = labels(value, &format!("/spec/{field}/{inner}"));
        let selector = Selector::exact(wanted.clone());
        let mut own = config.selected(&selector);
        if !wanted.is_empty() && !own.any(|pod| pod.object.namespace == object.namespace) {
            found.push(Finding::new(
                Code::ReferencedResourceNotFound,
                &object,
                format!("no pod has the labels that spec.{field} asks for"),
                format!("labels of pods in its own namespace, or no {field}"),
            ));
        }
    }
    found
}

/// Whether a namespace's pods are in ambient mode: a label for sidecars takes precedence.
pub fn is_ambient(namespace: &Labels) -> bool {
    let is = |key: &str, value: &str| namespace.get(key).is_some_and(|own| own == value);
    let has_revision = namespace
        .get("istio.io/rev")
        .is_some_and(|revision| !revision.is_empty());
    !is("istio-injection", "enabled") && !has_revision && is("istio.io/dataplane-mode", "ambient")
}

/// Sidecars for pods whose traffic ztunnel takes.
pub fn ambient_sidecars(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for sidecar in config.of("Sidecar") {
        let object = Object::of(sidecar);
        let wanted = labels(sidecar, "/spec/workloadSelector/labels");
        let whom = match wanted.is_empty() {
            true => {
                let namespace = config.namespaces.get(&object.namespace);
                namespace
                    .is_some_and(is_ambient)
                    .then(|| format!("namespace {}", object.namespace))
            }
            false => {
                let selector = Selector::exact(wanted);
                let mut pods = config.selected(&selector);
                let ambient =
                    pods.find(|pod| pod.object.namespace == object.namespace && pod.ambient);
                ambient.map(|pod| pod.object.to_string())
            }
        };
        if let Some(whom) = whom {
            found.push(Finding::new(
                Code::IneffectivePolicy,
                &object,
                format!("has no effect: {whom} is in ambient mode, so no sidecar reads it"),
                "sidecars for these pods, or an AuthorizationPolicy that ztunnel or a waypoint enforces",
            ));
        }
    }
    found
}

/// The pods of the mesh that AuthorizationPolicies apply to. Ended pods count, as for istioctl.
pub fn policies(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for policy in config.of("AuthorizationPolicy") {
        let object = Object::of(policy);
        let selector = &policy["spec"]["selector"];
        let everywhere = object.namespace == ROOT;
        if everywhere && selector.is_null() {
            continue;
        }
        let labels = Selector::exact(labels(selector, "/matchLabels"));
        let held = |pod: &&Workload<'_>| {
            (pod.in_mesh || pod.ambient) && (everywhere || pod.object.namespace == object.namespace)
        };
        if !config.selected(&labels).any(|pod| held(&pod)) {
            let message = "it applies to no pod of the mesh";
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

/// Policies whose selector matches pods of a Gateway of the Gateway API, for which only `targetRefs` counts.
pub fn selectors_of_gateways(config: &Config<'_>) -> Vec<Finding> {
    let kinds = [
        "AuthorizationPolicy",
        "RequestAuthentication",
        "Telemetry",
        "WasmPlugin",
    ];
    let mut found = Vec::new();
    for policy in kinds.into_iter().flat_map(|kind| config.of(kind)) {
        let spec = policy.get("spec").unwrap_or(&Value::Null);
        if spec["selector"].is_null() || !spec["targetRef"].is_null() {
            continue;
        }
        let object = Object::of(policy);
        let selector = Selector::exact(labels(spec, "/selector/matchLabels"));
        let own = config
            .selected(&selector)
            .filter(|pod| pod.object.namespace == object.namespace);
        let names: BTreeSet<&str> = own
            .filter_map(|pod| Some(pod.labels.get(OF_GATEWAY_API)?.as_str()))
            .collect();
        for name in names {
            found.push(Finding::new(
                Code::IneffectiveSelector,
                &object,
                format!("its selector matches pods of Gateway {name} of the Gateway API, where selectors have no effect"),
                format!("targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: {name}}}]"),
            ));
        }
    }
    found
}

/// RequestAuthentications under an istiod that fetches keys from any address.
pub fn key_servers(config: &Config<'_>) -> Vec<Finding> {
    let requests = config.of("RequestAuthentication").count();
    if requests == 0 {
        return Vec::new();
    }
    let unrestricted = config.of("Deployment").filter(|deployment| {
        let containers = json::list(deployment, "/spec/template/spec/containers");
        let mut variables = containers.flat_map(|container| json::list(container, "/env"));
        text(deployment, "/metadata/labels/app") == "istiod"
            && !variables.any(|variable| {
                text(variable, "/name") == "BLOCKED_CIDRS_IN_JWKS_URIS"
                    && !text(variable, "/value").is_empty()
            })
    });
    let new = |deployment| {
        Finding::new(
            Code::JwksUriFetchUnrestricted,
            &Object::of(deployment),
            format!(
                "fetches the keys of RequestAuthentications ({requests}) from any address, including internal ones"
            ),
            "the environment variable BLOCKED_CIDRS_IN_JWKS_URIS in its container",
        )
    };
    unrestricted.map(new).collect()
}
