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
use url::Url;

use super::Environment;
use super::endpoints::is_loopback;

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
    /// Held while credentials are looked for and while a token is fetched, so that calls side by side do it once.
    found: Mutex<Found>,
}

/// What looking for credentials came to; it is done once.
type Found = Option<Result<Provider, AuthError>>;

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
        /// It could not be reached.
        network: bool,
    },
}

impl AuthError {
    /// The network is at fault, and a later try may succeed.
    pub(super) fn is_network(&self) -> bool {
        matches!(self, AuthError::Refresh { network: true, .. })
    }

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
                let mut found = self.inner.found.lock().await;
                provided(source, &mut found).await.map(Some)
            }
        }
    }

    /// Called when Google refused `token`: looks again, and says whether another token came of it.
    pub(super) async fn renew(&self, refused: &Token) -> bool {
        let another = |token: &Token| token.value != refused.value;
        match &self.inner.source {
            Source::None => false,
            Source::TokenFile(path) => token_in_file(path).await.is_ok_and(|token| another(&token)),
            source => {
                let mut found = self.inner.found.lock().await;
                // Of calls that were refused together the first has renewed it for all.
                if provided(source, &mut found)
                    .await
                    .is_ok_and(|token| another(&token))
                {
                    return true;
                }
                // A provider keeps its token until it expires; only a new provider asks again.
                *found = None;
                provided(source, &mut found)
                    .await
                    .is_ok_and(|token| another(&token))
            }
        }
    }
}

/// A token of the provider that was found, which is looked for if none was yet.
async fn provided(source: &Source, found: &mut Found) -> Result<Token, AuthError> {
    let provider = match found {
        Some(found) => found.clone(),
        None => found.insert(look(source).await).clone(),
    }?;
    let token = provider
        .tokens
        .token(SCOPES)
        .await
        .map_err(|e| AuthError::Refresh {
            // gcp_auth tells a connection that failed from an endpoint that refused by the kind of its error.
            network: matches!(e, gcp_auth::Error::Http(..) | gcp_auth::Error::Other(..)),
            why: chain(&e),
        })?;
    let expires = jiff::Timestamp::from_second(token.expires_at().timestamp()).ok();
    Ok(Token {
        value: token.as_str().into(),
        expires,
        quota_project: provider.quota_project,
    })
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
    let key = serde_json::from_str::<serde_json::Value>(&text)
        .map_err(|e| failed(format!("it is not JSON: {e}")))?;
    match key["type"].as_str() {
        Some("service_account") | None => {}
        // gcp_auth reads user credentials only from gcloud's own folder.
        Some(kind) => {
            return Err(failed(format!(
                "it holds {kind:?} credentials and only service account keys are read from there; unset the variable to use those of `gcloud auth application-default login`"
            )));
        }
    }
    // What is sent there buys tokens. (gcp_auth panics on what is no address at all.)
    let to = key["token_uri"].as_str().unwrap_or_default();
    let safe = Url::parse(to).is_ok_and(|url| url.scheme() == "https" || is_loopback(&url));
    if !safe {
        return Err(failed(format!(
            "its token_uri {to:?} is not an https address"
        )));
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tempfile::TempDir;

    use super::super::scripted::{Reply, Scripted};
    use super::super::{Api, Call, Class, Client, Endpoints, Quiet};
    use super::*;

    fn environment(name: &'static str, value: String) -> impl Fn(&str) -> Option<String> {
        move |asked| (asked == name).then(|| value.clone())
    }

    /// A service account whose tokens come from `endpoint`. The key was made for this test and opens nothing.
    fn key_file(folder: &TempDir, endpoint: &str) -> Auth {
        let mut key: Value =
            serde_json::from_str(include_str!("../../fixtures/service-account.json")).unwrap();
        key["token_uri"] = json!(endpoint);
        let file = folder.path().join("key.json");
        std::fs::write(&file, key.to_string()).unwrap();
        Auth::from_env(&environment(
            "GOOGLE_APPLICATION_CREDENTIALS",
            file.display().to_string(),
        ))
    }

    fn token(value: &str, expires_in: u64) -> Reply {
        Reply::Json(
            200,
            json!({"access_token": value, "expires_in": expires_in, "token_type": "Bearer"}),
        )
    }

    /// What the API was sent as tokens.
    fn bearers(api: &Scripted) -> Vec<String> {
        let bearer = |value: Option<&str>| value.unwrap_or("none").replace("Bearer ", "");
        api.seen()
            .iter()
            .map(|seen| bearer(seen.header("authorization")))
            .collect()
    }

    fn get() -> Call {
        Call::get(Api::Dns, "projects/p/managedZones/z")
    }

    fn ok() -> Reply {
        Reply::Json(200, json!({}))
    }

    fn refused() -> Reply {
        Reply::Json(
            401,
            json!({"error": {"code": 401, "message": "invalid", "status": "UNAUTHENTICATED"}}),
        )
    }

    #[tokio::test]
    async fn a_key_is_exchanged_once_kept_and_exchanged_again_when_refused() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Scripted::plays([token("t1", 3600), token("t2", 3600)]).await;
        let api = Scripted::plays([ok(), ok(), refused(), ok(), refused()]).await;
        let auth = key_file(&folder, &tokens.base());
        let client = Client::new(Endpoints::emulator(&api.base()), auth.clone()).unwrap();
        let call = get();
        let (first, second) = tokio::join!(client.send(&call, &Quiet), client.send(&call, &Quiet));
        first.and(second).unwrap();
        assert_eq!(tokens.lines(), ["POST /"], "calls side by side ask once");
        assert!(tokens.seen()[0].body.contains("assertion="));
        client.send(&call, &Quiet).await.unwrap();
        assert_eq!(bearers(&api), ["t1", "t1", "t1", "t2"]);
        let expires = auth.token().await.unwrap().unwrap().expires().unwrap();
        assert!(expires > jiff::Timestamp::now());
        // The endpoint has no third token: the refusal stands, and is Google's.
        let error = client.send(&call, &Quiet).await.unwrap_err();
        assert_eq!(
            (error.class, error.http),
            (Class::Unauthenticated, Some(401))
        );
    }

    #[tokio::test]
    async fn a_token_about_to_expire_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Scripted::plays([token("t1", 5), token("t2", 3600)]).await;
        let auth = key_file(&folder, &tokens.base());
        for want in ["t1", "t2", "t2"] {
            assert_eq!(auth.token().await.unwrap().unwrap().reveal(), want);
        }
    }

    #[tokio::test]
    async fn a_token_endpoint_out_of_reach_is_a_lost_connection() {
        let folder = tempfile::tempdir().unwrap();
        // gcp_auth itself tries four times; the fifth is ours.
        let script = [
            Reply::ResetAfter,
            Reply::ResetAfter,
            Reply::ResetAfter,
            Reply::ResetAfter,
            token("t1", 3600),
        ];
        let tokens = Scripted::plays(script).await;
        let api = Scripted::plays([ok()]).await;
        let auth = key_file(&folder, &tokens.base());
        let client = Client::new(Endpoints::emulator(&api.base()), auth).unwrap();
        let call = Call::post(Api::Dns, "projects/p/managedZones");
        client.send(&call, &Quiet).await.unwrap();
        assert_eq!(
            (tokens.seen().len(), bearers(&api)),
            (5, vec!["t1".to_owned()])
        );
    }

    #[tokio::test]
    async fn what_the_environment_names_is_used_or_named_in_the_error() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            file.display().to_string()
        };
        let key = "GOOGLE_APPLICATION_CREDENTIALS";
        let file = "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE";
        let cases = [
            (file, write("token", " abc\n"), "abc"),
            (file, write("empty", "\n"), "it is empty"),
            (
                file,
                "/nowhere".into(),
                "cannot read an access token from /nowhere",
            ),
            (
                key,
                "/nowhere".into(),
                "cannot use /nowhere (GOOGLE_APPLICATION_CREDENTIALS)",
            ),
            (key, write("text", "x"), "it is not JSON"),
            (
                key,
                write("user", r#"{"type": "authorized_user"}"#),
                "gcloud auth application-default login",
            ),
            (
                key,
                write("uri", r#"{"token_uri": "http://example.com/"}"#),
                "is not an https address",
            ),
            ("CLOUDSDK_AUTH_DISABLE_CREDENTIALS", "True".into(), "none"),
        ];
        for (name, value, want) in cases {
            let got = match Auth::from_env(&environment(name, value)).token().await {
                Ok(Some(token)) => token.reveal().to_owned(),
                Ok(None) => "none".to_owned(),
                Err(error) => error.to_string(),
            };
            assert!(got.contains(want), "{name}: {got}");
        }
    }

    #[test]
    fn nothing_prints_a_token() {
        let token = Token {
            value: "hunter2".into(),
            expires: None,
            quota_project: None,
        };
        let shown = format!("{token:?} {:?} {:?}", token.bearer(), Auth::none());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
