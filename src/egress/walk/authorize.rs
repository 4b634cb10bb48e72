//! Authorization at a proxy that is connected to.

use super::Walk;
use super::decision::Decision;
use super::forward::At;
use crate::rbac::{Asked, Http, Peer};
use crate::virtual_service::Message;

impl Walk<'_, '_> {
    /// Whether a proxy's policies let a request or connection in.
    ///
    /// # Errors
    /// What the proxy logs of the refusal; empty where nobody reads it.
    pub(super) fn lets_in(
        &mut self,
        at: &At,
        message: Option<&Message>,
        peer: Option<&Peer>,
    ) -> Result<(), String> {
        let policies = at.sight.policies(peer);
        let asked = Asked {
            peer,
            source: at.remote,
            remote: at.remote,
            http: message.map(|message| Http {
                host: &message.authority,
                method: &message.method,
                path: &message.path,
                headers: &message.headers,
            }),
            port: at.local.port,
            server_name: &at.server_name,
        };
        if !self.stage.tells {
            let (passes, by) = policies.briefly(&asked);
            self.hop(at.place, "", Decision::decided(passes, by, ""));
            return if passes { Ok(()) } else { Err(String::new()) };
        }
        let verdict = policies.rule(&asked);
        self.unknown.extend(verdict.unknown);
        let passes = verdict.ruling.passes;
        if !passes || !policies.is_empty() {
            self.hop(at.place, &at.pod.object, &verdict.ruling);
        }
        match passes {
            true => Ok(()),
            false => Err(verdict.details),
        }
    }
}
