//! The sidecar of a server: which TLS it accepts, and whether policies allow the request.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use super::Simulation;
use super::connection::{Connection, ConnectionEnd, ConnectionOutcome, ConnectionReport, Content};
use super::decision::DecisionBuilder;
use super::forward::ReceivedAt;
use super::local_reply::{HANDSHAKE_ENDED, LocalReply, WRONG_NAME};
use super::log_line::LogLineBuilder;
use super::upstream::{UpstreamTarget, target};
use crate::peer::{self, Mode};
use crate::pod::Pod;
use crate::service::Protocol;
use crate::trace;
use crate::unsupported::Role;
use crate::virtual_service::HttpRequest;

impl<'s> Simulation<'_, 's> {
    /// A connection to a pod with a sidecar.
    pub(super) fn enters_sidecar(
        &mut self,
        from: &Pod,
        pod: &Pod,
        to: UpstreamTarget,
        carried: Connection,
    ) -> ConnectionReport {
        self.meets_proxy(pod, Role::Inbound);
        self.notes_mesh();
        let evaluator = self.evaluator;
        let proxy_state = evaluator.proxy_state(pod);
        let at = ReceivedAt {
            pod,
            proxy_state: &proxy_state,
            place: trace::HopLocation::ServerSidecar,
            local: to,
            remote: from.address.unwrap_or(to.address),
            server_name: carried.server_name().unwrap_or_default().to_owned(),
            forwarded_for: None,
            version: match &carried.content {
                Content::Http(_, version) => version,
                Content::Tls(..) => "HTTP/1.1",
            },
            tells: evaluator.tells,
        };
        let mesh = &evaluator.snapshot.mesh;
        let all = &evaluator.snapshot.authentication;
        let required = peer::mode(
            all,
            pod.namespace(),
            &pod.labels,
            to.port,
            &mesh.root_namespace,
        );
        let peer = carried.wrap.as_ref().and_then(|wrap| wrap.identity.clone());
        let protocol = self.inbound_protocol(pod, to.port);
        let refused = match (required.mode, &peer, &carried.content) {
            (Mode::Strict, None, Content::Http(..)) if carried.wrap.is_none() => {
                Some(ConnectionOutcome::Ended(ConnectionEnd::Reset))
            }
            // The sidecar shows its certificate of the mesh first; whoever verifies it ends the handshake there.
            (Mode::Strict, None, _) => Some(match &carried.wrap {
                Some(wrap) if wrap.wants.is_some() => {
                    ConnectionOutcome::Handshake(WRONG_NAME.to_owned())
                }
                Some(_) => ConnectionOutcome::Handshake(HANDSHAKE_ENDED.to_owned()),
                None => ConnectionOutcome::Ended(ConnectionEnd::CertificateRequired),
            }),
            // Only the mesh's own TLS has a chain on a port of HTTP.
            (Mode::Permissive, None, content)
                if protocol == InboundProtocol::Http
                    && (carried.wrap.is_some() || matches!(content, Content::Tls(..))) =>
            {
                Some(match carried.wrap {
                    Some(_) => ConnectionOutcome::Handshake(HANDSHAKE_ENDED.to_owned()),
                    None => ConnectionOutcome::Ended(ConnectionEnd::Reset),
                })
            }
            (Mode::Disable, Some(_), _) => {
                Some(ConnectionOutcome::Handshake(HANDSHAKE_ENDED.to_owned()))
            }
            _ => None,
        };
        let (clause, who): (&str, &dyn Display) = match (&refused, &peer) {
            (Some(_), None) => (", and the connection does not use it", &""),
            (Some(_), Some(_)) => (", and the connection uses it", &""),
            (None, Some(peer)) => ("; the caller is ", peer),
            (None, None) => ("; the caller is unknown", &""),
        };
        let because = format_args!("mutual TLS is {}{clause}{who}", required.because);
        if let Some(outcome) = refused {
            self.hop(
                at.place,
                &pod.object,
                DecisionBuilder::stops(required.by.as_ref(), because),
            );
            let mut line = at.line(None);
            line.write(|line| {
                line.flags = "NR";
                line.details = "filter_chain_not_found".to_owned();
            });
            let logged = outcome == ConnectionOutcome::Ended(ConnectionEnd::Reset);
            return ConnectionReport {
                lines: if logged { line.alone() } else { Vec::new() },
                ..ConnectionReport::at_once(outcome)
            };
        }
        self.hop(
            at.place,
            &pod.object,
            DecisionBuilder::passes(required.by.as_ref(), because),
        );
        let foreign = carried.wrap.filter(|wrap| wrap.identity.is_none());
        match carried.content {
            Content::Http(mut message, version)
                if protocol != InboundProtocol::Tcp && foreign.is_none() =>
            {
                if let Some(refused) = self.refuses_tunnel(&at, &message) {
                    return refused;
                }
                self.normalizes(&mut message);
                if let Err(denied) = self.lets_in(&at, Some(&message), peer.as_ref()) {
                    let line = beside(&at, Some(&message));
                    return at.replies(&message.method, &LocalReply::denied(&denied.details), line);
                }
                let heard = self.enters_pod(
                    pod,
                    to,
                    Connection::bare(Content::Http(message.clone(), version)),
                );
                served(&at, &message, heard)
            }
            content => {
                if let Err(denied) = self.lets_in(&at, None, peer.as_ref()) {
                    let mut line = beside(&at, None);
                    line.write(|line| line.termination = denied.details);
                    return ConnectionReport {
                        lines: line.alone(),
                        ..ConnectionReport::at_once(ConnectionOutcome::Ended(ConnectionEnd::Closed))
                    };
                }
                // TLS that is not the mesh's goes on to the application.
                let wrap = foreign;
                self.enters_pod(pod, to, Connection { wrap, content })
            }
        }
    }

    /// What a server's sidecar takes a port for: what the oldest service declares whose endpoint the port is. Without one, the
    /// sidecar inspects the first bytes.
    fn inbound_protocol(&self, pod: &Pod, port: u16) -> InboundProtocol {
        let services = self.evaluator.snapshot.services.iter();
        let own = services.filter(|service| service.has(pod.namespace(), &pod.labels));
        let ports = own.flat_map(|service| &service.ports);
        let mut ports = ports.filter(|each| target(each, Some(pod)) == Some(port));
        match ports.next().map(|port| port.protocol) {
            Some(Protocol::Http | Protocol::Http2) => InboundProtocol::Http,
            Some(Protocol::Tcp | Protocol::Tls) => InboundProtocol::Tcp,
            Some(Protocol::Detected | Protocol::Udp) | None => InboundProtocol::Detected,
        }
    }
}

/// The protocol of a port at a server's sidecar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InboundProtocol {
    /// HTTP alone.
    Http,
    /// Bytes, TLS included.
    Tcp,
    /// Either, by the first bytes.
    Detected,
}

/// A log line for traffic to the application in the same pod.
fn beside(at: &ReceivedAt, message: Option<&HttpRequest>) -> LogLineBuilder {
    let mut line = at.line(message);
    line.write(|line| line.cluster = format!("inbound|{}||", at.local.port));
    line
}

/// The answer of the application, passed on and logged.
fn served(at: &ReceivedAt, message: &HttpRequest, heard: ConnectionReport) -> ConnectionReport {
    let ConnectionOutcome::Answer(answer) = heard.outcome else {
        return heard;
    };
    let mut line = beside(at, Some(message));
    line.write(|line| {
        line.status = answer.status;
        line.details = "via_upstream".to_owned();
        line.sent = answer.body.len() as u64;
        line.service_time = Some(0);
        line.duration = Duration::ZERO;
        line.upstream = Some(SocketAddr::new(at.local.address, at.local.port));
        // A sidecar calls its application from this address (Istio's `InboundPassthroughBindIpv4`).
        line.upstream_local = Some([127, 0, 0, 6].into());
    });
    ConnectionReport {
        outcome: at.hands_on(answer, 0),
        waits: heard.waits,
        lines: line.alone(),
    }
}
