//! One proxy's configuration, from `config_dump?include_eds` and `clusters?format=json` of its admin interface.
//!
//! Source: Envoy's API reference, `admin/v3/config_dump_shared.proto` and `admin/v3/clusters.proto`. A state that Envoy has refused
//! or not yet activated is not evaluated; it is kept, because it explains why a proxy does not do what its control plane says.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use serde_json::Value;

use super::node::Node;

/// The configuration of one proxy.
#[derive(Debug, Clone)]
pub struct ConfigDump {
    /// The proxy.
    pub node: Node,
    pub(super) listeners: Vec<Value>,
    pub(super) routes: BTreeMap<String, Value>,
    pub(super) clusters: BTreeMap<String, Value>,
    pub(super) endpoints: BTreeMap<String, Value>,
    /// The resolved hosts of each cluster with their health; `None` without the list of clusters.
    pub(super) hosts: Option<BTreeMap<String, Vec<Value>>>,
    /// What Envoy has refused: the resource, and Envoy's words.
    pub rejected: Vec<(String, String)>,
    /// The resources that wait for something before they become active.
    pub warming: Vec<String>,
}

/// Why a JSON value is not a dump that can be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DumpError {
    /// It has no list `configs`.
    #[error("it has no list `configs`, so it is not the output of Envoy's config_dump")]
    NotADump,
    /// It does not say whose it is.
    #[error(
        "its bootstrap section does not name a sidecar or a gateway of Istio (node id `sidecar~ADDRESS~POD.NAMESPACE~...`)"
    )]
    NoNode,
    /// It has no listeners.
    #[error("it has no section of listeners")]
    NoListeners,
}

impl ConfigDump {
    /// Reads a dump, and the list of clusters if there is one.
    ///
    /// # Errors
    /// It is not a dump of a proxy of Istio, or it has no listeners.
    pub fn read(dump: &Value, clusters: Option<&Value>) -> Result<ConfigDump, DumpError> {
        let sections = dump["configs"].as_array().ok_or(DumpError::NotADump)?;
        let section = |name: &str| {
            let mut all = sections.iter();
            all.find(|one| json::text(one, "/@type").ends_with(name))
        };
        let node =
            section(".BootstrapConfigDump").and_then(|one| Node::read(&one["bootstrap"]["node"]));
        let listeners = section(".ListenersConfigDump").ok_or(DumpError::NoListeners)?;
        let mut read = ConfigDump {
            node: node.ok_or(DumpError::NoNode)?,
            listeners: Vec::new(),
            routes: BTreeMap::new(),
            clusters: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            hosts: clusters.map(hosts),
            rejected: Vec::new(),
            warming: Vec::new(),
        };
        for one in json::list(listeners, "/dynamic_listeners") {
            let name = json::text(one, "/name");
            read.listeners
                .extend(one.pointer("/active_state/listener").cloned());
            if one.get("warming_state").is_some() {
                read.warming.push(format!("listener {name}"));
            }
            read.refused("listener", name, one);
        }
        let fixed = json::list(listeners, "/static_listeners");
        read.listeners
            .extend(fixed.filter_map(|one| one.get("listener")).cloned());
        let null = Value::Null;
        let routes = section(".RoutesConfigDump").unwrap_or(&null);
        let places = [
            ("/static_route_configs", "route_config"),
            ("/dynamic_route_configs", "route_config"),
        ];
        for (value, one) in resources(routes, &places) {
            let name = json::text(value, "/name");
            read.refused("route configuration", name, one);
            read.routes.insert(name.to_owned(), value.clone());
        }
        let clusters = section(".ClustersConfigDump").unwrap_or(&null);
        let places = [
            ("/static_clusters", "cluster"),
            ("/dynamic_active_clusters", "cluster"),
        ];
        for (value, one) in resources(clusters, &places) {
            let name = json::text(value, "/name");
            read.refused("cluster", name, one);
            read.clusters.insert(name.to_owned(), value.clone());
        }
        for (value, one) in resources(clusters, &[("/dynamic_warming_clusters", "cluster")]) {
            let name = json::text(value, "/name");
            read.refused("cluster", name, one);
            read.warming.push(format!("cluster {name}"));
        }
        let endpoints = section(".EndpointsConfigDump").unwrap_or(&null);
        let places = [
            ("/static_endpoint_configs", "endpoint_config"),
            ("/dynamic_endpoint_configs", "endpoint_config"),
        ];
        for (value, _) in resources(endpoints, &places) {
            let name = json::text(value, "/cluster_name");
            read.endpoints.insert(name.to_owned(), value.clone());
        }
        Ok(read)
    }

    /// Keeps what Envoy refused of a resource.
    fn refused(&mut self, kind: &str, name: &str, one: &Value) {
        if let Some(error) = one.get("error_state") {
            let details = json::text(error, "/details").to_owned();
            self.rejected.push((format!("{kind} {name}"), details));
        }
    }

    /// The pod as `NAMESPACE/POD`.
    pub fn pod(&self) -> String {
        format!("{}/{}", self.node.namespace, self.node.pod)
    }

    /// Whether an address is one of its pod.
    pub fn has(&self, address: IpAddr) -> bool {
        self.node.addresses.contains(&address)
    }

    /// The address of a host as far as this proxy's configuration tells: of a Service, whose address is a domain of its virtual
    /// host; of a host that the proxy resolves itself.
    pub fn address_of(&self, host: &str) -> Option<IpAddr> {
        let hosts = self
            .routes
            .values()
            .flat_map(|routes| json::list(routes, "/virtual_hosts"));
        let of_service = hosts.filter_map(|virtual_host| {
            let domains: Vec<&str> = json::list(virtual_host, "/domains")
                .filter_map(Value::as_str)
                .collect();
            let named = domains
                .iter()
                .any(|domain| domain.eq_ignore_ascii_case(host));
            named.then(|| {
                domains
                    .iter()
                    .find_map(|domain| domain.parse::<IpAddr>().ok())
            })?
        });
        let resolved = self.hosts.iter().flatten().filter(|(name, _)| {
            name.starts_with("outbound|") && name.rsplit('|').next() == Some(host)
        });
        let resolves = |name: &str| {
            let cluster = self.clusters.get(name);
            cluster.is_some_and(|cluster| json::text(cluster, "/type").ends_with("_DNS"))
        };
        let resolved = resolved
            .filter(|(name, _)| resolves(name))
            .flat_map(|(_, hosts)| hosts)
            .filter_map(|host| Some(socket_address(&host["address"])?.ip()));
        of_service.chain(resolved).next()
    }
}

/// The resources in lists of a section, each with the entry that contains it.
fn resources<'s>(
    section: &'s Value,
    places: &[(&str, &str)],
) -> impl Iterator<Item = (&'s Value, &'s Value)> {
    let all = places.iter().map(|(list, field)| {
        let entries = json::list(section, list);
        entries
            .filter_map(|one| Some((one.get(field)?, one)))
            .collect::<Vec<_>>()
    });
    all.collect::<Vec<_>>().into_iter().flatten()
}

/// The hosts in a list of clusters.
fn hosts(clusters: &Value) -> BTreeMap<String, Vec<Value>> {
    let statuses = json::list(clusters, "/cluster_statuses");
    let pairs = statuses.map(|one| {
        let hosts = json::list(one, "/host_statuses").cloned().collect();
        (json::text(one, "/name").to_owned(), hosts)
    });
    pairs.collect()
}

/// The address and port of an `Address`; `None` if it is a name, or no address of a socket.
pub fn socket_address(address: &Value) -> Option<SocketAddr> {
    let socket = address.get("socket_address")?;
    let ip: IpAddr = json::text(socket, "/address").parse().ok()?;
    let port = socket["port_value"].as_u64().unwrap_or_default();
    Some(SocketAddr::new(ip, u16::try_from(port).ok()?))
}
