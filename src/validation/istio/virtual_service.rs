//! VirtualService: hosts, gateways, and the routes of TLS and TCP.

use crate::at::At;
use crate::fault::Faults;
use crate::istio::export::{self, Of};
use crate::istio::{form, http_match, http_route};

pub fn virtual_service(spec: &At<'_>, namespace: &str, faults: &mut Faults) {
    let (hosts, gateways) = (spec.get("hosts"), spec.get("gateways"));
    let is_delegate = hosts.is_empty();
    if is_delegate {
        for (field, what) in [
            ("gateways", "gateways specified"),
            ("tls", "tls route specified"),
            ("tcp", "tcp route specified"),
        ] {
            if !spec.get(field).is_empty() {
                let why = format!("delegate virtual service must have no {what}");
                faults.deny(&spec.get(field), why);
            }
        }
    }
    gateway_names(&gateways, faults);
    let named = gateways.items();
    let at_gateway = !named.is_empty() && !named.iter().any(|gateway| gateway.text() == "mesh");
    hosts_of(&hosts, spec, at_gateway, faults);
    let kinds = ["http", "tcp", "tls"].map(|kind| spec.get(kind));
    if kinds.iter().all(At::is_empty) {
        faults.deny(spec, "http, tcp or tls must be provided in virtual service");
    }
    let [http, tcp, tls] = kinds;
    for route in http.items() {
        if !at_gateway {
            http_match::no_claims(&route, faults);
        }
        http_route::check(&route, is_delegate, faults);
    }
    for route in tls.items() {
        let matches = route.get("match");
        if matches.is_empty() {
            faults.deny(&matches, "TLS route must have at least one match condition");
        }
        for one in matches.items() {
            if one.get("sniHosts").is_empty() {
                faults.deny(
                    &one.get("sniHosts"),
                    "TLS match must have at least one SNI host",
                );
            }
            for host in one.get("sniHosts").items() {
                sni_host(&host, &hosts, faults);
            }
            connection(&one, faults);
        }
        if route.get("route").is_empty() {
            faults.deny(&route.get("route"), "TLS route is required");
        }
        destinations(&route.get("route"), faults);
    }
    for route in tcp.items() {
        for one in route.get("match").items() {
            connection(&one, faults);
        }
        if route.get("route").is_empty() {
            faults.deny(&route.get("route"), "TCP route is required");
        }
        destinations(&route.get("route"), faults);
    }
    export::check(&spec.get("exportTo"), namespace, Of::Other, faults);
}

fn hosts_of(hosts: &At<'_>, spec: &At<'_>, at_gateway: bool, faults: &mut Faults) {
    let before = faults.0.len();
    let tls = spec.get("tls").items();
    let has_sni = tls
        .iter()
        .flat_map(|route| route.get("match").items())
        .any(|one| !one.get("sniHosts").is_empty());
    for host in hosts.items() {
        let generated = at_gateway && has_sni && host.text().starts_with("outbound_");
        match form::wildcard_domain(host.text()) {
            Some(why) if !generated && !form::is_ip(host.text()) => faults.deny(&host, why),
            None if !at_gateway && host.text() == "*" => faults.deny(
                &host,
                "wildcard host * is not allowed for virtual services bound to the mesh gateway",
            ),
            _ => {}
        }
    }
    if faults.0.len() > before {
        return;
    }
    let hosts = hosts.items();
    for (index, host) in hosts.iter().enumerate() {
        if let Some(other) = hosts[..index]
            .iter()
            .find(|other| overlap(other.text(), host.text()))
        {
            let why = format!(
                "duplicate hosts in virtual service: {} & {}",
                other.text(),
                host.text()
            );
            faults.deny(host, why);
        }
    }
}

/// Whether two hosts, with or without a wildcard, have a name in common.
fn overlap(one: &str, other: &str) -> bool {
    match (one.strip_prefix('*'), other.strip_prefix('*')) {
        (Some(one), Some(other)) => one.ends_with(other) || other.ends_with(one),
        (Some(one), None) => other.ends_with(one),
        (None, Some(other)) => one.ends_with(other),
        (None, None) => one == other,
    }
}

/// Whether every name of a host is one of another's.
fn is_within(one: &str, other: &str) -> bool {
    match (one.strip_prefix('*'), other.strip_prefix('*')) {
        (Some(one), Some(other)) => one.len() >= other.len() && one.ends_with(other),
        (Some(_), None) => false,
        (None, Some(other)) => one.ends_with(other),
        (None, None) => one == other,
    }
}

fn sni_host(host: &At<'_>, hosts: &At<'_>, faults: &mut Faults) {
    let name = host.text();
    if name.starts_with("outbound_") || form::is_ip(name) {
        return;
    }
    if let Some(why) = form::wildcard_domain(name) {
        return faults.deny(host, why);
    }
    let all = hosts.items();
    if !all.iter().any(|other| is_within(name, other.text())) {
        let names: Vec<&str> = all.iter().map(At::text).collect();
        let why = format!(
            "SNI host {name:?} is not a compatible subset of any of the virtual service hosts: [{}]",
            names.join(", ")
        );
        faults.deny(host, why);
    }
}

/// Judges what a match of TLS or TCP says of the connection.
fn connection(one: &At<'_>, faults: &mut Faults) {
    for subnet in one.get("destinationSubnets").items() {
        faults.deny_if(&subnet, form::subnet(subnet.text()));
    }
    let port = one.get("port");
    if let Some(number) = port.int().filter(|number| *number != 0) {
        faults.deny_if(&port, form::port(number));
    }
    form::tags(&one.get("sourceLabels"), faults);
    gateway_names(&one.get("gateways"), faults);
}

/// Judges names of gateways, with or without a namespace.
pub fn gateway_names(gateways: &At<'_>, faults: &mut Faults) {
    for gateway in gateways.items() {
        let Some((namespace, name)) = gateway.text().split_once('/') else {
            faults.deny_if(&gateway, form::domain(gateway.text()));
            // The names after one without a namespace are not looked at.
            return;
        };
        if namespace.is_empty() || name.is_empty() {
            faults.deny(
                &gateway,
                "config namespace and gateway name cannot be empty",
            );
        }
        if !form::is_label(namespace) {
            faults.deny(
                &gateway,
                format!("invalid value for namespace: {namespace:?}"),
            );
        }
        if !form::is_label(name) {
            faults.deny(
                &gateway,
                format!("invalid value for gateway name: {name:?}"),
            );
        }
    }
}

/// Judges destinations and their weights.
pub fn destinations(routes: &At<'_>, faults: &mut Faults) {
    let mut total = 0;
    for route in routes.items() {
        if !route.get("destination").is_set() {
            faults.deny(&route.get("destination"), "destination is required");
        }
        destination(&route.get("destination"), faults);
        let weight = route.get("weight").int().unwrap_or_default();
        if weight < 0 {
            faults.deny(&route.get("weight"), format!("weight {weight} < 0"));
        }
        total += weight;
    }
    if routes.len() > 1 && total == 0 {
        faults.deny(routes, "total destination weight = 0");
    }
}

/// Judges a destination, if there is one.
pub fn destination(one: &At<'_>, faults: &mut Faults) {
    if !one.is_set() {
        return;
    }
    let host = one.get("host");
    match host.text() {
        "*" => faults.deny(&host, "invalid destination host *"),
        name => faults.deny_if(&host, form::wildcard_domain(name)),
    }
    let subset = one.get("subset");
    if !subset.text().is_empty() && !form::is_label(subset.text()) {
        faults.deny(
            &subset,
            format!("subset name is invalid: {}", subset.text()),
        );
    }
    let port = one.get("port");
    if port.is_set() {
        let number = port.get("number");
        faults.deny_if(&number, form::port(number.int().unwrap_or_default()));
    }
}
