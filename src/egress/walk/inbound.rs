//! The sidecar beside a server: which TLS it takes, and whether policies let the request in.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use super::Walk;
use super::carried::{Carried, Content, End, Heard, Outcome};
use super::decision::Decision;
use super::destination::Place;
use super::draft::Draft;
use super::forward::At;
use super::reply::{HANDSHAKE_ENDED, Reply};
use crate::account;
use crate::peer::{self, Mode};
use crate::pod::Pod;
use crate::virtual_service::Message;

impl<'s> Walk<'_, 's> {
    /// A connection to a pod with a sidecar.
    pub(super) fn enters_sidecar(
        &mut self,
        from: &Pod,
        pod: &Pod,
        to: Place,
        carried: Carried,
    ) -> Heard {
        self.meets(pod);
        let stage = self.stage;
        let sight = stage.sight(pod);
        let at = At {
            pod,
            sight: &sight,
            place: account::Place::ServerSidecar,
            local: to,
            remote: from.address.unwrap_or(to.address),
            server_name: carried.server_name().unwrap_or_default().to_owned(),
            forwarded_for: None,
            version: match &carried.content {
                Content::Http(_, version) => version,
                Content::Tls(..) => "HTTP/1.1",
            },
            tells: stage.tells,
        };
        let mesh = &stage.scene.mesh;
        let all = &stage.scene.authentication;
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
                Some(Outcome::Ended(End::Reset))
            }
            (Mode::Strict, None, _) => Some(Outcome::Ended(End::CertificateRequired)),
            (Mode::Disable, Some(_), _) => Some(Outcome::Handshake(HANDSHAKE_ENDED.to_owned())),
            _ => None,
        };
        let (clause, who): (&str, &dyn Display) = match (&refused, &peer) {
            (Some(_), None) => (", and what comes has none", &""),
            (Some(_), Some(_)) => (", and what comes has it", &""),
            (None, Some(peer)) => ("; the caller is ", peer),
            (None, None) => ("; who calls is not known", &""),
        };
        let because = format_args!("mutual TLS is {}{clause}{who}", required.because);
        if let Some(outcome) = refused {
            self.hop(
                at.place,
                &pod.object,
                Decision::stops(required.by.as_ref(), because),
            );
            let mut line = at.line(None);
            line.write(|line| {
                line.flags = "NR";
                line.details = "filter_chain_not_found".to_owned();
            });
            let logged = outcome == Outcome::Ended(End::Reset);
            return Heard {
                lines: if logged { line.alone() } else { Vec::new() },
                ..Heard::at_once(outcome)
            };
        }
        self.hop(
            at.place,
            &pod.object,
            Decision::passes(required.by.as_ref(), because),
        );
        match carried.content {
            Content::Http(message, version) => {
                if let Err(details) = self.lets_in(&at, Some(&message), peer.as_ref()) {
                    let line = beside(&at, Some(&message));
                    return at.replies(&message.method, &Reply::denied(&details), line);
                }
                let heard = self.enters_pod(
                    pod,
                    to,
                    Carried::bare(Content::Http(message.clone(), version)),
                );
                served(&at, &message, heard)
            }
            content => {
                if let Err(details) = self.lets_in(&at, None, peer.as_ref()) {
                    let mut line = beside(&at, None);
                    line.write(|line| line.termination = details);
                    return Heard {
                        lines: line.alone(),
                        ..Heard::at_once(Outcome::Ended(End::Closed))
                    };
                }
                self.enters_pod(pod, to, Carried::bare(content))
            }
        }
    }
}

/// A log line of what goes to the program beside.
fn beside(at: &At, message: Option<&Message>) -> Draft {
    let mut line = at.line(message);
    line.write(|line| line.cluster = format!("inbound|{}||", at.local.port));
    line
}

/// What the program beside answered, handed on and logged.
fn served(at: &At, message: &Message, heard: Heard) -> Heard {
    let Outcome::Answer(answer) = heard.outcome else {
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
        // A sidecar calls the program beside it from this address (Istio's `InboundPassthroughBindIpv4`).
        line.upstream_local = Some([127, 0, 0, 6].into());
    });
    Heard {
        outcome: at.hands_on(answer, 0),
        waits: heard.waits,
        lines: line.alone(),
    }
}
