//! WorkloadEntry, WorkloadGroup, and the endpoints of a ServiceEntry.

use crate::at::At;
use crate::fault::Faults;
use crate::istio::form;

pub fn workload_entry(spec: &At<'_>, _: &str, faults: &mut Faults) {
    endpoint(spec, None, true, faults);
}

pub fn workload_group(spec: &At<'_>, _: &str, faults: &mut Faults) {
    if !spec.get("template").is_set() {
        return faults.deny(&spec.get("template"), "template is required");
    }
    form::tags(&spec.at("metadata.labels"), faults);
    for kind in ["httpGet", "tcpSocket"] {
        let target = spec.get("probe").get(kind);
        if target.is_set() {
            let port = target.get("port");
            faults.deny_if(&port, form::port(port.int().unwrap_or_default()));
        }
    }
}

/// Judges an endpoint; `ports` are the names of the service's, where they are known.
pub fn endpoint(one: &At<'_>, ports: Option<&[&str]>, by_name: bool, faults: &mut Faults) {
    let address = one.get("address");
    let text = address.text();
    let is_socket = text.starts_with("unix://");
    if text.is_empty() && one.get("network").text().is_empty() {
        return faults.deny(&address, "address is required");
    }
    if let Some(path) = text.strip_prefix("unix://") {
        faults.deny_if(&address, form::socket(path));
        if !one.get("ports").is_empty() {
            faults.deny(
                &one.get("ports"),
                format!("unix endpoint {text} must not include ports"),
            );
        }
    } else if !text.is_empty() && !form::is_ip(text) {
        if !by_name {
            faults.deny(
                &address,
                format!("endpoint address {text:?} is not a valid IP address"),
            );
        } else if form::domain(text).is_some() {
            let why = format!("endpoint address {text:?} is not a valid FQDN or an IP address");
            faults.deny(&address, why);
        }
    }
    for (name, port) in one.get("ports").entries() {
        let number = port.int().unwrap_or_default();
        if ports.is_some_and(|ports| !ports.contains(&name)) {
            let why = format!("endpoint port {number} is not defined by the service entry");
            faults.deny(&port, why);
            form::meant(faults, name, ports.unwrap_or_default());
        }
        faults.deny_if(&port, form::port_name(name));
        faults.deny_if(&port, form::port(number));
    }
    form::tags(&one.get("labels"), faults);
    if is_socket && ports.is_some_and(|ports| ports.len() != 1) {
        faults.deny(
            &address,
            "exactly 1 service port required for unix endpoints",
        );
    }
}
