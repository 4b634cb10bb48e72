//! What GKE adds to a cluster's network on its own: a subnetwork for the control plane, firewall rules, an endpoint group, a
//! range for pods; and what of it stays behind when the cluster is deleted.

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use super::firewalls::{self, TrafficSource};
use super::footprint::NetworkFootprint;
use super::location::Location;
use crate::answer::ErrorResponse;
use crate::clock;
use crate::compute;
use crate::names;
use crate::operation::Effect;
use crate::world::World;

impl NetworkFootprint {
    /// Refuses a range for the control plane that something in the network has.
    ///
    /// # Errors
    /// 400; the text is not recorded.
    pub fn check(&self, world: &World) -> Result<(), ErrorResponse> {
        let Some(master) = &self.master else {
            return Ok(());
        };
        match compute::range_conflict(world, &self.network, master, "") {
            None => Ok(()),
            Some(complaint) => Err(ErrorResponse::bad_request(format!(
                "The given master_ipv4_cidr {master} overlaps with an existing network: {complaint}"
            ))),
        }
    }

    /// Creates all of it.
    pub fn appear(&self, world: &mut World, place: &Location, pods: &str) {
        if let Some(master) = self.master {
            let (key, value) = self.pe_subnetwork(world, place, master);
            world.put(key, value);
        }
        let nodes = world
            .get(&names::key("compute", &self.subnetwork))
            .and_then(|stored| stored["ipCidrRange"].as_str())
            .unwrap_or_default()
            .to_owned();
        for rule in firewalls::RULES {
            let from = match (rule.from, self.master) {
                (TrafficSource::Master, Some(range)) => range.to_string(),
                (TrafficSource::Master, None) => continue,
                (TrafficSource::Anyone, _) => "0.0.0.0/0".to_owned(),
                (TrafficSource::Nodes, _) => nodes.clone(),
                (TrafficSource::Pods, _) => pods.to_owned(),
            };
            let (key, value) = firewalls::render(world, self, rule, &from);
            world.put(key, value);
        }
    }

    /// The endpoint group of the default backend, which the cluster makes when it runs.
    pub fn endpoint_group(&self, world: &mut World, place: &Location) -> Effect {
        let zones = place.zones();
        let zone = zones.first().map_or("", String::as_str);
        let path = format!(
            "projects/{}/zones/{zone}/networkEndpointGroups/{}",
            place.project.id,
            self.group()
        );
        let value = compute::network_endpoint_group(world, &path, &self.network, &self.subnetwork);
        Effect::Put {
            key: names::key("compute", &path),
            value,
        }
    }

    /// What is deleted with the cluster, and what GKE deletes later.
    pub fn vanish(&self, world: &World, place: &Location) -> Vec<Effect> {
        // Endpoint groups belong to the cluster's project, the rest to the network's.
        let (host, project) = (self.project(), &place.project.id);
        let remove = |path: String| Effect::Remove {
            key: names::key("compute", &path),
        };
        let rule = |end: &str| {
            remove(format!(
                "projects/{host}/global/firewalls/{}",
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
            "projects/{host}/regions/{}/subnetworks/{}",
            place.region(),
            self.master_subnetwork()
        ))];
        effects.extend(
            firewalls::RULES
                .iter()
                .filter(|row| row.end != firewalls::LEFT)
                .map(|row| rule(row.end)),
        );
        let later: Vec<Effect> = [rule(firewalls::LEFT)].into_iter().chain(group).collect();
        effects.push(Effect::After {
            delay: world.duration("gke.leftovers"),
            effects: later,
        });
        effects
    }

    fn pe_subnetwork(
        &self,
        world: &mut World,
        place: &Location,
        range: Ipv4Net,
    ) -> (String, Value) {
        let (project, region) = (self.project(), place.region());
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
}

/// Gives the subnetwork a secondary range for the pods of a cluster that names none; returns it.
pub fn add_pods_range(
    world: &mut World,
    place: &Location,
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

/// Removes that range.
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
