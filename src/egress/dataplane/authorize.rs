//! Authorization at a proxy that is connected to.

use super::Simulation;
use super::decision::DecisionBuilder;
use super::forward::ReceivedAt;
use crate::rbac::{AuthorizationQuery, Http, Peer};
use crate::virtual_service::HttpRequest;

impl Simulation<'_, '_> {
    /// Whether a proxy's policies let a request or connection in.
    ///
    /// # Errors
    /// What the proxy logs of the refusal; empty where nobody reads it.
    pub(super) fn lets_in(
        &mut self,
        at: &ReceivedAt,
        message: Option<&HttpRequest>,
        peer: Option<&Peer>,
    ) -> Result<(), String> {
        let policies = at.proxy_state.policies(peer);
        let asked = AuthorizationQuery {
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
        if !self.evaluator.tells {
            let (passes, by) = policies.briefly(&asked);
            self.hop(at.place, "", DecisionBuilder::decided(passes, by, ""));
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
