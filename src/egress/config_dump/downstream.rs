//! A connection as a listener accepts it: where it was going, the TLS around it, the request inside.

use std::net::IpAddr;

use super::request_headers::RequestHeaders;

/// The application protocols that curl offers.
const OF_CURL: [&str; 2] = ["h2", "http/1.1"];

/// What a TLS client shows of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientCertificate {
    /// None.
    Absent,
    /// One with this URI: `spiffe://cluster.local/ns/team-x/sa/default`.
    Uri(String),
    /// One, with a name that the dumps do not tell.
    Unnamed,
}

/// One TLS session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSession {
    /// The SNI; empty for none.
    pub server_name: String,
    /// The application protocols that the client offers, in its order.
    pub protocols: Vec<String>,
    /// The client's certificate.
    pub certificate: ClientCertificate,
}

impl TlsSession {
    /// That of an application.
    pub fn of_application(server_name: &str) -> TlsSession {
        TlsSession {
            server_name: server_name.to_owned(),
            protocols: OF_CURL.map(str::to_owned).to_vec(),
            certificate: ClientCertificate::Absent,
        }
    }
}

/// A connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downstream {
    /// Its original destination; `None` if the dumps do not tell the address of the host.
    pub address: Option<IpAddr>,
    /// The port of its original destination.
    pub port: u16,
    /// The address of the pod that it comes from; `None` if it is not known.
    pub source: Option<IpAddr>,
    /// The TLS sessions that nobody has terminated yet, the outermost first; none in clear text.
    pub tls: Vec<TlsSession>,
    /// The session that the listener has terminated.
    pub peer: Option<TlsSession>,
    /// The request inside.
    pub headers: RequestHeaders,
    /// The application protocol of the request in clear text: `http/1.1` or `h2c`.
    pub protocol: &'static str,
    /// Whether the proxy has parsed the request, and can answer it.
    pub is_parsed: bool,
}

impl Downstream {
    /// The SNI: of the session that was terminated, otherwise of the outermost one.
    pub fn server_name(&self) -> &str {
        let session = self.peer.as_ref().or(self.tls.first());
        session.map_or("", |session| &session.server_name)
    }
}
