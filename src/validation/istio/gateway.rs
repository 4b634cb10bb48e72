//! Gateway.

use crate::at::At;
use crate::fault::Faults;
use crate::istio::form::{self, Protocol};
use crate::istio::tls;

pub fn gateway(spec: &At<'_>, _: &str, faults: &mut Faults) {
    let servers = spec.get("servers");
    if servers.is_empty() {
        faults.deny(&servers, "gateway must have at least one server");
    }
    let mut seen: Vec<&str> = Vec::new();
    for server in servers.items() {
        server_of(&server, faults);
        let name = server.at("port.name");
        if seen.contains(&name.text()) && !name.text().is_empty() {
            let why = format!(
                "port names in servers must be unique: duplicate name {}",
                name.text()
            );
            faults.deny(&name, why);
        }
        seen.push(name.text());
    }
}

fn server_of(server: &At<'_>, faults: &mut Faults) {
    let hosts = server.get("hosts");
    if hosts.is_empty() {
        faults.deny(&hosts, "server config must contain at least one host");
    }
    for host in hosts.items() {
        form::namespaced_host(&host, true, faults);
    }
    let before = faults.0.len();
    let (port, bind) = (server.get("port"), server.get("bind"));
    port_of(&port, &bind, faults);
    let port_holds = faults.0.len() == before;
    match bind.text().strip_prefix("unix://") {
        Some(path) => {
            faults.deny_if(&bind, form::socket(path));
            if port.get("number").int().unwrap_or_default() != 0 {
                faults.deny(
                    &port.get("number"),
                    "port number must be 0 for unix domain socket",
                );
            }
        }
        None if !bind.text().is_empty() => faults.deny_if(&bind, form::address(bind.text())),
        None => {}
    }
    let own = server.get("tls");
    tls::server(&own, faults);
    if !port_holds {
        return;
    }
    match (form::protocol(port.get("protocol").text()), own.is_set()) {
        (Some(Protocol::Tls), false) => {
            faults.deny(
                &own,
                "server must have TLS settings for HTTPS/TLS protocols",
            );
        }
        (Some(Protocol::Http), true) => {
            let mode = own.get("mode").text_or("PASSTHROUGH");
            let files = ["caCertificates", "privateKey", "serverCertificate"];
            let passes = matches!(mode, "PASSTHROUGH" | "AUTO_PASSTHROUGH");
            if !passes || files.iter().any(|file| !own.get(file).text().is_empty()) {
                faults.deny(
                    &own,
                    "server cannot have TLS settings for plain text HTTP ports",
                );
            }
        }
        (Some(Protocol::Other), true) => {
            faults.deny(
                &own,
                "server cannot have TLS settings for non HTTPS/TLS ports",
            );
        }
        _ => {}
    }
}

fn port_of(port: &At<'_>, bind: &At<'_>, faults: &mut Faults) {
    let protocol = port.get("protocol");
    if form::protocol(protocol.text()).is_none() {
        let why = format!(
            "invalid protocol {:?}, supported protocols are HTTP, HTTP2, GRPC, GRPC-WEB, MONGO, REDIS, MYSQL, TCP",
            protocol.text()
        );
        faults.deny(&protocol, why);
        form::meant(faults, protocol.text(), &form::PROTOCOLS);
    }
    let number = port.get("number").int().unwrap_or_default();
    if number > 0 || !bind.text().starts_with("unix://") {
        faults.deny_if(&port.get("number"), form::port(number));
    }
    if port.get("targetPort").int().unwrap_or_default() > 0 {
        faults.deny(
            &port.get("targetPort"),
            "targetPort has no impact on Gateways",
        );
    }
    if port.get("name").text().is_empty() {
        faults.deny(&port.get("name"), "port name must be set");
    }
}
