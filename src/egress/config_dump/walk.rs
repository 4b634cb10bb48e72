//! Follows a connection from proxy to proxy: listener, filter chain, TLS, network filters. What is behind them is in `http` and
//! `forward`.

use std::net::SocketAddr;

use serde_json::Value;

use super::config_dumps::ConfigDumps;
use super::downstream::Downstream;
use super::dump::ConfigDump;
use super::filter_chain::{self, NoChain};
use super::filters::{self, FilterKind};
use super::listener::{Direction, inspect, listener};
use super::matches::Matches;
use super::node::NodeType;
use super::rbac::{self, AccessQuery};
use super::trace::ProxyPassage;
use crate::dataplane::decision::{Decides, DecisionBuilder, Others};
use crate::object::{Object, Unknown};
use crate::trace::{Failure, Hop, HopLocation, HttpAnswer};

/// How many proxies a request may pass before its routes are reported as a loop.
const MOST: usize = 5;

/// The end of a connection or request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// A proxy answers.
    Answer(HttpAnswer),
    /// A server gets the request.
    Served,
    /// Nothing listens on the port.
    Refused,
    /// The connection is established, and ends.
    Ended(Failure),
    /// The rest depends on what is not understood.
    NotKnown,
}

/// The proxy that a connection has entered, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'d> {
    /// Its dump.
    pub dump: &'d ConfigDump,
    /// The direction.
    pub direction: Direction,
}

impl Place<'_> {
    fn location(self) -> HopLocation {
        match (self.dump.node.kind, self.direction) {
            (NodeType::Router, _) => HopLocation::Gateway,
            (NodeType::Sidecar, Direction::Outbound) => HopLocation::Sidecar,
            (NodeType::Sidecar, Direction::Inbound) => HopLocation::ServerSidecar,
        }
    }
}

/// The state of a request that is followed.
#[derive(Debug, Clone)]
pub(super) struct Walk<'d> {
    pub(super) dumps: &'d ConfigDumps,
    pub(super) hops: Vec<Hop>,
    pub(super) unknown: Vec<Unknown>,
    pub(super) proxies: Vec<ProxyPassage>,
    pub(super) leaves_to: Option<SocketAddr>,
}

impl<'d> Walk<'d> {
    /// Records a decision.
    pub(super) fn hop(&mut self, at: Place, passes: bool, by: &Object, because: &str) {
        self.told(at, DecisionBuilder::decided(passes, Some(by), because));
    }

    /// Records a decision with the others that were evaluated.
    pub(super) fn told(&mut self, at: Place, ruling: impl Decides) {
        self.hops.push(Hop {
            place: at.location(),
            name: at.dump.pod(),
            ruling: ruling.told(),
        });
    }

    /// Records what is not understood.
    pub(super) fn unknown(&mut self, at: Place, what: impl Into<String>) {
        let node = &at.dump.node;
        let unknown = Unknown {
            object: Object::new("Envoy", &node.namespace, &node.pod),
            field: what.into(),
        };
        if !self.unknown.contains(&unknown) {
            self.unknown.push(unknown);
        }
    }

    /// Records what a proxy answers itself.
    pub(super) fn answers(&mut self, status: u16) {
        if let Some(passage) = self.proxies.last_mut() {
            passage.status = Some(status);
        }
    }

    /// A connection enters a proxy.
    pub(super) fn enters(&mut self, at: Place<'d>, mut connection: Downstream) -> End {
        let node = &at.dump.node;
        self.proxies.push(ProxyPassage {
            pod: Object::new("Pod", &node.namespace, &node.pod),
            cluster: String::new(),
            status: None,
        });
        if self.proxies.len() > MOST {
            self.unknown(at, format!("a route through more than {MOST} proxies"));
            return End::NotKnown;
        }
        for annotation in &node.redirection {
            self.unknown(at, format!("redirection by the annotation {annotation}"));
        }
        let Some(listener) = listener(at.dump, at.direction, &connection) else {
            let name = format!("0.0.0.0_{}", connection.port);
            let by = Object::new("listener", "", &name);
            self.hop(
                at,
                false,
                &by,
                &format!("nothing listens on port {}", connection.port),
            );
            return End::Refused;
        };
        let by = Object::new("listener", "", json::text(listener, "/name"));
        let to = connection
            .address
            .map_or_else(|| "an address".to_owned(), |address| address.to_string());
        self.hop(
            at,
            true,
            &by,
            &format!("takes the connection to port {} of {to}", connection.port),
        );
        let (inspected, unknown) = inspect(listener, &connection);
        for what in unknown {
            self.unknown(at, what);
        }
        let chain = match filter_chain::chain(listener, &connection, &inspected) {
            Ok(chain) => chain,
            Err(NoChain::Unknown(what)) => {
                self.unknown(
                    at,
                    format!("listener {}: {what}", json::text(listener, "/name")),
                );
                return End::NotKnown;
            }
            Err(NoChain::NotFound) => {
                let sni = match inspected.server_name.as_str() {
                    "" => String::new(),
                    name => format!(" with SNI {name}"),
                };
                let what = match inspected.transport {
                    "tls" => "TLS",
                    _ => "a connection without TLS",
                };
                self.hop(
                    at,
                    false,
                    &by,
                    &format!("no filter chain matches {what}{sni}: the connection is reset"),
                );
                return End::Ended(Failure::Reset);
            }
        };
        let name = match json::text(chain, "/name") {
            "" => "default",
            name => name,
        };
        let by = Object::new("filter chain", "", name);
        if let Some(end) = self.terminates(at, chain, &by, &mut connection) {
            return end;
        }
        self.filtered(at, chain, connection)
    }

    /// The network filters of a chain.
    fn filtered(&mut self, at: Place<'d>, chain: &'d Value, connection: Downstream) -> End {
        for filter in json::list(chain, "/filters") {
            let config = &filter["typed_config"];
            match filters::kind(filter) {
                Some(FilterKind::NetworkRbac) => {
                    let query = AccessQuery {
                        connection: &connection,
                        http: false,
                        remote: connection.source,
                    };
                    if !self.authorizes(at, config, query) {
                        return End::Ended(Failure::TlsClosed);
                    }
                }
                Some(FilterKind::HttpConnectionManager) => {
                    return self.http(at, config, connection);
                }
                Some(FilterKind::TcpProxy) => return self.streams(at, config, connection),
                Some(FilterKind::Passing) => {}
                _ => self.unknown(
                    at,
                    format!("network filter {}", json::text(filter, "/name")),
                ),
            }
        }
        self.unknown(
            at,
            format!(
                "filter chain {} without a last filter",
                json::text(chain, "/name")
            ),
        );
        End::NotKnown
    }

    /// Evaluates an RBAC filter; whether the request goes on.
    pub(super) fn authorizes(&mut self, at: Place, config: &Value, query: AccessQuery) -> bool {
        if config.get("rules").is_none() && config.get("matcher").is_none() {
            return true;
        }
        let decided = rbac::decide(config, query);
        let by = decided.policy.as_deref().map(rbac::object);
        let (passes, because) = match (&decided.allows, &decided.policy) {
            (Matches::Yes, Some(policy)) => (true, format!("{policy} allows it")),
            (Matches::No, Some(policy)) => (false, format!("{policy} denies it")),
            (Matches::Yes, None) => (true, "no DENY policy of the proxy matches".to_owned()),
            (Matches::No, None) => (false, "no ALLOW policy of the proxy matches".to_owned()),
            (Matches::Unknown(why), _) => {
                self.unknown(at, why.clone());
                return true;
            }
        };
        let others = || -> Others {
            let all = decided.others.iter();
            all.map(|policy| (rbac::object(policy), format!("{policy} does not match")))
                .collect()
        };
        self.told(
            at,
            DecisionBuilder::decided(passes, by.as_ref(), because).after(&others),
        );
        passes
    }
}
