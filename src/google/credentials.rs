//! Where credentials are found, and how each kind yields tokens. The last way is that of `gcp_auth`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gcp_auth::{
    ConfigDefaultCredentials, CustomServiceAccount, GCloudAuthorizedUser, MetadataServiceAccount,
    TokenProvider,
};
use thiserror::Error;
use tokio::time::timeout;
use url::Url;

use super::Token;
use super::endpoints::{is_google, is_loopback};
use super::key_file::KeyProblem;
use crate::text::chain;

const SCOPES: &[&str] = &["https://www.googleapis.com/auth/cloud-platform"];
/// gcp_auth's name of a request that got no answer.
const REQUEST: &str = "HTTP request failed";
/// If there is a metadata server, it answers within milliseconds; gcloud takes a second or two.
const ASKING: Duration = Duration::from_secs(15);

/// The credentials that the environment names.
#[derive(Debug)]
pub(super) enum Source {
    None,
    TokenFile(PathBuf),
    KeyFile(PathBuf),
    Machine,
}

/// Credentials that were found.
#[derive(Clone)]
pub(super) struct Provider {
    pub tokens: Arc<dyn TokenProvider>,
    /// Only user credentials have a quota project; a service account is billed to its own project.
    pub quota_project: Option<Arc<str>>,
    /// The owner of the credentials, for the reader.
    pub origin: String,
}

/// Why there is no token.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum AuthError {
    /// `CLOUDSDK_AUTH_ACCESS_TOKEN_FILE` cannot be used.
    #[error("cannot read an access token from {path} (CLOUDSDK_AUTH_ACCESS_TOKEN_FILE): {source}")]
    TokenFile {
        /// The file.
        path: String,
        /// The underlying error.
        source: CredentialFileError,
    },
    /// `GOOGLE_APPLICATION_CREDENTIALS` cannot be used.
    #[error("cannot use {path} (GOOGLE_APPLICATION_CREDENTIALS): {source}")]
    KeyFile {
        /// The file.
        path: String,
        /// The underlying error.
        source: CredentialFileError,
    },
    /// The machine offers no credentials.
    #[error("no credentials found: {}", told(.tried))]
    NothingFound {
        /// The sources that were tried, each with its error.
        tried: Vec<(&'static str, ProviderError)>,
    },
    /// The credentials exist and yield no token.
    #[error("cannot get an access token from {origin}: {source}")]
    Refresh {
        /// The owner of the credentials.
        origin: String,
        /// The error of the token endpoint or of gcloud.
        source: ProviderError,
    },
}

/// What is wrong with a file that contains a token or a key.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum CredentialFileError {
    /// The file cannot be read.
    #[error("{0}")]
    Io(#[source] Arc<std::io::Error>),
    /// The file is empty.
    #[error("it is empty")]
    Empty,
    /// The file is not JSON.
    #[error("it is not JSON: {0}")]
    Json(#[source] Arc<serde_json::Error>),
    /// The file contains credentials of another kind.
    #[error(
        "it holds {kind:?} credentials, and only service account keys are read from there; \
         unset the variable to use those of `gcloud auth application-default login`"
    )]
    Kind {
        /// The kind: `authorized_user`.
        kind: String,
    },
    /// The file requests tokens from an address that is not Google's.
    #[error("its token_uri {uri:?} is not an https address of Google's")]
    TokenUri {
        /// The address.
        uri: String,
    },
    /// The file is not a key that works.
    #[error("{0}; download a new key, or copy the file byte by byte")]
    Key(#[source] KeyProblem),
}

/// Why a source of credentials, or the credentials themselves, yield no token.
#[derive(Debug, Clone, Error)]
pub enum ProviderError {
    /// The credentials cannot be read, or the request was rejected.
    #[error("{words}")]
    Failed {
        /// What failed, without anything that the credentials contain.
        words: String,
        /// Whether the endpoint could not be reached.
        is_network: bool,
    },
    /// There was no answer in time.
    #[error("no answer within {} s", ASKING.as_secs())]
    Silent,
}

impl ProviderError {
    fn is_network(&self) -> bool {
        match self {
            ProviderError::Failed { is_network, .. } => *is_network,
            ProviderError::Silent => true,
        }
    }
}

impl From<gcp_auth::Error> for ProviderError {
    /// gcp_auth distinguishes a failed connection from an endpoint that rejected the request by the kind of its error. Its own
    /// words are shown, and those of the library below only where that one has read no secret: the others may quote one.
    fn from(error: gcp_auth::Error) -> ProviderError {
        use gcp_auth::Error;
        let is_network = matches!(error, Error::Http(..) | Error::Other(REQUEST, _));
        let words = match &error {
            Error::Json(what, below) => format!(
                "{what}: {} at line {} column {}",
                match below.classify() {
                    serde_json::error::Category::Data => "a field is missing or of another type",
                    _ => "it is not JSON",
                },
                below.line(),
                below.column()
            ),
            Error::Other(what, _) if !is_network => (*what).to_owned(),
            Error::NoAuthMethod(..) | Error::Str(_) => error.to_string(),
            Error::Http(..) | Error::Io(..) | Error::Other(..) => chain(&error),
        };
        ProviderError::Failed { words, is_network }
    }
}

/// The sources that were tried, each with its error.
fn told(tried: &[(&str, ProviderError)]) -> String {
    let each = tried.iter().map(|(who, error)| format!("{who}: {error}"));
    each.collect::<Vec<_>>().join("; ")
}

impl AuthError {
    /// Whether there are no credentials at all, as opposed to credentials that do not work.
    pub(super) fn nothing_found(&self) -> bool {
        matches!(self, AuthError::NothingFound { .. })
    }

    /// Whether the network is the cause, so that a later try may succeed.
    pub(super) fn is_network(&self) -> bool {
        matches!(self, AuthError::Refresh { source, .. } if source.is_network())
    }
}

impl Provider {
    /// The current token, or a new one if the current one is about to expire.
    pub async fn token(&self) -> Result<Token, AuthError> {
        let token = asked(self.tokens.token(SCOPES)).await;
        let token = token.map_err(|source| AuthError::Refresh {
            origin: self.origin.clone(),
            source,
        })?;
        let expires = jiff::Timestamp::from_second(token.expires_at().timestamp()).ok();
        Ok(Token::new(
            token.as_str(),
            expires,
            self.quota_project.clone(),
        ))
    }
}

/// The token in a file. It is read every time, so that a renewed file is used without a notification.
pub(super) async fn token_in_file(path: &Path) -> Result<Token, AuthError> {
    let failed = |source| AuthError::TokenFile {
        path: path.display().to_string(),
        source,
    };
    let text = tokio::fs::read_to_string(path)
        .await
        .map_err(|error| failed(CredentialFileError::Io(Arc::new(error))))?;
    match text.trim() {
        "" => Err(failed(CredentialFileError::Empty)),
        token => Ok(Token::new(token, None, None)),
    }
}

/// Searches for credentials that can yield tokens.
pub(super) async fn look(source: &Source) -> Result<Provider, AuthError> {
    match source {
        Source::KeyFile(path) => service_account(path).await,
        _ => machine().await,
    }
}

async fn service_account(path: &Path) -> Result<Provider, AuthError> {
    let failed = |source| AuthError::KeyFile {
        path: path.display().to_string(),
        source,
    };
    let text = tokio::fs::read_to_string(path)
        .await
        .map_err(|error| failed(CredentialFileError::Io(Arc::new(error))))?;
    // Some editors put a byte order mark before the text.
    let text = text.trim_start_matches('\u{feff}');
    let key: serde_json::Value = serde_json::from_str(text)
        .map_err(|error| failed(CredentialFileError::Json(Arc::new(error))))?;
    match key["type"].as_str() {
        Some("service_account") | None => {}
        // gcp_auth reads user credentials only from gcloud's own folder.
        Some(kind) => {
            let kind = kind.to_owned();
            return Err(failed(CredentialFileError::Kind { kind }));
        }
    }
    // Whoever receives what is sent there can get tokens with it. (Also, gcp_auth panics on an invalid address.)
    let to = key["token_uri"].as_str().unwrap_or_default();
    if !Url::parse(to).is_ok_and(|url| gives_tokens(&url)) {
        let uri = to.to_owned();
        return Err(failed(CredentialFileError::TokenUri { uri }));
    }
    let tokens = CustomServiceAccount::from_json(text)
        .map_err(|_| failed(CredentialFileError::Key(KeyProblem::of(&key))))?;
    let email = key["client_email"].as_str().unwrap_or_default();
    Ok(found(
        tokens,
        None,
        format!("the key of {email} in {}", path.display()),
    ))
}

/// Whether a key may name this address as its token endpoint: one of Google's (keys name `oauth2.googleapis.com`,
/// older ones `accounts.google.com`), or one on this machine.
fn gives_tokens(url: &Url) -> bool {
    match url.scheme() {
        "https" => {
            is_loopback(url) || is_google(url) || url.host_str() == Some("accounts.google.com")
        }
        "http" => is_loopback(url),
        _ => false,
    }
}

/// Tries the sources in the order of `gcp_auth::provider`, which does not report whose credentials it found; user
/// credentials need their quota project sent with each call.
async fn machine() -> Result<Provider, AuthError> {
    let mut tried = Vec::new();
    match asked(ConfigDefaultCredentials::new()).await {
        Ok(tokens) => {
            let quota_project = tokens.project_id().await.ok();
            return Ok(found(
                tokens,
                quota_project,
                "application default credentials".into(),
            ));
        }
        Err(error) => tried.push(("application default credentials", error)),
    }
    match asked(MetadataServiceAccount::new()).await {
        Ok(tokens) => return Ok(found(tokens, None, "the metadata server".into())),
        Err(error) => tried.push(("metadata server", error)),
    }
    match asked(GCloudAuthorizedUser::new()).await {
        Ok(tokens) => return Ok(found(tokens, None, "gcloud".into())),
        Err(error) => tried.push(("gcloud", error)),
    }
    Err(AuthError::NothingFound { tried })
}

fn found(
    tokens: impl TokenProvider + 'static,
    quota_project: Option<Arc<str>>,
    origin: String,
) -> Provider {
    Provider {
        tokens: Arc::new(tokens),
        quota_project,
        origin,
    }
}

async fn asked<T>(
    provider: impl Future<Output = Result<T, gcp_auth::Error>>,
) -> Result<T, ProviderError> {
    match timeout(ASKING, provider).await {
        Ok(found) => found.map_err(ProviderError::from),
        Err(_) => Err(ProviderError::Silent),
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
