//! What may decide about a request and is not covered, wherever the request passes it: at its source, on its way, at its
//! destination. Each such object or field is recorded in the trace, and makes its verdict unknown.
//!
//! Nothing is decided here, and nothing is recorded for an object that is understood to apply elsewhere.

use std::net::IpAddr;

use super::Simulation;
use super::forward::ReceivedAt;
use super::network::is_metadata_server;
use crate::ambient;
use crate::firewall::{self, Direction};
use crate::host::{overlap, searched, without_port};
use crate::network_policy;
use crate::object::{Labels, Object, Unknown};
use crate::pod::Pod;
use crate::request::Request;
use crate::service::{Endpoints, Service};
use crate::snapshot::Snapshot;
use crate::unsupported::{Role, SelectedPod};
use crate::virtual_service::MESH;
use crate::vpc;

/// The field of a ServiceEntry with the names that a server's certificate must have.
const SERVER_NAMES: &str = "spec.subjectAltNames";

impl<'s> Simulation<'_, 's> {
    /// Records what is not covered of an object, except for what matters only in a TLS handshake of a proxy.
    pub(super) fn notes(&mut self, object: &Object) {
        let found = self.evaluator.snapshot.unknown_of(object).iter();
        let found = found.filter(|each| each.field != SERVER_NAMES);
        self.unknown.extend(found.cloned());
    }

    /// Records what is not covered of a service whose server's certificate a proxy may verify.
    pub(super) fn notes_of_tls(&mut self, object: &Object) {
        let found = self.evaluator.snapshot.unknown_of(object);
        self.unknown.extend(found.iter().cloned());
    }

    /// Records that a part of an object is not covered.
    pub(super) fn taints(&mut self, object: Object, field: &str) {
        let field = field.to_owned();
        self.unknown.insert(Unknown { object, field });
    }

    /// What may have been missing when the snapshot was read.
    pub(super) fn meets_unread(&mut self) {
        self.unknown
            .extend(self.evaluator.snapshot.unread.iter().cloned());
    }

    /// A pod sends or receives packets, whose other end has this address and which go to this port: policies of the cluster's
    /// network, ztunnel, the VPC's firewall, and the way out of the VPC.
    pub(super) fn meets_packets(
        &mut self,
        pod: &Pod,
        direction: Direction,
        other: Option<IpAddr>,
        port: u16,
    ) {
        let snapshot = self.evaluator.snapshot;
        let namespace = snapshot.namespaces.get(pod.namespace());
        self.unknown.extend(ambient::carried(pod, namespace));
        if !snapshot.is_doubtful() {
            return;
        }
        let policies = snapshot.network_policies(pod.namespace());
        let doubtful = network_policy::doubtful(policies, direction, pod.namespace(), &pod.labels);
        self.unknown.extend(doubtful.cloned());
        let none = Labels::new();
        let met = snapshot
            .unsupported
            .of_packets(snapshot.selected(pod, &none), direction);
        self.unknown.extend(met.map(|each| each.unknown()));
        let (false, Some(other)) = (snapshot.outside_vpc, other) else {
            return;
        };
        let machine = self.evaluator.machine(pod.pool);
        let doubtful = firewall::doubtful(&snapshot.firewalls, direction, &machine, "tcp", port);
        self.unknown.extend(doubtful.cloned());
        let all = &snapshot.firewall_policies;
        self.unknown
            .extend(vpc::doubtful_policies(all, direction, other, port));
        let leaves = direction == Direction::Egress && self.evaluator.pod_at(other).is_none();
        let way = snapshot
            .way_out
            .as_ref()
            .filter(|_| leaves && !is_metadata_server(other));
        self.unknown.extend(way.and_then(|way| way.doubtful(other)));
    }

    /// A proxy handles a connection: what configures proxies.
    pub(super) fn meets_proxy(&mut self, pod: &Pod, role: Role) {
        let snapshot = self.evaluator.snapshot;
        if !snapshot.is_doubtful() {
            return;
        }
        self.notes(&pod.object);
        let none = Labels::new();
        let (root, tokens) = (&snapshot.mesh.root_namespace, self.tokens);
        let met = snapshot
            .unsupported
            .of_proxy(snapshot.selected(pod, &none), role, root, tokens);
        self.unknown.extend(met.map(|each| each.unknown()));
        if role == Role::Gateway {
            let selecting = snapshot.gateways.iter();
            for gateway in selecting.filter(|each| each.selector.matches(&pod.labels)) {
                self.notes(&gateway.object);
            }
        }
    }

    /// A proxy chooses a route for a host: the VirtualServices that may be for it, also those that do not decide, and routes of
    /// the Gateway API.
    pub(super) fn meets_routes(&mut self, at: &ReceivedAt<'_, 's>, authority: &str, role: Role) {
        let snapshot = self.evaluator.snapshot;
        if !snapshot.is_doubtful() {
            return;
        }
        let name = without_port(authority).to_ascii_lowercase();
        let by_name = self.evaluator.service_by_name(at.pod, &name);
        let by_address = snapshot.service_at(at.local.address);
        let services = by_name.or(by_address).into_iter();
        let services: Vec<&Service> = services
            .chain(at.proxy_state.scope.service(&name))
            .collect();
        let hosts: Vec<&str> = services
            .iter()
            .map(|service| service.host.as_str())
            .chain([name.as_str()])
            .collect();
        for each in &at.proxy_state.scope.virtual_services {
            let bound = (role == Role::Gateway) != each.is_for(MESH) || each.gateways.len() > 1;
            let meant = each
                .hosts
                .iter()
                .any(|own| hosts.iter().any(|host| overlap(own, host)));
            if bound && meant {
                self.notes(&each.object);
            }
        }
        for service in services {
            self.meets_service(at.pod, service);
        }
    }

    /// A proxy connects to a service: its own fields, the rules for its host, and what may be among its endpoints.
    pub(super) fn meets_service(&mut self, from: &Pod, service: &Service) {
        let snapshot = self.evaluator.snapshot;
        if !snapshot.is_doubtful() {
            return;
        }
        let met = snapshot
            .unsupported
            .of_service(from.namespace(), &service.object, &service.host);
        self.unknown.extend(met.map(|each| each.unknown()));
        match &service.endpoints {
            Endpoints::Pods(selector) => {
                let namespace = &service.object.namespace;
                let met = snapshot.unsupported.of_endpoints(namespace, selector);
                self.unknown.extend(met.map(|each| each.unknown()));
            }
            Endpoints::Dns(listed) => {
                let names = listed.iter().map(|each| each.address.as_str());
                let own = listed.is_empty().then_some(service.host.as_str());
                for name in names.chain(own) {
                    let found = self.evaluator.resolve(from, name);
                    if let Some(by) = &found.ruling.by {
                        self.notes(by);
                    }
                }
            }
            Endpoints::Listed(_) | Endpoints::OriginalDestination => {}
        }
        for other in snapshot.services_of(&service.host) {
            if service.kubernetes {
                self.notes(&other.object);
            }
        }
    }

    /// The DestinationRules that a proxy merges for a host.
    pub(super) fn meets_rules(&mut self, at: &ReceivedAt<'_, 's>, host: &str) {
        if !self.evaluator.snapshot.is_doubtful() {
            return;
        }
        for rule in at.proxy_state.scope.rules(host).objects() {
            self.notes(rule);
        }
    }

    /// Packets to a Service's address go to one of these pods: another one may be handled otherwise.
    pub(super) fn meets_candidates(&mut self, service: &Service) {
        let snapshot = self.evaluator.snapshot;
        if !snapshot.is_doubtful() {
            return;
        }
        self.notes(&service.object);
        if let Endpoints::Pods(selector) = &service.endpoints {
            let pods = snapshot.pods_of(&service.object.namespace);
            let none = Labels::new();
            for pod in pods.filter(|pod| pod.ready && selector.matches(&pod.labels)) {
                let met = snapshot
                    .unsupported
                    .of_packets(snapshot.selected(pod, &none), Direction::Ingress);
                self.unknown.extend(met.map(|each| each.unknown()));
            }
        }
    }

    /// A name is resolved: the Service of this name, if it is not covered, or one that a gateway's controller creates.
    pub(super) fn meets_name(&mut self, pod: &Pod, request: &Request) {
        let snapshot = self.evaluator.snapshot;
        let is_known = self.evaluator.service_by_name(pod, &request.host).is_some();
        for full in searched(&request.host, pod.namespace()) {
            let short = full.strip_suffix(".svc.cluster.local").unwrap_or_default();
            let Some((service, namespace)) = short.split_once('.') else {
                continue;
            };
            self.notes(&Object::new("Service", namespace, service));
            if !is_known {
                let made = snapshot.unsupported.of_gateway_service(namespace, service);
                self.unknown.extend(made.map(|each| each.unknown()));
            }
        }
    }
}

impl Snapshot {
    /// A pod as the selectors of objects that are not covered see it.
    fn selected<'p>(&'p self, pod: &'p Pod, none: &'p Labels) -> SelectedPod<'p> {
        SelectedPod {
            namespace: pod.namespace(),
            namespace_labels: self.namespaces.get(pod.namespace()).unwrap_or(none),
            labels: &pod.labels,
        }
    }
}
