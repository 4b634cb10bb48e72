//! `up`, `plan`, `status` and `down`: one path through the engine, drawn in different ways.

use std::io::IsTerminal;

use serde_json::json;

use super::confirm;
use super::follow::{self, FollowEnd};
use super::rehearsal;
use super::run_lock::{self, RunLock};
use super::session::{Prepared, Session};
use super::show::status;
use super::{RunDisplay, VerbSpec, note, say, signals};
use crate::engine::entry::{ChangeVerb, Entry, now};
use crate::engine::event::{Event, Tally};
use crate::engine::journal::JournalAccess;
use crate::engine::journal::{Journal, JournalError};
use crate::engine::run::{RunEnd, run};
use crate::engine::state::TrackedResource;
use crate::engine::task::Task;
use crate::engine::tasks;
use crate::error::{CommandError, Exit};
use crate::google::{Api, Call, NoWatch};
use crate::kinds::Step;
use crate::kinds::{Kind, ResourceId};
use crate::ui::plan::Plan;
use crate::ui::slow::Slow;
use crate::ui::{Screen, time};

/// What is asked of a verb beside the parameters.
#[derive(Debug, Default)]
pub struct VerbOptions {
    /// The last chapter.
    pub through: Option<String>,
    /// Nobody is to be asked.
    pub yes: bool,
    /// What is there and not ours is taken over.
    pub adopt: bool,
    /// A run that does the same is followed, also without a terminal.
    pub follow: bool,
}

impl VerbOptions {
    /// What makes one run another one, in words.
    fn words(&self, session: &Session) -> Vec<String> {
        let through = self.through.iter().map(|name| format!("--through {name}"));
        let adopt = self.adopt.then(|| "--adopt".to_owned());
        let force = session.force.then(|| "--force-conflicts".to_owned());
        let steps = session.global.steps.iter();
        let steps = steps.map(|folder| format!("--steps {}", folder.display()));
        through.chain(adopt).chain(force).chain(steps).collect()
    }
}

/// Runs a verb that is towards things being there.
pub async fn converge(
    session: &mut Session,
    row: VerbSpec,
    asked: VerbOptions,
) -> Result<Exit, CommandError> {
    let through = asked.through.as_deref();
    if row.acts {
        confirm::require_confirmation(row.verb, asked.yes)?;
    }
    // Bad input is refused before anything is held, written or asked.
    session.steps(through)?;
    if !row.acts {
        let ready = session.ready(through, row.looks_up, false).await?;
        return look(session, row, &ready).await;
    }
    session.meet().await?;
    // One run at a time, and the emulator's state with it, before anything is asked of the cloud.
    let mut hold = match take_or_follow(session, row, &asked).await? {
        Ok(hold) => hold,
        Err(exit) => return Ok(exit),
    };
    if session.own.is_some() {
        // With an emulator that only looks: what is refused here has changed nothing anywhere.
        let looking = session.ready(through, row.looks_up, false).await?;
        rehearsal::before(session, &looking, &hold.journal.state, asked.adopt).await?;
    }
    let ready = session.ready(through, row.looks_up, true).await?;
    let tasks = || {
        let tasks = tasks::present(&ready.steps)?;
        Ok::<_, CommandError>(match asked.adopt {
            true => tasks::adopting(tasks),
            false => tasks,
        })
    };
    if !asked.yes && !agreed_to_plan(session, row, &ready, tasks()?, &hold.journal).await? {
        return Ok(Exit::Done);
    }
    hold.begin(session)?;
    let ended = run_tasks(session, row, &ready, tasks()?, &mut hold).await;
    let exit = close(session, row, &ended);
    tell_of_strangers(&ready, &hold.journal, exit);
    Ok(exit)
}

/// Takes hold of the environment. Where another run does there what this one would, it is followed; that run's result is
/// this one's, and if it died the environment is ours.
async fn take_or_follow(
    session: &Session,
    row: VerbSpec,
    asked: &VerbOptions,
) -> Result<Result<RunLock, Exit>, CommandError> {
    let words = asked.words(session);
    let holder = match RunLock::take(session, row.verb, words.clone()) {
        Ok(hold) => return Ok(Ok(hold)),
        Err(JournalError::Held {
            holder: Some(holder),
        }) => *holder,
        Err(error) => return Err(error.into()),
    };
    let ours = run_lock::run(session, row.verb, words.clone());
    let watched = asked.follow || std::io::stderr().is_terminal();
    if !watched || !follow::is_same(&holder, &ours) {
        let same = follow::is_same(&holder, &ours);
        let mut error = CommandError::from(JournalError::Held {
            holder: Some(Box::new(holder)),
        });
        if same {
            error.hint = Some("wait for it, or stop it; there is no lock to remove by hand; it runs the same command, and `provision up --follow` shows its progress".to_owned());
        }
        return Err(error);
    }
    Ok(match follow::follow(session, &ours, holder).await? {
        FollowEnd::Ended(exit) => Err(exit),
        FollowEnd::Free(journal) => Ok(RunLock::of(session, *journal, row.verb, words)),
    })
}

/// Tells of what is as wanted and not ours: `down` will leave it, which is wrong if an earlier run made it.
fn tell_of_strangers(ready: &Prepared, journal: &Journal, exit: Exit) {
    let is_stranger = |step: &&Step| {
        // What goes with its holder is whose its holder is; a cluster of somebody's own holds nothing of ours.
        let stays = |kind: Kind| kind.is_in_cluster() && ready.clusters(false).is_own();
        let alone = step.kind.is_deletable() && (step.kind.parent().is_none() || stays(step.kind));
        alone && !journal.state.ours().any(|tracked| tracked.is_of(step))
    };
    let strangers: Vec<&str> = ready
        .steps
        .iter()
        .filter(is_stranger)
        .map(|step| step.id.as_str())
        .collect();
    if exit == Exit::Done && !strangers.is_empty() {
        note(&format!(
            "note: not recorded as created by provision, so `provision down` keeps them: {}; if an earlier run created them, run `provision adopt`",
            strangers.join(", ")
        ));
    }
}

/// Looks, and draws what was found.
async fn look(session: &Session, row: VerbSpec, ready: &Prepared) -> Result<Exit, CommandError> {
    let tasks = tasks::present(&ready.steps)?;
    let mut plan = Plan::default();
    let mut heard = Vec::new();
    let ended = watch(
        session,
        row,
        ready,
        tasks,
        JournalAccess::Read(&session.state),
        |event| {
            plan.hear(event);
            heard.push(event.clone());
        },
    )
    .await;
    match (row.draws, session.json()) {
        (RunDisplay::Plan, false) => {
            say(&plan.text(&session.tutorial.chapters, &ready.steps, session.paint.0))
        }
        (RunDisplay::Status, json) => say(&status(&ready.steps, &heard, &session.state, json)),
        _ => {}
    }
    Ok(match outcome(&ended) {
        Exit::Done if row.asks && ended.tally.different > 0 => Exit::Different,
        exit => exit,
    })
}

/// Shows what would be done and asks; nothing to do needs no answer.
async fn agreed_to_plan(
    session: &Session,
    row: VerbSpec,
    ready: &Prepared,
    tasks: Vec<Task>,
    journal: &Journal,
) -> Result<bool, CommandError> {
    let mut plan = Plan::default();
    let looks = VerbSpec {
        acts: false,
        draws: RunDisplay::Plan,
        ..row
    };
    let ended = watch(
        session,
        looks,
        ready,
        tasks,
        JournalAccess::Read(&journal.state),
        |event| plan.hear(event),
    )
    .await;
    say(&plan.text(&session.tutorial.chapters, &ready.steps, session.paint.0));
    if outcome(&ended) != Exit::Done {
        return Err(CommandError::failed(
            "the current state could not be read",
            "fix the errors above first",
        ));
    }
    Ok(!plan.is_empty()
        && confirm::agreed(&format!(
            "Apply these changes in project {}{}?",
            session.project,
            rehearsal::and_in(session)
        ))
        .await?)
}

/// Removes what is ours.
pub async fn down(
    session: &mut Session,
    row: VerbSpec,
    yes: bool,
    delete_project: bool,
) -> Result<Exit, CommandError> {
    confirm::require_confirmation(row.verb, yes)?;
    session.steps(None)?;
    session.meet().await?;
    let mut hold = RunLock::take(session, row.verb, Vec::new())?;
    let ready = session.ready(None, row.looks_up, true).await?;
    let tasks = tasks::absent(&ready.steps, &hold.journal.state, session.own.is_some())?;
    if tasks.is_empty() && !session.json() {
        say("no resources in this project are recorded as created by provision\n");
        note("note: if a journal was lost, `provision adopt` finds what an earlier run created");
    }
    if !yes && !tasks.is_empty() {
        say(&listed(&tasks));
        if !confirm::agreed(&format!(
            "Remove these from project {}{}?",
            session.project,
            rehearsal::and_in(session)
        ))
        .await?
        {
            return Ok(Exit::Done);
        }
    }
    hold.begin(session)?;
    let ended = run_tasks(session, row, &ready, tasks, &mut hold).await;
    let exit = close(session, row, &ended);
    let stays = |tracked: &&TrackedResource| {
        let kind = tracked.thing.kind();
        kind.is_some_and(|kind| !kind.is_deletable())
            || ready
                .steps
                .iter()
                .any(|step| step.keep && tracked.is_of(step))
    };
    let left: Vec<String> = hold
        .journal
        .state
        .ours()
        .filter(|tracked| !stays(tracked))
        .map(|tracked| tracked.key.clone())
        .collect();
    if !left.is_empty() && !session.json() {
        say(&format!("left:\n  {}\n", left.join("\n  ")));
    }
    if delete_project && exit == Exit::Done {
        return delete(session, &ready, &mut hold.journal).await;
    }
    Ok(exit)
}

/// Deletes the project itself, after its id was typed.
async fn delete(
    session: &Session,
    ready: &Prepared,
    journal: &mut Journal,
) -> Result<Exit, CommandError> {
    let project = &session.project;
    if !confirm::typed(
        &format!("Type the project id to delete {project} and everything in it:"),
        project,
    )
    .await?
    {
        return Err(CommandError::usage(
            "the project id was not confirmed, so the project is not deleted",
            "the resources that `up` created are already deleted",
        ));
    }
    let thing = ResourceId {
        kind: "project".to_owned(),
        at: json!({"project": project})
            .as_object()
            .cloned()
            .unwrap_or_default(),
    };
    let key = thing.key();
    journal.write(&Entry::Intent {
        at: now(),
        step: "project".to_owned(),
        thing,
        verb: ChangeVerb::Delete,
        request: uuid::Uuid::new_v4().to_string(),
        parts: Vec::new(),
        inside: Vec::new(),
    })?;
    let call = Call::delete(Api::CloudResourceManager, format!("v1/projects/{project}"));
    let sent = ready.client.send(&call, &NoWatch).await;
    sent.map_err(|error| {
        CommandError::failed(
            format!("delete project {project}: {error}"),
            "delete it in the Cloud console",
        )
    })?;
    journal.write(&Entry::Done {
        at: now(),
        key,
        took: 0,
    })?;
    if !session.json() {
        say(&format!(
            "project {project} is being deleted; Google keeps it for 30 days and never reuses its id\n"
        ));
    }
    Ok(Exit::Done)
}

/// Runs tasks, shows what happens and logs it.
pub async fn run_tasks(
    session: &Session,
    row: VerbSpec,
    ready: &Prepared,
    tasks: Vec<Task>,
    hold: &mut RunLock,
) -> RunEnd {
    let RunLock { journal, log, .. } = hold;
    let book = JournalAccess::Write(journal);
    watch(session, row, ready, tasks, book, |event| log.tell(event)).await
}

/// Runs tasks and shows what happens; `also` hears every event.
pub async fn watch(
    session: &Session,
    row: VerbSpec,
    ready: &Prepared,
    tasks: Vec<Task>,
    book: JournalAccess<'_>,
    mut also: impl FnMut(&Event),
) -> RunEnd {
    let json = session.json() && row.draws != RunDisplay::Status;
    let terminal = std::io::stderr().is_terminal();
    let mut screen = Screen::new(json, terminal, session.paint.1, session.global.verbose);
    let steps = tasks.len();
    let started = Event::RunStarted {
        verb: row.verb.to_owned(),
        project: session.project.clone(),
        steps,
    };
    also(&started);
    screen.show(&started);
    let mut slow = Slow::default();
    let ended = run(
        &ready.client,
        ready.clusters(session.force),
        tasks,
        book,
        |event| {
            also(event);
            slow.hear(event);
            screen.show(event);
            if let (Event::RunFinished { tally, took, .. }, true) = (event, row.acts && !json) {
                screen.clear();
                say(&format!("{}\n", closing(steps, *tally, *took)));
                let slow = std::mem::take(&mut slow);
                if let Some(text) = slow.text(*tally, *took, session.global.verbose) {
                    say(&format!("{text}\n"));
                }
            }
        },
        signals::listen(),
    )
    .await;
    screen.clear();
    ended
}

/// What is said of a run that acted, after it: also what stopped it.
pub fn close(session: &Session, row: VerbSpec, ended: &RunEnd) -> Exit {
    if let Some(error) = &ended.journal {
        note(&format!(
            "error: {error}\nhint: no request is sent before it is in the journal: free disk space, or name another folder with --state-dir\nleft: what the journal records; run again to continue"
        ));
    } else if ended.stopped {
        note(&format!(
            "interrupted: the journal has every request that was started; run `provision {}` to continue",
            row.verb
        ));
    } else if ended.tally.failed > 0 && !session.json() {
        note(&format!(
            "fix this, then run `provision {}` to continue",
            row.verb
        ));
    }
    outcome(ended)
}

/// How a run ended, as an exit code.
pub fn outcome(ended: &RunEnd) -> Exit {
    Exit::from(ended.how())
}

/// The last line of a run that acted.
pub fn closing(steps: usize, tally: Tally, took: u64) -> String {
    let counts = [
        (tally.created, "created"),
        (tally.updated, "changed"),
        (tally.deleted, "removed"),
        (tally.adopted, "taken over"),
        (tally.unchanged, "as wanted"),
        (tally.kept, "kept"),
        (tally.failed, "failed"),
        (tally.blocked, "not started"),
    ];
    let said: Vec<String> = counts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect();
    let said = match (said.is_empty(), steps) {
        (true, 0) => "nothing to do".to_owned(),
        // It was asked to stop.
        (true, _) => "nothing finished".to_owned(),
        (false, _) => said.join(", "),
    };
    format!("{said} in {}", time(took))
}

/// What `down` would remove, the first to go first.
fn listed(tasks: &[Task]) -> String {
    let rows: Vec<Vec<String>> = tasks
        .iter()
        .map(|task| {
            let mark = if task.step.keep { "  kept" } else { "  -" };
            vec![
                mark.to_owned(),
                task.step.id.clone(),
                task.step.kind.name().to_owned(),
            ]
        })
        .collect();
    crate::ui::table::columns(&rows)
}
