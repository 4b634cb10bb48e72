//! A server that was never reached: for how long a run's first request tries, and how its error names the way to the server. Pure.
//!
//! The proxy is found as reqwest finds it, so that a message names the one in use. It is not chosen here.

use std::time::Duration;

use url::Url;

use super::endpoints::is_loopback;
use super::{ApiError, Class, Environment, MayHaveApplied};

/// How long a request is repeated if nothing has ever answered. A wrong proxy or a missing network does not repair itself, so the
/// user should know at once; a connection that breaks in the middle of a run is waited for much longer.
pub(super) const FIRST_PATIENCE: Duration = Duration::from_secs(4);

/// A proxy for requests to Google.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proxy {
    /// The variable that names it.
    variable: &'static str,
    /// Its address, without a user name and a password.
    address: String,
}

/// The proxy for requests to `host` as text for people: its address and the variable that names it.
pub fn proxy_words(host: &str, env: Environment<'_>) -> Option<String> {
    let proxy = proxy(host, env)?;
    Some(format!("{} ({})", proxy.address, proxy.variable))
}

/// The variables that may name the proxy for https, in reqwest's order.
const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// The proxy for requests to `host`, if there is one.
pub(super) fn proxy(host: &str, env: Environment<'_>) -> Option<Proxy> {
    let exempt = env("NO_PROXY")
        .or_else(|| env("no_proxy"))
        .unwrap_or_default();
    let is_exempt = |entry: &str| {
        let entry = entry.trim().trim_start_matches('.');
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
    let after_scheme = value
        .split_once("://")
        .map_or(value.as_str(), |(_, rest)| rest);
    let after_user = after_scheme
        .rsplit_once('@')
        .map_or(after_scheme, |(_, rest)| rest);
    Some(Proxy {
        variable,
        address: after_user.trim_end_matches('/').to_owned(),
    })
}

/// Whether the request cannot have reached any server: there was no connection, or no token for it.
pub(super) fn was_unreachable(error: &ApiError) -> bool {
    error.class == Class::LostConnection && error.left_machine == MayHaveApplied::No
}

/// The error of a run's first request, with the host and the proxy in its message, and with advice.
pub(super) fn explained(mut error: ApiError, url: Option<&Url>, env: Environment<'_>) -> ApiError {
    let Some((url, host)) = url.and_then(|url| Some((url, url.host_str()?))) else {
        return error;
    };
    let port = url
        .port()
        .map_or_else(String::new, |port| format!(":{port}"));
    let cause = error.cause.as_deref();
    let connects = cause
        .and_then(|cause| cause.downcast_ref::<reqwest::Error>())
        .is_some_and(reqwest::Error::is_connect);
    let proxy = proxy(host, env).filter(|_| !is_loopback(url));
    if connects {
        let through = proxy.as_ref().map_or_else(String::new, |proxy| {
            format!(" through the proxy {} ({})", proxy.address, proxy.variable)
        });
        let message = &error.message;
        error.message = format!("cannot connect to {host}{port}{through}: {message}");
    }
    error.advice = Some(match (is_loopback(url), proxy.is_some()) {
        (true, _) => {
            "start the server that CLOUDSDK_API_ENDPOINT_OVERRIDES_* names, or unset these variables"
        }
        (false, true) => {
            "check that the proxy runs and that HTTPS_PROXY and NO_PROXY are right; run the same command again to continue"
        }
        (false, false) => {
            "check the network and its name server; if the network needs a proxy, set HTTPS_PROXY; run the same command again to continue"
        }
    });
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxy_is_the_one_that_reqwest_uses() {
        let host = "compute.googleapis.com";
        for (set, expected) in [
            (&[][..], None),
            (
                &[("HTTPS_PROXY", "http://me:secret@proxy.example:3128/")][..],
                Some(("HTTPS_PROXY", "proxy.example:3128")),
            ),
            (
                &[("ALL_PROXY", "a:1"), ("https_proxy", "b:2")],
                Some(("https_proxy", "b:2")),
            ),
            (&[("HTTPS_PROXY", "")], None),
            (&[("HTTP_PROXY", "a:1")], None),
            (
                &[
                    ("HTTPS_PROXY", "a:1"),
                    ("NO_PROXY", "localhost, .googleapis.com"),
                ],
                None,
            ),
            (&[("HTTPS_PROXY", "a:1"), ("no_proxy", "*")], None),
            (
                &[("HTTPS_PROXY", "a:1"), ("NO_PROXY", "apis.com,")],
                Some(("HTTPS_PROXY", "a:1")),
            ),
        ] {
            let env = |name: &str| {
                let found = set.iter().find(|(set, _)| *set == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            let expected = expected.map(|(variable, address)| Proxy {
                variable,
                address: address.to_owned(),
            });
            assert_eq!(proxy(host, &env), expected, "{set:?}");
        }
    }
}
