//! The metadata server of a Compute Engine VM, and that of Cloud Shell
//! (<https://cloud.google.com/compute/docs/metadata/predefined-metadata-keys>). gcp_auth asks it too, but not through the
//! program's client, and it drops the answer if that is an error.

use std::time::Duration;

use url::Url;

use super::error::{Asked, TokenError};
use super::grant::{Exchange, Grant};
use crate::google::http::Http;

/// Its name on every Compute Engine VM; `GCE_METADATA_HOST` names another one.
const HOST: &str = "metadata.google.internal";

/// How long the server may take, as in google-auth-library-python (`_METADATA_DEFAULT_TIMEOUT`).
const NEAR: Duration = Duration::from_secs(3);

/// A metadata server.
pub(super) struct Metadata {
    base: Url,
    headers: Vec<(String, String)>,
}

impl Metadata {
    /// The server at `host`, which may have a port; `None` if that is no host.
    pub fn at(host: Option<&str>) -> Option<Metadata> {
        let host = host.unwrap_or(HOST);
        let base = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/");
        Some(Metadata {
            base: Url::parse(&base).ok()?,
            // Without it the server does not answer, so that no web page can ask.
            headers: vec![("Metadata-Flavor".into(), "Google".into())],
        })
    }

    /// A token, if there is such a server at all: it is near, and where there is none, packets to its address may be dropped.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub async fn probe(&self, http: &Http) -> Result<Grant, TokenError> {
        self.ask(http, "token")?.within(NEAR).grant().await
    }

    /// A new token.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub async fn fetch(&self, http: &Http) -> Result<Grant, TokenError> {
        self.ask(http, "token")?.grant().await
    }

    /// The account of the machine; in Cloud Shell that of the user.
    pub async fn account(&self, http: &Http) -> Option<String> {
        let email = self.ask(http, "email").ok()?.text().await.ok()?;
        Some(email.trim().to_owned()).filter(|email| email.contains('@'))
    }

    /// The server, as a reader is told.
    pub fn name(&self) -> String {
        let host = self.base.host_str().unwrap_or_default();
        format!("the metadata server {host}")
    }

    fn ask<'a>(&'a self, http: &'a Http, what: &str) -> Result<Exchange<'a>, TokenError> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{what}", self.base.path()));
        Exchange::get(http, url, Asked::Metadata).headers(&self.headers)
    }
}
