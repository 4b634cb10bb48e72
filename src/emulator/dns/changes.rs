//! Changes: several record sets deleted and added as one, all or nothing. A change is `pending` at first.

use serde_json::{Value, json};

use super::lookup::{exists, missing, page, zone};
use super::records;
use crate::answer::{ErrorResponse, Response};
use crate::clock;
use crate::operation::{Dialect, Operation, Start};
use crate::request::Request;
use crate::world::World;

/// POST on the collection: the records change at once, and on the name servers later.
pub fn create(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let (zone_key, zone) = zone(world, request)?;
    let sent = |field: &str| request.body[field].as_array().cloned().unwrap_or_default();
    let (deletions, additions) = (sent("deletions"), sent("additions"));
    if deletions.is_empty() && additions.is_empty() {
        // The text is not recorded.
        return Err(ErrorResponse::required(
            "The 'entity.change' parameter is required but was missing.",
        ));
    }
    let before: Vec<Value> = records::of(world, &zone_key)
        .into_iter()
        .map(|(_, record)| record)
        .collect();
    let after = applied(&zone, before.clone(), &deletions, &additions)?;
    for record in before {
        world.remove(&records::key_of(&zone_key, &record));
    }
    for record in after {
        world.put(records::key_of(&zone_key, &record), record);
    }
    // Ids count up from 1 in each zone; a zone made anew counts anew.
    let id = world.count(&format!("dns change {}", zone["id"]));
    let body = json!({
        "kind": "dns#change",
        "additions": additions.iter().map(with_kind).collect::<Vec<_>>(),
        "deletions": deletions.iter().map(with_kind).collect::<Vec<_>>(),
        "startTime": clock::utc(world.now()),
        "id": id.to_string(),
    });
    let key = format!("{zone_key}/changes/{id}");
    let operation = world.begin(Start {
        key: key.clone(),
        dialect: Dialect::Dns,
        verb: "change".to_owned(),
        target: key,
        duration: world.duration("dns.changes.create"),
        effects: Vec::new(),
        failure: None,
        extra: body,
    });
    Ok(printed(&operation).into())
}

/// GET.
pub fn get(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let (zone_key, _) = zone(world, request)?;
    let id = request.param("changeId");
    let change = world.poll(&format!("{zone_key}/changes/{id}"));
    change
        .map(|change| printed(&change).into())
        .ok_or_else(|| missing("parameters.changeId", id))
}

/// The zone's changes, the oldest first unless the other order is asked for.
pub fn list(world: &World, request: &Request) -> Result<Response, ErrorResponse> {
    let (zone_key, _) = zone(world, request)?;
    let mut changes = world.operations(&format!("{zone_key}/changes/"));
    changes.sort_by_key(|change| change.id);
    if request.query("sortOrder") == Some("descending") {
        changes.reverse();
    }
    let printed: Vec<Value> = changes.into_iter().map(printed).collect();
    page(request, "dns#changesListResponse", "changes", &printed)
}

fn printed(change: &Operation) -> Value {
    let mut body = change.extra.clone();
    body["status"] = json!(if change.is_done() { "done" } else { "pending" });
    body
}

fn with_kind(record: &Value) -> Value {
    let mut record = record.clone();
    record["kind"] = json!("dns#resourceRecordSet");
    record
}

/// The record sets of a zone after a change.
///
/// # Errors
/// A deletion that matches nothing (404) or not exactly (412), an addition that exists (409) or is invalid (400).
fn applied(
    zone: &Value,
    mut records: Vec<Value>,
    deletions: &[Value],
    additions: &[Value],
) -> Result<Vec<Value>, ErrorResponse> {
    for (at, sent) in deletions.iter().enumerate() {
        let what = format!("entity.change.deletions[{at}]");
        let same =
            |record: &&Value| record["name"] == sent["name"] && record["type"] == sent["type"];
        let held = records
            .iter()
            .find(same)
            .ok_or_else(|| missing(&what, &records::label(sent)))?;
        if held["ttl"] != sent["ttl"] || sorted(held) != sorted(sent) {
            return Err(ErrorResponse::condition_not_met(format!(
                "Precondition not met for '{what}'"
            )));
        }
        if additions.iter().find(same).is_none() {
            records::keeps_apex(zone, held, &what)?;
        }
        records.retain(|record| !same(&record));
    }
    for (at, sent) in additions.iter().enumerate() {
        let what = format!("entity.change.additions[{at}]");
        let record = records::checked(zone, sent, &what)?;
        if records
            .iter()
            .any(|held| held["name"] == record["name"] && held["type"] == record["type"])
        {
            return Err(exists(&what, &records::label(&record)));
        }
        records.push(record.clone());
        records::cname_alone(&records, &record, &what)?;
    }
    Ok(records)
}

/// The data of a record set in one order: Google compares them as a set.
fn sorted(record: &Value) -> Vec<&str> {
    let mut data: Vec<&str> = record["rrdatas"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    data.sort_unstable();
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_all_or_nothing() {
        let zone = json!({"dnsName": "gcr.io."});
        let soa =
            json!({"name": "gcr.io.", "type": "SOA", "ttl": 21600, "rrdatas": ["a. b. 1 2 3 4 5"]});
        let next =
            json!({"name": "gcr.io.", "type": "SOA", "ttl": 21600, "rrdatas": ["a. b. 2 2 3 4 5"]});
        let a = json!({"name": "gcr.io.", "type": "A", "ttl": 300, "rrdatas": ["199.36.153.8", "199.36.153.9"]});
        let turned = json!({"name": "gcr.io.", "type": "A", "ttl": 300, "rrdatas": ["199.36.153.9", "199.36.153.8"]});
        let other = json!({"name": "gcr.io.", "type": "A", "ttl": 301, "rrdatas": ["199.36.153.8", "199.36.153.9"]});
        let alias =
            json!({"name": "gcr.io.", "type": "CNAME", "ttl": 300, "rrdatas": ["x.gcr.io."]});
        let held = vec![soa.clone(), a.clone()];
        type Case<'a> = (
            Vec<&'a Value>,
            Vec<&'a Value>,
            Result<usize, (u16, &'static str)>,
        );
        let cases: Vec<Case> = vec![
            (vec![&soa], vec![&next], Ok(2)),
            (vec![&turned], vec![], Ok(1)),
            (vec![&a], vec![&other], Ok(2)),
            (vec![&other], vec![], Err((412, "conditionNotMet"))),
            (vec![&alias], vec![], Err((404, "notFound"))),
            (vec![], vec![&a], Err((409, "alreadyExists"))),
            (vec![&soa], vec![], Err((400, "invalidZoneApex"))),
            (
                vec![&a],
                vec![&alias],
                Err((400, "cnameResourceRecordSetConflict")),
            ),
        ];
        for (deletions, additions, expected) in cases {
            let deletions: Vec<Value> = deletions.into_iter().cloned().collect();
            let additions: Vec<Value> = additions.into_iter().cloned().collect();
            let result = applied(&zone, held.clone(), &deletions, &additions);
            let result = result
                .map(|records| records.len())
                .map_err(|refusal| (refusal.http, refusal.reason));
            assert_eq!(result, expected, "-{deletions:?} +{additions:?}");
        }
    }
}
