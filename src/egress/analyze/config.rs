//! The objects that the analyzers read, parsed once.
//!
//! Objects in Kubernetes' own namespaces are not read: istioctl skips them too (`inject.IgnoredNamespaces`).

use std::collections::BTreeMap;

use json::text;
use serde_json::Value;

use super::Code;
use super::host_table::HostTable;
use super::workload::{self, Workload};
use crate::destination_rule::DestinationRule;
use crate::gateway::Gateway;
use crate::host::within;
use crate::object::{Labels, Object, labels};
use crate::placement::{Pool, pool_of};
use crate::pod::{self, PlacementContext, Pod};
use crate::selector::Selector;
use crate::service::{Endpoints, Service};
use crate::service_entry;
use crate::virtual_service::VirtualService;

/// The namespace of mesh-wide objects. Another root namespace is not supported here.
pub const ROOT: &str = "istio-system";

/// The namespaces whose objects istioctl does not read.
const IGNORED: &[&str] = &[
    "kube-system",
    "kube-public",
    "kube-node-lease",
    "local-path-storage",
];

/// What decides about packets outside the cluster, as JSON.
#[derive(Debug, Clone, Copy)]
pub struct Network<'a> {
    /// Firewall rules of compute v1.
    pub firewalls: &'a [Value],
    /// Node pools of container v1.
    pub pools: &'a [Value],
    /// Whether the machines are outside Google's networks: then no firewall rule applies.
    pub outside_vpc: bool,
}

/// A configuration.
pub struct Config<'a> {
    objects: &'a [Value],
    /// The labels of every namespace.
    pub namespaces: BTreeMap<String, Labels>,
    /// Pods: the running ones, and those that workloads without pods would create.
    pub pods: Vec<Pod>,
    /// Services, and the hosts of ServiceEntries.
    pub services: Vec<Service>,
    /// VirtualServices, parsed and as JSON.
    pub virtual_services: Vec<(VirtualService, &'a Value)>,
    /// DestinationRules, parsed and as JSON.
    pub rules: Vec<(DestinationRule, &'a Value)>,
    /// Istio Gateways.
    pub gateways: Vec<Gateway>,
    /// Istio Gateways as JSON, in the same order.
    pub gateway_values: Vec<&'a Value>,
    /// The pods of the cluster as istioctl counts them, and those that workloads without pods would create.
    pub workloads: Vec<Workload<'a>>,
    /// The hosts of Services and ServiceEntries by the namespaces that see them.
    pub hosts: HostTable,
    /// The codes that objects suppress, separated by commas.
    suppressed: BTreeMap<Object, &'a str>,
    /// What decides about packets outside the cluster; `None` if it is not known.
    pub network: Option<Network<'a>>,
}

impl<'a> Config<'a> {
    /// Reads objects.
    pub fn read(objects: &'a [Value], network: Option<Network<'a>>) -> Config<'a> {
        let mut config = Config {
            gateway_values: Vec::new(),
            workloads: Vec::new(),
            hosts: HostTable::default(),
            suppressed: BTreeMap::new(),
            network,
            objects,
            namespaces: BTreeMap::new(),
            pods: Vec::new(),
            services: Vec::new(),
            virtual_services: Vec::new(),
            rules: Vec::new(),
            gateways: Vec::new(),
        };
        let names = config
            .of("Namespace")
            .map(|each| (Object::of(each).name, labels(each, "/metadata/labels")));
        config.namespaces = names.collect();
        let pools: Vec<Pool> = network
            .iter()
            .flat_map(|network| network.pools)
            .map(Pool::read)
            .collect();
        let nodes = config
            .of("Node")
            .filter_map(|node| Some((text(node, "/metadata/name").to_owned(), pool_of(node)?)));
        let ground = PlacementContext {
            pools: &pools,
            nodes: &nodes.collect(),
            namespaces: &config.namespaces,
        };
        let read: Vec<&Value> = config.objects().collect();
        let codes = |each: &'a Value| -> &'a str {
            let annotation = "/metadata/annotations/galley.istio.io~1analyze-suppress";
            text(each, annotation)
        };
        let suppressing = read.iter().copied();
        config.suppressed = suppressing
            .map(|each| (Object::of(each), codes(each)))
            .filter(|(_, codes)| !codes.is_empty())
            .collect();
        config.pods = pod::read(&read, &ground);
        config.workloads = workload::read(&read, &config.pods, &config.namespaces);
        config.hosts = HostTable::read(config.of("ServiceEntry"), config.of("Service"));
        let services = config
            .of("Service")
            .map(|each| Service::read(each, Vec::new()));
        let entries = config
            .of("ServiceEntry")
            .flat_map(|each| service_entry::read(each).0);
        config.services = services.chain(entries).collect();
        config.virtual_services = config
            .of("VirtualService")
            .map(|each| (VirtualService::read(each).0, each))
            .collect();
        config.rules = config
            .of("DestinationRule")
            .map(|each| (DestinationRule::read(each).0, each))
            .collect();
        config.gateway_values = config.of("Gateway").collect();
        config.gateways = config
            .gateway_values
            .iter()
            .map(|each| Gateway::read(each).0)
            .collect();
        config
    }

    /// All objects, except those in namespaces that are not read.
    pub fn objects(&self) -> impl Iterator<Item = &'a Value> + use<'a> {
        self.objects.iter().filter(|each| {
            let namespace = match text(each, "/kind") {
                "Namespace" => text(each, "/metadata/name"),
                _ => text(each, "/metadata/namespace"),
            };
            !IGNORED.contains(&namespace)
        })
    }

    /// The objects of a kind. Kinds of the Gateway API that share a name with one of Istio's are excluded.
    pub fn of(&self, kind: &'static str) -> impl Iterator<Item = &'a Value> + use<'a> {
        self.objects().filter(move |each| {
            text(each, "/kind") == kind
                && !text(each, "/apiVersion").starts_with("gateway.networking.k8s.io/")
        })
    }

    /// The service that is visible from a namespace under this host name; of several, the one with the most specific host.
    pub fn service(&self, namespace: &str, host: &str) -> Option<&Service> {
        let seen = self.services.iter().filter(|service| {
            service.export.reaches(&service.object.namespace, namespace)
                && within(&service.host, host)
        });
        seen.max_by_key(|service| (!service.host.starts_with('*'), service.host.len()))
    }

    /// The Kubernetes Services that select a pod.
    pub fn services_of(&self, pod: &Pod) -> impl Iterator<Item = &Service> {
        self.services
            .iter()
            .filter(move |service| match &service.endpoints {
                Endpoints::Pods(selector) => {
                    service.kubernetes
                        && service.object.namespace == pod.object.namespace
                        && selector.matches(&pod.labels)
                }
                _ => false,
            })
    }

    /// The pod that a workload with this template would create.
    pub fn made(&self, object: &Object, template: &Value) -> Pod {
        let pools: Vec<Pool> = self
            .network
            .iter()
            .flat_map(|network| network.pools)
            .map(Pool::read)
            .collect();
        let ground = PlacementContext {
            pools: &pools,
            nodes: &BTreeMap::new(),
            namespaces: &self.namespaces,
        };
        ground.made(object, template)
    }

    /// The pods that a Gateway selects, in any namespace.
    pub fn pods_of(&self, gateway: &Gateway) -> impl Iterator<Item = &Pod> {
        let selector = gateway.selector.clone();
        self.pods
            .iter()
            .filter(move |pod| selector.matches(&pod.labels))
    }

    /// The workloads that a selector selects, in any namespace.
    pub fn selected<'c>(
        &'c self,
        selector: &'c Selector,
    ) -> impl Iterator<Item = &'c Workload<'a>> {
        self.workloads
            .iter()
            .filter(move |workload| selector.matches(&workload.labels))
    }

    /// Whether a host is outside the mesh, according to a ServiceEntry.
    pub fn external(&self, namespace: &str, host: &str) -> bool {
        let Some(service) = self.service(namespace, host) else {
            return false;
        };
        let mut entries = self
            .of("ServiceEntry")
            .filter(|entry| Object::of(entry) == service.object);
        entries.any(|entry| text(entry, "/spec/location") != "MESH_INTERNAL")
    }

    /// Whether an object has the annotation with which istioctl is told not to report a code of it.
    pub fn suppresses(&self, object: &Object, code: Code) -> bool {
        let codes = self.suppressed.get(object);
        codes.is_some_and(|codes| {
            codes
                .split(',')
                .any(|own| own == "*" || own == code.as_str())
        })
    }
}
