//! The resources of a mesh in the project of its cluster: their values, and their keys.
//!
//! The scheme `INTERNAL_SELF_MANAGED`, the groups' type and the rule's port and ranges are public; the other values are the defaults
//! of the reference, and the rule's targets are those of GKE's other rules: own knowledge, no record.

use serde_json::{Value, json};

use super::names;
use crate::clock;
use crate::compute::{self, RESERVED};
use crate::container;
use crate::etag;
use crate::names::{key, leaf, path, segment};
use crate::world::World;

/// The port of a proxy that the health checks ask.
const HEALTH_PORT: u16 = 7877;
/// Where Google's health checks come from.
const HEALTH_CHECKERS: [&str; 2] = ["35.191.0.0/16", "130.211.0.0/22"];

/// A cluster with a mesh, as Traffic Director sees it.
#[derive(Debug, Clone)]
pub struct MeshCluster {
    /// Its full resource name.
    pub key: String,
    /// Its id, which no other cluster ever has.
    pub id: String,
    /// `projects/p/global/networks/n`.
    network: String,
    /// `projects/p/regions/r/subnetworks/s`.
    subnetwork: String,
    /// The zones of its nodes.
    zones: Vec<String>,
}

impl MeshCluster {
    /// The cluster with this full resource name, unless it is coming or going.
    pub fn living(world: &World, at: &str) -> Option<MeshCluster> {
        let cluster = MeshCluster::of(world, at)?;
        let status = &world.get(at)?["status"];
        (status != "PROVISIONING" && status != "STOPPING").then_some(cluster)
    }

    /// The cluster with this full resource name.
    pub fn of(world: &World, at: &str) -> Option<MeshCluster> {
        let stored = world.get(at)?;
        let text = |pointer: &str| stored.pointer(pointer).and_then(Value::as_str);
        let zones = stored["locations"].as_array()?.iter();
        Some(MeshCluster {
            key: at.to_owned(),
            id: text("/id")?.to_owned(),
            network: path(text("/networkConfig/network")?).to_owned(),
            subnetwork: path(text("/networkConfig/subnetwork")?).to_owned(),
            zones: zones.filter_map(Value::as_str).map(str::to_owned).collect(),
        })
    }

    fn project(&self) -> &str {
        segment(&self.key, "projects").unwrap_or_default()
    }

    /// A global resource of a Service: its key.
    fn global(&self, collection: &str, service: &str) -> String {
        let name = names::reserved(&self.id, service);
        key(
            "compute",
            &format!("projects/{}/global/{collection}/{name}", self.project()),
        )
    }

    /// The key of the backend service of a Service.
    pub fn backend_service(&self, service: &str) -> String {
        self.global("backendServices", service)
    }

    /// The key of its health check.
    pub fn health_check(&self, service: &str) -> String {
        self.global("healthChecks", service)
    }

    /// The keys of its endpoint groups, one for each zone.
    pub fn groups(&self, service: &str) -> Vec<String> {
        let (project, name) = (self.project(), names::reserved(&self.id, service));
        let group = |zone: &String| {
            let path = format!("projects/{project}/zones/{zone}/networkEndpointGroups/{name}");
            key("compute", &path)
        };
        self.zones.iter().map(group).collect()
    }

    /// The key of the firewall rule, which is in the project of the network.
    pub fn rule(&self) -> String {
        let project = segment(&self.network, "projects").unwrap_or_default();
        let name = names::rule(&self.id);
        key(
            "compute",
            &format!("projects/{project}/global/firewalls/{name}"),
        )
    }

    /// Makes everything of a Service: what is used before what uses it.
    pub fn make(&self, world: &mut World, service: &str) {
        let check = self.health_check(service);
        let value = json!({
            "kind": "compute#healthCheck",
            "type": "TCP",
            "tcpHealthCheck": {"port": HEALTH_PORT, "proxyHeader": "NONE"},
            "checkIntervalSec": 5,
            "timeoutSec": 5,
            "healthyThreshold": 2,
            "unhealthyThreshold": 2,
        });
        self.put(world, &check, value);
        let groups = self.groups(service);
        for group in &groups {
            let value = compute::network_endpoint_group(
                world,
                path(group),
                &self.network,
                &self.subnetwork,
            );
            self.put(world, group, value);
        }
        let backends: Vec<Value> = groups
            .iter()
            .map(|group| {
                json!({
                    "group": compute::link(path(group)),
                    "balancingMode": "RATE",
                    "maxRatePerEndpoint": 1_000_000.0,
                    "capacityScaler": 1.0,
                })
            })
            .collect();
        let backend_service = self.backend_service(service);
        let value = json!({
            "kind": "compute#backendService",
            "loadBalancingScheme": "INTERNAL_SELF_MANAGED",
            "protocol": "HTTP",
            "port": 80,
            "portName": "http",
            "timeoutSec": 30,
            "enableCDN": false,
            "sessionAffinity": "NONE",
            "affinityCookieTtlSec": 0,
            "localityLbPolicy": "ROUND_ROBIN",
            "connectionDraining": {"drainingTimeoutSec": 0},
            "backends": backends,
            "healthChecks": [compute::link(path(&check))],
            "fingerprint": etag::of(&backend_service),
        });
        self.put(world, &backend_service, value);
    }

    /// Makes the firewall rule.
    pub fn make_rule(&self, world: &mut World) {
        let cluster = leaf(&self.key);
        let hash = self.id.get(..8).unwrap_or_default();
        let value = json!({
            "kind": "compute#firewall",
            "description": "",
            "network": compute::link(&self.network),
            "priority": 1000,
            "sourceRanges": HEALTH_CHECKERS,
            "targetTags": [container::node_tag(cluster, hash)],
            "allowed": [{"IPProtocol": "tcp", "ports": [HEALTH_PORT.to_string()]}],
            "direction": "INGRESS",
            "disabled": false,
            "logConfig": {"enable": false},
        });
        self.put(world, &self.rule(), value);
    }

    /// Stores a resource with what every resource has, and with whose it is. One of that name stays as it is.
    fn put(&self, world: &mut World, at: &str, mut value: Value) {
        if world.get(at).is_some() {
            return;
        }
        value["id"] = json!(world.next_id().to_string());
        value["creationTimestamp"] = json!(clock::pacific(world.now()));
        value["name"] = json!(leaf(at));
        value["selfLink"] = json!(compute::link(path(at)));
        value[RESERVED] = json!({"cluster": self.key, "id": self.id});
        world.put(at, value);
    }
}
