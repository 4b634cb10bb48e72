//! The proxy for requests to other machines, by the variables that reqwest reads, so that Google and clusters are reached in the same
//! way and a message names the proxy in use. Pure.
//!
//! reqwest chooses the proxy of its own requests by itself. Only http and https proxies work; a loopback address never has one.

use std::net::IpAddr;

use ipnet::IpNet;

/// A proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// The variable that names it.
    pub variable: &'static str,
    /// Its address, without a user name and a password.
    pub address: String,
    /// The whole address, which may contain a password.
    pub url: String,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.address, self.variable)
    }
}

/// The variables that may name the proxy for https, in reqwest's order.
const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// Whether a host, a name or an IP address, is this machine.
pub fn is_loopback(host: &str) -> bool {
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

/// The proxy for https requests to `host`, a name or an IP address, if there is one.
pub fn of(host: &str, env: &dyn Fn(&str) -> Option<String>) -> Option<Proxy> {
    let ip: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    if is_loopback(host) {
        return None;
    }
    let exempt = env("NO_PROXY")
        .or_else(|| env("no_proxy"))
        .unwrap_or_default();
    let is_exempt = |entry: &str| {
        let entry = entry.trim();
        if let Some(ip) = ip {
            let net = entry.parse::<IpNet>().is_ok_and(|net| net.contains(&ip));
            return entry == "*" || net || entry.parse::<IpAddr>() == Ok(ip);
        }
        let entry = entry.trim_start_matches('.');
        entry == "*" || host == entry || (!entry.is_empty() && host.ends_with(&format!(".{entry}")))
    };
    if exempt.split(',').any(is_exempt) {
        return None;
    }
    let found = VARIABLES.iter().find_map(|variable| {
        let value = env(variable).filter(|value| !value.is_empty())?;
        Some((*variable, value))
    });
    let (variable, value) = found?;
    let url = match value.contains("://") {
        true => value,
        false => format!("http://{value}"),
    };
    let after_scheme = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    let after_user = after_scheme
        .rsplit_once('@')
        .map_or(after_scheme, |(_, rest)| rest);
    Some(Proxy {
        variable,
        address: after_user.trim_end_matches('/').to_owned(),
        url,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxy_is_the_one_that_reqwest_uses() {
        let host = "compute.googleapis.com";
        for (host, set, expected) in [
            (host, &[][..], None),
            (
                host,
                &[("HTTPS_PROXY", "http://me:secret@proxy.example:3128/")][..],
                Some(("HTTPS_PROXY", "proxy.example:3128")),
            ),
            (
                host,
                &[("ALL_PROXY", "a:1"), ("https_proxy", "b:2")],
                Some(("https_proxy", "b:2")),
            ),
            (host, &[("HTTPS_PROXY", "")], None),
            (host, &[("HTTP_PROXY", "a:1")], None),
            (
                host,
                &[
                    ("HTTPS_PROXY", "a:1"),
                    ("NO_PROXY", "localhost, .googleapis.com"),
                ],
                None,
            ),
            (host, &[("HTTPS_PROXY", "a:1"), ("no_proxy", "*")], None),
            (
                host,
                &[("HTTPS_PROXY", "a:1"), ("NO_PROXY", "apis.com,")],
                Some(("HTTPS_PROXY", "a:1")),
            ),
            (
                "203.0.113.5",
                &[("HTTPS_PROXY", "a:1"), ("NO_PROXY", "10.0.0.0/8")],
                Some(("HTTPS_PROXY", "a:1")),
            ),
            (
                "10.1.2.3",
                &[("HTTPS_PROXY", "a:1"), ("NO_PROXY", "10.0.0.0/8")],
                None,
            ),
            (
                "10.1.2.3",
                &[("HTTPS_PROXY", "a:1"), ("NO_PROXY", "10.1.2.3")],
                None,
            ),
            ("127.0.0.1", &[("HTTPS_PROXY", "a:1")], None),
            ("localhost", &[("HTTPS_PROXY", "a:1")], None),
            ("[::1]", &[("HTTPS_PROXY", "a:1")], None),
        ] {
            let env = |name: &str| {
                let found = set.iter().find(|(set, _)| *set == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            let found = of(host, &env);
            let told = found
                .as_ref()
                .map(|one| (one.variable, one.address.as_str()));
            assert_eq!(told, expected, "{host} {set:?}");
            assert!(!format!("{found:?}").contains("secret"));
        }
    }
}
