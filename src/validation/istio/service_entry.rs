//! ServiceEntry.

use crate::at::At;
use crate::fault::Faults;
use crate::istio::export::{self, Of};
use crate::istio::form::{self, Protocol};
use crate::istio::workload;

pub fn service_entry(spec: &At<'_>, namespace: &str, faults: &mut Faults) {
    let (hosts, addresses) = (spec.get("hosts"), spec.get("addresses"));
    if hosts.is_empty() {
        faults.deny(&hosts, "service entry must have at least one host");
    }
    for host in hosts.items() {
        match host.text() {
            "*" => faults.deny(&host, "invalid host *"),
            name => faults.deny_if(&host, form::wildcard_domain(name)),
        }
    }
    for address in addresses.items() {
        faults.deny_if(&address, form::subnet(address.text()));
    }
    let names = ports(&spec.get("ports"), faults);
    let endpoints = spec.get("endpoints");
    let resolution = spec.get("resolution");
    match resolution.text_or("NONE") {
        "NONE" if !endpoints.is_empty() => {
            faults.deny(
                &endpoints,
                "no endpoints should be provided for resolution type none",
            );
        }
        "STATIC" => {
            for endpoint in endpoints.items() {
                workload::endpoint(&endpoint, Some(&names), false, faults);
            }
        }
        "DNS" | "DNS_ROUND_ROBIN" => {
            let bad = hosts.items().into_iter().find_map(|host| {
                let why = form::domain(host.text())?;
                Some((host, why))
            });
            if let (true, Some((host, why))) = (endpoints.is_empty(), bad) {
                let why = format!(
                    "hosts must be FQDN or contain only prefix wildcards if no endpoints are provided for resolution mode {}, {why}",
                    resolution.text()
                );
                faults.deny(&host, why);
            }
            for endpoint in endpoints.items() {
                by_name(&endpoint, &names, faults);
            }
        }
        "DYNAMIC_DNS" => dynamic(spec, faults),
        _ => {}
    }
    if resolution.text_or("NONE") != "NONE" && hosts.len() > 1 {
        for port in spec.get("ports").items() {
            let protocol = port.get("protocol");
            let tells_hosts = matches!(
                form::protocol(protocol.text()),
                Some(Protocol::Http | Protocol::Tls)
            );
            if !tells_hosts {
                faults.deny(
                    &protocol,
                    "multiple hosts provided with non-HTTP, non-TLS ports",
                );
                break;
            }
        }
    }
    export::check(&spec.get("exportTo"), namespace, Of::ServiceEntry, faults);
}

/// Judges the ports and returns their names.
fn ports<'v>(ports: &At<'v>, faults: &mut Faults) -> Vec<&'v str> {
    let (mut names, mut numbers): (Vec<&str>, Vec<i64>) = (Vec::new(), Vec::new());
    for port in ports.items() {
        let (name, number) = (port.get("name"), port.get("number"));
        let own = number.int().unwrap_or_default();
        if names.contains(&name.text()) {
            faults.deny(
                &name,
                format!("service entry port name {:?} already defined", name.text()),
            );
        }
        if numbers.contains(&own) {
            faults.deny(&number, format!("service entry port {own} already defined"));
        }
        names.push(name.text());
        numbers.push(own);
        let target = port.get("targetPort");
        if let Some(other) = target.int().filter(|other| *other != 0) {
            faults.deny_if(&target, form::port(other));
        }
        faults.deny_if(&name, form::port_name(name.text()));
        form::known_protocol(&port.get("protocol"), faults);
        faults.deny_if(&number, form::port(own));
    }
    names
}

fn by_name(endpoint: &At<'_>, names: &[&str], faults: &mut Faults) {
    let address = endpoint.get("address");
    if !form::is_ip(address.text()) && form::domain(address.text()).is_some() {
        let why = format!(
            "endpoint address {:?} is not a valid FQDN or an IP address",
            address.text()
        );
        faults.deny(&address, why);
    }
    form::tags(&endpoint.get("labels"), faults);
    for (name, port) in endpoint.get("ports").entries() {
        let number = port.int().unwrap_or_default();
        if !names.contains(&name) {
            let why = format!("endpoint port {number} is not defined by the service entry");
            faults.deny(&port, why);
            form::meant(faults, name, names);
        }
        faults.deny_if(&port, form::port_name(name));
        faults.deny_if(&port, form::port(number));
    }
}

fn dynamic(spec: &At<'_>, faults: &mut Faults) {
    for host in spec.get("hosts").items() {
        if !host.text().starts_with('*') {
            faults.deny(
                &host,
                "host must be wildcarded for resolution mode DYNAMIC_DNS",
            );
        }
    }
    for field in ["addresses", "endpoints"] {
        if !spec.get(field).is_empty() {
            let why = format!("{field} cannot be set for resolution type DYNAMIC_DNS");
            faults.deny(&spec.get(field), why);
        }
    }
    for port in spec.get("ports").items() {
        let protocol = port.get("protocol");
        let name = protocol.text().to_uppercase();
        if !matches!(name.as_str(), "HTTP" | "TLS" | "GRPC" | "HTTP2") {
            let why = "only HTTP, TLS, GRPC, and HTTP2 protocols are supported for resolution type DYNAMIC_DNS";
            faults.deny(&protocol, why);
        }
    }
}
