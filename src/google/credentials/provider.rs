//! Credentials that were found, their last token, and what is told of their owner.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::credential::Credential;
use super::error::{AuthError, CredentialFileError};
use super::grant::Grant;
use super::identity::Identity;
use crate::google::Token;
use crate::google::http::Http;

/// A token is replaced if it is valid for less than this: it may be a while until a request arrives.
const MARGIN: SignedDuration = SignedDuration::from_secs(20);

/// Credentials that were found, with their last token.
pub(in crate::google) struct Provider {
    pub(super) credential: Credential,
    pub identity: Identity,
    /// The project that calls count against.
    pub(super) quota_project: Option<String>,
    kept: Option<Token>,
}

impl Provider {
    pub(super) fn new(
        credential: Credential,
        identity: Identity,
        quota_project: Option<String>,
    ) -> Provider {
        Provider {
            credential,
            identity,
            quota_project,
            kept: None,
        }
    }

    /// The current token, or a new one if the current one is about to expire.
    ///
    /// # Errors
    /// There is none.
    pub async fn token(&mut self, http: &Http) -> Result<Token, AuthError> {
        let soon = Timestamp::now() + MARGIN;
        if let Some(token) = &self.kept
            && token.expires().is_some_and(|expires| expires > soon)
        {
            return Ok(token.clone());
        }
        let grant = self.credential.fetch(http).await;
        let grant = grant.map_err(|source| AuthError::Refresh {
            identity: self.identity.to_string(),
            source: Box::new(source),
        })?;
        Ok(self.keep(grant))
    }

    /// Forgets the last token: the next one is requested.
    pub fn forget_token(&mut self) {
        self.kept = None;
    }

    /// Keeps a new token, and what it says about its owner.
    pub(super) fn keep(&mut self, grant: Grant) -> Token {
        if let Some(account) = grant.account {
            let mut source = &mut self.identity;
            while let Some(by) = &mut source.by {
                source = by;
            }
            source.account.get_or_insert(account);
        }
        let project = self.quota_project.as_deref().map(Arc::from);
        let token = Token::new(&grant.token, grant.expires, project);
        let token = token.of_user(self.identity.is_user());
        self.kept = Some(token.clone());
        token
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// The token in a file. It is read every time, so that a renewed file is used without a notification.
pub(in crate::google) async fn token_in_file(
    path: &Path,
    quota_project: Option<&str>,
) -> Result<Token, AuthError> {
    let failed = |source| AuthError::TokenFile {
        path: path.display().to_string(),
        source,
    };
    let text = tokio::fs::read_to_string(path)
        .await
        .map_err(|error| failed(CredentialFileError::Io(Arc::new(error))))?;
    match text.trim() {
        "" => Err(failed(CredentialFileError::Empty)),
        token => Ok(Token::new(token, None, quota_project.map(Arc::from))),
    }
}
