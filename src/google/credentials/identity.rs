//! Whose identity a run uses, and where it was found: what a reader is told, without anything secret.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The identity of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The e-mail address of a user or a service account, or the provider of an identity from outside; none if the credentials do
    /// not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The type of the credentials, in Google's words: `service_account`, `authorized_user`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where they were found: a file with the reason why it was read, or a server.
    pub found: String,
    /// The identity that impersonates this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Box<Identity>>,
}

impl Identity {
    /// Whether both were found in the same places: they are the same identity, as far as the machine decides it.
    pub(in crate::google) fn is_from_where(&self, other: &Identity) -> bool {
        let by = match (&self.by, &other.by) {
            (Some(one), Some(other)) => one.is_from_where(other),
            (one, other) => one.is_none() && other.is_none(),
        };
        by && self.kind == other.kind && self.found == other.found
    }

    /// Whether it is a person, whose calls count against the quota of a project that has to be named.
    pub fn is_user(&self) -> bool {
        let is_service_account = self
            .account
            .as_deref()
            .is_some_and(|account| account.ends_with("gserviceaccount.com"));
        match self.kind.as_str() {
            "authorized_user" | "external_account_authorized_user" => true,
            // The metadata server of Cloud Shell and the login of gcloud may be those of a person.
            "metadata" | "gcloud" => self.account.is_some() && !is_service_account,
            _ => false,
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let account = self.account.as_deref();
        let who = match (self.kind.as_str(), account) {
            (_, Some(account)) => account,
            ("access_token", None) => "an account that the token does not name",
            (_, None) => "an account that the credentials do not name",
        };
        match &self.by {
            Some(by) => write!(f, "{who}, impersonated by {by}"),
            None => write!(f, "{who}, {} from {}", self.kind, self.found),
        }
    }
}

/// The e-mail address in an id token. It is only shown, so its signature is not checked.
pub(super) fn email_in(id_token: &str) -> Option<String> {
    let claims = id_token.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    Some(claims["email"].as_str()?.to_owned())
}

/// The account in the address of a method of IAM Credentials: `…/serviceAccounts/EMAIL:generateAccessToken`.
pub(super) fn account_in(url: &str) -> Option<&str> {
    let (_, rest) = url.rsplit_once("/serviceAccounts/")?;
    let (account, _) = rest.split_once(':')?;
    Some(account).filter(|account| !account.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_told_with_its_source() {
        let user = Identity {
            account: Some("me@example.com".into()),
            kind: "authorized_user".into(),
            found: "/adc.json (application default credentials)".into(),
            by: None,
        };
        assert_eq!(
            user.to_string(),
            "me@example.com, authorized_user from /adc.json (application default credentials)"
        );
        assert!(user.is_user());
        let other = Identity {
            account: Some("a@p.iam.gserviceaccount.com".into()),
            kind: "impersonated_service_account".into(),
            found: "--impersonate-service-account".into(),
            by: Some(Box::new(user)),
        };
        assert_eq!(
            other.to_string(),
            "a@p.iam.gserviceaccount.com, impersonated by me@example.com, authorized_user from /adc.json (application default credentials)"
        );
        assert!(!other.is_user());
    }

    #[test]
    fn an_email_is_read_from_an_id_token_and_nothing_else() {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let token = format!(
            "{}.{}.sig",
            part("{}"),
            part(r#"{"email": "me@example.com"}"#)
        );
        assert_eq!(email_in(&token).as_deref(), Some("me@example.com"));
        for odd in ["", "a.b", "a.%%%.c", &format!("a.{}.c", part("[]"))] {
            assert_eq!(email_in(odd), None, "{odd}");
        }
    }

    #[test]
    fn the_account_of_an_address_is_found() {
        let base = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/";
        assert_eq!(
            account_in(&format!("{base}a@b:generateAccessToken")),
            Some("a@b")
        );
        assert_eq!(account_in(base), None);
        assert_eq!(account_in(&format!("{base}:generateAccessToken")), None);
    }
}
