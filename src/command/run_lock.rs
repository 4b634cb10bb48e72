//! What a run that acts holds: the journal, and with it the environment, and the log that others follow it by.

use super::output::note;
use super::session::Session;
use super::signals;
use crate::engine::entry::{Entry, FIRST_FORMAT, FORMAT, Run, now};
use crate::engine::event_log::EventLog;
use crate::engine::journal::{Journal, JournalError};
use crate::error::CommandError;

/// The environment, held until this is dropped or the process ends, however it ends.
pub struct RunLock {
    /// The journal.
    pub journal: Journal,
    /// The log of its events.
    pub log: EventLog,
    run: Run,
}

impl RunLock {
    /// Takes hold of the environment for a verb; `asked` is what was asked of it beside the parameters.
    pub fn take(
        session: &Session,
        verb: &str,
        asked: Vec<String>,
    ) -> Result<RunLock, JournalError> {
        let journal = Journal::open(&session.journal_path())?;
        Ok(RunLock::of(session, journal, verb, asked))
    }

    /// The same with a journal that is held already.
    pub fn of(session: &Session, journal: Journal, verb: &str, asked: Vec<String>) -> RunLock {
        let run = run(session, verb, asked);
        if let Some(last) = &journal.state.last_run
            && !journal.state.ended
            && !last.host.is_empty()
            && last.host != run.host
        {
            note(&format!(
                "note: the last run was on another machine, {} ({}), and did not finish: make sure that it has ended, because the lock works on one machine only",
                last.host,
                last.who()
            ));
        }
        let log = begin(session, &run);
        RunLock { journal, log, run }
    }

    /// Writes the first line of the run, with what is given by now: a resume asks for the same.
    pub fn begin(&mut self, session: &Session) -> Result<(), CommandError> {
        self.run.given = session.given();
        Ok(self.journal.write(&Entry::Run(self.run.clone()))?)
    }
}

/// Begins the log of a run that holds the environment, which from here on outlives its terminal.
pub fn begin(session: &Session, run: &Run) -> EventLog {
    signals::outlive_terminal();
    EventLog::begin(&session.folder, run)
}

/// The run that begins now.
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
        cluster: session.own.as_ref().map(|own| own.identity.clone()),
        given: session.given(),
    }
}

/// This machine's name; empty where it has none that can be read.
fn host() -> String {
    let name =
        std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME"));
    name.unwrap_or_default().trim().to_owned()
}
