//! Which rule an HTTP request matches at a proxy: Istio's virtual hosts.

use std::cmp::Reverse;
use std::rc::Rc;

use crate::gateway::{Gateway, Server};
use crate::host::{within, without_port};
use crate::host_index::HostIndex;
use crate::object::Object;
use crate::service::Service;
use crate::sidecar_scope::SidecarScope;
use crate::virtual_service::{
    Destination, HttpAction, HttpMatch, HttpRequest, HttpRoute, MESH, MatchScope, VirtualService,
};

/// A rule at a proxy, with those of its matches that hold there, whatever the request is.
#[derive(Debug, Clone)]
pub struct ApplicableRule<'s> {
    /// The VirtualService of the rule.
    pub of: &'s VirtualService,
    /// The rule.
    pub rule: &'s HttpRoute,
    matches: Vec<&'s HttpMatch>,
}

impl<'s> ApplicableRule<'s> {
    /// The main destination, if the rule forwards.
    pub fn destination(&self) -> Option<&'s Destination> {
        match &self.rule.action {
            HttpAction::Route(destinations) => destinations.first(),
            _ => None,
        }
    }
}

/// The content of a virtual host.
#[derive(Debug, Clone)]
enum VirtualHost<'s> {
    /// Rules in order; the names of a host share them.
    Rules(Rc<Vec<ApplicableRule<'s>>>),
    /// No rules: the service itself.
    Service(&'s Service),
}

/// The virtual hosts of a port.
#[derive(Debug, Clone, Default)]
pub struct Routes<'s>(HostIndex<VirtualHost<'s>>);

/// The route of a request.
#[derive(Debug)]
pub enum Route<'r, 's> {
    /// A rule, and the match that the request meets.
    Rule(&'r ApplicableRule<'s>, &'s HttpMatch),
    /// The service that the request names.
    Service(&'s Service),
    /// There are rules for its host, but the request matches none.
    Unmet(&'s Object),
    /// Its host is unknown.
    Unknown,
}

impl<'s> Routes<'s> {
    /// The routes of a sidecar for a port.
    pub fn of_sidecar(scope: &SidecarScope<'s>, port: u16) -> Routes<'s> {
        let http = scope
            .on_port(port)
            .filter(|(_, port)| port.protocol.routes_http());
        let mut services: Vec<&Service> = http.map(|(service, _)| service).collect();
        services.sort_by(|a, b| (&a.created, &a.host).cmp(&(&b.created, &b.host)));
        let mut index: HostIndex<VirtualHost> = HostIndex::default();
        let on_port = |service: &&Service| {
            let own = service.port(port);
            own.is_some_and(|own| own.protocol.routes_http()) && scope.known(service, Some(port))
        };
        let mut claimed = std::collections::HashSet::new();
        for (host, virtual_service) in by_specificity(scope, port) {
            let rules = placed(virtual_service, |when| {
                when.holds(MESH, port, &scope.namespace, &scope.labels)
            });
            if rules.is_empty() {
                continue;
            }
            let rules = Rc::new(rules);
            // A wildcard host covers the services that match it, if there are any; an exact host covers its service.
            let meant: Vec<&Service> = match host.starts_with('*') {
                true => services
                    .iter()
                    .copied()
                    .filter(|service| within(host, &service.host))
                    .collect(),
                false => scope.service(host).filter(on_port).into_iter().collect(),
            };
            // Istio creates a virtual host for a host without a service on port 80 only (`route.go`).
            if meant.is_empty() && port == 80 {
                index.at(host, || VirtualHost::Rules(Rc::clone(&rules)));
            }
            for service in meant {
                if claimed.insert(service.host.as_str()) {
                    for name in names(service, scope) {
                        index.at(&name, || VirtualHost::Rules(Rc::clone(&rules)));
                    }
                }
            }
        }
        for service in services {
            if !claimed.contains(service.host.as_str()) {
                for name in names(service, scope) {
                    index.at(&name, || VirtualHost::Service(service));
                }
            }
        }
        Routes(index)
    }

    /// The routes of a gateway's servers that share a port.
    pub fn of_gateway(
        scope: &SidecarScope<'s>,
        servers: &[(&'s Gateway, &'s Server)],
    ) -> Routes<'s> {
        let mut index: HostIndex<VirtualHost> = HostIndex::default();
        for (gateway, server) in servers {
            let name = gateway.name();
            for virtual_service in scope
                .virtual_services
                .iter()
                .filter(|each| each.is_for(&name))
            {
                let own = &virtual_service.object.namespace;
                let rules = placed(virtual_service, |when| {
                    when.holds(&name, server.port, &scope.namespace, &scope.labels)
                });
                if rules.is_empty() {
                    continue;
                }
                for host in &virtual_service.hosts {
                    for domain in server.domains(own, host) {
                        let at = index.at(domain, || VirtualHost::Rules(Rc::default()));
                        // A gateway merges the rules of several VirtualServices for one host.
                        if let VirtualHost::Rules(all) = at {
                            Rc::make_mut(all).extend(rules.iter().cloned());
                        }
                    }
                }
            }
        }
        Routes(index)
    }

    /// The route of a request; `of` is the host whose routes count whatever the authority is.
    pub fn find(&self, of: Option<&str>, message: &HttpRequest, scheme: &str) -> Route<'_, 's> {
        let host = of
            .unwrap_or_else(|| without_port(&message.authority))
            .to_ascii_lowercase();
        let rules = match self.0.find(&host) {
            None => return Route::Unknown,
            Some(VirtualHost::Service(service)) => return Route::Service(service),
            Some(VirtualHost::Rules(rules)) => rules,
        };
        for placed in rules.iter() {
            let mut meets = placed.matches.iter().copied();
            if let Some(meets) = meets.find(|each| each.matches(message, scheme)) {
                return Route::Rule(placed, meets);
            }
        }
        rules
            .first()
            .map_or(Route::Unknown, |first| Route::Unmet(&first.of.object))
    }
}

/// The VirtualServices for sidecars by host: exact hosts first, longer wildcards before shorter ones, then the oldest.
fn by_specificity<'s>(scope: &SidecarScope<'s>, port: u16) -> Vec<(&'s str, &'s VirtualService)> {
    let taken = |each: &&&VirtualService| {
        let own = &each.object.namespace;
        each.is_for(MESH)
            && scope
                .sidecar
                .is_none_or(|sidecar| sidecar.takes(&scope.namespace, own, &each.hosts, Some(port)))
    };
    let all = scope.virtual_services.iter().filter(taken);
    let hosts = all.flat_map(|each| each.hosts.iter().map(move |host| (host.as_str(), *each)));
    let mut hosts: Vec<_> = hosts.collect();
    hosts.sort_by_key(|(host, _)| (host.starts_with('*'), Reverse(host.len())));
    hosts
}

/// The rules of a VirtualService that apply at a place.
fn placed<'s>(
    of: &'s VirtualService,
    holds: impl Fn(&MatchScope) -> bool,
) -> Vec<ApplicableRule<'s>> {
    let rules = of.http.iter().filter_map(|rule| {
        let matches = rule.here(&holds)?;
        Some(ApplicableRule { of, rule, matches })
    });
    rules.collect()
}

/// The authorities of a service.
fn names(service: &Service, scope: &SidecarScope) -> Vec<String> {
    let mut names = service.names(&scope.namespace);
    names.extend(
        service
            .addresses
            .iter()
            .map(|address| address.addr().to_string()),
    );
    names
}
