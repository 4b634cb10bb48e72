//! The cluster at the end of a route, as a proxy knows it. Its endpoints and its TLS are in separate files.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::destination_rule::ConnectionPolicy;
use crate::envoy_cluster::write_name;
use crate::object::Object;
use crate::pod::Pod;
use crate::selector::Selector;
use crate::service::{Port, Protocol, Service, TargetPort};
use crate::sidecar_scope::SidecarScope;

/// An existing cluster, as a proxy knows it.
#[derive(Debug, Clone)]
pub struct Upstream<'s> {
    /// The host.
    pub service: &'s Service,
    /// Its port.
    pub port: &'s Port,
    /// The subset; empty for none.
    pub subset: &'s str,
    /// The labels of the subset's endpoints.
    pub labels: Option<&'s Selector>,
    /// The DestinationRule that applies to it.
    pub rule: Option<&'s Object>,
    /// All rules that are merged into it.
    pub rules: Vec<&'s Object>,
    /// The connection settings of that rule.
    pub policy: ConnectionPolicy,
    /// Whether the proxy reads the Secrets that the rule names.
    pub reads_secrets: bool,
}

/// The target of a connection to a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UpstreamTarget {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}

impl fmt::Display for UpstreamTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::net::SocketAddr::new(self.address, self.port).fmt(f)
    }
}

/// Why a cluster does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MissingCluster<'s> {
    /// The host is not visible in the proxy's namespace.
    #[error("no service of host {host} is visible in namespace {namespace}")]
    UnknownHost {
        /// The host.
        host: String,
        /// The namespace.
        namespace: String,
    },
    /// The host has no such port.
    #[error("{host} has no port {port}")]
    UnknownPort {
        /// The Service or ServiceEntry.
        service: &'s Object,
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// A subset is named, and the proxy's namespace sees no DestinationRule that could define it.
    #[error(
        "no DestinationRule for {host} is visible in namespace {namespace}, so there is no subset {subset}"
    )]
    WithoutRule {
        /// The host.
        host: String,
        /// The namespace.
        namespace: String,
        /// The subset.
        subset: &'s str,
    },
    /// The DestinationRule has no such subset.
    #[error("has no subset {subset} of {host}")]
    UnknownSubset {
        /// The DestinationRule.
        rule: &'s Object,
        /// The host.
        host: String,
        /// The subset.
        subset: &'s str,
    },
}

impl<'s> MissingCluster<'s> {
    /// The object to correct, if there is one.
    pub fn by(&self) -> Option<&'s Object> {
        match *self {
            MissingCluster::UnknownPort { service, .. } => Some(service),
            MissingCluster::UnknownSubset { rule, .. } => Some(rule),
            MissingCluster::UnknownHost { .. } | MissingCluster::WithoutRule { .. } => None,
        }
    }
}

impl fmt::Display for Upstream<'_> {
    /// The name of the cluster: `outbound|80|v1|example.com`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_name(f, &self.service.host, self.port.number, self.subset)
    }
}

impl<'s> Upstream<'s> {
    /// The cluster of a host's port and subset.
    ///
    /// # Errors
    /// Why it does not exist.
    pub fn find(
        scope: &SidecarScope<'s>,
        host: &str,
        port: u16,
        subset: &'s str,
    ) -> Result<Upstream<'s>, MissingCluster<'s>> {
        let named = || host.to_owned();
        let namespace = || scope.namespace.to_string();
        let Some(service) = scope.service(host) else {
            return Err(MissingCluster::UnknownHost {
                host: named(),
                namespace: namespace(),
            });
        };
        let Some(own) = service.port(port) else {
            return Err(MissingCluster::UnknownPort {
                service: &service.object,
                host: named(),
                port,
            });
        };
        let rules = scope.rules(host);
        let found = rules.subset(subset);
        if !subset.is_empty() && found.is_none() {
            return Err(match rules.object() {
                None => MissingCluster::WithoutRule {
                    host: named(),
                    namespace: namespace(),
                    subset,
                },
                Some(rule) => MissingCluster::UnknownSubset {
                    rule,
                    host: named(),
                    subset,
                },
            });
        }
        let (rule, policy) = rules.policy(subset, port);
        Ok(Upstream {
            service,
            port: own,
            subset,
            labels: found.map(|subset| &subset.labels),
            rule,
            policy,
            reads_secrets: scope.is_gateway() || rules.selects(),
            rules: rules.objects(),
        })
    }

    /// The connect timeout.
    pub fn patience(&self, mesh: Duration) -> Duration {
        self.policy.connect_timeout.unwrap_or(mesh)
    }

    /// The endpoint's port for the service's port; `None` if the pod has no port of that name.
    pub fn target(&self, pod: Option<&Pod>) -> Option<u16> {
        target(self.port, pod)
    }

    /// The HTTP version of requests to the cluster.
    pub fn version(&self) -> &'static str {
        match self.port.protocol {
            Protocol::Http2 => "HTTP/2",
            _ => "HTTP/1.1",
        }
    }
}

/// The number of a service's port at an endpoint; `None` if the port has a name there that the pod does not have.
pub fn target(port: &Port, pod: Option<&Pod>) -> Option<u16> {
    match &port.target {
        TargetPort::Number(number) => Some(*number),
        TargetPort::Name(name) => pod.and_then(|pod| pod.ports.get(name)).copied(),
    }
}
