//! The view of one proxy, with everything that is derived from it once and used for many requests.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::filter_chains::FilterChains;
use super::listeners::Listeners;
use super::routes::Routes;
use super::upstream::{MissingCluster, Upstream};
use crate::gateway::Server;
use crate::object::Labels;
use crate::pod::Pod;
use crate::rbac::{self, Applied, Peer};
use crate::sidecar_scope::SidecarScope;
use crate::snapshot::Snapshot;

/// The owner of routes: servers of one port have separate routes and are distinguished by their location in the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RouteOwner {
    /// A sidecar's routes for a destination port.
    Port(u16),
    /// The routes of a gateway's server.
    Server(*const Server),
}

/// A proxy with its view of the mesh.
#[derive(Debug)]
pub struct ProxyState<'s> {
    /// Its view of the mesh.
    pub scope: SidecarScope<'s>,
    routes: RefCell<HashMap<RouteOwner, Rc<Routes<'s>>>>,
    listeners: RefCell<HashMap<u16, Rc<Listeners<'s>>>>,
    chains: RefCell<HashMap<u16, Rc<FilterChains<'s>>>>,
    /// The clusters, by host, port and subset.
    upstreams: RefCell<HashMap<(&'s str, u16, &'s str), Rc<Upstream<'s>>>>,
    policies: OnceCell<Applied<'s>>,
    /// The policies that can apply to a caller of the mesh, and to one without a certificate.
    towards: RefCell<HashMap<Peer, Rc<Applied<'s>>>>,
    towards_nobody: OnceCell<Rc<Applied<'s>>>,
}

impl<'s> ProxyState<'s> {
    fn of(snapshot: &'s Snapshot, pod: &Pod) -> ProxyState<'s> {
        ProxyState {
            scope: SidecarScope::of(snapshot, pod),
            routes: RefCell::default(),
            listeners: RefCell::default(),
            chains: RefCell::default(),
            upstreams: RefCell::default(),
            policies: OnceCell::new(),
            towards: RefCell::default(),
            towards_nobody: OnceCell::new(),
        }
    }

    /// The routes of a sidecar's port or a gateway's server; `make` computes them on the first call.
    pub fn routes(&self, of: RouteOwner, make: impl FnOnce() -> Routes<'s>) -> Rc<Routes<'s>> {
        let mut all = self.routes.borrow_mut();
        Rc::clone(all.entry(of).or_insert_with(|| Rc::new(make())))
    }

    /// The outbound listeners of a sidecar for a port.
    pub fn listeners(&self, port: u16) -> Rc<Listeners<'s>> {
        let mut all = self.listeners.borrow_mut();
        let make = || Rc::new(Listeners::of(&self.scope, port));
        Rc::clone(all.entry(port).or_insert_with(make))
    }

    /// The filter chains of a gateway pod's port.
    pub fn chains(&self, pod: &Pod, port: u16) -> Rc<FilterChains<'s>> {
        let mut all = self.chains.borrow_mut();
        let make = || Rc::new(FilterChains::of(&self.scope, pod, port));
        Rc::clone(all.entry(port).or_insert_with(make))
    }

    /// The cluster of a host's port and subset.
    ///
    /// # Errors
    /// Why it does not exist.
    pub fn upstream(
        &self,
        host: &'s str,
        port: u16,
        subset: &'s str,
    ) -> Result<Rc<Upstream<'s>>, MissingCluster<'s>> {
        if let Some(found) = self.upstreams.borrow().get(&(host, port, subset)) {
            return Ok(Rc::clone(found));
        }
        let found = Rc::new(Upstream::find(&self.scope, host, port, subset)?);
        let mut all = self.upstreams.borrow_mut();
        all.insert((host, port, subset), Rc::clone(&found));
        Ok(found)
    }

    /// The authorization policies that apply here, as far as they can concern this caller.
    pub fn policies(&self, peer: Option<&Peer>) -> Rc<Applied<'s>> {
        let make = || Rc::new(self.all_policies().narrowed(peer));
        let Some(peer) = peer else {
            return Rc::clone(self.towards_nobody.get_or_init(make));
        };
        let mut towards = self.towards.borrow_mut();
        match towards.get(peer) {
            Some(found) => Rc::clone(found),
            None => Rc::clone(towards.entry(peer.clone()).or_insert_with(make)),
        }
    }

    fn all_policies(&self) -> &Applied<'s> {
        let SidecarScope {
            snapshot,
            namespace,
            labels,
            ..
        } = &self.scope;
        let root = &snapshot.mesh.root_namespace;
        let make = || rbac::applying(&snapshot.authorization, namespace, labels, root);
        self.policies.get_or_init(make)
    }
}

/// The states of proxies, shared by all pods of a namespace with the same labels.
#[derive(Debug, Default)]
pub struct ProxyStates<'s>(RefCell<HashMap<String, Vec<(Labels, Rc<ProxyState<'s>>)>>>);

impl<'s> ProxyStates<'s> {
    /// The state of a pod's proxy.
    pub fn of(&self, snapshot: &'s Snapshot, pod: &Pod) -> Rc<ProxyState<'s>> {
        let mut all = self.0.borrow_mut();
        let known = all.get(pod.namespace()).into_iter().flatten();
        if let Some((_, found)) = known.into_iter().find(|(labels, _)| *labels == pod.labels) {
            return Rc::clone(found);
        }
        let made = Rc::new(ProxyState::of(snapshot, pod));
        let own = all.entry(pod.namespace().to_owned()).or_default();
        own.push((pod.labels.clone(), Rc::clone(&made)));
        made
    }

    /// Discards the state of a pod's proxy.
    pub fn forget(&self, pod: &Pod) {
        if let Some(own) = self.0.borrow_mut().get_mut(pod.namespace()) {
            own.retain(|(labels, _)| *labels != pod.labels);
        }
    }
}
