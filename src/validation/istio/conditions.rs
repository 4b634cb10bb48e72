//! The conditions (`when`) of an AuthorizationPolicy, and the forms of values that its rules share.

use crate::at::At;
use crate::fault::Faults;
use crate::istio::form;
use crate::names;

/// Attributes that a condition can be about.
const ATTRIBUTES: [&str; 12] = [
    "source.ip",
    "remote.ip",
    "source.namespace",
    "source.serviceAccount",
    "source.principal",
    "source.trustDomain",
    "request.auth.principal",
    "request.auth.audiences",
    "request.auth.presenter",
    "destination.ip",
    "destination.port",
    "connection.sni",
];
/// Attributes with a key in brackets.
const MAPS: [&str; 3] = ["request.headers", "request.auth.claims", "experimental."];

pub fn check(when: &At<'_>, faults: &mut Faults) {
    let key = when.get("key");
    let name = key.text();
    if name.is_empty() {
        return faults.deny(&key, "`key` must not be empty");
    }
    let lists = [when.get("values"), when.get("notValues")];
    if lists.iter().all(At::is_empty) {
        let why = format!("at least one of `values` or `notValues` must be set for key {name}");
        return faults.deny(when, why);
    }
    if MAPS.iter().any(|map| name.starts_with(map)) {
        let holds = name.ends_with(']')
            && name
                .find('[')
                .is_some_and(|open| open > 0 && open < name.len() - 2);
        if !holds {
            faults.deny(&key, format!("bad key ({name}): should have format a[b]"));
        }
    } else if !ATTRIBUTES.contains(&name) {
        faults.deny(
            &key,
            format!("invalid `value` for `key` {name}: unknown attribute: {name}"),
        );
        let known: Vec<&str> = ATTRIBUTES
            .into_iter()
            .chain(["request.headers[NAME]"])
            .collect();
        form::meant(faults, name, &known);
        return;
    }
    for list in &lists {
        match name {
            "source.ip" | "remote.ip" | "destination.ip" => addresses(list, faults),
            "destination.port" => ports(list, faults),
            "source.serviceAccount" => accounts(list, faults),
            "source.trustDomain" => list.items().iter().for_each(|one| wildcards(one, faults)),
            _ => not_empty(list, name, faults),
        }
    }
}

pub fn not_empty(values: &At<'_>, field: &str, faults: &mut Faults) {
    for value in values.items() {
        if value.text().is_empty() {
            faults.deny(&value, format!("empty value not allowed, found in {field}"));
        }
    }
}

pub fn addresses(values: &At<'_>, faults: &mut Faults) {
    for value in values.items() {
        let text = value.text();
        if text.contains('/') {
            if names::cidr(text).is_none() {
                faults.deny(&value, format!("bad CIDR range ({text})"));
            }
        } else if !form::is_ip(text) {
            faults.deny(&value, format!("bad IP address ({text})"));
        }
    }
}

pub fn ports(values: &At<'_>, faults: &mut Faults) {
    for value in values.items() {
        if value.text().parse::<u16>().is_err() {
            faults.deny(&value, format!("bad port ({})", value.text()));
        }
    }
}

pub fn accounts(values: &At<'_>, faults: &mut Faults) {
    if values.len() > 16 {
        faults.deny(values, "may not have more than 16 values");
    }
    for value in values.items() {
        let text = value.text();
        let why = if text.is_empty() {
            "empty value not allowed".to_owned()
        } else if text.contains('*') {
            "wildcard not allowed".to_owned()
        } else if text.split('/').count() > 2 || text.split('/').any(str::is_empty) {
            format!(
                "expected format 'serviceAccount' or 'namespace/serviceAccount', found {text:?} in ServiceAccounts"
            )
        } else if text.len() > 320 {
            format!("value cannot exceed 320 characters, found {text:?}")
        } else {
            continue;
        };
        faults.deny(&value, why);
    }
}

/// Judges a value that may have one wildcard, at its beginning or its end.
pub fn wildcards(value: &At<'_>, faults: &mut Faults) {
    let text = value.text();
    let count = text.matches('*').count();
    if text.is_empty() {
        faults.deny(value, "empty value not allowed");
    } else if count > 1 {
        faults.deny(value, format!("at most one wildcard is allowed: {text:?}"));
    } else if count == 1 && !text.starts_with('*') && !text.ends_with('*') {
        faults.deny(
            value,
            format!("wildcard is only allowed at the start or end: {text:?}"),
        );
    }
}
