//! A sidecar with what its application sends: which listener takes it, and where that sends it.

use super::Walk;
use super::carried::{Carried, Content, End, Heard, Outcome};
use super::decision::Decision;
use super::destination::Place;
use super::forward::{Again, At, RouteName, Sending};
use super::hidden::hidden;
use super::listeners::Listener;
use super::reply::Reply;
use super::routes::{Route, Routes};
use super::sight::RoutesOf;
use crate::account;
use crate::pod::Pod;
use crate::service::{Port, Service};
use crate::sidecar::OutboundPolicy;
use crate::virtual_service::{Destination, MESH, Message, VirtualService, When};

impl<'s> Walk<'_, 's> {
    /// A pod's connection, which its sidecar takes.
    pub(super) fn leaves(&mut self, pod: &Pod, to: Place, carried: Carried) -> Heard {
        let stage = self.stage;
        let sight = stage.sight(pod);
        let remote = pod.address.unwrap_or(to.address);
        let at = At {
            pod,
            sight: &sight,
            place: account::Place::Sidecar,
            local: to,
            remote,
            server_name: carried.server_name().unwrap_or_default().to_owned(),
            forwarded_for: None,
            version: "HTTP/1.1",
            tells: stage.tells,
        };
        if let Some(sidecar) = sight.view.sidecar {
            self.notes(&sidecar.object);
        }
        let secure = matches!(carried.content, Content::Tls(..));
        match (sight.listeners(to.port).find(to, secure), &carried.content) {
            (Listener::Http, Content::Http(message, _)) => self.routes(&at, message.clone()),
            (Listener::Http, Content::Tls(..)) => {
                let because =
                    format_args!("port {} is one of HTTP in clear, and TLS comes", to.port);
                self.hop(at.place, &pod.object, Decision::stops(None, because));
                // What comes back is an answer in clear; from Envoy's source, no record.
                Heard::at_once(Outcome::Ended(End::NotTls))
            }
            (Listener::Service(service, port), _) => self.streams_to(&at, service, port, carried),
            (Listener::ServerName, _) => self.goes_by_name(&at, carried),
            (Listener::Unknown, _) => self.unknown_connection(&at, carried),
        }
    }

    /// A request of HTTP, by the routes of the port.
    fn routes(&mut self, at: &At<'_, 's>, mut message: Message) -> Heard {
        let port = at.local.port;
        let routes = at.sight.routes(RoutesOf::Port(port), || {
            Routes::of_sidecar(&at.sight.view, port)
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
                    Decision::passes(Some(&service.object), because),
                );
                let sending = Sending {
                    host: &service.host,
                    port,
                    subset: "",
                    again: Again::of(None, self.stage.scene.mesh.retries_unavailable()),
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
                let because = format_args!(
                    "none of the rules for {} is for this request",
                    message.authority
                );
                self.hop(at.place, &at.pod.object, Decision::stops(Some(by), because));
                at.replies(&message.method, &Reply::no_route(), at.line(Some(&message)))
            }
            Route::Unknown => {
                let name = message.authority.clone();
                match self.lets_unknown(at, &name) {
                    true => self.lets_go(at, &message, "allow_any"),
                    false => {
                        let mut line = at.line(Some(&message));
                        line.write(|line| line.route = "block_all".to_owned());
                        at.replies(&message.method, &Reply::direct(502, ""), line)
                    }
                }
            }
        }
    }

    /// A connection that no listener is for.
    fn unknown_connection(&mut self, at: &At<'_, 's>, carried: Carried) -> Heard {
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
        Heard {
            lines: line.alone(),
            ..Heard::at_once(Outcome::Ended(End::Reset))
        }
    }

    /// Whether what is not known may go where it was meant to; with those who know the host and are not seen from here.
    fn lets_unknown(&mut self, at: &At<'_, 's>, name: &str) -> bool {
        let view = &at.sight.view;
        let (policy, by) = view.policy();
        let allowed = policy == OutboundPolicy::AllowAny;
        let port = at.local.port;
        let does = match allowed {
            true => "lets go what it does not know (ALLOW_ANY)",
            false => "refuses what it does not know (REGISTRY_ONLY)",
        };
        let because = format_args!("{name}:{port} is unknown to it, and it {does}");
        let decision = match allowed {
            true => Decision::passes(by, because),
            false => Decision::stops(by, because),
        };
        let others = || hidden(view, name, port);
        self.hop(at.place, &at.pod.object, decision.after(&others));
        allowed
    }

    /// A connection of TLS, by the name that it asks for.
    fn goes_by_name(&mut self, at: &At<'_, 's>, carried: Carried) -> Heard {
        let port = at.local.port;
        let name = at.server_name.to_ascii_lowercase();
        let Some(service) = at.sight.listeners(port).named(&name) else {
            return self.unknown_connection(at, carried);
        };
        match service.port(port) {
            Some(port) => self.streams_to(at, service, port, carried),
            None => self.unknown_connection(at, carried),
        }
    }

    /// A connection to a service: by a rule of a VirtualService for it, else to the service itself.
    fn streams_to(
        &mut self,
        at: &At<'_, 's>,
        service: &'s Service,
        port: &'s Port,
        carried: Carried,
    ) -> Heard {
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
                    Decision::passes(Some(&of.object), because),
                );
                let sending =
                    Sending::to(at, destination, number, Message::default(), Again::never());
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
                    Decision::passes(Some(&service.object), because),
                );
                self.passes_on(at, &service.host, number, "", carried)
            }
        }
    }
}

/// The rule for connections to a service's port, and where it sends.
fn stream_rule<'s>(
    at: &At<'_, 's>,
    service: &Service,
    port: u16,
) -> Option<(&'s VirtualService, &'s Destination)> {
    let view = &at.sight.view;
    let name = at.server_name.to_ascii_lowercase();
    let holds = |when: &When| when.holds(MESH, port, &view.namespace, &view.labels);
    for each in view
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
