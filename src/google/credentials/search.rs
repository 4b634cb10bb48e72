//! Where credentials are looked for, in the order of Google's libraries
//! (<https://cloud.google.com/docs/authentication/application-default-credentials>): the file that
//! `GOOGLE_APPLICATION_CREDENTIALS` names, the file of `gcloud auth application-default login`, the metadata server. Last, as Google's
//! libraries do not, the login of gcloud itself.
//!
//! Only what is not there lets the search go on. A file that is there and cannot be used ends it: the next identity would be
//! another one than the user has chosen.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::credential::{Credential, Impersonated, delegate};
use super::error::{AuthError, CredentialFileError, TokenError};
use super::executable::ALLOWED;
use super::file::{FileOptions, google_address, parse};
use super::gcloud;
use super::identity::Identity;
use super::metadata::Metadata;
use super::provider::Provider;
use crate::google::Environment;
use crate::google::http::Http;
use crate::google::properties;

/// The name of the application default file in gcloud's folder.
const DEFAULT_FILE: &str = "application_default_credentials.json";
const NAMED: &str = "GOOGLE_APPLICATION_CREDENTIALS";
const DEFAULT: &str = "application default credentials";
const TOKEN_FILE: &str = "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE";

/// What a command line says about credentials.
#[derive(Debug, Clone, Default)]
pub struct AuthFlags {
    /// The service account to impersonate; before it, separated by commas, the accounts between.
    pub impersonate: Option<String>,
    /// The project to count calls against.
    pub billing_project: Option<String>,
}

/// Where this process looks for credentials, from its environment and gcloud's settings.
#[derive(Debug, Default)]
pub(in crate::google) struct Settings {
    /// No credentials at all.
    pub off: bool,
    /// `CLOUDSDK_AUTH_ACCESS_TOKEN_FILE`.
    token_file: Option<PathBuf>,
    /// `GOOGLE_APPLICATION_CREDENTIALS`.
    named: Option<PathBuf>,
    /// gcloud's folder.
    folder: Option<PathBuf>,
    /// `GCE_METADATA_HOST`.
    metadata_host: Option<String>,
    file: FileOptions,
    /// The account to impersonate, and which setting names it.
    impersonate: Option<(String, &'static str)>,
    /// Where IAM Credentials is served.
    iam_credentials: Option<String>,
    /// The project to count calls against: of a flag or a variable.
    quota_project: Option<String>,
    /// The same of gcloud's settings.
    gcloud_quota_project: Option<String>,
    /// The account of gcloud's login.
    gcloud_account: Option<String>,
}

impl Settings {
    /// No credentials.
    pub fn none() -> Settings {
        Settings {
            off: true,
            ..Settings::default()
        }
    }

    /// Reads the environment, and gcloud's active configuration.
    pub fn of(env: Environment, flags: &AuthFlags) -> Settings {
        let set = |name: &str| env(name).filter(|value| !value.trim().is_empty());
        let path = |name: &str| set(name).map(PathBuf::from);
        // The words that gcloud accepts as true.
        let off = set("CLOUDSDK_AUTH_DISABLE_CREDENTIALS").is_some_and(|said| {
            ["1", "true", "on", "yes", "y"].contains(&said.trim().to_lowercase().as_str())
        });
        let gcloud = properties::identity(env);
        let by_flag = flags.impersonate.clone();
        let by_flag = by_flag.map(|account| (account, "--impersonate-service-account"));
        let by_gcloud = gcloud.impersonate.map(|property| {
            let named = match property.source {
                properties::PropertySource::Variable(name) => name,
                properties::PropertySource::File(_) => "gcloud's auth/impersonate_service_account",
            };
            (property.value, named)
        });
        Settings {
            off,
            token_file: path(TOKEN_FILE),
            named: path(NAMED),
            folder: properties::folder(env),
            metadata_host: set("GCE_METADATA_HOST"),
            file: FileOptions {
                token_host: gcloud.token_host.map(|property| property.value),
                runs_executables: set(ALLOWED).as_deref() == Some("1"),
            },
            impersonate: by_flag.or(by_gcloud),
            iam_credentials: set("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS"),
            quota_project: flags
                .billing_project
                .clone()
                .or_else(|| set("GOOGLE_CLOUD_QUOTA_PROJECT")),
            gcloud_quota_project: gcloud.quota_project.map(|property| property.value),
            gcloud_account: gcloud.account.map(|property| property.value),
        }
    }

    /// The file with a token that somebody else keeps fresh, if it is used as it is.
    pub fn token_file(&self) -> Option<&Path> {
        match self.impersonate {
            Some(_) => None,
            None => self.token_file.as_deref(),
        }
    }

    /// The project to count calls against with the token of [`Settings::token_file`].
    pub fn quota_project(&self) -> Option<&str> {
        let project = self.quota_project.as_deref();
        project.or(self.gcloud_quota_project.as_deref())
    }

    /// The identity of a token in a file.
    pub fn of_token_file(path: &Path) -> Identity {
        Identity {
            account: None,
            kind: "access_token".to_owned(),
            found: format!("{} ({TOKEN_FILE})", path.display()),
            by: None,
        }
    }

    /// Searches for credentials that can yield tokens.
    ///
    /// # Errors
    /// See [`AuthError`].
    pub async fn search(&self, http: &Http) -> Result<Provider, AuthError> {
        let mut found = self.found(http).await?;
        if let Some((accounts, named)) = &self.impersonate {
            found = self.impersonating(found, accounts, named)?;
        }
        let quota_project = self.quota_project.clone().or(found.quota_project.take());
        found.quota_project = quota_project.or_else(|| self.gcloud_quota_project.clone());
        Ok(found)
    }

    async fn found(&self, http: &Http) -> Result<Provider, AuthError> {
        if let Some(path) = &self.token_file {
            return Ok(Provider::new(
                Credential::TokenFile(path.clone()),
                Settings::of_token_file(path),
                None,
            ));
        }
        if let Some(path) = &self.named {
            return self.read(path, NAMED)?.ok_or_else(|| missing(path));
        }
        let mut tried = Vec::new();
        if let Some(folder) = &self.folder {
            let path = folder.join(DEFAULT_FILE);
            match self.read(&path, DEFAULT)? {
                Some(provider) => return Ok(provider),
                None => tried.push((DEFAULT, not_there(&path))),
            }
        }
        match self.metadata(http).await {
            Ok(provider) => return Ok(provider),
            // It is there and cannot answer now: whoever is asked next would be another identity.
            Err(source @ TokenError::Refused(_)) if source.is_network() => {
                return Err(AuthError::Refresh {
                    identity: "the account of this machine".to_owned(),
                    source: Box::new(source),
                });
            }
            Err(error) => tried.push(("metadata server", error)),
        }
        match gcloud::token().await {
            Ok(grant) => {
                let identity = Identity {
                    account: self.gcloud_account.clone(),
                    kind: "gcloud".to_owned(),
                    found: "`gcloud auth print-access-token`".to_owned(),
                    by: None,
                };
                let mut provider = Provider::new(Credential::Gcloud, identity, None);
                provider.keep(grant);
                return Ok(provider);
            }
            Err(error) => tried.push(("gcloud", error)),
        }
        Err(AuthError::NothingFound { tried })
    }

    /// The credentials in a file; `None` if it is not there.
    fn read(&self, path: &Path, found: &'static str) -> Result<Option<Provider>, AuthError> {
        let failed = |(kind, source)| AuthError::File {
            path: path.display().to_string(),
            found,
            kind,
            source,
        };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if is_absent(error.kind()) => return Ok(None),
            Err(error) => return Err(failed((None, CredentialFileError::Io(Arc::new(error))))),
        };
        let parsed = parse(&text, &self.file).map_err(failed)?;
        let found = format!("{} ({found})", path.display());
        let by = parsed.source.map(|(kind, account)| Identity {
            account,
            kind,
            found: found.clone(),
            by: None,
        });
        let identity = Identity {
            account: parsed.account,
            kind: parsed.kind,
            found,
            by: by.map(Box::new),
        };
        Ok(Some(Provider::new(
            parsed.credential,
            identity,
            parsed.quota_project,
        )))
    }

    async fn metadata(&self, http: &Http) -> Result<Provider, TokenError> {
        let server = Metadata::at(self.metadata_host.as_deref());
        let server = server.ok_or_else(|| TokenError::Subject {
            words: "GCE_METADATA_HOST is not a host".to_owned(),
        })?;
        let grant = server.probe(http).await?;
        let identity = Identity {
            account: server.account(http).await,
            kind: "metadata".to_owned(),
            found: server.name(),
            by: None,
        };
        let mut provider = Provider::new(Credential::Metadata(server), identity, None);
        provider.keep(grant);
        Ok(provider)
    }

    /// The account that a setting names, impersonated by the credentials that were found. As in gcloud, the last account of a list
    /// is the one to impersonate, and the others are the chain of delegation to it.
    fn impersonating(
        &self,
        source: Provider,
        accounts: &str,
        found: &'static str,
    ) -> Result<Provider, AuthError> {
        let bad = |why| AuthError::Impersonation {
            found,
            value: accounts.to_owned(),
            why,
        };
        let mut chain: Vec<&str> = accounts.split(',').map(str::trim).collect();
        let is_account = |account: &&str| {
            account.contains('@')
                && account
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "@.-_".contains(c))
        };
        if !chain.iter().all(is_account) {
            return Err(bad("it is not the e-mail address of a service account"));
        }
        let account = chain.pop().unwrap_or_default().to_owned();
        let root = self.iam_credentials.as_deref();
        let root = root.unwrap_or("https://iamcredentials.googleapis.com/");
        let method = format!("v1/projects/-/serviceAccounts/{account}:generateAccessToken");
        let url = format!("{}/{method}", root.trim_end_matches('/'));
        let url = google_address("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", &url);
        let is_user = source.identity.is_user();
        let user_project = self.quota_project.clone();
        let user_project = user_project.or_else(|| source.quota_project.clone());
        let user_project = user_project.or_else(|| self.gcloud_quota_project.clone());
        let identity = Identity {
            account: Some(account.clone()),
            kind: "impersonated_service_account".to_owned(),
            found: found.to_owned(),
            by: Some(Box::new(source.identity)),
        };
        let impersonated = Impersonated {
            source: source.credential,
            url: url.map_err(|_| bad("the address of IAM Credentials is not Google's"))?,
            account,
            delegates: chain.into_iter().map(delegate).collect(),
            lifetime: None,
            user_project: is_user.then_some(user_project).flatten(),
        };
        Ok(Provider::new(
            Credential::Impersonated(Box::new(impersonated)),
            identity,
            source.quota_project,
        ))
    }
}

/// Whether a path leads nowhere.
fn is_absent(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// The number of "No such file or directory", whose words are the operating system's.
const ENOENT: i32 = 2;

/// The error of a file that the user names and that is not there.
fn missing(path: &Path) -> AuthError {
    AuthError::File {
        path: path.display().to_string(),
        found: NAMED,
        kind: None,
        source: CredentialFileError::Io(Arc::new(io::Error::from_raw_os_error(ENOENT))),
    }
}

fn not_there(path: &Path) -> TokenError {
    TokenError::Subject {
        words: format!("{} is not there", path.display()),
    }
}
