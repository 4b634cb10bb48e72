//! Buckets.

use serde_json::{Value, json};

use super::bucket_lookup::{bucket, bucket_key};
use super::generations::{etag, preconditions, touched};
use crate::answer::{ErrorResponse, Response};
use crate::clock::{self, Millis};
use crate::labels;
use crate::regions;
use crate::request::Request;
use crate::world::World;

/// How long uniform access can still be switched off.
const NINETY_DAYS: Millis = 90 * 24 * 3_600_000;

/// POST on the collection.
pub fn insert(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let named = request.query("project").unwrap_or_default();
    let project = world.project(named).ok_or_else(ErrorResponse::no_project)?;
    let name = request.text("name").unwrap_or_default().to_owned();
    if !is_name(&name) {
        return Err(ErrorResponse::invalid(format!(
            "Invalid bucket name: '{name}'"
        )));
    }
    let key = bucket_key(&name);
    if let Some(other) = world.get(&key) {
        let ours = other["projectNumber"] == json!(project.number.to_string());
        return Err(ErrorResponse::conflict(if ours {
            "Your previous request to create the named bucket succeeded and you already own it."
        } else {
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. \
             Please select a different name and try again."
        }));
    }
    let location = request
        .text("location")
        .unwrap_or("US")
        .to_ascii_uppercase();
    let (kind, (extra, said)) = place(&location)?;
    check(&request.body)?;
    let now = world.now();
    let printed_now = clock::utc(now);
    let mut value = json!({
        "kind": "storage#bucket",
        "selfLink": format!("https://www.googleapis.com/storage/v1/b/{name}"),
        "id": name,
        "name": name,
        "projectNumber": project.number.to_string(),
        "generation": (now * 1_000).to_string(),
        "metageneration": "1",
        "location": location,
        "storageClass": "STANDARD",
        "timeCreated": printed_now,
        "updated": printed_now,
        "softDeletePolicy": {"retentionDurationSeconds": "604800", "effectiveTime": printed_now},
        "locationType": kind,
    });
    value[extra] = said;
    value["etag"] = json!(etag(&value));
    let value = updated(now, &value, &request.body, &["name", "location"]);
    world.put(&key, value.clone());
    Ok(value.into())
}

/// GET.
pub fn get(world: &World, request: &Request) -> Result<Response, ErrorResponse> {
    let (_, value) = bucket(world, request)?;
    preconditions(request, Some(&value))?;
    Ok(value.into())
}

/// The buckets of a project.
pub fn list(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let named = request.query("project").unwrap_or_default();
    let number = world
        .project(named)
        .ok_or_else(ErrorResponse::no_project)?
        .number
        .to_string();
    let prefix = request.query("prefix").unwrap_or_default();
    let all = world.list(bucket_key("").trim_end_matches('/'));
    let mut buckets: Vec<&Value> = all
        .into_iter()
        .map(|(_, value)| value)
        .filter(|value| {
            value["projectNumber"] == number
                && value["name"]
                    .as_str()
                    .is_some_and(|name| name.starts_with(prefix))
        })
        .collect();
    buckets.sort_by_key(|value| value["name"].as_str().unwrap_or_default().to_owned());
    let mut body = json!({ "kind": "storage#buckets" });
    if !buckets.is_empty() {
        body["items"] = json!(buckets);
    }
    Ok(body.into())
}

/// PATCH, and PUT if `whole`.
pub fn change(
    world: &mut World,
    request: &Request,
    whole: bool,
) -> Result<Response, ErrorResponse> {
    let (key, mut old) = bucket(world, request)?;
    preconditions(request, Some(&old))?;
    check(&request.body)?;
    for field in ["name", "location", "id", "projectNumber"] {
        let sent = request.body[field].as_str().unwrap_or_default();
        let is = old[field].as_str().unwrap_or_default();
        if !sent.is_empty() && !sent.eq_ignore_ascii_case(is) {
            // That a bucket keeps its name and its place: own knowledge, no record.
            return Err(ErrorResponse::invalid(format!(
                "The bucket's {field} cannot be changed."
            )));
        }
    }
    if whole && let Value::Object(fields) = &mut old {
        fields.retain(|field, _| !CHANGEABLE.contains(&field.as_str()));
    }
    let now = world.now();
    let value = touched(updated(now, &old, &request.body, &[]), clock::utc(now));
    world.put(&key, value.clone());
    Ok(value.into())
}

/// The classes of storage. Source: the reference of `Bucket.storageClass`; the last three are older names.
const CLASSES: &[&str] = &[
    "STANDARD",
    "NEARLINE",
    "COLDLINE",
    "ARCHIVE",
    "MULTI_REGIONAL",
    "REGIONAL",
    "DURABLE_REDUCED_AVAILABILITY",
];

/// Checks the fields of a bucket that have a choice of values.
///
/// # Errors
/// A refusal with 400. What is said of a class is quoted by googleapis/python-storage (issue 879). The values of autoclass and of public
/// access prevention are in the reference; the texts about them are not recorded.
fn check(sent: &Value) -> Result<(), ErrorResponse> {
    let is_class = |class: &Value| {
        let text = class.as_str().unwrap_or_default().to_ascii_uppercase();
        class.is_null() || CLASSES.contains(&text.as_str())
    };
    let rules = sent.pointer("/lifecycle/rule").and_then(Value::as_array);
    let mut rules = rules.into_iter().flatten();
    let terminal = sent.pointer("/autoclass/terminalStorageClass");
    let in_rules = rules.all(|rule| is_class(&rule["action"]["storageClass"]));
    if !is_class(&sent["storageClass"]) || !in_rules {
        return Err(ErrorResponse::invalid("Invalid storage class."));
    }
    if terminal.is_some_and(|class| *class != "NEARLINE" && *class != "ARCHIVE" && !class.is_null())
    {
        return Err(ErrorResponse::invalid(
            "Invalid terminal storage class: only NEARLINE and ARCHIVE are supported.",
        ));
    }
    let prevention = sent.pointer("/iamConfiguration/publicAccessPrevention");
    if prevention.is_some_and(|said| *said != "enforced" && *said != "inherited" && !said.is_null())
    {
        return Err(ErrorResponse::invalid(format!(
            "Invalid value for publicAccessPrevention: {}. Must be enforced or inherited.",
            prevention.unwrap_or(&Value::Null)
        )));
    }
    labels::check(&sent["labels"], ErrorResponse::invalid)
}

/// DELETE: of an empty bucket.
pub fn delete(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let (key, value) = bucket(world, request)?;
    preconditions(request, Some(&value))?;
    if !world
        .shuffled(&format!("{key}/objects/"), |_| true)
        .is_empty()
    {
        return Err(ErrorResponse::conflict(
            "The bucket you tried to delete is not empty.",
        ));
    }
    world.remove(&format!("{key}/iamPolicy"));
    world.remove(&key);
    Ok(Response::no_content())
}

/// storageLayout: where the bucket is.
pub fn layout(world: &World, request: &Request) -> Result<Response, ErrorResponse> {
    let (_, value) = bucket(world, request)?;
    Ok(json!({
        "kind": "storage#storageLayout",
        "bucket": value["name"],
        "location": value["location"],
        "locationType": value["locationType"],
    })
    .into())
}

/// What a client may change after creation.
const CHANGEABLE: &[&str] = &[
    "labels",
    "lifecycle",
    "autoclass",
    "cors",
    "website",
    "versioning",
    "logging",
    "encryption",
];

/// The bucket with what was sent; objects are merged one level deep, null removes.
fn updated(now: Millis, bucket: &Value, sent: &Value, consumed: &[&str]) -> Value {
    let mut value = bucket.clone();
    let mut access = bucket["iamConfiguration"].clone();
    for (field, sent) in sent.as_object().into_iter().flatten() {
        match field.as_str() {
            "iamConfiguration" => merge_one_level(&mut access, sent),
            "autoclass" => value[field] = autoclass(now, sent),
            "storageClass" => {
                let class = sent.as_str().unwrap_or("STANDARD").to_ascii_uppercase();
                value[field] = json!(class);
            }
            "lifecycle" if sent["rule"].as_array().is_none_or(Vec::is_empty) => {
                remove(&mut value, field)
            }
            _ if consumed.contains(&field.as_str()) => {}
            _ if sent.is_null() => remove(&mut value, field),
            _ => merge_one_level(&mut value[field], sent),
        }
    }
    let before = bucket
        .pointer("/iamConfiguration/uniformBucketLevelAccess")
        .unwrap_or(&Value::Null);
    let asked = access.pointer("/uniformBucketLevelAccess/enabled") == Some(&json!(true));
    let uniform = match (asked, before["enabled"] == json!(true)) {
        (true, true) => before.clone(),
        (true, false) => json!({"enabled": true, "lockedTime": clock::utc(now + NINETY_DAYS)}),
        (false, _) => json!({ "enabled": false }),
    };
    let prevention = access
        .get("publicAccessPrevention")
        .cloned()
        .unwrap_or(json!("inherited"));
    // The older name of uniform access is still printed beside the newer one.
    value["iamConfiguration"] = json!({
        "bucketPolicyOnly": uniform,
        "uniformBucketLevelAccess": uniform,
        "publicAccessPrevention": prevention,
    });
    value
}

fn autoclass(now: Millis, sent: &Value) -> Value {
    if sent["enabled"] != json!(true) {
        return json!({ "enabled": false });
    }
    let terminal = sent
        .get("terminalStorageClass")
        .cloned()
        .unwrap_or(json!("NEARLINE"));
    let now = clock::utc(now);
    json!({"enabled": true, "toggleTime": now, "terminalStorageClass": terminal, "terminalStorageClassUpdateTime": now})
}

fn merge_one_level(target: &mut Value, sent: &Value) {
    match (target, sent) {
        (Value::Object(target), Value::Object(sent)) => json::replace_fields(target, sent),
        (target, sent) => *target = sent.clone(),
    }
}

fn remove(value: &mut Value, field: &str) {
    if let Value::Object(fields) = value {
        fields.remove(field);
    }
}

/// A field that only buckets of one type of location have.
type Extra = (&'static str, Value);

/// The type of a location, and what is printed only for that type.
fn place(location: &str) -> Result<(&'static str, Extra), ErrorResponse> {
    match location {
        "US" | "EU" | "ASIA" => Ok(("multi-region", ("rpo", json!("DEFAULT")))),
        "NAM4" | "EUR4" | "EUR5" | "EUR7" | "EUR8" | "ASIA1" => {
            Ok(("dual-region", ("rpo", json!("DEFAULT"))))
        }
        region if regions::is_region(&region.to_ascii_lowercase()) => {
            Ok(("region", ("satisfiesPZI", json!(true))))
        }
        _ => Err(ErrorResponse::invalid(
            "The specified location constraint is not valid.",
        )),
    }
}

/// Whether Google would accept a bucket of this name. The rules: own knowledge, no record.
fn is_name(name: &str) -> bool {
    let limit = if name.contains('.') { 222 } else { 63 };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (3..=limit).contains(&name.len())
        && name
            .chars()
            .all(|c| plain(c) || matches!(c, '-' | '_' | '.'))
        && name.starts_with(plain)
        && name.ends_with(plain)
        && !name.starts_with("goog")
        && !name.contains("google")
        && name.parse::<std::net::Ipv4Addr>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names_are_judged_as_google_judges_them() {
        for name in ["demo-proj-bucket", "a.b.c", "a_1"] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "ab",
            "Demo",
            "-abc",
            "abc-",
            "goog-x",
            "my-google-x",
            "10.0.0.1",
            &"a".repeat(64),
        ] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn a_patch_merges_labels_and_keeps_the_lock() {
        let new = updated(
            0,
            &json!({}),
            &json!({"iamConfiguration": {"uniformBucketLevelAccess": {"enabled": true}}}),
            &[],
        );
        let lock = new["iamConfiguration"]["bucketPolicyOnly"]["lockedTime"].clone();
        assert_eq!(lock, "1970-04-01T00:00:00.000Z");
        let later = updated(
            9,
            &new,
            &json!({"labels": {"a": "1"}, "lifecycle": {"rule": []}}),
            &[],
        );
        assert_eq!(
            later["iamConfiguration"]["uniformBucketLevelAccess"]["lockedTime"],
            lock
        );
        assert!(later.get("lifecycle").is_none());
        let last = updated(9, &later, &json!({"labels": {"a": null, "b": "2"}}), &[]);
        assert_eq!(last["labels"], json!({"b": "2"}));
    }
}
