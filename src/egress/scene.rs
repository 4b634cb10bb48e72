//! The scene of a request: everything that has a say in it, read once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use serde_json::Value;

use super::account::Account;
use super::cluster::Cluster;
use super::destination_rule::DestinationRule;
use super::dns::Zone;
use super::field::{list, text};
use super::firewall::Firewall;
use super::object::{Labels, Object, Unknown, labels};
use super::placement::{Pool, pool_of};
use super::pod::{self, Ground, Pod};
use super::request::{Request, Source};
use super::service::{Service, listed};
use super::service_entry;
use super::sidecar::{OutboundPolicy, Sidecar};

/// The mesh as it is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mesh {
    /// The namespace whose policies hold for all.
    pub root_namespace: String,
    /// The domain of its identities: `PROJECT.svc.id.goog` with Cloud Service Mesh.
    pub trust_domain: String,
    /// Istio's version: major and minor.
    pub version: (u32, u32),
    /// `meshConfig.outboundTrafficPolicy`.
    pub outbound: OutboundPolicy,
    /// `meshConfig.connectTimeout`.
    pub connect_timeout: Duration,
}

impl Default for Mesh {
    /// A managed mesh of today (asmcli's version of 2026-04); time-outs and policies are Istio's defaults.
    fn default() -> Mesh {
        Mesh {
            root_namespace: "istio-system".to_owned(),
            trust_domain: "cluster.local".to_owned(),
            version: (1, 28),
            outbound: OutboundPolicy::AllowAny,
            connect_timeout: Duration::from_secs(10),
        }
    }
}

/// Addresses of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranges {
    /// Of nodes.
    pub nodes: Ipv4Net,
    /// Of pods.
    pub pods: Ipv4Net,
    /// Of services.
    pub services: Ipv4Net,
    /// Of the control plane.
    pub control_plane: Ipv4Net,
}

impl Default for Ranges {
    /// The tutorial's.
    fn default() -> Ranges {
        let range = |c: [u8; 4], length| Ipv4Net::new_assert(Ipv4Addr::from(c), length);
        Ranges {
            nodes: range([10, 0, 0, 0], 24),
            pods: range([10, 1, 0, 0], 16),
            services: range([10, 2, 0, 0], 20),
            control_plane: range([10, 5, 0, 0], 28),
        }
    }
}

/// What a scene is read from: objects as manifests or as live answers, in any order.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Objects of the cluster: Kubernetes' own and the mesh's. Kinds that decide nothing are passed over.
    pub kubernetes: Vec<Value>,
    /// Firewall rules of compute v1, of the cluster's network only.
    pub firewalls: Vec<Value>,
    /// Managed zones of DNS v1 that the cluster's network sees, each with its record sets.
    pub zones: Vec<(Value, Vec<Value>)>,
    /// Node pools of container v1.
    pub pools: Vec<Value>,
    /// Addresses of the cluster.
    pub ranges: Ranges,
    /// The mesh.
    pub mesh: Mesh,
}

/// Everything that has a say in a request.
#[derive(Debug, Clone)]
pub struct Scene {
    pub(super) mesh: Mesh,
    pub(super) ranges: Ranges,
    pub(super) namespaces: BTreeMap<String, Labels>,
    pub(super) pools: Vec<Pool>,
    pub(super) pods: Vec<Pod>,
    pub(super) services: Vec<Service>,
    pub(super) sidecars: Vec<Sidecar>,
    pub(super) destination_rules: Vec<DestinationRule>,
    pub(super) firewalls: Vec<Firewall>,
    pub(super) zones: Vec<Zone>,
    unknown: Vec<Unknown>,
}

impl Scene {
    /// Reads a scene. What cannot be read is not in it, or is among [`Scene::unknown`].
    pub fn read(sources: &Sources) -> Scene {
        let mut objects = sources.kubernetes.clone();
        // Whoever states the same in another order gets the same account.
        objects.sort_by_cached_key(|each| (Object::of(each), each.to_string()));
        let of = |kind: &'static str| {
            objects
                .iter()
                .filter(move |each| text(each, "/kind") == kind)
        };
        let mut unknown = Vec::new();

        let mut pools: Vec<Pool> = sources.pools.iter().map(Pool::read).collect();
        pools.sort_by(|a, b| a.name.cmp(&b.name));
        let nodes = of("Node")
            .filter_map(|node| Some((text(node, "/metadata/name").to_owned(), pool_of(node)?)));
        let nodes = nodes.collect();
        let namespaces = namespaces(of("Namespace"));
        let ground = Ground {
            pools: &pools,
            nodes: &nodes,
            namespaces: &namespaces,
        };
        let mut pods = pod::read(&objects, &ground);
        let taken = pods.iter().filter_map(|pod| pod.address).collect();
        let mut free = free(sources.ranges.pods, taken);
        for pod in &mut pods {
            pod.address = pod.address.or_else(|| free.next());
        }

        let mut services: Vec<Service> = of("Service")
            .map(|service| {
                let same = |each: &&Value| {
                    Object::of(each).namespace == text(service, "/metadata/namespace")
                        && backs(each, text(service, "/metadata/name"))
                };
                let listed = of("Endpoints")
                    .chain(of("EndpointSlice"))
                    .filter(same)
                    .flat_map(listed);
                Service::read(service, listed.collect())
            })
            .collect();
        give_addresses(&mut services, sources.ranges.services);
        for entry in of("ServiceEntry") {
            let (hosts, strange) = service_entry::read(entry);
            services.extend(hosts);
            unknown.extend(strange);
        }
        services.sort_by(|a, b| {
            (&a.created, &a.object, &a.host).cmp(&(&b.created, &b.object, &b.host))
        });

        let mut sidecars = Vec::new();
        for value in of("Sidecar") {
            let (sidecar, strange) = Sidecar::read(value);
            sidecars.push(sidecar);
            unknown.extend(strange);
        }
        sidecars.sort_by(|a, b| (&a.created, &a.object).cmp(&(&b.created, &b.object)));
        let mut destination_rules = Vec::new();
        for value in of("DestinationRule") {
            let (rule, strange) = DestinationRule::read(value);
            destination_rules.push(rule);
            unknown.extend(strange);
        }
        destination_rules.sort_by(|a, b| (&a.created, &a.object).cmp(&(&b.created, &b.object)));

        let firewalls: Vec<Firewall> = sources
            .firewalls
            .iter()
            .filter_map(Firewall::read)
            .collect();
        let zones: Vec<Zone> = sources
            .zones
            .iter()
            .map(|(zone, records)| Zone::read(zone, records))
            .collect();
        unknown.extend(firewalls.iter().flat_map(|rule| rule.unknown.clone()));
        unknown.extend(zones.iter().flat_map(|zone| zone.unknown.clone()));
        Scene {
            mesh: sources.mesh.clone(),
            ranges: sources.ranges.clone(),
            namespaces,
            pools,
            pods,
            services,
            sidecars,
            destination_rules,
            firewalls,
            zones,
            unknown,
        }
    }

    /// What happens to a request.
    pub fn account(&self, request: &Request) -> Account {
        let _ = request;
        Account {
            hops: Vec::new(),
            got: super::account::Got::Failure(super::account::Failure::Reset),
            waits: Duration::ZERO,
            connected: None,
            lines: Vec::new(),
            unknown: self.unknown.clone(),
        }
    }

    /// The outbound clusters of a pod's proxy, as `istioctl proxy-config clusters POD --direction outbound` lists them; none of
    /// a pod without a proxy.
    pub fn clusters(&self, of: &Source) -> Vec<Cluster> {
        let _ = of;
        Vec::new()
    }

    /// What of the objects is not covered.
    pub fn unknown(&self) -> &[Unknown] {
        &self.unknown
    }
}

/// The labels of each namespace, with the one that the API server adds.
fn namespaces<'v>(objects: impl Iterator<Item = &'v Value>) -> BTreeMap<String, Labels> {
    let one = |object: &Value| {
        let name = text(object, "/metadata/name").to_owned();
        let mut labels = labels(object, "/metadata/labels");
        labels.insert("kubernetes.io/metadata.name".to_owned(), name.clone());
        (name, labels)
    };
    objects.map(one).collect()
}

/// Whether an Endpoints or EndpointSlice object is of the Service of this name.
fn backs(object: &Value, service: &str) -> bool {
    let labelled = labels(object, "/metadata/labels")
        .get("kubernetes.io/service-name")
        .is_some_and(|name| name == service);
    labelled || (text(object, "/kind") == "Endpoints" && text(object, "/metadata/name") == service)
}

/// Addresses of a range that nobody has, in order, without its own and its gateway's.
fn free(range: Ipv4Net, taken: BTreeSet<IpAddr>) -> impl Iterator<Item = IpAddr> {
    range
        .hosts()
        .skip(1)
        .map(IpAddr::V4)
        .filter(move |address| !taken.contains(address))
}

/// Gives an address to Services that will have one.
fn give_addresses(services: &mut [Service], range: Ipv4Net) {
    let taken = services
        .iter()
        .flat_map(|service| service.addresses.iter().map(IpNet::addr))
        .collect();
    let mut free = free(range, taken);
    for service in services {
        if service.addresses.is_empty() && !service.headless {
            service.addresses.extend(free.next().map(IpNet::from));
        }
    }
}
