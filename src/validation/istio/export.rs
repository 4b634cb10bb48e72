//! `exportTo`: to which namespaces an object is visible.

use crate::at::At;
use crate::fault::Faults;
use crate::istio::form;

/// Whose `exportTo` it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// A ServiceEntry, which may be visible to nobody.
    ServiceEntry,
    /// A DestinationRule that selects workloads, which is its own namespace's alone.
    SelectingRule,
    /// Any other.
    Other,
}

pub fn check(export: &At<'_>, namespace: &str, of: Of, faults: &mut Faults) {
    let mut seen: Vec<&str> = Vec::new();
    for one in export.items() {
        let key = match one.text() {
            "." => namespace,
            other => other,
        };
        if seen.contains(&key) {
            faults.deny(
                &one,
                format!("duplicate entries in exportTo for entry {}", one.text()),
            );
            continue;
        }
        match key {
            "~" if of == Of::ServiceEntry => seen.push(key),
            "~" => faults.deny(
                &one,
                "exportTo ~ (none) is not allowed for Istio configuration objects",
            ),
            "*" => seen.push(key),
            key if one.text() == "." || form::is_label(key) => seen.push(key),
            _ => faults.deny(
                &one,
                "only .,*, or a valid DNS 1123 label is allowed as exportTo entry",
            ),
        }
    }
    if of == Of::SelectingRule && !seen.is_empty() && seen != [namespace] {
        faults.deny(
            export,
            "destination rule with workload selector cannot have exportTo beyond current namespace",
        );
    }
    if seen.contains(&"*") && export.len() > 1 {
        faults.deny(
            export,
            "cannot have both public (*) and non-public exportTo values for a resource",
        );
    }
    if seen.contains(&"~") && export.len() > 1 {
        faults.deny(
            export,
            "cannot export service entry to no one (~) and someone",
        );
    }
}
