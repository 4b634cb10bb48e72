//! Who may talk to the emulator: programs of this machine, and no page in its browser.
//!
//! It asks nobody for credentials. A page of another origin could still reach a port on loopback, directly or by a name that
//! resolves to it, so the names in `Host` and `Origin` are looked at.

use axum::http::{HeaderMap, header};

/// Why a request is not from this machine's own programs: a name that some DNS made point here, or a page in a browser.
pub fn stranger(authority: Option<&str>, headers: &HeaderMap) -> Option<String> {
    let host = headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok())
        .or(authority)
        .unwrap_or_default();
    if !is_loopback(host) {
        return Some(format!(
            "the emulator answers requests for 127.0.0.1 or localhost, not for {host:?}\n"
        ));
    }
    let origin = headers.get(header::ORIGIN)?.to_str().unwrap_or_default();
    let from = origin.split_once("://").map_or(origin, |(_, host)| host);
    (!is_loopback(from)).then(|| format!("the emulator does not answer pages of {origin:?}\n"))
}

/// Whether `host` or `host:port` is this machine's loopback.
pub fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_answered() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:4010",
            "localhost:1",
            "[::1]:80",
            "LOCALHOST",
            "127.9.9.9:1",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com:80",
            "127.0.0.1.nip.io",
            "10.0.0.1:80",
            "[fd00::1]:80",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
