//! Who may talk to the emulator: programs of this machine, and no page in its browser.
//!
//! It asks for no credentials. A page of another origin could still reach a port on loopback, directly or by a name that
//! resolves to it, so the names in `Host` and `Origin` are looked at, and what a browser says of a request that has no
//! `Origin` (Fetch Metadata: an image's address, a link). A page that a program of this machine serves is that program's.

use axum::http::{HeaderMap, header};

/// Why a request is not from this machine's own programs: a name that some DNS made point here, or a page in a browser.
pub fn reject_foreign_origin(authority: Option<&str>, headers: &HeaderMap) -> Option<String> {
    // HTTP/2 says it beside the headers; where it is said twice, each has to be ours.
    let hosts = headers.get_all(header::HOST).iter();
    let hosts = hosts.map(|value| value.to_str().unwrap_or_default());
    let hosts: Vec<&str> = hosts.chain(authority).collect();
    let host = hosts.iter().find(|host| !is_loopback(host));
    if let Some(host) = host.or(hosts.is_empty().then_some(&"")) {
        return Some(format!(
            "the emulator answers requests for 127.0.0.1 or localhost, not for {host:?}\n"
        ));
    }
    // `none` is a person's own doing.
    let site = headers.get("sec-fetch-site").map(|value| value.as_bytes());
    if site.is_some_and(|site| site != b"same-origin" && site != b"none") {
        return Some("the emulator does not answer pages of other sites\n".to_owned());
    }
    let origin = headers.get(header::ORIGIN)?.to_str().unwrap_or_default();
    let from = origin.split_once("://").map_or(origin, |(_, host)| host);
    (!is_loopback(from)).then(|| format!("the emulator does not answer pages of {origin:?}\n"))
}

/// Whether `host` or `host:port` is this machine's loopback.
pub fn is_loopback(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(inner) => inner.split_once(']').unwrap_or_default(),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok();
    if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
        return false;
    }
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
            "localhost.",
            "evillocalhost",
            "localhost@example.com",
            "localhost:80@example.com",
            "localhost:x",
            "[::1].example.com",
            "[::1]:80:x",
            "[::1",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn every_name_that_it_is_asked_under_has_to_be_ours() {
        const OURS: &str = "127.0.0.1:4010";
        const OTHER: &str = "rebound.example.com";
        let site = "sec-fetch-site";
        // (beside the headers, headers, whether it is a stranger)
        let cases: [(Option<&str>, &[(&str, &str)], bool); 14] = [
            (None, &[("host", OURS)], false),
            (Some(OURS), &[], false),
            (None, &[], true),
            (Some(OTHER), &[], true),
            (Some(OTHER), &[("host", OURS)], true),
            (Some(OURS), &[("host", OTHER)], true),
            (None, &[("host", OURS), ("host", OTHER)], true),
            (None, &[("host", OURS), ("host", "\u{e9}")], true),
            (None, &[("host", OURS), ("origin", "null")], true),
            (None, &[("host", OURS), ("origin", "http://[::1]:1")], false),
            (None, &[("host", OURS), (site, "none")], false),
            (None, &[("host", OURS), (site, "same-origin")], false),
            (None, &[("host", OURS), (site, "same-site")], true),
            (None, &[("host", OURS), (site, "cross-site")], true),
        ];
        for (authority, headers, expected) in cases {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                let name = name.parse::<header::HeaderName>().unwrap();
                map.append(name, value.parse().unwrap());
            }
            let complaint = reject_foreign_origin(authority, &map);
            assert_eq!(complaint.is_some(), expected, "{authority:?} {headers:?}");
        }
    }
}
