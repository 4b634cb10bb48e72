//! Record sets: what is one, and the calls that make, change and delete one at a time.

use serde_json::{Value, json};

use super::lookup::{exists, invalid, missing, page, zone};
use crate::answer::{ErrorResponse, Response};
use crate::request::Request;
use crate::world::World;

/// The key of a record set in the zone with the key `zone`.
pub fn key(zone: &str, name: &str, kind: &str) -> String {
    format!("{zone}/rrsets/{name}/{kind}")
}

/// The record sets of a zone, by key.
pub fn of(world: &World, zone: &str) -> Vec<(String, Value)> {
    let all = world.shuffled(&format!("{zone}/rrsets/"), |_| true);
    all.into_iter()
        .map(|(key, record)| (key.to_owned(), record.clone()))
        .collect()
}

/// Whether a text is a fully qualified domain name: a dot at its end, labels of 1-63 characters, `*` only as the first.
pub fn is_name(text: &str) -> bool {
    let Some(name) = text.strip_suffix('.') else {
        return false;
    };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let mut labels = name.strip_prefix("*.").unwrap_or(name).split('.');
    name.len() <= 253 && labels.all(is_label)
}

/// A record set as it will be stored: checked, with its kind. `what` names it in a refusal: `entity.change.additions[0]`.
///
/// # Errors
/// 400 for an invalid record set.
pub fn checked(zone: &Value, sent: &Value, what: &str) -> Result<Value, ErrorResponse> {
    let text = |field: &str| sent[field].as_str().unwrap_or_default();
    let name = text("name").to_ascii_lowercase();
    let domain = zone["dnsName"].as_str().unwrap_or_default();
    let inside = name == domain || name.ends_with(&format!(".{domain}"));
    if !is_name(&name) || !inside {
        return Err(invalid(&format!("{what}.name"), text("name")));
    }
    let kind = text("type");
    if !TYPES.contains(&kind) {
        return Err(invalid(&format!("{what}.type"), kind));
    }
    let ttl = sent["ttl"].as_i64().unwrap_or(0);
    // The field is an int32. That there are no narrower bounds: own knowledge, no record.
    if !(0..=i64::from(i32::MAX)).contains(&ttl) {
        return Err(invalid(&format!("{what}.ttl"), &ttl.to_string()));
    }
    let data: Vec<&str> = sent["rrdatas"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let one_only = matches!(kind, "CNAME" | "SOA");
    if sent.get("routingPolicy").is_none() && (data.is_empty() || (one_only && data.len() > 1)) {
        return Err(invalid(&format!("{what}.rrdata"), &data.join(" ")));
    }
    for (at, one) in data.iter().enumerate() {
        if !fits(kind, one) || data[..at].contains(one) {
            return Err(invalid(&format!("{what}.rrdata[{at}]"), one));
        }
    }
    let mut record = json!({"kind": "dns#resourceRecordSet", "name": name, "type": kind, "ttl": ttl, "rrdatas": data});
    if let Some(policy) = sent.get("routingPolicy") {
        record["routingPolicy"] = policy.clone();
    }
    Ok(record)
}

/// Refuses a name with a CNAME beside anything else, among the record sets that a zone would have.
///
/// # Errors
/// 400 with Google's text.
pub fn cname_alone(records: &[Value], added: &Value, what: &str) -> Result<(), ErrorResponse> {
    let same_name = records
        .iter()
        .filter(|record| record["name"] == added["name"]);
    let conflict =
        same_name.clone().any(|record| record["type"] == "CNAME") && same_name.count() > 1;
    if !conflict {
        return Ok(());
    }
    let name = added["name"].as_str().unwrap_or_default();
    let message = format!(
        "The resource record set '{what}' is invalid because the DNS name '{name}' may have either one CNAME resource record set \
         or resource record sets of other types, but not both."
    );
    Err(ErrorResponse {
        reason: "cnameResourceRecordSetConflict",
        ..ErrorResponse::invalid(message)
    })
}

/// POST on the collection.
pub fn create(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let (zone_key, zone) = zone(world, request)?;
    let record = checked(&zone, &request.body, "entity.rrset")?;
    let key = key_of(&zone_key, &record);
    if world.get(&key).is_some() {
        return Err(exists("entity.rrset", &label(&record)));
    }
    let mut all: Vec<Value> = of(world, &zone_key)
        .into_iter()
        .map(|(_, record)| record)
        .collect();
    all.push(record.clone());
    cname_alone(&all, &record, "entity.rrset")?;
    world.put(key, record.clone());
    Ok(record.into())
}

/// GET.
pub fn get(world: &World, request: &Request) -> Result<Response, ErrorResponse> {
    Ok(found(world, request)?.2.into())
}

/// The zone's record sets: all, those of a `name`, or the one of a `name` and `type`.
pub fn list(world: &World, request: &Request) -> Result<Response, ErrorResponse> {
    let (zone_key, _) = zone(world, request)?;
    let (name, kind) = (request.query("name"), request.query("type"));
    if let (None, Some(kind)) = (name, kind) {
        return Err(invalid("parameters.type", kind));
    }
    let wanted = |record: &Value| {
        name.is_none_or(|name| record["name"] == name)
            && kind.is_none_or(|kind| record["type"] == kind)
    };
    let records: Vec<Value> = of(world, &zone_key)
        .into_iter()
        .map(|(_, record)| record)
        .filter(wanted)
        .collect();
    page(
        request,
        "dns#resourceRecordSetsListResponse",
        "rrsets",
        &records,
    )
}

/// PATCH.
pub fn patch(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let (zone, key, old) = found(world, request)?;
    let mut sent = old.clone();
    for (field, value) in request.body.as_object().into_iter().flatten() {
        sent[field] = value.clone();
    }
    let new = checked(&zone, &sent, "entity.rrset")?;
    if new["name"] != old["name"] || new["type"] != old["type"] {
        return Err(invalid(
            "entity.rrset.name",
            new["name"].as_str().unwrap_or_default(),
        ));
    }
    world.put(key, new.clone());
    Ok(new.into())
}

/// DELETE. The record sets that a zone has from its creation stay.
pub fn delete(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let (zone, key, record) = found(world, request)?;
    keeps_apex(&zone, &record, "parameters.name")?;
    world.remove(&key);
    Ok(json!({}).into())
}

/// Refuses to delete the NS or SOA of a zone's own name.
///
/// # Errors
/// 400 with Google's text.
pub fn keeps_apex(zone: &Value, record: &Value, what: &str) -> Result<(), ErrorResponse> {
    let kind = record["type"].as_str().unwrap_or_default();
    if record["name"] != zone["dnsName"] || !matches!(kind, "NS" | "SOA") {
        return Ok(());
    }
    let message = format!(
        "The resource record set '{what}' is invalid because a zone must contain exactly one resource record set of type '{kind}' at the apex."
    );
    Err(ErrorResponse {
        reason: "invalidZoneApex",
        ..ErrorResponse::invalid(message)
    })
}

/// The key of a record set by its own name and type.
pub fn key_of(zone: &str, record: &Value) -> String {
    key(
        zone,
        record["name"].as_str().unwrap_or_default(),
        record["type"].as_str().unwrap_or_default(),
    )
}

/// A record set as refusals name it: `www.example.com. (A)`.
pub fn label(record: &Value) -> String {
    format!(
        "{} ({})",
        record["name"].as_str().unwrap_or_default(),
        record["type"].as_str().unwrap_or_default()
    )
}

/// The record set that a request's path names: its zone, its key and itself.
fn found(world: &World, request: &Request) -> Result<(Value, String, Value), ErrorResponse> {
    let (zone_key, zone) = zone(world, request)?;
    let (name, kind) = (request.param("name"), request.param("type"));
    let key = key(&zone_key, name, kind);
    let record = world.get(&key).cloned();
    record
        .map(|record| (zone, key, record))
        .ok_or_else(|| missing("parameters.name", &format!("{name} ({kind})")))
}

/// The types that the API takes. Source: those that gcloud 528 takes (`api_lib/dns/record_types.py`).
const TYPES: &[&str] = &[
    "A", "AAAA", "ALIAS", "CAA", "CNAME", "DNSKEY", "DS", "HTTPS", "IPSECKEY", "MX", "NAPTR", "NS",
    "PTR", "SOA", "SPF", "SRV", "SSHFP", "SVCB", "TLSA", "TXT",
];

/// Whether a datum is valid in a record set of this type; only the types of the tutorial are checked closely.
fn fits(kind: &str, data: &str) -> bool {
    match kind {
        "A" => data.parse::<std::net::Ipv4Addr>().is_ok(),
        "AAAA" => data.parse::<std::net::Ipv6Addr>().is_ok(),
        "CNAME" | "NS" | "PTR" => is_name(data),
        "SOA" => data.split_whitespace().count() == 7,
        _ => !data.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_fully_qualified() {
        for name in ["googleapis.com.", "*.gcr.io.", "_acme.a-b.example.com."] {
            assert!(is_name(name), "{name}");
        }
        for name in ["googleapis.com", "", ".", "a..b.", "a.*.b.", "-a.b."] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn a_record_set_fits_its_zone_and_its_type() {
        let zone = json!({"dnsName": "gcr.io."});
        let good =
            json!({"name": "*.gcr.io.", "type": "CNAME", "ttl": 300, "rrdatas": ["gcr.io."]});
        assert_eq!(
            checked(&zone, &good, "entity.rrset").unwrap()["kind"],
            "dns#resourceRecordSet"
        );
        let cases = [
            ("name", json!("*.gcr.io"), "entity.rrset.name"),
            ("name", json!("gcr.com."), "entity.rrset.name"),
            ("type", json!("X"), "entity.rrset.type"),
            ("ttl", json!(-1), "entity.rrset.ttl"),
            ("rrdatas", json!([]), "entity.rrset.rrdata"),
            ("rrdatas", json!(["a.", "b."]), "entity.rrset.rrdata"),
            ("rrdatas", json!(["gcr.io"]), "entity.rrset.rrdata[0]"),
        ];
        for (field, value, expected) in cases {
            let mut bad = good.clone();
            bad[field] = value;
            let refusal = checked(&zone, &bad, "entity.rrset").unwrap_err();
            assert!(
                refusal.message.contains(&format!("'{expected}'")),
                "{bad}: {}",
                refusal.message
            );
        }
    }
}
