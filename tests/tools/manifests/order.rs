//! Whether each object comes after what it cannot do without, at every chapter that one can stop at. What an object
//! needs is read from the objects themselves, so that a new one is held to it too.

use std::collections::BTreeSet;

use provision::steps::Step;
use provision::steps::graph::Graph;
use serde_json::Value;

/// Every text under a field of this name, at any depth.
fn texts<'a>(value: &'a Value, field: &str, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                match inner {
                    Value::String(text) if name == field => {
                        found.insert(text);
                    }
                    Value::Array(items) if name == field => {
                        found.extend(items.iter().filter_map(Value::as_str));
                    }
                    _ => texts(inner, field, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, field, found)),
        _ => {}
    }
}

fn said<'a>(value: &'a Value, field: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    texts(value, field, &mut found);
    found
}

fn at<'a>(step: &'a Step, key: &str) -> &'a str {
    step.at.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Whether `other` is something that `step` is nothing without.
fn is_needed(step: &Step, other: &Step) -> bool {
    let namespace = at(step, "namespace");
    let beside = namespace == at(other, "namespace");
    match (other.kind.as_str(), at(other, "kind")) {
        // The mesh, where there is one to wait for, and the kinds of objects that come with it.
        ("mesh.ready", _) => true,
        ("kubernetes.definitions", _) => true,
        ("container.cluster", _) => true,
        ("kubernetes.object", "Namespace") => namespace == at(other, "name"),
        ("kubernetes.object", "ServiceAccount") => {
            beside && said(&step.want, "serviceAccountName").contains(at(other, "name"))
        }
        ("kubernetes.object", "Role") => {
            beside && step.want["roleRef"]["name"] == at(other, "name")
        }
        // A route to what is not there answers errors until it is.
        ("kubernetes.object", "Gateway") => {
            let full = format!("{}/{}", at(other, "namespace"), at(other, "name"));
            at(step, "kind") == "VirtualService"
                && said(&step.want, "gateways").contains(full.as_str())
        }
        ("kubernetes.object", "DestinationRule") => {
            let own = said(&other.want["spec"]["subsets"], "name");
            at(step, "kind") == "VirtualService"
                && said(&step.want, "subset").iter().any(|s| own.contains(s))
        }
        ("kubernetes.object", "ServiceEntry") => {
            let hosts = said(&other.want, "hosts");
            at(step, "kind") == "VirtualService"
                && said(&step.want, "host").iter().any(|h| hosts.contains(h))
        }
        ("kubernetes.ready", "Deployment") => {
            let service = format!("{}.{}.svc", at(other, "name"), at(other, "namespace"));
            at(step, "kind") == "VirtualService"
                && said(&step.want, "host")
                    .iter()
                    .any(|h| h.starts_with(&service))
        }
        _ => false,
    }
}

#[test]
fn nothing_comes_before_what_it_needs() {
    let tutorial = super::tutorial();
    let mut pairs = 0;
    for control_plane in ["managed", "in-cluster"] {
        for chapter in &tutorial.chapters {
            let steps = super::steps(&tutorial, control_plane, &chapter.name);
            let graph = Graph::new(&steps).unwrap();
            for step in steps.iter().filter(|step| step.kind == "kubernetes.object") {
                let before = graph.transitive_needs(&step.id);
                for other in steps.iter().filter(|other| is_needed(step, other)) {
                    pairs += 1;
                    assert!(
                        before.contains(other.id.as_str()),
                        "{control_plane}, through {}: {} does not wait for {}",
                        chapter.name,
                        step.id,
                        other.id
                    );
                }
            }
        }
    }
    assert!(pairs > 1000, "{pairs}");
}

#[test]
fn what_is_waited_for_is_made_before() {
    let tutorial = super::tutorial();
    for control_plane in ["managed", "in-cluster"] {
        let steps = super::steps(&tutorial, control_plane, "direct-access");
        let graph = Graph::new(&steps).unwrap();
        let mut waits = BTreeSet::new();
        for step in steps
            .iter()
            .filter(|s| s.kind == "kubernetes.ready" && at(s, "kind") == "Deployment")
        {
            let same = |other: &&Step| {
                other.kind == "kubernetes.object"
                    && ["apiVersion", "kind", "namespace", "name"]
                        .iter()
                        .all(|key| at(step, key) == at(other, key))
            };
            let made = steps.iter().find(same).unwrap();
            assert!(graph.transitive_needs(&step.id).contains(made.id.as_str()));
            waits.insert(format!("{}/{}", at(step, "namespace"), at(step, "name")));
        }
        // Every Deployment that we make is waited for.
        let made: BTreeSet<String> = steps
            .iter()
            .filter(|s| s.kind == "kubernetes.object" && at(s, "kind") == "Deployment")
            .map(|step| format!("{}/{}", at(step, "namespace"), at(step, "name")))
            .collect();
        assert_eq!(waits, made);
    }
}

#[test]
fn workloads_restart_after_the_policies_that_concern_them() {
    let tutorial = super::tutorial();
    let steps = super::steps(&tutorial, "managed", "network-policy");
    let of_kind = |kind: &str, namespace: &str| -> BTreeSet<&str> {
        steps
            .iter()
            .filter(|step| at(step, "kind") == kind && at(step, "namespace") == namespace)
            .map(|step| step.id.as_str())
            .collect()
    };
    let restarts: Vec<&Step> = steps
        .iter()
        .filter(|step| step.kind == "kubernetes.restart")
        .collect();
    // The tutorial restarts team-x only: it is the only one that has policies.
    assert_eq!(restarts.len(), 1);
    let restart = restarts[0];
    let after: BTreeSet<&str> = said(&restart.want, "after")
        .into_iter()
        .filter_map(|version| version.strip_prefix("${")?.strip_suffix(".version}"))
        .collect();
    assert_eq!(after, of_kind("NetworkPolicy", "team-x"));
    let needs: BTreeSet<&str> = restart.needs.iter().map(String::as_str).collect();
    assert!(needs.is_superset(&after), "{needs:?}");
    let workload = steps.iter().find(|step| {
        step.kind == "kubernetes.object"
            && at(step, "kind") == "Deployment"
            && at(step, "namespace") == "team-x"
    });
    assert!(needs.contains(workload.unwrap().id.as_str()));
}
