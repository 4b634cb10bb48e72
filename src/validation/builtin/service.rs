//! Service.

use serde_json::{Value, json};

use crate::at::At;
use crate::builtin::{metadata, share};
use crate::fault::Faults;
use crate::names;

const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

pub fn service(object: &At<'_>, faults: &mut Faults) {
    let spec = object.get("spec");
    let kind = spec.get("type");
    let of = kind.text_or("ClusterIP");
    let is_headless = spec.get("clusterIP").text() == "None";
    let ports = spec.get("ports");
    if ports.is_empty() && !is_headless && of != "ExternalName" {
        faults.required(&ports, "");
    }
    let several = ports.len() > 1;
    let mut seen: Vec<&str> = Vec::new();
    for port in ports.items() {
        port_of(&port, several, faults);
        let name = port.get("name");
        if !name.text().is_empty() {
            if seen.contains(&name.text()) {
                faults.duplicate(&name);
            }
            seen.push(name.text());
        }
        let node = port.get("nodePort");
        if of == "ClusterIP" && node.int().unwrap_or_default() != 0 {
            faults.forbidden(&node, "may not be used when `type` is 'ClusterIP'");
        }
    }
    metadata::labels(&spec.get("selector"), faults);
    share::one_of(&spec.get("sessionAffinity"), &["ClientIP", "None"], faults);
    let known = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    share::one_of(&kind, &known, faults);
    if of == "ExternalName" {
        external_name(&spec.get("externalName"), faults);
    }
    outside(&spec, of, faults);
    share::one_of(
        &spec.get("internalTrafficPolicy"),
        &["Cluster", "Local"],
        faults,
    );
    let policies = ["PreferDualStack", "RequireDualStack", "SingleStack"];
    share::one_of(&spec.get("ipFamilyPolicy"), &policies, faults);
    let cluster_ip = spec.get("clusterIP");
    if !matches!(cluster_ip.text(), "" | "None") && names::ip(cluster_ip.text()).is_none() {
        faults.invalid(
            &cluster_ip,
            "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        );
    }
}

fn port_of(port: &At<'_>, several: bool, faults: &mut Faults) {
    let name = port.get("name");
    if name.text().is_empty() {
        if several {
            faults.required(&name, "");
        }
    } else if let Some(why) = names::label(name.text()) {
        faults.invalid(&name, &why);
    }
    let number = port.get("port");
    let own = number.int().unwrap_or_default();
    if let Some(why) = names::port(own) {
        faults.invalid_value(&number, &own.into(), &why);
    }
    share::one_of(&port.get("protocol"), &PROTOCOLS, faults);
    let target = port.get("targetPort");
    let is_unset = !target.is_set() || target.int() == Some(0) || target.value == &json!("");
    if is_unset {
        // The default is the port itself.
        if let Some(why) = names::port(own).filter(|_| own != 0) {
            faults.invalid_value(&target, &own.into(), &why);
        }
    } else {
        share::port(&target, faults);
    }
    let protocol = port.get("appProtocol");
    if protocol.is_set()
        && let Some(why) = names::qualified(protocol.text())
    {
        faults.invalid(&protocol, &why);
    }
}

fn external_name(name: &At<'_>, faults: &mut Faults) {
    let text = name.text().trim_end_matches('.');
    if text.is_empty() {
        faults.required(name, "");
    } else if let Some(why) = names::subdomain(text) {
        faults.invalid(name, &why);
    }
}

/// What only a service has that is reached from outside.
fn outside(spec: &At<'_>, of: &str, faults: &mut Faults) {
    let policy = spec.get("externalTrafficPolicy");
    let addresses = spec.get("externalIPs");
    let is_outside =
        matches!(of, "LoadBalancer" | "NodePort") || (of == "ClusterIP" && !addresses.is_empty());
    if !policy.text().is_empty() && !is_outside {
        faults.invalid(
            &policy,
            "may only be set for externally-accessible services",
        );
    } else {
        share::one_of(&policy, &["Cluster", "Local"], faults);
    }
    for address in addresses.items() {
        if names::ip(address.text()).is_none() {
            faults.invalid(
                &address,
                "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
            );
        }
    }
    if of != "LoadBalancer" {
        let ranges = spec.get("loadBalancerSourceRanges");
        let class = spec.get("loadBalancerClass");
        for field in [ranges, class].iter().filter(|field| is_given(field.value)) {
            faults.forbidden(field, "may only be used when `type` is 'LoadBalancer'");
        }
        return;
    }
    for range in spec.get("loadBalancerSourceRanges").items() {
        if names::cidr(range.text().trim()).is_none() {
            faults.invalid(
                &range,
                "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
            );
        }
    }
}

fn is_given(value: &Value) -> bool {
    match value {
        Value::Array(items) => !items.is_empty(),
        Value::String(text) => !text.is_empty(),
        _ => false,
    }
}
