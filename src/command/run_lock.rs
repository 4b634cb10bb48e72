//! The lock of a run that changes something: the journal, which locks the environment, and the log by which others follow the run.

use super::output::note;
use super::session::Session;
use super::{signals, steps_folder};
use crate::engine::entry::{Entry, FIRST_FORMAT, FORMAT, Run, now};
use crate::engine::event_log::EventLog;
use crate::engine::journal::{Journal, JournalError};
use crate::error::CommandError;
use crate::kinds::{ResourceId, Step};

/// The lock on the environment, until this is dropped or the process ends in any way.
pub struct RunLock {
    /// The journal.
    pub journal: Journal,
    /// The log of the run's events.
    pub log: EventLog,
    /// The run's first record.
    pub run: Run,
}

impl RunLock {
    /// Locks the environment for a verb; `asked` are the verb's arguments beside the parameters.
    pub fn take(
        session: &Session,
        verb: &str,
        asked: Vec<String>,
    ) -> Result<RunLock, JournalError> {
        let journal = Journal::open(&session.journal_path())?;
        Ok(RunLock::of(session, journal, verb, asked))
    }

    /// The same with a journal that is locked already.
    pub fn of(session: &Session, journal: Journal, verb: &str, asked: Vec<String>) -> RunLock {
        let run = run(session, verb, asked);
        let log = begin(session, &run);
        RunLock { journal, log, run }
    }

    /// Warns if the last run was on another machine and has no end: the lock works on one machine only.
    pub fn warn_of_another_machine(&self) {
        if let Some(last) = &self.journal.state.last_run
            && !self.journal.state.ended
            && !last.host.is_empty()
            && last.host != self.run.host
        {
            note(&format!(
                "note: the last run was on another machine, {} ({}), and did not finish: make sure that it has ended, because the lock works on one machine only",
                last.host,
                last.who()
            ));
        }
    }

    /// Writes the first record of the run, with the parameters known by now: a resume uses the same.
    pub fn begin(&mut self, session: &Session, steps: &[Step]) -> Result<(), CommandError> {
        self.run.kept = kept(steps);
        self.run.given = session.given_values();
        self.run.cloud = session.cloud.clone();
        Ok(self
            .journal
            .write(&Entry::Run(Box::new(self.run.clone())))?)
    }
}

/// The keys of the resources that the steps keep.
pub fn kept(steps: &[Step]) -> Vec<String> {
    let kept = steps.iter().filter(|step| step.keep);
    kept.map(|step| ResourceId::new(step.kind, step.at.clone()).key())
        .collect()
}

/// Starts the log of a run that holds the environment. From here on the run outlives its terminal.
pub fn begin(session: &Session, run: &Run) -> EventLog {
    signals::outlive_terminal();
    EventLog::begin(&session.folder, run)
}

/// The run that starts now.
pub fn run(session: &Session, verb: &str, asked: Vec<String>) -> Run {
    Run {
        at: now(),
        format: match session.own {
            Some(_) => FORMAT,
            None => FIRST_FORMAT,
        },
        run: uuid::Uuid::new_v4().to_string(),
        verb: verb.to_owned(),
        pid: std::process::id(),
        host: host(),
        asked,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        emulated: session.global.emulate,
        cloud: session.cloud.clone(),
        kept: Vec::new(),
        folders: steps_folder::folders(&session.source),
        cluster: session.own.as_ref().map(|own| own.identity.clone()),
        given: session.given_values(),
    }
}

/// This machine's name; empty if it cannot be read.
fn host() -> String {
    let name =
        std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME"));
    name.unwrap_or_default().trim().to_owned()
}
