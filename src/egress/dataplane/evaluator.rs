//! What is derived from a snapshot once and used for many requests.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Display;
use std::net::IpAddr;
use std::rc::Rc;

use super::decision::Decides;
use super::proxy_state::{ProxyState, ProxyStates};
use super::upstream::UpstreamTarget;
use crate::dns::{self, METADATA_SERVER, Resolution};
use crate::firewall::{self, Direction, Machine};
use crate::host::service as service_named;
use crate::network_policy::{self, OtherEnd, PodEnd};
use crate::object::Object;
use crate::pod::Pod;
use crate::service::{Endpoints, Service};
use crate::snapshot::Snapshot;
use crate::trace::{self, Decision, Hop};

/// The input of a firewall decision: the direction, the node pool of the pod concerned, the address and the node pool of the
/// other end (`None` if it is not a pod), protocol and port.
type Packet = (
    Direction,
    Option<usize>,
    IpAddr,
    Option<Option<usize>>,
    &'static str,
    u16,
);

/// A snapshot with the state derived from it.
#[derive(Debug)]
pub struct Evaluator<'s> {
    /// The snapshot.
    pub snapshot: &'s Snapshot,
    /// Whether a reader needs the details: hops that pass, the reasons of those that do not, log lines, everything in a
    /// proxy's local reply except its status, and what is not covered.
    pub tells: bool,
    sights: ProxyStates<'s>,
    /// The pod that serves the cluster's DNS.
    dns_server: Pod,
    /// Whether a pod reaches it.
    dns: RefCell<HashMap<Object, Rc<[Decision; 2]>>>,
    /// The results of names that have the same meaning for every pod.
    names: RefCell<HashMap<String, Rc<Resolution>>>,
    /// The hops of a pod's packets on their way to a target.
    between: RefCell<HashMap<Object, HashMap<UpstreamTarget, Rc<[Hop]>>>>,
    firewall: RefCell<HashMap<Packet, Rc<Decision>>>,
}

/// Why a proxy has no address for a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// Its queries do not reach the cluster's DNS.
    #[error("its proxy cannot look {name} up: {because}")]
    Blocked {
        /// The name.
        name: String,
        /// The decision that blocks them, in a clause.
        because: String,
    },
    /// DNS has no address for it.
    #[error("its proxy finds no address: {because}")]
    NoAddress {
        /// The reason, in a clause.
        because: String,
    },
}

impl<'s> Evaluator<'s> {
    /// Creates the state of a snapshot; `tells` is whether a reader needs more than the caller's result and the object that
    /// stopped it.
    pub fn new(snapshot: &'s Snapshot, tells: bool) -> Evaluator<'s> {
        Evaluator {
            snapshot,
            tells,
            sights: ProxyStates::default(),
            dns_server: snapshot.dns_server(),
            dns: RefCell::default(),
            names: RefCell::default(),
            between: RefCell::default(),
            firewall: RefCell::default(),
        }
    }

    /// A hop, as far as its details are needed. Without details, a hop that stops the request has only its object, and a hop
    /// that passes is omitted.
    pub fn hop(
        &self,
        place: trace::HopLocation,
        name: impl Display,
        decided: impl Decides,
    ) -> Option<Hop> {
        match (self.tells, decided.passes()) {
            (true, _) => Some(Hop {
                place,
                name: name.to_string(),
                ruling: decided.told(),
            }),
            (false, true) => None,
            (false, false) => Some(Hop {
                place,
                name: String::new(),
                ruling: Decision {
                    passes: false,
                    by: decided.by().cloned(),
                    because: String::new(),
                    others: Vec::new(),
                    together: decided.together(),
                },
            }),
        }
    }

    /// The state of a pod's proxy.
    pub fn proxy_state(&self, pod: &Pod) -> Rc<ProxyState<'s>> {
        self.sights.of(self.snapshot, pod)
    }

    /// Discards the state of a pod that sends no more requests, so that memory does not grow with callers times hosts.
    pub fn forget(&self, pod: &Pod) {
        self.sights.forget(pod);
        self.dns.borrow_mut().remove(&pod.object);
        self.between.borrow_mut().remove(&pod.object);
    }

    /// The hops of a pod's packets on their way to a target; `make` computes them on the first call.
    pub fn between(
        &self,
        from: &Pod,
        to: UpstreamTarget,
        make: impl FnOnce() -> Vec<Hop>,
    ) -> Rc<[Hop]> {
        let mut all = self.between.borrow_mut();
        let own = match all.get_mut(&from.object) {
            Some(own) => own,
            None => all.entry(from.object.clone()).or_default(),
        };
        Rc::clone(own.entry(to).or_insert_with(|| make().into()))
    }

    /// The pod with an address.
    pub fn pod_at(&self, address: IpAddr) -> Option<&'s Pod> {
        self.snapshot.pod_at(address)
    }

    /// The Kubernetes Service that a name means for a pod.
    pub fn service_by_name(&self, of: &Pod, name: &str) -> Option<&'s Service> {
        let (service, namespace) = service_named(name, of.namespace())?;
        let host = crate::host::full_name(&service, &namespace);
        let mut all = self.snapshot.services_of(&host);
        all.find(|service| service.kubernetes)
    }

    /// Resolves a name for a pod, with the object that decides.
    pub fn resolve(&self, of: &Pod, name: &str) -> Rc<Resolution> {
        // A name with a single label is first a Service in the pod's own namespace.
        if !name.trim_end_matches('.').contains('.') {
            return Rc::new(self.look(of, name));
        }
        if let Some(known) = self.names.borrow().get(name) {
            return Rc::clone(known);
        }
        let found = Rc::new(self.look(of, name));
        let mut all = self.names.borrow_mut();
        Rc::clone(all.entry(name.to_owned()).or_insert(found))
    }

    fn look(&self, of: &Pod, name: &str) -> Resolution {
        if let Some(service) = self.service_by_name(of, name) {
            let own: Vec<IpAddr> = service.addresses.iter().map(ipnet::IpNet::addr).collect();
            let found = match &own[..] {
                [] => self.addresses_of(service),
                _ => own,
            };
            let because = match found.is_empty() {
                true => format!("{name} is a service without addresses"),
                false => format!("{name} is a service of the cluster"),
            };
            let ruling = Decision {
                passes: !found.is_empty(),
                by: Some(service.object.clone()),
                because,
                others: Vec::new(),
                together: None,
            };
            return Resolution {
                addresses: found,
                ruling,
            };
        }
        match self.snapshot.outside_vpc {
            true => dns::resolve_elsewhere(name),
            false => dns::resolve(&self.snapshot.zones, name),
        }
    }

    /// The addresses of the pods of a headless service.
    fn addresses_of(&self, service: &Service) -> Vec<IpAddr> {
        let selector = match &service.endpoints {
            Endpoints::Pods(selector) => selector,
            _ => return Vec::new(),
        };
        let pods = self
            .snapshot
            .pods_of(&service.object.namespace)
            .filter(|pod| pod.ready);
        pods.filter(|pod| selector.matches(&pod.labels))
            .filter_map(|pod| pod.address)
            .collect()
    }

    /// Resolves a name for a proxy.
    ///
    /// # Errors
    /// Why there is no address.
    pub fn look_up(&self, of: &Pod, name: &str) -> Result<IpAddr, LookupError> {
        if let Ok(address) = name.parse() {
            return Ok(address);
        }
        if let Some(refused) = self.asks_dns(of).iter().find(|ruling| !ruling.passes) {
            return Err(LookupError::Blocked {
                name: name.to_owned(),
                because: refused.because.clone(),
            });
        }
        let found = self.resolve(of, name);
        let first = found.addresses.first().copied();
        first.ok_or_else(|| LookupError::NoAddress {
            because: found.ruling.because.clone(),
        })
    }

    /// Whether a pod reaches the cluster's DNS: its NetworkPolicies, then the firewall.
    pub fn asks_dns(&self, of: &Pod) -> Rc<[Decision; 2]> {
        if let Some(known) = self.dns.borrow().get(&of.object) {
            return Rc::clone(known);
        }
        let found = Rc::new(self.towards_dns(of));
        let mut all = self.dns.borrow_mut();
        Rc::clone(all.entry(of.object.clone()).or_insert(found))
    }

    fn towards_dns(&self, of: &Pod) -> [Decision; 2] {
        let server = &self.dns_server;
        let other = OtherEnd::Pod(self.end(server));
        let policies = self.snapshot.network_policies(of.namespace());
        let policy = network_policy::rule(
            policies,
            Direction::Egress,
            &self.end(of),
            &other,
            "udp",
            53,
        );
        let address = server.address.unwrap_or(METADATA_SERVER);
        let target = self.pod_at(address);
        let firewall = self.firewall(Direction::Egress, of, address, target, "udp", 53);
        [policy, Decision::clone(&firewall)]
    }

    /// A pod in the form that NetworkPolicies need.
    pub fn end(&self, pod: &Pod) -> PodEnd {
        let labels = self.snapshot.namespaces.get(pod.namespace());
        PodEnd {
            namespace: pod.namespace().to_owned(),
            namespace_labels: labels.cloned().unwrap_or_default(),
            labels: pod.labels.clone(),
            address: pod.address,
        }
    }

    /// A pod's node in the form that the firewall needs.
    pub fn machine(&self, pool: Option<usize>) -> Machine {
        let pool = pool.and_then(|pool| self.snapshot.pools.get(pool));
        pool.map(|pool| pool.machine.clone()).unwrap_or_default()
    }

    /// The firewall's decision on a connection from a pod's node, or to it. `other` is the address of the other end, and
    /// `pod` is the pod with that address, if there is one.
    pub fn firewall(
        &self,
        direction: Direction,
        of: &Pod,
        other: IpAddr,
        pod: Option<&Pod>,
        protocol: &'static str,
        port: u16,
    ) -> Rc<Decision> {
        let pool = pod.map(|pod| pod.pool);
        let mut all = self.firewall.borrow_mut();
        let make = || {
            if self.snapshot.outside_vpc {
                return Rc::new(firewall::none());
            }
            let (own, there) = (self.machine(of.pool), pool.map(|pool| self.machine(pool)));
            let rules = &self.snapshot.firewalls;
            let there = there.as_ref();
            Rc::new(firewall::rule(
                rules, direction, &own, other, there, protocol, port,
            ))
        };
        let entry = all.entry((direction, of.pool, other, pool, protocol, port));
        Rc::clone(entry.or_insert_with(make))
    }
}
