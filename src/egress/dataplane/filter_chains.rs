//! The filter chains of a gateway pod's port: which server accepts a connection, selected by SNI, and where it sends TCP
//! traffic. Built as in Istio's `gateway.go`: a server without a rule has no chain.

use std::collections::{BTreeSet, HashSet};

use super::upstream::target;
use crate::gateway::{Gateway, Routing, Server, ServerTls};
use crate::host_index::HostIndex;
use crate::object::Object;
use crate::pod::Pod;
use crate::service::Service;
use crate::sidecar_scope::SidecarScope;
use crate::virtual_service::{Destination, MatchScope, VirtualService};

/// A rule that forwards connections: its VirtualService and its destination.
pub type ForwardingRule<'s> = (&'s VirtualService, &'s Destination);

/// What accepts a connection.
#[derive(Debug, Clone, Copy)]
pub enum FilterChain<'s> {
    /// A server that terminates TLS or accepts plain text, and routes HTTP requests.
    Requests(&'s Gateway, &'s Server),
    /// A server that terminates TLS or accepts plain text, and forwards TCP traffic.
    Bytes(&'s Gateway, &'s Server, ForwardingRule<'s>),
    /// A rule for this SNI; TLS is not terminated.
    ServerName(&'s Gateway, ForwardingRule<'s>),
}

/// Why nothing accepts a connection.
#[derive(Debug)]
pub enum NoFilterChain<'c, 's> {
    /// Nothing listens on the port; contains the Gateways for other pods or ports.
    NoServer(&'c [(Object, String)]),
    /// The listener has no chain for the name.
    NoChain(Option<&'s Object>),
}

/// The filter chains of a port.
#[derive(Debug)]
pub struct FilterChains<'s> {
    /// The chains by SNI pattern.
    names: HostIndex<FilterChain<'s>>,
    /// Plain-text servers, which share the port's only chain.
    clear: Vec<(&'s Gateway, &'s Server)>,
    /// The hosts of TLS servers, each with its namespace.
    hosts: HashSet<(&'s str, &'s str)>,
    /// Names with rules that do not terminate TLS.
    closed: HashSet<&'s str>,
    /// Names with a chain, and a name with two.
    chained: HashSet<&'s str>,
    twice: Option<&'s str>,
    empty: bool,
    gateway: Option<&'s Object>,
    others: Vec<(Object, String)>,
}

impl<'s> FilterChains<'s> {
    /// The filter chains of a gateway pod's port.
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
        // Envoy rejects a listener with two chains for the same match, and keeps the previous listener unchanged.
        if let (Some(name), Some(gateway)) = (found.twice, found.gateway) {
            let why =
                format!("has two filter chains for {name} on port {port}, and Envoy rejects both");
            found.others.push((gateway.clone(), why));
            found.empty = true;
        }
        found
    }

    /// The host of a TLS server that an earlier server already has: Istio then ignores the whole server (`CheckDuplicates`).
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
        // Without chains there is no listener; the Gateway is then listed as one that does not listen on the port.
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

    /// Adds a chain for all hosts of a server.
    fn open(&mut self, server: &'s Server, chain: FilterChain<'s>) {
        if server.tls == ServerTls::Plain {
            self.names.at("*", || chain);
        } else {
            self.named(server.hosts().map(|(_, host)| host), chain);
        }
        self.empty = false;
    }

    /// Adds the chain of a rule that does not terminate TLS. If another rule already has one of the names, Istio ignores all
    /// of them.
    fn closed(&mut self, names: &'s [String], chain: Option<FilterChain<'s>>) {
        let mut each = names.iter().map(String::as_str);
        let taken = each.any(|name| self.closed.contains(name));
        if let Some(chain) = chain.filter(|_| !taken) {
            self.closed.extend(names.iter().map(String::as_str));
            self.named(names.iter().map(String::as_str), chain);
            self.empty = false;
        }
    }

    /// Adds a chain for these names; for any name if one of them is `*` (Istio's `toFilterChainMatch`).
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

    /// The servers whose routes apply to a request that this server accepts: in plain text all servers of the port, otherwise
    /// only this one.
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

    /// The chain for a connection with this SNI; `server_name` is `None` without TLS.
    ///
    /// # Errors
    /// Why nothing accepts the connection.
    pub fn find(
        &self,
        server_name: Option<&str>,
    ) -> Result<FilterChain<'s>, NoFilterChain<'_, 's>> {
        if self.empty {
            return Err(NoFilterChain::NoServer(&self.others));
        }
        let name = server_name.unwrap_or_default().to_ascii_lowercase();
        let found = self.names.find(&name).copied();
        // Plain text has no SNI and never matches a chain that passes TLS through.
        let meant = found
            .filter(|chain| server_name.is_some() || !matches!(chain, FilterChain::ServerName(..)));
        meant.ok_or(NoFilterChain::NoChain(self.gateway))
    }
}

/// Whether a server may share a port with an older one. The oldest decides whether the port is TLS; plain-text servers share
/// a port only for HTTP (Istio's `MergeGateways`).
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

/// The port of the pod that a server listens on: the target port of a Service in front of the pod, otherwise the server's own
/// number.
fn number(before: &[&Service], pod: &Pod, server: &Server) -> u16 {
    let mut ports = before
        .iter()
        .filter_map(|service| service.port(server.port));
    ports.next().map_or(server.port, |port| {
        target(port, Some(pod)).unwrap_or(server.port)
    })
}
