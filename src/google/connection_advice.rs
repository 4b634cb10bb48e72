//! What to say and to do about a connection that fails: its proxy, its certificate, the network. Tokens and Google's APIs have the same
//! words. Pure; which error a failed connection is, `answer` and `credentials` decide.

use super::Environment;
use crate::proxy;

/// The proxy for requests to `host` as text for people: its address and the variable that names it.
pub fn proxy_words(host: &str, env: Environment<'_>) -> Option<String> {
    proxy::of(host, env).map(|proxy| format!("{} ({})", proxy.address, proxy.variable))
}

/// What to do about a certificate that is not trusted.
pub(super) const CERTIFICATE: &str =
    "if a proxy inspects HTTPS, name its CA certificate file in SSL_CERT_FILE";

/// Whether the words of a connection's error say that a certificate is not trusted. It will not be trusted the next time either.
pub(super) fn is_untrusted(words: &str) -> bool {
    words.contains("certificate")
}

/// What to do about a server that cannot be reached, through a proxy or without one.
pub(super) fn of_network(has_proxy: bool) -> &'static str {
    match has_proxy {
        true => {
            "check that the proxy runs and that HTTPS_PROXY and NO_PROXY are right; run the same command again to continue"
        }
        false => {
            "check the network and its name server; if the network needs a proxy, set HTTPS_PROXY; run the same command again to continue"
        }
    }
}
