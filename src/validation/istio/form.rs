//! Forms of names and values in Istio: hosts, labels, ports, addresses, durations.

use crate::at::At;
use crate::fault::Faults;
use crate::names;
use crate::rules::nanoseconds;

/// Whether it is a label of a domain name; Istio takes capital letters.
pub fn is_label(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric();
    text.len() <= 63
        && text.chars().all(|c| word(c) || c == '-')
        && text.starts_with(word)
        && text.ends_with(word)
}

/// Whether it is a label that may begin with `*` or `*-`, or is `*`.
fn is_wildcard_label(text: &str) -> bool {
    let rest = text.strip_prefix("*-").or(text.strip_prefix('*'));
    text.len() <= 63 && (text == "*" || is_label(text) || rest.is_some_and(is_label))
}

fn length(domain: &str) -> Option<String> {
    match domain.len() {
        0 => Some("empty domain name not allowed".to_owned()),
        1..=255 => None,
        _ => Some(format!("domain name {domain:?} too long (max 255)")),
    }
}

fn labels(domain: &str) -> Option<String> {
    let parts: Vec<&str> = domain.split('.').collect();
    let last = parts.last().copied().unwrap_or_default();
    if last.parse::<i64>().is_ok() {
        return Some(format!(
            "domain name {domain:?} invalid (top level domain {last:?} cannot be all-numeric)"
        ));
    }
    let named = match last {
        "" => &parts[..parts.len() - 1],
        _ => &parts[..],
    };
    let bad = named.iter().find(|label| !is_label(label))?;
    Some(format!(
        "domain name {domain:?} invalid (label {bad:?} invalid)"
    ))
}

/// Why it is not a domain name.
pub fn domain(text: &str) -> Option<String> {
    length(text).or_else(|| labels(text))
}

/// Why it is not a domain name whose first label may be a wildcard.
pub fn wildcard_domain(text: &str) -> Option<String> {
    if let Some(why) = length(text) {
        return Some(why);
    }
    let (first, rest) = match text.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (text, None),
    };
    if !is_wildcard_label(first) {
        return Some(format!(
            "domain name {text:?} invalid (label {first:?} invalid)"
        ));
    }
    rest.and_then(labels)
}

/// Why a wildcard does not stand for whole labels.
pub fn partial_wildcard(text: &str) -> Option<String> {
    let partial = text.contains('*') && text != "*" && !text.starts_with("*.");
    partial.then(|| format!("partial wildcard {text:?} not allowed"))
}

/// Judges a host with a namespace before it, as Gateways (which may leave it out) and Sidecars have.
pub fn namespaced_host(at: &At<'_>, of_gateway: bool, faults: &mut Faults) {
    let Some((namespace, host)) = at.text().split_once('/') else {
        return match of_gateway {
            true => plain_host(at, at.text(), true, faults),
            false => faults.deny(at, "host must be of form namespace/dnsName"),
        };
    };
    if namespace.is_empty() || host.is_empty() {
        faults.deny(
            at,
            "config namespace and dnsName in host entry cannot be empty",
        );
    }
    let (own, whose) = match of_gateway {
        true => (namespace, "gateway"),
        false => (namespace.strip_prefix('~').unwrap_or(namespace), "sidecar"),
    };
    let any = matches!(own, "*" | ".") || (own.is_empty() && !of_gateway);
    if !any && !is_label(own) {
        faults.deny(
            at,
            format!("invalid namespace value {namespace:?} in {whose}"),
        );
    }
    plain_host(at, host, of_gateway, faults);
}

fn plain_host(at: &At<'_>, host: &str, of_gateway: bool, faults: &mut Faults) {
    if host != "*" && !host.contains('.') {
        faults.deny(at, "short names (non FQDN) are not allowed");
    }
    let is_address = of_gateway && is_ip(host);
    faults.deny_if(at, wildcard_domain(host).filter(|_| !is_address));
    faults.deny_if(at, partial_wildcard(host));
}

/// Whether it is an address.
pub fn is_ip(text: &str) -> bool {
    names::ip(text).is_some()
}

/// Why it is neither an address nor a range of addresses.
pub fn subnet(text: &str) -> Option<String> {
    match text.matches('/').count() {
        1 => (names::cidr(text).is_none()).then(|| format!("{text} is not a valid CIDR block")),
        _ => address(text),
    }
}

/// Why it is not an address.
pub fn address(text: &str) -> Option<String> {
    (!is_ip(text)).then(|| format!("{text} is not a valid IP"))
}

/// Why it is not the path of a socket.
pub fn socket(path: &str) -> Option<String> {
    if path.is_empty() {
        return Some("unix address must not be empty".to_owned());
    }
    let bad = !path.starts_with('@') && (!path.starts_with('/') || path.ends_with('/'));
    bad.then(|| format!("{path} is not an absolute path to a file"))
}

/// Why it is not the number of a port.
pub fn port(number: i64) -> Option<String> {
    let bad = !(1..=65535).contains(&number);
    bad.then(|| format!("port number {number} must be in the range 1..65535"))
}

/// Why it is not the name of a port.
pub fn port_name(name: &str) -> Option<String> {
    (!is_label(name)).then(|| format!("invalid port name: {name}"))
}

/// Judges a duration, if there is one.
pub fn duration(at: &At<'_>, faults: &mut Faults) {
    const MILLISECOND: i64 = 1_000_000;
    match nanoseconds(at.text()).filter(|_| at.is_set()) {
        Some(time) if time < MILLISECOND => faults.deny(at, "duration must be greater than 1ms"),
        Some(time) if time % MILLISECOND != 0 => {
            faults.deny(at, "only durations to ms precision are supported");
        }
        _ => {}
    }
}

/// Judges labels that select.
pub fn tags(labels: &At<'_>, faults: &mut Faults) {
    for (key, value) in labels.entries() {
        let (prefix, name) = key
            .rsplit_once('/')
            .map_or((None, key), |(p, n)| (Some(p), n));
        let named = !name.is_empty() && names::label_value(name).is_none();
        if !named || prefix.is_some_and(|prefix| !prefix.split('.').all(is_label)) {
            faults.deny(&value, format!("invalid tag key: {key:?}"));
        }
        let text = value.text();
        // Longer values are taken here.
        if text.len() <= 63 && names::label_value(text).is_some() {
            faults.deny(&value, format!("invalid tag value: {text:?}"));
        }
    }
}

/// The protocol of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP in any version, also gRPC.
    Http,
    /// HTTPS or TLS.
    Tls,
    /// Any other that is known.
    Other,
}

/// The protocols that Istio knows.
pub const PROTOCOLS: [&str; 12] = [
    "HTTP",
    "HTTP2",
    "GRPC",
    "GRPC-WEB",
    "HTTP_PROXY",
    "HTTPS",
    "TLS",
    "TCP",
    "UDP",
    "MONGO",
    "REDIS",
    "MYSQL",
];

/// The protocol of a name; none if Istio does not know it.
pub fn protocol(name: &str) -> Option<Protocol> {
    let known = PROTOCOLS
        .iter()
        .position(|known| known.eq_ignore_ascii_case(name))?;
    Some(match known {
        0..=4 => Protocol::Http,
        5 | 6 => Protocol::Tls,
        _ => Protocol::Other,
    })
}

/// Judges a protocol; none is found out from the connection.
pub fn known_protocol(at: &At<'_>, faults: &mut Faults) {
    let name = at.text();
    if !name.is_empty() && protocol(name).is_none() {
        faults.deny(at, format!("unsupported protocol: {name}"));
        meant(faults, name, &PROTOCOLS);
    }
}

/// Adds the word that was probably meant to the last fault.
pub fn meant(faults: &mut Faults, word: &str, known: &[&str]) {
    if let Some(fault) = faults.0.pop() {
        faults.0.push(fault.meant(word, known.iter().copied()));
    }
}
