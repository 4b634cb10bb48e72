//! curl's messages for a request without an answer.
//!
//! The texts are those of curl 7.88.1 with OpenSSL 3.0, recorded except for two, which are from curl's source: the system's own
//! timeout for a connection (`Couldn't connect to server` with 28) and that for a handshake (`SSL connection timeout`).

use std::time::Duration;

use egress::request::{Request, Scheme};
use egress::trace::Failure;

/// curl's message for a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurlMessage {
    /// Lines of `-v` before the message, without their star.
    pub before: Vec<String>,
    /// The message.
    pub message: String,
    /// Lines after it, which `-v` does not repeat.
    pub after: &'static str,
}

const CERTIFICATES: &str = "More details here: https://curl.se/docs/sslcerts.html\n\n\
    curl failed to verify the legitimacy of the server and therefore could not\n\
    establish a secure connection to it. To learn more about this situation and\n\
    how to fix it, please visit the web page mentioned above.\n";

/// The ending of a failure, after `spent`; `connected` says whether there was a connection.
pub fn ending(
    failure: Failure,
    request: &Request,
    connected: bool,
    spent: Duration,
) -> CurlMessage {
    let (host, port, millis) = (&request.host, request.port, spent.as_millis());
    let reset = "Recv failure: Connection reset by peer".to_owned();
    let connect =
        |why: &str| format!("Failed to connect to {host} port {port} after {millis} ms: {why}");
    let at = |what: &str| {
        format!(
            "connect to {} port {port} failed: {what}",
            request
                .address
                .map_or_else(|| host.clone(), |address| address.to_string())
        )
    };
    let handshake =
        |what: &str| format!("OpenSSL SSL_connect: {what} in connection to {host}:{port} ");
    let (before, message) = match failure {
        Failure::NoSuchHost | Failure::NoDns => (vec![], format!("Could not resolve host: {host}")),
        Failure::Refused => (
            vec![at("Connection refused")],
            connect("Couldn't connect to server"),
        ),
        Failure::TimedOut if connected && request.scheme == Scheme::Https => {
            (vec![], "SSL connection timeout".to_owned())
        }
        Failure::TimedOut if connected => {
            let why =
                format!("Operation timed out after {millis} milliseconds with 0 bytes received");
            (vec![], why)
        }
        // The shortest of the timeouts decides the message.
        Failure::TimedOut => match (request.connect_timeout, request.max_time) {
            (Some(connecting), all) if all.is_none_or(|all| connecting <= all) => {
                (vec![], connect("Timeout was reached"))
            }
            (_, Some(_)) => (
                vec![],
                format!("Connection timed out after {millis} milliseconds"),
            ),
            _ => (
                vec![at("Connection timed out")],
                connect("Couldn't connect to server"),
            ),
        },
        Failure::TlsReset => {
            // The message is that of the reset, and -v adds what OpenSSL made of it.
            return CurlMessage {
                before: vec![reset.clone(), handshake("Connection reset by peer")],
                message: reset,
                after: "",
            };
        }
        Failure::TlsClosed => (vec![], handshake("SSL_ERROR_SYSCALL")),
        Failure::NotTls => (
            vec![],
            "OpenSSL/3.0.19: error:0A00010B:SSL routines::wrong version number".to_owned(),
        ),
        Failure::CertificateRequired => (vec![], "Send failure: Broken pipe".to_owned()),
        Failure::CertificateRefused => {
            let why = format!(
                "SSL: no alternative certificate subject name matches target host name '{host}'"
            );
            return CurlMessage {
                before: vec![why.clone()],
                message: why,
                after: CERTIFICATES,
            };
        }
        Failure::EmptyReply => (vec![], "Empty reply from server".to_owned()),
        Failure::Reset => (vec![], reset),
    };
    let mut before = before;
    before.push(message.clone());
    CurlMessage {
        before,
        message,
        after: "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_have_curls_messages() {
        // As in the record and from curl 7.88.1 itself.
        let cases = [
            (
                Failure::NoSuchHost,
                false,
                "Could not resolve host: example.com",
            ),
            (
                Failure::Refused,
                false,
                "Failed to connect to example.com port 443 after 5000 ms: Couldn't connect to server",
            ),
            (
                Failure::TimedOut,
                false,
                "Failed to connect to example.com port 443 after 5000 ms: Timeout was reached",
            ),
            (
                Failure::TlsReset,
                true,
                "Recv failure: Connection reset by peer",
            ),
            (
                Failure::TlsClosed,
                true,
                "OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to example.com:443 ",
            ),
            (
                Failure::CertificateRequired,
                true,
                "Send failure: Broken pipe",
            ),
            (Failure::EmptyReply, true, "Empty reply from server"),
            (
                Failure::Reset,
                true,
                "Recv failure: Connection reset by peer",
            ),
        ];
        let mut request = Request::get("team-x", "https://example.com").unwrap();
        request.connect_timeout = Some(Duration::from_secs(5));
        for (failure, connected, message) in cases {
            let ending = ending(failure, &request, connected, Duration::from_secs(5));
            assert_eq!(ending.message, message, "{failure:?}");
        }
    }

    #[test]
    fn the_shortest_timeout_decides_the_message() {
        let second = Some(Duration::from_secs(1));
        let cases = [
            (
                "http://x",
                None,
                None,
                false,
                "Failed to connect to x port 80 after 1000 ms: Couldn't connect to server",
            ),
            (
                "http://x",
                None,
                second,
                false,
                "Connection timed out after 1000 milliseconds",
            ),
            (
                "http://x",
                None,
                second,
                true,
                "Operation timed out after 1000 milliseconds with 0 bytes received",
            ),
            ("https://x", None, second, true, "SSL connection timeout"),
        ];
        for (url, connect_timeout, max_time, connected, message) in cases {
            let mut request = Request::get("team-x", url).unwrap();
            (request.connect_timeout, request.max_time) = (connect_timeout, max_time);
            let ending = ending(
                Failure::TimedOut,
                &request,
                connected,
                Duration::from_secs(1),
            );
            assert_eq!(ending.message, message);
        }
    }
}
