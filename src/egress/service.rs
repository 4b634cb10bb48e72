//! The hosts of the mesh: Kubernetes Services and hosts of ServiceEntries, in one form.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use json::{list, text};
use serde_json::Value;

use super::field::{ExportTo, port};
use super::object::{Labels, Object, labels};
use super::selector::Selector;

/// The protocol of a port, as Istio derives it from the port's name, `appProtocol` or `protocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1.
    Http,
    /// HTTP/2, gRPC included.
    Http2,
    /// TLS that the proxy does not terminate, including HTTPS.
    Tls,
    /// TCP.
    Tcp,
    /// Not declared: the proxy inspects the first bytes.
    Detected,
    /// Not captured.
    Udp,
}

impl Protocol {
    /// The protocol of a name such as `http`, `grpc-web`, `HTTPS`; `None` for any other name.
    fn named(name: &str) -> Option<Protocol> {
        match name.to_ascii_lowercase().as_str() {
            "http" => Some(Protocol::Http),
            "http2" | "grpc" | "grpc-web" | "kubernetes.io/h2c" => Some(Protocol::Http2),
            "https" | "tls" => Some(Protocol::Tls),
            "tcp" | "mongo" | "mysql" | "redis" => Some(Protocol::Tcp),
            "udp" => Some(Protocol::Udp),
            _ => None,
        }
    }

    /// The protocol of a port of a ServiceEntry or a Gateway.
    pub fn stated(text: &str) -> Protocol {
        Protocol::named(text).unwrap_or(Protocol::Tcp)
    }

    /// Whether plain HTTP requests are routed by their authority.
    pub fn routes_http(self) -> bool {
        matches!(self, Protocol::Http | Protocol::Http2 | Protocol::Detected)
    }
}

/// The port of an endpoint, by number or by the name of a container port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetPort {
    /// A number.
    Number(u16),
    /// The name of a container's port.
    Name(String),
}

/// A port of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The number that callers use.
    pub number: u16,
    /// Its name.
    pub name: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The port at the endpoints.
    pub target: TargetPort,
}

/// An endpoint of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// An address, or a name that the proxy resolves.
    pub address: String,
    /// The endpoint's ports, by the names of the service's ports.
    pub ports: BTreeMap<String, u16>,
    /// The labels, by which subsets select.
    pub labels: Labels,
}

/// The source of a service's endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoints {
    /// Pods of the namespace with these labels.
    Pods(Selector),
    /// The listed endpoints.
    Listed(Vec<Endpoint>),
    /// Names that the proxy resolves; if none is listed, the host itself.
    Dns(Vec<Endpoint>),
    /// The original destination of the connection.
    OriginalDestination,
}

/// A host of the mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The Service or ServiceEntry.
    pub object: Object,
    /// The host, in lower case: `test.team-x.svc.cluster.local`, `example.com`, `*.example.com`.
    pub host: String,
    /// Its ports.
    pub ports: Vec<Port>,
    /// Virtual addresses.
    pub addresses: Vec<IpNet>,
    /// The source of its endpoints.
    pub endpoints: Endpoints,
    /// The namespaces in which it is visible.
    pub export: ExportTo,
    /// Whether it is a Kubernetes Service.
    pub kubernetes: bool,
    /// Whether it has no cluster IP (`clusterIP: None`): proxies then use the original destination.
    pub headless: bool,
    /// The creation time; earlier services take precedence. Empty if it is not created yet.
    pub created: String,
}

impl Service {
    /// Parses a Kubernetes Service. `listed` are the addresses of its Endpoints or EndpointSlices.
    pub fn read(value: &Value, listed: Vec<Endpoint>) -> Service {
        let object = Object::of(value);
        let selector = labels(value, "/spec/selector");
        let cluster_ip = text(value, "/spec/clusterIP");
        let headless = cluster_ip == "None";
        let endpoints = match selector.is_empty() {
            true => Endpoints::Listed(listed),
            false => Endpoints::Pods(Selector::exact(selector)),
        };
        Service {
            host: format!("{}.{}.svc.cluster.local", object.name, object.namespace),
            ports: list(value, "/spec/ports")
                .filter_map(service_port)
                .collect(),
            addresses: cluster_ip
                .parse::<IpAddr>()
                .map(IpNet::from)
                .into_iter()
                .collect(),
            endpoints,
            export: ExportTo::of_service(value),
            kubernetes: true,
            headless,
            created: text(value, "/metadata/creationTimestamp").to_owned(),
            object,
        }
    }

    /// The port of this number.
    pub fn port(&self, number: u16) -> Option<&Port> {
        self.ports.iter().find(|port| port.number == number)
    }

    /// Whether it is a Service that selects a pod with these labels in this namespace.
    pub fn selects(&self, namespace: &str, labels: &Labels) -> bool {
        let selector = match &self.endpoints {
            Endpoints::Pods(selector) => selector,
            _ => return false,
        };
        self.kubernetes && self.object.namespace == namespace && selector.matches(labels)
    }

    /// The names that callers in `namespace` may use for it.
    pub fn names(&self, namespace: &str) -> Vec<String> {
        let mut names = vec![self.host.clone()];
        if self.kubernetes {
            let (name, own) = (&self.object.name, &self.object.namespace);
            names.push(format!("{name}.{own}.svc"));
            names.push(format!("{name}.{own}"));
            if own == namespace {
                names.push(name.clone());
            }
        }
        names
    }
}

/// Parses a port of a Kubernetes Service.
fn service_port(value: &Value) -> Option<Port> {
    let number = port(value, "/port")?;
    let name = text(value, "/name").to_owned();
    let by_name = || Protocol::named(name.split('-').next().unwrap_or_default());
    let protocol = match text(value, "/protocol") {
        "UDP" => Protocol::Udp,
        _ => Protocol::named(text(value, "/appProtocol"))
            .or_else(by_name)
            .unwrap_or(Protocol::Detected),
    };
    let target = match text(value, "/targetPort") {
        "" => TargetPort::Number(port(value, "/targetPort").unwrap_or(number)),
        name => name
            .parse()
            .map_or_else(|_| TargetPort::Name(name.to_owned()), TargetPort::Number),
    };
    Some(Port {
        number,
        name,
        protocol,
        target,
    })
}

/// Addresses of an Endpoints or EndpointSlice object, for Services without a selector.
pub fn listed(value: &Value) -> Vec<Endpoint> {
    let ports = |group: &Value| -> BTreeMap<String, u16> {
        list(group, "/ports")
            .filter_map(|each| Some((text(each, "/name").to_owned(), port(each, "/port")?)))
            .collect()
    };
    let endpoint = |address: &str, group: &Value| Endpoint {
        address: address.to_owned(),
        ports: ports(group),
        labels: Labels::new(),
    };
    let mut found = Vec::new();
    for subset in list(value, "/subsets") {
        let addresses = list(subset, "/addresses").map(|each| text(each, "/ip"));
        found.extend(addresses.map(|address| endpoint(address, subset)));
    }
    for each in list(value, "/endpoints") {
        let addresses = list(each, "/addresses").filter_map(Value::as_str);
        found.extend(addresses.map(|address| endpoint(address, value)));
    }
    found
}
