//! The loop: one owner of what is ready, of the journal and of events; steps at work beside each other where order allows.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Map;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::event::{Event, RunOutcome, StepOutcome, Tally};
use super::failure::{Failure, StepFailure};
use super::journal::{Entry, Journal, JournalError, now};
use super::present::{Converged, millis};
use super::scheduler::{NotPrepared, Scheduler};
use super::state::{State, TrackedResource};
use super::worker::{Locks, OwnerRequest, Worker};
use crate::google::Client;
use crate::kinds::Step;
use crate::kinds::{Clusters, ResourceId};

/// How many steps are at work at once. Google's quotas allow more; a reader's eyes do not.
const AT_ONCE: usize = 12;
/// After being asked to stop: how long requests that have left may take to reach the journal.
const LAST_WORDS: Duration = Duration::from_millis(4500);

/// One step of a run.
pub struct Task {
    /// The step; of a thing that no step speaks of any more, made up from the journal.
    pub step: Step,
    /// Ids of tasks that must come to a good end before it begins.
    pub after: BTreeSet<String>,
    /// What it is towards.
    pub goal: TaskGoal,
}

/// What a task is towards.
pub enum TaskGoal {
    /// The thing is there, as the step wants it; tasks whose things its create may bring along.
    Present {
        /// Ids of those tasks.
        inside: Vec<String>,
        /// The task whose create may bring this one's thing along.
        with: Option<String>,
        /// What is there and not ours is to count as ours.
        adopt: bool,
    },
    /// It is known what stands under the step's name, and what speaks for it being ours.
    Found,
    /// A claim holds.
    Holds {
        /// How long to wait for that.
        settle: Duration,
    },
    /// What the journal says is ours is gone.
    Absent {
        /// What the journal knows.
        tracked: Box<TrackedResource>,
        /// Things that go with it.
        inside: Vec<ResourceId>,
        /// It goes with the thing that holds it: there is nothing to do for it.
        with: bool,
    },
}

/// The journal, as far as a run may touch it.
pub enum JournalAccess<'a> {
    /// For runs that act.
    Write(&'a mut Journal),
    /// For runs that only look.
    Read(&'a State),
}

/// How a run ended.
#[derive(Debug)]
pub struct RunEnd {
    /// The counts.
    pub tally: Tally,
    /// Whether it was asked to stop.
    pub stopped: bool,
    /// The journal failed: nothing more was sent.
    pub journal: Option<JournalError>,
}

impl RunEnd {
    /// In a word.
    pub fn how(&self) -> RunOutcome {
        if self.stopped {
            RunOutcome::Interrupted
        } else if self.journal.is_some() || self.tally.failed > 0 {
            RunOutcome::Failed
        } else {
            RunOutcome::Done
        }
    }
}

/// Runs the tasks. `tell` hears every event in order; `stop` turns true when the run should end.
pub async fn run(
    client: &Client,
    clusters: Clusters,
    tasks: Vec<Task>,
    mut book: JournalAccess<'_>,
    mut tell: impl FnMut(&Event),
    stop: watch::Receiver<bool>,
) -> RunEnd {
    let began = Instant::now();
    let (owner, mut asks) = mpsc::unbounded_channel();
    let mut work: JoinSet<(String, Instant, Result<Converged, Failure>)> = JoinSet::new();
    let mut board = Scheduler::new(tasks);
    let mut ended = RunEnd {
        tally: Tally::default(),
        stopped: false,
        journal: None,
    };
    let mut stopping = stop.clone();
    let locks = Locks::default();
    let last_words = tokio::time::sleep(Duration::MAX);
    tokio::pin!(last_words);

    loop {
        // Asked here and not where it is heard: the last step may have given up before that.
        if !ended.stopped && *stop.borrow() {
            ended.stopped = true;
            last_words.as_mut().reset(Instant::now() + LAST_WORDS);
        }
        while !ended.stopped && ended.journal.is_none() && work.len() < AT_ONCE {
            let Some(id) = board.next_ready() else { break };
            let worker = Worker::new(
                &board.task(&id).step,
                client,
                clusters.clone(),
                board.enabled().clone(),
                owner.clone(),
                locks.clone(),
                stop.clone(),
            );
            match board.prepare(&id, &book) {
                Ok(job) => {
                    tell(&Event::StepStarted {
                        step: id.clone(),
                        kind: board.task(&id).step.kind.name().to_owned(),
                        name: job.name(),
                        expected: job.tracked().and_then(|tracked| tracked.took),
                    });
                    work.spawn(async move { (id, Instant::now(), job.carry_out(&worker).await) });
                }
                Err(NotPrepared::Settled(outcome)) => finish_task(
                    &mut board,
                    &mut ended.tally,
                    &mut tell,
                    &id,
                    Instant::now(),
                    Converged {
                        outcome,
                        differs: false,
                        outputs: Map::new(),
                    },
                ),
                Err(NotPrepared::Waits(steps)) => {
                    let step = id.clone();
                    let want = board.task(&id).step.want.clone();
                    tell(&Event::Looked {
                        step,
                        change: super::change::Change::Waits(steps),
                        ours: false,
                        want,
                        inside: None,
                    });
                    let settled = Converged {
                        outcome: StepOutcome::Looked,
                        differs: true,
                        outputs: Map::new(),
                    };
                    finish_task(
                        &mut board,
                        &mut ended.tally,
                        &mut tell,
                        &id,
                        Instant::now(),
                        settled,
                    );
                }
            }
        }
        if work.is_empty() {
            break;
        }
        tokio::select! {
            Some(ask) = asks.recv() => answer(ask, &mut book, &mut tell, &mut ended),
            Some(done) = work.join_next() => {
                // What the step said before it ended comes before its end.
                while let Ok(ask) = asks.try_recv() {
                    answer(ask, &mut book, &mut tell, &mut ended);
                }
                match done {
                    Ok((id, since, Ok(settled))) => finish_task(&mut board, &mut ended.tally, &mut tell, &id, since, settled),
                    Ok((id, _, Err(Failure::Told(told)))) => fail(&mut board, &mut ended.tally, &mut tell, &id, told),
                    Ok((_, _, Err(Failure::Stopped))) => {}
                    // It broke off in the middle, and has said so on stderr; what comes after it is not begun.
                    Err(_) => ended.tally.failed += 1,
                }
            }
            // Where nobody can say stop any more, nobody has.
            Ok(_) = stopping.wait_for(|stop| *stop), if !ended.stopped => {}
            () = &mut last_words, if ended.stopped => break,
        }
    }
    if !ended.stopped && ended.journal.is_none() {
        for id in board.stuck() {
            let error = "it waits for something that waits for it".to_owned();
            let hint = Some("this is a fault of the steps' order: please report it with `provision steps --dot`".to_owned());
            let told = StepFailure {
                error,
                hint,
                left: "what it is about, as it was".to_owned(),
                class: None,
            };
            fail(&mut board, &mut ended.tally, &mut tell, &id, told);
        }
    }
    if let JournalAccess::Write(journal) = &mut book
        && ended.journal.is_none()
    {
        let (at, how) = (now(), ended.how().word().to_owned());
        ended.journal = journal.write(&Entry::End { at, how }).err();
    }
    tell(&Event::RunFinished {
        how: ended.how(),
        tally: ended.tally,
        took: millis(began.elapsed()),
    });
    ended
}

fn answer(
    ask: OwnerRequest,
    book: &mut JournalAccess<'_>,
    tell: &mut impl FnMut(&Event),
    ended: &mut RunEnd,
) {
    match ask {
        OwnerRequest::Tell(event) => tell(&event),
        OwnerRequest::Write(entry, reply) => {
            let written = match book {
                JournalAccess::Write(journal) => journal.write(&entry),
                JournalAccess::Read(_) => Ok(()),
            };
            // The step learns that it failed; the run learns why.
            let told = match written {
                Ok(()) => Ok(()),
                Err(error) => {
                    let text = JournalError::Io {
                        path: "journal".to_owned(),
                        source: std::io::Error::other(error.to_string()),
                    };
                    ended.journal.get_or_insert(error);
                    Err(text)
                }
            };
            let _ = reply.send(told);
        }
    }
}

fn finish_task(
    board: &mut Scheduler,
    tally: &mut Tally,
    tell: &mut impl FnMut(&Event),
    id: &str,
    since: Instant,
    settled: Converged,
) {
    tally.count(settled.outcome);
    if settled.differs {
        tally.different += 1;
    } else if settled.outcome == StepOutcome::Looked {
        tally.unchanged += 1;
    }
    tell(&Event::Finished {
        step: id.to_owned(),
        outcome: settled.outcome,
        took: millis(since.elapsed()),
    });
    if settled.outcome == StepOutcome::Created {
        board.made(id);
    }
    board.done(id, settled.outputs);
}

fn fail(
    board: &mut Scheduler,
    tally: &mut Tally,
    tell: &mut impl FnMut(&Event),
    id: &str,
    told: StepFailure,
) {
    tally.failed += 1;
    tell(&Event::Failed {
        step: id.to_owned(),
        error: told.error,
        hint: told.hint,
        left: told.left,
    });
    for step in board.block(id) {
        tally.blocked += 1;
        tell(&Event::Blocked {
            step,
            by: id.to_owned(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tasks::present;
    use crate::google::{Auth, Endpoints};
    use crate::kinds::Kind;
    use crate::steps::SourceLocation;

    /// A step that fails before anything is sent.
    fn nowhere() -> Step {
        Step {
            id: "nowhere".to_owned(),
            chapter: String::new(),
            says: String::new(),
            kind: Kind::named("storage.bucket").unwrap(),
            at: Map::new(),
            want: serde_json::Value::Null,
            needs: BTreeSet::new(),
            within: Duration::from_secs(1),
            keep: false,
            source: SourceLocation {
                file: String::new(),
                line: 1,
            },
        }
    }

    #[tokio::test]
    async fn a_run_that_was_asked_to_stop_says_so_and_no_other_does() {
        let client = Client::new(Endpoints::emulator("http://127.0.0.1:9"), Auth::none()).unwrap();
        // Often, because who is heard first is a matter of luck.
        for _ in 0..50 {
            for asked in [true, false] {
                let (say, stop) = watch::channel(asked);
                drop(say);
                let (state, tasks) = (State::default(), present(&[nowhere()]).unwrap());
                let clusters = Clusters::default();
                let book = JournalAccess::Read(&state);
                let ended = run(&client, clusters, tasks, book, |_| {}, stop).await;
                assert_eq!(ended.stopped, asked);
            }
        }
    }
}
