//! The view that one proxy has of the mesh: services, VirtualServices and DestinationRules, by export and by its Sidecar
//! resource.

use std::cell::OnceCell;
use std::collections::HashMap;

use super::destination_rule::{ConnectionPolicy, DestinationRule, Subset};
use super::envoy_cluster::{Discovery, EnvoyCluster};
use super::host::overlap;
use super::object::{Labels, Object};
use super::pod::{Pod, Proxy};
use super::request::Source;
use super::service::{Endpoints, Port, Protocol, Service};
use super::sidecar::{OutboundPolicy, Sidecar};
use super::snapshot::Snapshot;
use super::virtual_service::{MESH, VirtualService};

/// The view of a proxy. Created once for all pods of a namespace with the same labels.
#[derive(Debug)]
pub struct SidecarScope<'s> {
    /// The snapshot.
    pub snapshot: &'s Snapshot,
    /// The proxy's namespace.
    pub namespace: String,
    /// The proxy's labels.
    pub labels: Labels,
    /// The Sidecar resource that applies to it.
    pub sidecar: Option<&'s Sidecar>,
    /// The visible service of each host, by the snapshot's number of the host.
    services: Vec<Option<&'s Service>>,
    /// The visible VirtualServices, the oldest first: for a sidecar those for [`MESH`], for a gateway those that are exported
    /// to it.
    pub virtual_services: Vec<&'s VirtualService>,
    by_host: OnceCell<ByHost<'s>>,
}

/// The indices of a scope's VirtualServices, by exact host and by wildcard.
#[derive(Debug, Default)]
struct ByHost<'s> {
    exact: HashMap<&'s str, Vec<usize>>,
    wild: Vec<usize>,
}

impl<'s> ByHost<'s> {
    fn of(virtual_services: &[&'s VirtualService]) -> ByHost<'s> {
        let mut found = ByHost::default();
        for (index, each) in virtual_services.iter().enumerate() {
            for host in &each.hosts {
                match host.starts_with('*') {
                    true => found.wild.push(index),
                    false => found.exact.entry(host).or_default().push(index),
                }
            }
        }
        found
    }
}

/// The DestinationRules that apply to a host: several rules of one namespace and host are merged.
#[derive(Debug, Clone)]
pub struct MergedDestinationRules<'s>(Vec<&'s DestinationRule>);

impl<'s> MergedDestinationRules<'s> {
    /// The rule, or the first of several.
    pub fn object(&self) -> Option<&'s Object> {
        self.0.first().map(|rule| &rule.object)
    }

    /// All of them.
    pub fn objects(&self) -> impl Iterator<Item = &'s Object> {
        self.0.iter().map(|rule| &rule.object)
    }

    /// The names of all subsets.
    pub fn subsets(&self) -> impl Iterator<Item = &'s str> {
        let all = self.0.iter().flat_map(|rule| &rule.subsets);
        all.map(|subset| subset.name.as_str())
    }

    /// The subset of this name.
    pub fn subset(&self, name: &str) -> Option<&'s Subset> {
        self.0.iter().find_map(|rule| rule.subset(name))
    }

    /// The rule that decides about connections to a subset (empty for none) and port, and its settings.
    pub fn policy(&self, subset: &str, port: u16) -> (Option<&'s Object>, ConnectionPolicy) {
        let owner = self.0.iter().find(|rule| rule.subset(subset).is_some());
        match owner.or(self.0.first()) {
            Some(rule) => (Some(&rule.object), rule.policy(rule.subset(subset), port)),
            None => (None, ConnectionPolicy::default()),
        }
    }
}

impl Snapshot {
    /// The outbound clusters of a pod's proxy, as `istioctl proxy-config clusters POD --direction outbound` lists them; none
    /// for a pod without a proxy.
    pub fn clusters(&self, of: &Source) -> Vec<EnvoyCluster> {
        let pod = self.pod(of);
        match pod.proxy {
            Proxy::Absent => Vec::new(),
            _ => SidecarScope::of(self, &pod).clusters(),
        }
    }
}

impl<'s> SidecarScope<'s> {
    /// The view of a pod's proxy.
    pub fn of(snapshot: &'s Snapshot, pod: &Pod) -> SidecarScope<'s> {
        let sidecar = match pod.proxy {
            Proxy::Gateway => None,
            _ => snapshot.sidecar(pod.namespace(), &pod.labels),
        };
        let mut scope = SidecarScope {
            snapshot,
            namespace: pod.namespace().to_owned(),
            labels: pod.labels.clone(),
            sidecar,
            services: vec![None; snapshot.count_of_hosts()],
            virtual_services: Vec::new(),
            by_host: OnceCell::new(),
        };
        let gateway = pod.proxy == Proxy::Gateway;
        let seen = |each: &&VirtualService| {
            let own = &each.object.namespace;
            let taken = |sidecar: &Sidecar| sidecar.takes(pod.namespace(), own, &each.hosts, None);
            each.export.reaches(own, pod.namespace())
                && (gateway || each.is_for(MESH))
                && sidecar.is_none_or(taken)
        };
        for number in 0..snapshot.count_of_hosts() {
            scope.add(number, |scope, service| scope.known(service, None));
        }
        for (each, sent_to) in snapshot.routed().filter(|(each, _)| seen(each)) {
            scope.virtual_services.push(each);
            // The destination of a route is known too, even if no entry of `egress` names it (Istio's
            // `ConvertToSidecarScope`).
            for number in sent_to.iter().filter(|_| sidecar.is_some()) {
                if scope.services[*number].is_none() {
                    scope.add(*number, |_, _| true);
                }
            }
        }
        scope
    }

    /// Adds the service of a host. Of several, the one in the proxy's own namespace takes precedence, otherwise the oldest;
    /// only those that are exported to the namespace and that `known` accepts count.
    fn add(&mut self, number: usize, known: impl Fn(&SidecarScope, &Service) -> bool) {
        let all = self.snapshot.services_numbered(number);
        let mut seen = all.filter(|service| self.exported(service) && known(self, service));
        let oldest = seen.next();
        let is_own = |service: &&Service| service.object.namespace == self.namespace;
        self.services[number] = match oldest {
            Some(oldest) if !is_own(&oldest) => Some(seen.find(is_own).unwrap_or(oldest)),
            oldest => oldest,
        };
    }

    /// Whether a service is exported to the proxy's namespace.
    fn exported(&self, service: &Service) -> bool {
        service
            .export
            .reaches(&service.object.namespace, &self.namespace)
    }

    /// Whether the Sidecar resource makes a service known to the proxy, on a port or on any.
    pub fn known(&self, service: &Service, port: Option<u16>) -> bool {
        let known = |sidecar: &Sidecar| {
            sidecar.knows(
                &self.namespace,
                &service.object.namespace,
                &service.host,
                port,
            )
        };
        self.sidecar.is_none_or(known)
    }

    /// The VirtualServices for a host, which may be a pattern; the oldest first.
    pub fn about(&self, host: &str) -> Vec<&'s VirtualService> {
        let mut found: Vec<usize> = match host.starts_with('*') {
            true => (0..self.virtual_services.len()).collect(),
            false => {
                let by_host = || ByHost::of(&self.virtual_services);
                let ByHost { exact, wild } = self.by_host.get_or_init(by_host);
                let exact = exact.get(host).into_iter().flatten();
                exact.chain(wild).copied().collect()
            }
        };
        found.sort_unstable();
        found.dedup();
        let all = found
            .into_iter()
            .filter_map(|index| self.virtual_services.get(index).copied());
        all.filter(|each| each.hosts.iter().any(|own| overlap(own, host)))
            .collect()
    }

    /// The visible service of a host.
    pub fn service(&self, host: &str) -> Option<&'s Service> {
        self.services[self.snapshot.number_of(host)?]
    }

    /// The visible services, by host.
    pub fn services(&self) -> Vec<&'s Service> {
        let mut all: Vec<&Service> = self.services.iter().flatten().copied().collect();
        all.sort_by(|a, b| a.host.cmp(&b.host));
        all
    }

    /// The visible services that have this port number, each with that port.
    pub fn on_port(&self, number: u16) -> impl Iterator<Item = (&'s Service, &'s Port)> {
        let all = self.services.iter().flatten();
        let listening = all.filter_map(move |service| Some((*service, service.port(number)?)));
        listening.filter(move |(service, _)| self.known(service, Some(number)))
    }

    /// What the proxy does with unknown destinations, and the object that decides it.
    pub fn policy(&self) -> (OutboundPolicy, Option<&'s Object>) {
        match self.sidecar {
            Some(Sidecar {
                policy: Some(policy),
                object,
                ..
            }) => (*policy, Some(object)),
            _ => (self.snapshot.mesh.outbound, None),
        }
    }

    /// The DestinationRules for a host: of the proxy's namespace, otherwise of the service's, otherwise of the root namespace
    /// (Istio's `PushContext.destinationRule`).
    pub fn rules(&self, host: &str) -> MergedDestinationRules<'s> {
        let own = self
            .service(host)
            .map(|service| service.object.namespace.as_str());
        let namespaces = [
            Some(self.namespace.as_str()),
            own,
            Some(self.snapshot.mesh.root_namespace.as_str()),
        ];
        let found = namespaces.into_iter().flatten().map(|namespace| {
            let seen = |rule: &&DestinationRule| {
                rule.export.reaches(namespace, &self.namespace)
                    && rule.workloads.matches(&self.labels)
            };
            let rules: Vec<_> = self
                .snapshot
                .rules_of(namespace, host)
                .filter(seen)
                .collect();
            rules
        });
        let mut found = found.filter(|rules| !rules.is_empty());
        MergedDestinationRules(found.next().unwrap_or_default())
    }

    /// The outbound clusters.
    pub fn clusters(&self) -> Vec<EnvoyCluster> {
        let mut clusters = Vec::new();
        for service in self.services() {
            let rules = self.rules(&service.host);
            let discovery = match service.endpoints {
                _ if service.headless => Discovery::OriginalDst,
                Endpoints::Pods(_) | Endpoints::Listed(_) => Discovery::Eds,
                Endpoints::Dns(_) => Discovery::StrictDns,
                Endpoints::OriginalDestination => Discovery::OriginalDst,
            };
            let tcp = |port: &&Port| port.protocol != Protocol::Udp;
            for port in service.ports.iter().filter(tcp) {
                let subsets = std::iter::once("").chain(rules.subsets());
                clusters.extend(subsets.map(|subset| EnvoyCluster {
                    host: service.host.clone(),
                    port: port.number,
                    subset: subset.to_owned(),
                    discovery,
                    destination_rule: rules.object().cloned(),
                }));
            }
        }
        let key =
            |cluster: &EnvoyCluster| (cluster.host.clone(), cluster.subset.clone(), cluster.port);
        clusters.sort_by_key(key);
        clusters.dedup();
        clusters
    }
}
