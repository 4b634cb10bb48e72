//! Exchanges recorded of the real services (fixtures/recorded), replayed against the emulator: what it answers has the same
//! keys, the same types and the same constants.
//!
//! Values that the recorder replaced are compared by type alone. A recording keeps only the last poll of an operation, so an
//! operation is polled until it is over. An exchange without a status was not recorded: it makes what the recording found there.
//! What comes and goes by itself (a new account, an API that was just enabled) is asked for until it is as recorded.
//! `varies` of a recording names the fields that differ between the real services' own answers, and why.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::common::emulator::Cloud;
use serde_json::Value;

/// What the recorder wrote in place of ids, times, etags and addresses.
const REPLACED: &[&str] = &[
    "000000000000000000000",
    "111111111111111111111",
    "888888888888888888888",
    "2024-04-01T12:34:56.123456Z",
    "12345678901234",
    "123456789",
    "abcdef0123A=",
    "user@example.com",
];

/// Fields whose recorded value is not what the service said: numbers shown as names, addresses.
const UNTRUE: &[&str] = &[
    "targetId",
    "selfLinkWithId",
    "gatewayAddress",
    "internalIpv6Range",
];

/// How often a question is asked again whose answer is to be another one, and after how long.
const PATIENCE: usize = 300;
const PAUSE: Duration = Duration::from_millis(10);

#[tokio::test]
async fn the_emulator_answers_what_google_answered() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/recorded");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 7, "the recordings are there");
    let mut diagnostics = Vec::new();
    for file in files {
        let recording: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        replay(&name, &recording, &mut diagnostics).await;
    }
    assert!(
        diagnostics.is_empty(),
        "{} differences:\n{}",
        diagnostics.len(),
        diagnostics.join("\n")
    );
}

async fn replay(name: &str, recording: &Value, diagnostics: &mut Vec<String>) {
    let apis: Vec<&str> = recording["enable"]
        .as_array()
        .unwrap()
        .iter()
        .map(|api| api.as_str().unwrap())
        .collect();
    let cloud = Cloud::with(recording["pace"].as_str().unwrap_or("0"), None).await;
    cloud.enable(&apis).await;
    let varies: Vec<&str> = recording["varies"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(field, _)| field.as_str())
        .collect();
    let mut varied = BTreeSet::new();
    let mut operation = String::new();
    let mut etag = Value::Null;
    for (at, exchange) in recording["exchanges"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
    {
        let method = exchange["method"].as_str().unwrap();
        let url = exchange["url"]
            .as_str()
            .unwrap()
            .replace("${operationID}", &operation);
        let path = url.replacen("https://", "/", 1);
        let mut body = exchange.get("body").cloned();
        // A policy is written under the etag that was read.
        if let Some(sent) = body
            .as_mut()
            .and_then(|body| body.pointer_mut("/policy/etag"))
        {
            *sent = etag.clone();
        }
        let (mut status, mut answer) = cloud.call(method, &path, body.clone()).await;
        let expected = exchange["status"].as_u64();
        for _ in 0..PATIENCE {
            // Whatever was refused or only read can be asked again.
            let again = status >= 400 || method == "GET";
            if expected.is_none_or(|expected| expected == u64::from(status)) || !again {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            (status, answer) = cloud.call(method, &path, body.clone()).await;
        }
        if answer["bindings"].is_array() {
            etag = answer["etag"].clone();
        }
        let Some(expected) = expected else {
            assert_eq!(status, 200, "{name} #{at}: {answer}");
            if answer["kind"] == "compute#operation" {
                cloud.wait(&answer).await;
            }
            continue;
        };
        for _ in 0..10 {
            if !is_over(&exchange["response"]) || is_over(&answer) {
                break;
            }
            (status, answer) = cloud.call(method, &path, None).await;
        }
        let place = format!("{name} #{at} {method} {path}");
        if u64::from(status) != expected {
            diagnostics.push(format!("{place}: {status} instead of {expected}: {answer}"));
            continue;
        }
        let recorded = exchange.get("response").unwrap_or(&Value::Null);
        let mut found = Vec::new();
        compare("", recorded, &answer, &mut found);
        found.retain(|diagnostic| {
            let path = plain(diagnostic);
            let known: Vec<&str> = varies
                .iter()
                .copied()
                .filter(|field| path.contains(field))
                .collect();
            varied.extend(known.iter().map(|field| (*field).to_owned()));
            known.is_empty()
        });
        diagnostics.extend(
            found
                .into_iter()
                .map(|diagnostic| format!("{place}: {diagnostic}")),
        );
        if let Some(name) = answer["name"].as_str().filter(|_| is_operation(&answer)) {
            operation = name.rsplit('/').next().unwrap_or(name).to_owned();
        }
    }
    let idle = varies.iter().filter(|field| !varied.contains(**field));
    diagnostics.extend(idle.map(|field| format!("{name}: {field} does not vary")));
}

/// The path of a complaint without the places in lists.
fn plain(diagnostic: &str) -> String {
    let path = diagnostic.split(' ').next().unwrap_or_default();
    let parts = path.split('[');
    parts
        .map(|part| part.split_once(']').map_or(part, |(_, rest)| rest))
        .collect()
}

/// Whether an answer is an operation.
pub fn is_operation(answer: &Value) -> bool {
    answer["kind"] == "compute#operation"
        || answer.get("operationType").is_some()
        || answer["name"]
            .as_str()
            .is_some_and(|name| name.contains("operations/"))
}

/// Whether an answer is an operation that has ended.
pub fn is_over(answer: &Value) -> bool {
    is_operation(answer) && (answer["status"] == "DONE" || answer["done"] == true)
}

/// Every key of either is in both, every value is of the same type, and one that was not replaced is the same.
fn compare(place: &str, recorded: &Value, answered: &Value, diagnostics: &mut Vec<String>) {
    match (recorded, answered) {
        (Value::Object(recorded), Value::Object(answered)) => {
            for key in recorded.keys().filter(|key| !answered.contains_key(*key)) {
                diagnostics.push(format!("{place}.{key} is missing"));
            }
            for (key, value) in answered {
                match recorded.get(key) {
                    None => diagnostics.push(format!("{place}.{key} is too much: {value}")),
                    Some(_) if UNTRUE.contains(&key.as_str()) => {}
                    Some(expected) => {
                        compare(&format!("{place}.{key}"), expected, value, diagnostics)
                    }
                }
            }
        }
        (Value::Array(recorded), Value::Array(answered)) if recorded.len() == answered.len() => {
            // Nobody promises an order: each is held against the one that it is most like.
            let mut left: Vec<&Value> = answered.iter().collect();
            for (at, expected) in recorded.iter().enumerate() {
                let differences = |value: &&Value| {
                    let mut found = Vec::new();
                    compare("", expected, value, &mut found);
                    found.len()
                };
                let nearest = (0..left.len())
                    .min_by_key(|index| differences(&left[*index]))
                    .unwrap();
                compare(
                    &format!("{place}[{at}]"),
                    expected,
                    left.remove(nearest),
                    diagnostics,
                );
            }
        }
        (Value::String(expected), Value::String(value)) => {
            let replaced = REPLACED.contains(&expected.as_str()) || expected.contains("${");
            if !replaced && bare(expected) != bare(value) {
                diagnostics.push(format!("{place} is {value:?} instead of {expected:?}"));
            }
        }
        _ if recorded == answered => {}
        _ => diagnostics.push(format!("{place} is {answered} instead of {recorded}")),
    }
}

/// A public zone gets one of five sets of name servers: which is chance.
fn bare(text: &str) -> String {
    match text.find("ns-cloud-") {
        Some(at) => format!(
            "{}{}",
            &text[..at + 9],
            text.get(at + 10..).unwrap_or_default()
        ),
        None => text.to_owned(),
    }
}
