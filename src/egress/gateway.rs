//! Gateways: the ports of a gateway pod that listen, and what they speak.

use json::{list, text};
use serde_json::Value;

use super::field::{port, strange};
use super::host::within;
use super::object::{Object, Unknown, texts};
use super::selector::Selector;

/// What a server does with TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServerTls {
    /// Nothing: it speaks in clear.
    Plain,
    /// Opens it, and asks callers for no certificate.
    Simple,
    /// Opens it, and wants a certificate of an authority of its own.
    Mutual,
    /// Opens it, and wants a certificate of the mesh.
    IstioMutual,
    /// Leaves it closed.
    Passthrough,
}

/// What a server goes by to send on what arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Routing {
    /// The authority and path of requests.
    Http,
    /// The name that the TLS handshake asks for.
    ServerName,
    /// Nothing: a port has one destination.
    Port,
}

/// A server of a Gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The port, as the gateway's service numbers it.
    pub port: u16,
    /// What it goes by.
    pub routing: Routing,
    /// What it does with TLS.
    pub tls: ServerTls,
    /// Whether it sends callers in clear to https.
    pub redirects: bool,
    /// Its hosts: a namespace (or `*`) and a pattern.
    hosts: Vec<(String, String)>,
}

impl Server {
    fn read(
        object: &Object,
        value: &Value,
        path: &str,
        unknown: &mut Vec<Unknown>,
    ) -> Option<Server> {
        let known = ["port", "hosts", "tls", "name", "defaultEndpoint"];
        unknown.extend(strange(object, value, path, &known));
        let settings = value.get("tls").unwrap_or(&Value::Null);
        let known = [
            "mode",
            "credentialName",
            "serverCertificate",
            "privateKey",
            "caCertificates",
            "httpsRedirect",
            "minProtocolVersion",
            "maxProtocolVersion",
            "cipherSuites",
        ];
        unknown.extend(strange(object, settings, &format!("{path}.tls"), &known));
        let protocol = text(value, "/port/protocol").to_ascii_uppercase();
        let opened = match text(settings, "/mode") {
            "" | "SIMPLE" => ServerTls::Simple,
            "MUTUAL" | "OPTIONAL_MUTUAL" => ServerTls::Mutual,
            "ISTIO_MUTUAL" => ServerTls::IstioMutual,
            "PASSTHROUGH" => ServerTls::Passthrough,
            _ => {
                let field = format!("{path}.tls.mode");
                unknown.push(Unknown {
                    object: object.clone(),
                    field,
                });
                ServerTls::Passthrough
            }
        };
        let (routing, tls) = match (protocol.as_str(), opened) {
            ("HTTPS" | "TLS", ServerTls::Passthrough) => (Routing::ServerName, opened),
            ("HTTPS", _) => (Routing::Http, opened),
            ("TLS", _) => (Routing::Port, opened),
            ("HTTP" | "HTTP2" | "GRPC" | "GRPC-WEB", _) => (Routing::Http, ServerTls::Plain),
            _ => (Routing::Port, ServerTls::Plain),
        };
        let hosts = texts(value, "/hosts");
        let hosts = hosts.iter().map(|host| match host.split_once('/') {
            Some((".", host)) => (object.namespace.clone(), host.to_ascii_lowercase()),
            Some((namespace, host)) => (namespace.to_owned(), host.to_ascii_lowercase()),
            None => ("*".to_owned(), host.to_ascii_lowercase()),
        });
        Some(Server {
            port: port(value, "/port/number")?,
            routing,
            tls,
            redirects: settings.get("httpsRedirect") == Some(&Value::Bool(true)),
            hosts: hosts.collect(),
        })
    }

    /// What it serves of a host of a VirtualService in `namespace`: the narrower of that host and of its own.
    pub fn domains<'a>(&'a self, namespace: &str, host: &'a str) -> Vec<&'a str> {
        let own = self
            .hosts
            .iter()
            .filter(|(of, _)| of == "*" || of == namespace);
        let narrower = own.filter_map(|(_, pattern)| match () {
            () if within(pattern, host) => Some(host),
            () if within(host, pattern) => Some(pattern.as_str()),
            () => None,
        });
        narrower.collect()
    }

    /// The patterns of its hosts.
    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(|(_, pattern)| pattern.as_str())
    }

    /// Its hosts: a namespace (or `*`) and a pattern.
    pub fn hosts(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        let hosts = self.hosts.iter();
        hosts.map(|(namespace, pattern)| (namespace.as_str(), pattern.as_str()))
    }
}

/// A Gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// Which.
    pub object: Object,
    /// The pods that it is for, in whatever namespace.
    pub selector: Selector,
    /// Its servers.
    pub servers: Vec<Server>,
    /// When it was made.
    pub created: String,
}

impl Gateway {
    /// From a manifest or a live object, and what of it is not covered.
    pub fn read(value: &Value) -> (Gateway, Vec<Unknown>) {
        let object = Object::of(value);
        let spec = value.get("spec").unwrap_or(&Value::Null);
        let mut unknown = strange(&object, spec, "spec", &["selector", "servers"]);
        let servers = list(spec, "/servers")
            .enumerate()
            .filter_map(|(index, server)| {
                Server::read(
                    &object,
                    server,
                    &format!("spec.servers[{index}]"),
                    &mut unknown,
                )
            });
        let servers = servers.collect();
        let gateway = Gateway {
            selector: Selector::exact(super::object::labels(spec, "/selector")),
            servers,
            created: text(value, "/metadata/creationTimestamp").to_owned(),
            object,
        };
        (gateway, unknown)
    }

    /// Its name, as VirtualServices have it.
    pub fn name(&self) -> String {
        format!("{}/{}", self.object.namespace, self.object.name)
    }
}
