//! A service account key: a signed assertion is exchanged for a token (RFC 7523;
//! <https://developers.google.com/identity/protocols/oauth2/service-account>).
//!
//! gcp_auth reads the key and signs. It does not send the request, because it knows no proxy and drops the endpoint's words.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gcp_auth::CustomServiceAccount;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use url::Url;

use super::error::{Asked, CredentialFileError, TokenError};
use super::grant::{Exchange, Grant, SCOPE};
use super::key_file::KeyProblem;
use crate::google::http::Http;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// How long an assertion is valid, in seconds: the most that Google accepts.
const VALID: i64 = 3600;

/// A key.
pub(super) struct Key {
    key: Arc<CustomServiceAccount>,
    account: String,
    /// Google's id of the key; it is public.
    id: Option<String>,
    url: Url,
}

impl Key {
    /// The key in a file's fields.
    ///
    /// # Errors
    /// It is not a key that works.
    pub fn read(fields: &Map<String, Value>, url: Url) -> Result<Key, CredentialFileError> {
        let all = Value::Object(fields.clone());
        let key = match CustomServiceAccount::from_json(&all.to_string()) {
            Ok(key) => key,
            Err(gcp_auth::Error::Io(..)) => return Err(CredentialFileError::Authorities),
            Err(_) => return Err(CredentialFileError::Key(KeyProblem::of(&all))),
        };
        let text = |name: &str| all[name].as_str().map(str::to_owned);
        Ok(Key {
            key: Arc::new(key),
            account: text("client_email").unwrap_or_default(),
            id: text("private_key_id"),
            url,
        })
    }

    /// The service account's e-mail address.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// A new token.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub async fn fetch(&self, http: &Http) -> Result<Grant, TokenError> {
        let assertion = self.assertion(Timestamp::now().as_second())?;
        let fields = [("grant_type", GRANT_TYPE), ("assertion", &assertion)];
        let asked = Asked::Key {
            account: self.account.clone(),
        };
        Exchange::form(http, self.url.clone(), asked, &fields, &[&assertion])
            .grant()
            .await
    }

    fn assertion(&self, now: i64) -> Result<String, TokenError> {
        let mut head = json!({"alg": "RS256", "typ": "JWT"});
        if let Some(id) = &self.id {
            head["kid"] = id.as_str().into();
        }
        let claims = json!({
            "iss": self.account, "scope": SCOPE, "aud": self.url.as_str(), "iat": now, "exp": now + VALID - 5,
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&head), part(&claims));
        let signature = self.key.signer().sign(signed.as_bytes());
        let signature = signature.map_err(|_| TokenError::Signature)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
