//! What goes over the wire, as text: the head of a request, the head of an answer, and what `-v` adds to them.

use std::net::IpAddr;

use axum::http::StatusCode;

use super::options::Options;
use egress::request::{Request, Scheme};
use egress::trace::{HopLocation, HttpAnswer, Trace};

/// The `User-Agent` header.
pub const AGENT: &str = "curl/7.88.1";

/// The headers of a request in curl's order, without `Host`: its own, then those of `-H`, which replace its own or take them
/// away (`Name:`).
pub fn headers(options: &Options, body: Option<usize>) -> Vec<(String, String)> {
    let given: Vec<(&str, Option<&str>)> = options
        .headers
        .iter()
        .filter_map(|line| given(line))
        .collect();
    let basic = options.user.as_ref().map(|user| {
        use base64::Engine as _;
        format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(user)
        )
    });
    let accept_encoding = options
        .compressed
        .then(|| "deflate, gzip, br, zstd".to_owned());
    let agent = options.agent.clone().unwrap_or_else(|| AGENT.to_owned());
    let form = body.map(|_| "application/x-www-form-urlencoded".to_owned());
    let own = [
        ("Authorization", basic),
        ("User-Agent", Some(agent).filter(|agent| !agent.is_empty())),
        ("Accept", Some("*/*".to_owned())),
        ("Accept-Encoding", accept_encoding),
        ("Referer", options.referer.clone()),
        ("Cookie", options.cookie.clone()),
    ];
    let replaced = |name: &str| {
        given
            .iter()
            .any(|(other, _)| other.eq_ignore_ascii_case(name))
    };
    let pair = |(name, value): (&str, Option<String>)| Some((name.to_owned(), value?));
    let mut headers: Vec<(String, String)> = own
        .into_iter()
        .filter(|(name, _)| !replaced(name))
        .filter_map(pair)
        .collect();
    let custom = given
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("host"));
    headers.extend(
        custom.filter_map(|(name, value)| Some(((*name).to_owned(), (*value)?.to_owned()))),
    );
    let length = body.map(|bytes| bytes.to_string());
    let about = [("Content-Length", length), ("Content-Type", form)];
    headers.extend(
        about
            .into_iter()
            .filter(|(name, _)| !replaced(name))
            .filter_map(pair),
    );
    headers
}

/// A line of `-H`: `Name: value`; `Name;` has an empty value; `Name:` takes the header away.
pub fn given(line: &str) -> Option<(&str, Option<&str>)> {
    match line.split_once(':') {
        Some((name, value)) => Some((name, Some(value.trim()).filter(|value| !value.is_empty()))),
        None => Some((line.strip_suffix(';')?, Some(""))),
    }
}

/// The version of HTTP: 2 over TLS, because every emulated server offers it there, unless the options exclude it.
pub fn version(request: &Request, options: &Options) -> &'static str {
    if request.scheme == Scheme::Https && !options.http1 {
        "2"
    } else {
        "1.1"
    }
}

/// The lines of a request's head, without their ends; the last is empty.
pub fn request_head(request: &Request, version: &str) -> Vec<String> {
    let mut lines = vec![format!(
        "{} {} HTTP/{version}",
        request.method, request.path
    )];
    lines.push(format!("Host: {}", request.authority()));
    let rest = request
        .headers
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("host"));
    lines.extend(rest.map(|(name, value)| {
        let name = if version == "2" {
            name.to_lowercase()
        } else {
            name.clone()
        };
        format!("{name}: {value}").trim_end().to_owned()
    }));
    lines.push(String::new());
    lines
}

/// An answer's headers with a date: an Envoy puts it before its own name in an answer of its own, and after the server's name in
/// an answer that it passes on.
pub fn dated(account: &Trace, answer: &HttpAnswer, date: &str) -> Vec<(String, String)> {
    let mut headers = answer.headers.clone();
    if headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("date"))
    {
        return headers;
    }
    let server = headers
        .iter()
        .position(|(name, _)| name.eq_ignore_ascii_case("server"));
    let behind = usize::from(account.stopped_at().is_none());
    let at = server.map_or(0, |at| at + behind);
    headers.insert(at, ("date".to_owned(), date.to_owned()));
    headers
}

/// The lines of an answer's head, without their ends; the last is empty.
pub fn answer_head(
    account: &Trace,
    status: u16,
    headers: &[(String, String)],
    version: &str,
) -> Vec<String> {
    let reason = if version == "2" {
        ""
    } else {
        reason(account, status)
    };
    let mut lines = vec![format!("HTTP/{version} {status} {reason}")];
    lines.extend(headers.iter().map(|(name, value)| {
        let name = if version == "2" {
            name.to_lowercase()
        } else {
            name.clone()
        };
        format!("{name}: {value}")
    }));
    lines.push(String::new());
    lines
}

/// The reason phrase of a status. Envoy writes its own, from a list without 418.
fn reason(account: &Trace, status: u16) -> &'static str {
    let through_proxy = account
        .hops
        .iter()
        .any(|hop| matches!(hop.place, HopLocation::Sidecar | HopLocation::Gateway));
    if status == 418 && through_proxy {
        return "Unknown";
    }
    let known = StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason());
    known.unwrap_or("Unknown")
}

/// What `-v` shows of a connection before the request, without stars.
pub fn connecting(
    request: &Request,
    to: Option<IpAddr>,
    connected: bool,
    number: usize,
) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(address) = to {
        lines.push(format!(
            "  Trying {}...",
            std::net::SocketAddr::new(address, request.port)
        ));
        if connected {
            lines.push(format!(
                "Connected to {} ({address}) port {} (#{number})",
                request.host, request.port
            ));
        }
    }
    lines
}

/// The lines of a TLS handshake as `-v` shows them, without those that differ between servers: the certificate's fields and the
/// sizes of the messages.
pub struct Handshake {
    /// Before an answer.
    pub offered: Vec<String>,
    /// After an answer.
    pub agreed: Vec<String>,
}

/// See [`Handshake`].
pub fn handshake(options: &Options, request: &Request, version: &str) -> Handshake {
    let lines =
        |lines: &[&str]| -> Vec<String> { lines.iter().map(|line| (*line).to_owned()).collect() };
    let offers = if options.http1 {
        "ALPN: offers http/1.1"
    } else {
        "ALPN: offers h2,http/1.1"
    };
    let mut offered = lines(&[offers, "TLSv1.3 (OUT), TLS handshake, Client hello (1):"]);
    if !options.insecure {
        offered.extend(lines(&[
            " CAfile: /etc/ssl/certs/ca-certificates.crt",
            " CApath: /etc/ssl/certs",
        ]));
    }
    let mut agreed = lines(&[
        "TLSv1.3 (IN), TLS handshake, Server hello (2):",
        "TLSv1.3 (IN), TLS handshake, Encrypted Extensions (8):",
        "TLSv1.3 (IN), TLS handshake, Certificate (11):",
        "TLSv1.3 (IN), TLS handshake, CERT verify (15):",
        "TLSv1.3 (IN), TLS handshake, Finished (20):",
        "TLSv1.3 (OUT), TLS change cipher, Change cipher spec (1):",
        "TLSv1.3 (OUT), TLS handshake, Finished (20):",
        "SSL connection using TLSv1.3 / TLS_AES_256_GCM_SHA384",
        if version == "2" {
            "ALPN: server accepted h2"
        } else {
            "ALPN: server accepted http/1.1"
        },
    ]);
    if !options.insecure {
        agreed.extend(lines(&[
            "Server certificate:",
            " SSL certificate verify ok.",
        ]));
    }
    if version == "2" {
        agreed.push("using HTTP/2".to_owned());
        let pseudo = [
            (":method", request.method.as_str()),
            (":path", request.path.as_str()),
            (":scheme", "https"),
            (":authority", &request.authority()),
        ];
        agreed.extend(
            pseudo
                .iter()
                .map(|(name, value)| format!("h2h3 [{name}: {value}]")),
        );
        let rest = request
            .headers
            .iter()
            .filter(|(name, _)| !name.eq_ignore_ascii_case("host"));
        agreed.extend(rest.map(|(name, value)| format!("h2h3 [{}: {value}]", name.to_lowercase())));
    } else {
        agreed.push("using HTTP/1.x".to_owned());
    }
    Handshake { offered, agreed }
}
