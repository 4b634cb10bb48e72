//! VirtualServices: the destinations of requests, by rules in order.

mod http;
mod rules;

pub use http::{HttpMatch, HttpRequest};
pub use rules::{Destination, HttpAction, HttpRetry, HttpRoute, MatchScope, TcpRoute, TlsRoute};

use json::list;
use serde_json::Value;

use super::field::{ExportTo, strange};
use super::host::qualified;
use super::object::{Object, Unknown, texts};

/// The gateway name that stands for all sidecars.
pub const MESH: &str = "mesh";

/// A VirtualService.
#[derive(Debug, Clone)]
pub struct VirtualService {
    /// The kind and name of the VirtualService.
    pub object: Object,
    /// The hosts, in lower case, qualified as names of the mesh.
    pub hosts: Vec<String>,
    /// The gateways that it applies to, as `NAMESPACE/NAME`, or [`MESH`].
    pub gateways: Vec<String>,
    /// The namespaces in which it is visible.
    pub export: ExportTo,
    /// Rules for HTTP requests.
    pub http: Vec<HttpRoute>,
    /// Rules for TLS connections that are not terminated.
    pub tls: Vec<TlsRoute>,
    /// Rules for other connections.
    pub tcp: Vec<TcpRoute>,
}

impl VirtualService {
    /// Parses a manifest or a live object; also returns what of it is not covered.
    pub fn read(value: &Value) -> (VirtualService, Vec<Unknown>) {
        let object = Object::of(value);
        let spec = value.get("spec").unwrap_or(&Value::Null);
        let known = ["hosts", "gateways", "http", "tls", "tcp", "exportTo"];
        let mut unknown = strange(&object, spec, "spec", &known);
        let http = list(spec, "/http").enumerate();
        let http = http.map(|(index, rule)| {
            HttpRoute::read(&object, rule, &format!("spec.http[{index}]"), &mut unknown)
        });
        let http = http.collect();
        let tls = list(spec, "/tls").enumerate();
        let tls = tls.map(|(index, rule)| {
            TlsRoute::read(&object, rule, &format!("spec.tls[{index}]"), &mut unknown)
        });
        let tls = tls.collect();
        let tcp = list(spec, "/tcp").enumerate();
        let tcp = tcp.map(|(index, rule)| {
            TcpRoute::read(&object, rule, &format!("spec.tcp[{index}]"), &mut unknown)
        });
        let tcp = tcp.collect();
        let hosts = texts(spec, "/hosts");
        let hosts = hosts
            .iter()
            .map(|host| qualified(host, &object.namespace).to_ascii_lowercase());
        let service = VirtualService {
            hosts: hosts.collect(),
            gateways: gateways(spec, &object.namespace),
            export: ExportTo::read(value),
            http,
            tls,
            tcp,
            object,
        };
        (service, unknown)
    }

    /// Whether it applies to this gateway, or to sidecars.
    pub fn is_for(&self, gateway: &str) -> bool {
        match self.gateways.is_empty() {
            true => gateway == MESH,
            false => self.gateways.iter().any(|name| name == gateway),
        }
    }

    /// The destinations of its rules.
    pub fn destinations(&self) -> impl Iterator<Item = &Destination> {
        let http = self.http.iter().filter_map(|rule| match &rule.action {
            HttpAction::Route(destinations) => Some(destinations),
            _ => None,
        });
        let tls = self.tls.iter().map(|rule| &rule.route);
        let tcp = self.tcp.iter().map(|rule| &rule.route);
        http.chain(tls).chain(tcp).flatten()
    }
}

/// The names in a list `gateways`, fully qualified.
fn gateways(value: &Value, namespace: &str) -> Vec<String> {
    let names = texts(value, "/gateways");
    let full = names.into_iter().map(|name| match name.as_str() {
        MESH => name,
        _ if name.contains('/') => name,
        _ => format!("{namespace}/{name}"),
    });
    full.collect()
}
