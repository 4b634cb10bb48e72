//! How secrets and identities are recognized: by the name of a field, or by the form of a text. Tables.

use std::sync::LazyLock;

use regex_lite::Regex;

/// Fields whose value is a secret, or a certificate that names its owner. Lower case.
pub(super) const SECRET_FIELDS: &[&str] = &[
    "access_token",
    "accesstoken",
    "apikey",
    "api_key",
    "authorization",
    "bootstraptoken",
    "cabundle",
    "client_secret",
    "clientcertificate",
    "clientkey",
    "clientsecret",
    "clustercacertificate",
    "id_token",
    "idtoken",
    "oauth2clientid",
    "password",
    "private_key",
    "privatekey",
    "privatekeydata",
    "publickeydata",
    "refresh_token",
    "refreshtoken",
    "secret",
    "sharedsecret",
    "signedblob",
    "signedjwt",
    "sshkeys",
    "token",
    "uniqueid",
];

/// Words in the name of an environment variable whose value is a secret.
pub(super) const SECRET_WORDS: &[&str] =
    &["password", "passwd", "secret", "token", "key", "credential"];

/// Fields whose value changes with each write and must be sent as it was read.
pub(super) const ETAGS: &[&str] = &["etag", "fingerprint", "labelFingerprint"];

/// A shorter prefix is nobody's identity.
pub(super) const SHORTEST_PREFIX: u8 = 16;

/// Public ranges that Google documents, or that belong to nobody: they are facts and stay.
pub(super) const KNOWN_RANGES: &[&str] = &[
    "0.0.0.0/8",
    "8.8.4.0/24",
    "8.8.8.0/24",
    "10.0.0.0/8",
    "34.126.0.0/18",
    "35.191.0.0/16",
    "35.199.192.0/19",
    "35.235.240.0/20",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "130.211.0.0/22",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "199.36.153.0/24",
    "203.0.113.0/24",
    "209.85.152.0/22",
    "209.85.204.0/22",
    "224.0.0.0/3",
    "::/127",
    "2001:db8::/32",
    "fc00::/7",
    "fe80::/10",
];

/// Projects of Google's, and the beginning of their names: images of nodes, and accounts of its services.
pub(super) const GOOGLES_PROJECTS: &[&str] = &[
    "compute-system",
    "container-engine-robot",
    "cos-cloud",
    "gcp-sa-",
    "gke-node-images",
    "ubuntu-os-",
    "windows-cloud",
];

/// One form of text that is replaced; the first group is what is replaced, and the rest of the match stays.
pub(super) struct Pattern {
    pub regex: Regex,
    pub becomes: Becomes,
}

/// What a pattern's text becomes.
#[derive(Clone, Copy)]
pub(super) enum Becomes {
    Secret,
    Email,
    Project,
    Number,
    Billing,
    Uuid,
    Operation,
    Address,
}

/// A text from outside for people, without what has the form of a secret.
pub fn without_secrets(text: &str) -> String {
    let secrets = PATTERNS
        .iter()
        .filter(|pattern| matches!(pattern.becomes, Becomes::Secret));
    secrets.fold(text.to_owned(), |text, pattern| {
        let mut rest = text.as_str();
        let mut hidden = String::new();
        while let Some(secret) = pattern.regex.captures(rest).and_then(|found| found.get(1)) {
            hidden += &rest[..secret.start()];
            hidden += "(a secret)";
            rest = &rest[secret.end()..];
        }
        hidden + rest
    })
}

/// The forms, in the order in which they are looked for.
pub(super) static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let row = |text: &str, becomes| {
        Some(Pattern {
            regex: Regex::new(text).ok()?,
            becomes,
        })
    };
    [
        row(
            r"(?s)(-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|$))",
            Becomes::Secret,
        ),
        row(
            r"(eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*)",
            Becomes::Secret,
        ),
        // A PEM block in base64.
        row(r"(\bLS0tLS1CRUdJTi[A-Za-z0-9+/=]*)", Becomes::Secret),
        row(r"(\bya29\.[A-Za-z0-9._-]+)", Becomes::Secret),
        row(r"(\bAIza[A-Za-z0-9_-]{35})", Becomes::Secret),
        row(r"(\bGOCSPX-[A-Za-z0-9_-]+)", Becomes::Secret),
        // A refresh token, as it is and as it is in a form.
        row(r"(\b1(?://|%2F%2F)[A-Za-z0-9_-]{8,})", Becomes::Secret),
        // A field of a form in which somebody repeats a request for a token.
        row(
            r#"(?i)\b(?:refresh_token|client_secret|assertion|subject_token|access_token|id_token|private_key)=([^&\s"'<>(\\]+)"#,
            Becomes::Secret,
        ),
        row(r"(?i)\bbasic\s+([A-Za-z0-9+/=]{20,})", Becomes::Secret),
        row(r"(?i)\bbearer\s+([A-Za-z0-9._~+/=-]{8,})", Becomes::Secret),
        row(
            r"([A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,})",
            Becomes::Email,
        ),
        row(
            r"\b([0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6})\b",
            Becomes::Billing,
        ),
        row(
            r"\b([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b",
            Becomes::Uuid,
        ),
        row(r"\boperations/([A-Za-z0-9._-]+)", Becomes::Operation),
        row(r"(\boperation-[0-9a-z-]{8,})", Becomes::Operation),
        row(
            r"\b(?:projects?|folders?|organizations?|project_number)[/:= #]+([0-9]{6,})\b",
            Becomes::Number,
        ),
        row(r"\b(?:service-)?([0-9]{6,})(?:-compute)?@", Becomes::Number),
        row(
            r"\bprojects[/=]([a-z][a-z0-9-]{4,28}[a-z0-9])\b",
            Becomes::Project,
        ),
        row(
            r"@([a-z][a-z0-9-]{4,28}[a-z0-9])\.iam\.gserviceaccount\.com\b",
            Becomes::Project,
        ),
        row(
            r"\b([a-z][a-z0-9-]{4,28}[a-z0-9])\.svc\.id\.goog\b",
            Becomes::Project,
        ),
        row(
            r"(\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?:/[0-9]{1,2})?\b)",
            Becomes::Address,
        ),
        row(
            r"((?:\b[0-9A-Fa-f]{1,4}:){2,7}(?::?[0-9A-Fa-f]{1,4}){0,7}(?:::)?)",
            Becomes::Address,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
});
