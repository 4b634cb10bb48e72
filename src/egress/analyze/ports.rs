//! Ports of Gateways, Services and ServiceEntries.

use json::{list, text};
use serde_json::Value;

use super::config::{Config, ROOT};
use super::injection::is_platform;
use super::{Code, Finding};
use crate::field::port;
use crate::object::{Object, labels};
use crate::selector::Selector;

/// Ports of Gateways that no Service of the selected pods has, neither as a port nor as the port of the pods.
pub fn gateways(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (gateway, value) in config.gateways.iter().zip(&config.gateway_values) {
        let mut pods = config.selected(&gateway.selector).peekable();
        if pods.peek().is_none() {
            continue;
        }
        let mut open: Vec<u16> = Vec::new();
        for pod in pods {
            for service in config.of("Service") {
                let selector = Selector::exact(labels(service, "/spec/selector"));
                if text(service, "/metadata/namespace") == pod.object.namespace
                    && selector.matches(&pod.labels)
                {
                    open.extend(list(service, "/spec/ports").flat_map(numbers));
                }
            }
        }
        for server in list(value, "/spec/servers") {
            let Some(number) = port(server, "/port/number") else {
                continue;
            };
            if !open.contains(&number) {
                found.push(Finding::new(
                    Code::GatewayPortNotDefinedOnService,
                    &gateway.object,
                    format!("no Service of its pods has port {number}, so no client can reach it through a Service"),
                    "a port number of the gateway's Service",
                ));
            }
        }
    }
    found
}

/// The numbers by which a Gateway may name a TCP port of a Service: its own, and its number in the pods.
fn numbers(value: &Value) -> Vec<u16> {
    if !matches!(text(value, "/protocol"), "" | "TCP") {
        return Vec::new();
    }
    let target = port(value, "/targetPort").or_else(|| text(value, "/targetPort").parse().ok());
    port(value, "/port").into_iter().chain(target).collect()
}

/// The values of the label of a Service that istiod creates for a Gateway of the Gateway API.
const OF_GATEWAY_API: &[&str] = &[
    "istio.io-gateway-controller",
    "istio.io-mesh-controller",
    "istio.io-eastwest-controller",
];

/// Ports of Services that do not state their protocol.
pub fn services(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for service in config.of("Service") {
        let object = Object::of(service);
        let own = labels(service, "/metadata/labels");
        let managed = own
            .get("gateway.istio.io/managed")
            .is_some_and(|by| OF_GATEWAY_API.contains(&by.as_str()));
        // Services of Istio's own parts have one of these labels.
        let of_istio =
            own.contains_key("istio") || own.get("release").is_some_and(|name| name == "istio");
        let platform = is_platform(&object.namespace) && object.namespace != ROOT;
        if managed || of_istio || platform {
            continue;
        }
        let external = text(service, "/spec/type") == "ExternalName";
        for port in list(service, "/spec/ports") {
            let number = &port["port"];
            if declares(port) && !(external && text(port, "/name") == "tcp") {
                continue;
            }
            let (code, message) = match external {
                true => (
                    Code::ExternalNameServiceTypeInvalidPortName,
                    format!(
                        "port {number} of an ExternalName Service declares no protocol that the proxy can route by: connections to it may fail"
                    ),
                ),
                false => (
                    Code::PortNameIsNotUnderNamingConvention,
                    format!(
                        "port {number} does not declare its protocol; the proxy detects it from the first bytes"
                    ),
                ),
            };
            let instead = match external {
                true => {
                    "a port name with the prefix http-, https- or tls-, or a ServiceEntry for the name"
                }
                false => "a port name with a protocol prefix (http-, tls-, tcp-), or appProtocol",
            };
            found.push(Finding::new(code, &object, message, instead));
        }
    }
    found
}

/// Ports that are TCP without a declaration: SMTP, DNS, MySQL, MongoDB.
const WELL_KNOWN: [u64; 4] = [25, 53, 3306, 27017];

/// Whether the protocol of a Service's port is known to the proxy (Istio's `ConvertProtocol`).
fn declares(port: &Value) -> bool {
    if text(port, "/protocol") == "UDP" {
        return true;
    }
    let name = match port.get("appProtocol").and_then(Value::as_str) {
        Some("kubernetes.io/h2c" | "kubernetes.io/ws" | "kubernetes.io/wss") => return true,
        Some(name) => name,
        None => text(port, "/name"),
    };
    let prefix = name.split('-').next().unwrap_or_default();
    let named = matches!(
        prefix.to_ascii_lowercase().as_str(),
        "tcp"
            | "udp"
            | "grpc"
            | "http"
            | "http_proxy"
            | "http2"
            | "https"
            | "tls"
            | "mongo"
            | "redis"
            | "mysql"
    );
    named
        || port["port"]
            .as_u64()
            .is_some_and(|number| WELL_KNOWN.contains(&number))
}

/// TCP ports of ServiceEntries without an address to identify them by.
pub fn entries(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for entry in config.of("ServiceEntry").filter(|entry| {
        // istiod allocates addresses for entries without any, and reports them in their status.
        let mut known = ["/spec/addresses", "/status/addresses"].iter();
        known.all(|place| list(entry, place).next().is_none())
    }) {
        let is_tcp = |protocol: &str| protocol.is_empty() || protocol.eq_ignore_ascii_case("tcp");
        for port in list(entry, "/spec/ports").filter(|port| is_tcp(text(port, "/protocol"))) {
            let message = format!(
                "port {} is TCP without addresses: it matches all traffic to that port, whatever the host",
                port["number"]
            );
            found.push(Finding::new(
                Code::ServiceEntryAddressesRequired,
                &Object::of(entry),
                message,
                "spec.addresses, or protocol TLS or HTTP, which carry the host name",
            ));
        }
    }
    found
}
