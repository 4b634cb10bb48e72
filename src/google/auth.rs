//! The credentials of a run, and the tokens that they yield. Nothing is requested until a call needs a token.
//!
//! In gcloud's order: disabled credentials, a token in a file, and then those that Google's libraries find
//! (`credentials/search.rs`). Tokens are kept until they are about to expire, are renewed when Google rejects one, and are never
//! printed here (`token.rs`).

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::credentials::{AuthFlags, Identity, Provider, Settings, token_in_file};
use super::http::Http;
use super::reach;
use super::{AuthError, Environment, Token};

/// The age below which the replacement of a rejected token is not replaced itself: if it is rejected too, the token
/// is not the problem.
const YOUNG: Duration = Duration::from_secs(60);

/// The pause after a token endpoint that was not reached.
const AGAIN: Duration = Duration::from_millis(500);

/// The credentials of a run. Clones share them.
#[derive(Clone)]
pub struct Auth {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    http: Http,
    /// Locked during the search for credentials and while a token is fetched, so that concurrent calls do it only
    /// once.
    found: Mutex<CredentialLookup>,
}

/// The result of the search for credentials. The search is done once, and once more for credentials that yield no token any more
/// after one was rejected.
#[derive(Default)]
struct CredentialLookup {
    provider: Option<Result<Provider, AuthError>>,
    /// The time at which a rejected token was last replaced.
    replaced: Option<Instant>,
}

impl CredentialLookup {
    /// The provider that was found; searches for one if that was not done yet.
    async fn provider(&mut self, inner: &Inner) -> Result<&mut Provider, AuthError> {
        if self.provider.is_none() {
            let found = inner.settings.search(&inner.http).await;
            // A server that could not answer may do so the next time.
            if let Err(error) = &found
                && error.is_network()
            {
                return Err(error.clone());
            }
            self.provider = Some(found);
        }
        match &mut self.provider {
            Some(Ok(provider)) => Ok(provider),
            Some(Err(error)) => Err(error.clone()),
            None => Err(AuthError::NothingFound { tried: Vec::new() }),
        }
    }

    async fn token(&mut self, inner: &Inner) -> Result<Token, AuthError> {
        self.provider(inner).await?.token(&inner.http).await
    }
}

impl Auth {
    fn new(settings: Settings) -> Auth {
        Auth {
            inner: Arc::new(Inner {
                settings,
                http: Http::default(),
                found: Mutex::default(),
            }),
        }
    }

    /// No credentials: every call is sent without a token.
    pub fn none() -> Auth {
        Auth::new(Settings::none())
    }

    /// The credentials that the environment names: `CLOUDSDK_AUTH_DISABLE_CREDENTIALS`,
    /// `CLOUDSDK_AUTH_ACCESS_TOKEN_FILE`, `GOOGLE_APPLICATION_CREDENTIALS`, otherwise those of the machine. No credentials
    /// are read yet, only gcloud's settings.
    pub fn from_env(env: Environment) -> Auth {
        Auth::with(env, &AuthFlags::default())
    }

    /// The same with flags, which come before the environment.
    pub fn with(env: Environment, flags: &AuthFlags) -> Auth {
        Auth::new(Settings::of(env, flags))
    }

    /// The HTTP client of the tokens, which is that of Google's APIs too.
    pub(super) fn http(&self) -> &Http {
        &self.inner.http
    }

    /// A token that is valid for at least another 20 seconds, or `None` if credentials are disabled.
    ///
    /// # Errors
    /// There are no credentials, or they yield no token.
    pub async fn token(&self) -> Result<Option<Token>, AuthError> {
        let settings = &self.inner.settings;
        if settings.off {
            return Ok(None);
        }
        if let Some(path) = settings.token_file() {
            return token_in_file(path, settings.quota_project())
                .await
                .map(Some);
        }
        let mut found = self.inner.found.lock().await;
        found.token(&self.inner).await.map(Some)
    }

    /// Whose credentials are used and where they were found; `None` if credentials are disabled. A token is fetched, because that of
    /// a user says whose it is.
    ///
    /// # Errors
    /// There are no credentials, or they yield no token.
    pub async fn identity(&self) -> Result<Option<Identity>, AuthError> {
        let settings = &self.inner.settings;
        if settings.off {
            return Ok(None);
        }
        if let Some(path) = settings.token_file() {
            token_in_file(path, None).await?;
            return Ok(Some(Settings::of_token_file(path)));
        }
        let mut found = self.inner.found.lock().await;
        let began = Instant::now();
        // It is a run's first request to that server.
        while let Err(error) = found.token(&self.inner).await {
            if !error.is_network() || began.elapsed() > reach::FIRST_PATIENCE {
                return Err(error);
            }
            tokio::time::sleep(AGAIN).await;
        }
        let provider = found.provider(&self.inner).await?;
        Ok(Some(provider.identity.clone()))
    }

    /// Called when `token` was rejected: requests another one with the same credentials, and returns whether there is a different one.
    /// However many callers ask, concurrently or one after the other, only one token is fetched per minute.
    pub async fn renew(&self, refused: &Token) -> bool {
        let another = |token: &Token| token.reveal() != refused.reveal();
        let settings = &self.inner.settings;
        if settings.off {
            return false;
        }
        if let Some(path) = settings.token_file() {
            let token = token_in_file(path, None).await;
            return token.is_ok_and(|token| another(&token));
        }
        let mut found = self.inner.found.lock().await;
        // If several calls were rejected together, the first of them has already renewed the token for all.
        if found
            .token(&self.inner)
            .await
            .is_ok_and(|token| another(&token))
        {
            return true;
        }
        if found.replaced.is_some_and(|at| at.elapsed() < YOUNG) {
            return false;
        }
        found.replaced = Some(Instant::now());
        if let Some(Ok(provider)) = &mut found.provider {
            provider.forget_token();
        }
        let mut token = found.token(&self.inner).await;
        // A file may have been written anew since it was read. What is found elsewhere is another identity, which must not go on with
        // the work of this one.
        if token.as_ref().is_err_and(|error| !error.is_network())
            && let Ok(new) = settings.search(&self.inner.http).await
            && let Some(Ok(provider)) = &mut found.provider
            && new.identity.is_from_where(&provider.identity)
        {
            *provider = new;
            token = found.token(&self.inner).await;
        }
        token.is_ok_and(|token| another(&token))
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Auth").field(&self.inner.settings).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tempfile::TempDir;

    use super::super::scripted::{Reply, Scripted};
    use super::super::{Api, Call, Class, Client, Endpoints, NoWatch};
    use super::*;

    fn environment(name: &'static str, value: String) -> impl Fn(&str) -> Option<String> {
        move |asked| (asked == name).then(|| value.clone())
    }

    /// A service account whose tokens come from `endpoint`. The key was made for this test and gives access to
    /// nothing.
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

    /// The tokens that the API received.
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
        let (first, second) =
            tokio::join!(client.send(&call, &NoWatch), client.send(&call, &NoWatch));
        first.and(second).unwrap();
        assert_eq!(tokens.lines(), ["POST /"], "calls side by side ask once");
        assert!(tokens.seen()[0].body.contains("assertion="));
        client.send(&call, &NoWatch).await.unwrap();
        assert_eq!(bearers(&api), ["t1", "t1", "t1", "t2"]);
        let expires = auth.token().await.unwrap().unwrap().expires().unwrap();
        assert!(expires > jiff::Timestamp::now());
        // The endpoint has no third token: the result is Google's rejection.
        let error = client.send(&call, &NoWatch).await.unwrap_err();
        assert_eq!(
            (error.class, error.http),
            (Class::Unauthenticated, Some(401))
        );
    }

    #[tokio::test]
    async fn a_refused_token_is_fetched_anew_once_however_many_ask() {
        let folder = tempfile::tempdir().unwrap();
        let tokens =
            Scripted::plays([token("t1", 3600), token("t2", 3600), token("t3", 3600)]).await;
        let auth = key_file(&folder, &tokens.base());
        let first = auth.token().await.unwrap().unwrap();
        let together = tokio::join!(auth.renew(&first), auth.renew(&first), auth.renew(&first));
        assert_eq!(together, (true, true, true));
        assert_eq!(tokens.seen().len(), 2, "side by side");

        // One call began before the renewal and one after it; both are rejected again.
        let second = auth.token().await.unwrap().unwrap();
        assert!(auth.renew(&first).await, "there is another to try");
        assert!(!auth.renew(&second).await, "and it is the last one");
        assert_eq!(tokens.seen().len(), 2, "one after the other");

        auth.inner.found.lock().await.replaced = Instant::now().checked_sub(YOUNG);
        assert!(auth.renew(&second).await, "it was good for a while");
        assert_eq!(tokens.seen().len(), 3);
    }

    /// The environment of these variables.
    fn variables(set: Vec<(&'static str, String)>) -> impl Fn(&str) -> Option<String> {
        move |asked| {
            let found = set.iter().find(|(name, _)| *name == asked);
            found.map(|(_, value)| value.clone())
        }
    }

    #[tokio::test]
    async fn a_refused_token_is_replaced_by_one_of_the_same_credentials() {
        let folder = tempfile::tempdir().unwrap();
        let revoked = || Reply::Json(400, json!({"error": "invalid_grant"}));
        let script = [token("t1", 3600), token("t2", 3600), revoked(), revoked()];
        let tokens = Scripted::plays(script).await;
        let machine = Scripted::plays([token("of-the-machine", 3600)]).await;
        let login = json!({"type": "authorized_user", "client_id": "c", "client_secret": "s",
            "refresh_token": "r", "token_uri": tokens.base()});
        let file = folder.path().join("application_default_credentials.json");
        std::fs::write(&file, login.to_string()).unwrap();
        let auth = Auth::from_env(&variables(vec![
            ("CLOUDSDK_CONFIG", folder.path().display().to_string()),
            ("GCE_METADATA_HOST", machine.address.to_string()),
        ]));
        let first = auth.token().await.unwrap().unwrap();
        std::fs::remove_file(&file).unwrap();
        assert!(auth.renew(&first).await);
        assert_eq!(auth.token().await.unwrap().unwrap().reveal(), "t2");
        // The login yields no more, and what the machine has is another identity.
        auth.inner.found.lock().await.replaced = None;
        let second = auth.token().await.unwrap().unwrap();
        assert!(!auth.renew(&second).await);
        assert!(auth.token().await.is_err());
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
        // The request for a token is tried five times; the sixth try is the call's.
        let script = [
            Reply::ResetAfter,
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
        client.send(&call, &NoWatch).await.unwrap();
        assert_eq!(
            (tokens.seen().len(), bearers(&api)),
            (6, vec!["t1".to_owned()])
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
                "it has no client_id",
            ),
            (
                key,
                write("uri", r#"{"token_uri": "http://example.com/"}"#),
                "is not an https address of Google's",
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

    /// The key is valid, so only the address can be the reason for the rejection.
    #[tokio::test]
    async fn a_key_is_not_taken_to_an_address_that_is_not_googles() {
        let folder = tempfile::tempdir().unwrap();
        for (to, refused) in [
            ("https://oauth2.googleapis.com/token", false),
            ("https://accounts.google.com/o/oauth2/token", false),
            ("http://127.0.0.1:1/token", false),
            ("http://oauth2.googleapis.com/token", true),
            ("https://oauth2.googleapis.com.evil.example/token", true),
            ("https://evil.example/token", true),
            ("https://accounts.google.com.evil.example/token", true),
            ("https://google.com/token", true),
            ("http://10.0.0.1/token", true),
            ("ftp://127.0.0.1/token", true),
            ("", true),
        ] {
            let auth = key_file(&folder, to);
            let mut found = auth.inner.found.lock().await;
            let found = found.provider(&auth.inner).await;
            let told = found.err().map(|error| error.to_string());
            assert_eq!(told.is_some(), refused, "{to}: {told:?}");
            let told = told.unwrap_or_default();
            assert_eq!(told.contains("of Google's"), refused, "{to}: {told}");
        }
    }

    #[tokio::test]
    async fn user_credentials_name_who_pays_but_not_to_enable_an_api() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Scripted::plays([token("mine", 3600)]).await;
        let login = json!({"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r",
            "token_uri": tokens.base(), "quota_project_id": "payer", "account": "me@example.com"});
        let file = folder.path().join("login.json");
        std::fs::write(&file, login.to_string()).unwrap();
        let name = "GOOGLE_APPLICATION_CREDENTIALS";
        let auth = Auth::from_env(&environment(name, file.display().to_string()));
        let api = Scripted::plays([ok(), ok(), ok()]).await;
        let client = Client::new(Endpoints::emulator(&api.base()), auth.clone()).unwrap();
        for call in [
            get(),
            Call::post(Api::ServiceUsage, "v1/projects/p/services:batchEnable"),
            Call::get(Api::ServiceUsage, "v1/operations/o"),
        ] {
            client.send(&call, &NoWatch).await.unwrap();
        }
        let payers: Vec<_> = api
            .seen()
            .iter()
            .map(|seen| seen.header("x-goog-user-project").map(str::to_owned))
            .collect();
        assert_eq!(
            payers,
            [Some("payer".to_owned()), None, Some("payer".to_owned())]
        );
        assert_eq!(bearers(&api), ["mine"; 3]);
        let identity = auth.identity().await.unwrap().unwrap();
        let expected = format!(
            "me@example.com, authorized_user from {} ({name})",
            file.display()
        );
        assert_eq!(identity.to_string(), expected);
    }
}
