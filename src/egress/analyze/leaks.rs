//! Configuration that works as written, and lets out or blocks more than a reader expects: what istioctl does not report.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use json::{list, text};
use serde_json::Value;

use super::config::{Config, ROOT};
use super::{Code, Finding};
use crate::gateway::{Gateway, Routing, ServerTls};
use crate::object::{Object, texts};
use crate::pod::Pod;
use crate::rbac::{AuthorizationPolicy, AuthorizationQuery, applying};
use crate::service::TargetPort;

/// A caller about which nothing is known: an address that RFC 5737 reserves for documentation, and no identity.
const ANYBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// HTTPS that a gateway passes through for any caller: a TLS connection that is not terminated has no caller identity, so
/// policies by namespace or account do not apply to it.
pub fn passthrough(config: &Config<'_>) -> Vec<Finding> {
    let policies: Vec<AuthorizationPolicy> = config
        .of("AuthorizationPolicy")
        .map(|each| AuthorizationPolicy::read(each).0)
        .collect();
    // The object that lets it pass and the port, with the names that it is for.
    let mut open: BTreeMap<(Object, u16), Vec<String>> = BTreeMap::new();
    for gateway in &config.gateways {
        for server in gateway
            .servers
            .iter()
            .filter(|server| server.tls == ServerTls::Passthrough)
        {
            let names = routed(config, gateway, server.port);
            for pod in config.pods_of(gateway) {
                let applied = applying(&policies, &pod.object.namespace, &pod.labels, ROOT);
                for name in &names {
                    let verdict = applied.rule(&AuthorizationQuery {
                        peer: None,
                        source: ANYBODY,
                        remote: ANYBODY,
                        http: None,
                        port: listens(config, pod, server.port),
                        server_name: name,
                    });
                    if verdict.ruling.passes {
                        let by = verdict.ruling.by.unwrap_or_else(|| gateway.object.clone());
                        let hosts = open.entry((by, server.port)).or_default();
                        if !hosts.contains(name) {
                            hosts.push(name.clone());
                        }
                    }
                }
            }
        }
    }
    let findings = open.into_iter().map(|((object, port), hosts)| {
        let hosts = hosts.join(", ");
        let message = format!("lets HTTPS for {hosts} through port {port} of the gateway for every caller, including those whose plain HTTP is denied");
        let instead = "rules by connection.sni, with source.ipBlocks where callers have their own ranges; or ServiceEntries exported only to the callers' namespaces; or plain HTTP to the gateway, which authenticates its callers, and TLS origination there";
        Finding::new(Code::TlsPassthroughForEveryCaller, &object, message, instead)
    });
    findings.collect()
}

/// The host names that VirtualServices route through a port of a gateway as passthrough TLS.
fn routed(config: &Config<'_>, gateway: &Gateway, port: u16) -> Vec<String> {
    let name = gateway.name();
    let mut names = Vec::new();
    for (service, _) in config
        .virtual_services
        .iter()
        .filter(|(service, _)| service.is_for(&name))
    {
        for rule in &service.tls {
            let here = rule
                .names(|when| when.holds(&name, port, &gateway.object.namespace, &BTreeMap::new()));
            names.extend(here.into_iter().map(str::to_owned));
        }
    }
    names.sort();
    names.dedup();
    names
}

/// The container port behind a port of the pod's Service.
fn listens(config: &Config<'_>, pod: &Pod, port: u16) -> u16 {
    let target = config
        .services_of(pod)
        .find_map(|service| service.port(port))
        .map(|port| &port.target);
    match target {
        Some(TargetPort::Number(number)) => *number,
        Some(TargetPort::Name(name)) => pod.ports.get(name).copied().unwrap_or(port),
        None => port,
    }
}

/// The header in which a gateway that terminates mutual TLS records the caller's certificate.
const CLIENT_CERTIFICATE: &str = "x-forwarded-client-cert";

/// Requests that leave a gateway for an external host with their caller's certificate in a header.
pub fn client_certificates(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (service, value) in &config.virtual_services {
        let namespace = service.object.namespace.as_str();
        // Rules that name a gateway; sidecars send no such header out of the mesh.
        let gateways = config
            .gateways
            .iter()
            .filter(|gateway| service.is_for(&gateway.name()));
        let mutual: Vec<(String, u16)> = gateways
            .flat_map(|gateway| {
                gateway
                    .servers
                    .iter()
                    .map(|server| (gateway.name(), server))
            })
            .filter(|(_, server)| {
                server.routing == Routing::Http
                    && matches!(server.tls, ServerTls::IstioMutual | ServerTls::Mutual)
            })
            .map(|(name, server)| (name, server.port))
            .collect();
        for (index, (rule, written)) in service
            .http
            .iter()
            .zip(list(value, "/spec/http"))
            .enumerate()
        {
            let here = mutual.iter().any(|(name, port)| {
                rule.here(|when| when.holds(name, *port, namespace, &BTreeMap::new()))
                    .is_some()
            });
            if !here || removes(written) {
                continue;
            }
            for (at, target) in list(written, "/route")
                .enumerate()
                .filter(|(_, target)| !removes(target))
            {
                let host = text(target, "/destination/host");
                if config.external(namespace, host) {
                    let message = format!(
                        "sends {host} the caller's certificate and identity in {CLIENT_CERTIFICATE}"
                    );
                    let place = format!("spec.http[{index}].route[{at}]");
                    let instead = format!(
                        "{place}.headers.request.remove: [{CLIENT_CERTIFICATE}, x-forwarded-for, x-envoy-attempt-count]"
                    );
                    found.push(Finding::new(
                        Code::ClientCertificateSentToExternalHost,
                        &service.object,
                        message,
                        instead,
                    ));
                }
            }
        }
    }
    found
}

/// Whether a rule or a route removes the header.
fn removes(part: &Value) -> bool {
    let removed = texts(part, "/headers/request/remove");
    removed
        .iter()
        .any(|name| name.eq_ignore_ascii_case(CLIENT_CERTIFICATE))
}

/// Whether TLS settings originate TLS without naming certificate authorities. A gateway also reads them from `credentialName`.
fn unverified(tls: &Value) -> bool {
    let opens = matches!(text(tls, "/mode"), "SIMPLE" | "MUTUAL");
    opens && text(tls, "/caCertificates").is_empty() && text(tls, "/credentialName").is_empty()
}

/// TLS that a proxy originates to an external host without anything to verify the server with, anywhere in the rule.
pub fn verification(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (rule, value) in &config.rules {
        if !config.external(&rule.object.namespace, &rule.host) {
            continue;
        }
        let spec = &value["spec"];
        let own = std::iter::once((String::from("spec"), spec));
        let subsets = list(spec, "/subsets")
            .enumerate()
            .map(|(index, subset)| (format!("spec.subsets[{index}]"), subset));
        for (place, part) in own.chain(subsets) {
            let policy = &part["trafficPolicy"];
            let top = std::iter::once((format!("{place}.trafficPolicy.tls"), &policy["tls"]));
            let ports = list(policy, "/portLevelSettings").enumerate();
            let ports = ports.map(|(index, port)| {
                (
                    format!("{place}.trafficPolicy.portLevelSettings[{index}].tls"),
                    &port["tls"],
                )
            });
            for (place, tls) in top.chain(ports) {
                let skips = tls["insecureSkipVerify"] == true;
                if !skips && !unverified(tls) {
                    continue;
                }
                let why = match skips {
                    true => "insecureSkipVerify is set",
                    false => {
                        "before Istio 1.21 nothing is verified; from 1.21 on the proxy uses its system's CA certificates"
                    }
                };
                let message = format!(
                    "{place} originates TLS to {} without caCertificates: {why}",
                    rule.host
                );
                let instead = format!(
                    "{place}.caCertificates: /etc/ssl/certs/ca-certificates.crt, and subjectAltNames: [{}]",
                    rule.host
                );
                found.push(Finding::new(
                    Code::ExternalTlsWithoutVerification,
                    &rule.object,
                    message,
                    instead,
                ));
            }
        }
    }
    found
}

/// NetworkPolicies for egress that isolate the pods for ingress as well.
///
/// In a manifest, the sign is the missing `policyTypes`. The API server fills it in, so the sign of a live policy is that it
/// is the only one in its namespace that isolates for ingress, while the others are about egress only.
pub fn ingress(config: &Config<'_>) -> Vec<Finding> {
    let types = |policy: &Value| texts(policy, "/spec/policyTypes");
    let about = |policy: &Value, direction: &str| {
        let stated = types(policy);
        stated.iter().any(|own| own == direction)
            || stated.is_empty()
                && (direction == "Ingress" || list(policy, "/spec/egress").next().is_some())
    };
    let mut found = Vec::new();
    for policy in config.of("NetworkPolicy") {
        let object = Object::of(policy);
        let leaves = list(policy, "/spec/egress").next().is_some();
        if !leaves || !about(policy, "Ingress") {
            continue;
        }
        let others: Vec<&Value> = config
            .of("NetworkPolicy")
            .filter(|other| {
                text(other, "/metadata/namespace") == object.namespace
                    && Object::of(other) != object
            })
            .collect();
        let alone = !others.is_empty() && !others.iter().any(|other| about(other, "Ingress"));
        if types(policy).is_empty() || alone {
            let message = "has egress rules, and isolates the pods for ingress as well: callers that no ingress rule names are blocked";
            let instead =
                "policyTypes: [Egress], without ingress; or a separate policy for ingress";
            found.push(Finding::new(
                Code::EgressPolicyIsolatesIngress,
                &object,
                message,
                instead,
            ));
        }
    }
    found
}
