//! Records of a Cloud DNS zone: all records of a step in one change, whose completion is awaited. The zone's own SOA and NS are
//! left unchanged: gcloud's transactions renew the SOA, but the API does not require it (not recorded; stated by Google's
//! documentation).

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::clusters::Clients;
use super::difference::FieldDiff;
use super::path_template;
use super::permissions::{self, Permissions};
use super::spec::{Effect, KindSpec, MutationResult, Observed, observed_set};
use crate::google::{Api, ApiError, Call, Class, Dialect, Operation};

/// The path of the zone.
const PATH: &str = "projects/{project}/managedZones/{managedZone}";

/// Record sets of a zone.
#[derive(Debug)]
pub struct Records;

#[async_trait]
impl KindSpec for Records {
    fn name(&self) -> &'static str {
        "dns.records"
    }

    fn api(&self) -> Api {
        Api::Dns
    }

    fn template(&self) -> &'static str {
        PATH
    }

    fn effect(&self) -> Effect {
        Effect::Resource
    }

    fn permissions(&self, _at: &Map<String, Value>) -> Permissions {
        permissions::RECORDS
    }

    /// A zone is read, changed and written as a whole.
    fn lock(&self, at: &Map<String, Value>) -> Option<String> {
        self.path(at).ok()
    }

    /// The record sets, as `name TYPE`.
    fn parts(&self, want: &Value) -> Vec<String> {
        sets(want).map(name).collect()
    }

    fn diff(&self, want: &Value, live: &Value) -> Vec<FieldDiff> {
        diff(want, live)
    }

    async fn look(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        _want: &Value,
        parts: &[String],
    ) -> Result<Observed, ApiError> {
        Ok(observed_set(self, look(clients, at).await?, parts))
    }

    /// Adds the missing record sets and replaces those that differ, in one change.
    async fn create(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        want: &Value,
        _request: &str,
    ) -> Result<MutationResult, ApiError> {
        let live = look(clients, at).await?.unwrap_or_default();
        change(clients, at, &addition(want, &live)).await
    }

    /// Deletes the named record sets, in one change.
    async fn delete(
        &self,
        clients: &Clients,
        at: &Map<String, Value>,
        parts: &[String],
        _request: &str,
    ) -> Result<MutationResult, ApiError> {
        let live = look(clients, at).await?.unwrap_or_default();
        // A deletion must repeat the record set exactly, so the request contains what was just read.
        let deletions: Vec<&Value> = sets(&live)
            .filter(|there| parts.contains(&name(there)))
            .collect();
        change(clients, at, &json!({ "deletions": deletions })).await
    }
}

/// Reads all record sets of the zone; `None` if the zone does not exist.
async fn look(clients: &Clients, at: &Map<String, Value>) -> Result<Option<Value>, ApiError> {
    let path = format!("{}/rrsets", path_template::path(PATH, at)?);
    match clients
        .client
        .list(&Call::get(Api::Dns, path), "rrsets", &*clients.watch)
        .await
    {
        Ok(all) => Ok(Some(json!({ "rrsets": all }))),
        Err(error) if error.class == Class::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The record sets that are missing or differ. Pure.
fn diff(want: &Value, live: &Value) -> Vec<FieldDiff> {
    let differing = sets(want).filter_map(|wanted| {
        let there = sets(live).find(|there| name(there) == name(wanted));
        match there {
            Some(there) if same(wanted, there) => None,
            there => Some(FieldDiff {
                path: name(wanted),
                have: there.map_or(Value::Null, |there| there["rrdatas"].clone()),
                want: wanted["rrdatas"].clone(),
                fixed: false,
                owner: None,
            }),
        }
    });
    differing.collect()
}

fn addition(want: &Value, live: &Value) -> Value {
    let changed: Vec<String> = diff(want, live)
        .into_iter()
        .map(|field| field.path)
        .collect();
    let additions: Vec<&Value> = sets(want)
        .filter(|wanted| changed.contains(&name(wanted)))
        .collect();
    let deletions: Vec<&Value> = sets(live)
        .filter(|there| changed.contains(&name(there)))
        .collect();
    if deletions.is_empty() {
        json!({ "additions": additions })
    } else {
        json!({ "additions": additions, "deletions": deletions })
    }
}

async fn change(
    clients: &Clients,
    at: &Map<String, Value>,
    change: &Value,
) -> Result<MutationResult, ApiError> {
    let empty = |key| {
        change
            .get(key)
            .and_then(Value::as_array)
            .is_none_or(Vec::is_empty)
    };
    if empty("additions") && empty("deletions") {
        return Ok(MutationResult::Now);
    }
    let call = Call::post(
        Api::Dns,
        format!("{}/changes", path_template::path(PATH, at)?),
    )
    .json(change.clone());
    let answer = clients.client.send(&call, &*clients.watch).await?;
    Ok(Operation::of(Dialect::DnsChange, &call, &answer)?
        .map_or(MutationResult::Now, MutationResult::Wait))
}

fn sets(value: &Value) -> impl Iterator<Item = &Value> {
    value
        .get("rrsets")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn name(set: &Value) -> String {
    let text = |key| set.get(key).and_then(Value::as_str).unwrap_or_default();
    format!("{} {}", text("name"), text("type"))
}

/// Whether both have the same time to live and the same data, in any order.
fn same(wanted: &Value, there: &Value) -> bool {
    let data = |set: &Value| {
        let mut data: Vec<String> = set["rrdatas"]
            .as_array()
            .into_iter()
            .flatten()
            .map(Value::to_string)
            .collect();
        data.sort();
        data
    };
    wanted["ttl"] == there["ttl"] && data(wanted) == data(there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_change_adds_replaces_and_leaves_the_rest() {
        let soa = json!({"name": "gcr.io.", "type": "SOA", "ttl": 21600, "rrdatas": ["x"]});
        let a = |ttl: u32, data: &[&str]| json!({"name": "gcr.io.", "type": "A", "ttl": ttl, "rrdatas": data});
        let want = json!({"rrsets": [a(300, &["1", "2"])]});
        let same = json!({"rrsets": [soa, a(300, &["2", "1"])]});
        assert!(diff(&want, &same).is_empty());
        assert_eq!(
            addition(&want, &json!({"rrsets": [soa]})),
            json!({"additions": [a(300, &["1", "2"])]})
        );
        let other = json!({"rrsets": [soa, a(60, &["1", "2"])]});
        assert_eq!(
            addition(&want, &other),
            json!({"additions": [a(300, &["1", "2"])], "deletions": [a(60, &["1", "2"])]})
        );
    }
}
