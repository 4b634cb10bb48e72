//! What compute offers: regions, zones, machine types, and a project's quotas. All of it is read-only.

use serde_json::{Value, json};

use super::pages;
use super::scope::{self, Scope};
use crate::answer::{ErrorResponse, Response};
use crate::clock;
use crate::etag;
use crate::names;
use crate::request::Request;
use crate::world::World;

/// Regions with the letters of their zones. Source: Google's list of regions and zones.
const REGIONS: &[(&str, &str)] = &[
    ("africa-south1", "abc"),
    ("asia-east1", "abc"),
    ("asia-east2", "abc"),
    ("asia-northeast1", "abc"),
    ("asia-northeast2", "abc"),
    ("asia-northeast3", "abc"),
    ("asia-south1", "abc"),
    ("asia-south2", "abc"),
    ("asia-southeast1", "abc"),
    ("asia-southeast2", "abc"),
    ("australia-southeast1", "abc"),
    ("australia-southeast2", "abc"),
    ("europe-central2", "abc"),
    ("europe-north1", "abc"),
    ("europe-southwest1", "abc"),
    ("europe-west1", "bcd"),
    ("europe-west2", "abc"),
    ("europe-west3", "abc"),
    ("europe-west4", "abc"),
    ("europe-west6", "abc"),
    ("europe-west8", "abc"),
    ("europe-west9", "abc"),
    ("europe-west10", "abc"),
    ("europe-west12", "abc"),
    ("me-central1", "abc"),
    ("me-west1", "abc"),
    ("northamerica-northeast1", "abc"),
    ("northamerica-northeast2", "abc"),
    ("southamerica-east1", "abc"),
    ("southamerica-west1", "abc"),
    ("us-central1", "abcf"),
    ("us-east1", "bcd"),
    ("us-east4", "abc"),
    ("us-east5", "abc"),
    ("us-south1", "abc"),
    ("us-west1", "abc"),
    ("us-west2", "abc"),
    ("us-west3", "abc"),
    ("us-west4", "abc"),
];

/// Machine types: name, virtual CPUs, memory in MB, whether the CPUs are shared. Source: Google's list of E2 and N2 types.
const MACHINES: &[(&str, u32, u32, bool)] = &[
    ("e2-micro", 2, 1_024, true),
    ("e2-small", 2, 2_048, true),
    ("e2-medium", 2, 4_096, true),
    ("e2-standard-2", 2, 8_192, false),
    ("e2-standard-4", 4, 16_384, false),
    ("e2-standard-8", 8, 32_768, false),
    ("e2-standard-16", 16, 65_536, false),
    ("e2-highmem-4", 4, 32_768, false),
    ("e2-highcpu-4", 4, 4_096, false),
    ("n2-standard-2", 2, 8_192, false),
    ("n2-standard-4", 4, 16_384, false),
    ("n2-standard-8", 8, 32_768, false),
];

/// Quotas: metric, limit, and the collection whose members count. Limits are those of a fresh paid project.
const PROJECT_QUOTAS: &[(&str, f64, &str)] = &[
    ("NETWORKS", 15.0, "networks"),
    ("SUBNETWORKS", 275.0, "subnetworks"),
    ("FIREWALLS", 200.0, "firewalls"),
    ("ROUTERS", 20.0, "routers"),
];
const REGION_QUOTAS: &[(&str, f64, &str)] = &[
    ("CPUS", 72.0, ""),
    ("DISKS_TOTAL_GB", 81_920.0, ""),
    ("SSD_TOTAL_GB", 500.0, ""),
    ("IN_USE_ADDRESSES", 8.0, ""),
    ("STATIC_ADDRESSES", 8.0, "addresses"),
];

/// The names of all regions.
pub fn region_names() -> impl Iterator<Item = &'static str> {
    REGIONS.iter().map(|(region, _)| *region)
}

/// The names of all zones.
pub fn zone_names() -> impl Iterator<Item = String> {
    REGIONS.iter().flat_map(|(region, letters)| {
        letters
            .chars()
            .map(move |letter| format!("{region}-{letter}"))
    })
}

/// Checks that the scope's region or zone is one of Google's.
///
/// # Errors
/// 400 with compute's text.
pub fn known(scope: &Scope) -> Result<(), ErrorResponse> {
    if let Some(region) = scope.region()
        && region_names().all(|known| known != region)
    {
        return Err(ErrorResponse::invalid(format!(
            "Invalid value for field 'region': '{region}'. Unknown region."
        )));
    }
    if let Some(zone) = names::segment(&scope.path, "zones")
        && zone_names().all(|known| known != zone)
    {
        return Err(ErrorResponse::invalid(format!(
            "Invalid value for field 'zone': '{zone}'. Unknown zone."
        )));
    }
    Ok(())
}

/// projects.get.
pub fn project(world: &mut World, _: &Request, scope: &Scope) -> Result<Response, ErrorResponse> {
    let project = world
        .project(&scope.project)
        .ok_or_else(ErrorResponse::no_project)?;
    Ok(json!({
        "kind": "compute#project",
        "id": number(&project.id),
        "creationTimestamp": clock::pacific(project.since),
        "name": project.id,
        "commonInstanceMetadata": {"kind": "compute#metadata", "fingerprint": etag::of(&project.id)},
        "quotas": quotas(world, &scope.path, PROJECT_QUOTAS),
        "selfLink": scope::link(&scope.path),
        "defaultServiceAccount": format!("{}-compute@developer.gserviceaccount.com", project.number),
        "xpnProjectStatus": "UNSPECIFIED_XPN_PROJECT_STATUS",
        "defaultNetworkTier": "PREMIUM",
        "vmDnsSetting": "ZONAL_ONLY",
        "cloudArmorTier": "CA_STANDARD",
    })
    .into())
}

/// regions.get.
pub fn region(world: &World, request: &Request, scope: &Scope) -> Result<Response, ErrorResponse> {
    let name = request.param("region");
    let found = REGIONS.iter().find(|(region, _)| *region == name);
    found
        .map(|(region, letters)| printed_region(world, scope, region, letters).into())
        .ok_or_else(|| scope::missing(&format!("{}/regions/{name}", scope.path)))
}

/// regions.list.
pub fn regions(world: &World, request: &Request, scope: &Scope) -> Result<Response, ErrorResponse> {
    let items = REGIONS
        .iter()
        .map(|(region, letters)| printed_region(world, scope, region, letters))
        .collect();
    pages::page(
        request,
        "compute#regionList",
        &format!("{}/regions", scope.path),
        items,
    )
}

/// zones.get.
pub fn zone(request: &Request, scope: &Scope) -> Result<Response, ErrorResponse> {
    let name = request.param("zone");
    let found = zone_names().find(|zone| zone == name);
    found
        .map(|zone| printed_zone(scope, &zone).into())
        .ok_or_else(|| scope::missing(&format!("{}/zones/{name}", scope.path)))
}

/// zones.list.
pub fn zones(request: &Request, scope: &Scope) -> Result<Response, ErrorResponse> {
    let items = zone_names()
        .map(|zone| printed_zone(scope, &zone))
        .collect();
    pages::page(
        request,
        "compute#zoneList",
        &format!("{}/zones", scope.path),
        items,
    )
}

/// machineTypes.get.
pub fn machine_type(request: &Request, scope: &Scope) -> Result<Response, ErrorResponse> {
    known(scope)?;
    let name = request.param("machineType");
    let found = MACHINES.iter().find(|(machine, ..)| *machine == name);
    found
        .map(|machine| printed_machine(scope, machine).into())
        .ok_or_else(|| scope::missing(&scope.member(name)))
}

/// machineTypes.list.
pub fn machine_types(request: &Request, scope: &Scope) -> Result<Response, ErrorResponse> {
    known(scope)?;
    let items = MACHINES
        .iter()
        .map(|machine| printed_machine(scope, machine))
        .collect();
    pages::page(
        request,
        "compute#machineTypeList",
        &format!("{}/machineTypes", scope.path),
        items,
    )
}

fn printed_region(world: &World, scope: &Scope, region: &str, letters: &str) -> Value {
    let path = format!("projects/{}/regions/{region}", scope.project);
    let zone = |letter| {
        scope::link(&format!(
            "projects/{}/zones/{region}-{letter}",
            scope.project
        ))
    };
    json!({
        "kind": "compute#region",
        "id": number(region),
        "creationTimestamp": "1969-12-31T16:00:00.000-08:00",
        "name": region,
        "description": region,
        "status": "UP",
        "zones": letters.chars().map(zone).collect::<Vec<_>>(),
        "quotas": quotas(world, &path, REGION_QUOTAS),
        "selfLink": scope::link(&path),
        "supportsPzs": false,
    })
}

fn printed_zone(scope: &Scope, zone: &str) -> Value {
    json!({
        "kind": "compute#zone",
        "id": number(zone),
        "creationTimestamp": "1969-12-31T16:00:00.000-08:00",
        "name": zone,
        "description": zone,
        "status": "UP",
        "region": scope::link(&format!("projects/{}/regions/{}", scope.project, names::region_of(zone))),
        "selfLink": scope::link(&format!("projects/{}/zones/{zone}", scope.project)),
        "availableCpuPlatforms": ["Intel Cascade Lake", "Intel Ice Lake", "AMD Milan"],
        "supportsPzs": false,
    })
}

fn printed_machine(scope: &Scope, (name, cpus, memory, shared): &(&str, u32, u32, bool)) -> Value {
    json!({
        "kind": "compute#machineType",
        "id": number(name),
        "creationTimestamp": "1969-12-31T16:00:00.000-08:00",
        "name": name,
        "description": format!("{cpus} vCPUs, {} GB RAM", memory / 1024),
        "guestCpus": cpus,
        "memoryMb": memory,
        "imageSpaceGb": 0,
        "maximumPersistentDisks": 128,
        "maximumPersistentDisksSizeGb": "263168",
        "zone": names::segment(&scope.path, "zones"),
        "selfLink": scope::link(&scope.member(name)),
        "isSharedCpu": shared,
        "architecture": "X86_64",
    })
}

/// Quotas with what is in use of them.
fn quotas(world: &World, path: &str, table: &[(&str, f64, &str)]) -> Value {
    let prefix = scope::key(&format!("{path}/"));
    let quota = |(metric, limit, collection): &(&str, f64, &str)| {
        let within = format!("/{collection}/");
        let counts = |key: &str| !collection.is_empty() && key.contains(&within);
        let usage = world.shuffled(&prefix, counts).len();
        json!({"metric": metric, "limit": limit, "usage": usage as f64})
    };
    json!(table.iter().map(quota).collect::<Vec<_>>())
}

/// A catalogue entry's number: four digits that depend on its name.
fn number(name: &str) -> String {
    (1_000 + names::hash(name) % 9_000).to_string()
}
