//! References to names that do not exist.

use json::{list, text};

use super::config::Config;
use super::{Code, Finding};
use crate::host::overlap;
use crate::object::{Object, texts};
use crate::service::{Endpoints, Service};
use crate::virtual_service::{Destination, MESH, VirtualService};

/// Gateways that VirtualServices name.
pub fn gateways(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (service, _) in &config.virtual_services {
        let missing = |name: &&String| {
            name.as_str() != MESH
                && !config
                    .gateways
                    .iter()
                    .any(|gateway| gateway.name() == **name)
        };
        for name in service.gateways.iter().filter(missing) {
            let message = format!("Gateway {name} not found");
            let instead = "the Gateway as NAMESPACE/NAME, or `mesh` for all sidecars";
            found.push(Finding::new(
                Code::ReferencedResourceNotFound,
                &service.object,
                message,
                instead,
            ));
        }
    }
    found
}

/// Hosts, ports and subsets that VirtualServices send to.
pub fn destinations(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (service, _) in &config.virtual_services {
        found.extend(
            service
                .destinations()
                .flat_map(|destination| of_destination(config, service, destination)),
        );
    }
    found
}

fn of_destination(
    config: &Config<'_>,
    service: &VirtualService,
    destination: &Destination,
) -> Vec<Finding> {
    let (object, host) = (&service.object, destination.host.as_str());
    let namespace = object.namespace.as_str();
    let new = |code, message: String, instead: String| Finding::new(code, object, message, instead);
    let Some(target) = config.service(namespace, host) else {
        let message =
            format!("no Service or ServiceEntry visible in {namespace} has the host {host}");
        let instead = format!(
            "a ServiceEntry for {host} with {namespace} in its exportTo, or the full name of the Service"
        );
        return vec![new(Code::ReferencedResourceNotFound, message, instead)];
    };
    let mut found = Vec::new();
    let ports: Vec<String> = target
        .ports
        .iter()
        .map(|port| port.number.to_string())
        .collect();
    let ports = ports.join(", ");
    match destination.port {
        Some(port) if target.port(port).is_none() => {
            let message = format!("{} has no port {port}", target.object);
            found.push(new(
                Code::ReferencedResourceNotFound,
                message,
                format!("one of its ports: {ports}"),
            ));
        }
        None if target.ports.len() > 1 => {
            let message = format!("sends to {host} without a port, but it has several ports");
            found.push(new(
                Code::VirtualServiceDestinationPortSelectorRequired,
                message,
                format!("destination.port.number, one of {ports}"),
            ));
        }
        _ => {}
    }
    let subset = destination.subset.as_str();
    let has = |(rule, _): &(crate::destination_rule::DestinationRule, _)| {
        rule.host == host
            && rule.export.reaches(&rule.object.namespace, namespace)
            && rule.subset(subset).is_some()
    };
    if !subset.is_empty() && !config.rules.iter().any(has) {
        let message =
            format!("no DestinationRule visible in {namespace} has a subset {subset} of {host}");
        found.push(new(
            Code::ReferencedResourceNotFound,
            message,
            format!("a DestinationRule for {host} with that subset, before the route to it"),
        ));
    }
    found
}

/// Namespaces that AuthorizationPolicies refer to.
pub fn namespaces(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for policy in config.of("AuthorizationPolicy") {
        let sources = list(policy, "/spec/rules").flat_map(|rule| list(rule, "/from"));
        let names = sources.flat_map(|from| texts(from, "/source/namespaces"));
        for name in
            names.filter(|name| !name.contains('*') && !config.namespaces.contains_key(name))
        {
            let message = format!("namespace {name} not found");
            found.push(Finding::new(
                Code::ReferencedResourceNotFound,
                &Object::of(policy),
                message,
                "an existing namespace",
            ));
        }
    }
    found
}

/// The hosts of DestinationRules.
pub fn hosts_of_rules(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (rule, _) in &config.rules {
        let namespace = &rule.object.namespace;
        let seen =
            |service: &&Service| service.export.reaches(&service.object.namespace, namespace);
        if !config
            .services
            .iter()
            .filter(seen)
            .any(|service| overlap(&rule.host, &service.host))
        {
            let message = format!(
                "no Service or ServiceEntry visible in {namespace} has the host {}",
                rule.host
            );
            found.push(Finding::new(
                Code::UnknownDestinationRuleHost,
                &rule.object,
                message,
                "the host as in the ServiceEntry, or the full name of the Service",
            ));
        }
    }
    found
}

/// Pods that subsets select. A subset without labels contains all pods of the host.
pub fn subsets(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (rule, value) in &config.rules {
        let Some(service) = config.service(&rule.object.namespace, &rule.host) else {
            continue;
        };
        let Endpoints::Pods(selector) = &service.endpoints else {
            continue;
        };
        for subset in rule
            .subsets
            .iter()
            .filter(|subset| !subset.labels.is_empty())
        {
            let of_subset = |pod: &crate::pod::Pod| {
                pod.object.namespace == service.object.namespace
                    && selector.matches(&pod.labels)
                    && subset.labels.matches(&pod.labels)
            };
            if !config.pods.iter().any(of_subset) {
                let message = format!(
                    "no pod of {} has the labels of subset {}",
                    text(value, "/spec/host"),
                    subset.name
                );
                found.push(Finding::new(
                    Code::DestinationRuleSubsetNotSelectPods,
                    &rule.object,
                    message,
                    "labels that the Service's pods have, or none",
                ));
            }
        }
    }
    found
}
