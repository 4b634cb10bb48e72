//! Finds mistakes and improvements in a mesh's configuration, without sending a request.
//!
//! Codes `IST....` are those of `istioctl analyze`, with its levels and our own messages: the subset that matters for traffic
//! that leaves the mesh ([`Code`]). EnvoyFilter, external control planes, images of proxies and multi-cluster are not analyzed.
//! Where versions of istioctl differ, the one of the laboratory counts (1.31-dev), also where it compares less than Istio does:
//! the doc comments of the analyzers say so. Codes `EGR....` are what istioctl does not report: not a mistake, but not what a
//! reader would expect of controlled egress. The annotation `galley.istio.io/analyze-suppress` of an object suppresses codes, as for
//! istioctl.
//!
//! What of a configuration depends on the control plane is analyzed only for the one that is asked for ([`ControlPlane`]).
//!
//! The input is the whole configuration, as istioctl loads it; a namespace only filters the findings.

mod annotations;
mod bypass;
#[cfg(test)]
mod bypass_tests;
mod code;
mod conditions;
mod config;
mod conflicts;
mod credentials;
mod host_table;
mod injection;
#[cfg(test)]
mod laws;
mod leaks;
mod ports;
#[cfg(test)]
mod recorded_tests;
mod references;
mod rules;
#[cfg(test)]
mod tests;
mod traffic_director;
mod unreachable;
mod warnings;
mod workload;
mod workloads;

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};
use serde_json::Value;

use crate::object::Object;
use crate::snapshot_input::SnapshotInput;
pub use code::Code;
use config::{Config, Network};

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// It does not work.
    Error,
    /// It probably does not do what was intended.
    Warning,
    /// It is not known whether it works.
    Unknown,
    /// Worth knowing.
    Info,
    /// It works as written, and lets through or blocks more than it seems to.
    Note,
}

impl Level {
    /// The word for it, as in the JSON of a finding.
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Unknown => "unknown",
            Level::Info => "info",
            Level::Note => "note",
        }
    }
}

/// The control plane that a configuration is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ControlPlane {
    /// istiod, which implements all of Istio's objects.
    #[default]
    Istiod,
    /// Traffic Director, the implementation of Google's managed control plane in new fleets.
    TrafficDirector,
}

/// A finding about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The code, which determines the level.
    pub code: Code,
    /// The object.
    pub object: Object,
    /// The problem.
    pub message: String,
    /// What to write instead.
    pub instead: String,
}

/// Every analyzer: each answers one question about the whole configuration.
const ANALYZERS: &[fn(&Config<'_>) -> Vec<Finding>] = &[
    references::gateways,
    references::destinations,
    references::namespaces,
    references::hosts_of_rules,
    references::subsets,
    workloads::gateways,
    workloads::own_pods,
    workloads::ambient_sidecars,
    workloads::policies,
    workloads::selectors_of_gateways,
    workloads::key_servers,
    credentials::secrets,
    annotations::all,
    conditions::all,
    warnings::all,
    injection::namespaces,
    injection::pods,
    injection::images,
    injection::users,
    conflicts::virtual_services,
    conflicts::sidecars,
    conflicts::telemetry,
    conflicts::gateways,
    conflicts::protocols,
    ports::gateways,
    ports::services,
    ports::entries,
    rules::hosts,
    unreachable::rules,
    rules::authorities,
    leaks::passthrough,
    leaks::client_certificates,
    leaks::verification,
    leaks::ingress,
    bypass::gateways,
    bypass::pods,
];

/// The analyzers that a configuration for Traffic Director has in addition.
const OF_TRAFFIC_DIRECTOR: &[fn(&Config<'_>) -> Vec<Finding>] =
    &[traffic_director::fields, traffic_director::subsets];

impl Finding {
    fn new(
        code: Code,
        object: &Object,
        message: impl Into<String>,
        instead: impl Into<String>,
    ) -> Finding {
        Finding {
            code,
            object: object.clone(),
            message: message.into(),
            instead: instead.into(),
        }
    }
}

/// Serialized with its level, for a reader that does not know the codes.
impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Finding", 5)?;
        fields.serialize_field("code", &self.code)?;
        fields.serialize_field("level", &self.code.level())?;
        fields.serialize_field("object", &self.object)?;
        fields.serialize_field("message", &self.message)?;
        fields.serialize_field("instead", &self.instead)?;
        fields.end()
    }
}

/// The findings for these objects under istiod, as [`analyze_for`] returns them.
pub fn analyze(objects: &[Value], namespace: Option<&str>) -> Vec<Finding> {
    analyze_for(ControlPlane::Istiod, objects, namespace)
}

/// The findings for these objects, which must be those of all kinds and namespaces, under a control plane; restricted to one
/// namespace (including the Namespace itself), or all. The most severe come first. Of the VPC nothing is known, so nothing is
/// said about what its firewall would stop.
pub fn analyze_for(
    control_plane: ControlPlane,
    objects: &[Value],
    namespace: Option<&str>,
) -> Vec<Finding> {
    findings(control_plane, &Config::read(objects, None), namespace)
}

/// The findings for everything that decides about requests, as [`analyze_for`] returns them, and those for which the VPC's firewall
/// counts.
pub fn analyze_input(
    control_plane: ControlPlane,
    input: &SnapshotInput,
    namespace: Option<&str>,
) -> Vec<Finding> {
    let network = Network {
        firewalls: &input.firewalls,
        pools: &input.pools,
        outside_vpc: input.outside_vpc,
    };
    let config = Config::read(&input.kubernetes, Some(network));
    findings(control_plane, &config, namespace)
}

fn findings(
    control_plane: ControlPlane,
    config: &Config<'_>,
    namespace: Option<&str>,
) -> Vec<Finding> {
    let more = match control_plane {
        ControlPlane::Istiod => &[],
        ControlPlane::TrafficDirector => OF_TRAFFIC_DIRECTOR,
    };
    let mut found: Vec<Finding> = ANALYZERS
        .iter()
        .chain(more)
        .flat_map(|analyzer| analyzer(config))
        .collect();
    let own = |finding: &Finding| {
        let object = &finding.object;
        namespace.is_none_or(|namespace| {
            object.namespace == namespace || object.kind == "Namespace" && object.name == namespace
        })
    };
    found.retain(|finding| own(finding) && !config.suppresses(&finding.object, finding.code));
    found.sort_by(|a, b| {
        let [a, b] = [a, b].map(|each| (each.code.level(), each.code, &each.object, &each.message));
        a.cmp(&b)
    });
    found.dedup();
    found
}
