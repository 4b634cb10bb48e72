//! The known part of the public internet: the addresses of names, what listens there, what it answers.
//!
//! This is a substitute. Two hosts are the tutorial's (`example.com`, `httpbin.org`); every other name gets an address, so
//! that requests to any public name can be traced. The content of the real host is not known, and the answers state that.
//! Names that RFC 2606 and RFC 6761 exclude from the public DNS do not resolve.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::json;

use super::host::without_port;
use super::trace::HttpAnswer;

mod httpbin;

pub use httpbin::takes;

/// Hosts with known addresses. `example.com` and its address are those of the tutorial's samples; `httpbin.org`'s was an
/// address of its load balancer at some time; of the others, only the name is real.
const KNOWN: &[(&str, [u8; 4])] = &[
    ("example.com", [93, 184, 216, 34]),
    ("www.example.com", [93, 184, 216, 34]),
    ("httpbin.org", [34, 193, 132, 77]),
    // The ranges of Private Google Access also have these public names.
    ("private.googleapis.com", [199, 36, 153, 8]),
    ("restricted.googleapis.com", [199, 36, 153, 4]),
];

/// Suffixes of names that are not public: RFC 2606, RFC 6761, RFC 6762, RFC 7686, RFC 8375, ICANN's `internal`, and suffixes
/// that routers and clusters use.
const NOT_PUBLIC: &[&str] = &[
    "test",
    "invalid",
    "localhost",
    "local",
    "internal",
    "onion",
    "example",
    "arpa",
    "alt",
    "lan",
    "home",
    "corp",
];

/// The address of a name; `None` if it is not a public name. An address as text is its own address.
pub fn address(name: &str) -> Option<IpAddr> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if let Ok(address) = name.trim_matches(['[', ']']).parse() {
        return Some(address);
    }
    if let Some((_, address)) = KNOWN.iter().find(|(known, _)| *known == name) {
        return Some(IpAddr::from(*address));
    }
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len())
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    let top = last.len() > 1 && last.bytes().any(|byte| byte.is_ascii_alphabetic());
    let public = name.len() <= 253
        && name.contains('.')
        && name.split('.').all(label)
        && top
        && !NOT_PUBLIC.contains(&last);
    public.then(|| IpAddr::V4(made_up(&name)))
}

/// An address for a name without a known one: always the same, and in 198.18.0.0/15, which RFC 2544 reserves for benchmarks,
/// so that it belongs to no real host.
fn made_up(name: &str) -> Ipv4Addr {
    // FNV-1a.
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    // Neither the first nor the last address of the range.
    Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 0, 0)) + 1 + hash % ((1 << 17) - 2))
}

/// Whether an address is public, or one of Google's behind Private Google Access; not one of a private network.
pub fn public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let shared = address.octets()[0] == 100 && address.octets()[1] & 0xc0 == 64;
            !(address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || address.is_multicast()
                || address.is_broadcast()
                || shared)
        }
        IpAddr::V6(address) => {
            !(address.is_loopback()
                || address.is_unspecified()
                || address.is_multicast()
                || address.is_unique_local()
                || address.is_unicast_link_local())
        }
    }
}

/// What listens on a port of a host of the internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InternetListener {
    /// HTTP in plain text.
    Http,
    /// HTTP in TLS.
    Https,
    /// HTTP, in TLS or not as the caller wants it: what is served is not known exactly.
    Either,
    /// Nothing: packets to the port get no answer.
    Nobody,
}

/// What listens on `port` of any host of the internet.
pub fn serves(port: u16) -> InternetListener {
    match port {
        80 => InternetListener::Http,
        443 => InternetListener::Https,
        _ => InternetListener::Nobody,
    }
}

/// The names in the certificate that a host presents for the SNI `server_name`; patterns of [`within`](super::host::within),
/// although a certificate's wildcard covers only one label.
pub fn certificate(server_name: &str) -> Vec<String> {
    let name = server_name.to_ascii_lowercase();
    match google(&name) {
        Some(suffix) => vec![format!("*.{suffix}"), suffix.to_owned()],
        None => vec![name.clone(), format!("*.{name}")],
    }
}

/// Whether a certificate for these names is valid for `name`: exactly, or by a wildcard for its first label.
pub fn vouches(names: &[String], name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    names.iter().any(|own| match own.strip_prefix("*.") {
        Some(suffix) => name
            .split_once('.')
            .is_some_and(|(first, rest)| !first.is_empty() && rest == suffix),
        None => *own == name,
    })
}

/// Google's domain that a host belongs to.
fn google(host: &str) -> Option<&'static str> {
    let spaces = ["googleapis.com", "gcr.io", "pkg.dev"];
    spaces.into_iter().find(|space| {
        host == *space
            || host
                .strip_suffix(space)
                .is_some_and(|rest| rest.ends_with('.'))
    })
}

/// A request to a host.
#[derive(Debug, Clone, Copy)]
pub struct InternetRequest<'a> {
    /// The requested name: the authority.
    pub host: &'a str,
    /// Whether the request uses TLS.
    pub tls: bool,
    /// The method.
    pub method: &'a str,
    /// The path with its query.
    pub path: &'a str,
    /// The headers, as received.
    pub headers: &'a [(String, String)],
    /// The caller's address, as the host sees it.
    pub from: Option<IpAddr>,
}

/// The answer of a host.
pub fn answer(asked: &InternetRequest<'_>) -> HttpAnswer {
    let host = without_port(asked.host).to_ascii_lowercase();
    let path = asked.path.split(['?', '#']).next().unwrap_or_default();
    let mut answer = match host.as_str() {
        "example.com" | "www.example.com" => example(path),
        "httpbin.org" => httpbin::answer(asked, path),
        host if google(host).is_some() => {
            answering(404, "application/json; charset=UTF-8", google_error())
        }
        host => answering(
            200,
            "text/plain",
            format!("{host} answers; its real content is not known here.\n"),
        ),
    };
    if asked.method == "HEAD" {
        answer.body.clear();
    }
    answer
}

fn answering(status: u16, kind: &str, body: String) -> HttpAnswer {
    let headers = [
        ("content-type", kind.to_owned()),
        ("content-length", body.len().to_string()),
    ];
    HttpAnswer {
        status,
        headers: headers
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec(),
        body,
    }
}

/// `example.com`: the same page for every GET.
fn example(path: &str) -> HttpAnswer {
    let page = "<!doctype html>\n<html><head><title>Example Domain</title></head>\n<body><h1>Example Domain</h1></body></html>\n";
    match path {
        "" | "/" | "/index.html" => answering(200, "text/html", page.to_owned()),
        _ => answering(404, "text/html", page.to_owned()),
    }
}

/// The answer of a server to plain HTTP on a TLS port; most servers answer so, each with its own text.
pub fn plain_to_tls() -> HttpAnswer {
    let body = "The plain HTTP request was sent to HTTPS port\n".to_owned();
    answering(400, "text/plain", body)
}

/// The answer of Google's APIs to a path that none of them has. Answers to real calls are not modelled.
fn google_error() -> String {
    json!({"error": {"code": 404, "message": "Not Found", "status": "NOT_FOUND"}}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked<'a>(host: &'a str, method: &'a str, path: &'a str) -> InternetRequest<'a> {
        InternetRequest {
            host,
            tls: false,
            method,
            path,
            headers: &[],
            from: None,
        }
    }

    #[test]
    fn names_of_the_internet_have_addresses() {
        let known = [
            ("example.com", "93.184.216.34"),
            ("Example.com.", "93.184.216.34"),
            ("private.googleapis.com", "199.36.153.8"),
            ("203.0.113.7", "203.0.113.7"),
            ("[2001:db8::1]", "2001:db8::1"),
        ];
        for (name, expected) in known {
            assert_eq!(address(name), expected.parse().ok(), "{name}");
        }
        for name in [
            "wikipedia.org",
            "a-b.example.net",
            "xn--bcher-kva.ch",
            "_dmarc.example.com",
        ] {
            let found = address(name).unwrap();
            assert!(found.to_string().starts_with("198.1"), "{name} {found}");
        }
        assert_ne!(address("wikipedia.org"), address("wikipedia.com"));
        let nowhere = [
            "",
            "test",
            "localhost",
            "api.test",
            "no.such.invalid",
            "printer.local",
            "x.svc.cluster.local",
            "vm.c.project.internal",
            "1.2.3",
            "1.2.3.456",
            "a..b.com",
            "-a.com",
            "a b.com",
            "a.b.example",
        ];
        for name in nowhere {
            assert_eq!(address(name), None, "{name}");
        }
    }

    #[test]
    fn hosts_answer_as_far_as_they_are_known() {
        // (method, host, path, status, substring of the body)
        let cases = [
            ("GET", "example.com", "/", 200, "Example Domain"),
            ("GET", "EXAMPLE.com:80", "/?a=b", 200, "Example Domain"),
            ("GET", "example.com", "/none", 404, "Example Domain"),
            ("HEAD", "example.com", "/", 200, ""),
            ("GET", "httpbin.org", "/status/418?x=1", 418, "teapot"),
            ("GET", "storage.googleapis.com", "/x", 404, "NOT_FOUND"),
            ("GET", "wikipedia.org", "/", 200, "not known here"),
        ];
        for (method, host, path, status, body) in cases {
            let answer = answer(&asked(host, method, path));
            assert_eq!(answer.status, status, "{host}{path}");
            assert!(answer.body.contains(body), "{host}{path}");
            assert_eq!(answer.body.is_empty(), body.is_empty(), "{host}{path}");
        }
        let length = |answer: HttpAnswer| {
            answer
                .headers
                .into_iter()
                .find(|(name, _)| name == "content-length")
        };
        // HEAD reports the length that GET would have.
        assert_eq!(
            length(answer(&asked("example.com", "HEAD", "/"))),
            length(answer(&asked("example.com", "GET", "/")))
        );
        assert_eq!(plain_to_tls().status, 400);
    }

    #[test]
    fn certificates_are_for_the_names_that_they_say() {
        // (requested name, name to verify, whether the certificate is valid for it)
        let cases = [
            ("example.com", "example.com", true),
            ("example.com", "www.Example.com", true),
            ("example.com", "a.b.example.com", false),
            ("example.com", "httpbin.org", false),
            ("storage.googleapis.com", "storage.googleapis.com", true),
            ("storage.googleapis.com", "example.com", false),
            ("gcr.io", "gcr.io", true),
        ];
        for (server_name, name, expected) in cases {
            assert_eq!(
                vouches(&certificate(server_name), name),
                expected,
                "{server_name} {name}"
            );
        }
    }

    #[test]
    fn private_networks_are_not_the_internet() {
        let cases = [
            ("93.184.216.34", true),
            ("199.36.153.8", true),
            ("198.18.3.4", true),
            ("10.1.0.17", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("127.0.0.1", false),
            ("2600::1", true),
            ("fd00::1", false),
            ("fe80::1", false),
        ];
        for (text, expected) in cases {
            assert_eq!(public(text.parse().unwrap()), expected, "{text}");
        }
        assert_eq!(
            [80, 443, 22].map(serves),
            [
                InternetListener::Http,
                InternetListener::Https,
                InternetListener::Nobody
            ]
        );
    }

    proptest! {
        #[test]
        fn nothing_panics_and_names_keep_their_address(name in ".{0,40}", path in ".{0,40}", method in "[A-Z]{0,5}") {
            prop_assert_eq!(address(&name), address(&name.to_ascii_uppercase()));
            for host in [name.as_str(), "httpbin.org", "example.com"] {
                let found = answer(&asked(host, &method, &path));
                prop_assert!(found.status >= 100);
            }
        }
    }
}
