//! The objects that the analyzers read, parsed once.

use std::collections::BTreeMap;

use json::text;
use serde_json::Value;

use crate::destination_rule::DestinationRule;
use crate::gateway::Gateway;
use crate::host::within;
use crate::object::{Labels, Object, labels};
use crate::pod::{self, PlacementContext, Pod};
use crate::service::{Endpoints, Service};
use crate::service_entry;
use crate::virtual_service::VirtualService;

/// The namespace of mesh-wide objects. Another root namespace is not supported here.
pub const ROOT: &str = "istio-system";

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
}

impl<'a> Config<'a> {
    /// Reads objects.
    pub fn read(objects: &'a [Value]) -> Config<'a> {
        let mut config = Config {
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
        let ground = PlacementContext {
            pools: &[],
            nodes: &BTreeMap::new(),
            namespaces: &config.namespaces,
        };
        config.pods = pod::read(&objects.iter().collect::<Vec<_>>(), &ground);
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
        config.gateways = config
            .of("Gateway")
            .map(|each| Gateway::read(each).0)
            .collect();
        config
    }

    /// All objects.
    pub fn objects(&self) -> impl Iterator<Item = &'a Value> + use<'a> {
        self.objects.iter()
    }

    /// The objects of a kind. Kinds of the Gateway API that share a name with one of Istio's are excluded.
    pub fn of(&self, kind: &'static str) -> impl Iterator<Item = &'a Value> + use<'a> {
        self.objects.iter().filter(move |each| {
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

    /// The pods that a Gateway selects, in any namespace.
    pub fn pods_of(&self, gateway: &Gateway) -> impl Iterator<Item = &Pod> {
        let selector = gateway.selector.clone();
        self.pods
            .iter()
            .filter(move |pod| selector.matches(&pod.labels))
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
}
