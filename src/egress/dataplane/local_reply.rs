//! Local replies of a proxy, in Envoy's words.
//!
//! Texts, flags and details were recorded from a real Envoy (`fixtures/egress/`), except where a comment states that there is
//! no record.

use std::borrow::Cow;

use crate::trace::HttpAnswer;

/// An answer that a proxy sends itself, and what it logs with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalReply<'r> {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Cow<'r, str>,
    /// Response flags.
    pub flags: &'static str,
    /// Response code details.
    pub details: Cow<'r, str>,
    /// The transport failure reason; empty for none.
    pub transport: Cow<'r, str>,
}

/// Why an upstream connection was not established, or ended before an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokenConnection {
    /// Packets are dropped.
    TimedOut,
    /// Nothing listens on the port, or TLS fails: with the transport failure reason.
    Failed(String),
    /// The connection was established, and ended without an answer.
    Ended,
}

/// The transport failure reason if nothing listens on the port.
pub const REFUSED: &str = "delayed_connect_error:_Connection_refused";
/// The transport failure reason if the peer does not use TLS. Envoy's text for this error of its TLS library; not recorded.
pub const NOT_TLS: &str =
    "TLS_error:|268435703:SSL_routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end";
/// The transport failure reason if a certificate is for another name. In the form recorded for a rejected certificate, with
/// the reason for names.
pub const WRONG_NAME: &str = "TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:\
                              verify_cert_failed:_verify_SAN_list:TLS_error_end";
/// The transport failure reason if the peer ends the handshake; not recorded.
pub const HANDSHAKE_ENDED: &str = "delayed_connect_error:_Connection_reset_by_peer";

impl<'r> LocalReply<'r> {
    /// A reply with an error text as its body, and without a transport failure.
    pub fn new(
        status: u16,
        body: &'r str,
        flags: &'static str,
        details: &'r str,
    ) -> LocalReply<'r> {
        LocalReply {
            status,
            body: body.into(),
            flags,
            details: details.into(),
            transport: "".into(),
        }
    }

    /// No route matches the request.
    pub fn no_route() -> LocalReply<'r> {
        LocalReply::new(404, "", "NR", "route_not_found")
    }

    /// The request cannot be parsed. From Envoy's source; not recorded.
    pub fn bad_request() -> LocalReply<'r> {
        LocalReply::new(400, "Bad Request", "DPE", "http1.codec_error")
    }

    /// The cluster of a route does not exist.
    pub fn no_cluster() -> LocalReply<'r> {
        LocalReply::new(503, "", "NC", "cluster_not_found")
    }

    /// The cluster has no endpoint to connect to.
    pub fn no_endpoint() -> LocalReply<'r> {
        LocalReply::new(503, "no healthy upstream", "UH", "no_healthy_upstream")
    }

    /// A direct response of the configuration.
    pub fn direct(status: u16, body: &'r str) -> LocalReply<'r> {
        LocalReply::new(status, body, "", "direct_response")
    }

    /// A policy denies the request.
    pub fn denied(details: &'r str) -> LocalReply<'r> {
        LocalReply::new(403, "RBAC: access denied", "", details)
    }

    /// An injected fault. From Envoy's source; not recorded.
    pub fn fault(status: u16) -> LocalReply<'r> {
        LocalReply::new(status, "fault filter abort", "FI", "fault_filter_abort")
    }

    /// The route's timeout expired. From Envoy's source; not recorded.
    pub fn late() -> LocalReply<'r> {
        LocalReply::new(504, "upstream request timeout", "UT", "response_timeout")
    }

    /// The upstream gave no answer. `again`: it was retried without success.
    pub fn broken(broken: &'r BrokenConnection, again: bool) -> LocalReply<'r> {
        let (reason, flags) = match (broken, again) {
            (BrokenConnection::TimedOut, true) => ("connection timeout", "URX,UF"),
            (BrokenConnection::TimedOut, false) => ("connection timeout", "UF"),
            (BrokenConnection::Failed(_), true) => ("remote connection failure", "URX,UF"),
            (BrokenConnection::Failed(_), false) => ("remote connection failure", "UF"),
            (BrokenConnection::Ended, true) => ("connection termination", "URX,UC"),
            (BrokenConnection::Ended, false) => ("connection termination", "UC"),
        };
        let latest = match again {
            true => "retried and the latest reset reason",
            false => "reset reason",
        };
        let why = reason.replace(' ', "_");
        let (why, transport) = match broken {
            BrokenConnection::Failed(text) => (format!("{why}|{text}"), text.as_str()),
            _ => (why, ""),
        };
        LocalReply {
            status: 503,
            body: format!(
                "upstream connect error or disconnect/reset before headers. {latest}: {reason}"
            )
            .into(),
            flags,
            details: format!("upstream_reset_before_response_started{{{why}}}").into(),
            transport: transport.into(),
        }
    }

    /// As the answer to a request of this method: an answer to `HEAD` has no body.
    pub fn answer(&self, method: &str) -> HttpAnswer {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let length = header("content-length", &self.body.len().to_string());
        let server = header("server", "envoy");
        let headers = match (self.body.is_empty(), method) {
            (false, _) => vec![length, header("content-type", "text/plain"), server],
            (true, "HEAD") => vec![server, header("transfer-encoding", "chunked")],
            (true, _) => vec![server, length],
        };
        HttpAnswer {
            status: self.status,
            headers,
            body: match method {
                "HEAD" => String::new(),
                _ => self.body.clone().into_owned(),
            },
        }
    }
}

/// An answer as a proxy passes it on: with its own `server` header, and the time that the upstream took.
pub fn handed_on(mut answer: HttpAnswer, millis: u64) -> HttpAnswer {
    let mut set = |name: &str, value: &str| {
        let headers = &mut answer.headers;
        let own = headers
            .iter_mut()
            .find(|(own, _)| own.eq_ignore_ascii_case(name));
        if let Some((_, own)) = own {
            value.clone_into(own);
            return;
        }
        // For an answer without a body, the connection to the caller adds the framing header, and that comes last.
        let last = |(name, value): &(String, String)| {
            name == "transfer-encoding" || (name == "content-length" && value == "0")
        };
        let place = headers.iter().position(last).unwrap_or(headers.len());
        headers.insert(place, (name.to_owned(), value.to_owned()));
    };
    set("server", "envoy");
    set("x-envoy-upstream-service-time", &millis.to_string());
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_record() {
        let refused = BrokenConnection::Failed(REFUSED.to_owned());
        // (reply, length of the body, flags)
        let cases = [
            (
                LocalReply::broken(&BrokenConnection::TimedOut, false),
                91,
                "UF",
            ),
            (
                LocalReply::broken(&BrokenConnection::TimedOut, true),
                114,
                "URX,UF",
            ),
            (LocalReply::broken(&refused, true), 121, "URX,UF"),
            (
                LocalReply::broken(&BrokenConnection::Ended, false),
                95,
                "UC",
            ),
            (LocalReply::denied("x"), 19, ""),
            (LocalReply::no_endpoint(), 19, "UH"),
            (LocalReply::no_cluster(), 0, "NC"),
        ];
        for (reply, length, flags) in cases {
            assert_eq!(
                (reply.body.len(), reply.flags),
                (length, flags),
                "{reply:?}"
            );
        }
    }
}
