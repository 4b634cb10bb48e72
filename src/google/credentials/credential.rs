//! Credentials, and how each kind of them yields a token. Keys, subject tokens and the metadata server have files of their own.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::json;
use url::Url;

use super::error::{Asked, TokenError};
use super::external::External;
use super::gcloud;
use super::grant::{Exchange, Grant, SCOPE};
use super::key::Key;
use super::metadata::Metadata;
use crate::google::http::Http;

/// The lifetime of an impersonated token, in seconds; a longer one needs an organization policy.
const LIFETIME: u64 = 3600;

/// Credentials.
pub(super) enum Credential {
    /// A service account key.
    Key(Key),
    /// User credentials.
    Login(Login),
    /// A subject token.
    External(Box<External>),
    /// A service account that other credentials may impersonate.
    Impersonated(Box<Impersonated>),
    /// The service account of the machine.
    Metadata(Metadata),
    /// gcloud's login.
    Gcloud,
    /// A token that somebody else keeps fresh.
    TokenFile(PathBuf),
}

/// User credentials: a refresh token, and the program that has got it.
pub(super) struct Login {
    pub url: Url,
    pub client_id: String,
    pub client_secret: String,
    /// The last one that was given. The Security Token Service gives a new one with a token, and the old one may end with that.
    pub refresh_token: Mutex<String>,
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
    /// The project that the request for a token counts against, if a person sends it. Google's libraries name it too
    /// (`_make_iam_token_request` of google-auth-library-python sends the headers of the source credentials).
    pub user_project: Option<String>,
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
    /// The provider of an identity from outside, which is all that its file tells of the account.
    pub fn audience(&self) -> Option<String> {
        match self {
            Credential::External(external) => Some(external.audience.clone()),
            _ => None,
        }
    }

    /// A new token. What a chain of impersonation needs is fetched each time, which is once an hour.
    pub fn fetch<'a>(&'a self, http: &'a Http) -> Fetching<'a> {
        Box::pin(async move {
            match self {
                Credential::Key(key) => key.fetch(http).await,
                Credential::Login(login) => login.fetch(http).await,
                Credential::External(external) => external.fetch(http).await,
                Credential::Impersonated(impersonated) => impersonated.fetch(http).await,
                Credential::Metadata(server) => server.fetch(http).await,
                Credential::Gcloud => gcloud::token().await,
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
        let refresh_token = {
            let kept = self.refresh_token.lock();
            kept.unwrap_or_else(PoisonError::into_inner).clone()
        };
        let mut fields = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.as_str()),
        ];
        if !self.by_header {
            fields.extend([("client_id", id), ("client_secret", secret)]);
        }
        let secrets = [secret, refresh_token.as_str()];
        let exchange = Exchange::form(http, self.url.clone(), asked, &fields, &secrets);
        let grant = match self.by_header {
            true => exchange.basic(id, secret).grant().await?,
            false => exchange.grant().await?,
        };
        if let Some(new) = &grant.refresh_token {
            let mut kept = self
                .refresh_token
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            kept.clone_from(new);
        }
        Ok(grant)
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
        let exchange = exchange.charged_to(self.user_project.as_deref());
        let answer = exchange.answer().await?;
        let token = answer["accessToken"].as_str();
        let token = token.filter(|token| !token.is_empty());
        let expires = answer["expireTime"].as_str();
        Ok(Grant {
            token: token.ok_or_else(|| exchange.unreadable())?.to_owned(),
            expires: expires.and_then(|time| time.parse::<Timestamp>().ok()),
            account: source.account,
            refresh_token: None,
        })
    }
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
            refresh_token: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::google::scripted::{Reply, Scripted};

    #[tokio::test]
    async fn a_new_refresh_token_replaces_the_old_one() {
        let answer = |refresh: &str| {
            let answer = json!({"access_token": "t", "expires_in": 3600, "refresh_token": refresh});
            Reply::Json(200, answer)
        };
        let tokens = Scripted::plays([answer("second"), answer("third"), answer("x")]).await;
        let login = Login {
            url: Url::parse(&tokens.base()).unwrap(),
            client_id: "c".to_owned(),
            client_secret: "s".to_owned(),
            refresh_token: "first".to_owned().into(),
            by_header: true,
        };
        let http = Http::default();
        for _ in 0..3 {
            login.fetch(&http).await.unwrap();
        }
        let sent = tokens.seen();
        for (seen, name) in sent.iter().zip(["first", "second", "third"]) {
            let field = format!("refresh_token={name}");
            assert!(seen.body.contains(&field), "{name}: {}", seen.body);
        }
        assert_eq!(sent.len(), 3);
    }
}
