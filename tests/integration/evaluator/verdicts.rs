//! The verdicts of `fixtures/egress/verdicts.yaml`.

use egress::request::Request;
use egress::snapshot::Snapshot;
use egress::snapshot_input::SnapshotInput;
use serde_json::{Value, json};

#[test]
fn what_is_not_covered_makes_the_verdict_unknown() {
    let text = include_str!("../../../fixtures/egress/verdicts.yaml");
    let cases: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    let mut asked = 0;
    for case in cases.iter().filter(|case| !case.is_null()) {
        let snapshot = Snapshot::read(&SnapshotInput {
            kubernetes: case["objects"].as_array().unwrap().clone(),
            ..SnapshotInput::default()
        });
        for each in case["asked"].as_array().unwrap() {
            let (namespace, url) = each["ask"].as_str().unwrap().split_once(' ').unwrap();
            let trace = snapshot.trace(&Request::get(namespace, url).unwrap());
            let by: Vec<String> = trace.deciding().iter().map(ToString::to_string).collect();
            let found = (json!(trace.verdict()), json!(by));
            let expected = (each["verdict"].clone(), each["by"].clone());
            assert_eq!(found, expected, "{}", case["case"]);
            asked += 1;
        }
    }
    assert_eq!(asked, 6);
}
