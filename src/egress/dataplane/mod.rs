//! Traces a request through a snapshot, hop by hop.
//!
//! The same steps serve every forwarder: an application's own connection, a sidecar, a gateway. A forwarder chooses the
//! destination (`sidecar`, `gateway`), opens the connection (`network`), and hands it to the receiver (`gateway`, `inbound`,
//! `server`). `forward` turns the result into what a proxy answers and logs. A retry has the same outcome as the first
//! attempt, so one attempt is traced and counted as many times as it is made.

mod authorize;
mod capture;
mod connection;
pub(crate) mod decision;
mod endpoint;
mod evaluator;
mod filter_chains;
mod forward;
mod gateway;
mod inbound;
mod listeners;
pub(crate) mod local_reply;
mod log_line;
mod network;
mod proxy_state;
mod routes;
mod rule;
mod server;
mod sidecar;
mod stream;
mod taint;
#[cfg(test)]
mod taint_tests;
mod upstream;
mod upstream_tls;
mod visibility;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::time::Duration;

use connection::{Connection, ConnectionEnd, ConnectionOutcome, Content};
use decision::{Decides, DecisionBuilder};
pub use evaluator::Evaluator;

use super::firewall::Direction;
use super::internet::vouches;
use super::object::{Object, Unknown};
use super::pod::{Pod, Proxy};
use super::request::{Request, Scheme};
use super::snapshot::Snapshot;
use super::trace::{self, CallerOutcome, Failure, Hop, Trace};
use super::virtual_service::HttpRequest;

/// How long a system tries to connect: six repeated SYNs, the last after a minute (Linux' `tcp_syn_retries`).
const SYSTEM_PATIENCE: Duration = Duration::from_secs(127);
/// The maximum depth of nested connections before the routes are reported as a loop.
const DEEPEST: usize = 5;
/// How long a resolver waits for a server that does not answer: two tries of five seconds, for each of two address types.
const RESOLVER_PATIENCE: Duration = Duration::from_secs(20);

/// The state of one traced request.
pub(super) struct Simulation<'w, 's> {
    evaluator: &'w Evaluator<'s>,
    hops: Vec<Hop>,
    unknown: BTreeSet<Unknown>,
    received: Vec<(String, String)>,
    /// The number of nested open connections.
    depth: usize,
    /// Whether the connection under way was opened by a proxy.
    by_proxy: bool,
    /// Whether the request may carry a token: a header or a parameter that the caller adds.
    tokens: bool,
}

impl Snapshot {
    /// Traces a request.
    pub fn trace(&self, request: &Request) -> Trace {
        Evaluator::new(self, true).trace(request)
    }
}

impl Evaluator<'_> {
    /// Traces a request.
    pub fn trace(&self, request: &Request) -> Trace {
        let pod = self.snapshot.pod(&request.from);
        self.trace_of(&pod, request)
    }

    /// Traces a request of this pod.
    pub(super) fn trace_of(&self, pod: &Pod, request: &Request) -> Trace {
        let mut simulation = Simulation {
            evaluator: self,
            hops: Vec::new(),
            unknown: BTreeSet::new(),
            received: Vec::new(),
            depth: 0,
            by_proxy: false,
            tokens: tokens(request),
        };
        simulation.begins(pod);
        let to = match simulation.finds(pod, request) {
            Ok(to) => to,
            Err((failure, waits)) => {
                return simulation.ends(
                    request,
                    CallerOutcome::Failure(failure),
                    waits,
                    None,
                    Vec::new(),
                );
            }
        };
        let carried = Connection::bare(content(request));
        let heard = simulation.opens(pod, to, carried);
        let patience = match simulation.by_proxy {
            // The sidecar accepts every connection at once.
            true => Duration::ZERO,
            false => request
                .connect_timeout
                .unwrap_or(SYSTEM_PATIENCE)
                .min(SYSTEM_PATIENCE),
        };
        let got = got(heard.outcome, request);
        let waits = match got {
            CallerOutcome::Failure(Failure::TimedOut) => patience,
            _ => heard.waits,
        };
        let connected = match got {
            CallerOutcome::Failure(Failure::TimedOut | Failure::Refused) => None,
            _ => Some(to.address),
        };
        simulation.ends(request, got, waits, connected, heard.lines)
    }
}

impl<'s> Simulation<'_, 's> {
    /// Records a hop, and what is not covered of the object that decided.
    fn hop(&mut self, place: trace::HopLocation, name: impl Display, decided: impl Decides) {
        if let Some(by) = decided.by() {
            self.notes(by);
        }
        self.hops.extend(self.evaluator.hop(place, name, decided));
    }

    /// Records the pod that sends the request.
    fn begins(&mut self, pod: &Pod) {
        self.meets_unread();
        // Also the packets that ask for a name.
        self.meets_packets(pod, Direction::Egress, None, 53);
        let snapshot = self.evaluator.snapshot;
        if pod.pool.is_none() && !snapshot.pools.is_empty() && !snapshot.outside_vpc {
            // Its node determines which firewall rules apply.
            self.taints(pod.object.clone(), "spec.nodeName");
        }
        if !self.evaluator.tells {
            return;
        }
        let namespace = Object::new("Namespace", "", pod.namespace());
        let there = snapshot.namespaces.contains_key(pod.namespace());
        let because = match (pod.proxy, there) {
            (Proxy::Sidecar, _) => {
                format!("its connections go through its sidecar: {}", pod.because)
            }
            (Proxy::Gateway, _) => {
                "is a gateway itself: its own connections go through no sidecar".to_owned()
            }
            (Proxy::Absent, true) => format!("has no sidecar: {}", pod.because),
            (Proxy::Absent, false) => {
                "its namespace was not found, so it counts as one without labels".to_owned()
            }
        };
        self.hop(
            trace::HopLocation::Client,
            &pod.object,
            DecisionBuilder::passes(there.then_some(&namespace), because),
        );
    }

    fn ends(
        self,
        request: &Request,
        got: CallerOutcome,
        waits: Duration,
        connected: Option<std::net::IpAddr>,
        lines: Vec<super::log::AccessLogLine>,
    ) -> Trace {
        let mut account = Trace {
            hops: self.hops,
            got,
            waits,
            connected,
            received: self.received,
            lines,
            unknown: self.unknown.into_iter().collect(),
        };
        if let Some(limit) = request.max_time.filter(|limit| *limit < account.waits) {
            account.got = CallerOutcome::Failure(Failure::TimedOut);
            account.waits = limit;
            forward::abandoned(&mut account.lines, limit);
        }
        account
    }
}

/// Whether a request may carry a token: RFC 6750 allows for a header and a parameter, and a policy may name others.
fn tokens(request: &Request) -> bool {
    let usual = [
        "host",
        "user-agent",
        "accept",
        "content-type",
        "content-length",
    ];
    let own =
        |(name, _): &(String, String)| !usual.iter().any(|usual| name.eq_ignore_ascii_case(usual));
    request.path.contains('?') || request.headers.iter().any(own)
}

/// What the application sends.
fn content(request: &Request) -> Content {
    let headers = request
        .headers
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("host"));
    let message = HttpRequest {
        method: request.method.clone(),
        path: request.path.clone(),
        original_path: None,
        authority: request.authority(),
        headers: headers.cloned().collect(),
        body: request.body as u64,
    };
    // SNI contains a name, never an address (RFC 6066).
    let is_address = request.host.parse::<std::net::IpAddr>().is_ok();
    match request.scheme {
        Scheme::Http => Content::Http(message, "HTTP/1.1"),
        Scheme::Https if is_address => Content::Tls(message, String::new()),
        // curl leaves the trailing dot of a full name out.
        Scheme::Https => Content::Tls(message, request.host.trim_end_matches('.').to_owned()),
    }
}

/// The caller's result for the outcome of its connection.
fn got(outcome: ConnectionOutcome, request: &Request) -> CallerOutcome {
    let tls = request.scheme == Scheme::Https;
    let failure = match (outcome, tls) {
        (ConnectionOutcome::Answer(answer), false) => return CallerOutcome::Answer(answer),
        (ConnectionOutcome::Opened(names, answer), _) => {
            let name = &request.host.trim_end_matches('.').to_owned();
            if request.insecure || vouches(&names, name) || names.contains(name) {
                return CallerOutcome::Answer(answer);
            }
            Failure::CertificateRefused
        }
        (ConnectionOutcome::Answer(_) | ConnectionOutcome::Ended(ConnectionEnd::NotTls), true) => {
            Failure::NotTls
        }
        (ConnectionOutcome::Dropped, _) => Failure::TimedOut,
        (ConnectionOutcome::Refused, _) => Failure::Refused,
        // The server shows its own certificate first, which is of the mesh's authority and not of one that curl trusts.
        (ConnectionOutcome::Ended(ConnectionEnd::CertificateRequired), _) if !request.insecure => {
            Failure::CertificateRefused
        }
        (ConnectionOutcome::Ended(ConnectionEnd::CertificateRequired), _) => {
            Failure::CertificateRequired
        }
        (ConnectionOutcome::Ended(ConnectionEnd::Closed), true) => Failure::TlsClosed,
        (ConnectionOutcome::Ended(ConnectionEnd::Closed | ConnectionEnd::NotTls), false) => {
            Failure::EmptyReply
        }
        (
            ConnectionOutcome::Ended(ConnectionEnd::Reset) | ConnectionOutcome::Handshake(_),
            true,
        ) => Failure::TlsReset,
        (
            ConnectionOutcome::Ended(ConnectionEnd::Reset) | ConnectionOutcome::Handshake(_),
            false,
        ) => Failure::Reset,
    };
    CallerOutcome::Failure(failure)
}
