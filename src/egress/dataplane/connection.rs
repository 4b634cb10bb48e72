//! The content of a connection, and its outcome.

use std::time::Duration;

use crate::log::AccessLogLine;
use crate::rbac::Peer;
use crate::trace::HttpAnswer;
use crate::virtual_service::HttpRequest;

/// TLS that a proxy originates around its traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsWrapper {
    /// The SNI; empty for none.
    pub server_name: String,
    /// The identity in the client certificate, if it is one of the mesh.
    pub identity: Option<Peer>,
    /// The name that the server's certificate must match; `None` if any certificate is accepted.
    pub wants: Option<String>,
}

/// What the application sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A plain-text request, with its HTTP version.
    Http(HttpRequest, &'static str),
    /// A request in the application's own TLS, with this SNI; empty for none.
    Tls(HttpRequest, String),
}

/// A connection with its content, as seen by the side that accepts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The TLS that a proxy originated.
    pub wrap: Option<TlsWrapper>,
    /// The content.
    pub content: Content,
}

impl Connection {
    /// A connection without a proxy's TLS.
    pub fn bare(content: Content) -> Connection {
        Connection {
            wrap: None,
            content,
        }
    }

    /// The host that the application asks for: the authority of its request, or its own SNI.
    pub fn host(&self) -> &str {
        match &self.content {
            Content::Http(message, _) => &message.authority,
            Content::Tls(_, name) => name,
        }
    }

    /// The SNI of the outermost handshake; `None` without TLS.
    pub fn server_name(&self) -> Option<&str> {
        match (&self.wrap, &self.content) {
            (Some(wrap), _) => Some(&wrap.server_name),
            (None, Content::Tls(_, name)) => Some(name),
            (None, Content::Http(..)) => None,
        }
    }
}

/// The outcome of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionOutcome {
    /// A request is answered.
    Answer(HttpAnswer),
    /// The application's TLS is terminated by a server with a certificate for these names, which sends this answer.
    Opened(Vec<String>, HttpAnswer),
    /// The connection is not established: packets are dropped.
    Dropped,
    /// The connection is not established: nothing listens on the port.
    Refused,
    /// A proxy's TLS handshake fails, with the transport failure reason.
    Handshake(String),
    /// The connection is established, and ends without an answer.
    Ended(ConnectionEnd),
}

/// How a connection ends without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionEnd {
    /// By an orderly close, after everything that was sent had been read.
    Closed,
    /// By a reset.
    Reset,
    /// The handshake requires a client certificate.
    CertificateRequired,
    /// The peer's bytes are not TLS.
    NotTls,
}

/// The outcome of a connection, its duration, and the log lines of the proxies, nearest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionReport {
    /// The outcome.
    pub outcome: ConnectionOutcome,
    /// How long timeouts and retries take.
    pub waits: Duration,
    /// The log lines; `after` counts from the beginning of the connection.
    pub lines: Vec<AccessLogLine>,
}

impl ConnectionReport {
    /// An outcome without delay and without a proxy.
    pub fn at_once(outcome: ConnectionOutcome) -> ConnectionReport {
        ConnectionReport {
            outcome,
            waits: Duration::ZERO,
            lines: Vec::new(),
        }
    }

    /// The same outcome, if a server with a certificate for this name terminated the application's TLS.
    pub fn opened(mut self, name: Option<String>) -> ConnectionReport {
        if let (Some(name), ConnectionOutcome::Answer(answer)) = (name, &self.outcome) {
            self.outcome = ConnectionOutcome::Opened(vec![name], answer.clone());
        }
        self
    }
}
