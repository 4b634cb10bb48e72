//! Traffic that goes past what controls it: past an egress gateway, because neither a NetworkPolicy nor the VPC's firewall stops
//! a direct connection, and past a sidecar, because the pod asks for it.
//!
//! A Sidecar resource with `REGISTRY_ONLY` does not count as a control: a pod can get around its sidecar, as user 1337 or without
//! one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use json::text;
use serde_json::Value;

use super::config::{Config, Network};
use super::injection::is_platform;
use super::workload::Workload;
use super::{Code, Finding};
use crate::firewall::{self, Direction, Firewall, Machine};
use crate::injection::injects;
use crate::network_policy::{self, NetworkPolicy, OtherEnd, PodEnd};
use crate::object::{Labels, Object};
use crate::placement::Pool;
use crate::pod::{Pod, Proxy};
use crate::virtual_service::MESH;

/// An address of the internet of which nothing is known: RFC 5737 reserves it for documentation.
const OUTSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1));

/// The external hosts that VirtualServices send through a gateway, by the gateway, each with its ports.
fn through_gateways<'c>(
    config: &'c Config<'_>,
) -> BTreeMap<&'c Object, BTreeMap<&'c str, Vec<u16>>> {
    let mut found: BTreeMap<&Object, BTreeMap<&str, Vec<u16>>> = BTreeMap::new();
    for (service, _) in &config.virtual_services {
        let namespace = service.object.namespace.as_str();
        let external = service
            .destinations()
            .map(|to| to.host.as_str())
            .filter(|host| config.external(namespace, host));
        let external: BTreeSet<&str> = external.collect();
        let has_mesh_rule = service.is_for(MESH);
        for gateway in config
            .gateways
            .iter()
            .filter(|gateway| service.is_for(&gateway.name()))
        {
            // The route from sidecars to the gateway is in the same VirtualService or in another one.
            let sent = has_mesh_rule || routed_to(config, gateway);
            for host in external.iter().filter(|_| sent) {
                let ports = config
                    .service(namespace, host)
                    .map(|known| known.ports.iter().map(|port| port.number).collect());
                let hosts = found.entry(&gateway.object).or_default();
                hosts.insert(host, ports.unwrap_or_default());
            }
        }
    }
    found
}

/// Whether a VirtualService for sidecars sends to a Service of a gateway's pods.
fn routed_to(config: &Config<'_>, gateway: &crate::gateway::Gateway) -> bool {
    let pods: Vec<&Pod> = config.pods_of(gateway).collect();
    let mut mesh = config
        .virtual_services
        .iter()
        .filter(|(service, _)| service.is_for(MESH));
    mesh.any(|(service, _)| {
        service.destinations().any(|to| {
            let target = config.service(&service.object.namespace, &to.host);
            target.is_some_and(|target| {
                pods.iter()
                    .any(|pod| target.selects(pod.namespace(), &pod.labels))
            })
        })
    })
}

/// What decides about the packets of a pod.
struct Packets<'c> {
    policies: Vec<NetworkPolicy>,
    firewalls: Vec<Firewall>,
    pools: Vec<Pool>,
    outside_vpc: bool,
    namespaces: &'c BTreeMap<String, Labels>,
}

impl<'c> Packets<'c> {
    fn read(config: &'c Config<'_>, network: &Network<'_>) -> Packets<'c> {
        Packets {
            policies: config
                .of("NetworkPolicy")
                .filter(|each| is_kubernetes(each))
                .filter_map(NetworkPolicy::read)
                .collect(),
            firewalls: network
                .firewalls
                .iter()
                .filter_map(Firewall::read)
                .collect(),
            pools: network.pools.iter().map(Pool::read).collect(),
            outside_vpc: network.outside_vpc,
            namespaces: &config.namespaces,
        }
    }

    /// Whether a pod can open a connection to the internet.
    fn pass(&self, pod: &Pod, port: u16) -> bool {
        let end = PodEnd {
            namespace: pod.namespace().to_owned(),
            namespace_labels: self
                .namespaces
                .get(pod.namespace())
                .cloned()
                .unwrap_or_default(),
            labels: pod.labels.clone(),
            address: pod.address,
            ports: pod.ports.clone(),
        };
        let other = OtherEnd::Outside(OUTSIDE);
        let policy =
            network_policy::rule(&self.policies, Direction::Egress, &end, &other, "tcp", port);
        let machine = pod.pool.and_then(|pool| self.pools.get(pool));
        let machine = machine.map_or_else(Machine::default, |pool| pool.machine.clone());
        let wall = firewall::rule(
            &self.firewalls,
            Direction::Egress,
            &machine,
            OUTSIDE,
            None,
            "tcp",
            port,
        );
        policy.passes && (self.outside_vpc || wall.passes)
    }
}

/// Whether an object is of Kubernetes' own API. Objects without an API version count by their kind, as for the other analyzers.
fn is_kubernetes(policy: &Value) -> bool {
    let api_version = text(policy, "/apiVersion");
    api_version.is_empty() || api_version.starts_with("networking.k8s.io/")
}

/// Whether objects of other policy kinds may decide for a namespace: Cilium's, Calico's, FQDN and admin policies.
fn is_undecided(config: &Config<'_>, namespace: &str) -> Option<Object> {
    let own = config.objects().find(|each| {
        let kind = text(each, "/kind");
        let policy = kind.ends_with("NetworkPolicy") || kind.ends_with("NetworkPolicySet");
        let at = text(each, "/metadata/namespace");
        policy && !is_kubernetes(each) && (at.is_empty() || at == namespace)
    });
    own.map(Object::of)
}

/// The pods of the mesh, without gateways, by namespace. A namespace with injection and without pods has one as a plain workload
/// would create it.
fn callers<'c>(config: &'c Config<'_>) -> BTreeMap<&'c str, Vec<Pod>> {
    let mut found: BTreeMap<&str, Vec<Pod>> = BTreeMap::new();
    for (namespace, labels) in config
        .namespaces
        .iter()
        .filter(|(namespace, _)| !is_platform(namespace))
    {
        let own = config
            .pods
            .iter()
            .filter(|pod| pod.namespace() == namespace);
        let (gateways, others): (Vec<&Pod>, Vec<&Pod>) =
            own.partition(|pod| pod.proxy == Proxy::Gateway || is_selected_by_gateway(config, pod));
        let mut pods: Vec<Pod> = others
            .into_iter()
            .filter(|pod| pod.proxy == Proxy::Sidecar)
            .cloned()
            .collect();
        let template = serde_json::json!({"metadata": {"labels": {"app": "any"}}, "spec": {}});
        let injected = injects(labels, &template["metadata"], &template["spec"]).0;
        if pods.is_empty() && gateways.is_empty() && injected {
            let object = Object::new("Pod", namespace, "any");
            pods.push(config.made(&object, &template));
        }
        if !pods.is_empty() {
            found.insert(namespace, pods);
        }
    }
    found
}

fn is_selected_by_gateway(config: &Config<'_>, pod: &Pod) -> bool {
    config
        .gateways
        .iter()
        .any(|gateway| !gateway.selector.is_empty() && gateway.selector.matches(&pod.labels))
}

/// Namespaces whose pods can reach the hosts of an egress gateway without it.
pub fn gateways(config: &Config<'_>) -> Vec<Finding> {
    let Some(network) = &config.network else {
        return Vec::new();
    };
    let gateways = through_gateways(config);
    if gateways.is_empty() {
        return Vec::new();
    }
    let packets = Packets::read(config, network);
    let mut found = Vec::new();
    for (namespace, pods) in callers(config) {
        let object = Object::new("Namespace", "", namespace);
        for (gateway, hosts) in &gateways {
            let ports: BTreeSet<u16> = hosts.values().flatten().copied().collect();
            let open = ports.iter().find_map(|port| {
                let pod = pods.iter().find(|pod| packets.pass(pod, *port))?;
                Some((*port, pod))
            });
            let Some((port, pod)) = open else {
                continue;
            };
            let names: Vec<&str> = hosts.keys().copied().collect();
            let names = names.join(", ");
            found.push(match is_undecided(config, namespace) {
                Some(policy) => Finding::new(
                    Code::EgressGatewayBypassUnknown,
                    &object,
                    format!("unknown whether its pods can reach {names} without {gateway}: {policy} is not evaluated"),
                    format!("a test from a pod without a sidecar, or a NetworkPolicy of networking.k8s.io in {namespace}"),
                ),
                None => Finding::new(
                    Code::EgressGatewayCanBeBypassed,
                    &object,
                    format!("its pods can reach {names} without {gateway}: no NetworkPolicy and no firewall rule stops {} on port {port}, and a sidecar can be bypassed", pod.object),
                    format!("a NetworkPolicy in {namespace} with egress to the gateway's pods, the control plane and DNS only, or a firewall rule that denies egress from its nodes"),
                ),
            });
        }
    }
    found
}

/// Pods that let traffic past their sidecar, or have none in a namespace where pods have one.
pub fn pods(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for workload in &config.workloads {
        if is_platform(&workload.object.namespace) {
            continue;
        }
        for (what, instead) in requested(config, workload) {
            found.push(Finding::new(
                Code::SidecarBypassRequested,
                &workload.object,
                format!("{what}: only NetworkPolicies and the firewall restrict this traffic"),
                instead,
            ));
        }
    }
    found
}

const TRAFFIC: &str = "traffic.sidecar.istio.io";

/// What of its traffic a pod keeps from a sidecar, and what to write instead.
fn requested(config: &Config<'_>, workload: &Workload<'_>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let annotation = |name: &str| workload.annotations.get(name).map(|value| value.trim());
    let without =
        |name: &str| format!("the pod without {name}, and a ServiceEntry for what it needs");
    if workload.proxy == Proxy::Sidecar {
        for (name, what) in [
            ("excludeOutboundIPRanges", "to the addresses"),
            ("excludeOutboundPorts", "to the ports"),
            ("excludeInterfaces", "of the interfaces"),
        ] {
            let name = format!("{TRAFFIC}/{name}");
            if let Some(value) = annotation(&name).filter(|value| !value.is_empty()) {
                found.push((
                    format!("{name}: traffic {what} {value} goes past the sidecar"),
                    without(&name),
                ));
            }
        }
        let name = format!("{TRAFFIC}/includeOutboundIPRanges");
        if let Some(value) = annotation(&name).filter(|value| *value != "*") {
            let but = if value.is_empty() {
                "no address"
            } else {
                value
            };
            found.push((
                format!("{name}: traffic to other addresses than {but} goes past the sidecar"),
                without(&name),
            ));
        }
        let name = "sidecar.istio.io/interceptionMode";
        if annotation(name) == Some("NONE") {
            found.push((
                format!("{name}: NONE, so no traffic is redirected to the sidecar"),
                without(name),
            ));
        }
    }
    let name = "sidecar.istio.io/inject";
    let opts_out = workload
        .labels
        .get(name)
        .or_else(|| workload.annotations.get(name))
        .is_some_and(|value| value == "false");
    let empty = Labels::new();
    let labels = config
        .namespaces
        .get(&workload.object.namespace)
        .unwrap_or(&empty);
    if opts_out && workload.proxy == Proxy::Absent && injects(labels, &Value::Null, &Value::Null).0
    {
        found.push((
            format!("{name}=false: the pod has no sidecar in a namespace where pods have one"),
            format!("the pod without {name}=false"),
        ));
    }
    found
}
