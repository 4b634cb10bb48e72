//! Which filter chain of a listener takes a connection.
//!
//! Source: Envoy's API reference, `config/listener/v3/listener_components.proto`, FilterChainMatch. The criteria are evaluated in
//! the order of that page: destination port, destination address, server name, transport protocol, application protocols,
//! address of the direct peer, source type, source address, source port. At each the most specific value wins, and a chain that
//! falls out there is not considered again: there is no way back from a server name to a wildcard if a later criterion fails.

use std::net::IpAddr;

use serde_json::Value;

use super::downstream::Downstream;
use super::string_matcher::range;

/// What the listener filters have found out of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inspected {
    /// The SNI; empty for none.
    pub server_name: String,
    /// `tls` or `raw_buffer`.
    pub transport: &'static str,
    /// The application protocols, in the client's order.
    pub protocols: Vec<String>,
}

/// Why no chain is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoChain {
    /// None matches, and there is no default.
    NotFound,
    /// It depends on a criterion that is not understood or on an address that is not known, by name.
    Unknown(String),
}

/// The criteria that are evaluated here, and fields that decide nothing.
const UNDERSTOOD: [&str; 11] = [
    "destination_port",
    "prefix_ranges",
    "server_names",
    "transport_protocol",
    "application_protocols",
    "direct_source_prefix_ranges",
    "source_type",
    "source_prefix_ranges",
    "source_ports",
    "address_suffix",
    "suffix_len",
];

/// The chain that takes the connection.
///
/// # Errors
/// There is none, or it is not known.
pub fn chain<'l>(
    listener: &'l Value,
    connection: &Downstream,
    inspected: &Inspected,
) -> Result<&'l Value, NoChain> {
    if listener.get("filter_chain_matcher").is_some() {
        return Err(NoChain::Unknown("filter_chain_matcher".to_owned()));
    }
    let mut chains: Vec<&Value> = json::list(listener, "/filter_chains").collect();
    for chain in &chains {
        let fields = chain["filter_chain_match"]
            .as_object()
            .into_iter()
            .flatten();
        for (name, _) in fields {
            if !UNDERSTOOD.contains(&name.as_str()) {
                return Err(NoChain::Unknown(format!("filter_chain_match.{name}")));
            }
        }
    }
    let port = u64::from(connection.port);
    narrow(&mut chains, "destination_port", |value| {
        specific(value.as_u64() == Some(port))
    });
    by_address(&mut chains, "prefix_ranges", connection.address)?;
    let name = inspected.server_name.to_ascii_lowercase();
    narrow(&mut chains, "server_names", |value| {
        let names = value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        names
            .filter_map(|pattern| name_weight(pattern, &name))
            .max()
    });
    narrow(&mut chains, "transport_protocol", |value| {
        specific(value == inspected.transport)
    });
    narrow(&mut chains, "application_protocols", |value| {
        let wanted = value.as_array()?;
        let place = inspected
            .protocols
            .iter()
            .position(|own| wanted.iter().any(|one| one == own.as_str()))?;
        // The first that the client offers wins.
        Some(usize::MAX - place)
    });
    by_address(
        &mut chains,
        "direct_source_prefix_ranges",
        connection.source,
    )?;
    let local = connection.source.is_some() && connection.source == connection.address
        || connection
            .source
            .is_some_and(|address| address.is_loopback());
    narrow(&mut chains, "source_type", |value| match value.as_str() {
        Some("SAME_IP_OR_LOOPBACK") => specific(local),
        Some("EXTERNAL") => specific(!local),
        _ => Some(0),
    });
    by_address(&mut chains, "source_prefix_ranges", connection.source)?;
    if chains
        .iter()
        .any(|chain| !criterion(chain, "source_ports").is_null())
    {
        return Err(NoChain::Unknown(
            "filter_chain_match.source_ports".to_owned(),
        ));
    }
    match (chains.first(), listener.get("default_filter_chain")) {
        (Some(chain), _) => Ok(chain),
        (None, Some(default)) => Ok(default),
        (None, None) => Err(NoChain::NotFound),
    }
}

/// A criterion of a chain; null if it has none.
fn criterion<'c>(chain: &'c Value, name: &str) -> &'c Value {
    let value = &chain["filter_chain_match"][name];
    match value {
        Value::Array(all) if all.is_empty() => &Value::Null,
        Value::String(text) if text.is_empty() => &Value::Null,
        value => value,
    }
}

/// The weight of a criterion that either matches or not.
fn specific(matches: bool) -> Option<usize> {
    matches.then_some(1)
}

/// Keeps the chains with the most specific value that matches. A chain without the criterion matches everything, and weighs least.
fn narrow(chains: &mut Vec<&Value>, name: &str, weight: impl Fn(&Value) -> Option<usize>) {
    let weigh = |chain: &&Value| match criterion(chain, name) {
        Value::Null => Some(0),
        value => weight(value),
    };
    let most = chains.iter().filter_map(weigh).max();
    chains.retain(|chain| weigh(chain).is_some() && weigh(chain) == most);
}

/// Keeps the chains with the longest prefix that contains an address.
fn by_address(
    chains: &mut Vec<&Value>,
    name: &str,
    address: Option<IpAddr>,
) -> Result<(), NoChain> {
    let Some(address) = address else {
        // An address that is not known is taken as one that nothing names, unless all chains name some.
        let named = chains
            .iter()
            .filter(|chain| !criterion(chain, name).is_null());
        if named.count() == chains.len() && !chains.is_empty() {
            return Err(NoChain::Unknown(format!(
                "filter_chain_match.{name}, because the address is not known"
            )));
        }
        chains.retain(|chain| criterion(chain, name).is_null());
        return Ok(());
    };
    narrow(chains, name, |value| {
        let ranges = value.as_array().into_iter().flatten().filter_map(range);
        let holding = ranges.filter(|range| range.contains(&address));
        holding
            .map(|range| usize::from(range.prefix_len()) + 1)
            .max()
    });
    Ok(())
}

/// How specific a pattern of a server name is, if it matches: an exact name before every wildcard, and a longer wildcard before a
/// shorter one.
fn name_weight(pattern: &str, name: &str) -> Option<usize> {
    if pattern.is_empty() || pattern == "*" {
        return Some(0);
    }
    if let Some(suffix) = pattern.strip_prefix('*') {
        return (name.len() > suffix.len() && name.ends_with(suffix)).then_some(suffix.len());
    }
    (pattern == name).then_some(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config_dump::request_headers::RequestHeaders;
    use serde_json::json;

    fn connection(address: Option<&str>, port: u16) -> Downstream {
        Downstream {
            address: address.map(|address| address.parse().unwrap()),
            port,
            source: Some("10.1.0.9".parse().unwrap()),
            tls: Vec::new(),
            peer: None,
            headers: RequestHeaders::new("GET", "http", "a", "/"),
            protocol: "http/1.1",
            is_parsed: false,
        }
    }

    fn found(chains: &[(&str, Value)], connection: &Downstream, inspected: &Inspected) -> String {
        let chains: Vec<Value> = chains
            .iter()
            .map(|(name, criteria)| json!({"name": name, "filter_chain_match": criteria}))
            .collect();
        let listener = json!({"filter_chains": chains});
        match chain(&listener, connection, inspected) {
            Ok(chain) => json::text(chain, "/name").to_owned(),
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn the_most_specific_value_wins_at_each_criterion() {
        let seen = |server_name: &str, transport, protocols: &[&str]| Inspected {
            server_name: server_name.to_owned(),
            transport,
            protocols: protocols.iter().map(|one| (*one).to_owned()).collect(),
        };
        let chains = [
            ("port", json!({"destination_port": 8080})),
            (
                "exact",
                json!({"server_names": ["a.example.com"], "transport_protocol": "tls"}),
            ),
            ("long", json!({"server_names": ["*.example.com"]})),
            ("short", json!({"server_names": ["*.com"]})),
            (
                "range",
                json!({"prefix_ranges": [{"address_prefix": "10.0.0.0", "prefix_len": 8}]}),
            ),
            (
                "address",
                json!({"prefix_ranges": [{"address_prefix": "10.0.0.1", "prefix_len": 32}]}),
            ),
            (
                "h2",
                json!({"application_protocols": ["h2"], "transport_protocol": "tls"}),
            ),
            (
                "http",
                json!({"application_protocols": ["http/1.1"], "transport_protocol": "tls"}),
            ),
            ("any", json!({})),
        ];
        let cases = [
            (
                connection(Some("192.0.2.1"), 8080),
                seen("a.example.com", "tls", &[]),
                "port",
            ),
            (
                connection(Some("192.0.2.1"), 443),
                seen("A.example.com", "tls", &[]),
                "exact",
            ),
            (
                connection(Some("192.0.2.1"), 443),
                seen("b.example.com", "tls", &[]),
                "long",
            ),
            (
                connection(Some("192.0.2.1"), 443),
                seen("example.com", "tls", &[]),
                "short",
            ),
            (
                connection(Some("10.0.0.1"), 443),
                seen("a.example.com", "tls", &[]),
                "address",
            ),
            (
                connection(Some("10.0.0.2"), 443),
                seen("", "raw_buffer", &[]),
                "range",
            ),
            (
                connection(Some("192.0.2.1"), 443),
                seen("x", "tls", &["http/1.1", "h2"]),
                "http",
            ),
            (
                connection(Some("192.0.2.1"), 443),
                seen("x", "tls", &["h2", "http/1.1"]),
                "h2",
            ),
            (
                connection(None, 80),
                seen("", "raw_buffer", &["http/1.1"]),
                "any",
            ),
        ];
        for (connection, inspected, expected) in cases {
            assert_eq!(
                found(&chains, &connection, &inspected),
                expected,
                "{connection:?} {inspected:?}"
            );
        }
    }

    #[test]
    fn there_is_no_way_back_from_a_server_name() {
        let chains = [
            (
                "named",
                json!({"server_names": ["a"], "transport_protocol": "raw_buffer"}),
            ),
            ("any", json!({})),
        ];
        let tls = Inspected {
            server_name: "a".to_owned(),
            transport: "tls",
            protocols: Vec::new(),
        };
        assert_eq!(found(&chains, &connection(None, 443), &tls), "NotFound");
    }

    #[test]
    fn what_is_not_understood_is_told() {
        let plain = Inspected {
            transport: "raw_buffer",
            ..Inspected::default()
        };
        for (chains, expected) in [
            (json!({"new_criterion": 1}), "new_criterion"),
            (json!({"source_ports": [1]}), "source_ports"),
            (
                json!({"prefix_ranges": [{"address_prefix": "10.0.0.1", "prefix_len": 32}]}),
                "not known",
            ),
        ] {
            let found = found(&[("a", chains)], &connection(None, 80), &plain);
            assert!(found.contains(expected), "{found}");
        }
        let listener = json!({"filter_chain_matcher": {}});
        assert!(matches!(
            chain(&listener, &connection(None, 80), &plain),
            Err(NoChain::Unknown(_))
        ));
    }
}
