//! Runs a verb's tasks: on the engine, on the screen, and into the log by which others follow the run.

use tokio::sync::watch;

use super::ending::after_interrupt;
use super::outline::outline;
use super::output::note;
use super::presenter::RunPresenter;
use super::run_lock::RunLock;
use super::session::{Prepared, Session};
use super::signals;
use crate::engine::event::Event;
use crate::engine::journal::JournalAccess;
use crate::engine::run::{RunEnd, run};
use crate::engine::state::State;
use crate::engine::task::Task;
use crate::error::Exit;
use crate::ui::ScreenPrinter;

/// The properties of a verb that runs steps.
#[derive(Debug, Clone, Copy)]
pub struct VerbSpec {
    /// The verb's name on the command line and in the journal.
    pub name: &'static str,
    /// Whether the verb looks up this machine's address.
    pub looks_up: bool,
}

/// Runs tasks that change something, shows their events and logs them.
pub async fn change(
    session: &Session,
    verb: VerbSpec,
    ready: &Prepared,
    tasks: Vec<Task>,
    lock: &mut RunLock,
) -> RunEnd {
    let RunLock { journal, log, .. } = lock;
    let outline = outline(session, &tasks, &journal.state);
    let mut presenter = RunPresenter::of_changes(session, outline);
    let access = JournalAccess::Write(journal);
    let also = |event: &Event| log.append(event);
    execute(session, verb, ready, tasks, access, &mut presenter, also).await
}

/// Runs tasks that only read; `also` gets every event.
pub async fn look(
    session: &Session,
    verb: VerbSpec,
    ready: &Prepared,
    tasks: Vec<Task>,
    state: &State,
    mut presenter: RunPresenter,
    also: impl FnMut(&Event),
) -> RunEnd {
    let access = JournalAccess::Read(state);
    execute(session, verb, ready, tasks, access, &mut presenter, also).await
}

async fn execute(
    session: &Session,
    verb: VerbSpec,
    ready: &Prepared,
    tasks: Vec<Task>,
    access: JournalAccess<'_>,
    presenter: &mut RunPresenter,
    mut also: impl FnMut(&Event),
) -> RunEnd {
    let started = Event::RunStarted {
        verb: verb.name.to_owned(),
        project: session.project.clone(),
        steps: tasks.len(),
        identity: session.identity.clone(),
    };
    also(&started);
    presenter.show(&started);
    let clusters = ready.clusters(session.force);
    let stop = signals::listen();
    let said = tokio::spawn(say_stopping(stop.clone(), presenter.printer()));
    let tell = |event: &Event| {
        also(event);
        presenter.show(event);
    };
    let patience = session.deletion_patience;
    let ended = run(
        &ready.client,
        clusters,
        tasks,
        access,
        tell,
        patience,
        stop.clone(),
    )
    .await;
    match *stop.borrow() {
        true => {
            // Before the closing lines. An error means that it was not said.
            let _ = said.await;
        }
        false => said.abort(),
    }
    presenter.clear();
    ended
}

/// Says that a run is being stopped, as soon as the user asks for it. The screen writes it: another writer would disturb the block.
async fn say_stopping(mut stop: watch::Receiver<bool>, screen: ScreenPrinter) {
    if stop.wait_for(|stop| *stop).await.is_ok() {
        screen.print("stopping: finishing requests in flight; press Ctrl-C again to quit now");
    }
}

/// Reports what stopped a run that changes something, if anything did, and returns its outcome as an exit code. `state` is what the
/// journal has recorded.
pub fn close(session: &Session, verb: VerbSpec, ended: &RunEnd, state: &State) -> Exit {
    let verb = verb.name;
    if let Some(error) = &ended.journal {
        note(&format!(
            "error: {error}\nhint: no request is sent before it is in the journal: free disk space, or name another folder with --state-dir\nleft: what the journal records; run again to continue"
        ));
    } else if ended.stopped {
        note(&format!(
            "interrupted: the journal has every request that was started; run `provision {verb}` to continue"
        ));
        if !session.json() {
            after_interrupt(session, state);
        }
    } else if ended.tally.failed > 0 && !session.json() {
        note(&format!(
            "fix this, then run `provision {verb}` to continue"
        ));
    }
    ended.how().into()
}
