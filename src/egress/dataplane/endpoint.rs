//! The endpoint of a cluster that a proxy connects to, or why there is none.

use super::evaluator::{Evaluator, LookupError};
use super::upstream::{Upstream, UpstreamTarget};
use crate::object::Object;
use crate::pod::Pod;
use crate::selector::Selector;
use crate::service::{Endpoint, Endpoints, TargetPort};

/// Why an existing cluster has no endpoint to connect to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoEndpoint {
    /// No endpoint is listed with an address.
    #[error("no endpoint with an address is listed")]
    NoneListed,
    /// There are listed endpoints, but none is in the subset.
    #[error("no endpoint has the labels of subset {subset}")]
    NoneInSubset {
        /// The subset.
        subset: String,
    },
    /// The listed name does not resolve.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The Service selects no pod.
    #[error("no pod of namespace {} has the labels that {service} selects", .service.namespace)]
    NoPod {
        /// The Service.
        service: Object,
    },
    /// There are ready pods, but none of them is in the subset.
    #[error("no ready pod has the labels of subset {subset}")]
    NoPodInSubset {
        /// The subset.
        subset: String,
    },
    /// No container of the pods has a port of the name that the Service's `targetPort` states.
    #[error(
        "no container of its pods has a port of the name that {service} states as targetPort of port {port}"
    )]
    NoPortOfName {
        /// The Service.
        service: Object,
        /// The Service's port.
        port: u16,
    },
    /// The Service is limited to the caller's node, and no pod runs there.
    #[error("internalTrafficPolicy is Local, and no pod of the Service runs on the caller's node")]
    NoneOnNode,
    /// There are pods, but none is ready.
    #[error("none of the {count} pods that {service} selects is ready")]
    NoneReady {
        /// The Service.
        service: Object,
        /// The number of pods that it selects.
        count: usize,
    },
}

impl<'s> Upstream<'s> {
    /// One of the cluster's endpoints, always the same.
    ///
    /// # Errors
    /// Why there is none.
    pub fn place(
        &self,
        evaluator: &Evaluator<'s>,
        of: &Pod,
        original: UpstreamTarget,
    ) -> Result<UpstreamTarget, NoEndpoint> {
        match self.service.endpoints_of(self.port) {
            Endpoints::OriginalDestination => Ok(UpstreamTarget {
                // A ServiceEntry may name another port (`upstream_port_override`).
                port: match &self.port.target {
                    TargetPort::Number(number) if *number != self.port.number => *number,
                    _ => original.port,
                },
                ..original
            }),
            _ if self.service.headless => Ok(original),
            Endpoints::Pods(selector) => self.pod(evaluator, of, selector),
            Endpoints::Listed(listed) => {
                let found = self.meant(listed).find_map(|each| {
                    Some(UpstreamTarget {
                        address: each.address.parse().ok()?,
                        port: self.number(each)?,
                    })
                });
                found.ok_or(NoEndpoint::NoneListed)
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
                let port = port.unwrap_or(self.port.number);
                Ok(UpstreamTarget { address, port })
            }
        }
    }

    /// The listed endpoints that belong to the subset.
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
        of: &Pod,
        selector: &Selector,
    ) -> Result<UpstreamTarget, NoEndpoint> {
        let own = &self.service.object.namespace;
        let selected = || {
            let pods = evaluator.snapshot.pods_of(own);
            pods.filter(|pod| selector.matches(&pod.labels))
        };
        let in_subset = |pod: &&Pod| self.labels.is_none_or(|labels| labels.matches(&pod.labels));
        let ready = |pod: &&Pod| pod.ready || self.service.not_ready;
        let near = |pod: &&Pod| self.service.serves_on_node(of, pod);
        let mut meant = selected().filter(ready).filter(near).filter(in_subset);
        let found = meant.find_map(|pod| {
            Some(UpstreamTarget {
                address: pod.address?,
                port: self.target(Some(pod))?,
            })
        });
        found.ok_or_else(|| match selected().count() {
            0 => NoEndpoint::NoPod {
                service: self.service.object.clone(),
            },
            _ if selected().any(|pod| ready(&pod) && self.target(Some(pod)).is_none()) => {
                NoEndpoint::NoPortOfName {
                    service: self.service.object.clone(),
                    port: self.port.number,
                }
            }
            _ if selected().any(|pod| ready(&pod)) && !selected().any(|pod| near(&pod)) => {
                NoEndpoint::NoneOnNode
            }
            _ if selected().any(|pod| ready(&pod)) => NoEndpoint::NoPodInSubset {
                subset: self.subset.to_owned(),
            },
            count => NoEndpoint::NoneReady {
                service: self.service.object.clone(),
                count,
            },
        })
    }

    fn number(&self, endpoint: &Endpoint) -> Option<u16> {
        let own = endpoint.ports.get(&self.port.name);
        match self.service.kubernetes {
            true => own.copied(),
            false => own.copied().or_else(|| self.target(None)),
        }
    }
}
