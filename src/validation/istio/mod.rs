//! istiod's webhook (`pkg/config/validation` of istio/istio): what it denies of Istio's kinds after the API server has taken them.
//!
//! The webhook names no fields; where a fault is, is said here. Its warnings are no refusals and are not here, nor is what it reads of
//! Envoy's own configuration inside an EnvoyFilter.

mod authentication;
mod authorization_policy;
mod conditions;
mod destination_rule;
mod envoy_filter;
mod export;
mod form;
mod gateway;
mod http_failure;
mod http_match;
mod http_route;
mod load_balancer;
mod pattern;
mod service_entry;
mod sidecar;
mod target;
mod telemetry;
mod tls;
mod virtual_service;
mod workload;

use serde_json::Value;

use crate::at::At;
use crate::fault::{Faults, Reason};
use crate::kind::Kind;
use crate::refusal::Refusal;

/// Judges the specification of an object in a namespace.
type Judge = fn(&At<'_>, &str, &mut Faults);

/// Who judges a kind.
fn judge(kind: &Kind<'_>) -> Option<Judge> {
    if !kind.group.ends_with(".istio.io") {
        return None;
    }
    Some(match kind.name {
        "Gateway" => gateway::gateway,
        "VirtualService" => virtual_service::virtual_service,
        "DestinationRule" => destination_rule::destination_rule,
        "ServiceEntry" => service_entry::service_entry,
        "Sidecar" => sidecar::sidecar,
        "WorkloadEntry" => workload::workload_entry,
        "WorkloadGroup" => workload::workload_group,
        "AuthorizationPolicy" => authorization_policy::authorization_policy,
        "RequestAuthentication" => authentication::request_authentication,
        "Telemetry" => telemetry::telemetry,
        "EnvoyFilter" => envoy_filter::envoy_filter,
        _ => return None,
    })
}

/// What the webhook answers if it denies the object.
pub fn refusal(kind: &Kind<'_>, object: &Value, namespace: &str) -> Option<Refusal> {
    let judge = judge(kind)?;
    let root = At::root(object);
    let mut faults = Faults::default();
    let name = root.at("metadata.name");
    if kind.name == "Gateway" && !form::is_label(name.text()) {
        faults.deny(&name, format!("invalid gateway name: {:?}", name.text()));
    }
    let dry_run = root.at("metadata.annotations").get("istio.io/dry-run");
    if dry_run.is_set() && kind.name != "AuthorizationPolicy" {
        let why = "has unsupported annotation istio.io/dry-run, please remove the annotation";
        faults.deny(&dry_run, format!("{namespace}/{} {why}", name.text()));
    }
    let own = root.at("metadata.namespace").text_or(namespace);
    judge(&root.get("spec"), own, &mut faults);
    (!faults.0.is_empty()).then(|| Refusal::denied(faults.0))
}

impl Faults {
    /// Adds a fault with the webhook's words.
    fn deny(&mut self, at: &At<'_>, message: impl Into<String>) {
        self.add(at, Reason::Invalid, message);
    }

    /// Adds a fault if there is one.
    fn deny_if(&mut self, at: &At<'_>, message: Option<String>) {
        if let Some(message) = message {
            self.deny(at, message);
        }
    }
}
