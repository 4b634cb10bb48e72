//! The end of the path: applications in pods, and hosts outside the cluster.

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr};

use super::Simulation;
use super::connection::{Connection, ConnectionEnd, ConnectionOutcome, ConnectionReport, Content};
use super::decision::DecisionBuilder;
use super::local_reply::{NOT_TLS, WRONG_NAME};
use super::network::is_metadata_server;
use super::upstream::{UpstreamTarget, target};
use crate::internet::{self, InternetListener};
use crate::object::Object;
use crate::pod::Pod;
use crate::service::{Endpoints, Port, Protocol, Service};
use crate::trace::{self, HttpAnswer};
use crate::virtual_service::HttpRequest;

/// How a server handles a connection.
struct ServerListener {
    speaks: InternetListener,
    /// The names of its certificate, if they differ from the requested name.
    names: Option<Vec<String>>,
}

impl Simulation<'_, '_> {
    /// An application in a pod. No object states what it serves, so it is assumed to serve what the services that select the
    /// pod declare, and to answer every request with 200.
    pub(super) fn enters_pod(
        &mut self,
        pod: &Pod,
        to: UpstreamTarget,
        carried: Connection,
    ) -> ConnectionReport {
        let services = &self.evaluator.snapshot.services;
        let ports = services
            .iter()
            .filter(|service| service.selects(pod.namespace(), &pod.labels))
            .flat_map(|service| &service.ports);
        let here: Vec<&Port> = ports
            .filter(|port| target(port, Some(pod)) == Some(to.port))
            .collect();
        let tls = here.iter().any(|port| port.protocol == Protocol::Tls);
        if here.is_empty() && !pod.declared.contains(&to.port) {
            // Whether anything listens there is stated nowhere.
            self.taints(pod.object.clone(), "spec.containers.ports");
        }
        let listening = ServerListener {
            speaks: if tls {
                InternetListener::Https
            } else {
                InternetListener::Http
            },
            names: None,
        };
        self.serves(&pod.object, &listening, carried, &|_, _| HttpAnswer {
            status: 200,
            headers: vec![("content-length".to_owned(), "0".to_owned())],
            body: String::new(),
        })
    }

    /// A host outside the cluster.
    pub(super) fn enters_host(
        &mut self,
        from: &Pod,
        to: UpstreamTarget,
        carried: Connection,
    ) -> ConnectionReport {
        let ranges = &self.evaluator.snapshot.ranges;
        let control_plane = matches!(to.address, std::net::IpAddr::V4(address) if ranges.control_plane.contains(&address));
        let speaks = match to.port {
            80 if is_metadata_server(to.address) => InternetListener::Http,
            // It drops connections to its other ports, whatever a ServiceEntry names.
            _ if is_metadata_server(to.address) => InternetListener::Nobody,
            443 if control_plane => InternetListener::Https,
            80 | 443 if internet::public(to.address) => internet::serves(to.port),
            _ => self.served_outside(from, to),
        };
        if speaks == InternetListener::Nobody {
            self.hop(
                trace::HopLocation::Server,
                to,
                DecisionBuilder::stops(None, "no server is known to listen there"),
            );
            if !self.is_of_cluster(to) && !is_metadata_server(to.address) {
                // Whether packets are dropped, refused or answered is not known.
                self.taints(Object::new("address", "", &to.to_string()), "");
            }
            return ConnectionReport::at_once(ConnectionOutcome::Dropped);
        }
        let names = control_plane.then(|| {
            [
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc",
                "kubernetes.default.svc.cluster.local",
            ]
            .map(str::to_owned)
            .to_vec()
        });
        let name = carried.server_name().filter(|name| !name.is_empty());
        let name = match (&carried.content, name) {
            (_, Some(name)) => name.to_owned(),
            (Content::Http(message, _), None) => message.authority.clone(),
            (Content::Tls(..), None) => to.to_string(),
        };
        let address = from.address;
        let answers = |message: &HttpRequest, tls: bool| match control_plane {
            // The API server rejects a caller without credentials.
            true => HttpAnswer {
                status: 401,
                headers: Vec::new(),
                body: String::new(),
            },
            false => internet::answer(&internet::InternetRequest {
                host: &message.authority,
                tls,
                method: &message.method,
                path: &message.path,
                headers: &message.headers,
                from: address,
            }),
        };
        let takes = match &carried.content {
            Content::Http(message, _) | Content::Tls(message, _) => internet::takes(
                crate::host::without_port(&message.authority),
                message.bare_path(),
            ),
        };
        let mut heard = self.serves(&name, &ServerListener { speaks, names }, carried, &answers);
        if matches!(
            heard.outcome,
            ConnectionOutcome::Answer(_) | ConnectionOutcome::Opened(..)
        ) {
            heard.waits += takes;
        }
        heard
    }

    /// Whether an address is in a range of the cluster, in which every server is known.
    fn is_of_cluster(&self, to: UpstreamTarget) -> bool {
        let ranges = &self.evaluator.snapshot.ranges;
        let own = [
            ranges.nodes,
            ranges.pods,
            ranges.services,
            ranges.control_plane,
        ];
        let within = |address: &Ipv4Addr| own.iter().any(|range| range.contains(address));
        match to.address {
            IpAddr::V4(address) => within(&address) || is_metadata_server(to.address),
            IpAddr::V6(_) => false,
        }
    }

    /// What listens on a port outside the cluster that a ServiceEntry, or an endpoint of a Service, names: it is taken as served.
    /// Of the internet's hosts, the port suffices; another address has to be named too.
    fn served_outside(&self, from: &Pod, to: UpstreamTarget) -> InternetListener {
        let evaluator = self.evaluator;
        let public = internet::public(to.address);
        let is = |text: &str| match text.parse::<IpAddr>() {
            Ok(address) => to.address == address,
            Err(_) if text.contains('*') => false,
            Err(_) => evaluator
                .resolve(from, text)
                .addresses
                .contains(&to.address),
        };
        let names = |service: &Service, port: &Port| {
            let listed = match service.endpoints_of(port) {
                Endpoints::Listed(listed) | Endpoints::Dns(listed) => listed.as_slice(),
                _ => &[],
            };
            let mut own = listed.iter().filter(|each| {
                each.ports.get(&port.name).copied().or(target(port, None)) == Some(to.port)
            });
            if own.any(|each| public && !service.kubernetes || is(&each.address)) {
                return true;
            }
            if service.kubernetes
                || ![Some(port.number), target(port, None)].contains(&Some(to.port))
            {
                return false;
            }
            public
                || service
                    .addresses
                    .iter()
                    .any(|range| range.contains(&to.address))
                || listed.is_empty() && is(&service.host)
        };
        let services = evaluator.snapshot.services.iter();
        let ports =
            services.flat_map(|service| service.ports.iter().map(move |port| (service, port)));
        let mut named = ports.filter(|(service, port)| names(service, port));
        match named.next() {
            None => InternetListener::Nobody,
            Some((_, port)) if port.protocol == Protocol::Tls => InternetListener::Https,
            Some(_) => InternetListener::Either,
        }
    }

    /// Accepts a connection, terminates its TLS, if there is any, and answers.
    fn serves(
        &mut self,
        name: &dyn Display,
        listening: &ServerListener,
        carried: Connection,
        answers: &dyn Fn(&HttpRequest, bool) -> HttpAnswer,
    ) -> ConnectionReport {
        let certificate = |server_name: &str| match &listening.names {
            Some(names) => names.clone(),
            None => internet::certificate(server_name),
        };
        let stopped = |simulation: &mut Self, because: &str, outcome| {
            simulation.hop(
                trace::HopLocation::Server,
                name,
                DecisionBuilder::stops(None, because),
            );
            ConnectionReport::at_once(outcome)
        };
        let tls = match listening.speaks {
            InternetListener::Https => true,
            InternetListener::Either => {
                carried.wrap.is_some() || matches!(carried.content, Content::Tls(..))
            }
            InternetListener::Http | InternetListener::Nobody => false,
        };
        let outcome = match (carried.wrap, carried.content) {
            (Some(_), _) if !tls => {
                return stopped(
                    self,
                    "it does not use TLS on this port",
                    ConnectionOutcome::Handshake(NOT_TLS.to_owned()),
                );
            }
            (Some(wrap), content) => {
                let names = certificate(&wrap.server_name);
                let refused = wrap.wants.is_some_and(|wanted| {
                    !internet::vouches(&names, &wanted) && !names.contains(&wanted)
                });
                match content {
                    _ if refused => {
                        return stopped(
                            self,
                            "its certificate is for another name",
                            ConnectionOutcome::Handshake(WRONG_NAME.to_owned()),
                        );
                    }
                    Content::Http(message, _) => {
                        ConnectionOutcome::Answer(self.answered(name, &message, true, answers))
                    }
                    Content::Tls(..) => {
                        return stopped(
                            self,
                            "it receives TLS inside TLS, but it expects an HTTP request",
                            ConnectionOutcome::Ended(ConnectionEnd::NotTls),
                        );
                    }
                }
            }
            (None, Content::Http(message, _)) if tls => {
                self.hop(
                    trace::HopLocation::Server,
                    name,
                    DecisionBuilder::passes(
                        None,
                        "it expects TLS, and refuses plain HTTP with an answer that says so",
                    ),
                );
                self.received = message.headers;
                ConnectionOutcome::Answer(internet::plain_to_tls())
            }
            (None, Content::Http(message, _)) => {
                ConnectionOutcome::Answer(self.answered(name, &message, false, answers))
            }
            (None, Content::Tls(..)) if !tls => {
                return stopped(
                    self,
                    "it does not use TLS on this port",
                    ConnectionOutcome::Ended(ConnectionEnd::NotTls),
                );
            }
            (None, Content::Tls(message, server_name)) => {
                let answer = self.answered(name, &message, true, answers);
                ConnectionOutcome::Opened(certificate(&server_name), answer)
            }
        };
        ConnectionReport::at_once(outcome)
    }

    fn answered(
        &mut self,
        name: &dyn Display,
        message: &HttpRequest,
        tls: bool,
        answers: &dyn Fn(&HttpRequest, bool) -> HttpAnswer,
    ) -> HttpAnswer {
        let answer = answers(message, tls);
        let how = if tls { "in TLS" } else { "in plaintext" };
        let because = format_args!("answers {} {how}", answer.status);
        self.hop(
            trace::HopLocation::Server,
            name,
            DecisionBuilder::passes(None, because),
        );
        if self.evaluator.tells {
            self.received.clone_from(&message.headers);
        }
        answer
    }
}
