//! Follows the run that holds the environment: it shows that run's events as its own terminal would, and returns its result. The
//! run is over as soon as its lock is free; a run that died without an end is taken over.

use std::time::Duration;

use super::outline::outline_of;
use super::output::note;
use super::presenter::RunPresenter;
use super::session::Session;
use super::signals;
use crate::engine::entry::Run;
use crate::engine::event_log::EventLogTail;
use crate::engine::journal::{Journal, JournalError};
use crate::error::{CommandError, Exit};
use crate::ui::outline::Outline;

/// The pause between two reads of the log. The lock can be awaited, a growing file cannot.
const NEXT_READ: Duration = Duration::from_millis(100);

/// How following ended.
pub enum FollowEnd {
    /// The run ended, or the user stopped following it.
    Ended(Exit),
    /// The run died, or was cancelled before it started: the environment is ours.
    Free(Box<Journal>),
}

/// Whether the run that holds the environment does the same as the one requested here.
pub fn is_same(holder: &Run, ours: &Run) -> bool {
    // This machine's address does not matter: it is added to the existing ones.
    let given = |run: &Run| {
        let mut given = run.given.clone();
        given.remove(super::given::AUTHORIZED);
        given
    };
    let cluster = |run: &Run| run.cluster.clone().map(|cluster| cluster.uid);
    holder.verb == ours.verb
        && holder.asked == ours.asked
        && holder.emulated == ours.emulated
        && holder.folders == ours.folders
        && cluster(holder) == cluster(ours)
        && given(holder) == given(ours)
}

/// Follows the run that holds the environment until it ends; `ours` would have done the same, through the same chapter and with
/// the same steps replaced.
pub async fn follow(
    session: &Session,
    through: Option<&str>,
    replace: &[String],
    ours: &Run,
    holder: Run,
) -> Result<FollowEnd, CommandError> {
    let path = session.journal_path();
    let mut free = tokio::task::spawn_blocking(move || Journal::wait(&path));
    let mut stopped = signals::listen();
    let mut holder = holder;
    loop {
        note(&format!(
            "following {}: the run continues without this terminal; Ctrl-C stops following, not the run",
            holder.who()
        ));
        let mut shown = RunView::new(session, outline_of(session, through, replace), &holder);
        let next = loop {
            shown.read();
            tokio::select! {
                journal = &mut free => {
                    shown.read();
                    shown.presenter.clear();
                    let journal = journal.map_err(|error| CommandError::failed(error.to_string(), "run again"))??;
                    return Ok(match shown.presenter.how() {
                        Some(how) => FollowEnd::Ended(how.into()),
                        None => {
                            note(&format!("{} did not finish: continuing from there", holder.who()));
                            FollowEnd::Free(Box::new(journal))
                        }
                    });
                }
                Ok(_) = stopped.wait_for(|stopped| *stopped) => {
                    shown.presenter.clear();
                    note(&format!("stopped following; {} continues", holder.who()));
                    return Ok(FollowEnd::Ended(Exit::Interrupted));
                }
                () = tokio::time::sleep(NEXT_READ) => {}
            }
            // Another process was faster to continue after it.
            if let Some(next) = shown.next(session) {
                break next;
            }
        };
        shown.read();
        shown.presenter.clear();
        if is_same(&next, ours) {
            holder = next;
            continue;
        }
        return match shown.presenter.how() {
            Some(how) => Ok(FollowEnd::Ended(how.into())),
            None => {
                let holder = Some(Box::new(next));
                Err(JournalError::Held { holder }.into())
            }
        };
    }
}

/// A run of another process, read from its log.
struct RunView {
    run: String,
    tail: Option<EventLogTail>,
    presenter: RunPresenter,
}

impl RunView {
    fn new(session: &Session, outline: Outline, holder: &Run) -> RunView {
        let tail = EventLogTail::open(&session.folder).filter(|tail| tail.run.run == holder.run);
        let age = tail.as_ref().map(EventLogTail::age).unwrap_or_default();
        RunView {
            run: holder.run.clone(),
            tail,
            presenter: RunPresenter::of_other_run(session, age, outline),
        }
    }

    /// Shows what was appended to the log.
    fn read(&mut self) {
        for (at, event) in self.tail.iter_mut().flat_map(EventLogTail::read) {
            self.presenter.show_at(&event, at);
        }
    }

    /// The run that has replaced the one that is shown.
    fn next(&self, session: &Session) -> Option<Run> {
        if self.tail.as_ref().is_some_and(|tail| !tail.is_replaced()) {
            return None;
        }
        let next = EventLogTail::open(&session.folder)?.run;
        (next.run != self.run).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_run_is_followed_only_by_one_that_would_do_the_same() {
        let run = |verb: &str, asked: &[&str], zone: &str, address: &str| Run {
            at: String::new(),
            format: 1,
            run: String::new(),
            verb: verb.to_owned(),
            pid: 1,
            host: String::new(),
            asked: asked.iter().map(|asked| (*asked).to_owned()).collect(),
            program: String::new(),
            emulated: false,
            cloud: None,
            folders: Default::default(),
            kept: Vec::new(),
            cluster: None,
            given: json!({"zone": zone, "authorized_networks": [address]})
                .as_object()
                .unwrap()
                .clone(),
        };
        let holder = run("up", &["--through mesh"], "a", "1");
        for (ours, same) in [
            (run("up", &["--through mesh"], "a", "1"), true),
            (run("up", &["--through mesh"], "a", "2"), true),
            (run("up", &[], "a", "1"), false),
            (run("down", &["--through mesh"], "a", "1"), false),
            (run("up", &["--through mesh"], "b", "1"), false),
        ] {
            assert_eq!(is_same(&holder, &ours), same, "{ours:?}");
        }
    }
}
