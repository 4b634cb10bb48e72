//! The dumps of the proxies of a mesh, by pod and by address.

use std::net::IpAddr;

use super::dump::ConfigDump;
use super::node::NodeType;

/// The dumps of the proxies of a mesh.
#[derive(Debug, Clone, Default)]
pub struct ConfigDumps(Vec<ConfigDump>);

impl ConfigDumps {
    /// The dumps of these proxies.
    pub fn new(dumps: Vec<ConfigDump>) -> ConfigDumps {
        ConfigDumps(dumps)
    }

    /// The dumps.
    pub fn all(&self) -> &[ConfigDump] {
        &self.0
    }

    /// Adds one.
    pub fn add(&mut self, dump: ConfigDump) {
        self.0.push(dump);
    }

    /// The sidecar of a pod; without a name, of the first pod of the namespace by name.
    pub fn sidecar(&self, namespace: &str, pod: Option<&str>) -> Option<&ConfigDump> {
        let all = self.0.iter().filter(|dump| {
            let node = &dump.node;
            node.kind == NodeType::Sidecar
                && node.namespace == namespace
                && pod.is_none_or(|pod| pod == node.pod)
        });
        all.min_by(|one, other| one.node.pod.cmp(&other.node.pod))
    }

    /// The proxy at an address.
    pub fn at(&self, address: IpAddr) -> Option<&ConfigDump> {
        self.0.iter().find(|dump| dump.has(address))
    }
}
