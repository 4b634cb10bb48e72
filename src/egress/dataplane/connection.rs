//! What a connection carries, and what becomes of it.

use std::time::Duration;

use crate::log::AccessLogLine;
use crate::rbac::Peer;
use crate::trace::HttpAnswer;
use crate::virtual_service::HttpRequest;

/// TLS that a proxy put around what it sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsWrapper {
    /// The name that it asks for; empty for none.
    pub server_name: String,
    /// Who it shows to be, with a certificate of the mesh.
    pub identity: Option<Peer>,
    /// The name that it wants the server's certificate to be for; none where it takes any.
    pub wants: Option<String>,
}

/// What the application sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A request in clear, in this version of HTTP.
    Http(HttpRequest, &'static str),
    /// A request in the application's own TLS, which asks for this name; empty for none.
    Tls(HttpRequest, String),
}

/// A connection with what it carries, as whoever accepts it sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// TLS of a proxy's.
    pub wrap: Option<TlsWrapper>,
    /// What is in it.
    pub content: Content,
}

impl Connection {
    /// Without TLS of a proxy's.
    pub fn bare(content: Content) -> Connection {
        Connection {
            wrap: None,
            content,
        }
    }

    /// The name that the outermost handshake asks for; none where there is no TLS.
    pub fn server_name(&self) -> Option<&str> {
        match (&self.wrap, &self.content) {
            (Some(wrap), _) => Some(&wrap.server_name),
            (None, Content::Tls(_, name)) => Some(name),
            (None, Content::Http(..)) => None,
        }
    }
}

/// What becomes of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionOutcome {
    /// A request is answered.
    Answer(HttpAnswer),
    /// The application's TLS is opened by a server with a certificate for these names, who answers so.
    Opened(Vec<String>, HttpAnswer),
    /// It does not come about: packets are dropped.
    Dropped,
    /// It does not come about: nobody listens.
    Refused,
    /// A proxy's TLS does not come about: with what its transport says.
    Handshake(String),
    /// It is made, and ends.
    Ended(ConnectionEnd),
}

/// How a connection ends without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionEnd {
    /// In order, after what was sent had been read.
    Closed,
    /// By a reset.
    Reset,
    /// The handshake wants a certificate of the caller.
    CertificateRequired,
    /// What is no TLS comes back.
    NotTls,
}

/// What becomes of a connection, how long that takes, and what proxies log of it, the nearest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionReport {
    /// What.
    pub outcome: ConnectionOutcome,
    /// How long time-outs and retries take.
    pub waits: Duration,
    /// Log lines; `after` counts from the connection's beginning.
    pub lines: Vec<AccessLogLine>,
}

impl ConnectionReport {
    /// At once, and without a proxy.
    pub fn at_once(outcome: ConnectionOutcome) -> ConnectionReport {
        ConnectionReport {
            outcome,
            waits: Duration::ZERO,
            lines: Vec::new(),
        }
    }

    /// The same, where the application's TLS was opened by a server with a certificate for this name, if it was.
    pub fn opened(mut self, name: Option<String>) -> ConnectionReport {
        if let (Some(name), ConnectionOutcome::Answer(answer)) = (name, &self.outcome) {
            self.outcome = ConnectionOutcome::Opened(vec![name], answer.clone());
        }
        self
    }
}
