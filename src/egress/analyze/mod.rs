//! What is wrong with a mesh's configuration, or better said otherwise, without sending a request.
//!
//! Codes `IST....` are those of `istioctl analyze`, with its levels and in our words: the subset that matters to traffic that
//! leaves the mesh ([`CODES`]). Validation by schema, annotations, certificates, Telemetry and multi-cluster are not looked at.
//! Where versions of istioctl differ the later one counts: ports of a Gateway are compared with the ports of Services, as since
//! 1.21.6, and not with their target ports. Codes `EGR....` are what istioctl does not see: no mistake, but not what a reader
//! would expect of a controlled way out.
//!
//! The whole configuration is given, as istioctl loads it; a namespace only says whose findings are wanted.

mod config;
mod conflicts;
mod injection;
mod leaks;
mod ports;
mod references;
mod rules;
#[cfg(test)]
mod tests;
mod workloads;

use serde::Serialize;
use serde_json::Value;

use crate::object::Object;
use config::Config;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// It does not work.
    Error,
    /// It hardly does what was meant.
    Warning,
    /// Worth knowing.
    Info,
    /// It works as it says, and lets through or shuts out more than it seems to.
    Note,
}

/// What was found of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The code: `IST0101`, `EGR0001`.
    pub code: String,
    /// How bad it is.
    pub level: Level,
    /// Whose.
    pub object: Object,
    /// What is so.
    pub message: String,
    /// What to write instead.
    pub instead: String,
}

/// A kind of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// The code.
    pub code: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What it is about.
    pub about: &'static str,
}

const fn code(code: &'static str, level: Level, about: &'static str) -> Code {
    Code { code, level, about }
}

/// Every code that is looked for.
pub const CODES: &[Code] = &[
    code(
        "IST0101",
        Level::Error,
        "something is referred to that is not there",
    ),
    code(
        "IST0102",
        Level::Info,
        "a namespace whose pods get no proxy",
    ),
    code(
        "IST0103",
        Level::Warning,
        "a pod without the proxy that its namespace asks for",
    ),
    code("IST0109", Level::Error, "two VirtualServices for one host"),
    code("IST0110", Level::Error, "two Sidecars for one pod"),
    code("IST0111", Level::Error, "two Sidecars for one namespace"),
    code(
        "IST0112",
        Level::Error,
        "a destination without the port that it needs",
    ),
    code(
        "IST0118",
        Level::Info,
        "a port that does not say what it speaks",
    ),
    code("IST0123", Level::Warning, "two labels that ask for proxies"),
    code(
        "IST0127",
        Level::Warning,
        "a policy for workloads that are not there",
    ),
    code(
        "IST0128",
        Level::Warning,
        "TLS without authorities to verify by",
    ),
    code(
        "IST0129",
        Level::Warning,
        "TLS on a port without authorities to verify by",
    ),
    code("IST0130", Level::Warning, "a rule that no request reaches"),
    code("IST0131", Level::Info, "a match that an earlier rule has"),
    code(
        "IST0132",
        Level::Warning,
        "a host that the Gateway does not serve",
    ),
    code(
        "IST0134",
        Level::Warning,
        "bytes that are told apart by nothing",
    ),
    code(
        "IST0145",
        Level::Error,
        "two Gateways for one port and host",
    ),
    code(
        "IST0162",
        Level::Warning,
        "a Gateway's port that no Service has",
    ),
    code("IST0173", Level::Error, "a subset without pods"),
    code(
        "IST0174",
        Level::Warning,
        "a DestinationRule for no service",
    ),
    code(
        "EGR0001",
        Level::Note,
        "HTTPS that passes through for every caller",
    ),
    code(
        "EGR0002",
        Level::Note,
        "client certificates that are told to the outside",
    ),
    code(
        "EGR0003",
        Level::Note,
        "TLS to the outside that verifies nobody",
    ),
    code(
        "EGR0004",
        Level::Note,
        "a policy that isolates the way in as well",
    ),
];

/// Every analyzer: one question, of the whole configuration.
const ANALYZERS: &[fn(&Config<'_>) -> Vec<Finding>] = &[
    references::gateways,
    references::destinations,
    references::namespaces,
    references::hosts_of_rules,
    references::subsets,
    workloads::gateways,
    workloads::sidecars,
    workloads::policies,
    injection::namespaces,
    injection::pods,
    conflicts::virtual_services,
    conflicts::sidecars,
    conflicts::gateways,
    ports::gateways,
    ports::services,
    ports::entries,
    rules::hosts,
    rules::reached,
    rules::authorities,
    leaks::passthrough,
    leaks::client_certificates,
    leaks::verification,
    leaks::ingress,
];

impl Finding {
    fn new(
        code: &str,
        object: &Object,
        message: impl Into<String>,
        instead: impl Into<String>,
    ) -> Finding {
        let known = CODES.iter().find(|known| known.code == code);
        Finding {
            code: code.to_owned(),
            level: known.map_or(Level::Note, |known| known.level),
            object: object.clone(),
            message: message.into(),
            instead: instead.into(),
        }
    }
}

/// What is found of these objects, those of all kinds and namespaces; told of one namespace (the Namespace itself included),
/// or of all. The worst first.
pub fn analyze(objects: &[Value], namespace: Option<&str>) -> Vec<Finding> {
    let config = Config::read(objects);
    let mut found: Vec<Finding> = ANALYZERS
        .iter()
        .flat_map(|analyzer| analyzer(&config))
        .collect();
    let own = |finding: &Finding| {
        let object = &finding.object;
        namespace.is_none_or(|namespace| {
            object.namespace == namespace || object.kind == "Namespace" && object.name == namespace
        })
    };
    found.retain(own);
    found.sort_by(|a, b| {
        (a.level, &a.code, &a.object, &a.message).cmp(&(b.level, &b.code, &b.object, &b.message))
    });
    found.dedup();
    found
}
