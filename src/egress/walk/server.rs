//! At the end: programs in pods, and hosts outside the cluster.

use std::fmt::Display;

use super::Walk;
use super::carried::{Carried, Content, End, Heard, Outcome};
use super::decision::Decision;
use super::destination::Place;
use super::network::is_metadata_server;
use super::reply::{NOT_TLS, WRONG_NAME};
use crate::account::{self, Answer};
use crate::internet::{self, Listener};
use crate::pod::Pod;
use crate::service::Protocol;
use crate::virtual_service::Message;

/// What a server does with what comes.
struct Listening {
    speaks: Listener,
    /// Names of its certificate, if they are not those that it is asked for.
    names: Option<Vec<String>>,
}

impl Walk<'_, '_> {
    /// A program in a pod. What it serves no object says: it is taken to serve what the services that select the pod promise,
    /// and to answer every request with 200.
    pub(super) fn enters_pod(&mut self, pod: &Pod, to: Place, carried: Carried) -> Heard {
        let services = &self.stage.scene.services;
        let mut ports = services
            .iter()
            .filter(|service| service.selects(pod.namespace(), &pod.labels))
            .flat_map(|service| &service.ports);
        let tls = ports.any(|port| {
            port.protocol == Protocol::Tls && super::destination::target(port, Some(pod)) == to.port
        });
        let listening = Listening {
            speaks: if tls { Listener::Https } else { Listener::Http },
            names: None,
        };
        self.serves(&pod.object, &listening, carried, &|_, _| Answer {
            status: 200,
            headers: vec![("content-length".to_owned(), "0".to_owned())],
            body: String::new(),
        })
    }

    /// A host outside the cluster.
    pub(super) fn enters_host(&mut self, from: &Pod, to: Place, carried: Carried) -> Heard {
        let ranges = &self.stage.scene.ranges;
        let control_plane = matches!(to.address, std::net::IpAddr::V4(address) if ranges.control_plane.contains(&address));
        let speaks = match to.port {
            80 if is_metadata_server(to.address) => Listener::Http,
            443 if control_plane => Listener::Https,
            port if internet::public(to.address) => internet::serves(port),
            _ => Listener::Nobody,
        };
        if speaks == Listener::Nobody {
            self.hop(
                account::Place::Server,
                to,
                Decision::stops(None, "nobody is known to listen there"),
            );
            return Heard::at_once(Outcome::Dropped);
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
        let answers = |message: &Message, tls: bool| match control_plane {
            // Who shows the API server no credentials is not let in.
            true => Answer {
                status: 401,
                headers: Vec::new(),
                body: String::new(),
            },
            false => internet::answer(&internet::Asked {
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
        let mut heard = self.serves(&name, &Listening { speaks, names }, carried, &answers);
        if matches!(heard.outcome, Outcome::Answer(_) | Outcome::Opened(..)) {
            heard.waits += takes;
        }
        heard
    }

    /// Takes a connection up, opens what TLS there is, and answers.
    fn serves(
        &mut self,
        name: &dyn Display,
        listening: &Listening,
        carried: Carried,
        answers: &dyn Fn(&Message, bool) -> Answer,
    ) -> Heard {
        let certificate = |server_name: &str| match &listening.names {
            Some(names) => names.clone(),
            None => internet::certificate(server_name),
        };
        let stopped = |walk: &mut Self, because: &str, outcome| {
            walk.hop(account::Place::Server, name, Decision::stops(None, because));
            Heard::at_once(outcome)
        };
        let tls = listening.speaks == Listener::Https;
        let outcome = match (carried.wrap, carried.content) {
            (Some(_), _) if !tls => {
                return stopped(
                    self,
                    "it speaks no TLS on this port",
                    Outcome::Handshake(NOT_TLS.to_owned()),
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
                            Outcome::Handshake(WRONG_NAME.to_owned()),
                        );
                    }
                    Content::Http(message, _) => {
                        Outcome::Answer(self.answered(name, &message, true, answers))
                    }
                    Content::Tls(..) => {
                        return stopped(
                            self,
                            "TLS comes within TLS, and it expects a request",
                            Outcome::Ended(End::NotTls),
                        );
                    }
                }
            }
            (None, Content::Http(message, _)) if tls => {
                self.hop(
                    account::Place::Server,
                    name,
                    Decision::passes(None, "it expects TLS, and says so to what comes in clear"),
                );
                self.received = message.headers;
                Outcome::Answer(internet::plain_to_tls())
            }
            (None, Content::Http(message, _)) => {
                Outcome::Answer(self.answered(name, &message, false, answers))
            }
            (None, Content::Tls(..)) if !tls => {
                return stopped(
                    self,
                    "it speaks no TLS on this port",
                    Outcome::Ended(End::NotTls),
                );
            }
            (None, Content::Tls(message, server_name)) => {
                let answer = self.answered(name, &message, true, answers);
                Outcome::Opened(certificate(&server_name), answer)
            }
        };
        Heard::at_once(outcome)
    }

    fn answered(
        &mut self,
        name: &dyn Display,
        message: &Message,
        tls: bool,
        answers: &dyn Fn(&Message, bool) -> Answer,
    ) -> Answer {
        let answer = answers(message, tls);
        let how = if tls { "in TLS" } else { "in clear" };
        let because = format_args!("answers {} {how}", answer.status);
        self.hop(
            account::Place::Server,
            name,
            Decision::passes(None, because),
        );
        if self.stage.tells {
            self.received.clone_from(&message.headers);
        }
        answer
    }
}
