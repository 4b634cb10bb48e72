//! The hosts of the mesh: Kubernetes Services and hosts of ServiceEntries, in one form.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use json::{list, text};
use serde_json::Value;

use super::field::{ExportTo, port};
use super::host::full_name;
use super::object::{Labels, Object, labels};
use super::pod::Pod;
use super::selector::Selector;

/// Ports on which the server speaks first, so that Istio does not inspect what comes: SMTP, DNS, MySQL, MongoDB.
const WELL_KNOWN: [u16; 4] = [25, 53, 3306, 27017];

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
            "http2" | "grpc" | "grpc-web" => Some(Protocol::Http2),
            "https" | "tls" => Some(Protocol::Tls),
            "tcp" | "mongo" | "mysql" | "redis" => Some(Protocol::Tcp),
            "udp" => Some(Protocol::Udp),
            _ => None,
        }
    }

    /// The protocol of a port of a ServiceEntry; without a protocol the proxy inspects the first bytes.
    pub fn stated(text: &str) -> Protocol {
        Protocol::named(text).unwrap_or(Protocol::Detected)
    }

    /// The protocol of a TCP port of a Kubernetes Service, from its `appProtocol`, otherwise from the first word of its name;
    /// without either from its number (Istio's `ConvertProtocol`). An `appProtocol` of another value is not looked up by name.
    fn of_service(app_protocol: Option<&str>, name: &str, number: u16) -> Protocol {
        let named = match app_protocol {
            Some("kubernetes.io/h2c") => return Protocol::Http2,
            Some("kubernetes.io/ws") => return Protocol::Http,
            Some("kubernetes.io/wss") => return Protocol::Tls,
            Some(app_protocol) => app_protocol,
            None => name,
        };
        let first = named.split('-').next().unwrap_or_default();
        Protocol::named(first).unwrap_or(match WELL_KNOWN.contains(&number) {
            true => Protocol::Tcp,
            false => Protocol::Detected,
        })
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
    /// The source of its endpoints, if it is not that of its service: the port comes from another ServiceEntry of the host.
    pub endpoints: Option<Endpoints>,
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

/// A Service that is an alias of another host (`type: ExternalName`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The Service.
    pub object: Object,
    /// Its host.
    pub host: String,
    /// The host that it stands for, in lower case and without a trailing dot.
    pub of: String,
}

impl Alias {
    /// Parses a Service; `None` if it is no alias.
    pub fn read(value: &Value) -> Option<Alias> {
        let of = text(value, "/spec/externalName");
        if text(value, "/spec/type") != "ExternalName" || of.is_empty() {
            return None;
        }
        let object = Object::of(value);
        Some(Alias {
            host: full_name(&object.name, &object.namespace),
            of: of.trim_end_matches('.').to_ascii_lowercase(),
            object,
        })
    }
}

/// The shorter names for a host that is named like a Service, whatever it is (Istio's
/// `generateAltVirtualHostsForKubernetesService`).
fn shorter_names(host: &str, namespace: &str) -> Vec<String> {
    let Some(short) = host.strip_suffix(".svc.cluster.local") else {
        return Vec::new();
    };
    let Some((name, own)) = short.split_once('.') else {
        return Vec::new();
    };
    let mut names = vec![format!("{short}.svc"), short.to_owned()];
    if own == namespace {
        names.push(name.to_owned());
    }
    names
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
    /// Whether only endpoints on the caller's node count (`internalTrafficPolicy: Local`).
    pub node_local: bool,
    /// Whether endpoints that are not ready count too (`publishNotReadyAddresses`).
    pub not_ready: bool,
    /// The labels of the object.
    pub labels: Labels,
    /// ServiceEntries whose ports it has beside its own.
    pub merged: Vec<Object>,
    /// Services that are an alias of it (`type: ExternalName`).
    pub aliases: Vec<Alias>,
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
            node_local: text(value, "/spec/internalTrafficPolicy") == "Local",
            not_ready: value.pointer("/spec/publishNotReadyAddresses") == Some(&Value::Bool(true)),
            labels: labels(value, "/metadata/labels"),
            merged: Vec::new(),
            aliases: Vec::new(),
            created: text(value, "/metadata/creationTimestamp").to_owned(),
            object,
        }
    }

    /// Whether a pod behind it serves callers on the node of `caller`. A node that is not known counts as the same one.
    pub fn serves_on_node(&self, caller: &Pod, pod: &Pod) -> bool {
        !self.node_local || caller.node.is_none() || pod.node.is_none() || caller.node == pod.node
    }

    /// The port of this number.
    pub fn port(&self, number: u16) -> Option<&Port> {
        self.ports.iter().find(|port| port.number == number)
    }

    /// Whether it selects a pod with these labels in this namespace as an endpoint.
    pub fn has(&self, namespace: &str, labels: &Labels) -> bool {
        match &self.endpoints {
            Endpoints::Pods(selector) => {
                self.object.namespace == namespace && selector.matches(labels)
            }
            _ => false,
        }
    }

    /// Whether it is a Service that selects a pod with these labels in this namespace.
    pub fn selects(&self, namespace: &str, labels: &Labels) -> bool {
        self.kubernetes && self.has(namespace, labels)
    }

    /// The authorities that a proxy in `namespace` routes to it: its names and those of its aliases, also with a trailing dot; of
    /// a headless Service also every name below these (Istio's `generateVirtualHostDomains`).
    pub fn names(&self, namespace: &str) -> Vec<String> {
        let mut names = vec![self.host.clone(), format!("{}.", self.host)];
        names.extend(shorter_names(&self.host, namespace));
        for alias in &self.aliases {
            names.extend([alias.host.clone(), format!("{}.", alias.host)]);
            names.extend(shorter_names(&alias.host, namespace));
        }
        if self.kubernetes && self.headless {
            let below: Vec<String> = names.iter().map(|name| format!("*.{name}")).collect();
            names.extend(below);
        }
        names
    }

    /// The SNIs that a proxy in `namespace` routes to it, if its listener is shared.
    pub fn names_in_tls(&self, namespace: &str) -> Vec<String> {
        let mut names = vec![self.host.clone()];
        for alias in &self.aliases {
            names.push(alias.host.clone());
            names.extend(shorter_names(&alias.host, namespace));
        }
        names
    }

    /// The source of the endpoints of a port.
    pub fn endpoints_of<'a>(&'a self, port: &'a Port) -> &'a Endpoints {
        port.endpoints.as_ref().unwrap_or(&self.endpoints)
    }

    /// Adds the ports of a younger ServiceEntry of the same host, if Istio merges them: namespace, resolution, labels, selector
    /// and `exportTo` are the same (`canMergeServices`). Returns whether it does.
    pub fn merges(&mut self, other: &Service) -> bool {
        let selector = |service: &Service| match &service.endpoints {
            Endpoints::Pods(selector) => Some(selector.clone()),
            _ => None,
        };
        let same = !self.kubernetes
            && !other.kubernetes
            && self.host == other.host
            && self.object.namespace == other.object.namespace
            && std::mem::discriminant(&self.endpoints) == std::mem::discriminant(&other.endpoints)
            && selector(self) == selector(other)
            && self.labels == other.labels
            && self.export.same(&other.export);
        if same {
            let addresses = other
                .addresses
                .iter()
                .filter(|each| !self.addresses.contains(each));
            let addresses: Vec<IpNet> = addresses.copied().collect();
            self.addresses.extend(addresses);
            self.merged.push(other.object.clone());
            for port in &other.ports {
                if self.port(port.number).is_none() {
                    self.ports.push(Port {
                        endpoints: Some(other.endpoints.clone()),
                        ..port.clone()
                    });
                }
            }
        }
        same
    }
}

/// Parses a port of a Kubernetes Service.
fn service_port(value: &Value) -> Option<Port> {
    let number = port(value, "/port")?;
    let name = text(value, "/name").to_owned();
    let app_protocol = value.get("appProtocol").and_then(Value::as_str);
    let protocol = match text(value, "/protocol") {
        "UDP" | "SCTP" => Protocol::Udp,
        _ => Protocol::of_service(app_protocol, &name, number),
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
        endpoints: None,
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
