//! The hosts that destinations are looked up in, as istioctl does it: by the namespaces to which a Service or a ServiceEntry is
//! exported, compared with those to which the object that names the host is exported.
//!
//! Of several entries for a host, istioctl keeps one, and which one depends on their order. Here their ports are united, so that the
//! result does not depend on it.

use std::collections::BTreeMap;

use json::{list, text};
use serde_json::Value;

use crate::host::{full_name, qualified};
use crate::object::{Labels, Object, labels, texts};

/// Every namespace.
const ALL: &str = "*";

/// What is known of a host.
#[derive(Debug, Clone, Default)]
pub struct KnownHost {
    /// The objects that define it.
    pub objects: Vec<Object>,
    /// The port numbers of each object.
    pub ports: Vec<Vec<u64>>,
    /// `workloadSelector.labels` of a ServiceEntry.
    pub selector: Labels,
}

impl KnownHost {
    /// Whether a port is defined.
    pub fn has_port(&self, port: u16) -> bool {
        self.ports
            .iter()
            .flatten()
            .any(|number| *number == u64::from(port))
    }

    /// The ports of the object that has the most of them.
    pub fn most_ports(&self) -> &[u64] {
        let longest = self.ports.iter().max_by_key(|ports| ports.len());
        longest.map(Vec::as_slice).unwrap_or_default()
    }
}

/// The hosts by namespace (or `*`) and name.
#[derive(Debug, Clone, Default)]
pub struct HostTable(BTreeMap<(String, String), KnownHost>);

impl HostTable {
    /// Reads ServiceEntries and Services.
    pub fn read<'v>(
        entries: impl Iterator<Item = &'v Value>,
        services: impl Iterator<Item = &'v Value>,
    ) -> HostTable {
        let mut table = HostTable::default();
        for entry in entries {
            let object = Object::of(entry);
            let ports: Vec<u64> = list(entry, "/spec/ports")
                .filter_map(|port| port["number"].as_u64())
                .collect();
            let selector = labels(entry, "/spec/workloadSelector/labels");
            let scopes = scopes(texts(entry, "/spec/exportTo"), &object.namespace);
            for host in texts(entry, "/spec/hosts") {
                let host = qualified(&host, &object.namespace);
                table.add(&scopes, &host, &object, &ports, &selector);
            }
        }
        for service in services {
            let object = Object::of(service);
            let ports: Vec<u64> = list(service, "/spec/ports")
                .filter_map(|port| port["port"].as_u64())
                .collect();
            let annotation = text(
                service,
                "/metadata/annotations/networking.istio.io~1exportTo",
            );
            let exported = annotation.split(',').map(|name| name.trim().to_owned());
            let exported = exported.filter(|_| !annotation.is_empty()).collect();
            let scopes = scopes(exported, &object.namespace);
            let host = full_name(&object.name, &object.namespace);
            table.add(&scopes, &host, &object, &ports, &Labels::new());
        }
        table
    }

    fn add(
        &mut self,
        scopes: &[String],
        host: &str,
        object: &Object,
        ports: &[u64],
        selector: &Labels,
    ) {
        for scope in scopes {
            let known = self
                .0
                .entry((scope.clone(), host.to_ascii_lowercase()))
                .or_default();
            known.objects.push(object.clone());
            known.ports.push(ports.to_vec());
            known.selector = selector.clone();
        }
    }

    /// The host that `host` in an object of `namespace` means, if the object is exported to `export`.
    pub fn find(&self, namespace: &str, export: &[String], host: &str) -> Option<&KnownHost> {
        let name = qualified(host, namespace).to_ascii_lowercase();
        let at = |scope: &str| self.0.get(&(scope.to_owned(), name.clone()));
        let named = match export {
            [] => at(namespace),
            export => export.iter().find_map(|scope| match scope.as_str() {
                "." => at(namespace),
                scope => at(scope),
            }),
        };
        at(ALL).or(named).or_else(|| {
            let end = host.trim_start_matches('*').to_ascii_lowercase();
            let wild = self.0.iter().find(|((scope, pattern), _)| {
                (scope == ALL || scope == namespace)
                    && pattern
                        .strip_prefix('*')
                        .is_some_and(|suffix| end.ends_with(suffix))
            });
            wild.map(|(_, known)| known)
        })
    }
}

/// The namespaces of an `exportTo`: `*` alone if it contains that or is empty.
pub fn scopes(exported: Vec<String>, own: &str) -> Vec<String> {
    if exported.is_empty() || exported.iter().any(|name| name == ALL) {
        return vec![ALL.to_owned()];
    }
    let named = exported.into_iter().map(|name| match name.as_str() {
        "." => own.to_owned(),
        _ => name,
    });
    named.collect()
}
