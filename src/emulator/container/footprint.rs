//! What GKE does to a cluster's network behind everybody's back: a subnetwork for the control plane, firewall rules, an
//! endpoint group, a range for pods. And what it forgets when the cluster goes.

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use super::place::Place;
use crate::emulator::answer::Refusal;
use crate::emulator::clock;
use crate::emulator::compute;
use crate::emulator::names;
use crate::emulator::operation::Effect;
use crate::emulator::world::World;

/// A cluster as its network sees it.
#[derive(Debug, Clone)]
pub struct Footprint {
    /// `projects/p/global/networks/n`.
    pub network: String,
    /// `projects/p/regions/r/subnetworks/s`.
    pub subnetwork: String,
    /// The cluster's name.
    pub cluster: String,
    /// The first eight digits of its id.
    pub hash: String,
    /// The control plane's range, if the cluster is private.
    pub master: Option<Ipv4Net>,
}

/// A firewall rule of a cluster.
struct Rule {
    /// The end of its name.
    end: &'static str,
    /// Its priority.
    priority: i64,
    /// Who may come in.
    from: Source,
    /// Protocols, and ports where not all of them.
    lines: &'static [(&'static str, &'static [&'static str])],
}

/// Where traffic that a rule is about comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Master,
    Pods,
    Network,
    Anyone,
}

const fn rule(
    end: &'static str,
    priority: i64,
    from: Source,
    lines: &'static [(&'static str, &'static [&'static str])],
) -> Rule {
    Rule {
        end,
        priority,
        from,
        lines,
    }
}

/// All of them. The last one is about discovering services of other clusters, and outlives the cluster.
const RULES: &[Rule] = &[
    rule(
        "all",
        1000,
        Source::Pods,
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
        Source::Network,
        &[("icmp", &[]), ("tcp", &["1-65535"]), ("udp", &["1-65535"])],
    ),
    rule("exkubelet", 1000, Source::Anyone, &[("tcp", &["10255"])]),
    rule("inkubelet", 999, Source::Pods, &[("tcp", &["10255"])]),
    rule(
        "master",
        1000,
        Source::Master,
        &[("tcp", &["443", "10250"])],
    ),
    rule(
        LEFT,
        1000,
        Source::Pods,
        &[("tcp", &["53"]), ("udp", &["53"])],
    ),
];

/// The rule that outlives its cluster.
const LEFT: &str = "mcsd";

impl Footprint {
    /// The name of the subnetwork that holds the control plane's range.
    pub fn master_subnetwork(&self) -> String {
        let hash = names::hex(&format!("{} {}", self.cluster, self.hash), 8);
        format!("gke-{}-{hash}-pe-subnet", self.cluster)
    }

    /// Refuses a range for the control plane that something in the network has.
    ///
    /// # Errors
    /// 400; the text is not recorded.
    pub fn check(&self, world: &World) -> Result<(), Refusal> {
        let Some(master) = &self.master else {
            return Ok(());
        };
        match compute::range_conflict(world, &self.network, master, "") {
            None => Ok(()),
            Some(complaint) => Err(Refusal::bad_request(format!(
                "The given master_ipv4_cidr {master} overlaps with an existing network: {complaint}"
            ))),
        }
    }

    /// Puts it all there.
    pub fn appear(&self, world: &mut World, place: &Place, pods: &str) {
        if let Some(master) = self.master {
            let (key, value) = self.pe_subnetwork(world, place, master);
            world.put(key, value);
        }
        for rule in RULES {
            let from = match (rule.from, self.master) {
                (Source::Master, Some(range)) => range.to_string(),
                (Source::Master, None) => continue,
                (Source::Anyone, _) => "0.0.0.0/0".to_owned(),
                (Source::Network, _) => "10.128.0.0/9".to_owned(),
                (Source::Pods, _) => pods.to_owned(),
            };
            let (key, value) = self.firewall(world, place, rule, &from);
            world.put(key, value);
        }
    }

    /// The endpoint group of the default backend, which the cluster makes when it runs.
    pub fn endpoint_group(&self, world: &mut World, place: &Place) -> Effect {
        let zones = place.zones();
        let zone = zones.first().map_or("", String::as_str);
        compute::network_endpoint_group(
            world,
            &place.project.id,
            zone,
            &self.group(),
            &self.network,
            &self.subnetwork,
        )
    }

    /// The endpoint group's name.
    fn group(&self) -> String {
        let end = names::hex(&format!("{} default-http-backend", self.hash), 8);
        format!(
            "k8s1-{}-kube-system-default-http-backend-80-{end}",
            self.hash
        )
    }

    /// What goes with the cluster, and what follows when GKE collects its leftovers.
    pub fn vanish(&self, world: &World, place: &Place) -> Vec<Effect> {
        let project = &place.project.id;
        let remove = |path: String| Effect::Remove {
            key: names::key("compute", &path),
        };
        let rule = |end: &str| {
            remove(format!(
                "projects/{project}/global/firewalls/{}",
                self.rule(end)
            ))
        };
        let zones = place.zones();
        let group = zones.first().map(|zone| {
            remove(format!(
                "projects/{project}/zones/{zone}/networkEndpointGroups/{}",
                self.group()
            ))
        });
        let mut effects = vec![remove(format!(
            "projects/{project}/regions/{}/subnetworks/{}",
            place.region(),
            self.master_subnetwork()
        ))];
        effects.extend(
            RULES
                .iter()
                .filter(|row| row.end != LEFT)
                .map(|row| rule(row.end)),
        );
        let later: Vec<Effect> = [rule(LEFT)].into_iter().chain(group).collect();
        effects.push(Effect::After {
            delay: world.duration("gke.leftovers"),
            effects: later,
        });
        effects
    }

    fn rule(&self, end: &str) -> String {
        format!("gke-{}-{}-{end}", self.cluster, self.hash)
    }

    fn pe_subnetwork(&self, world: &mut World, place: &Place, range: Ipv4Net) -> (String, Value) {
        let (project, region) = (&place.project.id, place.region());
        let name = self.master_subnetwork();
        let path = format!("projects/{project}/regions/{region}/subnetworks/{name}");
        let value = json!({
            "kind": "compute#subnetwork",
            "id": world.next_id().to_string(),
            "creationTimestamp": clock::pacific(world.now()),
            "name": name,
            "network": compute::link(&self.network),
            "ipCidrRange": range.to_string(),
            "gatewayAddress": range.hosts().next().map(|host| host.to_string()),
            "region": compute::link(&format!("projects/{project}/regions/{region}")),
            "selfLink": compute::link(&path),
            "allowSubnetCidrRoutesOverlap": false,
            "privateIpGoogleAccess": true,
            "privateIpv6GoogleAccess": "DISABLE_GOOGLE_ACCESS",
            "purpose": "PRIVATE",
            "stackType": "IPV4_ONLY",
            "fingerprint": "AAAAAAAAAAA=",
        });
        (names::key("compute", &path), value)
    }

    fn firewall(
        &self,
        world: &mut World,
        place: &Place,
        rule: &Rule,
        from: &str,
    ) -> (String, Value) {
        let name = self.rule(rule.end);
        let path = format!("projects/{}/global/firewalls/{name}", place.project.id);
        let line = |(protocol, ports): &(&str, &[&str])| {
            let mut line = json!({"IPProtocol": protocol});
            if !ports.is_empty() {
                line["ports"] = json!(ports);
            }
            line
        };
        let lines: Vec<Value> = rule.lines.iter().map(line).collect();
        // The read-only kubelet port is closed to all but the pods.
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
            "network": compute::link(&self.network),
            "priority": rule.priority,
            "sourceRanges": [from],
            "targetTags": [format!("gke-{}-{}-node", self.cluster, self.hash)],
            "direction": "INGRESS",
            "disabled": false,
            "logConfig": {"enable": false},
            "selfLink": compute::link(&path),
        });
        value[verdict] = json!(lines);
        (names::key("compute", &path), value)
    }
}

/// Gives the subnetwork a secondary range for the pods of a cluster that names none; returns it.
pub fn add_pods_range(
    world: &mut World,
    place: &Place,
    subnetwork: &str,
    network: &str,
    name: &str,
) -> Option<Ipv4Net> {
    let range = (0..64_u8)
        .filter_map(|at| format!("10.{}.0.0/14", at * 4).parse::<Ipv4Net>().ok())
        .rev()
        .find(|range| compute::range_conflict(world, network, range, "").is_none())?;
    let reserved = format!(
        "https://networkconnectivity.googleapis.com/v1/projects/{}/locations/global/internalRanges/{name}",
        place.project.id
    );
    let added = json!({"rangeName": name, "ipCidrRange": range.to_string(), "reservedInternalRange": reserved});
    let stored = world.edit(&names::key("compute", subnetwork))?;
    match stored["secondaryIpRanges"].as_array_mut() {
        Some(ranges) => ranges.push(added),
        None => stored["secondaryIpRanges"] = json!([added]),
    }
    Some(range)
}

/// Takes that range away again.
pub fn remove_pods_range(world: &mut World, subnetwork: &str, name: &str) {
    let Some(stored) = world.edit(&names::key("compute", subnetwork)) else {
        return;
    };
    let Some(ranges) = stored["secondaryIpRanges"].as_array_mut() else {
        return;
    };
    ranges
        .retain(|range| range["rangeName"] != name || range.get("reservedInternalRange").is_none());
    if ranges.is_empty()
        && let Some(fields) = stored.as_object_mut()
    {
        fields.remove("secondaryIpRanges");
    }
}
