//! What is made of a scene once and used for many requests.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

use super::chains::Chains;
use super::destination::Place;
use super::listeners::Listeners;
use super::routes::Routes;
use crate::egress::account::{Hop, Ruling};
use crate::egress::dns::{self, METADATA_SERVER};
use crate::egress::firewall::{self, Direction, Machine};
use crate::egress::host::service as service_named;
use crate::egress::network_policy::{self, End, Other};
use crate::egress::object::{Labels, Object};
use crate::egress::pod::Pod;
use crate::egress::rbac::{self, Applied, Peer};
use crate::egress::scene::Scene;
use crate::egress::service::{Endpoints, Service};
use crate::egress::view::View;

/// A proxy with what it sees.
#[derive(Debug)]
pub struct Sight<'s> {
    /// What it sees.
    pub view: View<'s>,
    routes: RefCell<HashMap<(String, u16), Rc<Routes<'s>>>>,
    listeners: RefCell<HashMap<u16, Rc<Listeners<'s>>>>,
    chains: RefCell<HashMap<u16, Rc<Chains<'s>>>>,
}

impl<'s> Sight<'s> {
    /// The routes of a gateway's (or, for [`MESH`](crate::egress::virtual_service::MESH), its own) port, made by `make` when
    /// they are first asked for.
    pub fn routes(
        &self,
        gateway: &str,
        port: u16,
        make: impl FnOnce() -> Routes<'s>,
    ) -> Rc<Routes<'s>> {
        let mut all = self.routes.borrow_mut();
        Rc::clone(
            all.entry((gateway.to_owned(), port))
                .or_insert_with(|| Rc::new(make())),
        )
    }
}

impl<'s> Sight<'s> {
    /// What listens, in a sidecar, to what goes to a port.
    pub fn listeners(&self, port: u16) -> Rc<Listeners<'s>> {
        let mut all = self.listeners.borrow_mut();
        let make = || Rc::new(Listeners::of(&self.view, port));
        Rc::clone(all.entry(port).or_insert_with(make))
    }

    /// What listens on a port of a gateway's pod.
    pub fn chains(&self, pod: &Pod, port: u16) -> Rc<Chains<'s>> {
        let mut all = self.chains.borrow_mut();
        let make = || Rc::new(Chains::of(&self.view, pod, port));
        Rc::clone(all.entry(port).or_insert_with(make))
    }
}

/// A scene with what was made of it.
#[derive(Debug)]
pub struct Stage<'s> {
    /// The scene.
    pub scene: &'s Scene,
    /// Whether an account says why others did not decide, and what is not covered.
    pub tells: bool,
    sights: RefCell<HashMap<(String, Labels), Rc<Sight<'s>>>>,
    /// The pod that answers the cluster's names.
    dns_server: Pod,
    /// Whether a pod reaches it.
    dns: RefCell<HashMap<Object, [Ruling; 2]>>,
    /// What packets of a pod come past on their way to a place.
    between: RefCell<HashMap<(Object, Place), Rc<Vec<Hop>>>>,
    policies: RefCell<HashMap<(String, Labels, String), Rc<Applied<'s>>>>,
}

impl<'s> Stage<'s> {
    /// Of a scene; whether accounts say why others did not decide, which takes long with many of them.
    pub fn new(scene: &'s Scene, tells: bool) -> Stage<'s> {
        Stage {
            scene,
            tells,
            sights: RefCell::default(),
            dns_server: scene.dns_server(),
            dns: RefCell::default(),
            between: RefCell::default(),
            policies: RefCell::default(),
        }
    }

    /// What a pod's proxy sees.
    pub fn sight(&self, pod: &Pod) -> Rc<Sight<'s>> {
        let key = (pod.namespace().to_owned(), pod.labels.clone());
        let mut all = self.sights.borrow_mut();
        let make = || {
            Rc::new(Sight {
                view: View::of(self.scene, pod),
                routes: RefCell::default(),
                listeners: RefCell::default(),
                chains: RefCell::default(),
            })
        };
        Rc::clone(all.entry(key).or_insert_with(make))
    }

    /// The authorization policies of a pod, as far as they can concern this caller.
    pub fn policies(&self, pod: &Pod, peer: Option<&Peer>) -> Rc<Applied<'s>> {
        let who = peer.map(Peer::principal).unwrap_or_default();
        let key = (pod.namespace().to_owned(), pod.labels.clone(), who);
        let mut all = self.policies.borrow_mut();
        let make = || {
            let root = &self.scene.mesh.root_namespace;
            let policies = &self.scene.authorization;
            Rc::new(rbac::applying(policies, pod.namespace(), &pod.labels, root).narrowed(peer))
        };
        Rc::clone(all.entry(key).or_insert_with(make))
    }

    /// What packets of a pod come past on their way to a place, made out by `make` when it is first asked for.
    pub fn between(&self, from: &Pod, to: Place, make: impl FnOnce() -> Vec<Hop>) -> Rc<Vec<Hop>> {
        let mut all = self.between.borrow_mut();
        let entry = all.entry((from.object.clone(), to));
        Rc::clone(entry.or_insert_with(|| Rc::new(make())))
    }

    /// The pod at an address.
    pub fn pod_at(&self, address: IpAddr) -> Option<&'s Pod> {
        self.scene.pod_at(address)
    }

    /// The Service of Kubernetes that a pod means by a name.
    pub fn service_by_name(&self, of: &Pod, name: &str) -> Option<&'s Service> {
        let (service, namespace) = service_named(name, of.namespace())?;
        let host = crate::egress::host::full_name(&service, &namespace);
        let mut all = self.scene.services_of(&host);
        all.find(|service| service.kubernetes)
    }

    /// Where a name leads that a pod looks up, and who says so.
    pub fn resolve(&self, of: &Pod, name: &str) -> (Vec<IpAddr>, Ruling) {
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
            let ruling = Ruling {
                passes: !found.is_empty(),
                by: Some(service.object.clone()),
                because,
                others: Vec::new(),
            };
            return (found, ruling);
        }
        let resolution = dns::resolve(&self.scene.zones, name);
        (resolution.addresses, resolution.ruling)
    }

    /// The addresses of the pods of a service without an address of its own.
    fn addresses_of(&self, service: &Service) -> Vec<IpAddr> {
        let selector = match &service.endpoints {
            Endpoints::Pods(selector) => selector,
            _ => return Vec::new(),
        };
        let pods = self
            .scene
            .pods_of(&service.object.namespace)
            .filter(|pod| pod.ready);
        pods.filter(|pod| selector.matches(&pod.labels))
            .filter_map(|pod| pod.address)
            .collect()
    }

    /// Where a proxy finds a name, or why it does not.
    ///
    /// # Errors
    /// In a clause.
    pub fn look_up(&self, of: &Pod, name: &str) -> Result<IpAddr, String> {
        if let Ok(address) = name.parse() {
            return Ok(address);
        }
        if let Some(refused) = self.asks_dns(of).into_iter().find(|ruling| !ruling.passes) {
            return Err(format!(
                "its proxy cannot look {name} up: {}",
                refused.because
            ));
        }
        let (found, ruling) = self.resolve(of, name);
        found
            .first()
            .copied()
            .ok_or_else(|| format!("its proxy finds no address: {}", ruling.because))
    }

    /// Whether a pod reaches the cluster's DNS: its NetworkPolicies, then the firewall.
    pub fn asks_dns(&self, of: &Pod) -> [Ruling; 2] {
        let mut all = self.dns.borrow_mut();
        let make = || self.towards_dns(of);
        all.entry(of.object.clone()).or_insert_with(make).clone()
    }

    fn towards_dns(&self, of: &Pod) -> [Ruling; 2] {
        let server = &self.dns_server;
        let other = Other::Pod(self.end(server));
        let policies = self.scene.network_policies(of.namespace());
        let policy = network_policy::rule(
            policies,
            Direction::Egress,
            &self.end(of),
            &other,
            "udp",
            53,
        );
        let address = server.address.unwrap_or(METADATA_SERVER);
        [policy, self.firewall(of, address, "udp", 53)]
    }

    /// A pod, as NetworkPolicies know it.
    pub fn end(&self, pod: &Pod) -> End {
        let labels = self.scene.namespaces.get(pod.namespace());
        End {
            namespace: pod.namespace().to_owned(),
            namespace_labels: labels.cloned().unwrap_or_default(),
            labels: pod.labels.clone(),
            address: pod.address,
        }
    }

    /// A pod's node, as the firewall knows it.
    pub fn machine(&self, pod: &Pod) -> Machine {
        let pool = pod.pool.and_then(|pool| self.scene.pools.get(pool));
        pool.map(|pool| pool.machine.clone()).unwrap_or_default()
    }

    /// What the firewall says of a connection out of a pod's node.
    pub fn firewall(&self, of: &Pod, to: IpAddr, protocol: &str, port: u16) -> Ruling {
        let target = self.pod_at(to).map(|pod| self.machine(pod));
        let rules = &self.scene.firewalls;
        firewall::rule(
            rules,
            Direction::Egress,
            &self.machine(of),
            to,
            target.as_ref(),
            protocol,
            port,
        )
    }
}
