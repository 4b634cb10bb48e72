//! `istioctl analyze` and `provision analyze --live` find the same codes for the same objects: after the whole tutorial, and
//! among objects with a mistake each.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::lab::Lab;

const MISTAKES: &str = include_str!("../../fixtures/kubernetes/mistakes.yaml");

/// What only one of them says, and why: who, code, object.
const DIFFERENCES: &[(&str, &str, &str, &str)] = &[
    (
        "istioctl",
        "IST0101",
        "Gateway mistakes/no-secret",
        "The program reads no Secrets.",
    ),
    (
        "istioctl",
        "IST0140",
        "VirtualService mistakes/no-gateway",
        "About an ingress gateway and another VirtualService of a name in the mesh; no request changes by it.",
    ),
];

/// Codes with their objects, as `istioctl` names those.
fn istioctl(lab: &Lab) -> BTreeSet<(String, String)> {
    let said = lab.lab(&[
        "istioctl",
        "analyze",
        "--all-namespaces",
        "--output",
        "json",
    ]);
    let found: Vec<Value> = serde_json::from_str(&said.out).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    found
        .iter()
        .map(|one| (text(&one["code"]), text(&one["origin"])))
        .collect()
}

/// The same of ours, without the codes that are ours alone.
fn provision(lab: &Lab) -> BTreeSet<(String, String)> {
    let said = lab.run(&["analyze", "--live", "--output", "json"]);
    let found = said
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    found
        .filter_map(|one| {
            let text = |pointer: &str| one.pointer(pointer).and_then(Value::as_str).unwrap();
            let (kind, namespace) = (text("/object/kind"), text("/object/namespace"));
            let slash = if namespace.is_empty() { "" } else { "/" };
            let object = format!("{kind} {namespace}{slash}{}", text("/object/name"));
            let code = text("/code");
            code.starts_with("IST").then(|| (code.to_owned(), object))
        })
        .collect()
}

/// What only one of them says, as in [`DIFFERENCES`].
fn differences(lab: &Lab) -> BTreeSet<(String, String, String)> {
    let (theirs, ours) = (istioctl(lab), provision(lab));
    let only = |who: &str, (code, object): &(String, String)| {
        (who.to_owned(), code.clone(), object.clone())
    };
    let lacking = theirs.difference(&ours).map(|one| only("istioctl", one));
    lacking
        .chain(ours.difference(&theirs).map(|one| only("provision", one)))
        .collect()
}

#[test]
fn analyze_finds_what_istioctl_finds() {
    let Some(lab) = Lab::up("analyze") else {
        return;
    };
    let up = ["up", "--yes", "--set", "control_plane=in-cluster"];
    lab.run(&up).ends(0);
    assert_eq!(differences(&lab), BTreeSet::new(), "after the tutorial");
    assert!(!istioctl(&lab).is_empty());

    lab.apply(MISTAKES).ends(0);
    let expected: BTreeSet<_> = DIFFERENCES
        .iter()
        .map(|(who, code, object, _)| ((*who).to_owned(), (*code).to_owned(), (*object).to_owned()))
        .collect();
    // What it writes into the status of this one, both go by.
    lab.until("istiod has seen them", |lab| {
        let entry = lab.get(&["serviceentry", "no-addresses", "--namespace", "mistakes"]);
        entry.is_some_and(|entry| entry["status"]["addresses"].is_array())
    });
    assert_eq!(differences(&lab), expected);
    assert!(provision(&lab).len() > 15, "{:?}", provision(&lab));
}
