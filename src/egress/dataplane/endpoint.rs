//! The endpoint of a cluster that a proxy connects to, or why there is none.

use super::evaluator::{Evaluator, LookupError};
use super::upstream::{Upstream, UpstreamTarget};
use crate::object::Object;
use crate::pod::Pod;
use crate::selector::Selector;
use crate::service::{Endpoint, Endpoints};

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

    fn number(&self, endpoint: &Endpoint) -> u16 {
        let own = endpoint.ports.get(&self.port.name);
        own.copied().unwrap_or_else(|| self.target(None))
    }
}
