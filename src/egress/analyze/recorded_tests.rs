//! Small configurations, and what the analyzers of Istio find in each: the same codes for the same objects
//! (`fixtures/egress/analyze.yaml`).

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::*;

/// A configuration, with what is found in it: each finding as its code and its object.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    name: String,
    /// What Istio's analyzers find.
    istio: BTreeSet<String>,
    /// What is found here instead, with the reason.
    instead: Option<(BTreeSet<String>, String)>,
    /// The codes of our own.
    #[serde(default)]
    own: BTreeSet<String>,
    objects: Vec<Value>,
}

fn recorded() -> Vec<Recorded> {
    serde_saphyr::from_str(include_str!("../../../fixtures/egress/analyze.yaml")).unwrap()
}

fn found(objects: &[Value]) -> BTreeSet<String> {
    let told = |finding: Finding| format!("{} {}", finding.code, finding.object);
    analyze(objects, None).into_iter().map(told).collect()
}

#[test]
fn istios_analyzers_find_the_same() {
    let mut wrong = Vec::new();
    for case in recorded() {
        let expected = case.instead.map_or(case.istio, |(instead, why)| {
            assert!(!why.is_empty(), "{}", case.name);
            instead
        });
        let expected: BTreeSet<String> = expected.union(&case.own).cloned().collect();
        let found = found(&case.objects);
        if found != expected {
            wrong.push(format!("{}: {found:?} instead of {expected:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The codes that a recorded configuration has.
pub fn codes() -> BTreeSet<String> {
    let told = recorded()
        .into_iter()
        .flat_map(|case| case.istio.into_iter().chain(case.own));
    told.filter_map(|told| told.split(' ').next().map(str::to_owned))
        .collect()
}
