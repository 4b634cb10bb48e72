//! What a real API server answered to single objects (`fixtures/kubernetes/refusals.jsonl`), against what is answered here.
//!
//! The table that the test prints (`cargo test -p provision-validation refusals -- --nocapture`) counts by layer.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{Layer, Refusal, refusal};

const CASES: &str = include_str!("../../fixtures/kubernetes/refusals.jsonl");

/// Who refuses, as the fixture has it.
fn layer(refusal: &Refusal) -> &'static str {
    match refusal.layer {
        Layer::Schema => "schema",
        Layer::Rules => "rules",
        Layer::Validation => "validation",
        Layer::Webhook => "webhook",
        Layer::NoSuchKind => "no-such-kind",
    }
}

/// How many cases there are, are judged rightly, with the right status, and at the right fields.
#[derive(Debug, Default, PartialEq)]
struct Count {
    cases: usize,
    verdict: usize,
    status: usize,
    field: usize,
}

#[test]
fn refusals_are_those_of_a_real_api_server() {
    let mut table: BTreeMap<String, Count> = BTreeMap::new();
    let mut wrong = Vec::new();
    for line in CASES.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| case[name].as_str().unwrap_or_default();
        let Ok(object) = serde_saphyr::from_str::<Value>(text("manifest")) else {
            // A key that is there twice: nobody reads such a file.
            assert_eq!(text("case"), "064-deployment-duplicate-key");
            continue;
        };
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        let told = refusal(&object, namespace);
        let count = table.entry(text("layer").to_owned()).or_default();
        count.cases += 1;
        let status = u64::from(told.as_ref().map_or(201, |told| told.status));
        let mut fields: Vec<String> = Vec::new();
        for fault in told.iter().flat_map(|told| &told.faults) {
            fields.push(fault.field.clone());
            fields.push(fault.path.to_string());
        }
        let expected = case["fields"].as_array().unwrap();
        let is_refused = case["status"] != 201;
        let verdict = is_refused == told.is_some();
        let right_status = case["status"] == status;
        let field = verdict
            && expected
                .iter()
                .all(|field| fields.iter().any(|one| field == one));
        count.verdict += usize::from(verdict);
        count.status += usize::from(right_status);
        count.field += usize::from(field);
        if !(verdict && right_status && field) {
            let told = told
                .as_ref()
                .map(|told| format!("{} {}", layer(told), told.message));
            wrong.push(format!(
                "{} {} {} {expected:?}: {status} {told:?}",
                text("case"),
                text("layer"),
                case["status"]
            ));
        }
        if !is_refused {
            assert_eq!(told, None, "{}: a valid object is refused", text("case"));
        }
    }
    println!("{:13} cases verdict status field", "layer");
    for (layer, count) in &table {
        println!(
            "{layer:13} {:5} {:7} {:6} {:5}",
            count.cases, count.verdict, count.status, count.field
        );
    }
    println!("{}", wrong.join("\n"));
    let sum = |of: fn(&Count) -> usize| table.values().map(of).sum::<usize>();
    assert_eq!(sum(|count| count.cases), 305);
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn the_tutorials_objects_are_taken() {
    let files = [
        include_str!("../../fixtures/tutorial-objects.yaml"),
        include_str!("../../fixtures/kubernetes/mistakes.yaml"),
        include_str!("../../fixtures/kubernetes/istiod.yaml"),
    ];
    let mut taken = 0;
    for file in files {
        for object in serde_saphyr::from_multiple::<Value>(file).unwrap() {
            let list = object.as_array().cloned();
            for entry in list.unwrap_or_else(|| vec![object]) {
                let object = entry.get("object").unwrap_or(&entry);
                assert_eq!(refusal(object, "default"), None, "{object}");
                taken += 1;
            }
        }
    }
    assert!(taken > 40, "{taken}");
}
