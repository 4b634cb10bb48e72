//! The TLS that a proxy originates to a cluster, and why.

use std::fmt;

use super::connection::TlsWrapper;
use super::evaluator::Evaluator;
use super::upstream::Upstream;
use crate::destination_rule::{Tls, TlsMode};
use crate::peer::{self, Mode};
use crate::pod::{Pod, Proxy};
use crate::rbac::Peer;

/// Why a connection has its TLS, in a clause.
#[derive(Debug, Clone, Copy)]
pub enum TlsReason<'h> {
    /// This clause.
    Said(&'static str),
    /// Mutual TLS of the mesh, required by a rule: with the identity of this pod in this trust domain.
    As(&'h Pod, &'h str),
}

impl fmt::Display for TlsReason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsReason::Said(clause) => f.write_str(clause),
            TlsReason::As(pod, domain) => {
                write!(f, "in mutual TLS of the mesh, as {}", pod.identity(domain))
            }
        }
    }
}

impl Upstream<'_> {
    /// The TLS that the proxy of `from` originates to `to`, with the reason. `to` is the pod of the cluster at the endpoint,
    /// if there is one.
    ///
    /// `authority` is that of the request; empty if there is none.
    pub fn wrap<'h>(
        &self,
        evaluator: &'h Evaluator,
        from: &'h Pod,
        to: Option<&Pod>,
        authority: &str,
    ) -> (Option<TlsWrapper>, TlsReason<'h>) {
        let mesh = &evaluator.snapshot.mesh;
        let default_name = || {
            let (port, subset, host) = (self.port.number, self.subset, &self.service.host);
            format!(
                "outbound_.{port}_.{}_.{host}",
                if subset.is_empty() { "_" } else { subset }
            )
        };
        let identity = || Peer {
            trust_domain: mesh.trust_domain.clone(),
            namespace: from.namespace().to_owned(),
            service_account: from.service_account.clone(),
        };
        let named = |tls: &Tls, otherwise: String| match tls.sni.as_str() {
            "" => otherwise,
            name => name.to_owned(),
        };
        match &self.policy.tls {
            Some(tls) => match tls.mode {
                TlsMode::Disable => (None, TlsReason::Said("in plaintext, as the rule says")),
                TlsMode::IstioMutual => {
                    let wrap = TlsWrapper {
                        server_name: named(tls, default_name()),
                        identity: Some(identity()),
                        wants: None,
                    };
                    (Some(wrap), TlsReason::As(from, &mesh.trust_domain))
                }
                // Istio drops these settings (`cluster_tls.go`): a sidecar would wait for Secrets that it may not read.
                TlsMode::Simple | TlsMode::Mutual if tls.credential && !self.reads_secrets => (
                    None,
                    TlsReason::Said(
                        "in plaintext, because a sidecar ignores the TLS settings of a DestinationRule with credentialName and \
                         without workloadSelector",
                    ),
                ),
                TlsMode::Simple | TlsMode::Mutual => {
                    let asked = match mesh.verifies_servers() {
                        true => authority.split(':').next().unwrap_or_default().to_owned(),
                        false => String::new(),
                    };
                    let server_name = named(tls, asked);
                    let verifies = !tls.insecure && (tls.authorities || mesh.verifies_servers());
                    let wants = (verifies && !server_name.is_empty()).then(|| server_name.clone());
                    let how = match verifies {
                        true => "in TLS; the server's certificate is verified",
                        false => "in TLS; the server's certificate is not verified",
                    };
                    (
                        Some(TlsWrapper {
                            server_name,
                            identity: None,
                            wants,
                        }),
                        TlsReason::Said(how),
                    )
                }
            },
            None => {
                let sidecar = to.filter(|to| to.proxy == Proxy::Sidecar && self.service.kubernetes);
                let takes = sidecar.is_some_and(|to| {
                    let Some(port) = self.target(Some(to)) else {
                        return false;
                    };
                    let all = &evaluator.snapshot.authentication;
                    peer::mode(all, to.namespace(), &to.labels, port, &mesh.root_namespace).mode
                        != Mode::Disable
                });
                match takes {
                    true => {
                        let wrap = TlsWrapper {
                            server_name: default_name(),
                            identity: Some(identity()),
                            wants: None,
                        };
                        (
                            Some(wrap),
                            TlsReason::Said("in mutual TLS, because both ends have a sidecar"),
                        )
                    }
                    false => (
                        None,
                        TlsReason::Said("in plaintext, because no rule says otherwise"),
                    ),
                }
            }
        }
    }
}
