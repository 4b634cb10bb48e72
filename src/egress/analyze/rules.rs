//! Rules of VirtualServices and DestinationRules that do not do what they seem to.

use json::{list, text};
use serde_json::Value;

use super::config::Config;
use super::{Code, Finding};
use crate::virtual_service::MESH;

/// Hosts of VirtualServices that no server of their Gateways serves.
pub fn hosts(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (service, _) in &config.virtual_services {
        for name in service.gateways.iter().filter(|name| name.as_str() != MESH) {
            let Some(gateway) = config
                .gateways
                .iter()
                .find(|gateway| gateway.name() == *name)
            else {
                continue;
            };
            let served = |host: &&String| {
                gateway
                    .servers
                    .iter()
                    .any(|server| !server.domains(&service.object.namespace, host).is_empty())
            };
            for host in service.hosts.iter().filter(|host| !served(host)) {
                let message = format!("no server of Gateway {name} serves {host}");
                found.push(Finding::new(
                    Code::VirtualServiceHostNotFoundInGateway,
                    &service.object,
                    message,
                    format!("{host} among the hosts of one of its servers"),
                ));
            }
        }
    }
    found
}

/// Rules that no request reaches, and matches that repeat those of an earlier rule.
pub fn reached(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (service, value) in &config.virtual_services {
        for kind in ["http", "tls", "tcp"] {
            let mut earlier: Vec<(usize, Value)> = Vec::new();
            let mut all_of: Option<usize> = None;
            for (index, rule) in list(value, &format!("/spec/{kind}")).enumerate() {
                let place = format!("spec.{kind}[{index}]");
                let matches: Vec<Value> = list(rule, "/match").map(without_name).collect();
                let before = |own: &Value| {
                    earlier
                        .iter()
                        .find(|(_, other)| other == own)
                        .map(|(index, _)| *index)
                };
                let taken: Vec<Option<usize>> = matches.iter().map(before).collect();
                let instead = "the more specific rule first, or remove this rule";
                match (all_of, taken.iter().flatten().next()) {
                    (Some(first), _) => {
                        let message = format!(
                            "{place} is never reached: spec.{kind}[{first}] matches every request"
                        );
                        found.push(Finding::new(
                            Code::VirtualServiceUnreachableRule,
                            &service.object,
                            message,
                            instead,
                        ));
                    }
                    (None, Some(first)) if taken.iter().all(Option::is_some) => {
                        let message = format!(
                            "{place} is never reached: earlier rules, starting with spec.{kind}[{first}], have all its matches"
                        );
                        found.push(Finding::new(
                            Code::VirtualServiceUnreachableRule,
                            &service.object,
                            message,
                            instead,
                        ));
                    }
                    (None, Some(first)) => {
                        let message =
                            format!("{place} has a match that spec.{kind}[{first}] already has");
                        found.push(Finding::new(
                            Code::VirtualServiceIneffectiveMatch,
                            &service.object,
                            message,
                            "each match once",
                        ));
                    }
                    (None, None) if matches.is_empty() => all_of = Some(index),
                    (None, None) => {}
                }
                earlier.extend(matches.into_iter().map(|own| (index, own)));
            }
        }
    }
    found
}

/// A match without its name, which has no effect.
fn without_name(block: &Value) -> Value {
    let mut block = block.clone();
    if let Some(fields) = block.as_object_mut() {
        fields.remove("name");
    }
    block
}

/// Whether TLS settings originate TLS without naming certificate authorities for the server.
pub fn unverified(tls: &Value) -> bool {
    let opens = matches!(text(tls, "/mode"), "SIMPLE" | "MUTUAL");
    opens && text(tls, "/caCertificates").is_empty() && text(tls, "/credentialName").is_empty()
}

/// TLS without certificate authorities in the rule's own policy; istioctl does not report subsets.
pub fn authorities(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (rule, value) in &config.rules {
        let instead =
            "tls.caCertificates, a file of CA certificates in the proxy, or credentialName";
        let policy = &value["spec"]["trafficPolicy"];
        if unverified(&policy["tls"]) {
            let message = format!(
                "originates TLS to {} without CA certificates to verify it",
                rule.host
            );
            found.push(Finding::new(
                Code::NoServerCertificateVerificationDestinationLevel,
                &rule.object,
                message,
                instead,
            ));
        }
        for port in list(policy, "/portLevelSettings").filter(|port| unverified(&port["tls"])) {
            let message = format!(
                "originates TLS to {} on port {} without CA certificates to verify it",
                rule.host, port["port"]["number"]
            );
            found.push(Finding::new(
                Code::NoServerCertificateVerificationPortLevel,
                &rule.object,
                message,
                instead,
            ));
        }
    }
    found
}
