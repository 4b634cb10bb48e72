//! Follows a connection from proxy to proxy: listener, filter chain, TLS, network filters. What is behind them is in `http` and
//! `forward`.

use std::net::{IpAddr, SocketAddr};

use serde_json::Value;

use super::cluster;
use super::downstream::{ClientCertificate, Downstream, TlsSession};
use super::dump::ConfigDump;
use super::filter_chain::{self, NoChain};
use super::filters::{self, FilterKind};
use super::listener::{Direction, inspect, listener, named_addresses};
use super::matches::Matches;
use super::node::NodeType;
use super::rbac::{self, AccessQuery};
use super::request_headers::RequestHeaders;
use super::string_matcher::string_matches;
use super::trace::{ProxyPassage, ProxyTrace, Verdict};
use crate::dataplane::decision::{Decides, DecisionBuilder, Others};
use crate::object::{Object, Unknown};
use crate::request::{Request, Scheme};
use crate::trace::{CallerOutcome, Failure, Hop, HopLocation, HttpAnswer};

/// How many proxies a request may pass before its routes are reported as a loop.
const MOST: usize = 5;

/// The dumps of the proxies of a mesh.
#[derive(Debug, Clone, Default)]
pub struct ConfigDumps(Vec<ConfigDump>);

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
    unknown: Vec<Unknown>,
    pub(super) proxies: Vec<ProxyPassage>,
    pub(super) leaves_to: Option<SocketAddr>,
}

impl ConfigDumps {
    /// The dumps of these proxies.
    pub fn new(dumps: Vec<ConfigDump>) -> ConfigDumps {
        ConfigDumps(dumps)
    }

    /// The dumps.
    pub fn all(&self) -> &[ConfigDump] {
        &self.0
    }

    /// Adds one.
    pub fn add(&mut self, dump: ConfigDump) {
        self.0.push(dump);
    }

    /// The sidecar of a pod; without a name, of the first pod of the namespace by name.
    pub fn sidecar(&self, namespace: &str, pod: Option<&str>) -> Option<&ConfigDump> {
        let all = self.0.iter().filter(|dump| {
            let node = &dump.node;
            node.kind == NodeType::Sidecar
                && node.namespace == namespace
                && pod.is_none_or(|pod| pod == node.pod)
        });
        all.min_by(|one, other| one.node.pod.cmp(&other.node.pod))
    }

    /// The proxy at an address.
    pub fn at(&self, address: IpAddr) -> Option<&ConfigDump> {
        self.0.iter().find(|dump| dump.has(address))
    }

    /// Follows a request from the application beside a proxy. `address` is that of the request's host, where it is known.
    pub fn follow(
        &self,
        from: &ConfigDump,
        request: &Request,
        address: Option<IpAddr>,
    ) -> ProxyTrace {
        let mut walk = Walk {
            dumps: self,
            hops: Vec::new(),
            unknown: Vec::new(),
            proxies: Vec::new(),
            leaves_to: None,
        };
        let own = request.host.parse().ok().or(request.address).or(address);
        let address = own.or_else(|| from.address_of(&request.host));
        walk.resolves(from, request, address);
        let mut headers = RequestHeaders::new(
            &request.method,
            request.scheme.word(),
            &request.authority(),
            &request.path,
        );
        let others = request
            .headers
            .iter()
            .filter(|(name, _)| !name.eq_ignore_ascii_case("host"));
        for (name, value) in others {
            headers.add(name, value);
        }
        let tls = match (request.scheme, request.host.parse::<IpAddr>()) {
            (Scheme::Http, _) => None,
            (Scheme::Https, Ok(_)) => Some(TlsSession::of_application("")),
            (Scheme::Https, Err(_)) => Some(TlsSession::of_application(&request.host)),
        };
        let connection = Downstream {
            address,
            port: request.port,
            source: from.node.addresses.first().copied(),
            tls: tls.into_iter().collect(),
            peer: None,
            headers,
            protocol: "http/1.1",
        };
        let place = Place {
            dump: from,
            direction: Direction::Outbound,
        };
        let end = walk.enters(place, connection);
        walk.ends(request, end)
    }
}

impl<'d> Walk<'d> {
    /// Records where the name of the host leads.
    fn resolves(&mut self, from: &ConfigDump, request: &Request, address: Option<IpAddr>) {
        let because = match (address, named_addresses(from, request.port)) {
            (Some(address), _) => format!("its address is {address}"),
            (None, 0) => "the dumps do not contain its address; no listener of this port names one"
                .to_owned(),
            (None, named) => {
                format!(
                    "the dumps do not contain its address, which is assumed to be none of the {named} that listeners of this port name"
                )
            }
        };
        self.hops.push(Hop {
            place: HopLocation::Dns,
            name: request.host.clone(),
            ruling: DecisionBuilder::passes(None, because).told(),
        });
    }

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

    /// The TLS of a filter chain; the end of a connection that it refuses.
    fn terminates(
        &mut self,
        at: Place,
        chain: &Value,
        by: &Object,
        connection: &mut Downstream,
    ) -> Option<End> {
        let config = &chain["transport_socket"]["typed_config"];
        match filters::type_name(config).rsplit('.').next() {
            Some("" | "RawBuffer") | None => {
                self.hop(at, true, by, "takes the connection as it is");
                return None;
            }
            Some("DownstreamTlsContext") => {}
            Some(_) => {
                let name = json::text(chain, "/transport_socket/name");
                self.unknown(at, format!("transport socket {name}"));
                return Some(End::NotKnown);
            }
        }
        if connection.tls.is_empty() {
            self.hop(at, false, by, "demands TLS, and the connection has none");
            return Some(End::Ended(Failure::EmptyReply));
        }
        let session = connection.tls.remove(0);
        let demands = config["require_client_certificate"] == true;
        let (names, authorities) = cluster::validation(&config["common_tls_context"]);
        let what = match (demands, authorities.as_str()) {
            (true, name) => {
                format!("terminates TLS, and demands a client certificate that {name} vouches for")
            }
            (false, _) => "terminates TLS".to_owned(),
        };
        let accepted = match (&session.certificate, names.as_slice()) {
            (ClientCertificate::Absent, _) => Matches::of(!demands),
            (_, []) => Matches::Yes,
            (ClientCertificate::Uri(uri), names) => {
                Matches::any(names.iter().map(|name| string_matches(name, uri)))
            }
            (ClientCertificate::Unnamed, _) => {
                Matches::Unknown("the name in the caller's certificate".to_owned())
            }
        };
        let shown = match &session.certificate {
            ClientCertificate::Absent => "; the caller has none".to_owned(),
            ClientCertificate::Uri(uri) => format!("; the caller is {uri}"),
            ClientCertificate::Unnamed => "; the caller's name is not in the dumps".to_owned(),
        };
        let shown = if demands { shown } else { String::new() };
        self.hop(at, accepted != Matches::No, by, &format!("{what}{shown}"));
        connection.peer = Some(session);
        match accepted {
            Matches::Yes => None,
            Matches::No => Some(End::Ended(Failure::CertificateRequired)),
            Matches::Unknown(why) => {
                self.unknown(at, why);
                None
            }
        }
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

    fn ends(self, request: &Request, end: End) -> ProxyTrace {
        let stopped = self.hops.iter().any(|hop| !hop.ruling.passes);
        let verdict = match (&end, self.unknown.is_empty()) {
            (End::NotKnown, _) | (_, false) => Verdict::Unknown,
            (End::Served, true) if !stopped => Verdict::Reaches,
            (_, true) => Verdict::Refused,
        };
        let tls = request.scheme == Scheme::Https;
        let got = match end {
            End::Answer(_) if tls => Some(CallerOutcome::Failure(Failure::NotTls)),
            End::Answer(answer) => Some(CallerOutcome::Answer(answer)),
            End::Served | End::NotKnown => None,
            End::Refused => Some(CallerOutcome::Failure(Failure::Refused)),
            End::Ended(failure) => Some(CallerOutcome::Failure(of_scheme(failure, tls))),
        };
        ProxyTrace {
            verdict,
            hops: self.hops,
            got,
            proxies: self.proxies,
            leaves_to: self.leaves_to,
            unknown: self.unknown,
        }
    }
}

/// How an end reads to a caller that uses TLS, or does not.
fn of_scheme(failure: Failure, tls: bool) -> Failure {
    match (failure, tls) {
        (Failure::Reset, true) => Failure::TlsReset,
        (Failure::EmptyReply, true) => Failure::TlsClosed,
        (Failure::TlsClosed, false) => Failure::EmptyReply,
        (failure, _) => failure,
    }
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
