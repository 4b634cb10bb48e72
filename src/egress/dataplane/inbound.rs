//! The sidecar of a server: which TLS it accepts, and whether policies allow the request.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use super::Simulation;
use super::connection::{Connection, ConnectionEnd, ConnectionOutcome, ConnectionReport, Content};
use super::decision::DecisionBuilder;
use super::forward::ReceivedAt;
use super::local_reply::{HANDSHAKE_ENDED, LocalReply};
use super::log_line::LogLineBuilder;
use super::upstream::UpstreamTarget;
use crate::peer::{self, Mode};
use crate::pod::Pod;
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
        let refused = match (required.mode, &peer, &carried.content) {
            (Mode::Strict, None, Content::Http(..)) if carried.wrap.is_none() => {
                Some(ConnectionOutcome::Ended(ConnectionEnd::Reset))
            }
            (Mode::Strict, None, _) => {
                Some(ConnectionOutcome::Ended(ConnectionEnd::CertificateRequired))
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
        match carried.content {
            Content::Http(message, version) => {
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
                self.enters_pod(pod, to, Connection::bare(content))
            }
        }
    }
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
