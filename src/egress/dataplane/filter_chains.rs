//! The filter chains of a gateway pod's port: which server takes a connection, by the name that its handshake asks for, and for
//! bytes where they go. As Istio's `gateway.go` builds them: a server without a rule has no chain.

use std::collections::{BTreeSet, HashSet};

use super::upstream::target;
use crate::gateway::{Gateway, Routing, Server, ServerTls};
use crate::host_index::HostIndex;
use crate::object::Object;
use crate::pod::Pod;
use crate::service::Service;
use crate::sidecar_scope::SidecarScope;
use crate::virtual_service::{Destination, MatchScope, VirtualService};

/// A rule that sends connections on: whose it is, and where to.
pub type ForwardingRule<'s> = (&'s VirtualService, &'s Destination);

/// Who takes a connection up.
#[derive(Debug, Clone, Copy)]
pub enum FilterChain<'s> {
    /// A server that opens TLS, or takes what is in clear, and sends on requests.
    Requests(&'s Gateway, &'s Server),
    /// A server that opens TLS, or takes what is in clear, and sends on bytes.
    Bytes(&'s Gateway, &'s Server, ForwardingRule<'s>),
    /// A rule for this name; TLS stays closed.
    ServerName(&'s Gateway, ForwardingRule<'s>),
}

/// Why nobody does.
#[derive(Debug)]
pub enum NoFilterChain<'c, 's> {
    /// Nothing listens on the port; with the Gateways that are for other pods or ports.
    NoServer(&'c [(Object, String)]),
    /// What listens is for other names.
    NoChain(Option<&'s Object>),
}

/// The chains of a port.
#[derive(Debug)]
pub struct FilterChains<'s> {
    /// By the names that they are for.
    names: HostIndex<FilterChain<'s>>,
    /// Servers in clear, which share the port's one chain.
    clear: Vec<(&'s Gateway, &'s Server)>,
    /// Hosts of servers with TLS, each with its namespace.
    hosts: HashSet<(&'s str, &'s str)>,
    /// Names for which rules leave TLS closed.
    closed: HashSet<&'s str>,
    /// Names that have a chain, and one that has two.
    chained: HashSet<&'s str>,
    twice: Option<&'s str>,
    empty: bool,
    gateway: Option<&'s Object>,
    others: Vec<(Object, String)>,
}

impl<'s> FilterChains<'s> {
    /// Those of a gateway pod's port.
    pub fn of(scope: &SidecarScope<'s>, pod: &Pod, port: u16) -> FilterChains<'s> {
        let mut found = FilterChains {
            names: HostIndex::default(),
            clear: Vec::new(),
            hosts: HashSet::new(),
            closed: HashSet::new(),
            chained: HashSet::new(),
            twice: None,
            empty: true,
            gateway: None,
            others: Vec::new(),
        };
        let snapshot = scope.snapshot;
        let before: Vec<&Service> = snapshot
            .services
            .iter()
            .filter(|service| service.selects(pod.namespace(), &pod.labels))
            .collect();
        let mut first = None;
        for gateway in &snapshot.gateways {
            if !gateway.selector.matches(&pod.labels) {
                found
                    .others
                    .push((gateway.object.clone(), "selects other pods".to_owned()));
                continue;
            }
            let (mut listens, mut passed_over) = (false, None);
            for server in gateway
                .servers
                .iter()
                .filter(|server| number(&before, pod, server) == port)
            {
                if let Some(host) = found.taken(server) {
                    passed_over = Some(format!(
                        "has a server for {host}, which an older Gateway already has on port {port}"
                    ));
                } else if together(first.get_or_insert(server), server) {
                    listens = true;
                    found.add(scope, gateway, server);
                }
            }
            if let Some(why) = passed_over {
                found.others.push((gateway.object.clone(), why));
            } else if !listens {
                let ports: Vec<String> = gateway
                    .servers
                    .iter()
                    .map(|server| server.port.to_string())
                    .collect();
                let why = format!(
                    "has servers on ports {}, none of which is {port} of this pod",
                    ports.join(", ")
                );
                found.others.push((gateway.object.clone(), why));
            }
        }
        // Envoy refuses a listener with two chains for the same; what listened before, it leaves as it was.
        if let (Some(name), Some(gateway)) = (found.twice, found.gateway) {
            let why =
                format!("has two filter chains for {name} on port {port}, and Envoy rejects both");
            found.others.push((gateway.clone(), why));
            found.empty = true;
        }
        found
    }

    /// The host of a server with TLS that another one has already: Istio passes over all of the server then (`CheckDuplicates`).
    fn taken(&mut self, server: &'s Server) -> Option<&'s str> {
        if server.tls == ServerTls::Plain {
            return None;
        }
        let mut hosts = server.hosts();
        if let Some((_, host)) = hosts.find(|host| self.hosts.contains(host)) {
            return Some(host);
        }
        self.hosts.extend(server.hosts());
        None
    }

    fn add(&mut self, scope: &SidecarScope<'s>, gateway: &'s Gateway, server: &'s Server) {
        self.gateway.get_or_insert(&gateway.object);
        let name = gateway.name();
        let bound = scope
            .virtual_services
            .iter()
            .copied()
            .filter(|each| each.is_for(&name) && serves(server, each));
        let here = |when: &MatchScope| when.holds_for_bytes(&name, server.port);
        match server.routing {
            Routing::Http => self.open(server, FilterChain::Requests(gateway, server)),
            Routing::Port => {
                let mut rules =
                    bound.flat_map(|each| each.tcp.iter().map(move |rule| (each, rule)));
                let to = rules.find_map(|(each, rule)| {
                    let to = rule.route.first().filter(|_| rule.here(here))?;
                    Some((each, to))
                });
                if let Some(to) = to {
                    self.open(server, FilterChain::Bytes(gateway, server, to));
                }
            }
            Routing::ServerName => {
                for each in bound {
                    for rule in &each.tls {
                        let blocks = rule.matches.iter().filter(|(when, _)| here(when));
                        for (_, names) in blocks {
                            let to = rule.route.first();
                            self.closed(
                                names,
                                to.map(|to| FilterChain::ServerName(gateway, (each, to))),
                            );
                        }
                    }
                }
            }
        }
        // A listener without chains is none; the Gateway is then among those that do not have it listen.
        if self.empty {
            let why = match server.routing {
                Routing::ServerName => {
                    "passes TLS through, and no VirtualService routes its connections"
                }
                _ => "no VirtualService routes its connections",
            };
            self.others.push((gateway.object.clone(), why.to_owned()));
        } else if server.tls == ServerTls::Plain {
            self.clear.push((gateway, server));
        }
    }

    /// A chain for all that a server is for.
    fn open(&mut self, server: &'s Server, chain: FilterChain<'s>) {
        if server.tls == ServerTls::Plain {
            self.names.at("*", || chain);
        } else {
            self.named(server.hosts().map(|(_, host)| host), chain);
        }
        self.empty = false;
    }

    /// A chain of a rule that leaves TLS closed. Where another rule has one of the names already, Istio passes over all of them.
    fn closed(&mut self, names: &'s [String], chain: Option<FilterChain<'s>>) {
        let mut each = names.iter().map(String::as_str);
        let taken = each.any(|name| self.closed.contains(name));
        if let Some(chain) = chain.filter(|_| !taken) {
            self.closed.extend(names.iter().map(String::as_str));
            self.named(names.iter().map(String::as_str), chain);
            self.empty = false;
        }
    }

    /// A chain for these names; for any, where one of them is `*` (Istio's `toFilterChainMatch`).
    fn named(&mut self, names: impl Iterator<Item = &'s str> + Clone, chain: FilterChain<'s>) {
        let any = names.clone().any(|name| name == "*");
        let names: BTreeSet<&str> = if any { ["*"].into() } else { names.collect() };
        for name in names {
            if !self.chained.insert(name) {
                self.twice.get_or_insert(name);
            }
            self.names.at(name, || chain);
        }
    }

    /// The servers whose routes count where this one takes a request: in clear all of the port, else its own.
    pub fn together(
        &self,
        gateway: &'s Gateway,
        server: &'s Server,
    ) -> Vec<(&'s Gateway, &'s Server)> {
        match server.tls {
            ServerTls::Plain => self.clear.clone(),
            _ => vec![(gateway, server)],
        }
    }

    /// The chain for a connection that asks for this name; none where it is no TLS.
    ///
    /// # Errors
    /// Why nobody takes it.
    pub fn find(
        &self,
        server_name: Option<&str>,
    ) -> Result<FilterChain<'s>, NoFilterChain<'_, 's>> {
        if self.empty {
            return Err(NoFilterChain::NoServer(&self.others));
        }
        let name = server_name.unwrap_or_default().to_ascii_lowercase();
        let found = self.names.find(&name).copied();
        // What is no TLS asks for no name, which a chain that leaves TLS closed is not for.
        let meant = found
            .filter(|chain| server_name.is_some() || !matches!(chain, FilterChain::ServerName(..)));
        meant.ok_or(NoFilterChain::NoChain(self.gateway))
    }
}

/// Whether a server may listen where an older one does. The oldest decides whether the port speaks TLS; servers in clear share it
/// only for requests of HTTP (Istio's `MergeGateways`).
fn together(first: &Server, server: &Server) -> bool {
    let clear = |server: &Server| server.tls == ServerTls::Plain;
    let requests = |server: &Server| server.routing == Routing::Http;
    std::ptr::eq(first, server)
        || clear(first) == clear(server) && (!clear(first) || requests(first) && requests(server))
}

/// Whether a server serves any host of a VirtualService.
fn serves(server: &Server, of: &VirtualService) -> bool {
    let own = &of.object.namespace;
    let mut hosts = of.hosts.iter();
    hosts.any(|host| !server.domains(own, host).is_empty())
}

/// The port of the pod that a server listens on: what a Service before the pod makes of the server's number, else the number.
fn number(before: &[&Service], pod: &Pod, server: &Server) -> u16 {
    let mut ports = before
        .iter()
        .filter_map(|service| service.port(server.port));
    ports
        .next()
        .map_or(server.port, |port| target(port, Some(pod)))
}
