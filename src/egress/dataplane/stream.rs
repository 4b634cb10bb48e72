//! What a proxy does with a TCP connection that it does not inspect: it forwards it, and logs how it ended.

use std::net::SocketAddr;
use std::time::Duration;

use super::Simulation;
use super::connection::{Connection, ConnectionEnd, ConnectionOutcome, ConnectionReport};
use super::forward::ReceivedAt;
use super::local_reply::REFUSED;
use super::log_line::LogLineBuilder;

/// The sizes in bytes of a client's first TLS message, of what the client sends for a small request, and of what it receives.
/// As recorded; they depend on certificates and libraries.
pub const HELLO: u64 = 517;
const SENT_IN_TLS: u64 = 718;
const RECEIVED_IN_TLS: u64 = 2057;

impl<'s> Simulation<'_, 's> {
    /// Forwards a connection unchanged to a cluster's endpoint.
    pub(super) fn passes_on(
        &mut self,
        at: &ReceivedAt<'_, 's>,
        host: &'s str,
        port: u16,
        subset: &'s str,
        carried: Connection,
    ) -> ConnectionReport {
        let mut line = at.line(None);
        let failed = |mut line: LogLineBuilder, flags| {
            line.write(|line| line.flags = flags);
            ConnectionReport {
                lines: line.alone(),
                ..ConnectionReport::at_once(ConnectionOutcome::Ended(ConnectionEnd::Reset))
            }
        };
        let Some(upstream) = self.cluster(at, host, port, subset) else {
            return failed(line, "NC");
        };
        line.write(|line| line.cluster = upstream.to_string());
        let Some(place) = self.endpoint(at, &upstream) else {
            return failed(line, "UH");
        };
        let own = carried.wrap;
        let mut carried = self.wrapped(at, &upstream, place, carried.content);
        carried.wrap = carried.wrap.or(own);
        line.write(|line| line.upstream = Some(SocketAddr::new(place.address, place.port)));
        let heard = self.goes(at.pod, place, carried);
        let patience = upstream.patience(self.evaluator.snapshot.mesh.connect_timeout);
        streamed(at, line, heard, patience)
    }

    /// Passes a connection through to its original destination.
    pub(super) fn lets_through(
        &mut self,
        at: &ReceivedAt<'_, 's>,
        carried: Connection,
    ) -> ConnectionReport {
        let mut line = at.line(None);
        line.write(|line| {
            line.cluster = "PassthroughCluster".to_owned();
            line.upstream = Some(line.local);
        });
        let heard = self.goes(at.pod, at.local, carried);
        streamed(
            at,
            line,
            heard,
            self.evaluator.snapshot.mesh.connect_timeout,
        )
    }
}

/// The result of a forwarded connection, with its log line.
fn streamed(
    at: &ReceivedAt,
    mut line: LogLineBuilder,
    heard: ConnectionReport,
    patience: Duration,
) -> ConnectionReport {
    let failed = |mut line: LogLineBuilder, transport: &str, waits, further| {
        line.write(|line| {
            line.flags = "UF,URX";
            line.transport_failure = transport.to_owned();
            line.duration = waits;
        });
        ConnectionReport {
            outcome: ConnectionOutcome::Ended(ConnectionEnd::Reset),
            waits,
            lines: line.before(further),
        }
    };
    let (received, sent, outcome) = match heard.outcome {
        ConnectionOutcome::Dropped => return failed(line, "", heard.waits + patience, heard.lines),
        ConnectionOutcome::Refused => return failed(line, REFUSED, heard.waits, heard.lines),
        ConnectionOutcome::Handshake(why) => return failed(line, &why, heard.waits, heard.lines),
        // A reset by the upstream reaches the caller as an orderly close.
        ConnectionOutcome::Ended(ConnectionEnd::Reset) => {
            (HELLO, 0, ConnectionOutcome::Ended(ConnectionEnd::Closed))
        }
        ConnectionOutcome::Ended(end) => (HELLO, 0, ConnectionOutcome::Ended(end)),
        ConnectionOutcome::Opened(names, answer) => (
            SENT_IN_TLS,
            RECEIVED_IN_TLS,
            ConnectionOutcome::Opened(names, answer),
        ),
        ConnectionOutcome::Answer(answer) => (
            0,
            answer.body.len() as u64,
            ConnectionOutcome::Answer(answer),
        ),
    };
    line.write(|line| {
        line.received = received;
        line.sent = sent;
        line.duration = heard.waits;
        line.upstream_local = at.pod.address;
    });
    ConnectionReport {
        outcome,
        waits: heard.waits,
        lines: line.before(heard.lines),
    }
}
