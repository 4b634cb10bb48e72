//! Gateways: the ports on which a gateway pod listens, and their protocols.

use json::{list, text};
use serde_json::Value;

use super::field::{port, strange};
use super::host::within;
use super::object::{Object, Unknown, texts};
use super::selector::Selector;

/// How a server handles TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServerTls {
    /// No TLS: plain text.
    Plain,
    /// Terminates TLS without a client certificate.
    Simple,
    /// Terminates TLS and requires a client certificate from its own authority.
    Mutual,
    /// Terminates TLS and requires a client certificate of the mesh.
    IstioMutual,
    /// Does not terminate TLS.
    Passthrough,
}

/// How a server routes traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Routing {
    /// By the authority and the path of requests.
    Http,
    /// By the SNI of the TLS handshake.
    ServerName,
    /// By port: a port has one destination.
    Port,
}

/// A server of a Gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The port number, in the numbering of the gateway's Service.
    pub port: u16,
    /// How it routes traffic.
    pub routing: Routing,
    /// How it handles TLS.
    pub tls: ServerTls,
    /// Whether it redirects plain-text requests to https.
    pub redirects: bool,
    /// The hosts: a namespace (or `*`) and a pattern.
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

    /// The part of a VirtualService's host that the server serves, for a VirtualService in `namespace`: the narrower of that
    /// host and the server's own.
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

    /// The hosts: a namespace (or `*`) and a pattern.
    pub fn hosts(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        let hosts = self.hosts.iter();
        hosts.map(|(namespace, pattern)| (namespace.as_str(), pattern.as_str()))
    }
}

/// A Gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// The kind and name of the Gateway.
    pub object: Object,
    /// The pods that it selects, in any namespace.
    pub selector: Selector,
    /// The servers.
    pub servers: Vec<Server>,
    /// The creation time.
    pub created: String,
}

impl Gateway {
    /// Parses a manifest or a live object; also returns what of it is not covered.
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

    /// The name, in the form that VirtualServices use.
    pub fn name(&self) -> String {
        format!("{}/{}", self.object.namespace, self.object.name)
    }
}
