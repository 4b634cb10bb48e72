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
use crate::firewall::{self, Direction, Firewall, Machine};
use crate::host;
use crate::internet;
use crate::network_policy::{self, OtherEnd, PodEnd};
use crate::object::Object;
use crate::pod::{Pod, Resolver};
use crate::service::{Endpoints, Service};
use crate::snapshot::Snapshot;
use crate::trace::{self, Decision, Hop};

/// The input of a firewall decision: the direction, the node pool of the pod concerned and its address (`None` if no rule tests
/// it), the address and the node pool of the other end (`None` if it is no machine of the cluster), protocol and port.
type Packet = (
    Direction,
    Option<usize>,
    Option<IpAddr>,
    IpAddr,
    Option<Option<usize>>,
    &'static str,
    u16,
);

/// The decisions on the way to the cluster's DNS, each with its place; none for a pod that does not ask it.
pub type DnsPath = [(trace::HopLocation, Decision)];

/// The number of aliases that lead to one another before they count as a circle.
const ALIASES: usize = 16;

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
    dns: RefCell<HashMap<Object, Rc<DnsPath>>>,
    /// The results of names that are not the cluster's.
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
        let full = host::searched(name, of.namespace());
        let mut all = full.iter().flat_map(|full| self.snapshot.services_of(full));
        all.find(|service| service.kubernetes)
    }

    /// Resolves a name for a pod, with the object that decides: names of the cluster by the search path of a pod's resolver, then
    /// all others.
    pub fn resolve(&self, of: &Pod, name: &str) -> Rc<Resolution> {
        if of.resolver == Resolver::Node {
            return self.elsewhere(name);
        }
        let mut name = name.to_owned();
        let mut path = Vec::new();
        for _ in 0..ALIASES {
            let full = host::searched(&name, of.namespace());
            if let Some(found) = full.iter().find_map(|full| self.of_cluster(full, &name)) {
                return Rc::new(found.after(path));
            }
            let Some(alias) = full.iter().find_map(|full| self.snapshot.alias(full)) else {
                let found = self.elsewhere(&name);
                return match path.is_empty() {
                    true => found,
                    false => Rc::new(Resolution::clone(&found).after(path)),
                };
            };
            path.push(format!("{} is an alias of {}", alias.object, alias.of));
            // The target is looked up as it is, without the search path.
            name = format!("{}.", alias.of);
        }
        Rc::new(dns::nothing("its aliases lead in a circle").after(path))
    }

    /// Resolves a full name of the cluster's DNS: a Service, or a pod with a name below a headless Service.
    fn of_cluster(&self, full: &str, name: &str) -> Option<Resolution> {
        let mut services = self.snapshot.services_of(full);
        if let Some(service) = services.find(|service| service.kubernetes) {
            let own: Vec<IpAddr> = service.addresses.iter().map(ipnet::IpNet::addr).collect();
            let found = match &own[..] {
                [] => self.addresses_of(service),
                _ => own,
            };
            let because = match found.is_empty() {
                true => format!("{name} is a service without addresses"),
                false => format!("{name} is a service of the cluster"),
            };
            return Some(dns::found(found, Some(&service.object), because));
        }
        let (own, rest) = full.split_once('.')?;
        let mut services = self.snapshot.services_of(rest);
        let service = services.find(|service| service.kubernetes && service.headless)?;
        let pods = self.snapshot.pods_of(&service.object.namespace);
        let mut pods = pods.filter(|pod| pod.ready || service.not_ready);
        let pod = pods.find(|pod| {
            let named = pod.host_name.as_ref();
            named.is_some_and(|(name, of)| name == own && *of == service.object.name)
        })?;
        let because = format!("{name} is a pod of the headless service {}", service.object);
        let address = pod.address.into_iter().collect();
        Some(dns::found(address, Some(&pod.object), because))
    }

    /// Resolves a name that is not the cluster's.
    fn elsewhere(&self, name: &str) -> Rc<Resolution> {
        if let Some(known) = self.names.borrow().get(name) {
            return Rc::clone(known);
        }
        let found = Rc::new(match self.snapshot.outside_vpc {
            true => dns::resolve_elsewhere(name),
            false => dns::resolve(&self.snapshot.zones, name),
        });
        let mut all = self.names.borrow_mut();
        Rc::clone(all.entry(name.to_owned()).or_insert(found))
    }

    /// The addresses of the endpoints of a headless service.
    fn addresses_of(&self, service: &Service) -> Vec<IpAddr> {
        let selector = match &service.endpoints {
            Endpoints::Pods(selector) => selector,
            Endpoints::Listed(listed) => {
                let addresses = listed.iter().filter_map(|each| each.address.parse().ok());
                return addresses.collect();
            }
            _ => return Vec::new(),
        };
        let pods = self
            .snapshot
            .pods_of(&service.object.namespace)
            .filter(|pod| pod.ready || service.not_ready);
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
        let asked = self.asks_dns(of);
        if let Some((_, refused)) = asked.iter().find(|(_, ruling)| !ruling.passes) {
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

    /// Whether a pod reaches the cluster's DNS: its NetworkPolicies, the firewall, then those of the DNS server.
    pub fn asks_dns(&self, of: &Pod) -> Rc<DnsPath> {
        if let Some(known) = self.dns.borrow().get(&of.object) {
            return Rc::clone(known);
        }
        let found: Rc<DnsPath> = match of.resolver {
            Resolver::Node => Vec::new().into(),
            Resolver::Cluster | Resolver::Own => self.towards_dns(of).into(),
        };
        let mut all = self.dns.borrow_mut();
        Rc::clone(all.entry(of.object.clone()).or_insert(found))
    }

    fn towards_dns(&self, of: &Pod) -> Vec<(trace::HopLocation, Decision)> {
        use trace::HopLocation::{Firewall, NetworkPolicy};
        let server = &self.dns_server;
        let (near, far) = (self.end(of), self.end(server));
        let other = OtherEnd::Pod(far.clone());
        let out = self.policy(Direction::Egress, of, &near, &other, "udp", 53);
        let address = server.address.unwrap_or(METADATA_SERVER);
        let target = self.pod_at(address);
        let firewall = self.firewall(Direction::Egress, of, address, target, "udp", 53);
        let caller = match (of.host_network, of.address) {
            (true, Some(address)) => OtherEnd::Outside(address),
            _ => OtherEnd::Pod(near),
        };
        let into = self.policy(Direction::Ingress, server, &far, &caller, "udp", 53);
        vec![
            (NetworkPolicy, out),
            (Firewall, Decision::clone(&firewall)),
            (NetworkPolicy, into),
        ]
    }

    /// The decision of a pod's NetworkPolicies on a connection. None applies to a pod in its node's network: Kubernetes leaves
    /// this open, and neither Dataplane V2 nor Kubernetes' own implementation applies them.
    pub fn policy(
        &self,
        direction: Direction,
        of: &Pod,
        own: &PodEnd,
        other: &OtherEnd,
        protocol: &str,
        port: u16,
    ) -> Decision {
        let policies = match of.host_network {
            true => &[],
            false => self.snapshot.network_policies(of.namespace()),
        };
        network_policy::rule(policies, direction, own, other, protocol, port)
    }

    /// A pod in the form that NetworkPolicies need.
    pub fn end(&self, pod: &Pod) -> PodEnd {
        let labels = self.snapshot.namespaces.get(pod.namespace());
        PodEnd {
            namespace: pod.namespace().to_owned(),
            namespace_labels: labels.cloned().unwrap_or_default(),
            labels: pod.labels.clone(),
            address: pod.address,
            ports: pod.ports.clone(),
        }
    }

    /// Whether there is a way from the nodes to an address. Google's APIs behind Private Google Access need no NAT.
    pub fn leaves_vpc(&self, address: IpAddr) -> bool {
        let private_access = match address {
            IpAddr::V4(address) => address.octets()[..3] == [199, 36, 153],
            IpAddr::V6(_) => false,
        };
        !self.snapshot.no_internet || private_access || !internet::public(address)
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
        if pod.is_some_and(|pod| pod.node.is_some() && pod.node == of.node) {
            let because = "the connection stays on its node, so no firewall rule applies";
            return Rc::new(firewall::beside(because));
        }
        // Source accounts and tags mean the primary addresses of machines, which pods do not have.
        let pool = pod.filter(|pod| pod.host_network).map(|pod| pod.pool);
        let snapshot = self.snapshot;
        let own = of
            .address
            .filter(|_| snapshot.firewalls.iter().any(Firewall::restricts_both));
        let mut all = self.firewall.borrow_mut();
        let make = || {
            if snapshot.outside_vpc {
                let because = "the machine is in no VPC network, so no firewall rule applies";
                return Rc::new(firewall::beside(because));
            }
            let machine = Machine {
                address: own,
                ..self.machine(of.pool)
            };
            let there = pool.map(|pool| self.machine(pool));
            let (rules, there) = (&snapshot.firewalls, there.as_ref());
            Rc::new(firewall::rule(
                rules, direction, &machine, other, there, protocol, port,
            ))
        };
        let entry = all.entry((direction, of.pool, own, other, pool, protocol, port));
        Rc::clone(entry.or_insert_with(make))
    }
}
