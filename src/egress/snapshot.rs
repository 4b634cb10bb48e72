//! The snapshot for requests: everything that can affect a decision, parsed once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use json::text;
use serde_json::{Value, json};

use super::ambient;
use super::destination_rule::DestinationRule;
use super::dns::Zone;
use super::firewall::Firewall;
use super::gateway::Gateway;
use super::host_index::HostIndex;
use super::mesh_config;
use super::network_policy::NetworkPolicy;
use super::object::{self, Labels, Object, Unknown, labels};
use super::peer::PeerAuthentication;
use super::placement::{Pool, pool_of};
use super::pod::{self, PlacementContext, Pod, Proxy};
use super::rbac::AuthorizationPolicy;
use super::request::Source;
use super::service::{Alias, Service};
use super::service_registry::{self, free, noting};
use super::sidecar::Sidecar;
use super::snapshot_input::{ClusterRanges, MeshInstall, SnapshotInput};
use super::unsupported::{self, AllUnsupported};
use super::virtual_service::VirtualService;
use super::vpc::WayOut;

/// Everything that can affect a decision. Objects of a kind are sorted by creation time, then by name.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(super) mesh: MeshInstall,
    pub(super) ranges: ClusterRanges,
    pub(super) namespaces: BTreeMap<String, Labels>,
    nodes: BTreeMap<String, String>,
    pub(super) pools: Vec<Pool>,
    pub(super) pods: Vec<Pod>,
    pub(super) services: Vec<Service>,
    pub(super) aliases: Vec<Alias>,
    pub(super) sidecars: Vec<Sidecar>,
    pub(super) virtual_services: Vec<VirtualService>,
    pub(super) gateways: Vec<Gateway>,
    destination_rules: Vec<DestinationRule>,
    pub(super) authorization: Vec<AuthorizationPolicy>,
    pub(super) authentication: Vec<PeerAuthentication>,
    network_policies: HashMap<String, Vec<NetworkPolicy>>,
    pub(super) firewalls: Vec<Firewall>,
    pub(super) outside_vpc: bool,
    pub(super) no_internet: bool,
    pub(super) zones: Vec<Zone>,
    pub(super) unsupported: AllUnsupported,
    pub(super) firewall_policies: Vec<Value>,
    pub(super) way_out: Option<WayOut>,
    /// What could not be read.
    pub(super) unread: Vec<Unknown>,
    unknown: Vec<Unknown>,
    /// The same by object, without objects whose whole kind is not covered.
    unknown_by: HashMap<Object, Vec<Unknown>>,
    /// The numbers of the hosts that have services; the services of each number, and the numbers of the hosts that a
    /// VirtualService routes to.
    hosts: HashMap<String, usize>,
    services_by_host: Vec<Vec<usize>>,
    sent_to: Vec<Vec<usize>>,
    /// Kubernetes Services by address.
    service_addresses: HashMap<IpAddr, usize>,
    /// Pods by namespace, and by address.
    residents: HashMap<String, Vec<usize>>,
    pod_addresses: HashMap<IpAddr, usize>,
    /// DestinationRules by namespace, then by host.
    rules: HashMap<String, HostIndex<Vec<usize>>>,
}

impl Snapshot {
    /// Creates a snapshot. Invalid objects are not in it; fields that are not covered are in [`Snapshot::unknown`].
    pub fn read(sources: &SnapshotInput) -> Snapshot {
        let placed: Vec<_> = sources.kubernetes.iter().map(object::placed).collect();
        let mut objects: Vec<&Value> = placed.iter().map(AsRef::as_ref).collect();
        // The same objects in another order give the same trace; the oldest object takes precedence, as in Istio.
        objects.sort_by_cached_key(|each| {
            let created = text(each, "/metadata/creationTimestamp").to_owned();
            (created, Object::of(each), each.to_string())
        });
        let of = |kind: &'static str| {
            objects
                .iter()
                .copied()
                .filter(move |each| text(each, "/kind") == kind)
        };
        // Kinds that share a name with a kind of another API group.
        let istio = |kind| of(kind).filter(|each| text(each, "/apiVersion").contains(".istio.io/"));
        let (mesh, mut unknown) = mesh_config::applied(&objects, &sources.mesh);
        let (services, aliases) =
            service_registry::services(&objects, sources.ranges.services, &mut unknown);
        let mut pools: Vec<Pool> = sources.pools.iter().map(Pool::read).collect();
        pools.sort_by(|a, b| a.name.cmp(&b.name));
        let nodes = of("Node")
            .filter_map(|node| Some((text(node, "/metadata/name").to_owned(), pool_of(node)?)));
        let mut snapshot = Snapshot {
            mesh,
            ranges: sources.ranges.clone(),
            namespaces: namespaces(of("Namespace")),
            nodes: nodes.collect(),
            pools,
            pods: Vec::new(),
            services,
            aliases,
            sidecars: noting(istio("Sidecar").map(Sidecar::read), &mut unknown),
            virtual_services: noting(
                istio("VirtualService").map(VirtualService::read),
                &mut unknown,
            ),
            gateways: noting(istio("Gateway").map(Gateway::read), &mut unknown),
            destination_rules: noting(
                istio("DestinationRule").map(DestinationRule::read),
                &mut unknown,
            ),
            authorization: noting(
                istio("AuthorizationPolicy").map(AuthorizationPolicy::read),
                &mut unknown,
            ),
            authentication: istio("PeerAuthentication")
                .map(PeerAuthentication::read)
                .collect(),
            network_policies: HashMap::new(),
            firewalls: firewalls(sources),
            outside_vpc: sources.outside_vpc,
            zones: sources
                .zones
                .iter()
                .map(|(zone, records)| Zone::read(zone, records))
                .filter(|zone| {
                    let mut networks = zone.networks.iter();
                    networks.len() == 0 || networks.any(|each| in_network(sources, each))
                })
                .collect(),
            no_internet: sources.no_internet,
            unsupported: AllUnsupported::read(objects.iter().copied()),
            firewall_policies: sources.firewall_policies.clone(),
            way_out: sources.way_out.clone(),
            unread: sources.unread.clone(),
            unknown,
            unknown_by: HashMap::new(),
            hosts: HashMap::new(),
            services_by_host: Vec::new(),
            sent_to: Vec::new(),
            service_addresses: HashMap::new(),
            residents: HashMap::new(),
            pod_addresses: HashMap::new(),
            rules: HashMap::new(),
        };
        snapshot
            .unknown
            .extend(ambient::waypoints(objects.iter().copied()));
        snapshot.unknown.extend(
            snapshot
                .firewalls
                .iter()
                .flat_map(|rule| rule.unknown.clone()),
        );
        snapshot
            .unknown
            .extend(snapshot.zones.iter().flat_map(|zone| zone.unknown.clone()));
        snapshot.pods = pod::read(&objects, &snapshot.ground());
        let taken = snapshot.pods.iter().filter_map(|pod| pod.address).collect();
        let taken: BTreeSet<IpAddr> = taken;
        let mut of_nodes = free(snapshot.ranges.nodes, taken.clone());
        let mut of_pods = free(snapshot.ranges.pods, taken);
        for pod in &mut snapshot.pods {
            pod.address = pod.address.or_else(|| match pod.host_network {
                true => of_nodes.next(),
                false => of_pods.next(),
            });
        }
        let kubernetes = |each: &&Value| unsupported::group(each) == "networking.k8s.io";
        let policies = of("NetworkPolicy").filter(kubernetes);
        for policy in policies.filter_map(NetworkPolicy::read) {
            snapshot.unknown.extend(policy.unknown.iter().cloned());
            let own = policy.object.namespace.clone();
            snapshot
                .network_policies
                .entry(own)
                .or_default()
                .push(policy);
        }
        for pod in &snapshot.pods {
            snapshot.unknown.extend(pod.unknown());
        }
        for each in &snapshot.unknown {
            let of = snapshot.unknown_by.entry(each.object.clone());
            of.or_default().push(each.clone());
        }
        let unsupported: Vec<Unknown> = snapshot.unsupported.unknown().collect();
        snapshot.unknown.extend(unsupported);
        snapshot.unknown.extend(snapshot.unread.iter().cloned());
        snapshot.index();
        snapshot
    }

    /// What is known of the cluster when pods are placed.
    fn ground(&self) -> PlacementContext<'_> {
        PlacementContext {
            pools: &self.pools,
            nodes: &self.nodes,
            namespaces: &self.namespaces,
        }
    }

    fn index(&mut self) {
        for (index, service) in self.services.iter().enumerate() {
            let next = self.services_by_host.len();
            let number = *self.hosts.entry(service.host.clone()).or_insert(next);
            if number == next {
                self.services_by_host.push(Vec::new());
            }
            self.services_by_host[number].push(index);
            for address in service.addresses.iter().filter(|_| service.kubernetes) {
                self.service_addresses
                    .entry(address.addr())
                    .or_insert(index);
            }
        }
        let sent_to = |each: &VirtualService| {
            let hosts = each.destinations().map(|to| self.hosts.get(&to.host));
            let numbers: BTreeSet<usize> = hosts.flatten().copied().collect();
            numbers.into_iter().collect()
        };
        self.sent_to = self.virtual_services.iter().map(sent_to).collect();
        for (index, pod) in self.pods.iter().enumerate() {
            self.residents
                .entry(pod.namespace().to_owned())
                .or_default()
                .push(index);
            if let Some(address) = pod.address {
                self.pod_addresses.entry(address).or_insert(index);
            }
        }
        for (index, rule) in self.destination_rules.iter().enumerate() {
            let of = self.rules.entry(rule.object.namespace.clone()).or_default();
            of.at(&rule.host, Vec::new).push(index);
        }
    }

    /// The NetworkPolicies of a namespace.
    pub(super) fn network_policies(&self, namespace: &str) -> &[NetworkPolicy] {
        self.network_policies
            .get(namespace)
            .map_or(&[], Vec::as_slice)
    }

    /// The services of exactly this host, the oldest first.
    pub(super) fn services_of(&self, host: &str) -> impl Iterator<Item = &Service> {
        let number = self.hosts.get(host).copied();
        number
            .into_iter()
            .flat_map(|number| self.services_numbered(number))
    }

    /// The alias with this host.
    pub(super) fn alias(&self, host: &str) -> Option<&Alias> {
        self.aliases.iter().find(|alias| alias.host == host)
    }

    /// The number of a host that has services; numbers are below [`Snapshot::count_of_hosts`], starting at 0.
    pub(super) fn number_of(&self, host: &str) -> Option<usize> {
        self.hosts.get(host).copied()
    }

    /// The number of hosts that have services.
    pub(super) fn count_of_hosts(&self) -> usize {
        self.services_by_host.len()
    }

    /// The services of the host with this number, the oldest first.
    pub(super) fn services_numbered(&self, number: usize) -> impl Iterator<Item = &Service> {
        let found = self.services_by_host.get(number).into_iter().flatten();
        found.filter_map(|index| self.services.get(*index))
    }

    /// The VirtualServices, each with the numbers of the hosts that it routes to.
    pub(super) fn routed(&self) -> impl Iterator<Item = (&VirtualService, &[usize])> {
        let sent_to = self.sent_to.iter().map(Vec::as_slice);
        self.virtual_services.iter().zip(sent_to)
    }

    /// The Kubernetes Service with this address.
    pub(super) fn service_at(&self, address: IpAddr) -> Option<&Service> {
        self.services.get(*self.service_addresses.get(&address)?)
    }

    /// The pods of a namespace, by name.
    pub(super) fn pods_of(&self, namespace: &str) -> impl Iterator<Item = &Pod> {
        let found = self.residents.get(namespace).into_iter().flatten();
        found.filter_map(|index| self.pods.get(*index))
    }

    /// The pod with this address.
    pub(super) fn pod_at(&self, address: IpAddr) -> Option<&Pod> {
        self.pods.get(*self.pod_addresses.get(&address)?)
    }

    /// The pod that serves the cluster's DNS; if the objects contain none, the one that GKE runs.
    pub(super) fn dns_server(&self) -> Pod {
        let label = |pod: &&Pod| {
            pod.labels
                .get("k8s-app")
                .is_some_and(|name| name == "kube-dns")
        };
        let found = self.pods_of("kube-system").find(label).cloned();
        found.unwrap_or_else(|| {
            let template = json!({"metadata": {"labels": {"k8s-app": "kube-dns"}}});
            let object = Object::new("Pod", "kube-system", "kube-dns");
            self.imagined(&object, &template)
        })
    }

    /// A pod that is not among the objects, as it would be created.
    fn imagined(&self, object: &Object, template: &Value) -> Pod {
        let mut pod = self.ground().made(object, template);
        pod.address = self.unused_address();
        pod
    }

    /// An address of the pods' range that no pod has.
    fn unused_address(&self) -> Option<IpAddr> {
        let taken = self.pod_addresses.keys().copied().collect();
        free(self.ranges.pods, taken).next()
    }

    /// The DestinationRules of a namespace for a host among those that count: those of the most specific pattern, the oldest
    /// first.
    pub(super) fn rules_of(
        &self,
        namespace: &str,
        host: &str,
        counts: impl Fn(&DestinationRule) -> bool,
    ) -> Vec<&DestinationRule> {
        let rule = |index: &usize| self.destination_rules.get(*index);
        let any = |all: &Vec<usize>| all.iter().filter_map(rule).any(&counts);
        let rules = self.rules.get(namespace);
        let rules = rules.and_then(|rules| rules.find_where(host, any));
        let found = rules.into_iter().flatten().filter_map(rule);
        found.filter(|rule| counts(rule)).collect()
    }

    /// The Sidecar resource for a pod: one that selects it, otherwise its namespace's, otherwise the root namespace's.
    pub(super) fn sidecar(&self, namespace: &str, labels: &Labels) -> Option<&Sidecar> {
        let of = |namespace: &str, selecting: bool| {
            let mut all = self.sidecars.iter();
            let namespace = namespace.to_owned();
            all.find(|each| {
                each.object.namespace == namespace
                    && each.workloads.is_empty() != selecting
                    && each.workloads.matches(labels)
            })
        };
        of(namespace, true)
            .or_else(|| of(namespace, false))
            .or_else(|| of(&self.mesh.root_namespace, false))
    }

    /// The pod of a source. If a namespace has none of its own, a pod as a plain Deployment in it would create it.
    pub(super) fn pod(&self, source: &Source) -> Pod {
        let mut meant = self
            .pods_of(&source.namespace)
            .filter(|pod| match &source.pod {
                Some(name) => pod.object.name == *name,
                None => pod.proxy != Proxy::Gateway,
            });
        let mut pod = meant.next().cloned().unwrap_or_else(|| {
            let name = source.pod.as_deref().unwrap_or("client");
            let template = json!({"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": name}]}});
            self.imagined(&Object::new("Pod", &source.namespace, name), &template)
        });
        let (proxy, because) = match (source.sidecar, pod.proxy) {
            (Some(true), Proxy::Absent) => (Proxy::Sidecar, "asked for with a sidecar"),
            (Some(false), Proxy::Sidecar) => (Proxy::Absent, "asked for without a sidecar"),
            _ => return pod,
        };
        // It is another pod, with the labels of this one.
        pod.address = self.unused_address();
        pod.proxy = proxy;
        pod.because = because.to_owned();
        pod
    }

    /// What is not covered of an object.
    pub(super) fn unknown_of(&self, object: &Object) -> &[Unknown] {
        self.unknown_by.get(object).map_or(&[], Vec::as_slice)
    }

    /// Whether anything at all is not covered.
    pub(super) fn is_doubtful(&self) -> bool {
        !self.unknown.is_empty() || !self.firewall_policies.is_empty() || self.way_out.is_some()
    }

    /// The fields and objects that are not covered.
    pub fn unknown(&self) -> &[Unknown] {
        &self.unknown
    }
}

/// The labels of each namespace, including the one that the API server adds.
fn namespaces<'v>(objects: impl Iterator<Item = &'v Value>) -> BTreeMap<String, Labels> {
    let one = |object: &Value| {
        let name = text(object, "/metadata/name").to_owned();
        let mut labels = labels(object, "/metadata/labels");
        labels.insert("kubernetes.io/metadata.name".to_owned(), name.clone());
        (name, labels)
    };
    objects.map(one).collect()
}

/// The firewall rules, including those with which GKE lets pods and nodes reach machines of their cluster. GKE creates them with
/// the cluster, so rules that were given before that do not contain them.
fn firewalls(sources: &SnapshotInput) -> Vec<Firewall> {
    let mut all: Vec<Firewall> = sources
        .firewalls
        .iter()
        .filter_map(Firewall::read)
        .filter(|rule| in_network(sources, &rule.network))
        .collect();
    let protocols = ["tcp", "udp", "icmp", "esp", "ah", "sctp"];
    // From pods to every machine of the cluster, and from its nodes.
    for (suffix, range, protocols) in [
        ("-all", sources.ranges.pods, &protocols[..]),
        ("-vms", sources.ranges.nodes, &protocols[..3]),
    ] {
        let made = |rule: &Firewall| {
            rule.object.name.starts_with("gke-") && rule.object.name.ends_with(suffix)
        };
        if !all.iter().any(made) {
            let allowed = protocols.iter().map(|name| json!({"IPProtocol": name}));
            all.extend(Firewall::read(&json!({
                "name": format!("gke-CLUSTER{suffix}"),
                "direction": "INGRESS",
                "priority": 1000,
                "sourceRanges": [range.to_string()],
                "allowed": allowed.collect::<Vec<Value>>(),
            })));
        }
    }
    all
}

/// Whether a network, as a URL or a name, is the cluster's. An object without a network counts as one of it.
fn in_network(sources: &SnapshotInput, network: &str) -> bool {
    let name = |network: &str| network.rsplit('/').next().unwrap_or_default().to_owned();
    let own = sources.network.as_deref();
    network.is_empty() || own.is_none_or(|own| name(own) == name(network))
}
