//! A server that was never reached: for how long a run's first request tries, and how its error names the way to the server. Pure.

use std::time::Duration;

use url::Url;

use super::connection_advice;
use super::endpoints::is_loopback;
use super::{ApiError, Class, Environment, MayHaveApplied};
use crate::proxy;

/// How long a request is repeated if nothing has ever answered. A wrong proxy or a missing network does not repair itself, so the
/// user should know at once; a connection that breaks in the middle of a run is waited for much longer.
pub(super) const FIRST_PATIENCE: Duration = Duration::from_secs(4);

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
    let proxy = proxy::of(host, env);
    if connects {
        let through = proxy.as_ref().map_or_else(String::new, |proxy| {
            format!(" through the proxy {} ({})", proxy.address, proxy.variable)
        });
        let message = &error.message;
        error.message = format!("cannot connect to {host}{port}{through}: {message}");
    }
    error.advice = Some(match is_loopback(url) {
        true => {
            "start the server that CLOUDSDK_API_ENDPOINT_OVERRIDES_* names, or unset these variables"
        }
        false => connection_advice::of_network(proxy.is_some()),
    });
    error
}
