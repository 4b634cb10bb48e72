//! Clusters: the destinations that a proxy knows, by Istio's names for them.

use std::fmt;

use serde::Serialize;

use super::object::Object;

/// How a cluster discovers its endpoints, in Envoy's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Discovery {
    /// The control plane sends them.
    Eds,
    /// The proxy resolves a name.
    StrictDns,
    /// The original destination of the connection.
    OriginalDst,
}

/// An outbound cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EnvoyCluster {
    /// The host.
    pub host: String,
    /// The service's port.
    pub port: u16,
    /// The subset; empty for the whole host.
    pub subset: String,
    /// How it discovers its endpoints.
    pub discovery: Discovery,
    /// The DestinationRule that applies to it.
    pub destination_rule: Option<Object>,
}

impl fmt::Display for EnvoyCluster {
    /// `outbound|PORT|SUBSET|HOST`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EnvoyCluster {
            host, port, subset, ..
        } = self;
        write_name(f, host, *port, subset)
    }
}

/// Writes a cluster's name; `subset` is empty for none.
pub fn write_name(f: &mut fmt::Formatter<'_>, host: &str, port: u16, subset: &str) -> fmt::Result {
    write!(f, "outbound|{port}|{subset}|{host}")
}

impl fmt::Display for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Discovery::Eds => "EDS",
            Discovery::StrictDns => "STRICT_DNS",
            Discovery::OriginalDst => "ORIGINAL_DST",
        })
    }
}
