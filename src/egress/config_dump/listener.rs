//! Which listener takes a connection, and what its listener filters find out.
//!
//! Sources: Envoy's documentation, `configuration/listeners/listener_filters/` (original_dst, tls_inspector, http_inspector) and
//! `config/listener/v3/listener.proto` (`use_original_dst`: a connection is handed to the listener of its original destination,
//! by address before by port alone; without one, the listener that accepted it keeps it). Istio redirects a pod's outbound
//! connections to port 15001 and its inbound connections to port 15006; a gateway's connections are not redirected.

use serde_json::Value;

use super::downstream::Downstream;
use super::dump::{ConfigDump, socket_address};
use super::filter_chain::Inspected;
use super::matches::Matches;
use super::node::NodeType;

/// The port to which Istio redirects outbound connections.
const OUTBOUND: u16 = 15001;
/// The port to which Istio redirects inbound connections.
const INBOUND: u16 = 15006;

/// The way that a connection takes through a sidecar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the application.
    Outbound,
    /// To the application, or to a gateway.
    Inbound,
}

/// The listener that takes a connection; `None` if nothing listens there.
pub fn listener<'d>(
    dump: &'d ConfigDump,
    direction: Direction,
    connection: &Downstream,
) -> Option<&'d Value> {
    let accepting = match (dump.node.kind, direction) {
        (NodeType::Sidecar, Direction::Outbound) => OUTBOUND,
        (NodeType::Sidecar, Direction::Inbound) => INBOUND,
        (NodeType::Router, _) => connection.port,
    };
    let accepting = dump
        .listeners
        .iter()
        .find(|one| is_bound(one) && on_port(one, accepting))?;
    if accepting["use_original_dst"] != true {
        return Some(accepting);
    }
    let others = || {
        dump.listeners
            .iter()
            .filter(|one| on_port(one, connection.port))
    };
    let exact = others().find(|one| {
        let mut addresses = addresses(one).filter_map(socket_address);
        connection.address.is_some() && addresses.any(|own| Some(own.ip()) == connection.address)
    });
    let any = || {
        others().find(|one| {
            let mut addresses = addresses(one).filter_map(socket_address);
            addresses.any(|own| own.ip().is_unspecified())
        })
    };
    exact.or_else(any).or(Some(accepting))
}

/// The listeners of a port that name an address, for a connection whose address is not known.
pub fn named_addresses(dump: &ConfigDump, port: u16) -> usize {
    let all = dump.listeners.iter().filter(|one| on_port(one, port));
    all.filter(|one| {
        let mut addresses = addresses(one).filter_map(socket_address);
        addresses.any(|own| !own.ip().is_unspecified())
    })
    .count()
}

/// The addresses of a listener.
fn addresses(listener: &Value) -> impl Iterator<Item = &Value> {
    let more = json::list(listener, "/additional_addresses").filter_map(|one| one.get("address"));
    listener.get("address").into_iter().chain(more)
}

fn on_port(listener: &Value, port: u16) -> bool {
    addresses(listener)
        .filter_map(socket_address)
        .any(|own| own.port() == port)
}

/// Whether the listener accepts connections itself, and not only those that another one hands on.
fn is_bound(listener: &Value) -> bool {
    listener["bind_to_port"] != false
        && listener.pointer("/deprecated_v1/bind_to_port") != Some(&Value::Bool(false))
}

/// What the listener filters find out, and the filters that are not understood, by name.
pub fn inspect(listener: &Value, connection: &Downstream) -> (Inspected, Vec<String>) {
    let mut found = Inspected {
        transport: "raw_buffer",
        ..Inspected::default()
    };
    let mut unknown = Vec::new();
    for filter in json::list(listener, "/listener_filters") {
        let name = json::text(filter, "/name");
        match filter
            .get("filter_disabled")
            .map(|predicate| disabled(predicate, connection))
        {
            Some(Matches::Yes) => continue,
            Some(Matches::Unknown(why)) => unknown.push(format!("{name}: {why}")),
            Some(Matches::No) | None => {}
        }
        let kind = json::text(filter, "/typed_config/@type");
        let kind = kind.rsplit('.').next().unwrap_or_default();
        match (kind, connection.tls.first()) {
            ("OriginalDst" | "OriginalSrc", _) => {}
            ("TlsInspector", Some(session)) => {
                found.transport = "tls";
                found.server_name.clone_from(&session.server_name);
                found.protocols.clone_from(&session.protocols);
            }
            ("HttpInspector", None) => found.protocols = vec![connection.protocol.to_owned()],
            ("TlsInspector", None) | ("HttpInspector", Some(_)) => {}
            _ => unknown.push(format!("listener filter {name}")),
        }
    }
    (found, unknown)
}

/// Whether a listener filter is disabled for a connection (ListenerFilterChainMatchPredicate).
fn disabled(predicate: &Value, connection: &Downstream) -> Matches {
    let rules = |name: &str| {
        let rules = json::list(predicate, name);
        rules
            .map(|rule| disabled(rule, connection))
            .collect::<Vec<_>>()
    };
    if predicate["any_match"] == true {
        return Matches::Yes;
    }
    if predicate.get("or_match").is_some() {
        return Matches::any(rules("/or_match/rules"));
    }
    if predicate.get("and_match").is_some() {
        return Matches::all(rules("/and_match/rules"));
    }
    if let Some(rule) = predicate.get("not_match") {
        return disabled(rule, connection).negated();
    }
    match predicate.get("destination_port_range") {
        Some(range) => {
            let bound = |name: &str| range[name].as_u64().unwrap_or_default();
            Matches::of((bound("start")..bound("end")).contains(&u64::from(connection.port)))
        }
        None => Matches::field("filter_disabled", predicate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config_dump::downstream::TlsSession;
    use crate::config_dump::request_headers::RequestHeaders;
    use serde_json::json;

    fn at(address: &str, port: u16, more: Value) -> Value {
        let mut listener = json!({
            "name": format!("{address}_{port}"),
            "address": {"socket_address": {"address": address, "port_value": port}},
        });
        json::merge(&mut listener, &more);
        json!({"name": "x", "active_state": {"listener": listener}})
    }

    fn dump(kind: &str) -> ConfigDump {
        let handed = json!({"bind_to_port": false});
        let listeners = [
            at("0.0.0.0", 80, handed.clone()),
            at("10.2.0.1", 443, handed.clone()),
            at("0.0.0.0", 443, handed),
            at("0.0.0.0", 15001, json!({"use_original_dst": true})),
            at("0.0.0.0", 15006, json!({})),
            at("0.0.0.0", 8080, json!({})),
        ];
        let dump = json!({"configs": [
            {"@type": "x/envoy.admin.v3.BootstrapConfigDump",
                "bootstrap": {"node": {"id": format!("{kind}~10.1.0.1~pod.team-x~d")}}},
            {"@type": "x/envoy.admin.v3.ListenersConfigDump", "dynamic_listeners": listeners},
        ]});
        ConfigDump::read(&dump, None).unwrap()
    }

    fn connection(address: Option<&str>, port: u16) -> Downstream {
        Downstream {
            address: address.map(|address| address.parse().unwrap()),
            port,
            source: None,
            tls: Vec::new(),
            peer: None,
            headers: RequestHeaders::new("GET", "http", "a", "/"),
            protocol: "http/1.1",
            is_parsed: false,
        }
    }

    #[test]
    fn a_connection_goes_to_the_listener_of_its_destination() {
        let cases = [
            (
                "sidecar",
                Direction::Outbound,
                Some("192.0.2.1"),
                80,
                Some("0.0.0.0_80"),
            ),
            (
                "sidecar",
                Direction::Outbound,
                Some("10.2.0.1"),
                443,
                Some("10.2.0.1_443"),
            ),
            (
                "sidecar",
                Direction::Outbound,
                None,
                443,
                Some("0.0.0.0_443"),
            ),
            (
                "sidecar",
                Direction::Outbound,
                Some("192.0.2.1"),
                22,
                Some("0.0.0.0_15001"),
            ),
            (
                "sidecar",
                Direction::Inbound,
                Some("10.1.0.1"),
                80,
                Some("0.0.0.0_15006"),
            ),
            (
                "router",
                Direction::Inbound,
                Some("10.1.0.1"),
                8080,
                Some("0.0.0.0_8080"),
            ),
            // Of a listener that accepts nothing itself.
            ("router", Direction::Inbound, Some("10.1.0.1"), 443, None),
        ];
        for (kind, direction, address, port, expected) in cases {
            let dump = dump(kind);
            let found = listener(&dump, direction, &connection(address, port));
            let found = found.map(|one| json::text(one, "/name").to_owned());
            assert_eq!(
                found.as_deref(),
                expected,
                "{kind} {direction:?} {address:?} {port}"
            );
        }
    }

    #[test]
    fn listener_filters_find_out_what_chains_match() {
        let filter = |kind: &str, more: Value| {
            let mut filter =
                json!({"name": kind, "typed_config": {"@type": format!("x/a.b.{kind}")}});
            json::merge(&mut filter, &more);
            filter
        };
        let off = json!({"filter_disabled": {"or_match": {"rules": [
            {"destination_port_range": {"start": 443, "end": 444}},
            {"destination_port_range": {"start": 22, "end": 23}},
        ]}}});
        let listener = json!({"listener_filters": [
            filter("TlsInspector", json!({})),
            filter("HttpInspector", off),
            filter("ProxyProtocol", json!({})),
        ]});
        let (found, unknown) = inspect(&listener, &connection(None, 80));
        assert_eq!(
            (found.transport, found.protocols),
            ("raw_buffer", vec!["http/1.1".to_owned()])
        );
        assert_eq!(unknown, ["listener filter ProxyProtocol"]);
        let (found, _) = inspect(&listener, &connection(None, 443));
        assert_eq!(found.protocols, Vec::<String>::new());
        let mut tls = connection(None, 443);
        tls.tls.push(TlsSession::of_application("a"));
        let (found, _) = inspect(&listener, &tls);
        assert_eq!((found.transport, found.server_name.as_str()), ("tls", "a"));
    }
}
