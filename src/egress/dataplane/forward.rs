//! What a proxy does with a request after routing: it forwards, retries, sends a local reply, and logs.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use super::Simulation;
use super::connection::{Connection, ConnectionOutcome, ConnectionReport, Content};
use super::decision::DecisionBuilder;
use super::local_reply::{BrokenConnection, LocalReply, REFUSED, handed_on};
use super::log_line::LogLineBuilder;
use super::proxy_state::ProxyState;
use super::upstream::{Upstream, UpstreamTarget};
use crate::log::AccessLogLine;
use crate::pod::Pod;
use crate::trace::{self, HttpAnswer};
use crate::virtual_service::{Destination, HttpRequest, HttpRetry};

/// A proxy and the traffic that it received.
pub struct ReceivedAt<'p, 's> {
    /// The pod of the proxy.
    pub pod: &'p Pod,
    /// The state of the proxy.
    pub proxy_state: &'p ProxyState<'s>,
    /// Sidecar or gateway.
    pub place: trace::HopLocation,
    /// The address that the caller connected to, as the proxy sees it.
    pub local: UpstreamTarget,
    /// The address of the caller.
    pub remote: IpAddr,
    /// The SNI of the caller's handshake; empty for none.
    pub server_name: String,
    /// The origin of the request, according to its headers.
    pub forwarded_for: Option<IpAddr>,
    /// The HTTP version of the caller.
    pub version: &'static str,
    /// Whether a reader needs the log lines and the texts of local replies.
    pub tells: bool,
}

impl ReceivedAt<'_, '_> {
    /// A log line with what is known on arrival of the request or connection.
    pub fn line(&self, message: Option<&HttpRequest>) -> LogLineBuilder {
        let text = |get: fn(&HttpRequest) -> &str| message.map(get).unwrap_or_default().to_owned();
        LogLineBuilder::new(self.tells, || AccessLogLine {
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
            // In lower case, as recent versions write it.
            server_name: self.server_name.to_ascii_lowercase(),
            route: String::new(),
        })
    }

    /// A local reply, with its log line.
    pub fn replies(
        &self,
        method: &str,
        reply: &LocalReply,
        mut line: LogLineBuilder,
    ) -> ConnectionReport {
        let answer = match self.tells {
            true => reply.answer(method),
            false => HttpAnswer::bare(reply.status),
        };
        line.write(|line| {
            line.status = reply.status;
            line.flags = reply.flags;
            line.details = reply.details.clone().into_owned();
            line.transport_failure = reply.transport.clone().into_owned();
            line.sent = answer.body.len() as u64;
        });
        ConnectionReport {
            lines: line.alone(),
            ..ConnectionReport::at_once(ConnectionOutcome::Answer(answer))
        }
    }

    /// Passes an upstream's answer on.
    pub fn hands_on(&self, answer: HttpAnswer, millis: u64) -> ConnectionOutcome {
        ConnectionOutcome::Answer(match self.tells {
            true => handed_on(answer, millis),
            false => answer,
        })
    }
}

/// Which failures are retried, and how often.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy<'r> {
    attempts: u32,
    on: &'r str,
}

impl<'r> RetryPolicy<'r> {
    /// No retries.
    pub fn never() -> RetryPolicy<'r> {
        RetryPolicy {
            attempts: 0,
            on: "",
        }
    }

    /// The policy of a rule, or the default. `unavailable`: whether a 503 is among the defaults.
    pub fn of(rule: Option<&'r HttpRetry>, unavailable: bool) -> RetryPolicy<'r> {
        let default = match unavailable {
            true => "connect-failure,refused-stream,unavailable,cancelled,503",
            false => "connect-failure,refused-stream,unavailable,cancelled",
        };
        let on = rule
            .map(|rule| rule.on.as_str())
            .filter(|on| !on.is_empty());
        RetryPolicy {
            attempts: rule.map_or(2, |rule| rule.attempts),
            on: on.unwrap_or(default),
        }
    }

    /// Whether any of these reasons is retried.
    fn on(&self, reasons: &[&str]) -> bool {
        let mut named = self.on.split(',').map(str::trim);
        self.attempts > 0 && named.any(|name| reasons.contains(&name))
    }

    fn after_break(&self, broken: &BrokenConnection) -> bool {
        match broken {
            BrokenConnection::Ended => {
                self.on(&["5xx", "gateway-error", "reset", "reset-before-request"])
            }
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

/// A request to a cluster.
pub struct UpstreamRequest<'s> {
    /// The request.
    pub message: HttpRequest,
    /// The host.
    pub host: &'s str,
    /// The host's port.
    pub port: u16,
    /// The subset; empty for none.
    pub subset: &'s str,
    /// The retry policy.
    pub again: RetryPolicy<'s>,
    /// The time limit for the answer.
    pub timeout: Option<Duration>,
    /// The names of the route's rule and match.
    pub route: RouteName<'s>,
}

/// Istio names a route after its rule and match.
#[derive(Debug, Clone, Copy, Default)]
pub struct RouteName<'s> {
    /// The name of the rule; empty for none.
    pub rule: &'s str,
    /// The name of the match; empty for none.
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

impl<'s> UpstreamRequest<'s> {
    /// A request to a destination of a rule: on the port that the destination names, otherwise on the host's only port,
    /// otherwise on the caller's.
    pub fn to(
        at: &ReceivedAt,
        destination: &'s Destination,
        otherwise: u16,
        message: HttpRequest,
        again: RetryPolicy<'s>,
    ) -> UpstreamRequest<'s> {
        let only = at
            .proxy_state
            .scope
            .service(&destination.host)
            .map(|service| &service.ports[..]);
        let port = match (destination.port, only) {
            (Some(port), _) => port,
            (None, Some([only])) => only.number,
            (None, _) => otherwise,
        };
        UpstreamRequest {
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

impl<'s> Simulation<'_, 's> {
    /// Sends a request to a cluster, including the retries.
    pub(super) fn sends(
        &mut self,
        at: &ReceivedAt<'_, 's>,
        sending: UpstreamRequest<'s>,
    ) -> ConnectionReport {
        let mut line = at.line(Some(&sending.message));
        line.write(|line| line.route = sending.route.to_string());
        let method = sending.message.method.clone();
        let upstream = match self.cluster(at, sending.host, sending.port, sending.subset) {
            Some(upstream) => upstream,
            None => return at.replies(&method, &LocalReply::no_cluster(), line),
        };
        line.write(|line| line.cluster = upstream.to_string());
        let Some(place) = self.endpoint(at, &upstream) else {
            return at.replies(&method, &LocalReply::no_endpoint(), line);
        };
        let carried = self.wrapped(
            at,
            &upstream,
            place,
            Content::Http(sending.message, upstream.version()),
        );
        line.write(|line| line.upstream = Some(SocketAddr::new(place.address, place.port)));
        let tried = self.goes(at.pod, place, carried);
        let patience = upstream.patience(self.evaluator.snapshot.mesh.connect_timeout);
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

    /// Sends a request to its original destination.
    pub(super) fn lets_go(
        &mut self,
        at: &ReceivedAt<'_, 's>,
        message: &HttpRequest,
        route: &str,
    ) -> ConnectionReport {
        let mut line = at.line(Some(message));
        line.write(|line| {
            line.route = route.to_owned();
            line.cluster = "PassthroughCluster".to_owned();
            line.upstream = Some(line.local);
        });
        let content = Content::Http(message.clone(), "HTTP/1.1");
        let tried = self.goes(at.pod, at.local, Connection::bare(content));
        let patience = self.evaluator.snapshot.mesh.connect_timeout;
        concluded(
            at,
            &message.method,
            line,
            tried,
            patience,
            &RetryPolicy::never(),
            None,
        )
    }

    /// The cluster, if it exists.
    pub(super) fn cluster(
        &mut self,
        at: &ReceivedAt<'_, 's>,
        host: &'s str,
        port: u16,
        subset: &'s str,
    ) -> Option<Rc<Upstream<'s>>> {
        self.meets_rules(at, host);
        match at.proxy_state.upstream(host, port, subset) {
            Ok(upstream) => {
                self.meets_service(at.pod, upstream.service);
                Some(upstream)
            }
            Err(missing) => {
                let decision = DecisionBuilder::stops(missing.by(), missing);
                self.hop(at.place, &at.pod.object, decision);
                None
            }
        }
    }

    /// An endpoint of a cluster, if it has any.
    pub(super) fn endpoint(
        &mut self,
        at: &ReceivedAt<'_, 's>,
        upstream: &Upstream<'s>,
    ) -> Option<UpstreamTarget> {
        match upstream.place(self.evaluator, at.pod, at.local) {
            Ok(place) => Some(place),
            Err(because) => {
                let decision = DecisionBuilder::stops(Some(&upstream.service.object), because);
                self.hop(at.place, &at.pod.object, decision);
                None
            }
        }
    }

    /// The content for an endpoint, in the TLS that its cluster requires.
    pub(super) fn wrapped(
        &mut self,
        at: &ReceivedAt<'_, 's>,
        upstream: &Upstream<'s>,
        place: UpstreamTarget,
        content: Content,
    ) -> Connection {
        let to = self.evaluator.pod_at(place.address);
        let authority = match &content {
            Content::Http(message, _) => &message.authority,
            Content::Tls(..) => "",
        };
        let (wrap, how) = upstream.wrap(self.evaluator, at.pod, to, authority);
        let because = format_args!("cluster {upstream} is {place}, {how}");
        let by = upstream.rule.unwrap_or(&upstream.service.object);
        let service = upstream.service;
        let others = service.merged.iter().chain(upstream.rules.iter().copied());
        for object in std::iter::once(&service.object).chain(others) {
            match wrap.is_some() {
                true => self.notes_of_tls(object),
                false => self.notes(object),
            }
        }
        self.hop(
            at.place,
            &at.pod.object,
            DecisionBuilder::passes(Some(by), because),
        );
        Connection { wrap, content }
    }
}

/// Why an attempt gave no answer, if it gave none.
fn broken(outcome: &ConnectionOutcome) -> Option<BrokenConnection> {
    match outcome {
        ConnectionOutcome::Answer(_) => None,
        ConnectionOutcome::Dropped => Some(BrokenConnection::TimedOut),
        ConnectionOutcome::Refused => Some(BrokenConnection::Failed(REFUSED.to_owned())),
        ConnectionOutcome::Handshake(why) => Some(BrokenConnection::Failed(why.clone())),
        ConnectionOutcome::Ended(_) | ConnectionOutcome::Opened(..) => {
            Some(BrokenConnection::Ended)
        }
    }
}

/// The result of a request whose attempts all have the same outcome, with its log lines.
fn concluded(
    at: &ReceivedAt,
    method: &str,
    mut line: LogLineBuilder,
    tried: ConnectionReport,
    patience: Duration,
    again: &RetryPolicy<'_>,
    timeout: Option<Duration>,
) -> ConnectionReport {
    let broken = broken(&tried.outcome);
    let retried = match (&broken, &tried.outcome) {
        (Some(broken), _) => again.after_break(broken),
        (None, ConnectionOutcome::Answer(answer)) => again.after_status(answer.status),
        _ => false,
    };
    let tries = if retried { again.attempts + 1 } else { 1 };
    let each = tried.waits
        + if broken == Some(BrokenConnection::TimedOut) {
            patience
        } else {
            Duration::ZERO
        };
    let waits = each * tries;
    let mut lines: Vec<AccessLogLine> = (0..tries)
        .flat_map(|number| delayed(&tried.lines, each * number))
        .collect();
    if let Some(limit) = timeout.filter(|limit| *limit < waits) {
        abandoned(&mut lines, limit);
        line.write(|line| line.duration = limit);
        let late = at.replies(method, &LocalReply::late(), line);
        return with(
            ConnectionReport {
                waits: limit,
                ..late
            },
            lines,
        );
    }
    line.write(|line| line.duration = waits);
    let answer = match (broken, tried.outcome) {
        (None, ConnectionOutcome::Answer(answer)) => answer,
        (broken, _) => {
            let broken = broken.unwrap_or(BrokenConnection::Ended);
            line.write(|line| {
                line.upstream_local = at.pod.address.filter(|_| broken == BrokenConnection::Ended);
            });
            let reply = at.replies(method, &LocalReply::broken(&broken, retried), line);
            return with(ConnectionReport { waits, ..reply }, lines);
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
    ConnectionReport {
        outcome: at.hands_on(answer, millis),
        waits,
        lines: line.before(lines),
    }
}

/// Adds the log lines of proxies further along the path.
pub fn with(heard: ConnectionReport, further: Vec<AccessLogLine>) -> ConnectionReport {
    let lines = heard.lines.into_iter().chain(further).collect();
    ConnectionReport { lines, ..heard }
}

/// The lines of a connection that begins later.
pub fn delayed(lines: &[AccessLogLine], by: Duration) -> Vec<AccessLogLine> {
    let later = |line: &AccessLogLine| AccessLogLine {
        after: line.after + by,
        ..line.clone()
    };
    lines.iter().map(later).collect()
}

/// The lines when the caller disconnects after `limit`. The texts are Envoy's; not recorded.
pub fn abandoned(lines: &mut Vec<AccessLogLine>, limit: Duration) {
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
