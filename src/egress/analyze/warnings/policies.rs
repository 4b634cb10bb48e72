//! Warnings about objects that select workloads: policies, Telemetry, RequestAuthentication.

use json::{list, text};
use serde_json::Value;

use super::{Warnings, selects_nothing, warn};

/// A selector without labels.
pub fn selecting(value: &Value) -> Warnings {
    let mut found = Warnings::new();
    if selects_nothing(&value["spec"]["selector"], "matchLabels") {
        warn(
            &mut found,
            "spec.selector has no labels: it selects every workload of the namespace",
            "labels in spec.selector.matchLabels, or no selector",
        );
    }
    found
}

/// Fields of a source that exist for TCP connections too.
const TCP_SOURCES: &[&str] = &[
    "principals",
    "notPrincipals",
    "ipBlocks",
    "notIpBlocks",
    "namespaces",
    "notNamespaces",
    "remoteIpBlocks",
    "notRemoteIpBlocks",
    "serviceAccounts",
    "notServiceAccounts",
];

/// DENY rules that name attributes of HTTP only: on TCP ports they deny everything.
pub fn authorization(value: &Value) -> Warnings {
    let mut found = selecting(value);
    if text(value, "/spec/action") != "DENY" {
        return found;
    }
    for (index, rule) in list(value, "/spec/rules").enumerate() {
        let has = |part: &Value, fields: &[&str]| fields.iter().any(|field| part[field].is_array());
        let sources: Vec<&Value> = list(rule, "/from")
            .map(|from| &from["source"])
            .filter(|source| source.is_object())
            .collect();
        let operations: Vec<&Value> = list(rule, "/to")
            .map(|to| &to["operation"])
            .filter(|operation| operation.is_object())
            .collect();
        let tcp_source = sources.iter().any(|source| has(source, TCP_SOURCES));
        let ports = operations
            .iter()
            .any(|operation| has(operation, &["ports", "notPorts"]));
        let http_source = !sources.is_empty() && operations.is_empty() && !tcp_source;
        if http_source || (!operations.is_empty() && !ports) {
            warn(
                &mut found,
                format!(
                    "spec.rules[{index}] denies by attributes of HTTP only: on TCP ports it denies all traffic"
                ),
                format!("the ports in spec.rules[{index}].to[0].operation.ports"),
            );
        }
    }
    found
}

/// Keys of a RequestAuthentication that are private.
pub fn request_authentication(value: &Value) -> Warnings {
    let mut found = selecting(value);
    for (index, rule) in list(value, "/spec/jwtRules").enumerate() {
        let keys: Value = serde_json::from_str(text(rule, "/jwks")).unwrap_or_default();
        for (at, key) in list(&keys, "/keys").enumerate() {
            if key["d"].is_string() || text(key, "/kty") == "oct" {
                warn(
                    &mut found,
                    format!(
                        "spec.jwtRules[{index}].jwks contains a private key at index {at}; only public keys are used"
                    ),
                    "the public key alone, and a new key pair",
                );
            }
        }
    }
    found
}

/// Several tracers or providers, of which one is used.
pub fn telemetry(value: &Value) -> Warnings {
    let mut found = selecting(value);
    if list(value, "/spec/tracing").count() > 1 {
        warn(
            &mut found,
            "spec.tracing has several entries, which is not supported",
            "one entry in spec.tracing",
        );
    }
    for (index, tracing) in list(value, "/spec/tracing").enumerate() {
        if list(tracing, "/providers").count() > 1 {
            warn(
                &mut found,
                format!(
                    "spec.tracing[{index}].providers has several entries, which is not supported"
                ),
                "one provider",
            );
        }
    }
    for (index, metrics) in list(value, "/spec/metrics").enumerate() {
        for (at, part) in list(metrics, "/overrides").enumerate() {
            if part.pointer("/tagOverrides/").is_some() {
                warn(
                    &mut found,
                    format!("spec.metrics[{index}].overrides[{at}].tagOverrides has an empty name"),
                    "the name of a tag",
                );
            }
        }
    }
    found
}
