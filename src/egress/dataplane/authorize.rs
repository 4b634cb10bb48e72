//! Authorization at the proxy that accepts a connection.

use super::Simulation;
use super::decision::DecisionBuilder;
use super::forward::ReceivedAt;
use crate::rbac::{AuthorizationQuery, Http, Peer};
use crate::virtual_service::HttpRequest;

/// A denial by RBAC, in Envoy's words as in a log line (`RESPONSE_CODE_DETAILS`); empty if the text is not needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RbacDenied {
    /// The details: `rbac_access_denied_matched_policy[none]`.
    pub details: String,
}

impl Simulation<'_, '_> {
    /// Whether a proxy's policies allow a request or connection.
    ///
    /// # Errors
    /// The denial.
    pub(super) fn lets_in(
        &mut self,
        at: &ReceivedAt,
        message: Option<&HttpRequest>,
        peer: Option<&Peer>,
    ) -> Result<(), RbacDenied> {
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
            self.unknown.extend(policies.unknown(&asked));
            let together = policies.allows().filter(|_| !passes && by.is_none());
            let decision = DecisionBuilder::decided(passes, by, "").by_all(together);
            self.hop(at.place, "", decision);
            let details = String::new();
            return if passes {
                Ok(())
            } else {
                Err(RbacDenied { details })
            };
        }
        let verdict = policies.rule(&asked);
        self.unknown.extend(verdict.unknown);
        let passes = verdict.ruling.passes;
        if !passes || !policies.is_empty() {
            self.hop(at.place, &at.pod.object, &verdict.ruling);
        }
        match passes {
            true => Ok(()),
            false => Err(RbacDenied {
                details: verdict.details,
            }),
        }
    }
}
