//! Envoy's role-based access control, of connections and of requests.
//!
//! Sources: Envoy's API reference, `config/rbac/v3/rbac.proto`, and `configuration/http/http_filters/rbac_filter`. Shadow rules do
//! not decide. A permission or principal that is not understood makes its policy unknown, and the filter too where that policy
//! could change the result.

use std::net::IpAddr;

use serde_json::Value;

use super::downstream::{ClientCertificate, Downstream};
use super::matches::Matches;
use super::request_headers::RequestHeaders;
use super::string_matcher::{header_matches, range, string_matches};
use crate::object::Object;

/// What a filter decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessDecision {
    /// Whether the request is allowed.
    pub allows: Matches,
    /// The policy that decides; `None` if none of them matches.
    pub policy: Option<String>,
    /// The policies that were evaluated and did not match.
    pub others: Vec<String>,
}

/// What is evaluated.
#[derive(Debug, Clone, Copy)]
pub struct AccessQuery<'q> {
    /// The connection, with the request inside.
    pub connection: &'q Downstream,
    /// Whether the request is visible to the filter.
    pub http: bool,
    /// The address of the client as the connection manager derives it; `None` if that is not known.
    pub remote: Option<IpAddr>,
}

/// Evaluates the configuration of an RBAC filter.
pub fn decide(config: &Value, query: AccessQuery) -> AccessDecision {
    let decision = |allows, policy, others| AccessDecision {
        allows,
        policy,
        others,
    };
    if config.get("matcher").is_some() {
        return decision(
            Matches::Unknown("RBAC matcher".to_owned()),
            None,
            Vec::new(),
        );
    }
    let Some(rules) = config.get("rules") else {
        return decision(Matches::Yes, None, Vec::new());
    };
    let on_match = match rules["action"].as_str() {
        None | Some("ALLOW") => Matches::Yes,
        Some("DENY") => Matches::No,
        Some("LOG") => return decision(Matches::Yes, None, Vec::new()),
        Some(other) => {
            let why = format!("RBAC action {other}");
            return decision(Matches::Unknown(why), None, Vec::new());
        }
    };
    let (mut others, mut unknown) = (Vec::new(), None);
    // Envoy keeps its policies in the order of their names, and the first that matches is the one that it reports.
    let mut policies: Vec<_> = rules["policies"]
        .as_object()
        .into_iter()
        .flatten()
        .collect();
    policies.sort_by_key(|(name, _)| name.as_str());
    for (name, policy) in policies {
        match policy_matches(policy, query) {
            Matches::Yes => return decision(on_match, Some(name.clone()), others),
            Matches::No => others.push(name.clone()),
            Matches::Unknown(why) => unknown = unknown.or(Some((name.clone(), why))),
        }
    }
    match unknown {
        Some((name, why)) => decision(
            Matches::Unknown(format!("{name}: {why}")),
            Some(name),
            others,
        ),
        None => decision(on_match.negated(), None, others),
    }
}

fn policy_matches(policy: &Value, query: AccessQuery) -> Matches {
    if policy.get("condition").is_some() || policy.get("checked_condition").is_some() {
        return Matches::Unknown("condition".to_owned());
    }
    let permissions = json::list(policy, "/permissions").map(|one| permission(one, query));
    let principals = json::list(policy, "/principals").map(|one| principal(one, query));
    Matches::all([Matches::any(permissions), Matches::any(principals)])
}

fn permission(rule: &Value, query: AccessQuery) -> Matches {
    let connection = query.connection;
    let nested = |list: &str| {
        let rules = json::list(rule, list);
        rules.map(|one| permission(one, query)).collect::<Vec<_>>()
    };
    let Some((name, value)) = only(rule) else {
        return Matches::field("permission", rule);
    };
    match name {
        "any" => Matches::of(value == true),
        "and_rules" => Matches::all(nested("/and_rules/rules")),
        "or_rules" => Matches::any(nested("/or_rules/rules")),
        "not_rule" => permission(value, query).negated(),
        "header" => of_header(value, query),
        "url_path" => of_path(value, query),
        "destination_port" => Matches::of(value.as_u64() == Some(u64::from(connection.port))),
        "destination_port_range" => {
            let bound = |name: &str| value[name].as_u64().unwrap_or_default();
            let ports = bound("start")..bound("end");
            Matches::of(ports.contains(&u64::from(connection.port)))
        }
        "destination_ip" => in_range(value, connection.address, "destination_ip"),
        "requested_server_name" => string_matches(value, connection.server_name()),
        _ => Matches::Unknown(format!("permission {name}")),
    }
}

fn principal(id: &Value, query: AccessQuery) -> Matches {
    let connection = query.connection;
    let nested = |list: &str| {
        let ids = json::list(id, list);
        ids.map(|one| principal(one, query)).collect::<Vec<_>>()
    };
    let Some((name, value)) = only(id) else {
        return Matches::field("principal", id);
    };
    match name {
        "any" => Matches::of(value == true),
        "and_ids" => Matches::all(nested("/and_ids/ids")),
        "or_ids" => Matches::any(nested("/or_ids/ids")),
        "not_id" => principal(value, query).negated(),
        "authenticated" => authenticated(value.get("principal_name"), connection),
        // In Istio's builds the peer's identity is also kept as a state of the connection.
        "filter_state" if value["key"] == "io.istio.peer_principal" => {
            authenticated(value.get("string_match"), connection)
        }
        "direct_remote_ip" => in_range(value, connection.source, "direct_remote_ip"),
        "source_ip" | "remote_ip" => in_range(value, query.remote, name),
        "header" => of_header(value, query),
        "url_path" => of_path(value, query),
        _ => Matches::Unknown(format!("principal {name}")),
    }
}

/// The only field of an object that stands for one of several.
fn only(value: &Value) -> Option<(&str, &Value)> {
    let mut fields = value.as_object()?.iter();
    match (fields.next(), fields.next()) {
        (Some((name, value)), None) => Some((name.as_str(), value)),
        _ => None,
    }
}

/// Whether the peer of mutual TLS has a name; without a matcher, any peer with a certificate.
fn authenticated(matcher: Option<&Value>, connection: &Downstream) -> Matches {
    let Some(session) = &connection.peer else {
        return Matches::No;
    };
    match (&session.certificate, matcher) {
        (ClientCertificate::Absent, _) => Matches::No,
        (_, None) => Matches::Yes,
        (ClientCertificate::Uri(uri), Some(matcher)) => string_matches(matcher, uri),
        (ClientCertificate::Unnamed, Some(_)) => {
            Matches::Unknown("the name in the caller's certificate".to_owned())
        }
    }
}

fn of_header(matcher: &Value, query: AccessQuery) -> Matches {
    match query.http {
        true => header_matches(matcher, &query.connection.headers),
        // A connection has no headers.
        false => header_absent(matcher),
    }
}

/// A header matcher where there is no request at all.
fn header_absent(matcher: &Value) -> Matches {
    let mut without = RequestHeaders::new("", "", "", "");
    for name in [":authority", ":method", ":path", ":scheme"] {
        without.remove(name);
    }
    header_matches(matcher, &without)
}

fn of_path(matcher: &Value, query: AccessQuery) -> Matches {
    match (query.http, matcher.get("path")) {
        (false, _) => Matches::No,
        (true, Some(path)) => string_matches(path, &query.connection.headers.bare_path()),
        (true, None) => Matches::field("path matcher", matcher),
    }
}

fn in_range(value: &Value, address: Option<IpAddr>, name: &str) -> Matches {
    match (range(value), address) {
        (None, _) => Matches::Unknown(format!("{name} {value}")),
        (Some(range), _) if range.prefix_len() == 0 => Matches::Yes,
        (Some(_), None) => Matches::Unknown(format!("{name}, because the address is not known")),
        (Some(range), Some(address)) => Matches::of(range.contains(&address)),
    }
}

/// The AuthorizationPolicy of a policy that Istio has named: `ns[NAMESPACE]-policy[NAME]-rule[N]`
/// (`pilot/pkg/security/authz/builder`); otherwise the policy by its own name.
pub fn object(policy: &str) -> Object {
    let between = |text: &str, before: &str| {
        let (_, rest) = text.split_once(before)?;
        Some(rest.split_once(']')?.0.to_owned())
    };
    match (between(policy, "ns["), between(policy, "-policy[")) {
        (Some(namespace), Some(name)) => Object::new("AuthorizationPolicy", &namespace, &name),
        _ => Object::new("RBAC policy", "", policy),
    }
}

#[cfg(test)]
#[path = "rbac_tests.rs"]
mod tests;
