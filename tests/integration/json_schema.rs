//! The published schema of `--output json` (docs/json.md) against what the program prints: every event of whole runs matches it,
//! and every event of the program's type is in it.

use std::collections::BTreeSet;

use provision::engine::change::Change;
use provision::engine::entry::ChangeVerb;
use provision::engine::event::{Cause, Event, RunOutcome, StepOutcome, Tally};
use provision::engine::evidence::Evidence;
use provision::google::Identity;
use provision::kinds::{FieldDiff, ResourceId};
use serde_json::{Map, Value, json};

use crate::common::program::User;

/// The schema, as it is published.
fn schema() -> Value {
    let text = include_str!("../../docs/json.md");
    let (_, rest) = text.split_once("```json\n").unwrap();
    let (schema, _) = rest.split_once("\n```").unwrap();
    serde_json::from_str(schema).unwrap()
}

/// Why a value does not match a schema. It knows the keywords that the published schema uses, and no others.
fn mismatch(schema: &Value, whole: &Value, value: &Value) -> Option<String> {
    let fails = |why: &str| Some(format!("{why}: {value} against {schema}"));
    for (keyword, rule) in schema.as_object().unwrap() {
        let found = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => None,
            "$ref" => {
                let path = rule.as_str().unwrap().strip_prefix('#').unwrap();
                mismatch(whole.pointer(path).unwrap(), whole, value)
            }
            "const" if rule == value => None,
            "enum" if rule.as_array().unwrap().contains(value) => None,
            "type" => {
                let is_it = match rule.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_u64(),
                    "boolean" => value.is_boolean(),
                    "null" => value.is_null(),
                    other => panic!("{other}"),
                };
                (!is_it).then(|| format!("{value} is no {rule}"))
            }
            // The one pattern is that of a time.
            "pattern" => {
                let text = value.as_str().unwrap_or_default();
                let is_time =
                    text.len() == 24 && text.ends_with('Z') && text.as_bytes()[10] == b'T';
                (!is_time).then(|| format!("{value} is no time"))
            }
            "required" => rule
                .as_array()
                .unwrap()
                .iter()
                .find(|key| value.get(key.as_str().unwrap()).is_none())
                .map(|key| format!("no {key} in {value}")),
            "properties" => rule.as_object().unwrap().iter().find_map(|(key, rule)| {
                let value = value.get(key)?;
                mismatch(rule, whole, value).map(|why| format!("{key}: {why}"))
            }),
            "additionalProperties" => {
                let known = schema["properties"].as_object().unwrap();
                let mut keys = value.as_object().unwrap().keys();
                keys.find(|key| !known.contains_key(*key))
                    .map(|key| format!("{key} is not published: {value}"))
            }
            "items" => {
                let mut items = value.as_array().unwrap().iter();
                items.find_map(|item| mismatch(rule, whole, item))
            }
            "anyOf" | "oneOf" => {
                let mut any = rule.as_array().unwrap().iter();
                let fits = any.any(|rule| mismatch(rule, whole, value).is_none());
                (!fits).then(|| format!("{value} is none of {keyword}"))
            }
            "const" | "enum" => fails(keyword),
            other => panic!("the test does not know {other}"),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Checks a line by the schema of its own event: that says most about what is wrong.
#[track_caller]
fn matches(whole: &Value, line: &str) {
    let event: Value = serde_json::from_str(line).unwrap();
    let name = event["event"].as_str().unwrap();
    let own = &whole["$defs"][name];
    assert!(own.is_object(), "{name} is not published");
    assert_eq!(mismatch(own, whole, &event), None, "{line}");
    assert_eq!(mismatch(whole, whole, &event), None, "{line}");
}

#[test]
fn every_event_of_whole_runs_is_as_published() {
    let schema = schema();
    let user = User::new();
    let json = ["--emulate", "--output", "json"];
    let mut names = BTreeSet::new();
    for (args, code) in [
        (&["doctor"][..], 0),
        (&["plan"], 3),
        (&["up", "--yes", "--through", "second-namespace"], 0),
        (&["verify", "--through", "second-namespace"], 0),
        (
            &[
                "plan",
                "--through",
                "second-namespace",
                "--authorized-network",
                "203.0.113.9/32",
            ],
            3,
        ),
        (&["authorize", "--set", "endpoint=dns"], 0),
        (&["adopt", "--yes"], 0),
        (&["up", "--yes", "--through", "nowhere"], 2),
        (&["down", "--yes"], 0),
    ] {
        let said = user.run(&[args, &json].concat()).ends(code);
        assert!(!said.out.is_empty(), "{args:?}");
        for line in said.out.lines() {
            matches(&schema, line);
            let event: Value = serde_json::from_str(line).unwrap();
            names.insert(event["event"].as_str().unwrap().to_owned());
        }
    }
    for name in [
        "looked",
        "found",
        "sending",
        "claimed",
        "finished",
        "not-on-allow-list",
        "not-needed",
        "checked",
        "error",
    ] {
        assert!(names.contains(name), "{names:?}");
    }
}

/// The number of events that the program has.
const EVENTS: usize = 14;

/// A number for each event. Who adds an event finds this: it needs a sample, and an entry in the schema.
fn number(event: &Event) -> usize {
    match event {
        Event::RunStarted { .. } => 0,
        Event::StepStarted { .. } => 1,
        Event::Looked { .. } => 2,
        Event::Found { .. } => 3,
        Event::Reattached { .. } => 4,
        Event::Sending { .. } => 5,
        Event::Waiting { .. } => 6,
        Event::Retrying { .. } => 7,
        Event::Warned { .. } => 8,
        Event::Claimed { .. } => 9,
        Event::Finished { .. } => 10,
        Event::Failed { .. } => 11,
        Event::Blocked { .. } => 12,
        Event::RunFinished { .. } => 13,
    }
}

/// An event of each type with all its keys, and of some more than one.
fn samples() -> Vec<Event> {
    let text = || "x".to_owned();
    let field = || FieldDiff {
        path: text(),
        have: Value::Null,
        want: json!(1),
        fixed: true,
        owner: Some(text()),
    };
    let looked = |change| Event::Looked {
        step: text(),
        change,
        ours: true,
        want: json!({}),
        inside: Some(text()),
    };
    let identity = |by| Identity {
        account: Some(text()),
        kind: text(),
        found: text(),
        by,
    };
    vec![
        Event::RunStarted {
            verb: text(),
            project: text(),
            steps: 1,
            identity: Some(identity(Some(Box::new(identity(None))))),
        },
        Event::StepStarted {
            step: text(),
            kind: text(),
            name: text(),
            expected: Some(1),
        },
        looked(Change::Replace(vec![field()])),
        looked(Change::Conflict(vec![field()])),
        looked(Change::Waits(vec![text()])),
        looked(Change::Pending(text())),
        Event::Found {
            step: text(),
            resource: ResourceId {
                kind: text(),
                at: Map::new(),
            },
            evidence: Evidence::Unknown(vec![text()]),
            parts: vec![text()],
            fields: vec![field()],
        },
        Event::Reattached {
            step: text(),
            verb: ChangeVerb::Delete,
            since: text(),
        },
        Event::Sending {
            step: text(),
            verb: ChangeVerb::Update,
        },
        Event::Waiting {
            step: text(),
            on: text(),
        },
        Event::Retrying {
            step: text(),
            call: text(),
            why: text(),
            attempt: 1,
            after: 1,
        },
        Event::Warned {
            step: text(),
            text: text(),
        },
        Event::Claimed {
            step: text(),
            holds: true,
            expected: text(),
            seen: text(),
            hint: Some(text()),
        },
        Event::Finished {
            step: text(),
            outcome: StepOutcome::WithParent,
            took: 1,
        },
        Event::Failed {
            step: text(),
            error: text(),
            cause: Some(Box::new(Cause {
                what: text(),
                call: text(),
                class: text(),
                message: text(),
                http: Some(403),
                reason: Some(text()),
            })),
            hint: Some(text()),
            left: text(),
        },
        Event::Blocked {
            step: text(),
            by: text(),
        },
        Event::RunFinished {
            how: RunOutcome::Done,
            tally: Tally::default(),
            took: 1,
        },
    ]
}

#[test]
fn every_event_of_the_program_is_published_with_its_keys() {
    let schema = schema();
    let at = "2026-01-01T00:00:00.000Z";
    let samples = samples();
    let numbers: BTreeSet<usize> = samples.iter().map(number).collect();
    assert_eq!(numbers, (0..EVENTS).collect(), "a sample of every event");
    for sample in &samples {
        let mut value = serde_json::to_value(sample).unwrap();
        value["at"] = at.into();
        matches(&schema, &value.to_string());
        // Nothing is published that the program does not have.
        let published = &schema["$defs"][value["event"].as_str().unwrap()]["properties"];
        for key in published.as_object().unwrap().keys() {
            assert!(value.get(key).is_some(), "{key} of {value}");
        }
    }
}

#[test]
fn what_is_not_published_is_found() {
    let schema = schema();
    let right =
        json!({"event": "blocked", "step": "a", "by": "b", "at": "2026-01-01T00:00:00.000Z"});
    assert_eq!(mismatch(&schema, &schema, &right), None);
    for (key, value) in [
        ("by", json!(1)),
        ("by", Value::Null),
        ("at", json!("yesterday")),
        ("event", json!("teapot")),
        ("more", json!(true)),
    ] {
        let mut wrong = right.clone();
        wrong[key] = value;
        assert!(mismatch(&schema, &schema, &wrong).is_some(), "{wrong}");
    }
    let mut wrong = right;
    wrong.as_object_mut().unwrap().remove("by");
    assert!(mismatch(&schema, &schema, &wrong).is_some(), "{wrong}");
}
