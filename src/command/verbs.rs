//! `up`, `plan`, `status` and `down`: one path through the engine, drawn in different ways.

use std::io::IsTerminal;

use serde_json::json;

use super::ask;
use super::prepare::{Ground, Ready};
use super::show::status;
use super::{Draws, Row, note, say, stop};
use crate::engine::event::{Event, Tally};
use crate::engine::journal::{Entry, Journal, Verb, now};
use crate::engine::run::{Book, Ended, Task, run};
use crate::engine::state::Known;
use crate::engine::tasks;
use crate::error::{Exit, Halt};
use crate::google::{Api, Call, Quiet};
use crate::kinds::{Clusters, Kind, Thing};
use crate::ui::plan::Plan;
use crate::ui::slow::Slow;
use crate::ui::{Screen, time};

/// Runs a verb that is towards things being there.
pub async fn towards(
    ground: &mut Ground,
    row: Row,
    through: Option<&str>,
    yes: bool,
) -> Result<Exit, Halt> {
    if row.acts {
        ask::somebody_is_there(row.verb, yes)?;
    }
    // Bad input is refused before anything is held, written or asked.
    ground.steps(through)?;
    // One run at a time, and the emulator's state with it, before anything is asked of the cloud.
    let journal = if row.acts {
        Some(ground.journal()?)
    } else {
        None
    };
    let ready = ground.ready(through, row.looks_up, row.acts).await?;
    let Some(mut journal) = journal else {
        return look(ground, row, &ready).await;
    };
    if !yes && !agreed_to_plan(ground, row, &ready, &journal).await? {
        return Ok(Exit::Done);
    }
    ground.begin(&mut journal, row.verb)?;
    let tasks = tasks::present(&ready.steps)?;
    let ended = go(ground, row, &ready, tasks, Book::Write(&mut journal)).await;
    Ok(close(ground, row, &ended))
}

/// Looks, and draws what was found.
async fn look(ground: &Ground, row: Row, ready: &Ready) -> Result<Exit, Halt> {
    let tasks = tasks::present(&ready.steps)?;
    let mut plan = Plan::default();
    let mut heard = Vec::new();
    let ended = watch(
        ground,
        row,
        ready,
        tasks,
        Book::Read(&ground.state),
        |event| {
            plan.hear(event);
            heard.push(event.clone());
        },
    )
    .await;
    match (row.draws, ground.json()) {
        (Draws::Plan, false) => {
            say(&plan.text(&ground.tutorial.chapters, &ready.steps, ground.paint.0))
        }
        (Draws::Status, json) => say(&status(&ready.steps, &heard, &ground.state, json)),
        _ => {}
    }
    Ok(match outcome(&ended) {
        Exit::Done if row.asks && ended.tally.different > 0 => Exit::Different,
        exit => exit,
    })
}

/// Shows what would be done and asks; nothing to do needs no answer.
async fn agreed_to_plan(
    ground: &Ground,
    row: Row,
    ready: &Ready,
    journal: &Journal,
) -> Result<bool, Halt> {
    let tasks = tasks::present(&ready.steps)?;
    let mut plan = Plan::default();
    let looks = Row {
        acts: false,
        draws: Draws::Plan,
        ..row
    };
    let ended = watch(
        ground,
        looks,
        ready,
        tasks,
        Book::Read(&journal.state),
        |event| plan.hear(event),
    )
    .await;
    say(&plan.text(&ground.tutorial.chapters, &ready.steps, ground.paint.0));
    if outcome(&ended) != Exit::Done {
        return Err(Halt::failed(
            "what is there could not be seen",
            "mend what is told above first",
        ));
    }
    Ok(!plan.is_empty() && ask::agreed(&format!("Do this in project {}?", ground.project)).await?)
}

/// Removes what is ours.
pub async fn down(
    ground: &mut Ground,
    row: Row,
    yes: bool,
    delete_project: bool,
) -> Result<Exit, Halt> {
    ask::somebody_is_there(row.verb, yes)?;
    ground.steps(None)?;
    let mut journal = ground.journal()?;
    let ready = ground.ready(None, row.looks_up, true).await?;
    let tasks = tasks::absent(&ready.steps, &journal.state)?;
    if tasks.is_empty() && !ground.json() {
        say("nothing here is ours\n");
    }
    if !yes && !tasks.is_empty() {
        say(&listed(&tasks));
        if !ask::agreed(&format!("Remove these from project {}?", ground.project)).await? {
            return Ok(Exit::Done);
        }
    }
    ground.begin(&mut journal, row.verb)?;
    let ended = go(ground, row, &ready, tasks, Book::Write(&mut journal)).await;
    let exit = close(ground, row, &ended);
    let stays = |known: &&Known| {
        let kind = Kind::named(&known.thing.kind);
        kind.is_some_and(|kind| kind.is_done_not_made())
            || ready
                .steps
                .iter()
                .any(|step| step.keep && known.is_of(step))
    };
    let left: Vec<String> = journal
        .state
        .ours()
        .filter(|known| !stays(known))
        .map(|known| known.key.clone())
        .collect();
    if !left.is_empty() && !ground.json() {
        say(&format!("left:\n  {}\n", left.join("\n  ")));
    }
    if delete_project && exit == Exit::Done {
        return delete(ground, &ready, &mut journal).await;
    }
    Ok(exit)
}

/// Deletes the project itself, after its id was typed.
async fn delete(ground: &Ground, ready: &Ready, journal: &mut Journal) -> Result<Exit, Halt> {
    let project = &ground.project;
    if !ask::typed(
        &format!("Type the project's id to delete {project} with everything in it:"),
        project,
    )
    .await?
    {
        return Err(Halt::usage(
            "the project's id was not typed, so the project stays",
            "what up made is gone already",
        ));
    }
    let thing = Thing {
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
        verb: Verb::Delete,
        request: uuid::Uuid::new_v4().to_string(),
        parts: Vec::new(),
        inside: Vec::new(),
    })?;
    let call = Call::delete(Api::CloudResourceManager, format!("v1/projects/{project}"));
    let sent = ready.client.send(&call, &Quiet).await;
    sent.map_err(|error| {
        Halt::failed(
            format!("delete project {project}: {error}"),
            "delete it in the Cloud console",
        )
    })?;
    journal.write(&Entry::Done {
        at: now(),
        key,
        took: 0,
    })?;
    if !ground.json() {
        say(&format!(
            "project {project} is being deleted; Google keeps it for 30 days and never gives its id again\n"
        ));
    }
    Ok(Exit::Done)
}

/// Runs tasks and shows what happens.
pub async fn go(
    ground: &Ground,
    row: Row,
    ready: &Ready,
    tasks: Vec<Task>,
    book: Book<'_>,
) -> Ended {
    watch(ground, row, ready, tasks, book, |_| {}).await
}

/// Runs tasks and shows what happens; `also` hears every event.
pub async fn watch(
    ground: &Ground,
    row: Row,
    ready: &Ready,
    tasks: Vec<Task>,
    book: Book<'_>,
    mut also: impl FnMut(&Event),
) -> Ended {
    let json = ground.json() && row.draws != Draws::Status;
    let terminal = std::io::stderr().is_terminal();
    let mut screen = Screen::new(json, terminal, ground.paint.1, ground.global.verbose);
    let steps = tasks.len();
    let started = Event::RunStarted {
        verb: row.verb.to_owned(),
        project: ground.project.clone(),
        steps,
    };
    screen.show(&started);
    let mut slow = Slow::default();
    let ended = run(
        &ready.client,
        Clusters::new(ground.force),
        tasks,
        book,
        |event| {
            also(event);
            slow.hear(event);
            screen.show(event);
            if let (Event::RunFinished { tally, took }, true) = (event, row.acts && !json) {
                screen.clear();
                say(&format!("{}\n", closing(steps, *tally, *took)));
                let slow = std::mem::take(&mut slow);
                if let Some(text) = slow.text(*tally, *took, ground.global.verbose) {
                    say(&format!("{text}\n"));
                }
            }
        },
        stop::listen(),
    )
    .await;
    screen.clear();
    ended
}

/// What is said of a run that acted, after it: also what stopped it.
pub fn close(ground: &Ground, row: Row, ended: &Ended) -> Exit {
    if let Some(error) = &ended.journal {
        note(&format!(
            "error: {error}\nhint: nothing is sent that the journal does not hold: make room or name another folder with --state-dir\nleft: what the journal says; run again to go on"
        ));
    } else if ended.stopped {
        note(&format!(
            "interrupted: what had begun is in the journal; `provision {}` goes on from there",
            row.verb
        ));
    } else if ended.tally.failed > 0 && !ground.json() {
        note(&format!(
            "run `provision {}` again when that is mended: it goes on from here",
            row.verb
        ));
    }
    outcome(ended)
}

/// How a run ended, as an exit code.
pub fn outcome(ended: &Ended) -> Exit {
    if ended.stopped {
        Exit::Interrupted
    } else if ended.journal.is_some() || ended.tally.failed > 0 {
        Exit::Failed
    } else {
        Exit::Done
    }
}

/// The last line of a run that acted.
fn closing(steps: usize, tally: Tally, took: u64) -> String {
    let counts = [
        (tally.created, "created"),
        (tally.updated, "changed"),
        (tally.deleted, "removed"),
        (tally.unchanged, "as wanted"),
        (tally.kept, "kept"),
        (tally.failed, "failed"),
        (tally.blocked, "not begun"),
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
                task.step.kind.clone(),
            ]
        })
        .collect();
    crate::ui::table::columns(&rows)
}
