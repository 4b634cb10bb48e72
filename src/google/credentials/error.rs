//! Why there are no credentials, or no token for them. No text of a library that has parsed a secret is in any of these errors.

use std::sync::Arc;

use thiserror::Error;

use super::key_file::KeyProblem;
use crate::google::{Class, connection_advice};

/// The supported types of credential files, in Google's words.
pub(super) const TYPES: [&str; 5] = [
    "service_account",
    "authorized_user",
    "external_account",
    "impersonated_service_account",
    "external_account_authorized_user",
];

/// Why there is no token.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum AuthError {
    /// `CLOUDSDK_AUTH_ACCESS_TOKEN_FILE` cannot be used.
    #[error("cannot read an access token from {path} (CLOUDSDK_AUTH_ACCESS_TOKEN_FILE): {source}")]
    TokenFile {
        /// The file.
        path: String,
        /// The underlying error.
        source: CredentialFileError,
    },
    /// A credential file was found and cannot be used. The search does not go on: the next identity would be another one than the
    /// user has chosen.
    #[error("cannot use {path} ({found}){}: {source}", of_type(.kind.as_deref()))]
    File {
        /// The file.
        path: String,
        /// Why it was read: the variable that names it, or Google's name of its place.
        found: &'static str,
        /// The type of the credentials, if the file states one.
        kind: Option<String>,
        /// The underlying error.
        source: CredentialFileError,
    },
    /// The account to impersonate is not one.
    #[error("{found} is {value:?}: {why}")]
    Impersonation {
        /// The flag, the variable or the property.
        found: &'static str,
        /// Its value.
        value: String,
        /// What is wrong.
        why: &'static str,
    },
    /// The machine offers no credentials.
    #[error("no credentials found: {}", told(.tried))]
    NothingFound {
        /// The sources that were tried, each with its error.
        tried: Vec<(&'static str, TokenError)>,
    },
    /// The credentials exist and yield no token.
    #[error("cannot get an access token for {identity}: {source}")]
    Refresh {
        /// Whose credentials they are, and where they were found.
        identity: String,
        /// The error of the token endpoint or of gcloud.
        source: Box<TokenError>,
    },
}

/// What is wrong with a file that contains a token or credentials.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum CredentialFileError {
    /// The file cannot be read.
    #[error("{0}")]
    Io(#[source] Arc<std::io::Error>),
    /// The file is empty.
    #[error("it is empty")]
    Empty,
    /// The file is not JSON.
    #[error("it is not JSON at line {line} column {column}")]
    Json {
        /// Where its parser stopped.
        line: usize,
        /// The column there.
        column: usize,
    },
    /// The file is JSON of another form.
    #[error("a field is missing or of another type at line {line} column {column}{}", named(.name.as_deref()))]
    Form {
        /// Where its parser stopped.
        line: usize,
        /// The column there.
        column: usize,
        /// The field, if it is known.
        name: Option<&'static str>,
    },
    /// A field is missing.
    #[error("it has no {0}, or it is not a text")]
    Field(&'static str),
    /// The type is none that Google documents, or one that is not supported.
    #[error("this type is not supported; supported are {}", TYPES.join(", "))]
    Type,
    /// A part of a supported type is not supported.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The file would send secrets to an address that is not Google's.
    #[error("its {field} {uri:?} is not an https address of Google's")]
    Address {
        /// The field.
        field: &'static str,
        /// The address.
        uri: String,
    },
    /// The file is of another universe than `googleapis.com`.
    #[error("its universe_domain is {0:?}, and only googleapis.com is supported")]
    Universe(String),
    /// The file is not a key that works.
    #[error("{0}; download a new key, or copy the file byte by byte")]
    Key(#[source] KeyProblem),
    /// HTTPS cannot be set up.
    #[error("the certificate authorities of this machine cannot be read (SSL_CERT_FILE)")]
    Authorities,
}

/// Who was asked for a token, or for something on the way to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Google's token endpoint, with the signature of a key.
    Key {
        /// The service account.
        account: String,
    },
    /// Google's token endpoint, with the refresh token of a login.
    Login {
        /// The command that logs in again.
        command: &'static str,
    },
    /// Google's Security Token Service, with a subject token.
    Federation,
    /// IAM Credentials, for a token of a service account.
    Impersonation {
        /// The service account.
        account: String,
    },
    /// The server of an identity provider, for the subject token.
    Subject,
    /// The metadata server of the machine.
    Metadata,
}

/// The refusal of a token endpoint, in its own words.
#[derive(Debug, Clone)]
pub struct Refused {
    /// The host.
    pub host: String,
    /// Who was asked.
    pub asked: Asked,
    /// The HTTP code.
    pub http: u16,
    /// `error`, or the reason of Google's other APIs.
    pub code: Option<String>,
    /// `error_description`, or the message.
    pub words: String,
    /// `error_subtype`.
    pub subtype: Option<String>,
    /// The class of the refusal, if it has the form of Google's other APIs.
    pub class: Option<Class>,
    /// By how many seconds this machine's clock is ahead of the server's; negative if it is behind.
    pub ahead: Option<i64>,
}

/// Why a source of credentials, or the credentials themselves, yield no token.
#[derive(Debug, Clone, Error)]
pub enum TokenError {
    /// The endpoint gave no answer.
    #[error("{host} gives no answer: {words}{}", through(.proxy.as_deref()))]
    Unreachable {
        /// The host.
        host: String,
        /// What the operating system says.
        words: String,
        /// Who was asked.
        asked: Asked,
        /// Whether not even a connection could be made.
        connects: bool,
        /// Whether the time limit ended it.
        timed_out: bool,
        /// The proxy on the way, and the variable that names it.
        proxy: Option<String>,
    },
    /// The endpoint refused.
    #[error("{}", .0.words())]
    Refused(Box<Refused>),
    /// The answer is not what was asked for.
    #[error("the answer of {host} contains no token")]
    Unreadable {
        /// The host.
        host: String,
        /// Who was asked.
        asked: Asked,
    },
    /// The subject token, which Google's is exchanged for, could not be read.
    #[error("{words}")]
    Subject {
        /// What failed.
        words: String,
    },
    /// gcloud gave no token.
    #[error("{words}")]
    Gcloud {
        /// What failed.
        words: String,
    },
    /// The key signs nothing.
    #[error("the key cannot sign")]
    Signature,
}

impl Refused {
    fn words(&self) -> String {
        let code = self.code.as_deref();
        let said = match (code, self.words.as_str()) {
            (Some(code), "") => code.to_owned(),
            (Some(code), words) if words.contains(code) => words.to_owned(),
            (Some(code), words) => format!("{code}: {words}"),
            (None, words) => words.to_owned(),
        };
        let http = self.http;
        match said.contains(&format!("HTTP {http}")) {
            true => format!("{} says: {said}", self.host),
            false => format!("{} says: {said} (HTTP {http})", self.host),
        }
    }
}

impl TokenError {
    /// Whether the network or a fault of the server is the cause, so that a later try may succeed.
    pub(super) fn is_network(&self) -> bool {
        match self {
            TokenError::Unreachable { words, .. } => !connection_advice::is_untrusted(words),
            TokenError::Refused(refused) => refused.http >= 500 || refused.http == 429,
            _ => false,
        }
    }

    /// Whether it may pass within a second.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            // A name that nobody has, or a port on which nobody listens: this machine has no metadata server. Who has not answered
            // within the whole time limit does not answer within a second.
            TokenError::Unreachable {
                asked,
                connects,
                timed_out,
                ..
            } => {
                let is_nobody = *connects && matches!(asked, Asked::Metadata);
                self.is_network() && !is_nobody && !timed_out
            }
            other => other.is_network(),
        }
    }
}

impl AuthError {
    /// Whether there are no credentials at all, as opposed to credentials that do not work.
    pub fn nothing_found(&self) -> bool {
        matches!(self, AuthError::NothingFound { .. })
    }

    /// Whether the network is the cause, so that a later try may succeed.
    pub fn is_network(&self) -> bool {
        matches!(self, AuthError::Refresh { source, .. } if source.is_network())
    }
}

fn through(proxy: Option<&str>) -> String {
    proxy.map_or_else(String::new, |proxy| format!(", through the proxy {proxy}"))
}

fn of_type(kind: Option<&str>) -> String {
    kind.map_or_else(String::new, |kind| format!(", of type {kind:?}"))
}

fn named(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| {
        format!(": it has no {name}, or it is not a text")
    })
}

/// The sources that were tried, each with its error.
fn told(tried: &[(&str, TokenError)]) -> String {
    let each = tried.iter().map(|(who, error)| format!("{who}: {error}"));
    each.collect::<Vec<_>>().join("; ")
}
