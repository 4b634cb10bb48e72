//! Authorization at a proxy: which AuthorizationPolicy allows or denies a request.
//!
//! The rules are those of Istio's translation to Envoy's RBAC filter (`pilot/pkg/security/authz`): CUSTOM, then DENY, then
//! ALLOW; a request that no policy concerns is allowed. For a connection without HTTP, a condition that needs HTTP removes
//! the whole rule from an ALLOW policy, but only itself from a DENY rule, which then denies more. There are no tokens here:
//! `request.auth.*` is absent. External authorizers, path templates and `targetRefs` are not covered, and are reported.
//!
//! Policies apply at the proxy that accepts the connection: a gateway or a server's sidecar. The caller's own sidecar
//! evaluates none.

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

/// The identity of a peer in mutual TLS.
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
    /// The SPIFFE identity without its scheme, in the notation of principals in policies.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Peer {
            trust_domain,
            namespace,
            service_account,
        } = self;
        write!(f, "{trust_domain}/ns/{namespace}/sa/{service_account}")
    }
}

/// The HTTP part of a request.
#[derive(Debug, Clone, Copy)]
pub struct Http<'a> {
    /// The authority, with its port if the caller sends one.
    pub host: &'a str,
    /// The method.
    pub method: &'a str,
    /// The path with its query.
    pub path: &'a str,
    /// The headers.
    pub headers: &'a [(String, String)],
}

/// A request or connection that a proxy authorizes.
#[derive(Debug, Clone, Copy)]
pub struct AuthorizationQuery<'a> {
    /// The identity of the peer in mutual TLS; `None` without mutual TLS.
    pub peer: Option<&'a Peer>,
    /// The peer address of the connection.
    pub source: IpAddr,
    /// The original client address that the proxy derives from `x-forwarded-for`.
    pub remote: IpAddr,
    /// The request; `None` for a connection that the proxy does not parse as HTTP.
    pub http: Option<Http<'a>>,
    /// The port in the pod on which the proxy listens: 8080, not the Service's 80.
    pub port: u16,
    /// The SNI of the TLS handshake; empty for none.
    pub server_name: &'a str,
}
