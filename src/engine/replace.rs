//! The tasks that replace resources: each is deleted in reverse order, and the task that creates it waits for its deletion. Pure.
//!
//! Deletions and creations are one run, under one lock. A run that is killed leaves what any run leaves: the next `up` finishes an
//! open deletion and creates what is missing.

use std::collections::{BTreeMap, BTreeSet};

use super::replacement::{Replacement, goes_with, is_inside};
use super::state::{State, TrackedResource};
use super::task::{Replaced, Task, TaskGoal, deletion_id};
use super::tasks::{self, is_wanted_by};
use crate::kinds::Step;
use crate::steps::Diagnostics;
use crate::steps::graph::Graph;

/// The same tasks, with those that delete what is replaced. `stays` is as for [`tasks::absent`].
///
/// # Errors
/// A resource in the journal of a kind that this version does not know.
pub fn replacing(
    mut tasks: Vec<Task>,
    graph: &Graph,
    state: &State,
    replacement: &Replacement,
    stays: bool,
) -> Result<Vec<Task>, Diagnostics> {
    let steps: Vec<Step> = tasks.iter().map(|task| task.step.clone()).collect();
    let deletes = deletions(&steps, graph, state, replacement, stays)?;
    let deleted: Vec<&Step> = deletes.iter().map(|task| &task.step).collect();
    for task in &mut tasks {
        let before = deleted.iter().filter(|old| {
            // What is in a resource is not looked at while that is deleted.
            old.id == task.step.id || is_inside(&task.step, old, stays)
        });
        let before: Vec<String> = before.map(|old| deletion_id(&old.id)).collect();
        task.after.extend(before);
        if let TaskGoal::Present { replaced, .. } = &mut task.goal {
            let again = replacement.again.get(&task.step.id);
            let again = again.map(|because| Replaced {
                because: Some(because.clone()),
                inside: false,
            });
            *replaced = replacement.steps.get(&task.step.id).cloned().or(again);
        }
    }
    // They come first on the screen, too.
    Ok(deletes.into_iter().chain(tasks).collect())
}

/// The tasks that delete what is replaced, in an order in which they can be done.
fn deletions(
    steps: &[Step],
    graph: &Graph,
    state: &State,
    replacement: &Replacement,
    stays: bool,
) -> Result<Vec<Task>, Diagnostics> {
    let replaced = || {
        let is_replaced = |step: &&Step| replacement.steps.contains_key(&step.id);
        steps.iter().filter(is_replaced)
    };
    let own = |tracked: &TrackedResource| replaced().find(|step| is_wanted_by(tracked, step));
    let ours: Vec<&TrackedResource> = state.ours().filter(|one| !state.stays(one)).collect();
    let outer: Vec<&TrackedResource> = ours
        .iter()
        .filter(|tracked| own(tracked).is_some())
        .copied()
        .collect();
    let mut resources = Vec::new();
    for tracked in &ours {
        let mut tracked = TrackedResource::clone(tracked);
        match own(&tracked) {
            Some(step) => {
                if let Some(parts) = replacement.parts_of(step, steps, stays) {
                    let is_wanted = |part: &String| parts.contains(part);
                    tracked.parts.retain(is_wanted);
                    if tracked.our_parts().iter().all(|part| !parts.contains(part)) {
                        continue;
                    }
                }
                resources.push(tracked);
            }
            // What no step asks for any more goes with the resource that it is in.
            None => {
                let alone = stays
                    && tracked
                        .resource
                        .kind()
                        .is_some_and(|kind| kind.is_in_cluster());
                let mut holders = outer.iter();
                if !alone && holders.any(|outer| tasks::goes_with(&tracked, outer)) {
                    resources.push(tracked);
                }
            }
        }
    }
    let old = State {
        kept: state.kept.clone(),
        resources,
        ..State::default()
    };
    let replaced: Vec<Step> = replaced().cloned().collect();
    let deletes = tasks::absent(&replaced, graph, &old, stays)?;
    let deletes = deletes.into_iter().map(|mut task| {
        if let TaskGoal::Absent { replaced, .. } = &mut task.goal {
            *replaced = true;
        }
        task.after = task.after.iter().map(|id| deletion_id(id)).collect();
        task
    });
    Ok(deletes.collect())
}

/// Orders the deletions of what no step asks for any more among those of what is replaced: a subnet that was renamed is deleted
/// before its network, and an address after the router that used it.
///
/// By default such a deletion comes after everything else. `tasks` are those of a whole run.
pub fn order_unwanted(tasks: &mut [Task], graph: &Graph, stays: bool) {
    let is_replaced = |task: &Task| matches!(task.goal, TaskGoal::Absent { replaced: true, .. });
    let is_unwanted = |task: &Task| {
        matches!(
            task.goal,
            TaskGoal::Absent {
                replaced: false,
                ..
            }
        )
    };
    if !tasks.iter().any(is_replaced) || !tasks.iter().any(is_unwanted) {
        return;
    }
    let steps: Vec<&Step> = tasks
        .iter()
        .filter(|task| matches!(task.goal, TaskGoal::Present { .. }))
        .map(|task| &task.step)
        .collect();
    // What one kind does to another is what their steps do; of one kind, only what is in another is known.
    let uses = |inner: &Step, outer: &Step| {
        let of_kind = |kind: &Step, step: &Step| kind.kind.name() == step.kind.name();
        is_inside(inner, outer, stays)
            || (!of_kind(inner, outer)
                && steps.iter().filter(|one| of_kind(inner, one)).any(|one| {
                    let mut outers = steps.iter().filter(|other| of_kind(outer, other));
                    outers.any(|other| goes_with(one, other, graph, stays))
                }))
    };
    let old = || tasks.iter().filter(|task| is_replaced(task));
    // Each with the deletions that come after it.
    let early: Vec<(&Task, BTreeSet<String>)> = tasks
        .iter()
        .filter(|task| is_unwanted(task))
        .map(|unwanted| {
            let below = old().filter(|task| uses(&unwanted.step, &task.step));
            (unwanted, below.map(Task::id).collect::<BTreeSet<_>>())
        })
        .filter(|(_, below)| !below.is_empty())
        .collect();
    let mut first = before_deletions(tasks);
    first.extend(early.iter().map(|(task, _)| task.id()));
    let mut after: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (unwanted, below) in &early {
        let above = old().filter(|task| uses(&task.step, &unwanted.step));
        let above = above.map(Task::id).filter(|id| !below.contains(id));
        let others = unwanted.after.intersection(&first).cloned();
        after.insert(unwanted.id(), above.chain(others).collect());
        for id in below {
            after.entry(id.clone()).or_default().insert(unwanted.id());
        }
    }
    for task in tasks {
        match after.remove(&task.id()) {
            Some(first) if is_unwanted(task) => task.after = first,
            Some(more) => task.after.extend(more),
            None => {}
        }
    }
}

/// The tasks that wait for no deletion, directly or indirectly.
fn before_deletions(tasks: &[Task]) -> BTreeSet<String> {
    let mut late: BTreeSet<String> = tasks
        .iter()
        .filter(|task| matches!(task.goal, TaskGoal::Absent { .. }))
        .map(Task::id)
        .collect();
    loop {
        let more: Vec<String> = tasks
            .iter()
            .filter(|task| !late.contains(&task.id()) && !task.after.is_disjoint(&late))
            .map(Task::id)
            .collect();
        if more.is_empty() {
            break;
        }
        late.extend(more);
    }
    let all = tasks.iter().map(Task::id);
    all.filter(|id| !late.contains(id)).collect()
}

/// The same tasks without the deletions of what is replaced: a run that only reads looks at each resource once.
pub fn to_look(mut tasks: Vec<Task>) -> Vec<Task> {
    let is_replaced = |task: &Task| matches!(task.goal, TaskGoal::Absent { replaced: true, .. });
    let old: BTreeSet<String> = tasks
        .iter()
        .filter(|task| is_replaced(task))
        .map(Task::id)
        .collect();
    tasks.retain(|task| !is_replaced(task));
    for task in &mut tasks {
        task.after.retain(|id| !old.contains(id));
    }
    tasks
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::entry::{ChangeVerb, Entry};
    use crate::kinds::{Kind, ResourceId, bind};
    use crate::steps::{Selection, Source, Tutorial};

    /// The tutorial's steps with static addresses.
    fn tutorial() -> Selection<Kind> {
        let tutorial = Tutorial::load(&Source::Embedded).unwrap();
        let given = [
            ("project", "demo-proj"),
            ("region", "us-central1"),
            ("zone", "us-central1-a"),
            ("authorized_networks", "203.0.113.99/32"),
            ("nat_addresses", "1"),
        ];
        let given = given.map(|(name, value)| (name.to_owned(), json!(value)));
        let params = tutorial.resolve(&given.into()).unwrap();
        let mut selection = bind(tutorial.select(&params, None).unwrap()).unwrap();
        selection.steps.retain(|step| !step.kind.is_check());
        selection
    }

    /// A journal in which `up` has created these.
    fn journal(resources: Vec<(String, ResourceId, Vec<String>)>) -> State {
        let mut state = State::default();
        for (step, resource, parts) in resources {
            let (at, key) = ("2026-01-01T00:00:00Z".to_owned(), resource.key());
            let intent = Entry::Intent {
                at: at.clone(),
                step,
                resource,
                verb: ChangeVerb::Create,
                request: key.clone(),
                parts,
                inside: Vec::new(),
            };
            for entry in [intent, Entry::Done { at, key, took: 1 }] {
                state.take_alone(&entry).unwrap();
            }
        }
        state
    }

    fn resource(kind: &str, at: serde_json::Value) -> (String, ResourceId, Vec<String>) {
        let at = at.as_object().unwrap().clone();
        let kind = Kind::named(kind).unwrap();
        ("gone".to_owned(), ResourceId::new(kind, at), Vec::new())
    }

    /// The tasks of an `up --replace`, and their ids in an order in which they can be done.
    fn ordered(named: &str) -> (Vec<Task>, Vec<String>) {
        let selection = tutorial();
        let deletable = selection
            .steps
            .iter()
            .filter(|step| step.kind.is_deletable());
        let made = deletable.map(|step| {
            let resource = ResourceId::new(step.kind, step.at.clone());
            let parts = step.kind.parts(&step.want);
            // As the journal has them, without references.
            let parts = parts.into_iter().map(|part| {
                let part = part.replace("${", "");
                part.replace(".email}", "@demo-proj.iam.gserviceaccount.com")
            });
            (step.id.clone(), resource, parts.collect())
        });
        let region = json!({"project": "demo-proj", "region": "us-central1"});
        let with = |key: &str, name: &str| {
            let mut at = region.clone();
            at[key] = name.into();
            at
        };
        let pool = json!({
            "project": "demo-proj", "location": "us-central1-a", "cluster": "cluster1", "nodePool": "old"
        });
        let unwanted = [
            resource("compute.subnetwork", with("subnetwork", "old-subnet")),
            resource("compute.address", with("address", "old-address")),
            resource("container.nodePool", pool),
        ];
        let state = journal(made.chain(unwanted).collect());
        let (steps, graph) = (&selection.steps, &selection.graph);
        let replacement = Replacement::of(steps, graph, &[named.to_owned()], false);
        let tasks = tasks::present(steps, graph).unwrap();
        let tasks = replacing(tasks, graph, &state, &replacement, false).unwrap();
        let mut tasks = tasks::pruning(tasks, &state, false).unwrap();
        order_unwanted(&mut tasks, graph, false);
        let (mut order, mut done) = (Vec::new(), BTreeSet::new());
        loop {
            let before = order.len();
            for task in &tasks {
                if task.after.is_subset(&done) && done.insert(task.id()) {
                    order.push(task.id());
                }
            }
            if order.len() == before {
                break;
            }
        }
        assert_eq!(order.len(), tasks.len(), "{named}: a cycle");
        (tasks, order)
    }

    #[test]
    fn each_is_deleted_before_what_it_uses_and_before_it_is_created() {
        let place = |order: &[String], id: &str| {
            let place = order.iter().position(|one| one == id);
            place.unwrap_or_else(|| panic!("{id}: {order:?}"))
        };
        // (what is replaced, pairs of a task and one that follows it)
        type Row<'a> = (&'a str, &'a [(&'a str, &'a str)]);
        let subnet = "compute.subnetwork old-subnet";
        let address = "compute.address old-address";
        let rows: [Row<'_>; 4] = [
            (
                "subnet-gke",
                &[
                    ("replaced cluster", "replaced subnet-gke"),
                    ("replaced membership", "replaced cluster"),
                    ("replaced subnet-gke", "subnet-gke"),
                    ("subnet-gke", "cluster"),
                    ("namespace-team-x", subnet),
                ],
            ),
            (
                "vpc-network",
                &[
                    // The old cluster may be in the old subnet.
                    ("replaced cluster", subnet),
                    (subnet, "replaced vpc-network"),
                    ("vpc-network", address),
                ],
            ),
            (
                "nat-router-with-1-static",
                &[("nat-router-with-1-static", address)],
            ),
            (
                "sa-gateway-nodes",
                &[
                    ("replaced gateway-pool", "replaced node-roles"),
                    ("replaced node-roles", "replaced sa-gateway-nodes"),
                    ("sa-gateway-nodes", "gateway-pool"),
                ],
            ),
        ];
        for (named, pairs) in rows {
            let (_, order) = ordered(named);
            for (first, then) in pairs {
                assert!(
                    place(&order, first) < place(&order, then),
                    "{named}: {first}, {then}: {order:?}"
                );
            }
        }
    }

    #[test]
    fn what_no_step_asks_for_goes_with_the_cluster_that_it_is_in() {
        let (tasks, order) = ordered("cluster");
        assert!(!order.contains(&"container.nodePool old".to_owned()));
        let cluster = tasks.iter().find(|task| task.id() == "replaced cluster");
        let TaskGoal::Absent { inside, .. } = &cluster.unwrap().goal else {
            panic!("a deletion");
        };
        assert!(inside.iter().any(|one| one.short() == "old"), "{inside:?}");
        assert_eq!(inside.len(), 3 + 38);
        // The roles of the other account stay, and a run that only reads deletes nothing.
        let (tasks, _) = ordered("sa-gateway-nodes");
        let roles = tasks.iter().find(|task| task.id() == "replaced node-roles");
        let TaskGoal::Absent { tracked, .. } = &roles.unwrap().goal else {
            panic!("a deletion");
        };
        assert_eq!(tracked.parts.len(), 5, "{:?}", tracked.parts);
        let looked = to_look(tasks);
        assert!(
            looked
                .iter()
                .all(|task| !task.id().starts_with("replaced "))
        );
        assert!(
            looked
                .iter()
                .flat_map(|task| &task.after)
                .all(|id| !id.starts_with("replaced "))
        );
    }
}
