//! `--replace STEP`: what the flag accepts, what it takes along, and what is said of it. `engine/replacement.rs` decides what goes
//! together, `engine/replace.rs` makes the tasks.

use std::collections::BTreeMap;

use super::outline::inside;
use super::output::note;
use super::session::{Prepared, Session};
use crate::engine::change::Change;
use crate::engine::replace::replacing;
use crate::engine::replacement::Replacement;
use crate::engine::state::State;
use crate::engine::task::{Task, TaskGoal};
use crate::engine::tasks;
use crate::error::CommandError;
use crate::kinds::Step;
use crate::steps::Diagnostics;
use crate::text::did_you_mean;
use crate::ui::plan::Plan;

/// How many of the resources that go with another one are named.
const NAMED: usize = 6;

/// Checks what `--replace` names. Nothing is sent.
///
/// # Errors
/// An unknown step, or one whose resource cannot be replaced, with the reason; a resource that would have to be deleted with it and
/// cannot be, or that belongs to a later chapter than this run goes through.
pub fn check(
    session: &Session,
    through: Option<&str>,
    named: &[String],
) -> Result<(), CommandError> {
    if named.is_empty() {
        return Ok(());
    }
    let (all, these) = (session.steps(None)?, session.steps(through)?);
    let is_these = |id: &str| these.steps.iter().any(|step| step.id == id);
    for name in named {
        let Some(step) = these.steps.iter().find(|step| step.id == *name) else {
            return Err(not_there(name, through, &all.steps, &these.steps));
        };
        if let Some(why) = not_replaceable(step, &session.state) {
            return Err(CommandError::usage(
                format!("--replace {name}: {why}"),
                "remove the flag; `provision plan` shows what changes without it",
            ));
        }
    }
    let stays = session.own.is_some() || session.requested_cluster.is_some();
    // The steps of this run, and those of later chapters, which may take the place of an earlier step.
    let later = all.steps.iter().filter(|step| !is_these(&step.id));
    let is_ours = |step: &Step| session.state.ours().any(|ours| ours.is_of(step));
    let beyond = Replacement::of(&all.steps, &all.graph, named, stays);
    let beyond = later.filter(|step| beyond.steps.contains_key(&step.id) && is_ours(step));
    let beyond: Vec<&Step> = beyond.collect();
    if let (Some(first), Some(through)) = (beyond.first(), through) {
        return Err(CommandError::usage(
            format!(
                "--replace {}: {} of a chapter after {through} would be deleted and not created again: {}",
                named.join(", "),
                count(beyond.len()),
                shortened(beyond.iter().map(|step| step.id.clone()).collect()),
            ),
            &format!(
                "leave out --through, or name chapter {} or a later one",
                first.chapter
            ),
        ));
    }
    let along = Replacement::of(&these.steps, &these.graph, named, stays);
    for step in these.steps.iter().filter(|step| is_ours(step)) {
        let Some(because) = along.steps.get(&step.id).map(|one| &one.because) else {
            continue;
        };
        if let (Some(because), Some(why)) = (because, not_replaceable(step, &session.state)) {
            return Err(CommandError::usage(
                format!(
                    "--replace {}: {} uses {because} and would have to be deleted first, but {why}",
                    named.join(", "),
                    step.id
                ),
                "delete it by other means, then run this again; `provision plan` shows what changes without the flag",
            ));
        }
    }
    Ok(())
}

fn count(number: usize) -> String {
    match number {
        1 => "1 resource".to_owned(),
        _ => format!("{number} resources"),
    }
}

/// The error for a step that is not one of this run's.
fn not_there(name: &str, through: Option<&str>, all: &[Step], these: &[Step]) -> CommandError {
    let chapter = all.iter().find(|step| step.id == name);
    match (chapter, through) {
        (Some(step), Some(through)) => CommandError::usage(
            format!(
                "--replace {name}: the step is in chapter {}, and the run stops after {through}",
                step.chapter
            ),
            "leave out --through, or name that chapter or a later one",
        ),
        _ => {
            let ids = these.iter().map(|step| step.id.as_str());
            let near = did_you_mean(name, ids);
            CommandError::usage(
                format!("--replace: unknown step `{name}`{near}"),
                "`provision steps` lists the steps",
            )
        }
    }
}

/// Why a step's resource cannot be replaced, as the end of a sentence; none if it can.
fn not_replaceable(step: &Step, state: &State) -> Option<String> {
    let name = step.kind.name();
    let is_kept = state
        .ours()
        .any(|tracked| tracked.is_of(step) && state.kept.contains(&tracked.key));
    if !step.kind.is_deletable() {
        Some(format!(
            "{name} leaves nothing that could be deleted and created again"
        ))
    } else if step.lookup.is_some() {
        Some("it only looks up a resource that exists already, and never changes it".to_owned())
    } else if step.keep {
        Some("its resource is kept (`keep: true`)".to_owned())
    } else if is_kept {
        Some("its resource was kept by an earlier run (`keep: true`)".to_owned())
    } else if step.kind.is_project_wide() && step.kind.parts(&step.want).is_empty() {
        Some(format!(
            "a project has only one {name}, which all its environments share"
        ))
    } else {
        None
    }
}

/// What this run replaces.
pub fn replacement(session: &Session, ready: &Prepared, named: &[String]) -> Replacement {
    Replacement::of(&ready.steps, &ready.graph, named, session.own.is_some())
}

/// The tasks of a run that replaces the named steps.
pub fn with_replaced(
    session: &Session,
    ready: &Prepared,
    state: &State,
    tasks: Vec<Task>,
    named: &[String],
) -> Result<Vec<Task>, Diagnostics> {
    if named.is_empty() {
        return Ok(tasks);
    }
    let replacement = replacement(session, ready, named);
    let stays = session.own.is_some();
    replacing(tasks, &ready.graph, state, &replacement, stays)
}

/// Completes a plan: why each step is replaced, and what goes with a step that must be replaced. `named` are those of the flag.
pub fn complete(
    plan: &mut Plan,
    session: &Session,
    ready: &Prepared,
    state: &State,
    named: &[String],
) {
    let replaced = replacement(session, ready, named).steps.into_iter();
    plan.replaced = replaced.map(|(id, one)| (id, one.because)).collect();
    let is_fixed = |step: &&Step| matches!(plan.change(&step.id), Some(Change::Fixed(_)));
    let fixed: Vec<String> = ready
        .steps
        .iter()
        .filter(is_fixed)
        .filter(|step| not_replaceable(step, state).is_none())
        .map(|step| step.id.clone())
        .collect();
    // The journal was read: what it has of unknown kinds has been reported.
    let along = fixed.into_iter().map(|id| {
        let along = along(session, ready, state, &id).unwrap_or_default();
        (id, along)
    });
    plan.along = along.collect();
    if session.json() {
        return;
    }
    for name in named {
        if matches!(plan.change(name), Some(Change::Create)) {
            note(&format!(
                "note: --replace {name}: it does not exist, so it is only created"
            ));
        }
    }
}

/// What would be deleted and created with a step: `cluster (with 2 pools and 40 objects), membership`.
fn along(
    session: &Session,
    ready: &Prepared,
    state: &State,
    step: &str,
) -> Result<String, Diagnostics> {
    let named = [step.to_owned()];
    let tasks = tasks::present(&ready.steps, &ready.graph)?;
    let tasks = with_replaced(session, ready, state, tasks, &named)?;
    let inside: BTreeMap<String, String> = inside(&tasks);
    let deleted = tasks.iter().filter(|task| match &task.goal {
        TaskGoal::Absent { with, .. } => !with,
        _ => false,
    });
    // The resources that hold others come last in a deletion, and are what a reader knows.
    let names = deleted.rev().filter_map(|task| {
        let with = inside.get(&task.id());
        let with = with.map(|with| format!("with {with}"));
        match (task.step.id == step, with) {
            (true, with) => with,
            (false, Some(with)) => Some(format!("{} ({with})", task.step.id)),
            (false, None) => Some(task.step.id.clone()),
        }
    });
    Ok(shortened(names.collect()))
}

/// The first names, and how many more there are.
fn shortened(mut names: Vec<String>) -> String {
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let more = (more > 0).then(|| format!("and {more} more"));
    names.into_iter().chain(more).collect::<Vec<_>>().join(", ")
}
