//! The outbound listeners of a sidecar for a port and their filter chains (Istio's `listener.go` and `tls.go`).
//!
//! A service with an address has a listener of its own for everything but declared HTTP. All other services of the port share the
//! listener of every address. A connection that none of a listener's chains matches is treated like one without a listener.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::filter_chains::ForwardingRule;
use super::upstream::UpstreamTarget;
use crate::host::within;
use crate::service::{Endpoints, Port, Protocol, Service};
use crate::sidecar_scope::SidecarScope;
use crate::virtual_service::{MESH, MatchScope};

/// What accepts a connection.
#[derive(Debug, Clone, Copy)]
pub enum Listener<'s> {
    /// HTTP routing by authority; of one service alone, if the listener is that service's.
    Http(Option<&'s Service>),
    /// A service, and the rule for connections to it, if there is one.
    Service(&'s Service, &'s Port, Option<ForwardingRule<'s>>),
    /// No listener or no chain: the connection is treated like every unknown destination.
    Unknown,
}

/// A chain that forwards connections.
#[derive(Debug)]
struct Chain<'s> {
    /// The SNI patterns; without any, every connection.
    names: Vec<String>,
    /// The destination ranges; without any, every address.
    ranges: Vec<IpNet>,
    service: &'s Service,
    port: &'s Port,
    rule: Option<ForwardingRule<'s>>,
}

/// The chains of one listener.
#[derive(Debug, Default)]
struct Bound<'s> {
    /// The chain for plain HTTP, and the service to which it is limited.
    http: Option<Option<&'s Service>>,
    chains: Vec<Chain<'s>>,
}

/// The listeners of a port.
#[derive(Debug)]
pub struct Listeners<'s> {
    addresses: HashMap<IpAddr, Bound<'s>>,
    every: Option<Bound<'s>>,
}

impl<'s> Listeners<'s> {
    /// The listeners of a proxy for a port.
    pub fn of(scope: &SidecarScope<'s>, port: u16) -> Listeners<'s> {
        let mut found = Listeners {
            addresses: HashMap::new(),
            every: None,
        };
        let mut all: Vec<(&Service, &Port)> = scope.on_port(port).collect();
        let key = |service: &'s Service| (&service.created, &service.object, &service.host);
        all.sort_by(|(a, _), (b, _)| key(a).cmp(&key(b)));
        for (service, port) in all {
            if port.protocol == Protocol::Udp {
                continue;
            }
            if matches!(port.protocol, Protocol::Http | Protocol::Http2) {
                found.every.get_or_insert_default().adds_http(None);
                continue;
            }
            let (alone, ranges): (Vec<IpNet>, Vec<IpNet>) = service
                .addresses
                .iter()
                .partition(|range| range.prefix_len() == range.max_prefix_len());
            for address in &alone {
                let bound = found.addresses.entry(address.addr()).or_default();
                bound.adds(scope, service, port, &[], true);
            }
            if !ranges.is_empty() {
                let bound = found.every.get_or_insert_default();
                bound.adds(scope, service, port, &ranges, false);
            }
            if !service.addresses.is_empty() {
                continue;
            }
            match instances(scope, service) {
                Some(instances) => {
                    for address in instances {
                        let bound = found.addresses.entry(address).or_default();
                        bound.adds(scope, service, port, &[], true);
                    }
                }
                None => {
                    let bound = found.every.get_or_insert_default();
                    bound.adds(scope, service, port, &[], false);
                }
            }
        }
        found
    }

    /// What accepts a connection to an address. `server_name` is the SNI of a connection that begins with TLS; `None` for plain
    /// text.
    pub fn find(&self, to: UpstreamTarget, server_name: Option<&str>) -> Listener<'s> {
        let own = self.addresses.get(&to.address).or(self.every.as_ref());
        own.map_or(Listener::Unknown, |bound| {
            bound.find(to.address, server_name)
        })
    }
}

/// The addresses of a service's instances, if each has a listener of its own: a service without an address whose connections keep
/// their destination. A ServiceEntry without endpoints takes the whole port.
fn instances(scope: &SidecarScope, service: &Service) -> Option<Vec<IpAddr>> {
    let selected = |selector: &crate::selector::Selector| {
        let pods = scope.snapshot.pods_of(&service.object.namespace);
        let pods = pods.filter(|pod| pod.ready && selector.matches(&pod.labels));
        pods.filter_map(|pod| pod.address).collect()
    };
    match &service.endpoints {
        _ if !service.headless => None,
        Endpoints::Pods(selector) => Some(selected(selector)),
        Endpoints::Listed(listed) => {
            let addresses = listed.iter().filter_map(|each| each.address.parse().ok());
            Some(addresses.collect())
        }
        Endpoints::Dns(_) | Endpoints::OriginalDestination => None,
    }
}

impl<'s> Bound<'s> {
    /// Adds the chain for plain HTTP, unless there is one: all of a port share it.
    fn adds_http(&mut self, of: Option<&'s Service>) {
        self.http.get_or_insert(of);
    }

    /// Adds the chains of a port that is not declared as HTTP. `own` is whether the listener is that of the service's address.
    fn adds(
        &mut self,
        scope: &SidecarScope<'s>,
        service: &'s Service,
        port: &'s Port,
        ranges: &[IpNet],
        own: bool,
    ) {
        let detected = port.protocol == Protocol::Detected;
        // A listener that already detects HTTP takes no further service without a declared protocol.
        if detected && self.http.is_some() {
            return;
        }
        let chains = match port.protocol {
            Protocol::Tls => by_name(scope, service, port, ranges, own),
            _ => vec![by_port(scope, service, port, ranges)],
        };
        for chain in chains {
            if !self.chains.iter().any(|other| same(other, &chain)) {
                self.chains.push(chain);
            }
        }
        if detected {
            self.adds_http(own.then_some(service));
        }
    }

    /// The chain for a connection: by the longest range, then by the most specific name (Envoy's filter chain match).
    fn find(&self, address: IpAddr, server_name: Option<&str>) -> Listener<'s> {
        let length = |chain: &Chain| {
            let holding = chain.ranges.iter().filter(|range| range.contains(&address));
            holding.map(IpNet::prefix_len).max()
        };
        let longest = self.chains.iter().filter_map(length).max();
        let here = |chain: &&Chain<'s>| match longest {
            Some(_) => length(chain) == longest,
            None => chain.ranges.is_empty(),
        };
        let name = server_name.unwrap_or_default().to_ascii_lowercase();
        let specific = |pattern: &&String| (!pattern.starts_with('*'), pattern.len());
        let named = self.chains.iter().rev().filter(here).filter_map(|chain| {
            let fitting = chain.names.iter().filter(|each| within(each, &name));
            Some((fitting.max_by_key(specific)?, chain))
        });
        // Of equals, the oldest.
        let named = named
            .filter(|_| !name.is_empty())
            .max_by_key(|(pattern, _)| specific(pattern));
        if let Some((_, chain)) = named {
            return chain.accepts();
        }
        if let (Some(of), None, None) = (self.http, server_name, longest) {
            return Listener::Http(of);
        }
        let any = |chain: &&Chain<'s>| chain.names.is_empty();
        let mut nameless = self.chains.iter().filter(here).filter(any);
        // The chain without any condition is the listener's default.
        let default = || {
            self.chains
                .iter()
                .filter(any)
                .find(|chain| chain.ranges.is_empty())
        };
        nameless
            .next()
            .or_else(default)
            .map_or(Listener::Unknown, Chain::accepts)
    }
}

impl<'s> Chain<'s> {
    fn accepts(&self) -> Listener<'s> {
        Listener::Service(self.service, self.port, self.rule)
    }
}

/// Whether two chains match the same connections; then the older one stays.
fn same(a: &Chain, b: &Chain) -> bool {
    let all = |one: &[String], other: &[String]| one.iter().all(|name| other.contains(name));
    let names = all(&a.names, &b.names) && all(&b.names, &a.names);
    let within = |one: &[IpNet], other: &[IpNet]| one.iter().all(|each| other.contains(each));
    names && within(&a.ranges, &b.ranges) && within(&b.ranges, &a.ranges)
}

/// The chains of a TLS port: those of the rules for it, otherwise one to the service itself.
fn by_name<'s>(
    scope: &SidecarScope<'s>,
    service: &'s Service,
    port: &'s Port,
    ranges: &[IpNet],
    own: bool,
) -> Vec<Chain<'s>> {
    let holds = |when: &MatchScope| {
        when.holds_for_connections(MESH, port.number, &scope.namespace, &scope.labels)
    };
    let chain = |names: Vec<String>, rule| Chain {
        names: if names.iter().any(|name| name == "*") {
            Vec::new()
        } else {
            names
        },
        ranges: ranges.to_vec(),
        service,
        port,
        rule,
    };
    let mut found: Vec<Chain> = Vec::new();
    for each in scope.about(&service.host) {
        for rule in each.tls.iter().filter(|_| each.is_for(MESH)) {
            let Some(to) = rule.route.first() else {
                continue;
            };
            let blocks = rule.matches.iter().filter(|(when, _)| holds(when));
            found.extend(blocks.map(|(_, names)| chain(names.clone(), Some((each, to)))));
        }
    }
    if found.is_empty() {
        let names = match own {
            true => Vec::new(),
            false => service.names_in_tls(&scope.namespace),
        };
        found.push(chain(names, None));
    }
    found
}

/// The chain of a TCP port: to the first rule for it, otherwise to the service itself.
fn by_port<'s>(
    scope: &SidecarScope<'s>,
    service: &'s Service,
    port: &'s Port,
    ranges: &[IpNet],
) -> Chain<'s> {
    let holds = |when: &MatchScope| {
        when.holds_for_connections(MESH, port.number, &scope.namespace, &scope.labels)
    };
    let about = scope.about(&service.host);
    let rules = about.into_iter().filter(|each| each.is_for(MESH));
    let mut rules = rules.flat_map(|each| each.tcp.iter().map(move |rule| (each, rule)));
    let rule = rules.find_map(|(each, rule)| {
        let to = rule.route.first().filter(|_| rule.here(holds))?;
        Some((each, to))
    });
    Chain {
        names: Vec::new(),
        ranges: ranges.to_vec(),
        service,
        port,
        rule,
    }
}
