//! Cloud DNS: managed zones, record sets, changes. It keeps records; what a pod resolves is evaluated over them elsewhere.
//!
//! DNSSEC, forwarding, peering and routing policies are stored as sent and have no effect.

mod changes;
mod lookup;
mod records;
mod zones;

use serde_json::{Value, json};

use super::answer::{ErrorResponse, Response};
use super::names;
use super::request::Request;
use super::world::World;

/// Serves one request to DNS.
///
/// # Errors
/// What Google would refuse, with Google's text.
pub fn serve(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    match request.method_id.trim_start_matches("dns.") {
        "managedZones.create" => zones::create(world, request),
        "managedZones.get" => zones::get(world, request),
        "managedZones.list" => zones::list(world, request),
        "managedZones.patch" => zones::change(world, request, false),
        "managedZones.update" => zones::change(world, request, true),
        "managedZones.delete" => zones::delete(world, request),
        "resourceRecordSets.create" => records::create(world, request),
        "resourceRecordSets.get" => records::get(world, request),
        "resourceRecordSets.list" => records::list(world, request),
        "resourceRecordSets.patch" => records::patch(world, request),
        "resourceRecordSets.delete" => records::delete(world, request),
        "changes.create" => changes::create(world, request),
        "changes.get" => changes::get(world, request),
        "changes.list" => changes::list(world, request),
        "projects.get" => project(world, request),
        _ => Err(ErrorResponse::not_served(&request.method_id)),
    }
}

/// The private zones of a project that a network sees (by its path, `projects/…`), each with its record sets.
pub fn seen_by(world: &World, project: &str, network: &str) -> Vec<(Value, Vec<Value>)> {
    let zones = world.list(&names::key(
        "dns",
        &format!("projects/{project}/managedZones"),
    ));
    let sees = |zone: &Value| {
        let networks = zone
            .pointer("/privateVisibilityConfig/networks")
            .and_then(Value::as_array);
        let mut urls = networks
            .into_iter()
            .flatten()
            .filter_map(|one| one["networkUrl"].as_str());
        urls.any(|url| names::path(url) == network)
    };
    let with_records = |(key, zone): (&str, &Value)| {
        let records = records::of(world, key).into_iter();
        (zone.clone(), records.map(|(_, record)| record).collect())
    };
    let seen = zones.into_iter().filter(|(_, zone)| sees(zone));
    seen.map(with_records).collect()
}

/// A project's default quotas.
fn project(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let project = world
        .project(request.param("project"))
        .ok_or_else(ErrorResponse::no_project)?;
    Ok(json!({
        "kind": "dns#project",
        "id": project.id,
        "number": project.number.to_string(),
        "quota": {
            "kind": "dns#quota",
            "managedZones": 10_000,
            "rrsetsPerManagedZone": 10_000,
            "rrsetAdditionsPerChange": 1_000,
            "rrsetDeletionsPerChange": 1_000,
            "totalRrdataSizePerChange": 100_000,
            "resourceRecordsPerRrset": 100,
            "networksPerManagedZone": 100,
            "managedZonesPerNetwork": 10_000,
        },
    })
    .into())
}
