//! What two servers answered to the same requests, side by side. What may differ, and why, is in
//! `fixtures/kubernetes/differences.yaml`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::recorder::{Line, nameless};

const ALLOWED: &str = include_str!("../../../fixtures/kubernetes/differences.yaml");

/// Where the tutorial's objects are. What stands elsewhere is of whoever installed the cluster, and each was installed otherwise.
const NAMESPACES: &[&str] = &["istio-egress", "team-x", "team-y"];

/// A difference that has a reason.
struct Allowed {
    row: usize,
    kind: regex_lite::Regex,
    what: regex_lite::Regex,
    side: String,
    sometimes: bool,
}

fn allowed() -> Vec<Allowed> {
    let rows: Vec<Value> = serde_saphyr::from_str(ALLOWED).unwrap();
    let glob = |value: &Value| {
        let parts = value
            .as_str()
            .unwrap()
            .split("**")
            .map(|part| regex_lite::escape(part).replace(r"\*", "[^/]*"));
        let parts: Vec<String> = parts.collect();
        regex_lite::Regex::new(&format!("^{}$", parts.join(".*"))).unwrap()
    };
    rows.iter()
        .enumerate()
        .map(|(row, told)| {
            assert!(!told["why"].as_str().unwrap().is_empty(), "{told}");
            Allowed {
                row,
                kind: glob(&told["request"]),
                what: glob(&told["what"]),
                side: told["only"].as_str().unwrap().to_owned(),
                sometimes: told["sometimes"] == true,
            }
        })
        .collect()
}

/// Everything about the answers to a request that a client could go by: a line each.
fn features(lines: &[&Line]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in lines {
        found.insert(format!("status {}", line.status()));
        found.insert(format!("header {}", line.told()));
        let answer = line.answer();
        if line.status() == 101 {
            for message in answer.as_array().into_iter().flatten() {
                // The last word and the end are the server's; the rest is what programs print.
                if message["channel"] == 3 || message["closed"].is_u64() {
                    found.insert(format!("stream {message}"));
                }
            }
            continue;
        }
        if answer["kind"] == "Status" && answer["status"] == "Failure" {
            let message = nameless(&answer["message"].to_string());
            found.insert(format!("refusal {} {message}", answer["reason"]));
        }
        shape(&ours(answer), &mut String::new(), &mut found);
    }
    found
}

/// A list without what is not in the tutorial's namespaces.
fn ours(answer: &Value) -> Value {
    let mut answer = answer.clone();
    if let Some(items) = answer.get_mut("items").and_then(Value::as_array_mut) {
        items.retain(|item| {
            let namespace = item["metadata"]["namespace"].as_str();
            namespace.is_some_and(|namespace| NAMESPACES.contains(&namespace))
        });
    }
    answer
}

/// The pointers of a body with their types. Items of lists are `*`, and so are the fields that an owner owns.
fn shape(value: &Value, at: &mut String, found: &mut BTreeSet<String>) {
    let length = at.len();
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                at.push('/');
                let is_owned = at.contains("/fieldsV1/") && name != ".";
                at.push_str(if is_owned { "*" } else { name });
                shape(value, at, found);
                at.truncate(length);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            at.push_str("/*");
            items.iter().for_each(|item| shape(item, at, found));
            at.truncate(length);
        }
        value => {
            let kind = match value {
                Value::Null => "null",
                Value::Bool(_) => "boolean",
                Value::Number(_) => "number",
                Value::String(_) => "string",
                Value::Array(_) => "empty list",
                Value::Object(_) => "empty object",
            };
            found.insert(format!("body {at} {kind}"));
        }
    }
}

/// Where the answers differ without a reason, a line each, and the reasons that explain nothing any more. `real` and `emulated`
/// are the answers to each request.
pub fn differences(
    real: &BTreeMap<String, Vec<Line>>,
    emulated: &BTreeMap<String, Vec<Line>>,
) -> Vec<String> {
    let allowed = allowed();
    let mut used = BTreeSet::new();
    let mut told = BTreeSet::new();
    let requests: BTreeSet<&String> = real.keys().chain(emulated.keys()).collect();
    for request in requests {
        let answers = |side: &BTreeMap<String, Vec<Line>>| -> Vec<Line> {
            side.get(request).cloned().unwrap_or_default()
        };
        let (here, there) = (answers(real), answers(emulated));
        let kind = here.iter().chain(&there).next().unwrap().kind();
        let (here, there) = if here.is_empty() || there.is_empty() {
            let only = |lines: &[Line]| match lines {
                [] => BTreeSet::new(),
                _ => BTreeSet::from(["asked".to_owned()]),
            };
            (only(&here), only(&there))
        } else {
            (
                features(&here.iter().collect::<Vec<_>>()),
                features(&there.iter().collect::<Vec<_>>()),
            )
        };
        let differs = here.difference(&there).map(|what| ("real", what));
        let differs = differs.chain(there.difference(&here).map(|what| ("emulated", what)));
        for (side, what) in differs {
            let reason = allowed.iter().find(|row| {
                row.side == side && row.kind.is_match(&kind) && row.what.is_match(what)
            });
            match reason {
                Some(reason) => drop(used.insert(reason.row)),
                None => drop(told.insert(format!("{kind}: only {side}: {what} ({request})"))),
            }
        }
    }
    let idle = allowed
        .iter()
        .filter(|row| !row.sometimes && !used.contains(&row.row))
        .map(|row| format!("row {} explains nothing: {}", row.row + 1, row.what));
    told.extend(idle);
    told.into_iter().collect()
}
