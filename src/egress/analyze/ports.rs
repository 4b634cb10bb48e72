//! Ports of Gateways, Services and ServiceEntries.

use json::{list, text};

use super::config::Config;
use super::{Code, Finding};
use crate::object::Object;
use crate::service::Protocol;

/// Ports of Gateways that no Service of the selected pods has. Without any Service, the port is the pod's own.
pub fn gateways(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for gateway in &config.gateways {
        let services: Vec<_> = config
            .pods_of(gateway)
            .flat_map(|pod| config.services_of(pod))
            .collect();
        for server in &gateway.servers {
            if !services.is_empty()
                && !services
                    .iter()
                    .any(|service| service.port(server.port).is_some())
            {
                let message = format!(
                    "no Service of its pods has port {}, so no client can reach it",
                    server.port
                );
                let instead = "a port number of the gateway's Service, not of the pod";
                found.push(Finding::new(
                    Code::GatewayPortNotDefinedOnService,
                    &gateway.object,
                    message,
                    instead,
                ));
            }
        }
    }
    found
}

/// Ports of Services that do not state their protocol.
pub fn services(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let own = |namespace: &str| !namespace.starts_with("kube-") && namespace != super::config::ROOT;
    for service in config
        .services
        .iter()
        .filter(|service| service.kubernetes && own(&service.object.namespace))
    {
        for port in service
            .ports
            .iter()
            .filter(|port| port.protocol == Protocol::Detected)
        {
            let message = format!(
                "port {} does not declare its protocol; the proxy detects it from the first bytes",
                port.number
            );
            found.push(Finding::new(
                Code::PortNameIsNotUnderNamingConvention,
                &service.object,
                message,
                "a port name with a protocol prefix (http-, tls-, tcp-), or appProtocol",
            ));
        }
    }
    found
}

/// TCP ports of ServiceEntries without an address to identify them by.
pub fn entries(config: &Config<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for entry in config.of("ServiceEntry").filter(|entry| {
        // istiod allocates addresses for entries without any, and reports them in their status.
        let mut known = ["/spec/addresses", "/status/addresses"].iter();
        known.all(|place| list(entry, place).next().is_none())
    }) {
        for port in
            list(entry, "/spec/ports").filter(|port| matches!(text(port, "/protocol"), "" | "TCP"))
        {
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
