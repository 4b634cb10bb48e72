//! A prefix before every name in the project, by which several environments share one: the steps, the limits of names, and two
//! environments side by side.

use std::collections::{BTreeMap, BTreeSet};

use provision::kinds::{self, Kind, Step};
use provision::steps::{Source, Tutorial};
use serde_json::{Value, json};

use crate::common::cloud::{Cloud, between};
use crate::common::program::{User, says_as_wanted};

/// Values in a path that say where a resource is, and do not name it.
const PLACES: [&str; 4] = ["project", "region", "zone", "location"];

/// The steps of both control planes and both ways of injection, with this prefix.
fn steps(prefix: &str) -> Vec<Step> {
    let tutorial = Tutorial::load(&Source::Embedded).unwrap();
    let mut all = Vec::new();
    for (control_plane, injection) in [("managed", "default"), ("in-cluster", "revision")] {
        let given = [
            ("project", "demo-proj"),
            ("region", "us-central1"),
            ("zone", "us-central1-a"),
            ("authorized_networks", "203.0.113.99/32"),
            ("control_plane", control_plane),
            ("injection", injection),
            ("name_prefix", prefix),
        ];
        let given: BTreeMap<String, Value> = given
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .into();
        let params = tutorial.resolve(&given).unwrap();
        let selection = tutorial.select(&params, None).unwrap();
        all.extend(kinds::bind(selection).unwrap().steps);
    }
    all
}

/// The name that the project knows a step's resource by, or that of the resource that contains it; none for what a project has
/// only once.
fn own_name(step: &Step) -> Option<&str> {
    if step.kind.is_project_wide() {
        return None;
    }
    let keys = step.kind.keys().into_iter();
    let key = keys.into_iter().find(|key| !PLACES.contains(key));
    step.at[key.unwrap()].as_str()
}

#[test]
fn every_name_in_the_project_has_the_prefix() {
    for step in steps("blue-") {
        if let Some(name) = own_name(&step) {
            assert!(name.starts_with("blue-"), "{}: {name}", step.id);
        }
    }
}

#[test]
fn no_step_refers_to_a_name_without_the_prefix() {
    let plain = steps("");
    let names: BTreeSet<&str> = plain.iter().filter_map(own_name).collect();
    assert!(
        names.contains("vpc-network") && names.contains("cluster1"),
        "{names:?}"
    );
    for step in steps("blue-") {
        let text = format!("{} {}", json!(step.at), step.want);
        for name in &names {
            for (at, _) in text.match_indices(name) {
                // A part of a longer word is another name, and `${` begins a reference to a step.
                let before = text[..at].chars().next_back().unwrap();
                let after = text[at + name.len()..].chars().next().unwrap();
                let inside = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '{';
                let whole = !inside(before) && !inside(after);
                assert!(!whole, "{}: {name} in {text}", step.id);
            }
        }
    }
}

#[test]
fn what_a_project_has_only_once_is_known_by_its_kind() {
    let shared = Kind::all().filter(|kind| kind.is_project_wide());
    let shared: Vec<&str> = shared.map(|kind| kind.name()).collect();
    let expected = [
        "gkehub.feature",
        "resourcemanager.project",
        "iam.projectMembers",
        "services",
    ];
    assert_eq!(shared, expected);
}

#[test]
fn a_prefix_that_makes_a_name_too_long_names_the_step() {
    let user = User::new();
    let run = |prefix: &str| user.run(&["plan", "--emulate", "--env", prefix]);
    let told = run("elevenchars").ends(2).err;
    assert!(
        told.contains(
            "steps/24-service-accounts.yaml:7: step `sa-application-nodes`: the name `elevenchars-sa-application-nodes` has 32 \
             characters, iam.serviceAccount allows at most 30"
        ),
        "{told}"
    );
    assert_eq!(
        told.matches("elevenchars-sa-application").count(),
        1,
        "{told}"
    );
    run("ninechars").ends(3);
}

#[test]
fn two_environments_in_a_project_do_not_touch_each_other() {
    let cloud = Cloud::new();
    let blue = |verb: &[&str]| {
        let flags = ["--env", "blue"];
        cloud.run(&[verb, &flags[..]].concat())
    };
    cloud.run(&["up", "--yes"]).ends(0);
    let first = cloud.inventory();
    blue(&["up", "--yes"]).ends(0);
    let both = cloud.inventory();
    let is_shared = |name: &str| {
        ["iamPolicy", "/features/servicemesh", "/services/"]
            .iter()
            .any(|part| name.contains(part))
    };
    let changed = between(&both, &first);
    let unmarked: Vec<&String> = changed
        .iter()
        .filter(|line| !line.contains("blue-") && !is_shared(line))
        .collect();
    assert!(unmarked.is_empty(), "{unmarked:#?}");

    // The first made the feature, and the second still uses it.
    let down = cloud.run(&["down", "--yes"]).ends(0);
    assert!(down.out.contains("2 kept in "), "{}", down.out);
    assert!(!down.out.contains("left:"), "{}", down.out);
    let kept = "servicemesh is kept, because membership blue-cluster1 uses it";
    assert!(down.err.contains(kept), "{}", down.err);
    assert!(says_as_wanted(&blue(&["plan"]).ends(0).out));
    blue(&["verify"]).ends(0);

    let down = blue(&["down", "--yes"]).ends(0);
    assert!(!down.out.contains("left:"), "{}", down.out);
    let left: Vec<String> = cloud.inventory().into_keys().collect();
    assert!(left.iter().all(|name| !name.contains("blue-")), "{left:#?}");
}
