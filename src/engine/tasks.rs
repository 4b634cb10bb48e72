//! Builds the tasks of a run from the steps and the journal: to create resources, to delete them, or to check them. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::state::{State, TrackedResource};
use super::task::{Task, TaskGoal};
use crate::kinds::ResourceId;
use crate::kinds::Step;
use crate::steps::graph::Graph;
use crate::steps::refs;
use crate::steps::{Diagnostic, Diagnostics, SourceLocation};

/// The time limit for a resource that no step declares any more.
const WITHIN: Duration = Duration::from_secs(30 * 60);

/// Tasks that create every step's resource. If a resource may be created with its parent, the parent waits for its needs too:
/// waiting for a service account is cheaper than a second operation on the cluster.
///
/// # Errors
/// A cycle that the needs of such steps cause.
pub fn present(steps: &[Step], graph: &Graph) -> Result<Vec<Task>, Diagnostics> {
    let parents: BTreeMap<&str, &str> = steps
        .iter()
        .filter_map(|step| Some((step.id.as_str(), parent(step, steps, graph)?)))
        .collect();
    let mut extra = Vec::new();
    for (child, parent) in &parents {
        let others = graph.needs(child).iter().filter(|need| need != parent);
        extra.extend(others.map(|need| ((*parent).to_owned(), need.clone())));
    }
    let graph = graph.with(steps, &extra)?;
    let tasks = steps.iter().map(|step| Task {
        step: step.clone(),
        after: graph.needs(&step.id).clone(),
        goal: TaskGoal::Present {
            inside: parents
                .iter()
                .filter(|(_, parent)| **parent == step.id)
                .map(|(child, _)| (*child).to_owned())
                .collect(),
            with: parents
                .get(step.id.as_str())
                .map(|parent| (*parent).to_owned()),
            adopt: false,
            prunes: false,
            replaced: None,
        },
    });
    Ok(tasks.collect())
}

/// Tasks for steps that need only what exists.
pub fn alone(steps: Vec<Step>) -> Vec<Task> {
    let goal = || TaskGoal::Present {
        inside: Vec::new(),
        with: None,
        adopt: false,
        prunes: false,
        replaced: None,
    };
    let tasks = steps.into_iter().map(|step| Task {
        step,
        after: BTreeSet::new(),
        goal: goal(),
    });
    tasks.collect()
}

/// The same tasks, which adopt existing resources that are not ours.
pub fn adopting(mut tasks: Vec<Task>) -> Vec<Task> {
    for task in &mut tasks {
        if let TaskGoal::Present { adopt, .. } = &mut task.goal {
            *adopt = true;
        }
    }
    tasks
}

/// The same tasks, followed by those that delete what is ours and no step asks for any more; they begin when every step has
/// succeeded, so that a replacement exists before the old resource is deleted. `stays` is as for [`absent`].
///
/// # Errors
/// A resource in the journal of a kind that this version does not know.
pub fn pruning(mut tasks: Vec<Task>, state: &State, stays: bool) -> Result<Vec<Task>, Diagnostics> {
    let steps: Vec<&Step> = tasks.iter().map(|task| &task.step).collect();
    let unwanted = unwanted(&steps, state);
    let wanted: BTreeSet<String> = tasks.iter().map(Task::id).collect();
    for task in &mut tasks {
        if let TaskGoal::Present { prunes, .. } = &mut task.goal {
            *prunes = true;
        }
    }
    let state = State {
        kept: state.kept.clone(),
        resources: unwanted,
        ..State::default()
    };
    let deletes = absent(&[], &Graph::default(), &state, stays)?;
    tasks.extend(deletes.into_iter().map(|mut task| {
        task.after.extend(wanted.iter().cloned());
        task
    }));
    Ok(tasks)
}

/// What is ours, can be deleted, is not kept, and is asked for by none of these steps.
pub fn unwanted(steps: &[&Step], state: &State) -> Vec<TrackedResource> {
    let is_wanted =
        |tracked: &TrackedResource| steps.iter().any(|step| is_wanted_by(tracked, step));
    let ours = state
        .ours()
        .filter(|tracked| !state.stays(tracked) && !is_wanted(tracked));
    ours.cloned().collect()
}

/// Whether a step asks for this resource, and not for another one under another name.
pub(super) fn is_wanted_by(tracked: &TrackedResource, step: &Step) -> bool {
    // Where a step's location is not known yet, its id decides.
    match refs::find(&Value::Object(step.at.clone())).is_empty() {
        true => tracked.key == ResourceId::new(step.kind, step.at.clone()).key(),
        false => tracked.is_of(step),
    }
}

/// Tasks that find the live resource under every step's name.
pub fn found(steps: &[Step], graph: &Graph) -> Vec<Task> {
    let tasks = steps.iter().map(|step| Task {
        step: step.clone(),
        after: graph.needs(&step.id).clone(),
        goal: TaskGoal::Found,
    });
    tasks.collect()
}

/// Tasks that run every check, in parallel: a check needs only the resources that it concerns.
pub fn checks(steps: &[Step], settle: Duration) -> Vec<Task> {
    let tasks = steps.iter().map(|step| Task {
        step: step.clone(),
        after: BTreeSet::new(),
        goal: TaskGoal::Check { settle },
    });
    tasks.collect()
}

/// The step whose create may include this step's resource; none if one of this step's needs must come after that create.
fn parent<'a>(child: &Step, steps: &'a [Step], graph: &Graph) -> Option<&'a str> {
    let inside = child.kind.created_with_parent()?;
    // What exists already is in no create request.
    if child.lookup.is_some() {
        return None;
    }
    let needs = graph.needs(&child.id);
    let parent = steps
        .iter()
        .find(|step| step.kind.name() == inside.parent && needs.contains(&step.id))
        .filter(|parent| parent.lookup.is_none())?;
    let later = needs
        .iter()
        .any(|need| *need != parent.id && graph.transitive_needs(need).contains(&parent.id));
    (!later).then_some(&parent.id)
}

/// How the objects in a cluster are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectDeletion {
    /// With the cluster.
    WithCluster,
    /// With the cluster, except for those that ask for backends outside it: what creates these must see them go.
    BackendsFirst,
    /// Each by itself: the cluster is the user's own, and is kept.
    ByItself,
}

/// Tasks that delete every resource of ours, in reverse order: a resource is deleted after every resource of ours that needs it.
///
/// A resource that no step declares any more (its name was changed since) is deleted before everything that was created earlier.
/// If the cluster is the user's own, it is kept (`stays`): each resource in it is deleted by itself.
///
/// # Errors
/// A resource in the journal of a kind that this version does not know.
pub fn absent(
    steps: &[Step],
    graph: &Graph,
    state: &State,
    stays: bool,
) -> Result<Vec<Task>, Diagnostics> {
    let objects = match stays {
        true => ObjectDeletion::ByItself,
        false => ObjectDeletion::WithCluster,
    };
    absent_with(steps, graph, state, objects)
}

/// The same, with the way in which objects are deleted.
///
/// # Errors
/// A resource in the journal of a kind that this version does not know.
pub fn absent_with(
    steps: &[Step],
    graph: &Graph,
    state: &State,
    objects: ObjectDeletion,
) -> Result<Vec<Task>, Diagnostics> {
    let goes_with = |inner: &TrackedResource, outer: &TrackedResource| {
        let alone = objects == ObjectDeletion::ByItself
            && inner
                .resource
                .kind()
                .is_some_and(|kind| kind.is_in_cluster());
        !alone && goes_with(inner, outer)
    };
    let is_early = |tracked: &TrackedResource| {
        let kind = tracked.resource.kind();
        objects == ObjectDeletion::BackendsFirst
            && kind.is_some_and(|kind| kind.asks_for_backends(&tracked.resource.at))
    };
    // Whether the second is deleted only after the first, because the first needs it.
    let waits_for = |first: &Option<&Step>, second: Option<&Step>| match (first, second) {
        (Some(first), Some(second)) => graph.transitive_needs(&first.id).contains(&second.id),
        _ => false,
    };
    let ours: Vec<&TrackedResource> = state.ours().collect();
    let ids = names(&ours, steps);
    let mut tasks = Vec::new();
    for (index, (tracked, (id, step))) in ours.iter().zip(&ids).enumerate() {
        let mut after = BTreeSet::new();
        for (other, (other_id, other_step)) in ids.iter().enumerate() {
            let needs_me = match (step, other_step) {
                (Some(me), Some(other)) => graph.transitive_needs(&other.id).contains(&me.id),
                // Orphans go first, the youngest first.
                (_, None) => other > index,
                (None, Some(_)) => false,
            };
            if !needs_me || (goes_with(ours[other], tracked) && !is_early(ours[other])) {
                continue;
            }
            if is_early(ours[other]) {
                after.insert(other_id.clone());
                continue;
            }
            // A resource that is deleted with its holder is gone when the holder is: unless the holder waits for this one itself,
            // as a cluster does for its membership.
            let holder = ours
                .iter()
                .position(|holder| goes_with(ours[other], holder));
            match holder.map(|holder| (holder, &ids[holder])) {
                None => after.insert(other_id.clone()),
                // Two orphans: the younger goes first, so an older holder waits for this one.
                Some((of, _)) if step.is_none() && of < index => false,
                Some((_, (holder, of))) if !waits_for(step, *of) && holder != id => {
                    after.insert(holder.clone())
                }
                Some(_) => false,
            };
        }
        let early = is_early(tracked);
        let holder = ours.iter().position(|other| goes_with(tracked, other));
        let holder = holder.filter(|_| !early);
        if let Some(holder) = holder {
            after.insert(ids[holder].0.clone());
        }
        let mut inside: Vec<ResourceId> = ours
            .iter()
            .filter(|other| goes_with(other, tracked))
            .map(|other| other.resource.clone())
            .collect();
        // What was included in a create whose end was not seen is ours as soon as that create is over, and is deleted with this
        // one too.
        for came_along in tracked.open.iter().flat_map(|open| &open.inside) {
            if !inside.contains(came_along) {
                inside.push(came_along.clone());
            }
        }
        tasks.push(Task {
            step: match step {
                Some(step) => Step {
                    id: id.clone(),
                    ..(*step).clone()
                },
                None => orphan(id, tracked, state)?,
            },
            after,
            goal: TaskGoal::Absent {
                tracked: Box::new((*tracked).clone()),
                inside,
                with: holder.is_some(),
                early,
                replaced: false,
            },
        });
    }
    // The youngest first, so that the output shows the order of the deletes.
    tasks.reverse();
    Ok(tasks)
}

/// An id for every resource of ours, and the step that declares it; no step twice.
fn names<'a>(ours: &[&TrackedResource], steps: &'a [Step]) -> Vec<(String, Option<&'a Step>)> {
    let mut taken = BTreeSet::new();
    let named = ours.iter().map(|tracked| {
        let step = steps.iter().find(|step| tracked.is_of(step));
        match step {
            Some(step) if taken.insert(step.id.clone()) => (step.id.clone(), Some(step)),
            _ => {
                let resource = &tracked.resource;
                let name = format!("{} {}", resource.kind, resource.short());
                match taken.insert(name.clone()) {
                    true => (name, None),
                    false => (tracked.key.clone(), None),
                }
            }
        }
    });
    named.collect()
}

/// Whether `inner` is deleted by deleting `outer`.
pub(super) fn goes_with(inner: &TrackedResource, outer: &TrackedResource) -> bool {
    let parent = inner.resource.kind().and_then(|kind| kind.parent());
    parent == Some(outer.resource.kind.as_str())
        && outer
            .resource
            .at
            .iter()
            .all(|(key, value)| inner.resource.at.get(key) == Some(value))
}

/// A step for a resource that no step declares.
fn orphan(id: &str, tracked: &TrackedResource, state: &State) -> Result<Step, Diagnostics> {
    let resource = &tracked.resource;
    let kind = resource.kind().ok_or_else(|| {
        Diagnostics(vec![Diagnostic::nowhere(format!(
            "the journal has a resource of kind `{}`, which this version of provision does not know: run the version \
             that created it",
            resource.kind
        ))])
    })?;
    Ok(Step {
        id: id.to_owned(),
        chapter: String::new(),
        says: "No step defines it any more. The journal records it as created by provision."
            .to_owned(),
        kind,
        at: resource.at.clone(),
        want: Value::Null,
        needs: BTreeSet::new(),
        within: WITHIN,
        keep: state.kept.contains(&tracked.key),
        lookup: None,
        source: SourceLocation {
            file: "journal".to_owned(),
            line: 0,
        },
    })
}

#[cfg(test)]
#[path = "tasks_tests.rs"]
mod tests;
