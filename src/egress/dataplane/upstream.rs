//! What is at the end of a route: a cluster, one of its endpoints, and the TLS that it is reached by.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::connection::TlsWrapper;
use super::evaluator::{Evaluator, LookupError};
use crate::destination_rule::{ConnectionPolicy, Tls, TlsMode};
use crate::envoy_cluster::write_name;
use crate::object::Object;
use crate::peer::{self, Mode};
use crate::pod::{Pod, Proxy};
use crate::rbac::Peer;
use crate::selector::Selector;
use crate::service::{Endpoint, Endpoints, Port, Protocol, Service, TargetPort};
use crate::sidecar_scope::SidecarScope;

/// A cluster that is there, as a proxy knows it.
#[derive(Debug, Clone)]
pub struct Upstream<'s> {
    /// The host.
    pub service: &'s Service,
    /// Its port.
    pub port: &'s Port,
    /// The subset; empty for none.
    pub subset: &'s str,
    /// The labels of the subset's endpoints.
    labels: Option<&'s Selector>,
    /// The DestinationRule that holds for it.
    pub rule: Option<&'s Object>,
    /// What that says of connections.
    pub policy: ConnectionPolicy,
}

/// Where a connection to a cluster goes.
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

/// Why a cluster is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MissingCluster<'s> {
    /// The proxy's namespace sees no such host.
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
    /// A subset is asked for, and the proxy's namespace sees no DestinationRule that could have it.
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
    /// The object to look at, where there is one.
    pub fn by(&self) -> Option<&'s Object> {
        match *self {
            MissingCluster::UnknownPort { service, .. } => Some(service),
            MissingCluster::UnknownSubset { rule, .. } => Some(rule),
            MissingCluster::UnknownHost { .. } | MissingCluster::WithoutRule { .. } => None,
        }
    }
}

/// Why a cluster that is there has no endpoint to connect to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoEndpoint {
    /// None is listed with an address.
    #[error("no endpoint with an address is listed")]
    NoneListed,
    /// Some are listed, and none is in the subset.
    #[error("no endpoint has the labels of subset {subset}")]
    NoneInSubset {
        /// The subset.
        subset: String,
    },
    /// The name that is listed leads nowhere.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The Service selects no pod.
    #[error("no pod of namespace {} has the labels that {service} selects", .service.namespace)]
    NoPod {
        /// The Service.
        service: Object,
    },
    /// Pods are ready, and none of these is in the subset.
    #[error("no ready pod has the labels of subset {subset}")]
    NoPodInSubset {
        /// The subset.
        subset: String,
    },
    /// There are pods, and none is ready.
    #[error("none of the {count} pods that {service} selects is ready")]
    NoneReady {
        /// The Service.
        service: Object,
        /// How many it selects.
        count: usize,
    },
}

/// Why a connection has the TLS that it has, in a clause.
#[derive(Debug, Clone, Copy)]
pub enum TlsReason<'h> {
    /// So.
    Said(&'static str),
    /// In the mesh's own, as a rule says: as this pod of this trust domain.
    As(&'h Pod, &'h str),
}

impl fmt::Display for TlsReason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsReason::Said(clause) => f.write_str(clause),
            TlsReason::As(pod, domain) => {
                write!(f, "in mutual TLS of the mesh, as {}", pod.identity(domain))
            }
        }
    }
}

impl fmt::Display for Upstream<'_> {
    /// Its name: `outbound|80|v1|example.com`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_name(f, &self.service.host, self.port.number, self.subset)
    }
}

impl<'s> Upstream<'s> {
    /// The cluster of a host's port and subset.
    ///
    /// # Errors
    /// Why it is not there.
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
        })
    }

    /// How long connecting may take.
    pub fn patience(&self, mesh: Duration) -> Duration {
        self.policy.connect_timeout.unwrap_or(mesh)
    }

    /// The version of HTTP that it is asked in.
    pub fn version(&self) -> &'static str {
        match self.port.protocol {
            Protocol::Http2 => "HTTP/2",
            _ => "HTTP/1.1",
        }
    }

    /// One of its endpoints, always the same.
    ///
    /// # Errors
    /// Why there is none.
    pub fn place(
        &self,
        evaluator: &Evaluator<'s>,
        of: &Pod,
        original: UpstreamTarget,
    ) -> Result<UpstreamTarget, NoEndpoint> {
        match &self.service.endpoints {
            Endpoints::OriginalDestination => Ok(original),
            _ if self.service.headless => Ok(original),
            Endpoints::Pods(selector) => self.pod(evaluator, selector),
            Endpoints::Listed(listed) => {
                let found = self
                    .meant(listed)
                    .find_map(|each| Some((each, each.address.parse().ok()?)));
                let (endpoint, address) = found.ok_or(NoEndpoint::NoneListed)?;
                Ok(UpstreamTarget {
                    address,
                    port: self.number(endpoint),
                })
            }
            Endpoints::Dns(listed) => {
                let (name, port) = match self.meant(listed).next() {
                    Some(endpoint) => (endpoint.address.as_str(), self.number(endpoint)),
                    None if listed.is_empty() => (self.service.host.as_str(), self.target(None)),
                    None => {
                        return Err(NoEndpoint::NoneInSubset {
                            subset: self.subset.to_owned(),
                        });
                    }
                };
                let address = evaluator.look_up(of, name)?;
                Ok(UpstreamTarget { address, port })
            }
        }
    }

    /// The listed endpoints that the subset means.
    fn meant<'a>(&'a self, listed: &'a [Endpoint]) -> impl Iterator<Item = &'a Endpoint> {
        let meant = |each: &&Endpoint| {
            self.labels
                .is_none_or(|labels| labels.matches(&each.labels))
        };
        listed.iter().filter(meant)
    }

    fn pod(
        &self,
        evaluator: &Evaluator,
        selector: &Selector,
    ) -> Result<UpstreamTarget, NoEndpoint> {
        let own = &self.service.object.namespace;
        let selected = || {
            let pods = evaluator.snapshot.pods_of(own);
            pods.filter(|pod| selector.matches(&pod.labels))
        };
        let in_subset = |pod: &&Pod| self.labels.is_none_or(|labels| labels.matches(&pod.labels));
        let mut ready = selected().filter(|pod| pod.ready).filter(in_subset);
        let found = ready.find_map(|pod| {
            Some(UpstreamTarget {
                address: pod.address?,
                port: self.target(Some(pod)),
            })
        });
        found.ok_or_else(|| match selected().count() {
            0 => NoEndpoint::NoPod {
                service: self.service.object.clone(),
            },
            _ if selected().any(|pod| pod.ready) => NoEndpoint::NoPodInSubset {
                subset: self.subset.to_owned(),
            },
            count => NoEndpoint::NoneReady {
                service: self.service.object.clone(),
                count,
            },
        })
    }

    /// The port that endpoints have for the service's.
    fn target(&self, pod: Option<&Pod>) -> u16 {
        target(self.port, pod)
    }

    fn number(&self, endpoint: &Endpoint) -> u16 {
        let own = endpoint.ports.get(&self.port.name);
        own.copied().unwrap_or_else(|| self.target(None))
    }

    /// The TLS that the proxy of `from` puts around what it sends to `to`, who of the cluster's pods that is if any, and why.
    ///
    /// `authority` is that of the request; empty where there is none.
    pub fn wrap<'h>(
        &self,
        evaluator: &'h Evaluator,
        from: &'h Pod,
        to: Option<&Pod>,
        authority: &str,
    ) -> (Option<TlsWrapper>, TlsReason<'h>) {
        let mesh = &evaluator.snapshot.mesh;
        let default_name = || {
            let (port, subset, host) = (self.port.number, self.subset, &self.service.host);
            format!(
                "outbound_.{port}_.{}_.{host}",
                if subset.is_empty() { "_" } else { subset }
            )
        };
        let identity = || Peer {
            trust_domain: mesh.trust_domain.clone(),
            namespace: from.namespace().to_owned(),
            service_account: from.service_account.clone(),
        };
        let named = |tls: &Tls, otherwise: String| match tls.sni.as_str() {
            "" => otherwise,
            name => name.to_owned(),
        };
        match &self.policy.tls {
            Some(tls) => match tls.mode {
                TlsMode::Disable => (None, TlsReason::Said("in plaintext, as the rule says")),
                TlsMode::IstioMutual => {
                    let wrap = TlsWrapper {
                        server_name: named(tls, default_name()),
                        identity: Some(identity()),
                        wants: None,
                    };
                    (Some(wrap), TlsReason::As(from, &mesh.trust_domain))
                }
                TlsMode::Simple | TlsMode::Mutual => {
                    let asked = match mesh.verifies_servers() {
                        true => authority.split(':').next().unwrap_or_default().to_owned(),
                        false => String::new(),
                    };
                    let server_name = named(tls, asked);
                    let verifies = !tls.insecure && (tls.authorities || mesh.verifies_servers());
                    let wants = (verifies && !server_name.is_empty()).then(|| server_name.clone());
                    let how = match verifies {
                        true => "in TLS; the server's certificate is verified",
                        false => "in TLS; the server's certificate is not verified",
                    };
                    (
                        Some(TlsWrapper {
                            server_name,
                            identity: None,
                            wants,
                        }),
                        TlsReason::Said(how),
                    )
                }
            },
            None => {
                let sidecar = to.filter(|to| to.proxy == Proxy::Sidecar && self.service.kubernetes);
                let takes = sidecar.is_some_and(|to| {
                    let port = self.target(Some(to));
                    let all = &evaluator.snapshot.authentication;
                    peer::mode(all, to.namespace(), &to.labels, port, &mesh.root_namespace).mode
                        != Mode::Disable
                });
                match takes {
                    true => {
                        let wrap = TlsWrapper {
                            server_name: default_name(),
                            identity: Some(identity()),
                            wants: None,
                        };
                        (
                            Some(wrap),
                            TlsReason::Said("in mutual TLS, because both ends have a sidecar"),
                        )
                    }
                    false => (
                        None,
                        TlsReason::Said("in plaintext, because no rule says otherwise"),
                    ),
                }
            }
        }
    }
}

/// The number of a service's port at an endpoint.
pub fn target(port: &Port, pod: Option<&Pod>) -> u16 {
    match &port.target {
        TargetPort::Number(number) => *number,
        TargetPort::Name(name) => {
            let named = pod.and_then(|pod| pod.ports.get(name));
            named.copied().unwrap_or(port.number)
        }
    }
}
