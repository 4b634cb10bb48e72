//! ServiceEntries: hosts that a user registered with the mesh.

use ipnet::IpNet;
use json::{list, text};
use serde_json::Value;

use super::field::{ExportTo, port, strange};
use super::object::{Labels, Object, Unknown, labels, texts};
use super::selector::Selector;
use super::service::{Endpoint, Endpoints, Port, Protocol, Service, TargetPort};

/// Fields of `spec` that are covered. Neither `location` nor `subjectAltNames` affects routing: the first only names a metric,
/// the second is reported as not covered.
const KNOWN: &[&str] = &[
    "hosts",
    "addresses",
    "ports",
    "location",
    "resolution",
    "endpoints",
    "workloadSelector",
    "exportTo",
];

/// The hosts of a ServiceEntry, one service each, and what of it is not covered.
pub fn read(value: &Value) -> (Vec<Service>, Vec<Unknown>) {
    let object = Object::of(value);
    let spec = value.get("spec").unwrap_or(&Value::Null);
    let mut unknown = strange(&object, spec, "spec", KNOWN);
    let hosts = texts(spec, "/hosts");
    let selector = labels(spec, "/workloadSelector/labels");
    let listed: Vec<Endpoint> = list(spec, "/endpoints").map(endpoint).collect();
    let endpoints = match text(spec, "/resolution") {
        _ if !selector.is_empty() => Endpoints::Pods(Selector::exact(selector)),
        "DNS" | "DNS_ROUND_ROBIN" => Endpoints::Dns(listed),
        "STATIC" => Endpoints::Listed(listed),
        "" | "NONE" => Endpoints::OriginalDestination,
        _ => {
            unknown.push(Unknown {
                object: object.clone(),
                field: "spec.resolution".to_owned(),
            });
            Endpoints::OriginalDestination
        }
    };
    let ports: Vec<Port> = list(spec, "/ports").filter_map(entry_port).collect();
    let addresses: Vec<IpNet> = texts(spec, "/addresses")
        .iter()
        .filter_map(|text| {
            text.parse()
                .ok()
                .or_else(|| Some(IpNet::from(text.parse::<std::net::IpAddr>().ok()?)))
        })
        .collect();
    let services = hosts.into_iter().map(|host| Service {
        object: object.clone(),
        host: host.to_ascii_lowercase(),
        ports: ports.clone(),
        addresses: addresses.clone(),
        endpoints: endpoints.clone(),
        export: ExportTo::read(value),
        kubernetes: false,
        headless: false,
        node_local: false,
        not_ready: false,
        labels: labels(value, "/metadata/labels"),
        merged: Vec::new(),
        aliases: Vec::new(),
        created: text(value, "/metadata/creationTimestamp").to_owned(),
    });
    (services.collect(), unknown)
}

/// Parses a port of a ServiceEntry.
fn entry_port(value: &Value) -> Option<Port> {
    let number = port(value, "/number")?;
    Some(Port {
        number,
        name: text(value, "/name").to_owned(),
        protocol: Protocol::stated(text(value, "/protocol")),
        target: TargetPort::Number(port(value, "/targetPort").unwrap_or(number)),
        endpoints: None,
    })
}

/// Parses an endpoint of a ServiceEntry.
fn endpoint(value: &Value) -> Endpoint {
    let ports = value.get("ports").and_then(Value::as_object);
    let ports = ports
        .into_iter()
        .flatten()
        .filter_map(|(name, number)| Some((name.clone(), u16::try_from(number.as_u64()?).ok()?)));
    let labels: Labels = labels(value, "/labels");
    Endpoint {
        address: text(value, "/address").to_owned(),
        ports: ports.collect(),
        labels,
    }
}
