//! VirtualServices whose gateways do not serve them, and DestinationRules that verify no server.

use json::{list, text};
use serde_json::Value;

use super::config::Config;
use super::references::is_internal;
use super::{Code, Finding};
use crate::object::texts;
use crate::virtual_service::MESH;

/// VirtualServices of which no host is served by a Gateway that they name, also if there is no such Gateway.
pub fn hosts(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (service, value) in &config.virtual_services {
        let namespace = service.object.namespace.as_str();
        let hosts = texts(value, "/spec/hosts");
        for name in &service.gateways {
            if name == MESH || is_internal(name) {
                continue;
            }
            let own = config
                .gateways
                .iter()
                .zip(&config.gateway_values)
                .filter(|(own, _)| own.name() == *name);
            let mut served =
                own.flat_map(|(own, value)| patterns(value, &own.object.namespace, namespace));
            if served.any(|pattern| hosts.iter().any(|host| both_match(&pattern, host))) {
                continue;
            }
            let listed = hosts.join(", ");
            found.push(Finding::new(
                Code::VirtualServiceHostNotFoundInGateway,
                &service.object,
                format!("Gateway {name} serves none of its hosts: {listed}"),
                format!("{listed} among the hosts of a server of the Gateway"),
            ));
        }
    }
    found
}

/// The patterns of a Gateway's servers that are for a namespace.
fn patterns(gateway: &Value, own: &str, namespace: &str) -> Vec<String> {
    let hosts = list(gateway, "/spec/servers").flat_map(|server| texts(server, "/hosts"));
    let meant = |host: String| match host.split_once('/') {
        None => Some(host),
        Some((of, pattern)) => {
            let is_own = of == "." && own == namespace;
            (of == "*" || of == namespace || is_own).then(|| pattern.to_owned())
        }
    };
    hosts.filter_map(meant).collect()
}

/// Whether any name matches both patterns. Unlike a proxy, istioctl distinguishes capitals here.
fn both_match(a: &str, b: &str) -> bool {
    match (a.strip_prefix('*'), b.strip_prefix('*')) {
        (Some(a), Some(b)) => a.ends_with(b) || b.ends_with(a),
        (Some(end), None) => b.ends_with(end),
        (None, Some(end)) => a.ends_with(end),
        (None, None) => a == b,
    }
}

/// Whether TLS settings of a rule originate TLS without naming certificate authorities for the server. A sidecar reads
/// `credentialName` only in a rule with a `workloadSelector`.
fn unverified(rule: &Value, tls: &Value) -> bool {
    let opens = matches!(text(tls, "/mode"), "SIMPLE" | "MUTUAL");
    let named =
        !text(tls, "/credentialName").is_empty() && !rule["spec"]["workloadSelector"].is_null();
    opens && text(tls, "/caCertificates").is_empty() && !named
}

/// TLS without certificate authorities in the rule's own policy; istioctl does not report subsets.
pub fn authorities(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (rule, value) in &config.rules {
        let instead = "tls.caCertificates, a file of CA certificates in the proxy; or credentialName in a rule with a workloadSelector";
        let policy = &value["spec"]["trafficPolicy"];
        if unverified(value, &policy["tls"]) {
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
        for port in
            list(policy, "/portLevelSettings").filter(|port| unverified(value, &port["tls"]))
        {
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
