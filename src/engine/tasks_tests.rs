//! Tables of the tasks that the steps and a journal give.

use super::*;
use crate::engine::entry::{ChangeVerb, Entry};
use crate::kinds::Kind;
use serde_json::json;

fn resource(kind: &str, at: Value) -> ResourceId {
    ResourceId {
        kind: kind.to_owned(),
        at: at.as_object().unwrap().clone(),
    }
}

#[test]
fn what_an_unfinished_creation_brings_along_goes_with_its_holder() {
    let cluster = resource("container.cluster", json!({"project": "p", "cluster": "c"}));
    let pool = resource(
        "container.nodePool",
        json!({"project": "p", "cluster": "c", "nodePool": "n"}),
    );
    let intent = |verb, inside: &[ResourceId]| Entry::Intent {
        at: "2026-01-01T00:00:00Z".to_owned(),
        step: "cluster".to_owned(),
        resource: cluster.clone(),
        verb,
        request: format!("{verb:?}"),
        parts: Vec::new(),
        inside: inside.to_vec(),
    };
    let done = || Entry::Done {
        at: "2026-01-01T00:00:00Z".to_owned(),
        key: cluster.key(),
        took: 0,
    };
    let mut state = State::default();
    state
        .take_alone(&intent(ChangeVerb::Create, std::slice::from_ref(&pool)))
        .unwrap();

    let tasks = absent(&[], &Graph::new::<Kind>(&[]).unwrap(), &state, false).unwrap();
    let TaskGoal::Absent { inside, .. } = &tasks[0].goal else {
        panic!("one task, which removes the cluster");
    };
    assert_eq!(inside, std::slice::from_ref(&pool));

    // `down` sees the create's end, and deletes the cluster: nothing of it is ours any more.
    for entry in [done(), intent(ChangeVerb::Delete, inside), done()] {
        state.take_alone(&entry).unwrap();
    }
    let ours: Vec<&str> = state.ours().map(|tracked| tracked.key.as_str()).collect();
    assert_eq!(ours, [""; 0]);
}

#[test]
fn what_asks_for_backends_goes_before_the_mesh_and_the_cluster() {
    let object = |kind: &str, name: &str| {
        let at = json!({"project": "p", "location": "z", "cluster": "c", "apiVersion": "v1", "kind": kind, "name": name});
        resource("kubernetes.object", at)
    };
    let mut state = State::default();
    for (step, resource) in [
        (
            "cluster",
            resource(
                "container.cluster",
                json!({"project": "p", "location": "z", "cluster": "c"}),
            ),
        ),
        ("service", object("Service", "s")),
        ("account", object("ServiceAccount", "a")),
    ] {
        let adopted = Entry::Adopted {
            at: "2026-01-01T00:00:00Z".to_owned(),
            step: step.to_owned(),
            resource,
            parts: Vec::new(),
            why: String::new(),
        };
        state.take_alone(&adopted).unwrap();
    }
    let graph = Graph::new::<Kind>(&[]).unwrap();
    for (objects, alone, after) in [
        (ObjectDeletion::WithCluster, &[][..], 0),
        (ObjectDeletion::BackendsFirst, &["Service"], 1),
        (ObjectDeletion::ByItself, &["ServiceAccount", "Service"], 2),
    ] {
        let tasks = absent_with(&[], &graph, &state, objects).unwrap();
        let sends = |task: &&Task| matches!(&task.goal, TaskGoal::Absent { with: false, .. });
        let kinds = tasks
            .iter()
            .filter(sends)
            .filter_map(|task| task.step.at.get("kind"));
        assert_eq!(kinds.collect::<Vec<_>>(), alone, "{objects:?}");
        let cluster = tasks
            .iter()
            .find(|task| task.step.kind.name() == "container.cluster");
        let cluster = cluster.unwrap();
        assert_eq!(
            cluster.after.len(),
            after,
            "{objects:?}: {:?}",
            cluster.after
        );
        // Whether the first deletion of the object succeeds or not, it is gone with the cluster.
        let TaskGoal::Absent { inside, .. } = &cluster.goal else {
            panic!("the cluster is deleted");
        };
        assert_eq!(inside.len(), if after == 2 { 0 } else { 2 }, "{objects:?}");
    }
}

#[test]
fn a_kind_that_this_version_does_not_know_stops_down_before_it_begins() {
    let unknown = resource("compute.teapot", json!({"project": "p", "teapot": "t"}));
    let mut state = State::default();
    let adopted = Entry::Adopted {
        at: "2026-01-01T00:00:00Z".to_owned(),
        step: "teapot".to_owned(),
        resource: unknown,
        parts: Vec::new(),
        why: Default::default(),
    };
    state.take_alone(&adopted).unwrap();
    let told = absent(&[], &Graph::new::<Kind>(&[]).unwrap(), &state, false)
        .err()
        .unwrap()
        .to_string();
    assert!(told.contains("`compute.teapot`"), "{told}");
}

#[test]
fn what_no_step_asks_for_goes_last_and_what_is_kept_stays() {
    let network =
        |name: &str| resource("compute.network", json!({"project": "p", "network": name}));
    let mut state = State::default();
    state.kept.insert(network("kept").key());
    for name in ["wanted", "unwanted", "kept"] {
        let resource = network(name);
        let key = resource.key();
        let intent = Entry::Intent {
            at: "2026-01-01T00:00:00Z".to_owned(),
            step: name.to_owned(),
            resource,
            verb: ChangeVerb::Create,
            request: name.to_owned(),
            parts: Vec::new(),
            inside: Vec::new(),
        };
        let (at, took) = ("2026-01-01T00:00:01Z".to_owned(), 0);
        for entry in [intent, Entry::Done { at, key, took }] {
            state.take_alone(&entry).unwrap();
        }
    }
    // A step of the same id about another resource: it was renamed.
    let wanted = orphan("unwanted", &state.resources[0], &state).unwrap();
    let tasks = pruning(alone(vec![wanted]), &state, false).unwrap();
    let ids: Vec<&str> = tasks.iter().map(|task| task.step.id.as_str()).collect();
    assert_eq!(ids, ["unwanted", "compute.network unwanted"]);
    assert!(tasks[1].after.contains("unwanted"));
    assert!(matches!(
        tasks[0].goal,
        TaskGoal::Present { prunes: true, .. }
    ));
    assert!(matches!(tasks[1].goal, TaskGoal::Absent { .. }));
}
