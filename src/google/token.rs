//! An access token: shown only in a header and to a reader who asked for it. `auth.rs` handles its source and its
//! replacement.

use std::fmt;
use std::sync::Arc;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

/// The shortest token that is searched for in texts from outside, in bytes.
const SHORTEST: usize = 12;

/// An access token. It cannot be printed.
#[derive(Clone)]
pub struct Token {
    value: Arc<str>,
    expires: Option<jiff::Timestamp>,
    quota_project: Option<Arc<str>>,
    is_user: bool,
}

impl Token {
    pub(super) fn new(
        value: &str,
        expires: Option<jiff::Timestamp>,
        quota_project: Option<Arc<str>>,
    ) -> Token {
        Token {
            value: value.into(),
            expires,
            quota_project,
            is_user: false,
        }
    }

    /// The same token, of a person or not.
    pub(super) fn of_user(self, is_user: bool) -> Token {
        Token { is_user, ..self }
    }

    /// Whether it is that of a person, whose calls count against no project of their own.
    pub(super) fn is_user(&self) -> bool {
        self.is_user
    }

    /// The token itself, for a header or for a reader who asked for it.
    pub fn reveal(&self) -> &str {
        &self.value
    }

    /// A text from outside, without this token.
    pub(super) fn hidden_in(&self, text: &str) -> String {
        // Google's tokens have a hundred characters or more; a word as short as this is no secret.
        if self.value.len() < SHORTEST {
            return text.to_owned();
        }
        text.replace(&*self.value, "(the access token)")
    }

    /// The body of an answer, without this token.
    pub(super) fn hidden_in_body(&self, body: Vec<u8>) -> Vec<u8> {
        let text = String::from_utf8_lossy(&body);
        let hidden = self.hidden_in(&text);
        if hidden == text {
            body
        } else {
            hidden.into_bytes()
        }
    }

    /// Hides it in a header of an answer.
    pub(super) fn hide_in_header(&self, headers: &mut HeaderMap, name: &HeaderName) {
        let Some(value) = headers.get(name) else {
            return;
        };
        let hidden = self.hidden_in(&String::from_utf8_lossy(value.as_bytes()));
        match HeaderValue::try_from(hidden) {
            Ok(value) => headers.insert(name.clone(), value),
            Err(_) => headers.remove(name),
        };
    }

    /// The expiry time; not known for a token in a file.
    pub fn expires(&self) -> Option<jiff::Timestamp> {
        self.expires
    }

    /// The project that calls with it count against, where one is named.
    pub(super) fn quota_project(&self) -> Option<&str> {
        self.quota_project.as_deref()
    }

    /// The value of the header, marked as sensitive so that no log of headers shows it.
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

#[cfg(test)]
mod tests {
    use super::super::Auth;
    use super::*;

    #[test]
    fn nothing_prints_a_token() {
        let token = Token::new("hunter2", None, None);
        let shown = format!("{token:?} {:?} {:?}", token.bearer(), Auth::none());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
