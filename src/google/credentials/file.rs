//! The credential files that Google documents, by their `type`: text in, credentials out. Nothing is read or requested here.
//!
//! Sources: <https://cloud.google.com/docs/authentication/application-default-credentials> for the types,
//! <https://google.aip.dev/auth/4117> for `external_account`, and google-auth-library-python 2.49 for the fields of
//! `impersonated_service_account` and `external_account_authorized_user`, which no page lists.
//!
//! Not supported: sources of `external_account` for AWS and with X.509 certificates, universes other than `googleapis.com`, and
//! `gdch_service_account` (Google Distributed Cloud, which has none of these APIs).

use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::credential::{Credential, Impersonated, Login};
use super::error::{CredentialFileError, TYPES};
use super::external::External;
use super::identity::account_in;
use super::key::Key;
use crate::google::endpoints::{is_google, is_loopback};

/// Where a login is exchanged for a token. A file may name another address, and so may gcloud's property `auth/token_host`.
const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";
/// Where a subject token is exchanged.
const STS_URL: &str = "https://sts.googleapis.com/v1/token";
/// The only universe with the APIs of this program.
const UNIVERSE: &str = "googleapis.com";

/// What outside of the file decides what it means.
#[derive(Debug, Clone, Default)]
pub(super) struct FileOptions {
    /// `CLOUDSDK_AUTH_TOKEN_HOST`.
    pub token_host: Option<String>,
    /// Whether a program that the file names may be run.
    pub runs_executables: bool,
}

/// The content of a credential file.
pub(super) struct Parsed {
    pub credential: Credential,
    /// Its type.
    pub kind: String,
    /// The account that it names.
    pub account: Option<String>,
    /// The type and the account of the credentials inside that impersonate that account.
    pub source: Option<(String, Option<String>)>,
    pub quota_project: Option<String>,
}

/// Why a file has no usable content, and its type as far as it was read.
pub(super) type Unusable = (Option<String>, CredentialFileError);

/// Reads a credential file.
///
/// # Errors
/// What is wrong with it, without a word of what it contains beside addresses.
pub(super) fn parse(text: &str, options: &FileOptions) -> Result<Parsed, Unusable> {
    // Some editors put a byte order mark before the text.
    let text = text.trim_start_matches('\u{feff}');
    if text.trim().is_empty() {
        return Err((None, CredentialFileError::Empty));
    }
    let fields: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| (None, unread(&error, None)))?;
    of_fields(&fields, Some(text), options)
}

/// The same for the fields alone; `text` is the file, unless they are inside another file's.
fn of_fields(
    fields: &Map<String, Value>,
    text: Option<&str>,
    options: &FileOptions,
) -> Result<Parsed, Unusable> {
    let reader = Reader { fields, text };
    // gcp_auth has always taken a file without a type for a key. What is none, such as the file of an OAuth client, is of no type.
    let kind = match fields.get("type") {
        None if fields.contains_key("private_key") || fields.contains_key("token_uri") => {
            "service_account"
        }
        None => "",
        Some(kind) => kind.as_str().unwrap_or_default(),
    };
    let known = TYPES.iter().find(|known| **known == kind);
    let Some(kind) = known.copied() else {
        // In a file that is none of Google's it may be anything, so that only a word is repeated.
        let is_word = kind.len() <= 40 && kind.bytes().all(|b| b == b'_' || b.is_ascii_lowercase());
        let told = (is_word && !kind.is_empty()).then(|| kind.to_owned());
        return Err((told, CredentialFileError::Type));
    };
    let with_type = |error| (fields.get("type").map(|_| kind.to_owned()), error);
    reader.universe().map_err(with_type)?;
    let (credential, account) = match kind {
        "service_account" => reader.key(),
        "authorized_user" => reader.login(options),
        "external_account" => reader.external(options),
        "external_account_authorized_user" => reader.outside_login(),
        _ => return reader.impersonated(options, kind),
    }
    .map_err(with_type)?;
    let source = match &credential {
        Credential::Impersonated(impersonated) => {
            Some((kind.to_owned(), impersonated.source.audience()))
        }
        _ => None,
    };
    Ok(Parsed {
        credential,
        kind: kind.to_owned(),
        account,
        source,
        quota_project: reader.get("quota_project_id"),
    })
}

/// What a kind of file yields: credentials, and the account that they name.
type Read = Result<(Credential, Option<String>), CredentialFileError>;

/// The fields of one file.
struct Reader<'a> {
    fields: &'a Map<String, Value>,
    text: Option<&'a str>,
}

/// The fields of a login, for the place at which one is missing.
#[derive(Deserialize)]
struct LoginForm {
    #[serde(rename = "client_id")]
    _id: String,
    #[serde(rename = "client_secret")]
    _secret: String,
    #[serde(rename = "refresh_token")]
    _token: String,
}

impl Reader<'_> {
    fn get(&self, name: &str) -> Option<String> {
        let text = self.fields.get(name)?.as_str()?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn need(&self, name: &'static str) -> Result<String, CredentialFileError> {
        self.get(name).ok_or(CredentialFileError::Field(name))
    }

    fn universe(&self) -> Result<(), CredentialFileError> {
        match self.get("universe_domain") {
            Some(other) if other != UNIVERSE => Err(CredentialFileError::Universe(other)),
            _ => Ok(()),
        }
    }

    /// An address at which secrets of the file become tokens.
    fn address(&self, field: &'static str, default: &str) -> Result<Url, CredentialFileError> {
        let uri = self.get(field).unwrap_or_else(|| default.to_owned());
        google_address(field, &uri)
    }

    fn key(&self) -> Read {
        // Whoever receives what is sent there can get tokens with it. (Also, gcp_auth panics on an invalid address.)
        let url = self.address("token_uri", "")?;
        let key = Key::read(self.fields, url)?;
        let account = key.account().to_owned();
        Ok((Credential::Key(key), Some(account)))
    }

    fn login(&self, options: &FileOptions) -> Read {
        for name in ["client_id", "client_secret", "refresh_token"] {
            if self.get(name).is_none() {
                return Err(self.missing(name));
            }
        }
        let url = match &options.token_host {
            Some(host) => google_address("auth/token_host", host)?,
            None => self.address("token_uri", TOKEN_URL)?,
        };
        Ok((
            Credential::Login(Login {
                url,
                client_id: self.need("client_id")?,
                client_secret: self.need("client_secret")?,
                refresh_token: self.need("refresh_token")?.into(),
                by_header: false,
            }),
            self.get("account"),
        ))
    }

    /// The error of a missing field, with the place at which the parser has missed it.
    fn missing(&self, name: &'static str) -> CredentialFileError {
        let typed = self.text.map(serde_json::from_str::<LoginForm>);
        match typed {
            Some(Err(error)) => unread(&error, Some(name)),
            _ => CredentialFileError::Field(name),
        }
    }

    /// A login at an identity provider, by a workforce pool: `gcloud auth application-default login --login-config`.
    fn outside_login(&self) -> Read {
        Ok((
            Credential::Login(Login {
                url: {
                    self.need("token_url")?;
                    self.address("token_url", "")?
                },
                client_id: self.need("client_id")?,
                client_secret: self.need("client_secret")?,
                refresh_token: self.need("refresh_token")?.into(),
                by_header: true,
            }),
            None,
        ))
    }

    fn external(&self, options: &FileOptions) -> Read {
        let external = External {
            url: self.address("token_url", STS_URL)?,
            audience: self.need("audience")?,
            subject_token_type: self.need("subject_token_type")?,
            source: super::external::source(
                self.fields.get("credential_source"),
                options.runs_executables,
            )?,
            client: self.get("client_id").zip(self.get("client_secret")),
            user_project: self.get("workforce_pool_user_project"),
            account: self
                .get("service_account_impersonation_url")
                .and_then(|url| account_in(&url).map(str::to_owned)),
        };
        let audience = external.audience.clone();
        let source = Credential::External(Box::new(external));
        if self
            .fields
            .get("service_account_impersonation_url")
            .is_none()
        {
            return Ok((source, Some(audience)));
        }
        let lifetime = self.fields.get("service_account_impersonation");
        let lifetime = lifetime.and_then(|options| options["token_lifetime_seconds"].as_u64());
        let impersonated = self.of_source(source, lifetime)?;
        let account = impersonated.account.clone();
        Ok((
            Credential::Impersonated(Box::new(impersonated)),
            Some(account),
        ))
    }

    fn impersonated(&self, options: &FileOptions, kind: &str) -> Result<Parsed, Unusable> {
        let with_type = |error| (Some(kind.to_owned()), error);
        let Some(source) = self
            .fields
            .get("source_credentials")
            .and_then(Value::as_object)
        else {
            let error = CredentialFileError::Unsupported(
                "it has no source_credentials, or they are not an object",
            );
            return Err(with_type(error));
        };
        let source = of_fields(source, None, options).map_err(|(inner, error)| {
            // The type that has the error is the one inside.
            (inner.or(Some(kind.to_owned())), error)
        })?;
        let is_user = matches!(source.credential, Credential::Login(_));
        let inside = (source.kind, source.account);
        let quota_project = self.get("quota_project_id").or(source.quota_project);
        let mut impersonated = self.of_source(source.credential, None).map_err(with_type)?;
        impersonated.user_project = quota_project.clone().filter(|_| is_user);
        let delegates = self.fields.get("delegates").and_then(Value::as_array);
        let delegates = delegates.into_iter().flatten().filter_map(Value::as_str);
        impersonated.delegates = delegates.map(super::credential::delegate).collect();
        Ok(Parsed {
            kind: kind.to_owned(),
            account: Some(impersonated.account.clone()),
            source: Some(inside),
            quota_project,
            credential: Credential::Impersonated(Box::new(impersonated)),
        })
    }

    fn of_source(
        &self,
        source: Credential,
        lifetime: Option<u64>,
    ) -> Result<Impersonated, CredentialFileError> {
        const FIELD: &str = "service_account_impersonation_url";
        let uri = self.need(FIELD)?;
        let account = account_in(&uri).map(str::to_owned);
        Ok(Impersonated {
            source,
            url: google_address(FIELD, &uri)?,
            account: account.ok_or(CredentialFileError::Address { field: FIELD, uri })?,
            delegates: Vec::new(),
            lifetime,
            user_project: None,
        })
    }
}

/// The error of serde's parser, whose own words may quote what it has read.
fn unread(error: &serde_json::Error, name: Option<&'static str>) -> CredentialFileError {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Data => CredentialFileError::Form { line, column, name },
        _ => CredentialFileError::Json { line, column },
    }
}

/// An address to which secrets may be sent.
pub(super) fn google_address(field: &'static str, uri: &str) -> Result<Url, CredentialFileError> {
    let url = Url::parse(uri).ok().filter(gives_tokens);
    url.ok_or_else(|| CredentialFileError::Address {
        field,
        uri: uri.to_owned(),
    })
}

/// Whether credentials may name this address as their token endpoint: one of Google's (keys name `oauth2.googleapis.com`,
/// older ones `accounts.google.com`), or one on this machine.
fn gives_tokens(url: &Url) -> bool {
    if !url.username().is_empty() || url.password().is_some() {
        return false;
    }
    match url.scheme() {
        "https" => {
            is_loopback(url) || is_google(url) || url.host_str() == Some("accounts.google.com")
        }
        "http" => is_loopback(url),
        _ => false,
    }
}
