//! What a proxy does with a request once it knows where to: sends it on, tries again, answers by itself, logs.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use super::Walk;
use super::carried::{Carried, Content, Heard, Outcome};
use super::decision::Decision;
use super::destination::{Place, Upstream};
use super::draft::Draft;
use super::reply::{Broken, REFUSED, Reply, handed_on};
use super::sight::Sight;
use crate::account::{self, Answer};
use crate::log::Line;
use crate::pod::Pod;
use crate::virtual_service::{Destination, Message, Retries};

/// A proxy with what came to it.
pub struct At<'p, 's> {
    /// Its pod.
    pub pod: &'p Pod,
    /// What it sees.
    pub sight: &'p Sight<'s>,
    /// Sidecar or gateway.
    pub place: account::Place,
    /// Where the caller connected to, as the proxy sees it.
    pub local: Place,
    /// The caller.
    pub remote: IpAddr,
    /// The name that the caller's handshake asked for; empty for none.
    pub server_name: String,
    /// Where the request comes from, as its headers say.
    pub forwarded_for: Option<IpAddr>,
    /// The version of HTTP that the caller speaks.
    pub version: &'static str,
    /// Whether somebody reads what it logs and the words of what it answers.
    pub tells: bool,
}

impl At<'_, '_> {
    /// A log line with what is known when the request or connection comes.
    pub fn line(&self, message: Option<&Message>) -> Draft {
        let text = |get: fn(&Message) -> &str| message.map(get).unwrap_or_default().to_owned();
        Draft::new(self.tells, || Line {
            pod: self.pod.object.clone(),
            after: Duration::ZERO,
            http: message.map(|message| {
                let path = message.original_path.as_ref().unwrap_or(&message.path);
                (message.method.clone(), path.clone(), self.version)
            }),
            status: 0,
            flags: "",
            details: String::new(),
            termination: String::new(),
            transport_failure: String::new(),
            received: message.map_or(0, |message| message.body),
            sent: 0,
            duration: Duration::ZERO,
            service_time: None,
            forwarded_for: message.and(self.forwarded_for),
            agent: text(|message| message.header("user-agent").unwrap_or_default()),
            authority: text(|message| &message.authority),
            upstream: None,
            cluster: String::new(),
            upstream_local: None,
            local: SocketAddr::new(self.local.address, self.local.port),
            remote: self.remote,
            // As recent versions write it.
            server_name: self.server_name.to_ascii_lowercase(),
            route: String::new(),
        })
    }

    /// A reply of its own, logged.
    pub fn replies(&self, method: &str, reply: &Reply, mut line: Draft) -> Heard {
        let answer = match self.tells {
            true => reply.answer(method),
            false => Answer::bare(reply.status),
        };
        line.write(|line| {
            line.status = reply.status;
            line.flags = reply.flags;
            line.details = reply.details.clone().into_owned();
            line.transport_failure = reply.transport.clone().into_owned();
            line.sent = answer.body.len() as u64;
        });
        Heard {
            lines: line.alone(),
            ..Heard::at_once(Outcome::Answer(answer))
        }
    }

    /// An answer of another's, handed on.
    pub fn hands_on(&self, answer: Answer, millis: u64) -> Outcome {
        Outcome::Answer(match self.tells {
            true => handed_on(answer, millis),
            false => answer,
        })
    }
}

/// What is tried again, and how often.
#[derive(Debug, Clone, Copy)]
pub struct Again<'r> {
    attempts: u32,
    on: &'r str,
}

impl<'r> Again<'r> {
    /// Nothing.
    pub fn never() -> Again<'r> {
        Again {
            attempts: 0,
            on: "",
        }
    }

    /// As a rule says, or by default. `unavailable`: whether a 503 is among the defaults.
    pub fn of(rule: Option<&'r Retries>, unavailable: bool) -> Again<'r> {
        let default = match unavailable {
            true => "connect-failure,refused-stream,unavailable,cancelled,503",
            false => "connect-failure,refused-stream,unavailable,cancelled",
        };
        let on = rule
            .map(|rule| rule.on.as_str())
            .filter(|on| !on.is_empty());
        Again {
            attempts: rule.map_or(2, |rule| rule.attempts),
            on: on.unwrap_or(default),
        }
    }

    /// Whether it is tried again on any of these.
    fn on(&self, reasons: &[&str]) -> bool {
        let mut named = self.on.split(',').map(str::trim);
        self.attempts > 0 && named.any(|name| reasons.contains(&name))
    }

    fn after_break(&self, broken: &Broken) -> bool {
        match broken {
            Broken::Ended => self.on(&["5xx", "gateway-error", "reset", "reset-before-request"]),
            _ => self.on(&["connect-failure", "5xx", "gateway-error", "reset"]),
        }
    }

    fn after_status(&self, status: u16) -> bool {
        let number = status.to_string();
        self.on(&[number.as_str()])
            || (status >= 500 && self.on(&["5xx"]))
            || ((502..=504).contains(&status) && self.on(&["gateway-error"]))
            || (status == 409 && self.on(&["retriable-4xx"]))
            || (status == 503 && self.on(&["retriable-status-codes"]))
    }
}

/// A request that is to be sent to a cluster.
pub struct Sending<'s> {
    /// The request.
    pub message: Message,
    /// The host.
    pub host: &'s str,
    /// The host's port.
    pub port: u16,
    /// The subset; empty for none.
    pub subset: &'s str,
    /// What is tried again.
    pub again: Again<'s>,
    /// How long the answer may take.
    pub timeout: Option<Duration>,
    /// The names of the route's rule and match.
    pub route: RouteName<'s>,
}

/// Istio names a route after its rule and match.
#[derive(Debug, Clone, Copy, Default)]
pub struct RouteName<'s> {
    /// The rule's; empty for none.
    pub rule: &'s str,
    /// The match's; empty for none.
    pub meets: &'s str,
}

impl fmt::Display for RouteName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.rule, self.meets) {
            ("", _) => Ok(()),
            (rule, "") => f.write_str(rule),
            (rule, meets) => write!(f, "{rule}.{meets}"),
        }
    }
}

impl<'s> Sending<'s> {
    /// To a destination of a rule, on the port that it names; else on the host's only one, else on the caller's.
    pub fn to(
        at: &At,
        destination: &'s Destination,
        otherwise: u16,
        message: Message,
        again: Again<'s>,
    ) -> Sending<'s> {
        let only = at
            .sight
            .view
            .service(&destination.host)
            .map(|service| &service.ports[..]);
        let port = match (destination.port, only) {
            (Some(port), _) => port,
            (None, Some([only])) => only.number,
            (None, _) => otherwise,
        };
        Sending {
            message,
            host: &destination.host,
            port,
            subset: &destination.subset,
            again,
            timeout: None,
            route: RouteName::default(),
        }
    }
}

impl<'s> Walk<'_, 's> {
    /// Sends a request to a cluster, as often as it takes.
    pub(super) fn sends(&mut self, at: &At<'_, 's>, sending: Sending<'s>) -> Heard {
        let mut line = at.line(Some(&sending.message));
        line.write(|line| line.route = sending.route.to_string());
        let method = sending.message.method.clone();
        let upstream = match self.cluster(at, sending.host, sending.port, sending.subset) {
            Some(upstream) => upstream,
            None => return at.replies(&method, &Reply::no_cluster(), line),
        };
        line.write(|line| line.cluster = upstream.to_string());
        let Some(place) = self.endpoint(at, &upstream) else {
            return at.replies(&method, &Reply::no_endpoint(), line);
        };
        let carried = self.wrapped(
            at,
            &upstream,
            place,
            Content::Http(sending.message, upstream.version()),
        );
        line.write(|line| line.upstream = Some(SocketAddr::new(place.address, place.port)));
        let tried = self.reaches(at.pod, place, carried);
        let patience = upstream.patience(self.stage.scene.mesh.connect_timeout);
        concluded(
            at,
            &method,
            line,
            tried,
            patience,
            &sending.again,
            sending.timeout,
        )
    }

    /// Sends a request where its caller meant it to go.
    pub(super) fn lets_go(&mut self, at: &At<'_, 's>, message: &Message, route: &str) -> Heard {
        let mut line = at.line(Some(message));
        line.write(|line| {
            line.route = route.to_owned();
            line.cluster = "PassthroughCluster".to_owned();
            line.upstream = Some(line.local);
        });
        let content = Content::Http(message.clone(), "HTTP/1.1");
        let tried = self.goes(at.pod, at.local, Carried::bare(content));
        let patience = self.stage.scene.mesh.connect_timeout;
        concluded(
            at,
            &message.method,
            line,
            tried,
            patience,
            &Again::never(),
            None,
        )
    }

    /// The cluster, if it is there.
    pub(super) fn cluster(
        &mut self,
        at: &At<'_, 's>,
        host: &'s str,
        port: u16,
        subset: &'s str,
    ) -> Option<Rc<Upstream<'s>>> {
        match at.sight.upstream(host, port, subset) {
            Ok(upstream) => Some(upstream),
            Err(missing) => {
                let decision = Decision::stops(missing.by, missing.because);
                self.hop(at.place, &at.pod.object, decision);
                None
            }
        }
    }

    /// One of a cluster's endpoints, if it has any.
    pub(super) fn endpoint(&mut self, at: &At<'_, 's>, upstream: &Upstream<'s>) -> Option<Place> {
        match upstream.place(self.stage, at.pod, at.local) {
            Ok(place) => Some(place),
            Err(because) => {
                let decision = Decision::stops(Some(&upstream.service.object), because);
                self.hop(at.place, &at.pod.object, decision);
                None
            }
        }
    }

    /// What is sent to an endpoint, in the TLS that is for it.
    pub(super) fn wrapped(
        &mut self,
        at: &At<'_, 's>,
        upstream: &Upstream<'s>,
        place: Place,
        content: Content,
    ) -> Carried {
        let to = self.stage.pod_at(place.address);
        let authority = match &content {
            Content::Http(message, _) => &message.authority,
            Content::Tls(..) => "",
        };
        let (wrap, how) = upstream.wrap(self.stage, at.pod, to, authority);
        let because = format_args!("cluster {upstream} is {place}, {how}");
        let by = upstream.rule.unwrap_or(&upstream.service.object);
        self.notes(&upstream.service.object);
        self.hop(
            at.place,
            &at.pod.object,
            Decision::passes(Some(by), because),
        );
        Carried { wrap, content }
    }
}

/// Why a try gave no answer, if it gave none.
fn broken(outcome: &Outcome) -> Option<Broken> {
    match outcome {
        Outcome::Answer(_) => None,
        Outcome::Dropped => Some(Broken::TimedOut),
        Outcome::Refused => Some(Broken::Failed(REFUSED.to_owned())),
        Outcome::Handshake(why) => Some(Broken::Failed(why.clone())),
        Outcome::Ended(_) | Outcome::Opened(..) => Some(Broken::Ended),
    }
}

/// What a proxy makes of a try that is like all others, and logs.
fn concluded(
    at: &At,
    method: &str,
    mut line: Draft,
    tried: Heard,
    patience: Duration,
    again: &Again<'_>,
    timeout: Option<Duration>,
) -> Heard {
    let broken = broken(&tried.outcome);
    let retried = match (&broken, &tried.outcome) {
        (Some(broken), _) => again.after_break(broken),
        (None, Outcome::Answer(answer)) => again.after_status(answer.status),
        _ => false,
    };
    let tries = if retried { again.attempts + 1 } else { 1 };
    let each = tried.waits
        + if broken == Some(Broken::TimedOut) {
            patience
        } else {
            Duration::ZERO
        };
    let waits = each * tries;
    let mut lines: Vec<Line> = (0..tries)
        .flat_map(|number| delayed(&tried.lines, each * number))
        .collect();
    if let Some(limit) = timeout.filter(|limit| *limit < waits) {
        abandoned(&mut lines, limit);
        line.write(|line| line.duration = limit);
        let late = at.replies(method, &Reply::late(), line);
        return with(
            Heard {
                waits: limit,
                ..late
            },
            lines,
        );
    }
    line.write(|line| line.duration = waits);
    let answer = match (broken, tried.outcome) {
        (None, Outcome::Answer(answer)) => answer,
        (broken, _) => {
            let broken = broken.unwrap_or(Broken::Ended);
            line.write(|line| {
                line.upstream_local = at.pod.address.filter(|_| broken == Broken::Ended);
            });
            let reply = at.replies(method, &Reply::broken(&broken, retried), line);
            return with(Heard { waits, ..reply }, lines);
        }
    };
    let millis = u64::try_from(waits.as_millis()).unwrap_or(u64::MAX);
    line.write(|line| {
        line.status = answer.status;
        line.flags = if retried { "URX" } else { "" };
        line.details = "via_upstream".to_owned();
        line.sent = answer.body.len() as u64;
        line.service_time = Some(millis);
        line.upstream_local = at.pod.address;
    });
    Heard {
        outcome: at.hands_on(answer, millis),
        waits,
        lines: line.before(lines),
    }
}

/// With the lines of those further on.
pub fn with(heard: Heard, further: Vec<Line>) -> Heard {
    let lines = heard.lines.into_iter().chain(further).collect();
    Heard { lines, ..heard }
}

/// Lines of what begins later.
pub fn delayed(lines: &[Line], by: Duration) -> Vec<Line> {
    let later = |line: &Line| Line {
        after: line.after + by,
        ..line.clone()
    };
    lines.iter().map(later).collect()
}

/// Lines as they are when whoever asked first goes after `limit`. The words are Envoy's; no record.
pub fn abandoned(lines: &mut Vec<Line>, limit: Duration) {
    lines.retain(|line| line.after < limit);
    for line in lines
        .iter_mut()
        .filter(|line| line.after + line.duration > limit)
    {
        line.duration = limit.saturating_sub(line.after);
        line.flags = "DC";
        line.sent = 0;
        line.service_time = None;
        line.transport_failure.clear();
        if let Some((_, _, version)) = &line.http {
            line.status = 0;
            line.details = match *version {
                "HTTP/2" => "http2.remote_reset".to_owned(),
                _ => "downstream_remote_disconnect".to_owned(),
            };
        }
    }
}
