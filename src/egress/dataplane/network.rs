//! The network between machines: names, NetworkPolicies, the firewall, and the owner of an address.

use std::fmt::Display;
use std::net::IpAddr;
use std::time::Duration;

use super::connection::{Connection, ConnectionEnd, ConnectionOutcome, ConnectionReport};
use super::decision::DecisionBuilder;
use super::upstream::{UpstreamTarget, target};
use super::{DEEPEST, RESOLVER_PATIENCE, Simulation};
use crate::dns::METADATA_SERVER;
use crate::firewall::Direction;
use crate::network_policy::{self, OtherEnd};
use crate::object::Object;
use crate::pod::{Pod, Proxy};
use crate::request::Request;
use crate::service::Endpoints;
use crate::trace::{self, Decision, Failure, Hop};

impl Simulation<'_, '_> {
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
        let asked = self.evaluator.asks_dns(pod);
        let places = [
            trace::HopLocation::NetworkPolicy,
            trace::HopLocation::Firewall,
        ];
        let closed = places.into_iter().zip(asked.iter());
        if let Some((place, ruling)) = closed.into_iter().find(|(_, ruling)| !ruling.passes) {
            self.hop(place, "the cluster's DNS", ruling);
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
        match self.behind(to) {
            Ok(to) => self.reaches(from, to, carried),
            Err((by, because)) => {
                self.hop(
                    trace::HopLocation::Server,
                    to,
                    DecisionBuilder::stops(Some(&by), because),
                );
                ConnectionReport::at_once(ConnectionOutcome::Refused)
            }
        }
    }

    /// The target behind an address: for a Service of the cluster one of its pods, otherwise the address itself.
    fn behind(&self, to: UpstreamTarget) -> Result<UpstreamTarget, (Object, String)> {
        let snapshot = self.evaluator.snapshot;
        let Some(service) = snapshot.service_at(to.address) else {
            return Ok(to);
        };
        // Without such a port nothing handles the packet, and it continues unchanged.
        let Some(port) = service.port(to.port) else {
            return Ok(to);
        };
        let found = match &service.endpoints {
            Endpoints::Pods(selector) => {
                let pods = snapshot.pods_of(&service.object.namespace);
                let mut ready = pods.filter(|pod| pod.ready && selector.matches(&pod.labels));
                ready.find_map(|pod| {
                    Some(UpstreamTarget {
                        address: pod.address?,
                        port: target(port, Some(pod)),
                    })
                })
            }
            Endpoints::Listed(listed) => listed.iter().find_map(|each| {
                let number = each.ports.get(&port.name).copied();
                Some(UpstreamTarget {
                    address: each.address.parse().ok()?,
                    port: number.unwrap_or_else(|| target(port, None)),
                })
            }),
            _ => None,
        };
        found.ok_or_else(|| {
            (
                service.object.clone(),
                "has no pod that is ready".to_owned(),
            )
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
        let dropped = between.iter().any(|hop| !hop.ruling.passes);
        for hop in between.iter() {
            self.hop(hop.place, &hop.name, &hop.ruling);
        }
        if dropped {
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
            Some(pod) if pod.proxy == Proxy::Sidecar => self.enters_sidecar(from, pod, to, carried),
            Some(pod) => self.enters_pod(pod, to, carried),
            None => self.enters_host(from, to, carried),
        }
    }

    /// The hops of the packets: NetworkPolicies of both ends and the firewall of both machines, up to the first that blocks.
    fn comes_past(&self, from: &Pod, to: UpstreamTarget) -> Vec<Hop> {
        use Direction::{Egress, Ingress};
        use trace::HopLocation::{Firewall, NetworkPolicy};
        let evaluator = self.evaluator;
        let snapshot = evaluator.snapshot;
        let mut hops = Vec::new();
        let mut asked = |place, name: &dyn Display, ruling: &Decision| {
            hops.extend(evaluator.hop(place, name, ruling));
            ruling.passes
        };
        let target = evaluator.pod_at(to.address);
        let near = evaluator.end(from);
        let far = target.map(|pod| evaluator.end(pod));
        let other = far
            .clone()
            .map_or(OtherEnd::Outside(to.address), OtherEnd::Pod);
        let name = format_args!("{} to {to}", from.object);
        let policies = snapshot.network_policies(from.namespace());
        let out = network_policy::rule(policies, Egress, &near, &other, "tcp", to.port);
        let leaves = || evaluator.firewall(Egress, from, to.address, target, "tcp", to.port);
        let gets_out = asked(NetworkPolicy, &name, &out) && asked(Firewall, &name, &leaves());
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
        let policies = snapshot.network_policies(target.namespace());
        let into = network_policy::rule(
            policies,
            Ingress,
            &far,
            &OtherEnd::Pod(near),
            "tcp",
            to.port,
        );
        if !into.passes || into.by.is_some() {
            asked(NetworkPolicy, &name, &into);
        }
        hops
    }
}

/// Whether an address is the metadata server's.
pub(super) fn is_metadata_server(address: IpAddr) -> bool {
    address == METADATA_SERVER
}
