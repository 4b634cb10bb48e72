//! Credentials, and how each kind of them yields a token. Keys, tokens from outside and the metadata server have files of their own.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use gcp_auth::{GCloudAuthorizedUser, TokenProvider};
use jiff::Timestamp;
use serde_json::json;
use tokio::time::timeout;
use url::Url;

use super::error::{Asked, TokenError};
use super::external::External;
use super::grant::{Exchange, Grant, SCOPE};
use super::key::Key;
use super::metadata::Metadata;
use crate::google::http::Http;

/// gcloud takes a second or two.
const ASKING: Duration = Duration::from_secs(15);
/// The lifetime of an impersonated token, in seconds; a longer one needs an organization policy.
const LIFETIME: u64 = 3600;

/// Credentials.
pub(super) enum Credential {
    /// A service account key.
    Key(Key),
    /// A login of a person.
    Login(Login),
    /// A token from outside.
    External(Box<External>),
    /// A service account that other credentials may impersonate.
    Impersonated(Box<Impersonated>),
    /// The service account of the machine.
    Metadata(Metadata),
    /// gcloud's login.
    Gcloud(Arc<GCloudAuthorizedUser>),
    /// A token that somebody else keeps fresh.
    TokenFile(PathBuf),
}

/// A login of a person: a refresh token, and the program that has got it.
pub(super) struct Login {
    pub url: Url,
    pub client_id: String,
    pub client_secret: String,
    pub refresh_token: String,
    /// Whether the program is named in a header, as the Security Token Service asks for, and not in the form.
    pub by_header: bool,
}

/// A service account that other credentials may impersonate.
pub(super) struct Impersonated {
    pub source: Credential,
    pub url: Url,
    pub account: String,
    /// The accounts between, as IAM Credentials names them.
    pub delegates: Vec<String>,
    /// In seconds, if the file states it.
    pub lifetime: Option<u64>,
}

/// The name of an account in a chain of delegation. Google's files have the e-mail address or the whole name.
pub(super) fn delegate(account: &str) -> String {
    match account.contains('/') {
        true => account.to_owned(),
        false => format!("projects/-/serviceAccounts/{account}"),
    }
}

/// A token to come.
type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Grant, TokenError>> + Send + 'a>>;

impl Credential {
    /// A new token. What a chain of impersonation needs is fetched each time, which is once an hour.
    pub fn fetch<'a>(&'a self, http: &'a Http) -> Fetching<'a> {
        Box::pin(async move {
            match self {
                Credential::Key(key) => key.fetch(http).await,
                Credential::Login(login) => login.fetch(http).await,
                Credential::External(external) => external.fetch(http).await,
                Credential::Impersonated(impersonated) => impersonated.fetch(http).await,
                Credential::Metadata(server) => server.fetch(http).await,
                Credential::Gcloud(gcloud) => of_gcloud(gcloud).await,
                Credential::TokenFile(path) => in_file(path).await,
            }
        })
    }
}

impl Login {
    async fn fetch(&self, http: &Http) -> Result<Grant, TokenError> {
        let asked = Asked::Login {
            command: match self.by_header {
                true => "gcloud auth application-default login --login-config=FILE",
                false => "gcloud auth application-default login",
            },
        };
        let (id, secret) = (self.client_id.as_str(), self.client_secret.as_str());
        let mut fields = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", self.refresh_token.as_str()),
        ];
        if !self.by_header {
            fields.extend([("client_id", id), ("client_secret", secret)]);
        }
        let secrets = [secret, self.refresh_token.as_str()];
        let exchange = Exchange::form(http, self.url.clone(), asked, &fields, &secrets);
        match self.by_header {
            true => exchange.basic(id, secret).grant().await,
            false => exchange.grant().await,
        }
    }
}

impl Impersonated {
    /// <https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken>
    async fn fetch(&self, http: &Http) -> Result<Grant, TokenError> {
        let source = self.source.fetch(http).await?;
        let mut body = json!({
            "scope": [SCOPE],
            "lifetime": format!("{}s", self.lifetime.unwrap_or(LIFETIME)),
        });
        if !self.delegates.is_empty() {
            body["delegates"] = self.delegates.clone().into();
        }
        let asked = Asked::Impersonation {
            account: self.account.clone(),
        };
        let exchange = Exchange::json(http, self.url.clone(), asked, &body, &source.token);
        let answer = exchange.answer().await?;
        let token = answer["accessToken"].as_str();
        let token = token.filter(|token| !token.is_empty());
        let expires = answer["expireTime"].as_str();
        Ok(Grant {
            token: token.ok_or_else(|| exchange.unreadable())?.to_owned(),
            expires: expires.and_then(|time| time.parse::<Timestamp>().ok()),
            account: source.account,
        })
    }
}

async fn of_gcloud(gcloud: &GCloudAuthorizedUser) -> Result<Grant, TokenError> {
    let token = asked(gcloud.token(&[SCOPE])).await?;
    Ok(Grant {
        token: token.as_str().to_owned(),
        expires: Timestamp::from_second(token.expires_at().timestamp()).ok(),
        account: None,
    })
}

/// Runs what gcp_auth does with gcloud.
pub(super) async fn asked<T>(
    gcloud: impl Future<Output = Result<T, gcp_auth::Error>>,
) -> Result<T, TokenError> {
    let words = match timeout(ASKING, gcloud).await {
        Ok(Ok(done)) => return Ok(done),
        // It has run a program and read its output: only the fixed words of its errors are shown.
        Ok(Err(gcp_auth::Error::Io(what, error))) => format!("{what}: {error}"),
        Ok(Err(gcp_auth::Error::Str(what))) => what.to_owned(),
        Ok(Err(_)) => "gcloud gave no token".to_owned(),
        Err(_) => format!("no answer within {} s", ASKING.as_secs()),
    };
    Err(TokenError::Gcloud { words })
}

/// The token in a file, whose lifetime nobody knows; for an impersonation.
async fn in_file(path: &std::path::Path) -> Result<Grant, TokenError> {
    let failed = |why: String| TokenError::Subject {
        words: format!("cannot read an access token from {}: {why}", path.display()),
    };
    let text = tokio::fs::read_to_string(path).await;
    let text = text.map_err(|error| failed(error.to_string()))?;
    match text.trim() {
        "" => Err(failed("it is empty".to_owned())),
        token => Ok(Grant {
            token: token.to_owned(),
            expires: None,
            account: None,
        }),
    }
}
