//! The program's one HTTP client, for Google's APIs and for tokens alike: the same proxy variables, certificate authorities and
//! time limits. It follows no redirect and retries nothing.
//!
//! A cluster's API has a client of its own (`cluster`), because it trusts the cluster's own certificate authority and not those of
//! the machine.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};
use url::{Host, Url};

use super::endpoints::is_loopback;

/// How long a connection may take.
pub(super) const CONNECT: Duration = Duration::from_secs(10);
/// Sent while calls are open. After a laptop has slept, a dead connection is detected now, not at the end of a
/// two-minute wait.
const PING: Duration = Duration::from_secs(30);

/// The client. Clones share its connections. Each part is built when it is first needed, because loading the machine's
/// certificate authorities takes longer than everything else here.
#[derive(Clone, Default)]
pub(super) struct Http {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Through the machine's proxy, if it has one.
    outward: OnceLock<Client>,
    /// For this machine: never through a proxy, which would receive the token in plain text.
    inward: OnceLock<Client>,
    /// The same over https.
    inward_secured: OnceLock<Client>,
}

impl Http {
    /// For other machines: through the proxy that `HTTPS_PROXY` and `NO_PROXY` name.
    ///
    /// # Errors
    /// HTTPS cannot be set up; usually because the machine has no certificate authorities.
    pub fn outward(&self) -> Result<Client, reqwest::Error> {
        once(&self.inner.outward, builder)
    }

    /// For this machine, past any proxy.
    ///
    /// # Errors
    /// HTTPS is needed and cannot be set up.
    pub fn inward(&self, is_https: bool) -> Result<Client, reqwest::Error> {
        match is_https {
            true => once(&self.inner.inward_secured, || builder().no_proxy()),
            false => once(&self.inner.inward, || {
                builder().no_proxy().tls_certs_only([])
            }),
        }
    }

    /// For an address: past any proxy if it is on this machine or on its own link, where metadata servers are.
    ///
    /// # Errors
    /// HTTPS is needed and cannot be set up.
    pub fn of(&self, url: &Url) -> Result<Client, reqwest::Error> {
        match is_loopback(url) || is_on_link(url) {
            true => self.inward(url.scheme() == "https"),
            false => self.outward(),
        }
    }
}

/// Whether an address is that of a metadata server, which no proxy can reach for us: it answers only the machine itself.
pub(super) fn is_on_link(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_link_local(),
        Some(Host::Ipv6(ip)) => ip.is_unicast_link_local(),
        Some(Host::Domain(name)) => name == "metadata.google.internal",
        None => false,
    }
}

fn once(
    cell: &OnceLock<Client>,
    builder: impl FnOnce() -> ClientBuilder,
) -> Result<Client, reqwest::Error> {
    if let Some(client) = cell.get() {
        return Ok(client.clone());
    }
    let client = builder().build()?;
    Ok(cell.get_or_init(|| client).clone())
}

fn builder() -> ClientBuilder {
    // The program chose its provider when it started, so this has no effect there; a test has not chosen one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("provision/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(PING)
        .http2_keep_alive_timeout(CONNECT)
}
