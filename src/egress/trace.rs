//! The trace of a request: what happened at each hop, which object decided, the caller's result, the proxies' log lines.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::object::{Object, Unknown};

/// A decision by an object: whether a request passes, or where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Whether it passes.
    pub passes: bool,
    /// The object that decides; `None` for a default.
    pub by: Option<Object>,
    /// The reason, in a clause: `allows tcp:80 to 0.0.0.0/0 from gateway nodes`, `no ALLOW policy matches`.
    pub because: String,
    /// The other objects that were evaluated and did not apply, and why not.
    pub others: Vec<(Object, String)>,
    /// The objects that refuse together where no single one does: the NetworkPolicies that isolate a pod, the ALLOW policies
    /// of which none matches. `None` if there are none. Part of the verdict, not of the hop.
    #[serde(skip)]
    pub together: Option<Arc<[Object]>>,
}

impl Decision {
    /// The objects that refuse together.
    pub fn jointly(&self) -> impl Iterator<Item = &Object> {
        self.together.iter().flat_map(|all| all.iter())
    }
}

/// The location of a hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HopLocation {
    /// The application in the pod that sends the request.
    Client,
    /// Name resolution.
    Dns,
    /// The caller's own proxy.
    Sidecar,
    /// A NetworkPolicy of the cluster.
    NetworkPolicy,
    /// The VPC firewall.
    Firewall,
    /// The egress gateway.
    Gateway,
    /// The proxy of the server, if the server is in the mesh.
    ServerSidecar,
    /// The server.
    Server,
}

/// One hop: a question, and its decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hop {
    /// The location.
    pub place: HopLocation,
    /// The name of a pod, a gateway or a host.
    pub name: String,
    /// The decision.
    #[serde(flatten)]
    pub ruling: Decision,
}

/// Why a caller gets no answer, each with curl's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The name does not resolve (6).
    NoSuchHost,
    /// The DNS server does not answer (6, after the resolver's timeout).
    NoDns,
    /// Nothing listens on the port (7).
    Refused,
    /// Packets are dropped (28).
    TimedOut,
    /// The connection ends during the TLS handshake: reset (35).
    TlsReset,
    /// The connection ends after the first TLS message, without a reset (35, `SSL_ERROR_SYSCALL`).
    TlsClosed,
    /// The server does not use TLS (35, `wrong version number`).
    NotTls,
    /// The TLS peer requires a client certificate (16 or 56 depending on curl's build; 16 was recorded).
    CertificateRequired,
    /// The server's certificate is not valid for this name (60).
    CertificateRefused,
    /// The server closes the connection without sending a byte (52).
    EmptyReply,
    /// The connection is reset after it was established (56).
    Reset,
}

impl Failure {
    /// curl's exit code.
    pub fn exit(self) -> u8 {
        match self {
            Failure::NoSuchHost | Failure::NoDns => 6,
            Failure::Refused => 7,
            Failure::CertificateRequired => 16,
            Failure::TimedOut => 28,
            Failure::TlsReset | Failure::TlsClosed | Failure::NotTls => 35,
            Failure::EmptyReply => 52,
            Failure::Reset => 56,
            Failure::CertificateRefused => 60,
        }
    }
}

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// The headers in order, without `date`, which depends on the clock.
    pub headers: Vec<(String, String)>,
    /// The body; empty for `HEAD`, because the body of the corresponding `GET` is not kept.
    pub body: String,
}

impl HttpAnswer {
    /// An answer of which only the status is needed.
    pub fn bare(status: u16) -> HttpAnswer {
        HttpAnswer {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }
}

/// The caller's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallerOutcome {
    /// An HTTP answer, from the server or a proxy.
    Answer(HttpAnswer),
    /// No answer.
    Failure(Failure),
}

/// The trace of a request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trace {
    /// The decisions, in order.
    pub hops: Vec<Hop>,
    /// The caller's result.
    pub got: CallerOutcome,
    /// How long the caller waits because of timeouts and retries; the latency of the network is not included.
    pub waits: Duration,
    /// The address that the caller connected to, if it got so far.
    pub connected: Option<IpAddr>,
    /// The request's headers on arrival at the server that answered, without `host`; ids that differ from run to run are
    /// omitted. Empty if no server answered.
    pub received: Vec<(String, String)>,
    /// The proxies' log lines, in the order in which the requests reached them.
    pub lines: Vec<super::log::AccessLogLine>,
    /// What may have affected a decision and is not covered: if there is any, the verdict is unknown.
    pub unknown: Vec<Unknown>,
}

impl Trace {
    /// The hop that stopped the request; `None` if the server answered.
    pub fn stopped_at(&self) -> Option<&Hop> {
        self.hops.iter().find(|hop| !hop.ruling.passes)
    }
}
