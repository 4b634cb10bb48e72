//! Managed zones: made and deleted at once, without an operation.

use serde_json::{Value, json};

use super::lookup::{exists, invalid, page, zone, zone_key};
use super::records;
use crate::answer::{ErrorResponse, Response};
use crate::clock;
use crate::labels;
use crate::names;
use crate::pattern::fits_pattern;
use crate::request::Request;
use crate::world::World;

/// POST on the collection.
pub fn create(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let body = &request.body;
    for field in ["name", "dnsName", "description"] {
        if body.get(field).is_none() {
            return Err(ErrorResponse::required(format!(
                "The 'entity.managedZone.{field}' parameter is required but was missing."
            )));
        }
    }
    let name = request.text("name").unwrap_or_default();
    let dns_name = request
        .text("dnsName")
        .unwrap_or_default()
        .to_ascii_lowercase();
    if !records::is_name(&dns_name) {
        return Err(invalid("entity.managedZone.dnsName", &dns_name));
    }
    if !fits_pattern(NAME, name) {
        return Err(invalid("entity.managedZone.name", name));
    }
    let private = body["visibility"] == "private";
    check(body, private)?;
    let key = zone_key(request, name);
    if world.get(&key).is_some() {
        return Err(exists("entity.managedZone", name));
    }
    let mut value = json!({
        "kind": "dns#managedZone",
        "name": name,
        "dnsName": dns_name,
        "description": body["description"],
        "id": world.next_id().to_string(),
        "nameServers": name_servers(private, &dns_name),
        "creationTime": clock::utc(world.now()),
        "visibility": if private { "private" } else { "public" },
        "cloudLoggingConfig": {"kind": "dns#managedZoneCloudLoggingConfig"},
    });
    for (field, sent) in body.as_object().into_iter().flatten() {
        if value.get(field).is_none() && field != "privateVisibilityConfig" {
            value[field] = sent.clone();
        }
    }
    if private {
        value["privateVisibilityConfig"] =
            visible_to(world, &key, &dns_name, &body["privateVisibilityConfig"])?;
    }
    world.put(&key, value.clone());
    for (kind, record) in apex(private, &value) {
        world.put(records::key(&key, &dns_name, kind), record);
    }
    Ok(value.into())
}

/// A zone's name. Source: the reference of `name`.
const NAME: &str = "[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?";

/// Settings of private zones only: who sees the zone, and where its names are looked up instead.
const PRIVATE_ONLY: &[&str] = &[
    "privateVisibilityConfig",
    "forwardingConfig",
    "peeringConfig",
    "reverseLookupConfig",
    "serviceDirectoryConfig",
];

/// Checks the settings of a zone against its visibility and each other. The reference says of `privateVisibilityConfig` that it is for
/// private zones and of `serviceDirectoryConfig` that it is not for public or forwarding zones; gcloud says of forwarding targets that they
/// are ignored for public zones. That Google refuses the other combinations: own knowledge, no record. The texts are not recorded.
fn check(sent: &Value, private: bool) -> Result<(), ErrorResponse> {
    let set = |field: &str| sent.get(field).is_some_and(|value| !is_bare(value));
    let what = |field: &str| format!("entity.managedZone.{field}");
    if !private && let Some(field) = PRIVATE_ONLY.iter().find(|field| set(field)) {
        return Err(ErrorResponse::invalid(format!(
            "Invalid value for '{}': only a private zone can have it.",
            what(field)
        )));
    }
    // Own knowledge, no record.
    if private && sent.pointer("/dnssecConfig/state") == Some(&json!("on")) {
        return Err(ErrorResponse::invalid(format!(
            "Invalid value for '{}': 'on'. A private zone cannot be signed.",
            what("dnssecConfig.state")
        )));
    }
    let kinds = [
        "forwardingConfig",
        "peeringConfig",
        "serviceDirectoryConfig",
        "reverseLookupConfig",
    ];
    let mut kinds = kinds.iter().filter(|field| set(field));
    if let (Some(one), Some(other)) = (kinds.next(), kinds.next()) {
        return Err(ErrorResponse::invalid(format!(
            "Invalid value for '{}': it cannot be used together with {other}.",
            what(one)
        )));
    }
    // The length is in the reference.
    if sent["description"]
        .as_str()
        .unwrap_or_default()
        .chars()
        .count()
        > 1024
    {
        return Err(ErrorResponse::invalid(format!(
            "Invalid value for '{}': at most 1024 characters are allowed.",
            what("description")
        )));
    }
    labels::check(&sent["labels"], |said| {
        ErrorResponse::invalid(format!(
            "Invalid value for 'entity.managedZone.labels': {said}"
        ))
    })
}

/// Whether a message says nothing: it is empty, or has only its kind and empty lists.
fn is_bare(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields
            .iter()
            .all(|(name, value)| name == "kind" || is_bare(value)),
        Value::Array(items) => items.is_empty(),
        other => other.is_null(),
    }
}

/// GET.
pub fn get(world: &World, request: &Request) -> Result<Response, ErrorResponse> {
    Ok(zone(world, request)?.1.into())
}

/// The project's zones, all or those of one `dnsName`.
pub fn list(world: &World, request: &Request) -> Result<Response, ErrorResponse> {
    let collection = names::key(
        "dns",
        &format!("projects/{}/managedZones", request.param("project")),
    );
    let wanted = request.query("dnsName");
    let all = world
        .list(&collection)
        .into_iter()
        .map(|(_, zone)| zone.clone());
    let zones: Vec<Value> = all
        .filter(|zone| wanted.is_none_or(|name| zone["dnsName"] == name))
        .collect();
    page(
        request,
        "dns#managedZonesListResponse",
        "managedZones",
        &zones,
    )
}

/// PATCH, and PUT if `whole`. Both answer with an operation that is over, not with the zone.
pub fn change(
    world: &mut World,
    request: &Request,
    whole: bool,
) -> Result<Response, ErrorResponse> {
    let (key, old) = zone(world, request)?;
    check(&request.body, old["visibility"] == "private")?;
    for field in ["name", "dnsName", "visibility"] {
        let sent = &request.body[field];
        if !sent.is_null() && *sent != old[field] {
            // That they cannot change: own knowledge, no record.
            return Err(invalid(
                &format!("entity.managedZone.{field}"),
                sent.as_str().unwrap_or_default(),
            ));
        }
    }
    let mut new = old.clone();
    if whole && let Value::Object(fields) = &mut new {
        fields.retain(|field, _| field != "labels");
    }
    // Other fields cannot change: the name, the domain, the visibility.
    for field in [
        "description",
        "labels",
        "cloudLoggingConfig",
        "forwardingConfig",
        "peeringConfig",
        "dnssecConfig",
    ] {
        if let Some(sent) = request.body.get(field) {
            new[field] = sent.clone();
        }
    }
    if let Some(sent) = request.body.get("privateVisibilityConfig")
        && old["visibility"] == "private"
    {
        let dns_name = old["dnsName"].as_str().unwrap_or_default();
        new["privateVisibilityConfig"] = visible_to(world, &key, dns_name, sent)?;
    }
    let id = world.next_id().to_string();
    let started = clock::utc(world.now());
    world.put(&key, new.clone());
    Ok(json!({
        "kind": "dns#operation",
        "id": id,
        "startTime": started,
        "status": "done",
        "type": "update",
        "user": "user@example.com",
        "zoneContext": {"oldValue": old, "newValue": new},
    })
    .into())
}

/// DELETE: of an empty zone, which has only the record sets of its creation.
pub fn delete(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let (key, value) = zone(world, request)?;
    let records = records::of(world, &key);
    let is_apex = |record: &Value| {
        record["name"] == value["dnsName"] && (record["type"] == "NS" || record["type"] == "SOA")
    };
    if !records.iter().all(|(_, record)| is_apex(record)) {
        let name = value["name"].as_str().unwrap_or_default();
        return Err(ErrorResponse::not_empty(
            400,
            "containerNotEmpty",
            format!(
                "The resource named '{name}' cannot be deleted because it contains one or more 'resource records'."
            ),
        ));
    }
    for (record, _) in records {
        world.remove(&record);
    }
    world.remove(&key);
    world.forget(&format!("{key}/changes/"));
    Ok(json!({}).into())
}

/// Checks and completes a private zone's list of networks.
fn visible_to(
    world: &World,
    key: &str,
    dns_name: &str,
    config: &Value,
) -> Result<Value, ErrorResponse> {
    let mut networks = Vec::new();
    for (at, network) in config["networks"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        let url = network["networkUrl"].as_str().unwrap_or_default();
        let path = names::path(url);
        let there = names::key("compute", path);
        // The text is not recorded. Only whole URLs are taken.
        if !url.starts_with("http")
            || world.get(&there).is_none()
            || world.in_flight(&there).is_some()
        {
            return Err(invalid(
                &format!("entity.managedZone.privateVisibilityConfig.networks[{at}].networkUrl"),
                url,
            ));
        }
        if let Some(other) = bound(world, key, dns_name, path) {
            // One network cannot see two zones of one name; the text is not recorded.
            return Err(ErrorResponse::invalid(format!(
                "Network '{url}' cannot be bound to this zone because it is already bound to zone '{other}' with the same DNS name."
            )));
        }
        networks.push(json!({
            "kind": "dns#managedZonePrivateVisibilityConfigNetwork",
            "networkUrl": format!("https://www.googleapis.com/compute/v1/{path}"),
        }));
    }
    Ok(json!({"kind": "dns#managedZonePrivateVisibilityConfig", "networks": networks}))
}

/// The other private zone of this domain that a network sees already.
fn bound(world: &World, key: &str, dns_name: &str, network: &str) -> Option<String> {
    // A zone of any project may be visible in the network.
    let zones = world.shuffled(&names::key("dns", "projects/"), |other| {
        let below = other.split_once("/managedZones/");
        other != key && below.is_some_and(|(_, name)| !name.contains('/'))
    });
    let mut others = zones
        .into_iter()
        .filter(|(_, zone)| zone["dnsName"] == dns_name);
    let sees = |zone: &Value| {
        let networks = zone
            .pointer("/privateVisibilityConfig/networks")
            .and_then(Value::as_array);
        let mut urls = networks
            .into_iter()
            .flatten()
            .filter_map(|network| network["networkUrl"].as_str());
        urls.any(|url| names::path(url) == network)
    };
    others
        .find(|(_, zone)| sees(zone))
        .map(|(other, _)| names::leaf(other).to_owned())
}

fn name_servers(private: bool, dns_name: &str) -> Vec<String> {
    if private {
        return vec!["ns-gcp-private.googledomains.com.".to_owned()];
    }
    // Public zones get one of five sets of servers.
    let set = ["a", "b", "c", "d", "e"][(names::hash(dns_name) % 5) as usize];
    (1..=4)
        .map(|number| format!("ns-cloud-{set}{number}.googledomains.com."))
        .collect()
}

/// The two record sets that a zone has from its creation.
fn apex(private: bool, zone: &Value) -> [(&'static str, Value); 2] {
    let servers = &zone["nameServers"];
    let first = servers[0].as_str().unwrap_or_default();
    let serial = if private {
        "ns-gcp-private.googledomains.com."
    } else {
        first
    };
    let soa = format!("{serial} cloud-dns-hostmaster.google.com. 1 21600 3600 259200 300");
    let record = |kind: &str, data: Value| json!({"kind": "dns#resourceRecordSet", "name": zone["dnsName"], "type": kind, "ttl": 21_600, "rrdatas": data});
    [
        ("NS", record("NS", servers.clone())),
        ("SOA", record("SOA", json!([soa]))),
    ]
}
