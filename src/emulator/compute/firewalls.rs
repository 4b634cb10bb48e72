//! Firewall rules: how they are completed and which combinations are refused.
//!
//! There is no recording of this collection; the printed shape is from a listing of real rules, the defaults are from the
//! API's documentation, and so are the refusals, whose texts are ours where none is known.

use ipnet::IpNet;
use serde_json::{Value, json};

use super::resource;
use super::scope::{self, Scope};
use crate::answer::ErrorResponse;
use crate::world::World;

/// A new rule.
pub fn draft(world: &World, scope: &Scope, body: &Value) -> Result<Value, ErrorResponse> {
    let network = resource::network(world, scope, body)?;
    let mut value = completed(body);
    value["network"] = json!(scope::link(&network));
    checked(value)
}

/// A rule after a PATCH.
pub fn patched(_: &World, _: &Scope, old: &Value, sent: &Value) -> Result<Value, ErrorResponse> {
    checked(resource::keep_immutable(old, resource::merged(old, sent))?)
}

/// A rule after a PUT.
pub fn replaced(_: &World, _: &Scope, old: &Value, sent: &Value) -> Result<Value, ErrorResponse> {
    checked(resource::keep_immutable(old, completed(sent))?)
}

/// A rule with what Google adds: without a source, or a destination for egress, it applies to all addresses.
fn completed(sent: &Value) -> Value {
    let defaults = json!({"direction": "INGRESS", "priority": 1000, "disabled": false, "logConfig": {"enable": false}});
    let mut rule = resource::merged(&defaults, sent);
    let sources = ["sourceRanges", "sourceTags", "sourceServiceAccounts"];
    let (field, given): (_, &[&str]) = if rule["direction"] == "EGRESS" {
        ("destinationRanges", &["destinationRanges"])
    } else {
        ("sourceRanges", &sources)
    };
    if given.iter().all(|name| is_empty(&rule[*name])) {
        rule[field] = json!(["0.0.0.0/0"]);
    }
    rule
}

/// Pairs of fields of which a rule has one.
const EITHER: &[(&str, &str)] = &[
    ("allowed", "denied"),
    ("targetTags", "targetServiceAccounts"),
    ("sourceTags", "sourceServiceAccounts"),
    ("sourceServiceAccounts", "targetTags"),
    ("sourceTags", "targetServiceAccounts"),
];

fn checked(rule: Value) -> Result<Value, ErrorResponse> {
    for (one, other) in EITHER {
        if !is_empty(&rule[*one]) && !is_empty(&rule[*other]) {
            return Err(invalid(
                one,
                "",
                &format!("Cannot be used together with {other}."),
            ));
        }
    }
    let [allowed, denied] =
        ["allowed", "denied"].map(|field| rule[field].as_array().into_iter().flatten());
    let mut lines = allowed.chain(denied).peekable();
    if lines.peek().is_none() {
        return Err(ErrorResponse::required(
            "Required field 'resource.allowed' not specified",
        ));
    }
    for line in lines {
        let protocol = line["IPProtocol"].as_str().unwrap_or_default();
        let ports = line["ports"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        for port in ports {
            if !matches!(protocol, "tcp" | "udp" | "sctp" | "6" | "17" | "132") {
                return Err(invalid(
                    "allowed.ports",
                    port,
                    "Ports may only be specified on rules whose protocol is one of [TCP, UDP, SCTP].",
                ));
            }
            if !is_ports(port) {
                return Err(invalid(
                    "allowed.ports",
                    port,
                    "Must be a port or a range of ports.",
                ));
            }
        }
    }
    for field in ["sourceRanges", "destinationRanges"] {
        let ranges = rule[field]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        for range in ranges {
            let parsed: Option<IpNet> = range.parse().ok();
            if parsed.is_none_or(|net| net.addr() != net.network()) {
                return Err(invalid(field, range, "Must be a valid CIDR address range."));
            }
        }
    }
    if rule["direction"] == "EGRESS" && !is_empty(&rule["sourceTags"]) {
        return Err(invalid(
            "sourceTags",
            "",
            "Cannot be used for EGRESS direction.",
        ));
    }
    let priority = rule["priority"].as_i64().unwrap_or(1000);
    if !(0..=65535).contains(&priority) {
        return Err(invalid(
            "priority",
            &priority.to_string(),
            "Must be between 0 and 65535.",
        ));
    }
    if rule["targetServiceAccounts"]
        .as_array()
        .is_some_and(|accounts| accounts.len() > 10)
    {
        return Err(invalid(
            "targetServiceAccounts",
            "",
            "Must have at most 10 items.",
        ));
    }
    Ok(rule)
}

/// `443` or `8000-8999`.
fn is_ports(text: &str) -> bool {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    match (low.parse::<u16>(), high.parse::<u16>()) {
        (Ok(low), Ok(high)) => low <= high,
        _ => false,
    }
}

fn is_empty(list: &Value) -> bool {
    list.as_array().is_none_or(Vec::is_empty)
}

fn invalid(field: &str, value: &str, complaint: &str) -> ErrorResponse {
    ErrorResponse::invalid(format!(
        "Invalid value for field 'resource.{field}': '{value}'. {complaint}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_names_nobody_is_about_everybody() {
        let cases = [
            (
                json!({"direction": "EGRESS"}),
                "destinationRanges",
                json!(["0.0.0.0/0"]),
            ),
            (
                json!({"direction": "EGRESS", "destinationRanges": ["10.5.0.0/28"]}),
                "destinationRanges",
                json!(["10.5.0.0/28"]),
            ),
            (json!({}), "sourceRanges", json!(["0.0.0.0/0"])),
            (json!({"sourceTags": ["a"]}), "sourceRanges", Value::Null),
        ];
        for (sent, field, expected) in cases {
            let rule = completed(&sent);
            assert_eq!(rule[field], expected, "{sent}");
            assert_eq!(rule["priority"], 1000);
        }
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let tcp = json!([{"IPProtocol": "tcp", "ports": ["80", "8000-8999"]}]);
        assert!(checked(json!({"allowed": tcp, "sourceRanges": ["10.0.0.0/24"]})).is_ok());
        let cases = [
            json!({}),
            json!({"allowed": tcp, "denied": tcp}),
            json!({"allowed": [{"IPProtocol": "icmp", "ports": ["1"]}]}),
            json!({"allowed": [{"IPProtocol": "tcp", "ports": ["70000"]}]}),
            json!({"allowed": tcp, "sourceRanges": ["10.0.0.1/24"]}),
            json!({"allowed": tcp, "priority": 65536}),
            json!({"allowed": tcp, "targetTags": ["a"], "targetServiceAccounts": ["b"]}),
            json!({"allowed": tcp, "direction": "EGRESS", "sourceTags": ["a"]}),
        ];
        for rule in cases {
            assert_eq!(checked(rule.clone()).unwrap_err().http, 400, "{rule}");
        }
    }
}
