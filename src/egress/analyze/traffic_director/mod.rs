//! What of a configuration Traffic Director, Google's managed control plane, does not implement: fields, values and kinds of
//! Istio's that Google names as not supported, and those of which nothing is stated, which are reported as unknown.
//!
//! Google: unsupported fields are "rejected or ignored during configuration translation and result in unsupported and undefined
//! behavior" ("API Support in Managed Cloud Service Mesh"). Annotations, labels and MeshConfig are not analyzed, and neither are
//! objects that are not Istio's.

mod support;
#[cfg(test)]
mod tests;

use json::{list, text};
use serde_json::Value;

use super::config::Config;
use super::{Code, Finding};
use crate::field::empty;
use crate::object::Object;
use support::{FieldSupport, KINDS, KindSupport, SAME, Whole};

/// The codes of these analyzers.
#[cfg(test)]
pub const CODES: &[Code] = &[
    Code::NotSupportedByTrafficDirector,
    Code::SupportByTrafficDirectorUnknown,
    Code::SubsetsOutsideNamespaceOfService,
];

/// Where Google lists the fields, for a reader of a finding.
const LIST: &str = "https://docs.cloud.google.com/service-mesh/docs/onboarding/api-support";
/// The end of the API groups of Istio.
const ISTIO: &str = ".istio.io";

/// The fields, values and kinds that are not supported or unknown.
pub fn fields(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for value in config.objects() {
        let group = text(value, "/apiVersion")
            .split('/')
            .next()
            .unwrap_or_default();
        // Objects without an API version count by their kind, as for the other analyzers.
        let is_of = |row: &&KindSupport| {
            row.kind == text(value, "/kind") && (group.is_empty() || row.group == group)
        };
        let object = Object::of(value);
        match KINDS.iter().find(is_of) {
            Some(row) => match row.whole {
                Whole::ByField => of_fields(row, &object, value, &mut found),
                Whole::Unsupported => found.push(unsupported(&object, &object.kind)),
                Whole::Unknown(why) => found.push(unknown(&object, &object.kind, why)),
            },
            None if group.ends_with(ISTIO) => {
                found.push(unknown(
                    &object,
                    &object.kind,
                    "it is not in Google's lists",
                ));
            }
            None => {}
        }
    }
    found
}

/// DestinationRules with subsets in another namespace than the service that they are for.
pub fn subsets(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (rule, _) in config
        .rules
        .iter()
        .filter(|(rule, _)| !rule.subsets.is_empty())
    {
        let own = &rule.object.namespace;
        let Some(service) = config.service(own, &rule.host) else {
            continue;
        };
        let theirs = &service.object.namespace;
        if theirs != own {
            let message = format!(
                "defines subsets of {} in another namespace than {}: Traffic Director supports subsets only in the namespace of the service",
                rule.host, service.object
            );
            found.push(Finding::new(
                Code::SubsetsOutsideNamespaceOfService,
                &rule.object,
                message,
                format!("the DestinationRule in namespace {theirs}"),
            ));
        }
    }
    found
}

/// The fields of one object.
fn of_fields(row: &KindSupport, object: &Object, value: &Value, found: &mut Vec<Finding>) {
    let spec = value.get("spec").unwrap_or(&Value::Null);
    walk(row, object, spec, "spec", "spec", found);
    for (field, wrong) in row.values {
        let pointer = format!("/{}", field.replace('.', "/"));
        if text(value, &pointer) == *wrong {
            found.push(unsupported(object, &format!("{field}: {wrong}")));
        }
    }
    if row.kind == "ServiceEntry" {
        of_endpoints(object, value, found);
    }
}

/// What is not supported of the endpoints of a ServiceEntry beside their fields: sockets, and several with DNS.
fn of_endpoints(object: &Object, value: &Value, found: &mut Vec<Finding>) {
    let endpoints: Vec<&Value> = list(value, "/spec/endpoints").collect();
    for (index, endpoint) in endpoints.iter().enumerate() {
        if text(endpoint, "/address").starts_with("unix:") {
            let what = format!("spec.endpoints[{index}].address with the path of a socket");
            found.push(unsupported(object, &what));
        }
    }
    if text(value, "/spec/resolution") == "DNS" && endpoints.len() > 1 {
        found.push(unsupported(
            object,
            "spec.endpoints with more than one endpoint and resolution: DNS",
        ));
    }
}

/// Descends to the fields of which something is stated. `place` is the path for the reader, `path` that of the table.
fn walk(
    row: &KindSupport,
    object: &Object,
    value: &Value,
    place: &str,
    path: &str,
    found: &mut Vec<Finding>,
) {
    if empty(value) {
        return;
    }
    match (row.field(path), value) {
        (FieldSupport::Supported, _) => {}
        (FieldSupport::Unsupported, _) => found.push(unsupported(object, place)),
        (FieldSupport::Below, Value::Object(fields)) => {
            for (name, value) in fields {
                let path = same(format!("{path}.{name}"));
                walk(row, object, value, &format!("{place}.{name}"), &path, found);
            }
        }
        (FieldSupport::Below, Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                walk(row, object, item, &format!("{place}[{index}]"), path, found);
            }
        }
        (FieldSupport::Below | FieldSupport::Unknown, _) => {
            found.push(unknown(
                object,
                place,
                "it is not in the part of Google's lists that was read",
            ));
        }
    }
}

/// The path under which the table has this field.
fn same(path: String) -> String {
    let found = SAME.iter().find(|(place, _)| path == *place);
    found.map_or(path, |(_, path)| (*path).to_owned())
}

fn unsupported(object: &Object, what: &str) -> Finding {
    Finding::new(
        Code::NotSupportedByTrafficDirector,
        object,
        format!(
            "Traffic Director does not support {what}; it rejects the object or ignores this part"
        ),
        format!("the configuration without it; Google's list: {LIST}"),
    )
}

fn unknown(object: &Object, what: &str, why: &str) -> Finding {
    Finding::new(
        Code::SupportByTrafficDirectorUnknown,
        object,
        format!("unknown whether Traffic Director supports {what}: {why}"),
        format!("look {what} up before you rely on it: {LIST}"),
    )
}
