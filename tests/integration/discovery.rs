//! The emulator against Google's discovery documents: every method is served, or is not for a stated reason, and no answer
//! has anything that the documents do not know.

use std::collections::BTreeMap;

use crate::common::emulator::longrunning::assert_fits;
use emulator::Pace;
use emulator::answer::Body;
use emulator::apis;
use emulator::clock::Clock;
use emulator::discovery::{Method, documents};
use emulator::names;
use emulator::request::Request;
use emulator::schema::{Direction, fit};
use emulator::world::World;
use serde_json::{Value, json};

/// Names that exist in the world of this test, by collection.
const NAMES: &[(&str, &str)] = &[
    ("projects", "demo-proj"),
    ("locations", "us-central1-a"),
    ("clusters", "cluster1"),
    ("nodePools", "default-pool"),
    ("memberships", "cluster1"),
    ("features", "servicemesh"),
    ("fleets", "default"),
    (
        "serviceAccounts",
        "sa-test-app@demo-proj.iam.gserviceaccount.com",
    ),
    ("services", "compute.googleapis.com"),
    ("roles", "viewer"),
    ("operations", "operation-1"),
];

/// Objects that a method may want to find before it does what it is for.
const OBJECTS: &[(&str, &str)] = &[
    (
        "iam",
        "projects/demo-proj/serviceAccounts/sa-test-app@demo-proj.iam.gserviceaccount.com",
    ),
    (
        "container",
        "projects/demo-proj/locations/us-central1-a/clusters/cluster1",
    ),
    (
        "container",
        "projects/demo-proj/locations/us-central1-a/clusters/cluster1/nodePools/default-pool",
    ),
    (
        "gkehub",
        "projects/demo-proj/locations/us-central1-a/memberships/cluster1",
    ),
    (
        "gkehub",
        "projects/demo-proj/locations/us-central1-a/features/servicemesh",
    ),
    (
        "gkehub",
        "projects/demo-proj/locations/us-central1-a/memberships/cluster1/features/servicemesh",
    ),
];

fn world() -> World {
    let mut world = World::new(Clock::At(1_700_000_000_000), Pace::Zero);
    world.project("demo-proj");
    for (api, path) in OBJECTS {
        let value = json!({"name": path, "email": names::leaf(path), "uniqueId": "1"});
        world.put(names::key(api, path), value);
    }
    world
}

/// A request for a method as the front end would pass it on, about things that exist; its body is empty.
fn request(api: &str, method: &Method) -> Request {
    let mut params = BTreeMap::new();
    for (name, parameter) in &method.parameters {
        if parameter.location != "path" {
            continue;
        }
        let pattern = parameter
            .pattern
            .as_deref()
            .filter(|pattern| pattern.starts_with('^'));
        let value = match (pattern, name.as_str()) {
            (Some(pattern), _) => filled(pattern),
            (None, "project" | "projectId" | "resource") => "demo-proj".to_owned(),
            (None, "zone") => "us-central1-a".to_owned(),
            (None, "region") => "us-central1".to_owned(),
            (None, _) => "thing".to_owned(),
        };
        params.insert(name.clone(), value);
    }
    Request {
        api: api.to_owned(),
        method_id: method.id.clone(),
        params,
        body: json!({}),
        ..Request::default()
    }
}

/// `^projects/[^/]+/locations/[^/]+$` with names for the classes.
fn filled(pattern: &str) -> String {
    let plain = pattern
        .trim_matches(['^', '$'])
        .replace("[^/]+", "*")
        .replace(".*", "*");
    // A pattern that leaves the first collection open means projects.
    let plain = match plain.strip_prefix("*/") {
        Some(rest) => format!("projects/{rest}"),
        None => plain,
    };
    let mut collection = "";
    let mut parts = Vec::new();
    for part in plain.split('/') {
        let known = NAMES.iter().find(|(name, _)| *name == collection);
        parts.push(match part {
            "*" => known.map_or("thing", |(_, value)| value),
            text => text,
        });
        collection = part;
    }
    parts.join("/")
}

#[test]
fn every_method_is_served_or_is_not_for_a_reason() {
    let mut unserved = Vec::new();
    for document in documents() {
        let row = apis::find(&document.api);
        for method in document.methods.values() {
            let refused = row.is_none_or(|row| {
                let answer = (row.serve)(&mut world(), &request(&document.api, method));
                answer.is_err_and(|refusal| refusal.http == 501)
            });
            if refused && !unserved.contains(&method.id) {
                unserved.push(method.id.clone());
            }
        }
    }
    let mut stated: Vec<String> = apis::NOT_SERVED
        .iter()
        .map(|(id, _)| (*id).to_owned())
        .collect();
    unserved.sort();
    stated.sort();
    assert_eq!(unserved, stated);
    assert!(
        apis::NOT_SERVED.iter().all(|(_, reason)| reason.len() > 20),
        "a reason is a sentence"
    );
}

#[test]
fn names_are_filled_in_as_their_patterns_say() {
    for (pattern, want) in [
        (
            "^projects/[^/]+/locations/[^/]+$",
            "projects/demo-proj/locations/us-central1-a",
        ),
        (
            "^[^/]+/[^/]+/services/[^/]+$",
            "projects/demo-proj/services/compute.googleapis.com",
        ),
        ("^operations/.*$", "operations/operation-1"),
    ] {
        assert_eq!(filled(pattern), want);
    }
}

/// All tests over HTTP hold every answer against its schema; this is that check failing where it must.
#[test]
fn an_answer_that_the_documents_do_not_know_is_noticed() {
    let path = "/iam.googleapis.com/v1/projects/demo-proj/serviceAccounts/a@b";
    let fails = |answer: Value| {
        std::panic::catch_unwind(|| assert_fits("GET", path, 200, &answer)).is_err()
    };
    assert!(!fails(json!({"email": "a@b", "uniqueId": "1"})));
    assert!(fails(json!({"email": "a@b", "number": 1})));
    assert!(fails(json!({"email": 1})));
}

/// A value of a schema with every field that a client may send. Fields with a pattern are left out: a sample would not fit it.
fn sample(document: &Value, schema: &Value, depth: usize) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        return sample(document, &document["schemas"][name], depth);
    }
    let text = |format: Option<&str>| match format {
        Some("byte") => "AAAA",
        Some("int64" | "uint64") => "7",
        Some("google-datetime" | "date-time") => "2024-04-01T12:34:56Z",
        Some("google-duration") => "7s",
        _ => "sample",
    };
    match schema["type"].as_str() {
        Some("object") => {
            let fields = schema["properties"].as_object().into_iter().flatten();
            let sent = fields
                .filter(|(_, field)| field["readOnly"] != true && field.get("pattern").is_none());
            let below: serde_json::Map<String, Value> = sent
                .filter(|_| depth > 0)
                .map(|(name, field)| (name.clone(), sample(document, field, depth - 1)))
                .collect();
            Value::Object(below)
        }
        Some("array") => json!([sample(document, &schema["items"], depth)]),
        Some("boolean") => json!(true),
        Some("integer") => json!(7),
        Some("number") => json!(0.5),
        Some("string") => match schema["enum"].as_array() {
            Some(values) => values.last().cloned().unwrap_or_default(),
            None => json!(text(schema["format"].as_str())),
        },
        _ => json!({}),
    }
}

/// What the documents allow is never called unknown, and whatever a service makes of it is an answer that fits or a refusal.
#[test]
fn a_body_with_every_field_is_answered_or_refused_but_never_breaks_anything() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/discovery");
    let mut bodies = 0;
    for document in documents() {
        let file = format!("{folder}/{}.{}.json", document.api, document.version);
        let raw: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        for method in document.methods.values() {
            let Some(schema) = &method.request else {
                continue;
            };
            for depth in [1, 3, 9] {
                let body = sample(&raw, &raw["schemas"][schema], depth);
                let direction = Direction::Request {
                    method: &method.id,
                    creates: false,
                };
                let kept = match fit(document, schema, &body, direction) {
                    Ok(kept) => kept,
                    // A required field may be one with a pattern.
                    Err(found) => {
                        assert!(
                            found.iter().all(|one| one.reason == "required"),
                            "{}: {found:?}",
                            method.id
                        );
                        body
                    }
                };
                let request = Request {
                    body: kept,
                    ..request(&document.api, method)
                };
                let row = apis::find(&document.api).unwrap();
                bodies += 1;
                match (row.serve)(&mut world(), &request) {
                    Err(refusal) => assert!(
                        (400..=501).contains(&refusal.http) && refusal.http != 500,
                        "{}",
                        method.id
                    ),
                    Ok(answer) => {
                        let (Body::Json(value), Some(response)) = (&answer.body, &method.response)
                        else {
                            continue;
                        };
                        let fitted = fit(document, response, value, Direction::Answer);
                        assert!(
                            fitted.is_ok(),
                            "{}: {:#?}\n{value:#}",
                            method.id,
                            fitted.err()
                        );
                    }
                }
            }
        }
    }
    assert!(bodies > 100, "{bodies}");
}
