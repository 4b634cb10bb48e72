//! The trace of a request: hop by hop what happened, which object decided, what the caller got, what the proxies logged.

use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

use super::object::{Object, Unknown};

/// One question that objects decide: may it pass, where does it go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Whether it passes.
    pub passes: bool,
    /// The object that decides; none where a default does.
    pub by: Option<Object>,
    /// Why, in a clause: `allows tcp:80 to 0.0.0.0/0 from gateway nodes`, `no ALLOW policy matches`.
    pub because: String,
    /// The others that were asked and did not apply, and why not.
    pub others: Vec<(Object, String)>,
}

/// Where a hop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HopLocation {
    /// The program in the pod that asks.
    Client,
    /// Name resolution.
    Dns,
    /// The caller's own proxy.
    Sidecar,
    /// A NetworkPolicy of the cluster.
    NetworkPolicy,
    /// The VPC's firewall.
    Firewall,
    /// The egress gateway.
    Gateway,
    /// The proxy beside the server, where that is in the mesh.
    ServerSidecar,
    /// The server.
    Server,
}

/// One hop: a question, and how it was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hop {
    /// Where.
    pub place: HopLocation,
    /// Whose: a pod, a gateway, a host.
    pub name: String,
    /// What was decided.
    #[serde(flatten)]
    pub ruling: Decision,
}

/// Why a caller gets no answer, each with curl's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The name leads nowhere (6).
    NoSuchHost,
    /// The DNS server does not answer (6, after the resolver's patience).
    NoDns,
    /// Nobody listens there (7).
    Refused,
    /// Packets are dropped (28).
    TimedOut,
    /// The connection ends during the TLS handshake: reset (35).
    TlsReset,
    /// The connection ends after the first TLS message, without a reset (35, `SSL_ERROR_SYSCALL`).
    TlsClosed,
    /// The server speaks no TLS (35, `wrong version number`).
    NotTls,
    /// A TLS peer that wants a certificate of the caller (16 or 56 depending on curl's build; the record has 16).
    CertificateRequired,
    /// The server's certificate is not for this name (60).
    CertificateRefused,
    /// The server closes without a byte (52).
    EmptyReply,
    /// The connection is reset after it was made (56).
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
    /// Headers in order, without `date`, which is the clock's business.
    pub headers: Vec<(String, String)>,
    /// The body; of `HEAD` what `GET` would give is not kept: empty.
    pub body: String,
}

impl HttpAnswer {
    /// An answer of which nobody reads more than the status.
    pub fn bare(status: u16) -> HttpAnswer {
        HttpAnswer {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }
}

/// What the caller gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallerOutcome {
    /// An HTTP answer, from whomever.
    Answer(HttpAnswer),
    /// None.
    Failure(Failure),
}

/// The trace of a request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trace {
    /// What was decided, in the order in which it was.
    pub hops: Vec<Hop>,
    /// What the caller gets.
    pub got: CallerOutcome,
    /// How long the caller waits, as far as time-outs and retries decide; what the network takes is not in it.
    pub waits: Duration,
    /// The address that the caller connected to, where it came so far.
    pub connected: Option<IpAddr>,
    /// The request's headers as they reached the server that answered, without `host`; ids that differ from run to run are left
    /// out. Empty where no server answered.
    pub received: Vec<(String, String)>,
    /// What proxies log of it, in the order in which the requests reached them.
    pub lines: Vec<super::log::AccessLogLine>,
    /// What may have decided and is not covered.
    pub unknown: Vec<Unknown>,
}

impl Trace {
    /// The hop that stopped the request; none where the server answered.
    pub fn stopped_at(&self) -> Option<&Hop> {
        self.hops.iter().find(|hop| !hop.ruling.passes)
    }
}
