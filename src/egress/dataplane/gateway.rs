//! An egress gateway and its traffic: which server accepts it, whether policies allow it, where the routes send it.

use std::net::SocketAddr;

use super::Simulation;
use super::connection::{Connection, ConnectionEnd, ConnectionOutcome, ConnectionReport, Content};
use super::decision::{DecisionBuilder, Others};
use super::filter_chains::{FilterChain, ForwardingRule, NoFilterChain};
use super::forward::ReceivedAt;
use super::local_reply::{HANDSHAKE_ENDED, LocalReply, NOT_TLS};
use super::proxy_state::RouteOwner;
use super::routes::{Route, Routes};
use super::upstream::UpstreamTarget;
use crate::gateway::{Gateway, Routing, Server, ServerTls};
use crate::host::{within, without_port};
use crate::object::Object;
use crate::pod::Pod;
use crate::rbac::Peer;
use crate::redirection;
use crate::trace;
use crate::unsupported::Role;
use crate::virtual_service::{Destination, HttpRequest};

impl<'s> Simulation<'_, 's> {
    /// A connection to a gateway pod.
    pub(super) fn enters_gateway(
        &mut self,
        from: &Pod,
        pod: &Pod,
        to: UpstreamTarget,
        carried: Connection,
    ) -> ConnectionReport {
        self.meets_proxy(pod, Role::Gateway);
        self.notes_mesh();
        if redirection::is_own_port(to.port) {
            return self.enters_agent(pod, to, carried);
        }
        let evaluator = self.evaluator;
        let proxy_state = evaluator.proxy_state(pod);
        let at = ReceivedAt {
            pod,
            proxy_state: &proxy_state,
            place: trace::HopLocation::Gateway,
            local: to,
            remote: from.address.unwrap_or(to.address),
            server_name: carried.server_name().unwrap_or_default().to_owned(),
            forwarded_for: from.address,
            version: match &carried.content {
                Content::Http(_, version) => version,
                Content::Tls(..) => "HTTP/1.1",
            },
            tells: evaluator.tells,
        };
        self.meets_routes(&at, carried.host(), Role::Gateway);
        let chains = proxy_state.chains(pod, to.port);
        let chain = match chains.find(carried.server_name()) {
            Ok(chain) => chain,
            Err(why) => return self.shut(&at, why, &carried),
        };
        match chain {
            FilterChain::Requests(gateway, server) => {
                self.enters_server(&at, gateway, server, None, carried)
            }
            FilterChain::Bytes(gateway, server, to) => {
                self.enters_server(&at, gateway, server, Some(to), carried)
            }
            FilterChain::ServerName(gateway, (rule, destination)) => {
                let because = format_args!(
                    "passes TLS through and routes by its SNI, {}",
                    at.server_name
                );
                self.hop(
                    at.place,
                    &pod.object,
                    DecisionBuilder::passes(Some(&gateway.object), because),
                );
                self.streams_on(&at, &rule.object, destination, carried, None)
            }
        }
    }

    /// Nothing accepts the connection.
    fn shut(
        &mut self,
        at: &ReceivedAt,
        why: NoFilterChain,
        carried: &Connection,
    ) -> ConnectionReport {
        match why {
            NoFilterChain::NoServer(others) => {
                let because = format_args!("no Gateway makes it listen on port {}", at.local.port);
                self.hop(
                    at.place,
                    &at.pod.object,
                    DecisionBuilder::stops(None, because).after(&|| others.to_vec()),
                );
                ConnectionReport::at_once(ConnectionOutcome::Refused)
            }
            NoFilterChain::NoChain(by) => {
                let name = &at.server_name;
                let because = match name.is_empty() {
                    true => format_args!("accepts only TLS, and the connection has no SNI"),
                    false => format_args!("has no route for connections with the SNI {name}"),
                };
                self.hop(
                    at.place,
                    &at.pod.object,
                    DecisionBuilder::stops(by, because),
                );
                let mut line = at.line(None);
                line.write(|line| {
                    line.flags = "NR";
                    line.details = "filter_chain_not_found".to_owned();
                });
                let outcome = match carried.wrap {
                    Some(_) => ConnectionOutcome::Handshake(HANDSHAKE_ENDED.to_owned()),
                    None => ConnectionOutcome::Ended(ConnectionEnd::Reset),
                };
                ConnectionReport {
                    lines: line.alone(),
                    ..ConnectionReport::at_once(outcome)
                }
            }
        }
    }

    /// A connection that a server accepts. The server terminates its TLS, if it has any, and forwards TCP traffic if a rule
    /// requires it.
    fn enters_server(
        &mut self,
        at: &ReceivedAt<'_, 's>,
        gateway: &'s Gateway,
        server: &'s Server,
        sends: Option<ForwardingRule<'s>>,
        carried: Connection,
    ) -> ConnectionReport {
        let mut stopped = |because: &str, outcome| {
            self.hop(
                at.place,
                &at.pod.object,
                DecisionBuilder::stops(Some(&gateway.object), because),
            );
            ConnectionReport::at_once(outcome)
        };
        let wanted = "requires a certificate of the mesh, and the caller presents none";
        let (peer, content) = match (server.tls, carried.wrap, carried.content) {
            (ServerTls::Plain, Some(_), _) => {
                return stopped(
                    "does not use TLS on this port",
                    ConnectionOutcome::Handshake(NOT_TLS.to_owned()),
                );
            }
            (ServerTls::Plain, None, Content::Tls(..)) if server.routing == Routing::Http => {
                return stopped(
                    "does not use TLS on this port",
                    ConnectionOutcome::Ended(ConnectionEnd::NotTls),
                );
            }
            (ServerTls::Plain | ServerTls::Passthrough, None, content) => (None, content),
            (ServerTls::IstioMutual, Some(wrap), content) => match wrap.identity {
                Some(peer) => (Some(peer), content),
                None => {
                    return stopped(
                        wanted,
                        ConnectionOutcome::Ended(ConnectionEnd::CertificateRequired),
                    );
                }
            },
            (ServerTls::IstioMutual, None, Content::Tls(..)) => {
                return stopped(
                    wanted,
                    ConnectionOutcome::Ended(ConnectionEnd::CertificateRequired),
                );
            }
            (ServerTls::Mutual, wrap, content) => {
                // Whether the server accepts the caller's certificate depends on secrets that are not read.
                self.taints(gateway.object.clone(), "spec.servers.tls.credentialName");
                (wrap.and_then(|wrap| wrap.identity), content)
            }
            (ServerTls::Simple, Some(_), content) | (ServerTls::Passthrough, Some(_), content) => {
                (None, content)
            }
            (ServerTls::Simple, None, Content::Tls(message, name)) => {
                (None, Content::Tls(message, name))
            }
            (ServerTls::Simple | ServerTls::IstioMutual, None, Content::Http(..)) => {
                return stopped(
                    "accepts only TLS, and the connection is plaintext",
                    ConnectionOutcome::Ended(ConnectionEnd::Closed),
                );
            }
        };
        let tls = match server.tls {
            ServerTls::Plain => "in plaintext",
            ServerTls::IstioMutual => "in mutual TLS of the mesh",
            _ => "in TLS, which it terminates",
        };
        let because = format_args!("its server on port {} accepts it, {tls}", server.port);
        self.hop(
            at.place,
            &at.pod.object,
            DecisionBuilder::passes(Some(&gateway.object), because),
        );
        let (message, opened) = match (sends, content) {
            (None, Content::Http(message, _)) => (message, None),
            // The caller's own TLS ends here, with a certificate of the gateway that is assumed to match its hosts.
            (None, Content::Tls(message, name)) if server.tls == ServerTls::Simple => {
                (message, Some(name))
            }
            (None, Content::Tls(..)) => {
                return ConnectionReport::at_once(ConnectionOutcome::Ended(ConnectionEnd::NotTls));
            }
            (Some((of, destination)), content) => {
                let (content, opened) = match content {
                    Content::Tls(message, name) if server.tls == ServerTls::Simple => {
                        (Content::Http(message, "HTTP/1.1"), Some(name))
                    }
                    content => (content, None),
                };
                let carried = Connection::bare(content);
                let heard = self.streams_on(at, &of.object, destination, carried, peer);
                return heard.opened(opened);
            }
        };
        self.asks(at, gateway, server, message, peer).opened(opened)
    }

    /// An HTTP request: policies first, then routes.
    fn asks(
        &mut self,
        at: &ReceivedAt<'_, 's>,
        gateway: &'s Gateway,
        server: &'s Server,
        mut message: HttpRequest,
        peer: Option<Peer>,
    ) -> ConnectionReport {
        if let Some(refused) = self.refuses_tunnel(at, &message) {
            return refused;
        }
        self.normalizes(&mut message);
        self.marked(at, &mut message, peer.as_ref());
        let chains = at.proxy_state.chains(at.pod, at.local.port);
        let make = || Routes::of_gateway(&at.proxy_state.scope, &chains.together(gateway, server));
        let routes = at.proxy_state.routes(RouteOwner::Server(server), make);
        let route = routes.find(None, &message, "http");
        if let Err(denied) = self.lets_in(at, Some(&message), peer.as_ref()) {
            let mut line = at.line(Some(&message));
            if let Route::Rule(placed, _) = &route {
                let to = placed.destination();
                let cluster = || to.and_then(|to| cluster_name(at, to, server.port));
                line.write(|line| line.cluster = cluster().unwrap_or_default());
            }
            return at.replies(&message.method, &LocalReply::denied(&denied.details), line);
        }
        if server.redirects {
            let because = "redirects plain HTTP to HTTPS (httpsRedirect)";
            self.hop(
                at.place,
                &at.pod.object,
                DecisionBuilder::stops(Some(&gateway.object), because),
            );
            let mut heard = at.replies(
                &message.method,
                &LocalReply::direct(301, ""),
                at.line(Some(&message)),
            );
            if let ConnectionOutcome::Answer(answer) = &mut heard.outcome {
                let location = format!("https://{}{}", message.authority, message.path);
                answer.headers.insert(0, ("location".to_owned(), location));
            }
            return heard;
        }
        let (by, because) = match route {
            Route::Rule(placed, meets) => {
                return self.follows(at, placed, meets, message, server.port);
            }
            Route::Unmet(by) => (
                Some(by),
                format_args!("no rule for {} matches this request", message.authority),
            ),
            _ => (
                None,
                format_args!(
                    "no VirtualService for {} routes {} here",
                    gateway.object, message.authority
                ),
            ),
        };
        let others = || unbound(at, gateway, &message.authority);
        self.hop(
            at.place,
            &at.pod.object,
            DecisionBuilder::stops(by, because).after(&others),
        );
        at.replies(
            &message.method,
            &LocalReply::no_route(),
            at.line(Some(&message)),
        )
    }

    /// The headers that a gateway adds to a request: its origin and its caller. The digest of the caller's certificate is
    /// omitted because it differs from run to run.
    fn marked(&self, at: &ReceivedAt, message: &mut HttpRequest, peer: Option<&Peer>) {
        let came = message.header("x-forwarded-for").map(str::to_owned);
        let remote = at.remote.to_string();
        message.set(
            "x-forwarded-for",
            &came.map_or(remote.clone(), |came| format!("{came},{remote}")),
        );
        message.set(
            "x-forwarded-proto",
            if at.server_name.is_empty() {
                "http"
            } else {
                "https"
            },
        );
        message.remove("x-forwarded-client-cert");
        message.set("x-envoy-attempt-count", "1");
        if let Some(peer) = peer {
            let own = at.pod.identity(&self.evaluator.snapshot.mesh.trust_domain);
            let value = format!("By={own};Subject=\"\";URI=spiffe://{peer}");
            message.set("x-forwarded-client-cert", &value);
        }
    }

    /// Forwards a connection by a rule, if policies allow it.
    fn streams_on(
        &mut self,
        at: &ReceivedAt<'_, 's>,
        by: &'s Object,
        destination: &'s Destination,
        carried: Connection,
        peer: Option<Peer>,
    ) -> ConnectionReport {
        let port = destination.port.unwrap_or(at.local.port);
        if let Err(denied) = self.lets_in(at, None, peer.as_ref()) {
            let mut line = at.line(None);
            line.write(|line| {
                line.termination = denied.details;
                line.received = super::stream::HELLO;
                line.cluster = cluster_name(at, destination, port).unwrap_or_default();
                let (host, subset) = (&destination.host, &destination.subset);
                let upstream = at.proxy_state.upstream(host, port, subset).ok();
                // Envoy connects before the first bytes are authorized.
                let place = upstream
                    .and_then(|upstream| upstream.place(self.evaluator, at.pod, at.local).ok());
                line.upstream = place.map(|place| SocketAddr::new(place.address, place.port));
                line.upstream_local = at.pod.address.filter(|_| place.is_some());
            });
            return ConnectionReport {
                lines: line.alone(),
                ..ConnectionReport::at_once(ConnectionOutcome::Ended(ConnectionEnd::Closed))
            };
        }
        let because = format_args!("sends connections on to {}:{port}", destination.host);
        self.hop(
            at.place,
            &at.pod.object,
            DecisionBuilder::passes(Some(by), because),
        );
        self.passes_on(at, &destination.host, port, &destination.subset, carried)
    }
}

/// The name of the cluster of a destination, if it exists.
fn cluster_name<'s>(
    at: &ReceivedAt<'_, 's>,
    destination: &'s Destination,
    otherwise: u16,
) -> Option<String> {
    let port = destination.port.unwrap_or(otherwise);
    let (host, subset) = (&destination.host, &destination.subset);
    let upstream = at.proxy_state.upstream(host, port, subset).ok()?;
    Some(upstream.to_string())
}

/// VirtualServices for a host that do not route it at a gateway, and why not.
fn unbound(at: &ReceivedAt, gateway: &Gateway, authority: &str) -> Others {
    let scope = &at.proxy_state.scope;
    let name = gateway.name();
    let host = without_port(authority).to_ascii_lowercase();
    let about = scope
        .snapshot
        .virtual_services
        .iter()
        .filter(|each| each.hosts.iter().any(|own| within(own, &host)));
    let why = about.map(|each| {
        let own = &each.object.namespace;
        let why = match () {
            () if !each.is_for(&name) => format!("does not apply to gateway {name}"),
            () if !each.export.reaches(own, &scope.namespace) => {
                format!("is not exported to {}", scope.namespace)
            }
            () => "has no rule for this gateway and port".to_owned(),
        };
        (each.object.clone(), why)
    });
    why.collect()
}
