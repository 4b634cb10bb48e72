//! Looks at everything before the first change, as `plan` does, and stops a run that cannot be carried out: a difference that
//! cannot be made is found before anything else was changed. It decides nothing that `plan` does not show.

use std::path::Path;

use super::asking;
use super::confirm;
use super::execute::VerbSpec;
use super::obstacles::obstacles;
use super::plan::{planned, show};
use super::plan_file::PlanFile;
use super::presenter::RunPresenter;
use super::replace;
use super::run_lock::RunLock;
use super::session::{Prepared, Session};
use crate::engine::event::{Event, RunOutcome, Tally};
use crate::engine::failure::StepFailure;
use crate::engine::replace::to_look;
use crate::engine::task::{Task, TaskGoal};
use crate::error::{CommandError, Exit};
use crate::kinds::Step;
use crate::ui::outline::Outline;

/// What a run does after the look.
pub enum Preflight {
    /// It may begin.
    Begin,
    /// It ends without a change.
    End(Exit),
}

/// What the user allows.
#[derive(Debug, Clone, Copy)]
pub struct Allowed<'a> {
    /// No question is asked.
    pub yes: bool,
    /// Steps that cannot be carried out do not stop the others.
    pub keep_going: bool,
    /// The plan that was approved, and its file: it must still hold. No question is asked.
    pub approved: Option<(&'a PlanFile, &'a Path)>,
    /// The steps whose resources are deleted and created again.
    pub replace: &'a [String],
}

/// Reads everything that the tasks concern. Without `yes` it shows the plan and asks.
///
/// # Errors
/// The state could not be read; the user declined.
pub async fn preflight(
    session: &Session,
    verb: VerbSpec,
    ready: &Prepared,
    tasks: Vec<Task>,
    lock: &mut RunLock,
    allowed: Allowed<'_>,
) -> Result<Preflight, CommandError> {
    let takes = asking::takes(session, &tasks, &lock.journal.state);
    let tasks = to_look(tasks);
    let steps: Vec<Step> = tasks.iter().map(|task| task.step.clone()).collect();
    let deletes = |task: &&Task| matches!(task.goal, TaskGoal::Absent { .. });
    let deleted = tasks.iter().filter(deletes).count();
    let presenter = match allowed.yes || session.json() {
        true => RunPresenter::of_preflight(session),
        false => RunPresenter::of_looks(session, false),
    };
    let state = &lock.journal.state;
    let (mut plan, ended) = planned(session, verb, ready, tasks, state, presenter).await;
    replace::complete(&mut plan, session, ready, state, allowed.replace);
    match Exit::from(ended.how()) {
        Exit::Interrupted => return Ok(Preflight::End(Exit::Interrupted)),
        // What cannot be read now may be readable once earlier steps are done; only a user who is asked must see everything.
        Exit::Failed if !allowed.yes || allowed.approved.is_some() => {
            show(session, &steps, &plan);
            return Err(CommandError::failed(
                "the current state could not be read",
                "fix the errors above first",
            ));
        }
        _ => {}
    }
    if let Some((approved, path)) = allowed.approved {
        approved.require_unmoved(path, session, &lock.journal.state, &steps, &plan.steps)?;
    }
    let obstacles = obstacles(&plan, &steps, &lock.journal.state);
    if !allowed.yes {
        show(session, &steps, &plan);
    }
    // What stands in the way of a replacement stops it before anything is deleted.
    let in_the_way = |(step, _): &(String, StepFailure)| plan.replaced.contains_key(step);
    let keep_going = allowed.keep_going && !obstacles.iter().any(in_the_way);
    if !obstacles.is_empty() && !keep_going {
        refuse(session, verb, steps.len(), obstacles, lock);
        return Ok(Preflight::End(Exit::Failed));
    }
    if allowed.yes {
        return Ok(Preflight::Begin);
    }
    if plan.is_empty() {
        // What is gone already is only forgotten: there is nothing to ask.
        return Ok(match deleted {
            0 => Preflight::End(Exit::Done),
            _ => Preflight::Begin,
        });
    }
    let question = asking::of_plan(session, &steps, &plan, takes);
    confirm::require_yes(&question).await?;
    Ok(Preflight::Begin)
}

/// Reports the steps that cannot be carried out as a run would, and changes nothing.
fn refuse(
    session: &Session,
    verb: VerbSpec,
    steps: usize,
    obstacles: Vec<(String, StepFailure)>,
    lock: &mut RunLock,
) {
    let mut presenter = RunPresenter::of_changes(session, Outline::default());
    let mut emit = |event: Event| {
        lock.log.append(&event);
        presenter.show(&event);
    };
    emit(Event::RunStarted {
        verb: verb.name.to_owned(),
        project: session.project.clone(),
        steps,
        identity: session.identity.clone(),
    });
    let tally = Tally {
        failed: obstacles.len(),
        ..Tally::default()
    };
    for (step, failure) in obstacles {
        emit(Event::Failed {
            step,
            error: failure.error.to_string(),
            cause: failure.error.cause().map(Box::new),
            hint: failure.hint,
            left: failure.left,
        });
    }
    emit(Event::RunFinished {
        how: RunOutcome::Failed,
        tally,
        took: 0,
    });
    if !session.json() {
        super::output::note(&format!(
            "nothing was changed: fix this, then run `provision {0}`; `provision {0} --keep-going` does what does not depend on it",
            verb.name
        ));
    }
}
