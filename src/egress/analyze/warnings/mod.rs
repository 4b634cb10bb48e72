//! Settings that Istio's validation accepts with a warning: they are ignored, deprecated, or wider than they look.
//!
//! The conditions are those of Istio's `pkg/config/validation`; the rest of that validation, which rejects objects, is not here. Of
//! durations and numbers no limit is checked.

mod policies;
mod proxies;
mod routing;

use serde_json::Value;

use super::config::Config;
use super::{Code, Finding};
use crate::object::Object;

/// What is wrong with an object, and what to write instead.
type Warnings = Vec<(String, String)>;

/// The kinds, each with what looks for its warnings.
const KINDS: &[(&str, fn(&Value) -> Warnings)] = &[
    ("AuthorizationPolicy", policies::authorization),
    ("DestinationRule", routing::destination_rule),
    ("Gateway", proxies::gateway),
    ("PeerAuthentication", policies::selecting),
    ("ProxyConfig", policies::selecting),
    ("RequestAuthentication", policies::request_authentication),
    ("ServiceEntry", routing::service_entry),
    ("Sidecar", proxies::sidecar),
    ("Telemetry", policies::telemetry),
    ("VirtualService", routing::virtual_service),
    ("WasmPlugin", policies::selecting),
    ("WorkloadEntry", routing::workload_entry),
];

/// The warnings for all objects.
pub fn all(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (kind, warnings) in KINDS {
        for value in config.of(kind) {
            let object = Object::of(value);
            found.extend(warnings(value).into_iter().map(|(message, instead)| {
                Finding::new(Code::SchemaWarning, &object, message, instead)
            }));
        }
    }
    found
}

/// Adds a warning.
fn warn(found: &mut Warnings, message: impl Into<String>, instead: impl Into<String>) {
    found.push((message.into(), instead.into()));
}

/// Whether an object is present without fields that select.
fn selects_nothing(selector: &Value, labels: &str) -> bool {
    let stated = selector.get(labels).and_then(Value::as_object);
    selector.is_object() && stated.is_none_or(serde_json::Map::is_empty)
}
