//! Objects of which only one can take effect.

use std::collections::{BTreeMap, BTreeSet};

use json::{list, text};
use serde_json::Value;

use super::config::Config;
use super::host_table::scopes;
use super::{Code, Finding};
use crate::host::{overlap, qualified};
use crate::object::{Labels, Object, labels, texts};
use crate::selector::Selector;
use crate::virtual_service::MESH;

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

/// An object by the namespaces that see it and a host of it.
type Scoped<'c> = BTreeMap<(String, String), Vec<&'c Object>>;

/// VirtualServices for the same host on all sidecars, if both are visible in one namespace. A pattern conflicts with a host that it
/// matches only where one of the two is exported to some namespaces and the other to all, as in istioctl.
pub fn virtual_services(config: &Config<'_>) -> Vec<Finding> {
    let mut all: Scoped<'_> = BTreeMap::new();
    for (service, value) in &config.virtual_services {
        let namespace = &service.object.namespace;
        if !service.is_for(MESH) {
            continue;
        }
        let scopes: BTreeSet<String> = scopes(texts(value, "/spec/exportTo"), namespace)
            .into_iter()
            .collect();
        for scope in scopes {
            for host in texts(value, "/spec/hosts") {
                let key = (scope.clone(), qualified(&host, namespace));
                all.entry(key).or_default().push(&service.object);
            }
        }
    }
    let mut told: BTreeMap<&Object, (String, BTreeSet<&Object>)> = BTreeMap::new();
    for ((scope, host), own) in &all {
        let mut here = own.clone();
        if scope != "*" {
            let everywhere = all
                .iter()
                .filter(|((scope, other), _)| scope == "*" && overlap(host, other));
            here.extend(everywhere.flat_map(|(_, objects)| objects));
        }
        for object in &here {
            let others = here.iter().filter(|other| other != &object).copied();
            let entry = told
                .entry(object)
                .or_insert_with(|| (host.clone(), BTreeSet::new()));
            entry.1.extend(others);
        }
    }
    told.retain(|_, (_, others)| !others.is_empty());
    let new = |(object, (host, others)): (&Object, (String, BTreeSet<&Object>))| {
        let names = joined(others);
        let message = format!(
            "has the host {host}, as {names} does; sidecars that see both use only one of them"
        );
        Finding::new(
            Code::ConflictingMeshGatewayVirtualServiceHosts,
            object,
            message,
            "one VirtualService per host, or exportTo lists without a common namespace",
        )
    };
    told.into_iter().map(new).collect()
}

fn joined<'o>(objects: impl IntoIterator<Item = &'o Object>) -> String {
    let names: Vec<String> = objects.into_iter().map(Object::to_string).collect();
    names.join(", ")
}

/// A kind of which one object applies to a pod, and its two codes: for two that select a pod, and for two that select all.
struct OnePerPod {
    kind: &'static str,
    field: &'static str,
    labels: &'static str,
    of_pod: Code,
    of_namespace: Code,
}

const SIDECARS: OnePerPod = OnePerPod {
    kind: "Sidecar",
    field: "workloadSelector",
    labels: "/spec/workloadSelector/labels",
    of_pod: Code::ConflictingSidecarWorkloadSelectors,
    of_namespace: Code::MultipleSidecarsWithoutWorkloadSelectors,
};

const TELEMETRY: OnePerPod = OnePerPod {
    kind: "Telemetry",
    field: "selector",
    labels: "/spec/selector/matchLabels",
    of_pod: Code::ConflictingTelemetryWorkloadSelectors,
    of_namespace: Code::MultipleTelemetriesWithoutWorkloadSelectors,
};

/// Sidecars for the same namespace or the same pod. Ambient pods read none.
pub fn sidecars(config: &Config<'_>) -> Vec<Finding> {
    one_per_pod(config, &SIDECARS)
}

/// Telemetry objects for the same namespace or the same pod.
pub fn telemetry(config: &Config<'_>) -> Vec<Finding> {
    one_per_pod(config, &TELEMETRY)
}

fn one_per_pod(config: &Config<'_>, row: &OnePerPod) -> Vec<Finding> {
    let of_sidecars = row.kind == SIDECARS.kind;
    let is_ambient = |object: &Object| {
        let labels = config.namespaces.get(&object.namespace);
        of_sidecars && labels.is_some_and(super::workloads::is_ambient)
    };
    let all: Vec<(Object, Labels, &Value)> = config
        .of(row.kind)
        .map(|each| (Object::of(each), labels(each, row.labels), each))
        .collect();
    // Of Telemetry, a selector without labels is one that selects no pod; of Sidecars, it selects all.
    let for_all = |(_, labels, value): &(Object, Labels, &Value)| match of_sidecars {
        true => labels.is_empty(),
        false => value["spec"]["selector"].is_null(),
    };
    let mut found = Vec::new();
    for (one, other) in pairs(&all).filter(|(one, other)| one.0.namespace == other.0.namespace) {
        let namespace = &one.0.namespace;
        if for_all(one) && for_all(other) && !is_ambient(&one.0) {
            let message = format!("applies to all of {namespace}, as {} does", other.0);
            found.push(Finding::new(
                row.of_namespace,
                &one.0,
                message,
                format!("one {} without {} per namespace", row.kind, row.field),
            ));
        }
        if one.1.is_empty() || other.1.is_empty() {
            continue;
        }
        let [first, second] = [&one.1, &other.1].map(|labels| Selector::exact(labels.clone()));
        let mut common = config.selected(&first).filter(|pod| {
            pod.object.namespace == *namespace
                && second.matches(&pod.labels)
                && !(of_sidecars && pod.ambient)
        });
        if let Some(pod) = common.next() {
            let message = format!("applies to {}, as {} does", pod.object, other.0);
            found.push(Finding::new(
                row.of_pod,
                &one.0,
                message,
                format!("{}s that have no pod in common", row.field),
            ));
        }
    }
    found
}

/// The hosts of a Gateway's last server on a port, each with the address that it listens on.
fn served(gateway: &Value, port: u64) -> BTreeMap<String, &str> {
    let of_port = list(gateway, "/spec/servers")
        .filter(|server| server["port"]["number"].as_u64() == Some(port));
    let hosts = |server: &'_ Value| texts(server, "/hosts");
    of_port.last().map_or_else(BTreeMap::new, |server| {
        hosts(server)
            .into_iter()
            .map(|host| (host, text(server, "/bind")))
            .collect()
    })
}

/// Gateways for the same port and host of the same pods: with the same selector, or with one that contains the other's text and
/// selects a pod with it. Of several servers on a port, istioctl compares with the last one of the other Gateway.
pub fn gateways(config: &Config<'_>) -> Vec<Finding> {
    let written = |value: &Value| -> String {
        let labels = labels(value, "/spec/selector");
        let pairs: Vec<String> = labels
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        pairs.join(",")
    };
    let all: Vec<(&Object, &Selector, String, &Value)> = config
        .gateways
        .iter()
        .zip(&config.gateway_values)
        .map(|(gateway, value)| (&gateway.object, &gateway.selector, written(value), *value))
        .collect();
    let mut found = Vec::new();
    for (one, other) in pairs(&all) {
        let related = || one.2.contains(&other.2) || other.2.contains(&one.2);
        let common = || {
            config
                .selected(one.1)
                .any(|pod| other.1.matches(&pod.labels))
        };
        if one.2 != other.2 && !(related() && common()) {
            continue;
        }
        for server in list(one.3, "/spec/servers") {
            let Some(port) = server["port"]["number"].as_u64() else {
                continue;
            };
            let theirs = served(other.3, port);
            let bind = text(server, "/bind");
            let both = texts(server, "/hosts")
                .into_iter()
                .find(|host| theirs.get(host) == Some(&bind));
            if let Some(host) = both {
                found.push(Finding::new(
                    Code::ConflictingGateways,
                    one.0,
                    format!(
                        "serves {host} on port {port} of the same pods as {}",
                        other.0
                    ),
                    "one Gateway with all servers, or different hosts in each",
                ));
            }
        }
    }
    found
}

/// ServiceEntries that state different protocols for a port of a host, where both are visible in one namespace.
pub fn protocols(config: &Config<'_>) -> Vec<Finding> {
    let mut all: BTreeMap<(String, String, u64), Vec<(Object, String)>> = BTreeMap::new();
    for entry in config.of("ServiceEntry") {
        let object = Object::of(entry);
        for scope in scopes(texts(entry, "/spec/exportTo"), &object.namespace) {
            for host in texts(entry, "/spec/hosts") {
                for port in list(entry, "/spec/ports") {
                    let number = port["number"].as_u64().unwrap_or_default();
                    let key = (scope.clone(), host.clone(), number);
                    let protocol = text(port, "/protocol").to_ascii_uppercase();
                    all.entry(key).or_default().push((object.clone(), protocol));
                }
            }
        }
    }
    let mut told: BTreeMap<Object, Finding> = BTreeMap::new();
    for ((scope, host, number), own) in &all {
        let everywhere = all.get(&("*".to_owned(), host.clone(), *number));
        let everywhere = everywhere.filter(|_| scope != "*").into_iter().flatten();
        let here: Vec<&(Object, String)> = own.iter().chain(everywhere).collect();
        let names: BTreeSet<&str> = here.iter().map(|(_, protocol)| protocol.as_str()).collect();
        if names.len() < 2 {
            continue;
        }
        let listed: Vec<&str> = names
            .into_iter()
            .map(|name| if name.is_empty() { "none" } else { name })
            .collect();
        let objects = joined(
            here.iter()
                .map(|(object, _)| object)
                .collect::<BTreeSet<_>>(),
        );
        for (object, _) in here {
            told.entry(object.clone()).or_insert_with(|| {
                Finding::new(
                    Code::ConflictingServiceEntryProtocol,
                    object,
                    format!(
                        "port {number} of {host} has several protocols ({}) in {objects}; proxies use one of them",
                        listed.join(", ")
                    ),
                    "the same protocol for the port in all of them",
                )
            });
        }
    }
    told.into_values().collect()
}
