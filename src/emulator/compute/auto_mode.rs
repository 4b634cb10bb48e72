//! Auto mode networks: one subnetwork in every region, and the network `default` that a project has from the day on which it first
//! enables Compute Engine.
//!
//! The ranges are those in a table of Google's own (`mockgcp/common/regions/regions.go` of GoogleCloudPlatform/k8s-config-connector at
//! cdb85ecf1708), but for two: see [`RANGES`]. The network's name, description, firewall rules and their priority are as in exports of
//! real projects to Terraform. That enabling Compute Engine makes it, and at once: own knowledge, no record.

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use super::reserved::RESERVED;
use super::scope;
use crate::clock;
use crate::etag;
use crate::names;
use crate::operation::Effect;
use crate::regions;
use crate::world::World;

/// The field that marks what Google made in a new project, and nobody asked for. It is never printed.
pub const GIVEN: &str = "_given";

/// The second byte of each region's range, `10.N.0.0/20`.
///
/// Two regions are not in Google's table. The range of `me-central2` is from a public listing by gcloud of a project's subnetworks (May
/// 2024). That of `asia-southeast3` is unknown: public tables have 232 and 230, and no listing that was found has the region; the
/// default network of one project is said to end with 10.232.0.0/20.
const RANGES: &[(&str, u8)] = &[
    ("us-central1", 128),
    ("europe-west1", 132),
    ("us-west1", 138),
    ("asia-east1", 140),
    ("us-east1", 142),
    ("asia-northeast1", 146),
    ("asia-southeast1", 148),
    ("us-east4", 150),
    ("australia-southeast1", 152),
    ("europe-west2", 154),
    ("europe-west3", 156),
    ("southamerica-east1", 158),
    ("asia-south1", 160),
    ("northamerica-northeast1", 162),
    ("europe-west4", 164),
    ("europe-north1", 166),
    ("us-west2", 168),
    ("asia-east2", 170),
    ("europe-west6", 172),
    ("asia-northeast2", 174),
    ("asia-northeast3", 178),
    ("us-west3", 180),
    ("us-west4", 182),
    ("asia-southeast2", 184),
    ("europe-central2", 186),
    ("northamerica-northeast2", 188),
    ("asia-south2", 190),
    ("australia-southeast2", 192),
    ("southamerica-west1", 194),
    ("europe-west8", 198),
    ("europe-west9", 200),
    ("us-east5", 202),
    ("europe-southwest1", 204),
    ("us-south1", 206),
    ("me-west1", 208),
    ("europe-west12", 210),
    ("me-central1", 212),
    ("europe-west10", 214),
    ("me-central2", 216),
    ("africa-south1", 218),
    ("northamerica-south1", 224),
    ("europe-north2", 226),
    ("asia-southeast3", 232),
];

/// The range that auto mode networks take theirs from; nothing else may be in it in such a network.
pub const ALL: &str = "10.128.0.0/9";

/// A firewall rule of the default network: the end of its name, its description, its sources, and protocols with their ports.
type DefaultRule = (
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const RULES: &[DefaultRule] = &[
    (
        "icmp",
        "Allow ICMP from anywhere",
        "0.0.0.0/0",
        &[("icmp", "")],
    ),
    (
        "internal",
        "Allow internal traffic on the default network",
        ALL,
        &[("tcp", "0-65535"), ("udp", "0-65535"), ("icmp", "")],
    ),
    (
        "rdp",
        "Allow RDP from anywhere",
        "0.0.0.0/0",
        &[("tcp", "3389")],
    ),
    (
        "ssh",
        "Allow SSH from anywhere",
        "0.0.0.0/0",
        &[("tcp", "22")],
    ),
];

/// The subnetworks that come with an auto mode network, named as it is.
pub fn subnetworks(world: &mut World, project: &str, network: &Value) -> Vec<Effect> {
    let name = network["name"].as_str().unwrap_or_default();
    let link = scope::link(&format!("projects/{project}/global/networks/{name}"));
    let made = RANGES
        .iter()
        .filter(|(region, _)| regions::is_region(region));
    made.map(|(region, second)| {
        let path = format!("projects/{project}/regions/{region}/subnetworks/{name}");
        let value = json!({
            "kind": "compute#subnetwork",
            "id": world.next_id().to_string(),
            "creationTimestamp": clock::pacific(world.now()),
            "name": name,
            "network": link,
            "ipCidrRange": format!("10.{second}.0.0/20"),
            "gatewayAddress": format!("10.{second}.0.1"),
            "region": scope::link(&format!("projects/{project}/regions/{region}")),
            "selfLink": scope::link(&path),
            "privateIpGoogleAccess": false,
            "privateIpv6GoogleAccess": "DISABLE_GOOGLE_ACCESS",
            "purpose": "PRIVATE",
            "stackType": "IPV4_ONLY",
            "allowSubnetCidrRoutesOverlap": false,
            "fingerprint": etag::of(&path),
        });
        Effect::Put {
            key: scope::key(&path),
            value,
        }
    })
    .collect()
}

/// The network `default` of a project with its subnetworks and firewall rules; nothing the second time. A project that has deleted
/// it does not get it again.
pub fn default_network(world: &mut World, project: &str) -> Vec<Effect> {
    if world.count(&format!("compute.default/{project}")) > 1 {
        return Vec::new();
    }
    let path = format!("projects/{project}/global/networks/default");
    let network = json!({
        "kind": "compute#network",
        "id": world.next_id().to_string(),
        "creationTimestamp": clock::pacific(world.now()),
        "name": "default",
        "description": "Default network for the project",
        "autoCreateSubnetworks": true,
        "routingConfig": {"routingMode": "REGIONAL", "bgpBestPathSelectionMode": "LEGACY"},
        "networkFirewallPolicyEnforcementOrder": "AFTER_CLASSIC_FIREWALL",
        "selfLink": scope::link(&path),
        "selfLinkWithId": scope::link(&path),
    });
    let mut effects = subnetworks(world, project, &network);
    for (end, says, from, lines) in RULES {
        let name = format!("default-allow-{end}");
        let rule = format!("projects/{project}/global/firewalls/{name}");
        let allowed: Vec<Value> = lines
            .iter()
            .map(|(protocol, ports)| match *ports {
                "" => json!({"IPProtocol": protocol}),
                ports => json!({"IPProtocol": protocol, "ports": [ports]}),
            })
            .collect();
        effects.push(Effect::Put {
            key: scope::key(&rule),
            value: json!({
                "kind": "compute#firewall",
                "id": world.next_id().to_string(),
                "creationTimestamp": clock::pacific(world.now()),
                "name": name,
                "description": says,
                "network": scope::link(&path),
                "direction": "INGRESS",
                "priority": 65_534,
                "sourceRanges": [from],
                "allowed": allowed,
                "disabled": false,
                "logConfig": {"enable": false},
                "selfLink": scope::link(&rule),
            }),
        });
    }
    effects.push(Effect::Put {
        key: scope::key(&path),
        value: network,
    });
    for effect in &mut effects {
        if let Effect::Put { value, .. } = effect {
            value[GIVEN] = json!(true);
        }
    }
    effects
}

/// The keys of the subnetworks that came with an auto mode network and go with it: those in its ranges.
pub fn own_subnetworks(world: &World, network: &Value) -> Vec<String> {
    if network["autoCreateSubnetworks"] != json!(true) {
        return Vec::new();
    }
    let project = names::segment(network["selfLink"].as_str().unwrap_or_default(), "projects")
        .unwrap_or_default();
    let name = network["name"].as_str().unwrap_or_default();
    let keys = RANGES.iter().map(|(region, _)| {
        scope::key(&format!(
            "projects/{project}/regions/{region}/subnetworks/{name}"
        ))
    });
    keys.filter(|key| world.get(key).is_some_and(|one| is_own(one, network)))
        .collect()
}

/// Whether a subnetwork came with its network.
pub fn is_own(subnetwork: &Value, network: &Value) -> bool {
    let path = |value: &Value| names::path(value.as_str().unwrap_or_default()).to_owned();
    let range: Option<Ipv4Net> = subnetwork["ipCidrRange"]
        .as_str()
        .and_then(|text| text.parse().ok());
    let all: Option<Ipv4Net> = ALL.parse().ok();
    network["autoCreateSubnetworks"] == json!(true)
        && path(&subnetwork["network"]) == path(&network["selfLink"])
        && subnetwork["name"] == network["name"]
        && all
            .zip(range)
            .is_some_and(|(all, range)| all.contains(&range))
}

/// A value without the mark.
pub fn unmarked(mut value: Value) -> Value {
    if let Value::Object(fields) = &mut value {
        fields.remove(GIVEN);
        fields.remove(RESERVED);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pace;
    use crate::clock::Clock;

    #[test]
    fn every_region_has_a_range_and_no_two_have_the_same() {
        for region in regions::regions() {
            let found = RANGES.iter().filter(|(name, _)| *name == region).count();
            assert_eq!(found, 1, "{region}");
        }
        let mut seconds: Vec<u8> = RANGES.iter().map(|(_, second)| *second).collect();
        seconds.sort_unstable();
        seconds.dedup();
        assert_eq!(seconds.len(), RANGES.len());
        assert!(seconds.iter().all(|second| *second >= 128));
    }

    #[test]
    fn a_project_gets_its_default_network_once() {
        let mut world = World::new(Clock::At(0), Pace::Zero);
        let effects = default_network(&mut world, "demo-proj");
        assert_eq!(effects.len(), RANGES.len() + RULES.len() + 1);
        assert!(default_network(&mut world, "demo-proj").is_empty());
        assert!(!default_network(&mut world, "other-proj").is_empty());
    }
}
