//! The firewall rules that GKE makes for a cluster.
//!
//! Their names and purposes are documented; none is recorded.

use serde_json::{Value, json};

use super::footprint::NetworkFootprint;
use crate::clock;
use crate::compute;
use crate::names;
use crate::world::World;

/// A firewall rule of a cluster.
pub struct ClusterFirewall {
    /// The end of its name.
    pub end: &'static str,
    /// Its priority.
    pub priority: i64,
    /// Who may come in.
    pub from: TrafficSource,
    /// Protocols, and ports where not all of them.
    pub lines: &'static [(&'static str, &'static [&'static str])],
}

/// Where traffic that a rule is about comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrafficSource {
    /// The control plane.
    Master,
    /// The cluster's pods.
    Pods,
    /// The nodes' subnetwork.
    Nodes,
    /// Everywhere.
    Anyone,
}

const fn rule(
    end: &'static str,
    priority: i64,
    from: TrafficSource,
    lines: &'static [(&'static str, &'static [&'static str])],
) -> ClusterFirewall {
    ClusterFirewall {
        end,
        priority,
        from,
        lines,
    }
}

/// All of them. The last one is about discovering services of other clusters, and outlives the cluster.
pub const RULES: &[ClusterFirewall] = &[
    rule(
        "all",
        1000,
        TrafficSource::Pods,
        &[
            ("tcp", &[]),
            ("udp", &[]),
            ("icmp", &[]),
            ("esp", &[]),
            ("ah", &[]),
            ("sctp", &[]),
        ],
    ),
    rule(
        "vms",
        1000,
        TrafficSource::Nodes,
        &[("icmp", &[]), ("tcp", &["1-65535"]), ("udp", &["1-65535"])],
    ),
    rule(
        "exkubelet",
        1000,
        TrafficSource::Anyone,
        &[("tcp", &["10255"])],
    ),
    rule(
        "inkubelet",
        999,
        TrafficSource::Pods,
        &[("tcp", &["10255"])],
    ),
    rule(
        "master",
        1000,
        TrafficSource::Master,
        &[("tcp", &["443", "10250"])],
    ),
    rule(
        LEFT,
        1000,
        TrafficSource::Pods,
        &[("tcp", &["53"]), ("udp", &["53"])],
    ),
];

/// The rule that outlives its cluster.
pub const LEFT: &str = "mcsd";

/// The network tag that GKE gives all nodes of a cluster beside those of their pool; `hash` is the beginning of the cluster's id.
/// Compute shows it on the machines, no pool does.
pub fn node_tag(cluster: &str, hash: &str) -> String {
    format!("gke-{cluster}-{hash}-node")
}

/// A rule as compute stores it: its key and its value.
pub fn render(
    world: &mut World,
    of: &NetworkFootprint,
    rule: &ClusterFirewall,
    from: &str,
) -> (String, Value) {
    let name = of.rule(rule.end);
    let path = format!("projects/{}/global/firewalls/{name}", of.project());
    let line = |(protocol, ports): &(&str, &[&str])| {
        let mut line = json!({"IPProtocol": protocol});
        if !ports.is_empty() {
            line["ports"] = json!(ports);
        }
        line
    };
    let lines: Vec<Value> = rule.lines.iter().map(line).collect();
    // The read-only kubelet port is open to pods only.
    let verdict = if rule.end == "exkubelet" {
        "denied"
    } else {
        "allowed"
    };
    let mut value = json!({
        "kind": "compute#firewall",
        "id": world.next_id().to_string(),
        "creationTimestamp": clock::pacific(world.now()),
        "name": name,
        "description": "",
        "network": compute::link(&of.network),
        "priority": rule.priority,
        "sourceRanges": [from],
        "targetTags": [node_tag(&of.cluster, &of.hash)],
        "direction": "INGRESS",
        "disabled": false,
        "logConfig": {"enable": false},
        "selfLink": compute::link(&path),
    });
    value[verdict] = json!(lines);
    (names::key("compute", &path), value)
}
