//! Objects of which only one can take effect.

use super::config::Config;
use super::{Code, Finding};
use crate::field::ExportTo;
use crate::object::Object;
use crate::sidecar::Sidecar;
use crate::virtual_service::{MESH, VirtualService};

/// Every pair of a list, in both orders.
fn pairs<T>(all: &[T]) -> impl Iterator<Item = (&T, &T)> {
    let others = move |at: usize| {
        all.iter()
            .enumerate()
            .filter(move |(other, _)| *other != at)
            .map(|(_, other)| other)
    };
    all.iter()
        .enumerate()
        .flat_map(move |(at, one)| others(at).map(move |other| (one, other)))
}

/// Whether both are visible in the same namespace.
fn seen_together(one: (&ExportTo, &Object), other: (&ExportTo, &Object)) -> bool {
    let [a, b] = [one, other].map(|(export, object)| export.only(&object.namespace));
    match (a, b) {
        (Some(a), Some(b)) => a.iter().any(|namespace| b.contains(namespace)),
        (Some(some), None) | (None, Some(some)) => !some.is_empty(),
        (None, None) => true,
    }
}

/// VirtualServices for the same host on all sidecars, if both are visible in one namespace.
pub fn virtual_services(config: &Config<'_>) -> Vec<Finding> {
    let mesh: Vec<&VirtualService> = config
        .virtual_services
        .iter()
        .map(|(service, _)| service)
        .filter(|service| service.is_for(MESH))
        .collect();
    let mut found = Vec::new();
    for (one, other) in pairs(&mesh) {
        let both = one.hosts.iter().find(|host| other.hosts.contains(host));
        let seen = seen_together((&one.export, &one.object), (&other.export, &other.object));
        if let Some(host) = both.filter(|_| seen) {
            let message = format!(
                "has the host {host}, as {} does; sidecars that see both use only one of them",
                other.object
            );
            found.push(Finding::new(
                Code::ConflictingMeshGatewayVirtualServiceHosts,
                &one.object,
                message,
                "one VirtualService per host, or exportTo lists without a common namespace",
            ));
        }
    }
    found
}

/// Sidecars for the same namespace or the same pod.
pub fn sidecars(config: &Config<'_>) -> Vec<Finding> {
    let all: Vec<Sidecar> = config
        .of("Sidecar")
        .map(|each| Sidecar::read(each).0)
        .collect();
    let mut found = Vec::new();
    for (one, other) in
        pairs(&all).filter(|(one, other)| one.object.namespace == other.object.namespace)
    {
        let namespace = &one.object.namespace;
        match (one.workloads.is_empty(), other.workloads.is_empty()) {
            (true, true) => {
                let message = format!("applies to all of {namespace}, as {} does", other.object);
                found.push(Finding::new(
                    Code::MultipleSidecarsWithoutWorkloadSelectors,
                    &one.object,
                    message,
                    "one Sidecar without workloadSelector per namespace",
                ));
            }
            (false, false) => {
                let of_both = config.pods.iter().find(|pod| {
                    pod.object.namespace == *namespace
                        && one.workloads.matches(&pod.labels)
                        && other.workloads.matches(&pod.labels)
                });
                if let Some(pod) = of_both {
                    let message = format!("applies to {}, as {} does", pod.object, other.object);
                    found.push(Finding::new(
                        Code::ConflictingSidecarWorkloadSelectors,
                        &one.object,
                        message,
                        "workloadSelectors that have no pod in common",
                    ));
                }
            }
            _ => {}
        }
    }
    found
}

/// Gateways for the same port and host of the same pods.
pub fn gateways(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (one, other) in
        pairs(&config.gateways).filter(|(one, other)| one.selector == other.selector)
    {
        for server in &one.servers {
            let same = other
                .servers
                .iter()
                .filter(|theirs| theirs.port == server.port);
            let host = same
                .flat_map(|theirs| theirs.patterns())
                .find(|host| server.patterns().any(|own| own == *host));
            if let Some(host) = host {
                let message = format!(
                    "serves {host} on port {} of the same pods as {}",
                    server.port, other.object
                );
                found.push(Finding::new(
                    Code::ConflictingGateways,
                    &one.object,
                    message,
                    "one Gateway with all servers, or different hosts in each",
                ));
            }
        }
    }
    found
}
