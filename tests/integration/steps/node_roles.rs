//! The roles that the steps give the nodes' accounts, compared with Google's documented minimum,
//! `roles/container.defaultNodeServiceAccount` (docs/architecture.md, "Roles of the nodes").

use std::collections::BTreeSet;

use provision::steps::Source;
use serde_json::Value;

use crate::common::wire;

const MINIMUM: &str = "roles/container.defaultNodeServiceAccount";

/// The permissions of a role.
fn permissions(role: &str) -> BTreeSet<String> {
    let all: Value =
        serde_json::from_str(include_str!("../../../fixtures/iam-node-roles.json")).unwrap();
    let list = all[role].as_array().unwrap_or_else(|| panic!("{role}"));
    let names = list.iter().map(|name| name.as_str().unwrap().to_owned());
    names.collect()
}

fn node_roles() -> Vec<String> {
    let steps = wire::steps(&Source::Embedded, "managed").unwrap();
    let step = steps.iter().find(|step| step.id == "node-roles").unwrap();
    let bindings = step.want["bindings"].as_array().unwrap();
    let roles = bindings
        .iter()
        .map(|one| one["role"].as_str().unwrap().to_owned());
    roles.collect()
}

#[test]
fn the_nodes_have_googles_minimum_but_for_one_permission() {
    let roles = node_roles();
    assert_eq!(
        roles,
        [
            "roles/logging.logWriter",
            "roles/monitoring.metricWriter",
            "roles/monitoring.viewer",
            "roles/storage.objectViewer",
            "roles/artifactregistry.reader",
        ]
    );
    let granted: BTreeSet<String> = roles.iter().flat_map(|role| permissions(role)).collect();
    let missing: Vec<String> = permissions(MINIMUM).difference(&granted).cloned().collect();
    assert_eq!(missing, ["autoscaling.sites.writeMetrics"]);
    // And the minimum pulls no image, so that it would not be enough alone.
    let pulls = "artifactregistry.repositories.downloadArtifacts";
    assert!(granted.contains(pulls) && !permissions(MINIMUM).contains(pulls));
}
