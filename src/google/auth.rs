//! Where access tokens come from. Nothing is asked of anybody until a call needs a token.
//!
//! In gcloud's order: credentials switched off, a token in a file, a service account key, and then what the machine
//! offers (application default credentials, the metadata server, gcloud), which is `gcp_auth`'s part.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gcp_auth::{
    ConfigDefaultCredentials, CustomServiceAccount, GCloudAuthorizedUser, MetadataServiceAccount,
    TokenProvider,
};
use reqwest::header::HeaderValue;
use thiserror::Error;
use tokio::sync::Mutex;

use super::Environment;

const SCOPES: &[&str] = &["https://www.googleapis.com/auth/cloud-platform"];
/// The metadata server answers within milliseconds where there is one; gcloud takes a second or two.
const ASKING: Duration = Duration::from_secs(15);

/// The credentials of a run. Clones share them.
#[derive(Clone)]
pub struct Auth {
    inner: Arc<Inner>,
}

struct Inner {
    source: Source,
    /// Held while credentials are looked for, so that calls side by side look once.
    found: Mutex<Option<Result<Provider, AuthError>>>,
}

#[derive(Debug)]
enum Source {
    None,
    TokenFile(PathBuf),
    KeyFile(PathBuf),
    Machine,
}

#[derive(Clone)]
struct Provider {
    tokens: Arc<dyn TokenProvider>,
    /// Only user credentials name one; a service account is billed to its own project.
    quota_project: Option<Arc<str>>,
}

/// An access token. It does not print.
#[derive(Clone)]
pub struct Token {
    value: Arc<str>,
    expires: Option<jiff::Timestamp>,
    quota_project: Option<Arc<str>>,
}

/// Why there is no token.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum AuthError {
    /// `CLOUDSDK_AUTH_ACCESS_TOKEN_FILE` cannot be used.
    #[error("cannot read an access token from {path} (CLOUDSDK_AUTH_ACCESS_TOKEN_FILE): {why}")]
    TokenFile {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// `GOOGLE_APPLICATION_CREDENTIALS` cannot be used.
    #[error("cannot use {path} (GOOGLE_APPLICATION_CREDENTIALS): {why}")]
    KeyFile {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The machine offers no credentials.
    #[error("no credentials found: {tried}")]
    NothingFound {
        /// What was asked, and what each said.
        tried: String,
    },
    /// The credentials are there and yield no token.
    #[error("cannot get an access token: {why}")]
    Refresh {
        /// What the token endpoint, or gcloud, said.
        why: String,
    },
}

impl AuthError {
    /// There is nothing, as opposed to something that does not work.
    pub(super) fn nothing_found(&self) -> bool {
        matches!(self, AuthError::NothingFound { .. })
    }
}

impl Auth {
    fn new(source: Source) -> Auth {
        Auth {
            inner: Arc::new(Inner {
                source,
                found: Mutex::new(None),
            }),
        }
    }

    /// No credentials: every call goes without a token.
    pub fn none() -> Auth {
        Auth::new(Source::None)
    }

    /// What the environment names: `CLOUDSDK_AUTH_DISABLE_CREDENTIALS`, `CLOUDSDK_AUTH_ACCESS_TOKEN_FILE`,
    /// `GOOGLE_APPLICATION_CREDENTIALS`, else what the machine offers. Reads nothing yet.
    pub fn from_env(env: Environment) -> Auth {
        let path = |name| {
            env(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        // The words that gcloud takes for true.
        let off = env("CLOUDSDK_AUTH_DISABLE_CREDENTIALS").is_some_and(|said| {
            ["1", "true", "on", "yes", "y"].contains(&said.trim().to_lowercase().as_str())
        });
        Auth::new(if off {
            Source::None
        } else if let Some(file) = path("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE") {
            Source::TokenFile(file)
        } else if let Some(file) = path("GOOGLE_APPLICATION_CREDENTIALS") {
            Source::KeyFile(file)
        } else {
            Source::Machine
        })
    }

    /// A token that is good for another 20 seconds at least, or `None` where credentials are switched off.
    pub async fn token(&self) -> Result<Option<Token>, AuthError> {
        match &self.inner.source {
            Source::None => Ok(None),
            // Read every time: whoever renews the file need not tell us.
            Source::TokenFile(path) => token_in_file(path).await.map(Some),
            source => {
                let provider = {
                    let mut found = self.inner.found.lock().await;
                    match &*found {
                        Some(found) => found.clone(),
                        None => found.insert(look(source).await).clone(),
                    }
                }?;
                let token = provider
                    .tokens
                    .token(SCOPES)
                    .await
                    .map_err(|e| AuthError::Refresh { why: chain(&e) })?;
                let expires = jiff::Timestamp::from_second(token.expires_at().timestamp()).ok();
                Ok(Some(Token {
                    value: token.as_str().into(),
                    expires,
                    quota_project: provider.quota_project,
                }))
            }
        }
    }

    /// Called when Google refused `token`: looks again, and says whether another token came of it.
    pub(super) async fn renew(&self, refused: &Token) -> bool {
        if matches!(self.inner.source, Source::KeyFile(_) | Source::Machine) {
            // The provider keeps a token until it expires; only a new provider asks again. Of calls that were refused
            // together, the first throws the provider away and the others find the new one.
            let mut found = self.inner.found.lock().await;
            let current = match &*found {
                Some(Ok(provider)) => provider.tokens.token(SCOPES).await.ok(),
                _ => None,
            };
            if current.is_none_or(|token| token.as_str() == &*refused.value) {
                *found = None;
            }
        }
        matches!(self.token().await, Ok(Some(token)) if token.value != refused.value)
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Auth").field(&self.inner.source).finish()
    }
}

impl Token {
    /// The token itself, for a header or for the reader who asked for it.
    pub fn reveal(&self) -> &str {
        &self.value
    }

    /// When it ends; not known of a token in a file.
    pub fn expires(&self) -> Option<jiff::Timestamp> {
        self.expires
    }

    pub(super) fn quota_project(&self) -> Option<&str> {
        self.quota_project.as_deref()
    }

    /// The header's value, marked so that no log of headers shows it.
    pub(super) fn bearer(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", self.value)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

async fn token_in_file(path: &std::path::Path) -> Result<Token, AuthError> {
    let failed = |why: String| AuthError::TokenFile {
        path: path.display().to_string(),
        why,
    };
    let text = tokio::fs::read_to_string(path)
        .await
        .map_err(|e| failed(e.to_string()))?;
    match text.trim() {
        "" => Err(failed("it is empty".into())),
        token => Ok(Token {
            value: token.into(),
            expires: None,
            quota_project: None,
        }),
    }
}

async fn look(source: &Source) -> Result<Provider, AuthError> {
    match source {
        Source::KeyFile(path) => service_account(path).await,
        _ => machine().await,
    }
}

async fn service_account(path: &std::path::Path) -> Result<Provider, AuthError> {
    let failed = |why: String| AuthError::KeyFile {
        path: path.display().to_string(),
        why,
    };
    let text = tokio::fs::read_to_string(path)
        .await
        .map_err(|e| failed(e.to_string()))?;
    let kind = serde_json::from_str::<serde_json::Value>(&text)
        .map_err(|e| failed(format!("it is not JSON: {e}")))?;
    match kind["type"].as_str() {
        Some("service_account") | None => {}
        // gcp_auth reads user credentials only from gcloud's own folder.
        Some(kind) => {
            return Err(failed(format!(
                "it holds {kind:?} credentials and only service account keys are read from there; unset the variable to use those of `gcloud auth application-default login`"
            )));
        }
    }
    let tokens = CustomServiceAccount::from_json(&text).map_err(|e| failed(chain(&e)))?;
    Ok(Provider {
        tokens: Arc::new(tokens),
        quota_project: None,
    })
}

/// Asks in the order of `gcp_auth::provider`, which would not say whose credentials it found; user credentials need
/// their quota project sent along.
async fn machine() -> Result<Provider, AuthError> {
    let mut tried = Vec::new();
    match asked(ConfigDefaultCredentials::new()).await {
        Ok(tokens) => {
            let quota_project = tokens.project_id().await.ok();
            return Ok(Provider {
                tokens: Arc::new(tokens),
                quota_project,
            });
        }
        Err(why) => tried.push(format!("application default credentials: {why}")),
    }
    match asked(MetadataServiceAccount::new()).await {
        Ok(tokens) => {
            return Ok(Provider {
                tokens: Arc::new(tokens),
                quota_project: None,
            });
        }
        Err(why) => tried.push(format!("metadata server: {why}")),
    }
    match asked(GCloudAuthorizedUser::new()).await {
        Ok(tokens) => {
            return Ok(Provider {
                tokens: Arc::new(tokens),
                quota_project: None,
            });
        }
        Err(why) => tried.push(format!("gcloud: {why}")),
    }
    Err(AuthError::NothingFound {
        tried: tried.join("; "),
    })
}

async fn asked<T>(provider: impl Future<Output = Result<T, gcp_auth::Error>>) -> Result<T, String> {
    match tokio::time::timeout(ASKING, provider).await {
        Ok(found) => found.map_err(|e| chain(&e)),
        Err(_) => Err(format!("no answer within {} s", ASKING.as_secs())),
    }
}

fn chain(error: &gcp_auth::Error) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words
}
