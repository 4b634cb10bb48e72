//! `plan`: what `up` would change. Nothing is changed.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::allow_list;
use super::asking::warn_of_choices;
use super::ending::command;
use super::execute::{VerbSpec, look};
use super::manifests;
use super::obstacles::obstacles;
use super::output::{columns_of_stdout, note, say};
use super::own_cluster::quoted;
use super::pager::page;
use super::plan_file::PlanFile;
use super::planned_snapshot;
use super::presenter::RunPresenter;
use super::ranges;
use super::replace;
use super::run_options::RunOptions;
use super::session::{Prepared, Session};
use crate::cli::Global;
use crate::engine::replace::{order_unwanted, to_look};
use crate::engine::run::RunEnd;
use crate::engine::state::State;
use crate::engine::task::Task;
use crate::engine::tasks;
use crate::error::{CommandError, Exit};
use crate::kinds::Step;
use crate::ui::fold::fold;
use crate::ui::overview::{StepName, overview};
use crate::ui::plan::Plan;

const PLAN: VerbSpec = VerbSpec {
    name: "plan",
    looks_up: true,
};

/// Show what `up` would do; exit 3 if it would change anything
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Stop after this chapter
    #[arg(long, value_name = "CHAPTER", value_parser = NonEmptyStringValueParser::new())]
    through: Option<String>,
    /// Plan for `up --force-conflicts`, which takes over fields of Kubernetes objects that another field manager owns
    #[arg(long)]
    force_conflicts: bool,
    /// Save the plan in this file; `up FILE` does what it says, and nothing else
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Plan to delete and recreate the resource of this step, and what uses it; may be repeated
    #[arg(long, value_name = "STEP", value_parser = NonEmptyStringValueParser::new())]
    replace: Vec<String>,
}

/// Shows the plan.
pub async fn plan(global: &Global, args: PlanArgs) -> Result<Exit, CommandError> {
    let mut session = Session::open(global)?;
    session.force = args.force_conflicts;
    replace::check(&session, args.through.as_deref(), &args.replace)?;
    // Bad input is refused before anything is sent.
    let steps = session.steps(args.through.as_deref())?.steps;
    manifests::check_steps(planned_snapshot::objects_of(&steps))?;
    let ready = session
        .ready(args.through.as_deref(), PLAN.looks_up, false)
        .await?;
    allow_list::note_missing(&session, &ready, "`provision up` adds it").await;
    ranges::check(&session, &ready).await?;
    let through = args.through.as_deref();
    let options = RunOptions {
        through,
        adopt: false,
        replace: &args.replace,
    };
    let tasks = tasks_of(&session, &ready, &session.state, options)?;
    let tasks = to_look(tasks);
    let steps: Vec<Step> = tasks.iter().map(|task| task.step.clone()).collect();
    let presenter = RunPresenter::of_looks(&session, session.json());
    let (mut plan, ended) = planned(&session, PLAN, &ready, tasks, &session.state, presenter).await;
    replace::complete(&mut plan, &session, &ready, &session.state, &args.replace);
    if !session.json() {
        warn_of_choices(&session, &steps);
        page(&text(&session, &steps, &plan));
    }
    match (&args.out, Exit::from(ended.how())) {
        (Some(path), Exit::Done) => save(&session, options, path, &steps, plan)?,
        (Some(path), _) => note(&format!("{} was not written", path.display())),
        (None, _) => {}
    }
    Ok(match Exit::from(ended.how()) {
        Exit::Done if ended.tally.different > 0 => Exit::Different,
        exit => exit,
    })
}

/// Saves a plan that can be carried out.
///
/// # Errors
/// Steps that cannot be carried out; the file cannot be written.
fn save(
    session: &Session,
    options: RunOptions<'_>,
    path: &Path,
    steps: &[Step],
    plan: Plan,
) -> Result<(), CommandError> {
    let shown = path.display();
    let obstacles = obstacles(&plan, steps, &session.state);
    if !obstacles.is_empty() {
        let names: Vec<&str> = obstacles.iter().map(|(step, _)| step.as_str()).collect();
        return Err(CommandError::failed(
            format!(
                "{shown} was not written, because the plan cannot be carried out: {}",
                names.join(", ")
            ),
            "fix what the plan shows with `!`, then run it again",
        ));
    }
    PlanFile::new(session, options, steps, plan.steps).write(path)?;
    if !session.json() {
        let up = quoted(&shown.to_string());
        note(&format!(
            "saved: `provision up {up}` does this and nothing else"
        ));
    }
    Ok(())
}

/// The tasks of `up` and of `plan`. What no step asks for any more is deleted, unless the run stops at a chapter: later chapters
/// may ask for it.
pub fn tasks_of(
    session: &Session,
    ready: &Prepared,
    state: &State,
    options: RunOptions<'_>,
) -> Result<Vec<Task>, CommandError> {
    let stays = session.own.is_some();
    let mut tasks = tasks::present(&ready.steps, &ready.graph)?;
    if options.adopt {
        tasks = tasks::adopting(tasks);
    }
    tasks = replace::with_replaced(session, ready, state, tasks, options.replace)?;
    if options.through.is_none() {
        tasks = tasks::pruning(tasks, state, stays)?;
        order_unwanted(&mut tasks, &ready.graph, stays);
    }
    Ok(tasks)
}

/// Reads everything that the tasks concern, and collects what they would change.
pub async fn planned(
    session: &Session,
    verb: VerbSpec,
    ready: &Prepared,
    tasks: Vec<Task>,
    state: &State,
    presenter: RunPresenter,
) -> (Plan, RunEnd) {
    let mut plan = Plan::default();
    let record = |event: &_| plan.record(event);
    let ended = look(session, verb, ready, tasks, state, presenter, record).await;
    (plan, ended)
}

/// Prints a plan of these steps as text, before a question: not in a pager.
pub fn show(session: &Session, steps: &[Step], plan: &Plan) {
    warn_of_choices(session, steps);
    say(&text(session, steps, plan));
}

/// A plan as text: on a terminal in few lines unless details are requested, elsewhere whole.
fn text(session: &Session, steps: &[Step], plan: &Plan) -> String {
    let (chapters, paint) = (&session.tutorial.chapters, session.paint.0);
    let whole = || plan.text(chapters, steps, paint);
    let Some(width) = columns_of_stdout() else {
        return whole();
    };
    if session.global.verbose || plan.is_empty() {
        return fold(&whole(), width);
    }
    let width = width.saturating_sub(1);
    let more = command(session, "plan -v");
    let names = steps.iter().map(|step| StepName {
        chapter: &step.chapter,
        id: &step.id,
    });
    let names: Vec<StepName<'_>> = names.collect();
    let overview = overview(plan, chapters, &names, width, paint);
    let more = format!("each change with its reason and values: {more}\n");
    overview + &fold(&more, width)
}
