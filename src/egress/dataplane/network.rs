//! The network between machines: names, NetworkPolicies, the firewall, and the owner of an address.

use std::fmt::Display;
use std::net::IpAddr;
use std::time::Duration;

use super::connection::{Connection, ConnectionEnd, ConnectionOutcome, ConnectionReport};
use super::decision::DecisionBuilder;
use super::upstream::{UpstreamTarget, target};
use super::{DEEPEST, RESOLVER_PATIENCE, Simulation};
use crate::dns::METADATA_SERVER;
use crate::firewall::{self, Direction};
use crate::network_policy::{OtherEnd, PodEnd};
use crate::object::Object;
use crate::pod::{Pod, Proxy, Resolver};
use crate::request::Request;
use crate::service::{Endpoints, Service};
use crate::trace::{self, Decision, Failure, Hop};

impl<'s> Simulation<'_, 's> {
    /// The target of the application's connection: the address that its host resolves to.
    pub(super) fn finds(
        &mut self,
        pod: &Pod,
        request: &Request,
    ) -> Result<UpstreamTarget, (Failure, Duration)> {
        let port = request.port;
        let given = request.address.or_else(|| request.host.parse().ok());
        if let Some(address) = given {
            return Ok(UpstreamTarget { address, port });
        }
        let name = request.host.trim_end_matches('.').to_ascii_lowercase();
        if let Some(address) = pod.hosts.get(&name).copied() {
            let because = format_args!("the pod itself resolves {name} to {address} (hostAliases)");
            self.hop(
                trace::HopLocation::Dns,
                &request.host,
                DecisionBuilder::passes(Some(&pod.object), because),
            );
            return Ok(UpstreamTarget { address, port });
        }
        if pod.resolver == Resolver::Own || pod.own_dns {
            self.taints(pod.object.clone(), "spec.dnsConfig");
        }
        let asked = self.evaluator.asks_dns(pod);
        if let Some((place, ruling)) = asked.iter().find(|(_, ruling)| !ruling.passes) {
            self.hop(*place, "the cluster's DNS", ruling);
            return Err((Failure::NoDns, RESOLVER_PATIENCE));
        }
        let found = self.evaluator.resolve(pod, &request.host);
        self.meets_name(pod, request);
        self.hop(trace::HopLocation::Dns, &request.host, &found.ruling);
        match found.addresses.first().copied() {
            Some(address) => Ok(UpstreamTarget { address, port }),
            None => Err((Failure::NoSuchHost, Duration::ZERO)),
        }
    }

    /// A connection to an address, whatever has that address: opened by a pod without a proxy of its own, or by a proxy that
    /// passes unknown traffic on.
    pub(super) fn goes(
        &mut self,
        from: &Pod,
        to: UpstreamTarget,
        carried: Connection,
    ) -> ConnectionReport {
        if let Some(service) = self.evaluator.snapshot.service_at(to.address) {
            self.meets_candidates(service);
        }
        match self.behind(from, to) {
            Ok(to) => self.reaches(from, to, carried),
            Err((by, because, outcome)) => {
                self.hop(
                    trace::HopLocation::Server,
                    to,
                    DecisionBuilder::stops(Some(by), because),
                );
                ConnectionReport::at_once(outcome)
            }
        }
    }

    /// The target behind an address: for a Service of the cluster one of its pods, otherwise the address itself.
    fn behind(
        &mut self,
        from: &Pod,
        to: UpstreamTarget,
    ) -> Result<UpstreamTarget, (&'s Object, &'static str, ConnectionOutcome)> {
        let snapshot = self.evaluator.snapshot;
        let Some(service) = snapshot.service_at(to.address) else {
            return Ok(to);
        };
        self.notes_node(from, service);
        // Without such a port nothing handles the packet, and it continues unchanged.
        let Some(port) = service.port(to.port) else {
            return Ok(to);
        };
        let found = match &service.endpoints {
            Endpoints::Pods(selector) => {
                let pods = snapshot.pods_of(&service.object.namespace);
                let ready = pods.filter(|pod| pod.ready || service.not_ready);
                let ready = ready.filter(|pod| selector.matches(&pod.labels));
                let mut ready = ready.filter(|pod| service.serves_on_node(from, pod));
                ready.find_map(|pod| {
                    Some(UpstreamTarget {
                        address: pod.address?,
                        port: target(port, Some(pod))?,
                    })
                })
            }
            Endpoints::Listed(listed) => listed.iter().find_map(|each| {
                Some(UpstreamTarget {
                    address: each.address.parse().ok()?,
                    port: each.ports.get(&port.name).copied()?,
                })
            }),
            _ => None,
        };
        // kube-proxy rejects a connection that has no endpoint, and drops one that has none on its node.
        found.ok_or(match service.node_local {
            true => (
                &service.object,
                "has no ready endpoint on the caller's node (internalTrafficPolicy)",
                ConnectionOutcome::Dropped,
            ),
            false => (
                &service.object,
                "has no endpoint that is ready for this port",
                ConnectionOutcome::Refused,
            ),
        })
    }

    /// A connection to the final address of its packets.
    pub(super) fn reaches(
        &mut self,
        from: &Pod,
        to: UpstreamTarget,
        carried: Connection,
    ) -> ConnectionReport {
        self.meets_packets(from, Direction::Egress, Some(to.address), to.port);
        if let Some(target) = self.evaluator.pod_at(to.address) {
            self.meets_packets(target, Direction::Ingress, from.address, to.port);
        }
        let between = self
            .evaluator
            .between(from, to, || self.comes_past(from, to));
        let dropped = between.iter().find(|hop| !hop.ruling.passes);
        for hop in between.iter() {
            self.hop(hop.place, &hop.name, &hop.ruling);
        }
        self.notes_ends(from, to, dropped.map(|hop| hop.place));
        if dropped.is_some() {
            return ConnectionReport::at_once(ConnectionOutcome::Dropped);
        }
        if self.depth == DEEPEST {
            // How long proxies continue in a loop depends on limits that are not read.
            self.taints(from.object.clone(), "");
            let because = "routing loop: the request reaches the same proxies again and again";
            self.hop(
                trace::HopLocation::Gateway,
                &from.object,
                DecisionBuilder::stops(None, because),
            );
            return ConnectionReport::at_once(ConnectionOutcome::Ended(ConnectionEnd::Closed));
        }
        self.depth += 1;
        let heard = self.arrives(from, to, carried);
        self.depth -= 1;
        heard
    }

    /// An established connection: the receiver accepts it.
    fn arrives(&mut self, from: &Pod, to: UpstreamTarget, carried: Connection) -> ConnectionReport {
        match self.evaluator.pod_at(to.address) {
            Some(pod) if pod.proxy == Proxy::Gateway => self.enters_gateway(from, pod, to, carried),
            Some(pod) if pod.proxy == Proxy::Sidecar => {
                self.enters_injected(from, pod, to, carried)
            }
            Some(pod) => self.enters_pod(pod, to, carried),
            None => self.enters_host(from, to, carried),
        }
    }

    /// The hops of the packets: NetworkPolicies of both ends and the firewall of both machines, up to the first that blocks.
    fn comes_past(&self, from: &Pod, to: UpstreamTarget) -> Vec<Hop> {
        use Direction::{Egress, Ingress};
        use trace::HopLocation::{Firewall, NetworkPolicy};
        let evaluator = self.evaluator;
        let mut hops = Vec::new();
        // Neither a policy nor a firewall sees what a pod sends to itself.
        if to.address.is_loopback() || from.address == Some(to.address) {
            return hops;
        }
        let mut asked = |place, name: &dyn Display, ruling: &Decision| {
            hops.extend(evaluator.hop(place, name, ruling));
            ruling.passes
        };
        let target = evaluator.pod_at(to.address);
        let near = evaluator.end(from);
        let far = target.map(|pod| evaluator.end(pod));
        // Policies know pods in their node's network by its address only.
        let end = |pod: &Pod, end: PodEnd, address| match pod.host_network {
            true => OtherEnd::Outside(address),
            false => OtherEnd::Pod(end),
        };
        let other = match (target, far.clone()) {
            (Some(pod), Some(far)) => end(pod, far, to.address),
            _ => OtherEnd::Outside(to.address),
        };
        let name = format_args!("{} to {to}", from.object);
        let out = evaluator.policy(Egress, from, &near, &other, "tcp", to.port);
        let leaves = || evaluator.firewall(Egress, from, to.address, target, "tcp", to.port);
        let nat = || match evaluator.leaves_vpc(to.address) {
            true => None,
            false => Some(firewall::no_way()),
        };
        let gets_out = asked(NetworkPolicy, &name, &out)
            && asked(Firewall, &name, &leaves())
            && nat().is_none_or(|none| asked(Firewall, &name, &none));
        let (true, Some(target), Some(far)) = (gets_out, target, far) else {
            return hops;
        };
        let name = format_args!("into {}", target.object);
        if let Some(address) = from.address {
            let into = evaluator.firewall(Ingress, target, address, Some(from), "tcp", to.port);
            // For ingress through the firewall, only a denial is reported.
            if !into.passes {
                asked(Firewall, &name, &into);
                return hops;
            }
        }
        let caller = from.address.unwrap_or(to.address);
        let near = end(from, near, caller);
        let into = evaluator.policy(Ingress, target, &far, &near, "tcp", to.port);
        if !into.passes || into.by.is_some() {
            asked(NetworkPolicy, &name, &into);
        }
        hops
    }

    /// Records what is not known of the two ends of a connection: which node a pod runs on, and how policies see a pod in its
    /// node's network. `stopped` is where the connection was stopped.
    fn notes_ends(&mut self, from: &Pod, to: UpstreamTarget, stopped: Option<trace::HopLocation>) {
        let evaluator = self.evaluator;
        let Some(target) = evaluator.pod_at(to.address) else {
            return;
        };
        if from.address == target.address {
            return;
        }
        let isolated = |direction, pod: &Pod| {
            let policies = evaluator.snapshot.network_policies(pod.namespace());
            let mut policies = policies.iter();
            !pod.host_network
                && policies.any(|each| each.isolates(direction, pod.namespace(), &pod.labels))
        };
        let mut unknown = |pod: &Pod, field: &str| self.taints(pod.object.clone(), field);
        // Kubernetes leaves open how policies see these pods.
        if target.host_network && isolated(Direction::Egress, from) {
            unknown(target, "spec.hostNetwork");
        }
        if from.host_network && isolated(Direction::Ingress, target) {
            unknown(from, "spec.hostNetwork");
        }
        // The firewall does not see what stays on a node.
        let apart = from.node.is_some() && target.node.is_some() || from.pool != target.pool;
        if stopped == Some(trace::HopLocation::Firewall) && !apart {
            unknown(target, "spec.nodeName");
        }
    }

    /// Records that the nodes are not known which decide about endpoints (`internalTrafficPolicy: Local`).
    pub(super) fn notes_node(&mut self, from: &Pod, service: &Service) {
        let Endpoints::Pods(selector) = &service.endpoints else {
            return;
        };
        let pods = self.evaluator.snapshot.pods_of(&service.object.namespace);
        let mut pods = pods.filter(|pod| selector.matches(&pod.labels));
        if service.node_local && (from.node.is_none() || pods.any(|pod| pod.node.is_none())) {
            self.taints(service.object.clone(), "spec.internalTrafficPolicy");
        }
    }
}

/// Whether an address is the metadata server's.
pub(super) fn is_metadata_server(address: IpAddr) -> bool {
    address == METADATA_SERVER
}
