//! A sidecar and the traffic of its application: which listener accepts it, and where it is sent.

use super::Simulation;
use super::connection::{Connection, ConnectionEnd, ConnectionOutcome, ConnectionReport, Content};
use super::decision::DecisionBuilder;
use super::forward::{ReceivedAt, RetryPolicy, RouteName, UpstreamRequest};
use super::listeners::Listener;
use super::local_reply::LocalReply;
use super::proxy_state::RouteOwner;
use super::routes::{Route, Routes};
use super::upstream::UpstreamTarget;
use super::visibility::hidden;
use crate::pod::Pod;
use crate::service::{Port, Service};
use crate::sidecar::OutboundPolicy;
use crate::trace;
use crate::unsupported::Role;
use crate::virtual_service::{Destination, HttpRequest, MESH, MatchScope, VirtualService};

impl<'s> Simulation<'_, 's> {
    /// A pod's connection, which its sidecar accepts.
    pub(super) fn leaves(
        &mut self,
        pod: &Pod,
        to: UpstreamTarget,
        carried: Connection,
    ) -> ConnectionReport {
        let evaluator = self.evaluator;
        let proxy_state = evaluator.proxy_state(pod);
        let remote = pod.address.unwrap_or(to.address);
        let at = ReceivedAt {
            pod,
            proxy_state: &proxy_state,
            place: trace::HopLocation::Sidecar,
            local: to,
            remote,
            server_name: carried.server_name().unwrap_or_default().to_owned(),
            forwarded_for: None,
            version: "HTTP/1.1",
            tells: evaluator.tells,
        };
        self.meets_proxy(pod, Role::Outbound);
        self.meets_routes(&at, carried.host(), Role::Outbound);
        if let Some(sidecar) = proxy_state.scope.sidecar {
            self.notes(&sidecar.object);
        }
        let secure = matches!(carried.content, Content::Tls(..));
        match (
            proxy_state.listeners(to.port).find(to, secure),
            &carried.content,
        ) {
            (Listener::Http, Content::Http(message, _)) => self.routes(&at, message.clone()),
            (Listener::Http, Content::Tls(..)) => {
                let because =
                    format_args!("port {} is plain HTTP, and the connection is TLS", to.port);
                self.hop(at.place, &pod.object, DecisionBuilder::stops(None, because));
                // The reply is in plain text; from Envoy's source, not recorded.
                ConnectionReport::at_once(ConnectionOutcome::Ended(ConnectionEnd::NotTls))
            }
            (Listener::Service(service, port), _) => self.streams_to(&at, service, port, carried),
            (Listener::ServerName, _) => self.goes_by_name(&at, carried),
            (Listener::Unknown, _) => self.unknown_connection(&at, carried),
        }
    }

    /// An HTTP request, by the routes of the port.
    fn routes(&mut self, at: &ReceivedAt<'_, 's>, mut message: HttpRequest) -> ConnectionReport {
        let port = at.local.port;
        let routes = at.proxy_state.routes(RouteOwner::Port(port), || {
            Routes::of_sidecar(&at.proxy_state.scope, port)
        });
        message.set("x-forwarded-proto", "http");
        match routes.find(&message, "http") {
            Route::Rule(placed, meets) => self.follows(at, placed, meets, message, port),
            Route::Service(service) => {
                let because = format_args!(
                    "no VirtualService routes {}, so it goes to the service itself",
                    message.authority
                );
                self.hop(
                    at.place,
                    &at.pod.object,
                    DecisionBuilder::passes(Some(&service.object), because),
                );
                let sending = UpstreamRequest {
                    host: &service.host,
                    port,
                    subset: "",
                    again: RetryPolicy::of(
                        None,
                        self.evaluator.snapshot.mesh.retries_unavailable(),
                    ),
                    timeout: None,
                    route: RouteName {
                        rule: "default",
                        meets: "",
                    },
                    message,
                };
                self.sends(at, sending)
            }
            Route::Unmet(by) => {
                let because =
                    format_args!("no rule for {} matches this request", message.authority);
                self.hop(
                    at.place,
                    &at.pod.object,
                    DecisionBuilder::stops(Some(by), because),
                );
                at.replies(
                    &message.method,
                    &LocalReply::no_route(),
                    at.line(Some(&message)),
                )
            }
            Route::Unknown => {
                let name = message.authority.clone();
                match self.lets_unknown(at, &name) {
                    true => self.lets_go(at, &message, "allow_any"),
                    false => {
                        let mut line = at.line(Some(&message));
                        line.write(|line| line.route = "block_all".to_owned());
                        at.replies(&message.method, &LocalReply::direct(502, ""), line)
                    }
                }
            }
        }
    }

    /// A connection without a matching listener.
    fn unknown_connection(
        &mut self,
        at: &ReceivedAt<'_, 's>,
        carried: Connection,
    ) -> ConnectionReport {
        let name = match &carried.content {
            Content::Tls(_, name) if !name.is_empty() => name.clone(),
            Content::Http(message, _) => message.authority.clone(),
            Content::Tls(..) => at.local.to_string(),
        };
        if self.lets_unknown(at, &name) {
            return self.lets_through(at, carried);
        }
        let mut line = at.line(None);
        line.write(|line| {
            line.flags = "UH";
            line.cluster = "BlackHoleCluster".to_owned();
        });
        ConnectionReport {
            lines: line.alone(),
            ..ConnectionReport::at_once(ConnectionOutcome::Ended(ConnectionEnd::Reset))
        }
    }

    /// Whether an unknown destination is passed through; the decision lists the objects that define the host and are not
    /// visible here.
    fn lets_unknown(&mut self, at: &ReceivedAt<'_, 's>, name: &str) -> bool {
        let scope = &at.proxy_state.scope;
        let (policy, by) = scope.policy();
        let allowed = policy == OutboundPolicy::AllowAny;
        let port = at.local.port;
        let does = match allowed {
            true => "allows unknown hosts (ALLOW_ANY)",
            false => "refuses unknown hosts (REGISTRY_ONLY)",
        };
        let because = format_args!("{name}:{port} is unknown to it, and it {does}");
        let decision = match allowed {
            true => DecisionBuilder::passes(by, because),
            false => DecisionBuilder::stops(by, because),
        };
        let others = || hidden(scope, name, port);
        self.hop(at.place, &at.pod.object, decision.after(&others));
        allowed
    }

    /// A TLS connection, routed by its SNI.
    fn goes_by_name(&mut self, at: &ReceivedAt<'_, 's>, carried: Connection) -> ConnectionReport {
        let port = at.local.port;
        let name = at.server_name.to_ascii_lowercase();
        let Some(service) = at.proxy_state.listeners(port).named(&name) else {
            return self.unknown_connection(at, carried);
        };
        match service.port(port) {
            Some(port) => self.streams_to(at, service, port, carried),
            None => self.unknown_connection(at, carried),
        }
    }

    /// A connection to a service: by a rule of a VirtualService for it, otherwise to the service itself.
    fn streams_to(
        &mut self,
        at: &ReceivedAt<'_, 's>,
        service: &'s Service,
        port: &'s Port,
        carried: Connection,
    ) -> ConnectionReport {
        let number = port.number;
        match stream_rule(at, service, number) {
            Some((of, destination)) => {
                let because = format_args!(
                    "sends connections for {} to {}",
                    service.host, destination.host
                );
                self.hop(
                    at.place,
                    &at.pod.object,
                    DecisionBuilder::passes(Some(&of.object), because),
                );
                let sending = UpstreamRequest::to(
                    at,
                    destination,
                    number,
                    HttpRequest::default(),
                    RetryPolicy::never(),
                );
                self.passes_on(at, sending.host, sending.port, sending.subset, carried)
            }
            None => {
                let because = format_args!(
                    "no VirtualService routes connections for {}, so they go to the service itself",
                    service.host
                );
                self.hop(
                    at.place,
                    &at.pod.object,
                    DecisionBuilder::passes(Some(&service.object), because),
                );
                self.passes_on(at, &service.host, number, "", carried)
            }
        }
    }
}

/// The rule for connections to a service's port, and its destination.
fn stream_rule<'s>(
    at: &ReceivedAt<'_, 's>,
    service: &Service,
    port: u16,
) -> Option<(&'s VirtualService, &'s Destination)> {
    let scope = &at.proxy_state.scope;
    let name = at.server_name.to_ascii_lowercase();
    let holds = |when: &MatchScope| when.holds(MESH, port, &scope.namespace, &scope.labels);
    for each in scope
        .about(&service.host)
        .into_iter()
        .filter(|each| each.is_for(MESH))
    {
        let by_name = each
            .tls
            .iter()
            .find(|rule| rule.is_for(&name, holds))
            .map(|rule| &rule.route);
        let by_port = each
            .tcp
            .iter()
            .find(|rule| rule.here(holds))
            .map(|rule| &rule.route);
        if let Some(destination) = by_name.or(by_port).and_then(|route| route.first()) {
            return Some((each, destination));
        }
    }
    None
}
