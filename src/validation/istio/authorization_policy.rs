//! AuthorizationPolicy.

use crate::at::At;
use crate::fault::Faults;
use crate::istio::{conditions, target};

/// What a source can say.
const SOURCE: [&str; 14] = [
    "principals",
    "notPrincipals",
    "requestPrincipals",
    "notRequestPrincipals",
    "namespaces",
    "notNamespaces",
    "serviceAccounts",
    "notServiceAccounts",
    "trustDomains",
    "notTrustDomains",
    "ipBlocks",
    "notIpBlocks",
    "remoteIpBlocks",
    "notRemoteIpBlocks",
];
/// What an operation can say.
const OPERATION: [&str; 8] = [
    "ports",
    "notPorts",
    "methods",
    "notMethods",
    "paths",
    "notPaths",
    "hosts",
    "notHosts",
];

pub fn authorization_policy(spec: &At<'_>, _: &str, faults: &mut Faults) {
    target::check(spec, faults);
    let (rules, provider) = (spec.get("rules"), spec.get("provider"));
    let action = spec.get("action").text_or("ALLOW");
    if matches!(action, "CUSTOM" | "DENY") && rules.is_empty() {
        let why = format!(
            "{action} action without `rules` is meaningless as it will never be triggered, add an empty rule `{{}}` if you want it be triggered for every request"
        );
        faults.deny(&rules, why);
    }
    if action == "CUSTOM" {
        if !rules.is_empty() && provider.get("name").text().is_empty() {
            faults.deny(&provider.get("name"), "`provider.name` must not be empty");
        }
        rules.items().iter().for_each(|rule| custom(rule, faults));
    } else if provider.is_set() {
        let why = format!("`provider` must not be with non CUSTOM action, found {action}");
        faults.deny(&provider, why);
    }
    for (index, rule) in rules.items().iter().enumerate() {
        rule.get("from")
            .items()
            .iter()
            .for_each(|from| source(from, index, faults));
        rule.get("to")
            .items()
            .iter()
            .for_each(|to| operation(to, index, faults));
        rule.get("when")
            .items()
            .iter()
            .for_each(|when| conditions::check(when, faults));
    }
}

/// Judges what a rule of an external authorizer cannot say.
fn custom(rule: &At<'_>, faults: &mut Faults) {
    for from in rule.get("from").items() {
        for field in &SOURCE[..10] {
            let values = from.get("source").get(field);
            if !values.is_empty() {
                let mut name = (*field).to_owned();
                name[..1].make_ascii_uppercase();
                faults.deny(
                    &values,
                    format!("From.{name} is currently not supported with CUSTOM action"),
                );
            }
        }
    }
    for when in rule.get("when").items() {
        let key = when.get("key");
        let own = matches!(
            key.text(),
            "source.namespace"
                | "source.serviceAccount"
                | "source.trustDomain"
                | "source.principal"
        );
        if own || key.text().starts_with("request.auth.") {
            faults.deny(
                &key,
                format!(
                    "{} is currently not supported with CUSTOM action",
                    key.text()
                ),
            );
        }
    }
}

fn source(from: &At<'_>, index: usize, faults: &mut Faults) {
    let source = from.get("source");
    if !source.is_set() {
        return faults.deny(
            &source,
            format!("`from.source` must not be nil, found at rule {index}"),
        );
    }
    if SOURCE.iter().all(|field| source.get(field).is_empty()) {
        faults.deny(
            &source,
            format!("`from.source` must not be empty, found at rule {index}"),
        );
    }
    for field in &SOURCE[10..] {
        conditions::addresses(&source.get(field), faults);
    }
    for field in ["serviceAccounts", "notServiceAccounts"] {
        conditions::accounts(&source.get(field), faults);
    }
    for field in ["trustDomains", "notTrustDomains"] {
        for value in source.get(field).items() {
            conditions::wildcards(&value, faults);
            if value.text().contains('/') {
                faults.deny(
                    &value,
                    format!("trust domain must not contain '/': {:?}", value.text()),
                );
            }
        }
    }
    for field in &SOURCE[..6] {
        conditions::not_empty(&source.get(field), field, faults);
    }
}

fn operation(to: &At<'_>, index: usize, faults: &mut Faults) {
    let operation = to.get("operation");
    if !operation.is_set() {
        let why = format!("`to.operation` must not be nil, found at rule {index}");
        return faults.deny(&operation, why);
    }
    if OPERATION
        .iter()
        .all(|field| operation.get(field).is_empty())
    {
        faults.deny(
            &operation,
            format!("`to.operation` must not be empty, found at rule {index}"),
        );
    }
    for field in ["ports", "notPorts"] {
        conditions::ports(&operation.get(field), faults);
    }
    for field in &OPERATION[2..] {
        conditions::not_empty(&operation.get(field), field, faults);
    }
    for field in ["paths", "notPaths"] {
        for path in operation.get(field).items() {
            template(&path, field, faults);
        }
    }
}

/// Judges the templates in a path: `{*}` is a segment, `{**}` the rest.
fn template(path: &At<'_>, field: &str, faults: &mut Faults) {
    let text = path.text();
    let has_template = text.contains("{*}") || text.contains("{**}");
    let mut has_rest = false;
    let bad = |why: &str| format!("invalid or unsupported path {text}, found in {field}. {why}");
    let literal = |c: char| c.is_ascii_alphanumeric() || "-._~%!$&'()+,;:@=".contains(c);
    for segment in text.trim_matches('/').split('/') {
        match segment {
            "{*}" | "{**}" if has_rest => {
                return faults.deny(path, bad("{**} is not the last operator"));
            }
            "{*}" => {}
            "{**}" => has_rest = true,
            other if other.contains(['{', '}']) => {
                return faults.deny(
                    path,
                    bad("Contains '{' or '}' beyond a supported path template"),
                );
            }
            other if has_template && (other.is_empty() || !other.chars().all(literal)) => {
                let why = format!("Contains segment {other} with invalid string literal");
                return faults.deny(path, bad(&why));
            }
            _ => {}
        }
    }
}
