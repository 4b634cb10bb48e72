//! What a proxy does with a connection that it does not look into: passes it on, and logs how that ended.

use std::net::SocketAddr;
use std::time::Duration;

use super::Walk;
use super::carried::{Carried, End, Heard, Outcome};
use super::draft::Draft;
use super::forward::At;
use super::reply::REFUSED;

/// Bytes of a client's first message of TLS, of what it sends of a small request, and of what comes back. As in the record; they
/// depend on certificates and libraries.
pub const HELLO: u64 = 517;
const SENT_IN_TLS: u64 = 718;
const RECEIVED_IN_TLS: u64 = 2057;

impl<'s> Walk<'_, 's> {
    /// Passes a connection on to a cluster's endpoint as it is.
    pub(super) fn passes_on(
        &mut self,
        at: &At<'_, 's>,
        host: &'s str,
        port: u16,
        subset: &'s str,
        carried: Carried,
    ) -> Heard {
        let mut line = at.line(None);
        let failed = |mut line: Draft, flags| {
            line.write(|line| line.flags = flags);
            Heard {
                lines: line.alone(),
                ..Heard::at_once(Outcome::Ended(End::Reset))
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
        let heard = self.reaches(at.pod, place, carried);
        let patience = upstream.patience(self.stage.scene.mesh.connect_timeout);
        streamed(at, line, heard, patience)
    }

    /// Passes a connection on to where its caller meant it to go.
    pub(super) fn lets_through(&mut self, at: &At<'_, 's>, carried: Carried) -> Heard {
        let mut line = at.line(None);
        line.write(|line| {
            line.cluster = "PassthroughCluster".to_owned();
            line.upstream = Some(line.local);
        });
        let heard = self.goes(at.pod, at.local, carried);
        streamed(at, line, heard, self.stage.scene.mesh.connect_timeout)
    }
}

/// What a proxy makes of a connection that it passed on, and logs.
fn streamed(at: &At, mut line: Draft, heard: Heard, patience: Duration) -> Heard {
    let failed = |mut line: Draft, transport: &str, waits, further| {
        line.write(|line| {
            line.flags = "UF,URX";
            line.transport_failure = transport.to_owned();
            line.duration = waits;
        });
        Heard {
            outcome: Outcome::Ended(End::Reset),
            waits,
            lines: line.before(further),
        }
    };
    let (received, sent, outcome) = match heard.outcome {
        Outcome::Dropped => return failed(line, "", heard.waits + patience, heard.lines),
        Outcome::Refused => return failed(line, REFUSED, heard.waits, heard.lines),
        Outcome::Handshake(why) => return failed(line, &why, heard.waits, heard.lines),
        // That the other end has gone reaches the caller as an orderly end.
        Outcome::Ended(End::Reset) => (HELLO, 0, Outcome::Ended(End::Closed)),
        Outcome::Ended(end) => (HELLO, 0, Outcome::Ended(end)),
        Outcome::Opened(names, answer) => {
            (SENT_IN_TLS, RECEIVED_IN_TLS, Outcome::Opened(names, answer))
        }
        Outcome::Answer(answer) => (0, answer.body.len() as u64, Outcome::Answer(answer)),
    };
    line.write(|line| {
        line.received = received;
        line.sent = sent;
        line.duration = heard.waits;
        line.upstream_local = at.pod.address;
    });
    Heard {
        outcome,
        waits: heard.waits,
        lines: line.before(heard.lines),
    }
}
