//! Firewall rules: how they are completed and which combinations are refused.
//!
//! There is no recording of this collection; the printed shape is from a listing of real rules, the defaults and which fields exclude
//! each other are from the descriptions of the fields in `compute.v1`'s discovery document. The texts of refusals are not recorded; those
//! that users quote have their source beside the check, the other words are ours.

use ipnet::IpNet;
use serde_json::{Value, json};

use super::resource;
use super::scope::{self, Scope};
use crate::answer::ErrorResponse;
use crate::pattern::fits_pattern;
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

/// Protocols that a rule may name. Source: the text of a refusal (terraform-google-network, issue 535).
const PROTOCOLS: &[&str] = &["ah", "all", "esp", "icmp", "ipip", "sctp", "tcp", "udp"];

/// How many items a list may have. 5000 ranges are VPC's page about quotas as users quote it (cs-cloud-firewall-bouncer, issue 27);
/// 10 accounts is the limit in Terraform's provider (`google_compute_firewall`). 30 and 70 tags: own knowledge, no record.
const LENGTHS: &[(&str, usize)] = &[
    ("sourceRanges", 5_000),
    ("destinationRanges", 5_000),
    ("sourceTags", 30),
    ("targetTags", 70),
    ("sourceServiceAccounts", 10),
    ("targetServiceAccounts", 10),
];

fn checked(rule: Value) -> Result<Value, ErrorResponse> {
    // Both texts are as users quote them (terraform-provider-google, issue 9280 of 2021; mchmarny/grunner, issue 6 of 2024). For ranges,
    // newer reports contradict the first: since 2023 a rule may have sources and destinations in both directions
    // (cloud-foundation-fabric, issue 1303 and pull request 1320). No record settles it; docs/live-check.md has the command.
    if rule["direction"] == "EGRESS" {
        if !is_empty(&rule["sourceRanges"]) {
            return Err(ErrorResponse::bad_request(
                "Should not specify source range/tag for egress direction.",
            ));
        }
        if !is_empty(&rule["sourceTags"]) || !is_empty(&rule["sourceServiceAccounts"]) {
            return Err(ErrorResponse::bad_request(
                "Should not specify source tag or service account for egress direction.",
            ));
        }
    }
    for (one, other) in EITHER {
        if !is_empty(&rule[*one]) && !is_empty(&rule[*other]) {
            return Err(invalid(
                one,
                "",
                &format!("Cannot be used together with {other}."),
            ));
        }
    }
    if is_empty(&rule["allowed"]) && is_empty(&rule["denied"]) {
        return Err(ErrorResponse::required(
            "Required field 'resource.allowed' not specified",
        ));
    }
    for list in ["allowed", "denied"] {
        check_lines(list, &rule[list])?;
    }
    check_ranges(&rule)?;
    for (field, most) in LENGTHS {
        let length = rule[*field].as_array().map_or(0, Vec::len);
        if length > *most {
            // The text is quoted by users (terraform-provider-google, issue 1417, of the time when the limit was 1).
            return Err(ErrorResponse::too_many(
                &format!("resource.{field}"),
                *most,
                length,
            ));
        }
    }
    for field in ["sourceServiceAccounts", "targetServiceAccounts"] {
        for (at, account) in texts(&rule[field]).enumerate() {
            let is_address = account
                .split_once('@')
                .is_some_and(|(name, domain)| !name.is_empty() && domain.contains('.'));
            if !is_address {
                // The text is not recorded. That Google does not check whether there is such an account: own knowledge, no record.
                return Err(invalid(
                    &format!("{field}[{at}]"),
                    account,
                    "Must be the email address of a service account.",
                ));
            }
        }
    }
    for field in ["sourceTags", "targetTags"] {
        for (at, tag) in texts(&rule[field]).enumerate() {
            // That tags are written as names are: own knowledge, no record.
            if !fits_pattern(NAME, tag) {
                return Err(invalid(
                    &format!("{field}[{at}]"),
                    tag,
                    &format!("Must be a match of regex '{NAME}'"),
                ));
            }
        }
    }
    let priority = rule["priority"].as_i64().unwrap_or(1000);
    if !(0..=65535).contains(&priority) {
        return Err(invalid(
            "priority",
            &priority.to_string(),
            "Must be between 0 and 65535.",
        ));
    }
    Ok(rule)
}

/// A name of compute, and a network tag.
const NAME: &str = "[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?";

/// What a rule allows or denies: protocols, and ports where the protocol has them.
fn check_lines(list: &str, lines: &Value) -> Result<(), ErrorResponse> {
    let lines = lines.as_array().into_iter().flatten();
    for (at, line) in lines.enumerate() {
        let protocol = line["IPProtocol"].as_str().unwrap_or_default();
        if protocol.is_empty() {
            return Err(ErrorResponse::required(format!(
                "Required field 'resource.{list}[{at}].IPProtocol' not specified"
            )));
        }
        let name = protocol.to_ascii_lowercase();
        let number = protocol.parse::<u8>().is_ok();
        if !number && !PROTOCOLS.contains(&name.as_str()) {
            return Err(invalid(
                &format!("{list}[{at}].IPProtocol"),
                protocol,
                &format!(
                    "Must be one of {PROTOCOLS:?} or an IP protocol number between 0 and 255."
                ),
            ));
        }
        for port in texts(&line["ports"]) {
            if !matches!(name.as_str(), "tcp" | "udp" | "sctp" | "6" | "17" | "132") {
                return Err(invalid(
                    &format!("{list}.ports"),
                    port,
                    "Ports may only be specified on rules whose protocol is one of [TCP, UDP, SCTP].",
                ));
            }
            if !is_ports(port) {
                return Err(invalid(
                    &format!("{list}.ports"),
                    port,
                    "Must be a port or a range of ports.",
                ));
            }
        }
    }
    Ok(())
}

/// Ranges of addresses, all of them IPv4 or all of them IPv6.
fn check_ranges(rule: &Value) -> Result<(), ErrorResponse> {
    let mut family = None;
    for field in ["sourceRanges", "destinationRanges"] {
        for (at, range) in texts(&rule[field]).enumerate() {
            let field = format!("{field}[{at}]");
            // A single address stands for the range that holds nothing else.
            let parsed: Option<IpNet> = range.parse().ok().or_else(|| {
                let address: std::net::IpAddr = range.parse().ok()?;
                Some(IpNet::from(address))
            });
            let Some(net) = parsed.filter(|net| net.addr() == net.network()) else {
                // The words are those for a subnetwork's range; here they are not recorded.
                return Err(invalid(&field, range, "Must be a CIDR address range."));
            };
            let is_ipv4 = net.addr().is_ipv4();
            if family.is_some_and(|family| family != is_ipv4) {
                // That they cannot be mixed: own knowledge, no record. The reference of the fields does not say it.
                return Err(invalid(
                    &field,
                    range,
                    "IPv4 and IPv6 ranges cannot be used in the same rule.",
                ));
            }
            family = Some(is_ipv4);
        }
    }
    Ok(())
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    let all = list.as_array().into_iter().flatten();
    all.filter_map(Value::as_str)
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
    fn what_google_takes_is_taken() {
        for rule in [
            json!({"allowed": [{"IPProtocol": "TCP", "ports": ["80"]}]}),
            json!({"allowed": [{"IPProtocol": "58"}], "sourceRanges": ["::/0"]}),
            json!({"denied": [{"IPProtocol": "all"}], "direction": "EGRESS", "destinationRanges": ["0.0.0.0/0"]}),
            json!({"allowed": [{"IPProtocol": "icmp"}], "sourceRanges": ["10.0.0.0/8"], "destinationRanges": ["10.1.2.3"]}),
            json!({"allowed": [{"IPProtocol": "ipip"}], "targetServiceAccounts": ["a@p.iam.gserviceaccount.com"]}),
        ] {
            assert!(checked(rule.clone()).is_ok(), "{rule}");
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
            json!({"allowed": tcp, "direction": "EGRESS", "sourceRanges": ["10.0.0.0/8"]}),
            json!({"denied": tcp, "direction": "EGRESS", "sourceServiceAccounts": ["a@p.iam.gserviceaccount.com"]}),
            json!({"allowed": [{"IPProtocol": "tpc"}]}),
            json!({"denied": [{"IPProtocol": "ipv6-icmp"}]}),
            json!({"denied": [{"IPProtocol": "256"}]}),
            json!({"allowed": [{"ports": ["80"]}]}),
            json!({"denied": [{"IPProtocol": "tcp", "ports": ["443-80"]}]}),
            json!({"allowed": tcp, "targetServiceAccounts": ["gateway"]}),
            json!({"allowed": tcp, "targetServiceAccounts": ["@example.com"]}),
            json!({"allowed": tcp, "sourceServiceAccounts": ["gateway"]}),
            json!({"allowed": tcp, "targetTags": ["Web"]}),
            json!({"allowed": tcp, "sourceRanges": ["10.0.0.0/8", "fd20::/20"]}),
            json!({"allowed": tcp, "sourceRanges": ["10.0.0.0/8"], "destinationRanges": ["fd20::/20"]}),
            json!({"allowed": tcp, "priority": -1}),
        ];
        for rule in cases {
            assert_eq!(checked(rule.clone()).unwrap_err().http, 400, "{rule}");
        }
    }

    #[test]
    fn a_list_that_is_too_long_is_refused_as_such() {
        let accounts = |count: usize| -> Vec<String> {
            (0..count)
                .map(|at| format!("a{at}@p.iam.gserviceaccount.com"))
                .collect()
        };
        let rule = |count: usize| json!({"allowed": [{"IPProtocol": "tcp"}], "sourceServiceAccounts": accounts(count)});
        assert!(checked(rule(10)).is_ok());
        let refusal = checked(rule(11)).unwrap_err();
        assert_eq!((refusal.http, refusal.reason), (413, "fieldSizeTooLarge"));
        assert_eq!(
            refusal.message,
            "Value for field 'resource.sourceServiceAccounts' is too large: maximum size 10 element(s); actual size 11."
        );
    }
}
