//! What a node pool may be: its machines, sizes, ranges and upgrades.
//!
//! Sources stand beside the checks; "reference" is the description of a field in the discovery document of `container.v1`, revision
//! 20261027. Where no text is quoted, that of the refusal is not recorded, and the words are ours.

use serde_json::Value;

use super::location::Location;
use super::network;
use crate::answer::ErrorResponse;
use crate::compute;
use crate::labels;
use crate::names;
use crate::regions;
use crate::world::World;

/// Types of boot disks. Source: those that gcloud 528 offers for nodes (`command_lib/container/flags.py`). `pd-extreme` is not among
/// them: own knowledge, no record.
const DISKS: &[&str] = &[
    "pd-standard",
    "pd-balanced",
    "pd-ssd",
    "pd-extreme",
    "hyperdisk-balanced",
    "hyperdisk-throughput",
    "hyperdisk-extreme",
];

/// The images that getServerConfig lists here, and older names. That GKE still takes those: own knowledge, no record.
const IMAGES: &[&str] = &[
    "COS_CONTAINERD",
    "UBUNTU_CONTAINERD",
    "WINDOWS_LTSC_CONTAINERD",
    "COS",
    "UBUNTU",
    "WINDOWS_SAC_CONTAINERD",
];

/// Checks a pool that is to be created, as it was sent.
///
/// # Errors
/// 400.
pub fn check(
    world: &World,
    place: &Location,
    cluster: &Value,
    pool: &Value,
) -> Result<(), ErrorResponse> {
    check_config(place, &pool["config"])?;
    check_upgrades(&pool["upgradeSettings"])?;
    check_autoscaling(&pool["autoscaling"])?;
    check_locations(place, "NodePool.locations", &pool["locations"])?;
    // A pool has at most 1000 nodes in each zone (GKE's page about quotas, as users quote it).
    let count = pool["initialNodeCount"].as_i64().unwrap_or_default();
    if !(0..=1_000).contains(&count) {
        return Err(refused(&format!(
            "NodePool.initial_node_count must be between 0 and 1000, and is {count}."
        )));
    }
    let most_pods = pool.pointer("/maxPodsConstraint/maxPodsPerNode");
    check_pods(most_pods)?;
    let subnetwork = cluster
        .pointer("/networkConfig/subnetwork")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let stored = world.get(&names::key("compute", subnetwork));
    let range = pool
        .pointer("/networkConfig/podRange")
        .and_then(Value::as_str);
    let creates = pool.pointer("/networkConfig/createPodRange") == Some(&Value::Bool(true));
    if !creates {
        network::secondary(stored.unwrap_or(&Value::Null), range)?;
    }
    Ok(())
}

/// How many pods a node may have. That 8 is taken is reported by users (rancher, issue 31110); that less is refused, and more than
/// 256: own knowledge, no record.
///
/// # Errors
/// 400.
pub fn check_pods(most: Option<&Value>) -> Result<(), ErrorResponse> {
    let Some(most) = most
        .and_then(Value::as_str)
        .and_then(|text| text.parse::<i64>().ok())
    else {
        return Ok(());
    };
    if (8..=256).contains(&most) {
        return Ok(());
    }
    Err(refused(&format!(
        "Max pods per node must be between 8 and 256, and is {most}."
    )))
}

/// The configuration of nodes, of a new pool or of an update.
///
/// # Errors
/// A refusal with 400. What is said of a machine type that does not exist is quoted by users (keras-team/kinetic, issue 305), and so is what is
/// said of one that is too small (nkoson/gke-tutorial, issue 7).
pub fn check_config(place: &Location, config: &Value) -> Result<(), ErrorResponse> {
    let text = |field: &str| config[field].as_str().filter(|text| !text.is_empty());
    if let Some(machine) = text("machineType") {
        // A pool of a region may be made in some of its zones.
        let zones = if place.is_zone() {
            place.zones()
        } else {
            regions::zones_of(place.region())
        };
        let found = compute::machine_type(machine);
        if !found.is_some_and(|found| zones.iter().any(|zone| found.is_in(zone))) {
            let zones = place.zones();
            let zone = zones.first().map_or("", String::as_str);
            return Err(refused(&format!(
                "Invalid machine type \"{machine}\" in zone \"{zone}\": GCE_NOT_FOUND"
            )));
        }
        if machine == "f1-micro" {
            return Err(refused(
                "Node pools of f1-micro machines are not supported due to insufficient memory.",
            ));
        }
    }
    let disk = config.pointer("/bootDisk/diskType").and_then(Value::as_str);
    if let Some(disk) = text("diskType").or(disk)
        && !DISKS.contains(&disk)
    {
        return Err(refused(&format!("Invalid disk type \"{disk}\".")));
    }
    if let Some(image) = text("imageType")
        && !IMAGES.contains(&image.to_ascii_uppercase().as_str())
    {
        return Err(refused(&format!("Invalid image type \"{image}\".")));
    }
    match config["diskSizeGb"].as_i64() {
        // Zero stands for the default. The smallest size is in the reference; from GKE 1.36.3-gke.1480000 on, which is not on offer
        // here, it is 15 GB. The largest: own knowledge, no record.
        Some(size) if size != 0 && !(12..=65_536).contains(&size) => Err(refused(&format!(
            "Disk size must be between 12 GB and 65536 GB, and is {size} GB."
        ))),
        _ => labels::check_cluster("node_config.resource_labels", &config["resourceLabels"]),
    }
}

/// How nodes are replaced: one more at a time, or one fewer, or both. Neither may be negative, and one must be more than 0: source, the
/// documentation of Terraform's provider (`google_container_node_pool`).
///
/// # Errors
/// 400.
pub fn check_upgrades(settings: &Value) -> Result<(), ErrorResponse> {
    let [surge, unavailable] = ["maxSurge", "maxUnavailable"].map(|field| settings[field].as_i64());
    if [surge, unavailable]
        .iter()
        .flatten()
        .any(|value| *value < 0)
    {
        return Err(refused(
            "UpgradeSettings.max_surge and UpgradeSettings.max_unavailable must not be negative.",
        ));
    }
    let said = surge.is_some() || unavailable.is_some();
    if said && surge.unwrap_or(0) == 0 && unavailable.unwrap_or(0) == 0 {
        return Err(refused(
            "UpgradeSettings.max_surge and UpgradeSettings.max_unavailable cannot both be 0.",
        ));
    }
    // The figure: own knowledge, no record.
    if surge.unwrap_or(0).saturating_add(unavailable.unwrap_or(0)) > 20 {
        return Err(refused(
            "The sum of UpgradeSettings.max_surge and UpgradeSettings.max_unavailable cannot exceed 20.",
        ));
    }
    Ok(())
}

/// The limits of a pool that grows and shrinks by itself. Their order, and that those of a zone and those of the pool exclude each other,
/// is in the reference; that the largest must be more than 0: own knowledge, no record.
///
/// # Errors
/// 400.
pub fn check_autoscaling(autoscaling: &Value) -> Result<(), ErrorResponse> {
    if autoscaling["enabled"] != Value::Bool(true) {
        return Ok(());
    }
    let number = |field: &str| autoscaling[field].as_i64().unwrap_or_default();
    let (least, most) = (number("minNodeCount"), number("maxNodeCount"));
    let (all_least, all_most) = (number("totalMinNodeCount"), number("totalMaxNodeCount"));
    let by_zone = least != 0 || most != 0;
    let by_pool = all_least != 0 || all_most != 0;
    let complaint = if by_zone && by_pool {
        "the limits of each zone and those of the whole pool cannot both be given"
    } else if least < 0 || all_least < 0 {
        "the smallest number of nodes must not be negative"
    } else if (by_zone || !by_pool) && most < 1 {
        "max_node_count must be greater than zero"
    } else if least > most || all_least > all_most {
        "the smallest number of nodes must not be greater than the largest"
    } else {
        return Ok(());
    };
    Err(refused(&format!(
        "Invalid node pool autoscaling: {complaint}."
    )))
}

/// The zones of a cluster's or a pool's nodes, which are in its region.
///
/// # Errors
/// 400.
pub fn check_locations(place: &Location, field: &str, zones: &Value) -> Result<(), ErrorResponse> {
    let known = regions::zones_of(place.region());
    let mut all = zones
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    match all.find(|zone| !known.iter().any(|one| one == zone)) {
        None => Ok(()),
        Some(zone) => Err(refused(&format!(
            "Invalid value for field \"{field}\": \"{zone}\". It is not a zone of {}.",
            place.region()
        ))),
    }
}

fn refused(message: &str) -> ErrorResponse {
    ErrorResponse::bad_request(message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::world::Project;

    #[test]
    fn what_a_pool_cannot_be_is_refused() {
        let mut world = World::default();
        let subnetwork = "projects/demo-proj/regions/us-central1/subnetworks/s";
        world.put(
            names::key("compute", subnetwork),
            json!({"name": "s", "secondaryIpRanges": [{"rangeName": "pods", "ipCidrRange": "10.4.0.0/16"}]}),
        );
        let project = Project {
            id: "demo-proj".to_owned(),
            number: 7,
            since: 0,
        };
        let place = Location {
            project,
            location: "us-central1-a".to_owned(),
        };
        let cluster = json!({"networkConfig": {"subnetwork": subnetwork}});
        // A pool, and some of the words of its refusal; none if it is taken.
        let cases = [
            (json!({}), ""),
            (
                json!({"config": {"machineType": "e2-standard-4", "diskType": "pd-ssd", "diskSizeGb": 50, "imageType": "cos_containerd"}}),
                "",
            ),
            (json!({"config": {"machineType": "e2-custom-2-4096"}}), ""),
            (
                json!({"config": {"machineType": "e2-standard-5"}}),
                "Invalid machine type \"e2-standard-5\" in zone \"us-central1-a\": GCE_NOT_FOUND",
            ),
            (
                json!({"config": {"machineType": "f1-micro"}}),
                "f1-micro machines are not supported",
            ),
            (json!({"config": {"diskType": "ssd"}}), "Invalid disk type"),
            (
                json!({"config": {"bootDisk": {"diskType": "ssd"}}}),
                "Invalid disk type",
            ),
            (json!({"config": {"machineType": "t2a-standard-4"}}), ""),
            (json!({"config": {"diskSizeGb": 12}}), ""),
            (json!({"config": {"diskSizeGb": 11}}), "Disk size"),
            (json!({"config": {"diskSizeGb": 9}}), "Disk size"),
            (
                json!({"config": {"imageType": "DEBIAN"}}),
                "Invalid image type",
            ),
            (
                json!({"config": {"resourceLabels": {"k": "a".repeat(64)}}}),
                "must be less than 63 bytes",
            ),
            (json!({"initialNodeCount": -1}), "initial_node_count"),
            (
                json!({"upgradeSettings": {"maxSurge": 0, "maxUnavailable": 0}}),
                "cannot both be 0",
            ),
            (
                json!({"upgradeSettings": {"maxSurge": 0}}),
                "cannot both be 0",
            ),
            (
                json!({"upgradeSettings": {"maxSurge": 0, "maxUnavailable": 1}}),
                "",
            ),
            (
                json!({"upgradeSettings": {"maxSurge": 21}}),
                "cannot exceed 20",
            ),
            (json!({"upgradeSettings": {"strategy": "BLUE_GREEN"}}), ""),
            (
                json!({"autoscaling": {"enabled": true, "minNodeCount": 3, "maxNodeCount": 2}}),
                "must not be greater",
            ),
            (
                json!({"autoscaling": {"enabled": true}}),
                "max_node_count must be greater than zero",
            ),
            (
                json!({"autoscaling": {"enabled": true, "maxNodeCount": 2, "totalMaxNodeCount": 2}}),
                "cannot both be given",
            ),
            (
                json!({"autoscaling": {"enabled": true, "totalMinNodeCount": 1, "totalMaxNodeCount": 2}}),
                "",
            ),
            (
                json!({"maxPodsConstraint": {"maxPodsPerNode": "7"}}),
                "between 8 and 256",
            ),
            (json!({"maxPodsConstraint": {"maxPodsPerNode": "32"}}), ""),
            (json!({"networkConfig": {"podRange": "pods"}}), ""),
            (
                json!({"networkConfig": {"podRange": "none"}}),
                "does not exist in subnetwork",
            ),
            (json!({"locations": ["us-central1-b"]}), ""),
            (
                json!({"locations": ["us-east1-b"]}),
                "not a zone of us-central1",
            ),
        ];
        for (pool, want) in cases {
            let said = check(&world, &place, &cluster, &pool).err();
            let said = said.map(|refusal| refusal.message).unwrap_or_default();
            assert!(
                said.contains(want) && said.is_empty() == want.is_empty(),
                "{pool}: {said}"
            );
        }
    }
}
