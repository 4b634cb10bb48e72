//! The emulator against Google's discovery documents: every method is served, or is not for a stated reason, and no answer
//! has anything that the documents do not know.

// What a test calls may unwrap like the test itself.
#![allow(clippy::unwrap_used)]

mod emulator;

use std::collections::BTreeMap;

use emulator::longrunning::assert_fits;
use provision::emulator::Pace;
use provision::emulator::apis;
use provision::emulator::clock::Clock;
use provision::emulator::discovery::{Method, documents};
use provision::emulator::names;
use provision::emulator::request::Request;
use provision::emulator::world::World;
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
