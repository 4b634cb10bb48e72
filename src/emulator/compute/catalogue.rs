//! What compute offers: regions, zones, machine types, and a project's quotas. All of it is read-only.

use serde_json::{Value, json};

use super::machines::{self, Machine};
use super::pages;
use super::scope::{self, Scope};
use crate::answer::{ErrorResponse, Response};
use crate::clock;
use crate::etag;
use crate::names;
use crate::regions;
use crate::request::Request;
use crate::world::World;

/// Quotas: metric, limit, and the collection whose members count. Limits differ by project and with its age; 275 subnetworks are in
/// public listings of paid projects, 200 firewall rules in a refusal (vanvalenlab/kiosk-console, issue 154). The others: own knowledge, no
/// record.
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

/// Checks that the scope's region or zone is one of Google's.
///
/// # Errors
/// 400 with compute's text.
pub fn known(scope: &Scope) -> Result<(), ErrorResponse> {
    if let Some(region) = scope.region()
        && !regions::is_region(region)
    {
        return Err(ErrorResponse::invalid(format!(
            "Invalid value for field 'region': '{region}'. Unknown region."
        )));
    }
    if let Some(zone) = names::segment(&scope.path, "zones")
        && !regions::is_zone(zone)
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
    if regions::is_region(name) {
        return Ok(printed_region(world, scope, name).into());
    }
    Err(scope::missing(&format!("{}/regions/{name}", scope.path)))
}

/// regions.list.
pub fn regions(world: &World, request: &Request, scope: &Scope) -> Result<Response, ErrorResponse> {
    let items = regions::regions()
        .map(|region| printed_region(world, scope, region))
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
    let found = regions::zones().find(|zone| zone == name);
    found
        .map(|zone| printed_zone(scope, &zone).into())
        .ok_or_else(|| scope::missing(&format!("{}/zones/{name}", scope.path)))
}

/// zones.list.
pub fn zones(request: &Request, scope: &Scope) -> Result<Response, ErrorResponse> {
    let items = regions::zones()
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
    machines::find_in(zone_of(scope), name)
        .map(|machine| printed_machine(scope, &machine).into())
        .ok_or_else(|| scope::missing(&scope.member(name)))
}

/// machineTypes.list.
pub fn machine_types(request: &Request, scope: &Scope) -> Result<Response, ErrorResponse> {
    known(scope)?;
    let items = machines::all()
        .filter(|machine| machine.is_in(zone_of(scope)))
        .map(|machine| printed_machine(scope, &machine))
        .collect();
    pages::page(
        request,
        "compute#machineTypeList",
        &format!("{}/machineTypes", scope.path),
        items,
    )
}

fn zone_of(scope: &Scope) -> &str {
    names::segment(&scope.path, "zones").unwrap_or_default()
}

fn printed_region(world: &World, scope: &Scope, region: &str) -> Value {
    let path = format!("projects/{}/regions/{region}", scope.project);
    let zone = |zone| scope::link(&format!("projects/{}/zones/{zone}", scope.project));
    json!({
        "kind": "compute#region",
        "id": number(region),
        "creationTimestamp": "1969-12-31T16:00:00.000-08:00",
        "name": region,
        "description": region,
        "status": "UP",
        "zones": regions::zones_of(region).into_iter().map(zone).collect::<Vec<_>>(),
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
        // All zones had these in July 2025; what else each has is left out (the listing that [`regions`] names).
        "availableCpuPlatforms": ["Intel Cascade Lake", "Intel Ice Lake", "AMD Milan", "AMD Rome"],
        "supportsPzs": false,
    })
}

fn printed_machine(scope: &Scope, machine: &Machine) -> Value {
    let Machine {
        name,
        cpus,
        memory,
        shared,
        ..
    } = machine;
    json!({
        "kind": "compute#machineType",
        "id": number(name),
        "creationTimestamp": "1969-12-31T16:00:00.000-08:00",
        "name": name,
        "description": description(*cpus, *memory),
        "guestCpus": cpus,
        "memoryMb": memory,
        "imageSpaceGb": 0,
        "maximumPersistentDisks": 128,
        "maximumPersistentDisksSizeGb": "263168",
        "zone": zone_of(scope),
        "selfLink": scope::link(&scope.member(name)),
        "isSharedCpu": shared,
        "architecture": machine.architecture(),
    })
}

/// `2 vCPUs, 1.8 GB RAM`, as a public listing has it.
fn description(cpus: u32, memory: u32) -> String {
    let gigabytes = f64::from(memory) / 1024.0;
    let text = format!("{gigabytes:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    let plural = if cpus == 1 { "" } else { "s" };
    format!("{cpus} vCPU{plural}, {text} GB RAM")
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
