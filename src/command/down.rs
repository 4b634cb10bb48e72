//! `down`: deletes what `up` created, and nothing else; on request the project with it.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::asking;
use super::confirm;
use super::execute::{VerbSpec, change, close};
use super::outline::inside;
use super::output::{columns_of_stdout, note, say};
use super::run_lock::RunLock;
use super::session::{Prepared, Session};
use crate::cli::Global;
use crate::engine::entry::{ChangeVerb, Entry, now};
use crate::engine::journal::Journal;
use crate::engine::patience;
use crate::engine::state::State;
use crate::engine::task::{Task, TaskGoal};
use crate::engine::tasks::{self, ObjectDeletion};
use crate::error::{CommandError, Exit};
use crate::google::{Api, Call, NoWatch};
use crate::kinds::{Clients, Clusters, ResourceId, mesh};
use crate::ui::table::{columns, fitted};

const DOWN: VerbSpec = VerbSpec {
    name: "down",
    looks_up: false,
};

/// Remove what `up` created
///
/// A cluster of your own (--kubeconfig) is kept. `down` deletes from it the objects that `up` created, one by one, and nothing
/// else.
///
/// What Google's Traffic Director holds for the mesh goes some time after the mesh. `down` waits for it, and deletes afterwards what
/// Google has left in the network.
#[derive(Debug, Args)]
pub struct DownArgs {
    /// Do not ask for confirmation
    #[arg(long, short)]
    yes: bool,
    /// How long to wait at least for what Google still holds; longer while anything changes
    #[arg(long, value_name = "SECONDS", default_value_t = patience::DEFAULT.as_secs())]
    patience: u64,
    /// Delete the whole project afterwards; asks for the project id, even with --yes
    #[arg(long)]
    delete_project: bool,
}

/// Deletes the resources that are ours.
pub async fn down(global: &Global, args: DownArgs) -> Result<Exit, CommandError> {
    let DownArgs {
        yes,
        patience,
        delete_project,
    } = args;
    let session = &mut Session::open(global)?;
    session.deletion_patience = Duration::from_secs(patience);
    confirm::require_confirmation(DOWN.name, yes)?;
    session.steps(None)?;
    session.open_own_cluster().await?;
    let mut lock = RunLock::take(session, DOWN.name, Vec::new())?;
    let ready = session.ready(None, DOWN.looks_up, true).await?;
    lock.warn_of_another_machine();
    let objects = match session.own {
        Some(_) => ObjectDeletion::ByItself,
        None => objects_of_mesh(&ready, &lock.journal.state).await,
    };
    let state = &lock.journal.state;
    let tasks = tasks::absent_with(&ready.steps, &ready.graph, state, objects)?;
    if tasks.is_empty() && !session.json() {
        say("no resources in this project are recorded as created by provision\n");
        note("note: if a journal was lost, `provision adopt` finds what an earlier run created");
    }
    if !yes && !tasks.is_empty() {
        say(&listed(&tasks));
        let takes = asking::takes(session, &tasks, &lock.journal.state);
        let question = asking::of_tasks(session, &tasks, takes);
        confirm::require_yes(&question).await?;
    }
    if delete_project {
        let project = &session.project;
        let question = format!("Type the project id to delete {project} and everything in it:");
        confirm::require_word(&question, project).await?;
    }
    lock.begin(session, &ready.steps)?;
    let ended = change(session, DOWN, &ready, tasks, &mut lock).await;
    let exit = close(session, DOWN, &ended, &lock.journal.state);
    let left: Vec<String> = lock
        .journal
        .state
        .ours()
        .filter(|tracked| !lock.journal.state.stays(tracked))
        .map(|tracked| tracked.key.clone())
        .collect();
    if !left.is_empty() && !session.json() {
        say(&format!("left:\n  {}\n", left.join("\n  ")));
    }
    if delete_project && exit == Exit::Done {
        return delete(session, &ready, &mut lock.journal).await;
    }
    Ok(exit)
}

/// How the objects of our cluster are deleted: with it, unless Traffic Director runs its mesh and has to see first that what asks for
/// backends is gone. Where that is unknown, they go first, too.
async fn objects_of_mesh(ready: &Prepared, state: &State) -> ObjectDeletion {
    let clients = Clients {
        client: ready.client.clone(),
        watch: Arc::new(NoWatch),
        clusters: Clusters::default(),
    };
    let mut objects = ObjectDeletion::WithCluster;
    for tracked in state.ours().filter(|one| mesh::is_of_mesh(&one.resource)) {
        match mesh::implementation(&clients, &tracked.resource.at).await {
            Ok(Some(word)) if word == mesh::TRAFFIC_DIRECTOR => {
                objects = ObjectDeletion::BackendsFirst;
            }
            Ok(_) => {}
            Err(error) => {
                note(&format!(
                    "note: it is unknown who runs the control plane of {}, so that Services and routes are deleted before the mesh: {error}",
                    tracked.resource.short()
                ));
                objects = ObjectDeletion::BackendsFirst;
            }
        }
    }
    objects
}

/// Deletes the project itself.
async fn delete(
    session: &Session,
    ready: &Prepared,
    journal: &mut Journal,
) -> Result<Exit, CommandError> {
    let project = &session.project;
    let resource = ResourceId {
        kind: "project".to_owned(),
        at: json!({"project": project})
            .as_object()
            .cloned()
            .unwrap_or_default(),
    };
    let key = resource.key();
    journal.write(&Entry::Intent {
        at: now(),
        step: "project".to_owned(),
        resource,
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

/// What `down` would delete, in the order of deletion; what is deleted with another resource is counted there.
fn listed(tasks: &[Task]) -> String {
    let inside = inside(tasks);
    let rows: Vec<Vec<String>> = tasks
        .iter()
        .filter(|task| !matches!(task.goal, TaskGoal::Absent { with: true, .. }))
        .map(|task| {
            let mark = if task.step.keep { "  kept" } else { "  -" };
            let kind = task.step.kind.name();
            vec![
                mark.to_owned(),
                task.step.id.clone(),
                match inside.get(&task.step.id) {
                    Some(inside) => format!("with {inside}"),
                    None => kind.to_owned(),
                },
            ]
        })
        .collect();
    match columns_of_stdout() {
        Some(width) => fitted(&rows, width),
        None => columns(&rows),
    }
}
