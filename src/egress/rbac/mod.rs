//! Authorization at a proxy: which AuthorizationPolicy lets a request pass, or does not.
//!
//! As Istio makes Envoy's RBAC filter of them (`pilot/pkg/security/authz`): CUSTOM, then DENY, then ALLOW, and what no policy is
//! about passes. In a connection without HTTP the conditions that need HTTP take an ALLOW rule with them, and fall out of a DENY
//! rule, which then denies more. There are no tokens here: `request.auth.*` is absent. External authorizers, path templates
//! and `targetRefs` are not covered, and are named.
//!
//! Policies hold on the proxy that is connected to, a gateway or a server's sidecar; a caller's own sidecar asks none.

mod applied;
mod condition;
#[cfg(test)]
mod laws;
mod policy;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;

pub use applied::{Applied, applying};
pub use policy::AuthorizationPolicy;

/// Who is at the other end of mutual TLS.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Peer {
    /// The trust domain, `PROJECT.svc.id.goog` in a managed mesh.
    pub trust_domain: String,
    /// The namespace.
    pub namespace: String,
    /// The service account.
    pub service_account: String,
}

impl fmt::Display for Peer {
    /// The SPIFFE identity without its scheme, as policies write principals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Peer {
            trust_domain,
            namespace,
            service_account,
        } = self;
        write!(f, "{trust_domain}/ns/{namespace}/sa/{service_account}")
    }
}

/// The HTTP part of what is asked.
#[derive(Debug, Clone, Copy)]
pub struct Http<'a> {
    /// The authority, with its port where the caller sends one.
    pub host: &'a str,
    /// The method.
    pub method: &'a str,
    /// The path with its query.
    pub path: &'a str,
    /// The headers.
    pub headers: &'a [(String, String)],
}

/// A request or connection, as a proxy asks its policies about it.
#[derive(Debug, Clone, Copy)]
pub struct AuthorizationQuery<'a> {
    /// Who, by mutual TLS; none without.
    pub peer: Option<&'a Peer>,
    /// The address that the connection comes from.
    pub source: IpAddr,
    /// The address that the request comes from, as the proxy believes it of `x-forwarded-for`.
    pub remote: IpAddr,
    /// The request; none of a connection that the proxy does not open.
    pub http: Option<Http<'a>>,
    /// The port that the proxy listens on in the pod: 8080, not the Service's 80.
    pub port: u16,
    /// The name that the TLS handshake asks for; empty for none.
    pub server_name: &'a str,
}
