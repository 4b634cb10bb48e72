//! Where credentials are found, and how each kind yields tokens. The last of the ways is `gcp_auth`'s.

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
use crate::text::chain;

const SCOPES: &[&str] = &["https://www.googleapis.com/auth/cloud-platform"];
/// The metadata server answers within milliseconds where there is one; gcloud takes a second or two.
const ASKING: Duration = Duration::from_secs(15);

/// What the environment names.
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
    /// Only user credentials name one; a service account is billed to its own project.
    pub quota_project: Option<Arc<str>>,
    /// Whose they are, for the reader.
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
        /// What is wrong with it.
        source: CredentialFileError,
    },
    /// `GOOGLE_APPLICATION_CREDENTIALS` cannot be used.
    #[error("cannot use {path} (GOOGLE_APPLICATION_CREDENTIALS): {source}")]
    KeyFile {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: CredentialFileError,
    },
    /// The machine offers no credentials.
    #[error("no credentials found: {}", told(.tried))]
    NothingFound {
        /// Who was asked, and what each said.
        tried: Vec<(&'static str, ProviderError)>,
    },
    /// The credentials are there and yield no token.
    #[error("cannot get an access token from {origin}: {source}")]
    Refresh {
        /// Whose credentials they are.
        origin: String,
        /// What the token endpoint, or gcloud, said.
        source: ProviderError,
    },
}

/// What is wrong with a file that holds a token or a key.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum CredentialFileError {
    /// It cannot be read.
    #[error("{0}")]
    Io(#[source] Arc<std::io::Error>),
    /// It holds nothing.
    #[error("it is empty")]
    Empty,
    /// It is not JSON.
    #[error("it is not JSON: {0}")]
    Json(#[source] Arc<serde_json::Error>),
    /// It holds credentials of another kind.
    #[error(
        "it holds {kind:?} credentials, and only service account keys are read from there; \
         unset the variable to use those of `gcloud auth application-default login`"
    )]
    Kind {
        /// Which kind: `authorized_user`.
        kind: String,
    },
    /// It would have tokens asked for at an address that is none of Google's.
    #[error("its token_uri {uri:?} is not an https address of Google's")]
    TokenUri {
        /// The address.
        uri: String,
    },
    /// It is no key.
    #[error("{}", chain(.0))]
    Key(#[source] Arc<gcp_auth::Error>),
}

/// Why a way to credentials, or credentials that were found, yield nothing.
#[derive(Debug, Clone, Error)]
pub enum ProviderError {
    /// It says no.
    #[error("{}", chain(.0))]
    Failed(#[source] Arc<gcp_auth::Error>),
    /// It does not answer.
    #[error("no answer within {} s", ASKING.as_secs())]
    Silent,
}

impl ProviderError {
    /// It could not be reached. gcp_auth tells a connection that failed from an endpoint that refused by the kind of its error.
    fn is_network(&self) -> bool {
        match self {
            ProviderError::Failed(error) => {
                matches!(
                    **error,
                    gcp_auth::Error::Http(..) | gcp_auth::Error::Other(..)
                )
            }
            ProviderError::Silent => true,
        }
    }
}

impl From<gcp_auth::Error> for ProviderError {
    fn from(error: gcp_auth::Error) -> ProviderError {
        ProviderError::Failed(Arc::new(error))
    }
}

/// Who was asked, and what each said.
fn told(tried: &[(&str, ProviderError)]) -> String {
    let each = tried.iter().map(|(who, error)| format!("{who}: {error}"));
    each.collect::<Vec<_>>().join("; ")
}

impl AuthError {
    /// There is nothing, as opposed to something that does not work.
    pub(super) fn nothing_found(&self) -> bool {
        matches!(self, AuthError::NothingFound { .. })
    }

    /// The network is at fault, and a later try may succeed.
    pub(super) fn is_network(&self) -> bool {
        matches!(self, AuthError::Refresh { source, .. } if source.is_network())
    }
}

impl Provider {
    /// The token it has, or a new one if that is about to expire.
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

/// The token in a file. It is read every time, so that whoever renews the file need not tell us.
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

/// Looks for credentials that can be asked for tokens.
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
    let key: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| failed(CredentialFileError::Json(Arc::new(error))))?;
    match key["type"].as_str() {
        Some("service_account") | None => {}
        // gcp_auth reads user credentials only from gcloud's own folder.
        Some(kind) => {
            let kind = kind.to_owned();
            return Err(failed(CredentialFileError::Kind { kind }));
        }
    }
    // What is sent there buys tokens. (And gcp_auth panics on what is no address at all.)
    let to = key["token_uri"].as_str().unwrap_or_default();
    if !Url::parse(to).is_ok_and(|url| gives_tokens(&url)) {
        let uri = to.to_owned();
        return Err(failed(CredentialFileError::TokenUri { uri }));
    }
    let tokens = CustomServiceAccount::from_json(&text)
        .map_err(|error| failed(CredentialFileError::Key(Arc::new(error))))?;
    let email = key["client_email"].as_str().unwrap_or_default();
    Ok(found(
        tokens,
        None,
        format!("the key of {email} in {}", path.display()),
    ))
}

/// Whether a key may name this address as the one that gives tokens for it: Google's, where keys name `oauth2.googleapis.com`
/// and older ones `accounts.google.com`, or one of this machine.
fn gives_tokens(url: &Url) -> bool {
    match url.scheme() {
        "https" => {
            is_loopback(url) || is_google(url) || url.host_str() == Some("accounts.google.com")
        }
        "http" => is_loopback(url),
        _ => false,
    }
}

/// Asks in the order of `gcp_auth::provider`, which would not say whose credentials it found; user credentials need
/// their quota project sent along.
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
