//! Workload and workforce identity federation (`external_account`): a token of an identity provider is exchanged for Google's at
//! the Security Token Service (<https://google.aip.dev/auth/4117>, RFC 8693).
//!
//! The subject token is in a file, at an address, or printed by a program. GitHub Actions' shape is the address: its
//! `credential_source` has `url`, an `Authorization` header and a JSON `format` whose field is `value`.

use std::path::PathBuf;

use serde_json::{Value, json};
use url::Url;

use super::error::{Asked, CredentialFileError, TokenError};
use super::executable::Executable;
use super::grant::{Exchange, Grant, SCOPE};
use crate::google::endpoints::is_loopback;
use crate::google::http::{Http, is_on_link};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// An identity of another provider.
pub(super) struct External {
    pub url: Url,
    /// The provider in its pool.
    pub audience: String,
    pub subject_token_type: String,
    pub source: SubjectSource,
    /// The id and the secret of an OAuth client, if the pool asks for one.
    pub client: Option<(String, String)>,
    /// The project that a workforce pool's user counts against, without a client.
    pub user_project: Option<String>,
    /// The service account that is impersonated afterwards; a program that prints the token is told.
    pub account: Option<String>,
}

/// Where the subject token is.
pub(super) enum SubjectSource {
    File(PathBuf, Format),
    Url(Url, Vec<(String, String)>, Format),
    Executable(Executable),
}

/// What a file or an answer contains.
pub(super) enum Format {
    /// The token.
    Text,
    /// JSON with the token in this field.
    Json(String),
}

/// The source that a file's `credential_source` describes.
///
/// # Errors
/// It is none, or not a supported one.
pub(super) fn source(
    described: Option<&Value>,
    runs_executables: bool,
) -> Result<SubjectSource, CredentialFileError> {
    use CredentialFileError::Unsupported;
    let Some(described) = described.filter(|described| described.is_object()) else {
        return Err(Unsupported(
            "it has no credential_source, or that is not an object",
        ));
    };
    let text = |name: &str| described[name].as_str().filter(|text| !text.is_empty());
    if described["executable"].is_object() {
        return Executable::read(&described["executable"], runs_executables)
            .map(SubjectSource::Executable);
    }
    if text("environment_id").is_some() {
        return Err(Unsupported(
            "its credential_source is for AWS, which provision does not read; use one of the kinds file, url or executable, or a service account",
        ));
    }
    if described["certificate"].is_object() {
        return Err(Unsupported(
            "its credential_source is an X.509 certificate, which provision does not read; use one of the kinds file, url or executable",
        ));
    }
    let format = &described["format"];
    let format = match format["type"].as_str() {
        Some("json") => match format["subject_token_field_name"].as_str() {
            Some(field) => Format::Json(field.to_owned()),
            None => {
                return Err(Unsupported(
                    "the format of its credential_source is json and has no subject_token_field_name",
                ));
            }
        },
        _ => Format::Text,
    };
    if let Some(path) = text("file") {
        return Ok(SubjectSource::File(path.into(), format));
    }
    let Some(url) = text("url") else {
        return Err(Unsupported(
            "its credential_source has no file, url or executable",
        ));
    };
    // Its headers and its answer are secrets of another provider.
    let allowed = |url: &Url| {
        url.scheme() == "https" || (url.scheme() == "http" && (is_loopback(url) || is_on_link(url)))
    };
    let url = Url::parse(url).ok().filter(allowed);
    let url = url.ok_or(Unsupported(
        "the url of its credential_source is neither https nor on this machine",
    ))?;
    let headers = described["headers"].as_object();
    let headers = headers
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    Ok(SubjectSource::Url(url, headers.collect(), format))
}

impl External {
    /// A new token.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub async fn fetch(&self, http: &Http) -> Result<Grant, TokenError> {
        let subject = self.subject(http).await?;
        // A client names its project itself.
        let options = match (&self.user_project, &self.client) {
            (Some(project), None) => json!({ "userProject": project }).to_string(),
            _ => String::new(),
        };
        let mut fields = vec![
            ("grant_type", GRANT_TYPE),
            ("audience", &*self.audience),
            ("scope", SCOPE),
            ("requested_token_type", ACCESS_TOKEN),
            ("subject_token", &*subject),
            ("subject_token_type", &*self.subject_token_type),
        ];
        if !options.is_empty() {
            fields.push(("options", &*options));
        }
        let url = self.url.clone();
        let exchange = Exchange::form(http, url, Asked::Federation, &fields, &[&*subject]);
        match &self.client {
            Some((id, secret)) => exchange.basic(id, secret).grant().await,
            None => exchange.grant().await,
        }
    }

    async fn subject(&self, http: &Http) -> Result<String, TokenError> {
        let (text, format, place) = match &self.source {
            SubjectSource::File(path, format) => {
                let text = tokio::fs::read_to_string(path).await;
                let text = text.map_err(|error| TokenError::Subject {
                    words: format!("cannot read its token from {}: {error}", path.display()),
                })?;
                (text, format, path.display().to_string())
            }
            SubjectSource::Url(url, headers, format) => {
                let exchange = Exchange::get(http, url.clone(), Asked::Subject).headers(headers)?;
                let host = url.host_str().unwrap_or_default().to_owned();
                (exchange.text().await?, format, host)
            }
            SubjectSource::Executable(executable) => {
                return executable
                    .token(
                        &self.audience,
                        &self.subject_token_type,
                        self.account.as_deref(),
                    )
                    .await;
            }
        };
        token_in(&text, format).ok_or_else(|| TokenError::Subject {
            words: match format {
                Format::Text => format!("there is no token in {place}"),
                Format::Json(field) => format!("there is no text {field:?} in the JSON of {place}"),
            },
        })
    }
}

/// The token in a text of the given format.
fn token_in(text: &str, format: &Format) -> Option<String> {
    let token = match format {
        Format::Text => text.trim().to_owned(),
        Format::Json(field) => {
            let read: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()?;
            read[field].as_str()?.trim().to_owned()
        }
    };
    (!token.is_empty()).then_some(token)
}
