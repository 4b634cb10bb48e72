//! A sidecar and the traffic of its application: which listener accepts it, and where it is sent.

use super::Simulation;
use super::connection::{Connection, ConnectionEnd, ConnectionOutcome, ConnectionReport, Content};
use super::decision::DecisionBuilder;
use super::filter_chains::ForwardingRule;
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
use crate::virtual_service::HttpRequest;

impl<'s> Simulation<'_, 's> {
    /// A pod's connection, which its sidecar accepts.
    pub(super) fn leaves(
        &mut self,
        pod: &Pod,
        to: UpstreamTarget,
        carried: Connection,
    ) -> ConnectionReport {
        let evaluator = self.evaluator;
        self.by_proxy = true;
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
        self.notes_mesh();
        let listening = proxy_state.listeners(to.port);
        match (listening.find(to, carried.server_name()), &carried.content) {
            (Listener::Http(of), Content::Http(message, _)) => {
                self.routes(&at, of, message.clone())
            }
            (Listener::Service(service, port, rule), _) => {
                self.streams_to(&at, service, port, rule, carried)
            }
            (Listener::Http(_) | Listener::Unknown, _) => self.unknown_connection(&at, carried),
        }
    }

    /// An HTTP request, by the routes of the port; by those of one service alone, if its listener is that service's.
    fn routes(
        &mut self,
        at: &ReceivedAt<'_, 's>,
        of: Option<&'s Service>,
        mut message: HttpRequest,
    ) -> ConnectionReport {
        let port = at.local.port;
        if let Some(refused) = self.refuses_tunnel(at, &message) {
            return refused;
        }
        let routes = at.proxy_state.routes(RouteOwner::Port(port), || {
            Routes::of_sidecar(&at.proxy_state.scope, port)
        });
        self.normalizes(&mut message);
        message.set("x-forwarded-proto", "http");
        match routes.find(of.map(|service| service.host.as_str()), &message, "http") {
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

    /// A connection to a service: by a rule of a VirtualService for it, otherwise to the service itself.
    fn streams_to(
        &mut self,
        at: &ReceivedAt<'_, 's>,
        service: &'s Service,
        port: &'s Port,
        rule: Option<ForwardingRule<'s>>,
        carried: Connection,
    ) -> ConnectionReport {
        let number = port.number;
        match rule {
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
