//! The loop: one owner of the scheduler, the journal and the events; steps run concurrently where their order allows.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Map;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use super::desired::Converged;
use super::entry::{Entry, now};
use super::event::millis;
use super::event::{Event, RunOutcome, StepOutcome, Tally};
use super::failure::{Failure, StepError, StepFailure};
use super::journal::JournalAccess;
use super::journal::JournalError;
use super::scheduler::{NotPrepared, Scheduler};
use super::task::Task;
use super::worker::{Locks, OwnerRequest, RunState, Worker};
use crate::google::Client;
use crate::kinds::Clusters;

/// The number of steps that run at once. Google's quotas allow more, but a user could not follow more.
const AT_ONCE: usize = 12;
/// After a stop: the time in which requests that were sent may still reach the journal.
const LAST_WORDS: Duration = Duration::from_millis(4500);

/// How a run ended.
#[derive(Debug)]
pub struct RunEnd {
    /// The number of steps by outcome.
    pub tally: Tally,
    /// Whether the run was asked to stop.
    pub stopped: bool,
    /// The journal's error: nothing was sent after it.
    pub journal: Option<Arc<JournalError>>,
}

impl RunEnd {
    /// The outcome.
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

/// Runs the tasks. `tell` gets every event in order; `patience` is how long a deletion is tried at least that something of Google's
/// prevents; `stop` becomes true when the run should end.
pub async fn run(
    client: &Client,
    clusters: Clusters,
    tasks: Vec<Task>,
    mut journal: JournalAccess<'_>,
    mut emit: impl FnMut(&Event),
    patience: Duration,
    stop: watch::Receiver<bool>,
) -> RunEnd {
    let began = Instant::now();
    let (owner, mut requests) = mpsc::unbounded_channel();
    let mut work: JoinSet<(Instant, Result<Converged, Failure>)> = JoinSet::new();
    // The step of each task in `work`: a task that panics does not return it.
    let mut steps = HashMap::new();
    let mut scheduler = Scheduler::new(tasks);
    let mut ended = RunEnd {
        tally: Tally::default(),
        stopped: false,
        journal: None,
    };
    let mut stopping = stop.clone();
    let locks = Locks::default();
    let (tell_ended, steps_ended) = watch::channel(0);
    let last_words = tokio::time::sleep(Duration::MAX);
    tokio::pin!(last_words);

    loop {
        // Checked here and not only where the signal arrives: the last step may have given up before that.
        if !ended.stopped && *stop.borrow() {
            ended.stopped = true;
            last_words.as_mut().reset(Instant::now() + LAST_WORDS);
        }
        while !ended.stopped && ended.journal.is_none() && work.len() < AT_ONCE {
            let Some(id) = scheduler.next_ready() else {
                break;
            };
            let step_id = scheduler.task(&id).step.id.clone();
            let mut worker = Worker::new(
                &scheduler.task(&id).step,
                client,
                clusters.clone(),
                scheduler.learned(),
                owner.clone(),
                locks.clone(),
                RunState {
                    stop: stop.clone(),
                    ended: steps_ended.clone(),
                },
            );
            worker.deletion_patience = patience;
            match scheduler.prepare(&id, &journal) {
                Ok(job) => {
                    emit(&Event::StepStarted {
                        step: step_id,
                        kind: scheduler.task(&id).step.kind.name().to_owned(),
                        name: job.name(),
                        expected: job.tracked().and_then(|tracked| tracked.took),
                    });
                    let task =
                        work.spawn(async move { (Instant::now(), job.carry_out(&worker).await) });
                    steps.insert(task.id(), id);
                }
                Err(NotPrepared::Settled(outcome)) => finish_task(
                    &mut scheduler,
                    &mut ended.tally,
                    &mut emit,
                    &id,
                    Instant::now(),
                    Converged {
                        outcome,
                        differs: false,
                        outputs: Map::new(),
                    },
                ),
                Err(NotPrepared::Waits(steps)) => {
                    let step = step_id;
                    let want = scheduler.task(&id).step.want.clone();
                    emit(&Event::Looked {
                        step,
                        change: super::change::Change::Waits(steps),
                        ours: false,
                        want,
                        inside: None,
                    });
                    let converged = Converged {
                        outcome: StepOutcome::Looked,
                        differs: true,
                        outputs: Map::new(),
                    };
                    finish_task(
                        &mut scheduler,
                        &mut ended.tally,
                        &mut emit,
                        &id,
                        Instant::now(),
                        converged,
                    );
                }
            }
        }
        if work.is_empty() {
            break;
        }
        tokio::select! {
            Some(request) = requests.recv() => answer(request, &mut journal, &mut emit, &mut ended),
            Some(done) = work.join_next_with_id() => {
                // A step's events are emitted before its end.
                while let Ok(request) = requests.try_recv() {
                    answer(request, &mut journal, &mut emit, &mut ended);
                }
                let (task, result) = match done {
                    Ok((task, (since, result))) => (task, result.map(|converged| (since, converged))),
                    Err(error) => (error.id(), Err(Failure::Failed(panicked(error)))),
                };
                let Some(id) = steps.remove(&task) else { continue };
                tell_ended.send_modify(|ended| *ended += 1);
                match result {
                    Ok((since, converged)) => finish_task(&mut scheduler, &mut ended.tally, &mut emit, &id, since, converged),
                    Err(Failure::Failed(failure)) => fail(&mut scheduler, &mut ended.tally, &mut emit, &id, failure),
                    Err(Failure::Stopped) => {}
                }
            }
            // A closed channel is not a stop.
            Ok(_) = stopping.wait_for(|stop| *stop), if !ended.stopped => {}
            () = &mut last_words, if ended.stopped => break,
        }
    }
    if !ended.stopped && ended.journal.is_none() {
        for id in scheduler.stuck() {
            let hint = Some("this is an error in the order of the steps: please report it with the output of `provision steps --dot`".to_owned());
            let failure = StepFailure {
                error: StepError::Cycle,
                hint,
                left: "the step's resource is unchanged".to_owned(),
            };
            fail(&mut scheduler, &mut ended.tally, &mut emit, &id, failure);
        }
    }
    if let JournalAccess::Write(journal) = &mut journal
        && ended.journal.is_none()
    {
        let (at, how) = (now(), ended.how().word().to_owned());
        ended.journal = journal.write(&Entry::End { at, how }).err().map(Arc::new);
    }
    emit(&Event::RunFinished {
        how: ended.how(),
        tally: ended.tally,
        took: millis(began.elapsed()),
    });
    ended
}

fn answer(
    request: OwnerRequest,
    journal: &mut JournalAccess<'_>,
    emit: &mut impl FnMut(&Event),
    ended: &mut RunEnd,
) {
    match request {
        OwnerRequest::Emit(event) => emit(&event),
        OwnerRequest::Write(entry, reply) => {
            let written = match journal {
                JournalAccess::Write(journal) => journal.write(&entry),
                JournalAccess::Read(_) => Ok(()),
            };
            let result = written.map_err(|error| {
                let error = Arc::new(error);
                ended.journal.get_or_insert_with(|| Arc::clone(&error));
                error
            });
            let _ = reply.send(result);
        }
    }
}

fn finish_task(
    scheduler: &mut Scheduler,
    tally: &mut Tally,
    emit: &mut impl FnMut(&Event),
    id: &str,
    since: Instant,
    converged: Converged,
) {
    tally.count(converged.outcome);
    if converged.differs {
        tally.different += 1;
    } else if converged.outcome == StepOutcome::Looked {
        tally.unchanged += 1;
    }
    emit(&Event::Finished {
        step: scheduler.task(id).step.id.clone(),
        outcome: converged.outcome,
        took: millis(since.elapsed()),
    });
    if let StepOutcome::Created | StepOutcome::Updated = converged.outcome {
        scheduler.changed(id);
    }
    if converged.outcome == StepOutcome::Created {
        scheduler.made(id);
    }
    scheduler.done(id, converged.outputs);
}

fn fail(
    scheduler: &mut Scheduler,
    tally: &mut Tally,
    emit: &mut impl FnMut(&Event),
    id: &str,
    failure: StepFailure,
) {
    tally.failed += 1;
    let by = scheduler.task(id).step.id.clone();
    emit(&Event::Failed {
        step: by.clone(),
        error: failure.error.to_string(),
        cause: failure.error.cause().map(Box::new),
        hint: failure.hint,
        left: failure.left,
    });
    // A step whose resource is replaced has two tasks.
    let mut told = BTreeSet::from([by.clone()]);
    for task in scheduler.block(id) {
        let step = scheduler.task(&task).step.id.clone();
        if told.insert(step.clone()) {
            tally.blocked += 1;
            let by = by.clone();
            emit(&Event::Blocked { step, by });
        }
    }
}

/// The failure of a step whose task ended without a result. Nothing cancels a task, so it panicked.
fn panicked(error: JoinError) -> StepFailure {
    let message = match error.try_into_panic() {
        Ok(payload) => match payload.downcast::<String>() {
            Ok(message) => *message,
            Err(payload) => payload
                .downcast_ref::<&str>()
                .copied()
                .unwrap_or("no message")
                .to_owned(),
        },
        Err(error) => error.to_string(),
    };
    StepFailure {
        error: StepError::Panicked(message),
        hint: Some(
            "this is a bug in provision: please report it with the panic message; run again to continue"
                .to_owned(),
        ),
        left: "perhaps a part of its work: the next run looks for it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::patience::DEFAULT;
    use crate::engine::state::State;
    use crate::engine::task::TaskGoal;
    use crate::engine::tasks::alone;
    use crate::google::{Auth, Endpoints};
    use crate::kinds::{Kind, Step};

    /// A step that fails before anything is sent.
    fn nowhere() -> Step {
        Step {
            id: "nowhere".to_owned(),
            ..Step::sample(
                "storage.bucket",
                &serde_json::Value::Null,
                serde_json::Value::Null,
            )
        }
    }

    #[tokio::test]
    async fn a_run_that_was_asked_to_stop_says_so_and_no_other_does() {
        let client = Client::new(Endpoints::emulator("http://127.0.0.1:9"), Auth::none()).unwrap();
        // Repeated, because the order of the signals is random.
        for _ in 0..50 {
            for asked in [true, false] {
                let (say, stop) = watch::channel(asked);
                drop(say);
                let (state, tasks) = (State::default(), alone(vec![nowhere()]));
                let clusters = Clusters::default();
                let journal = JournalAccess::Read(&state);
                let ended = run(&client, clusters, tasks, journal, |_| {}, DEFAULT, stop).await;
                assert_eq!(ended.stopped, asked);
            }
        }
    }

    #[tokio::test]
    async fn what_depends_on_a_step_that_panics_is_blocked_by_it() {
        let client = Client::new(Endpoints::emulator("http://127.0.0.1:9"), Auth::none()).unwrap();
        let task = |id: &str, after: &[&str], settle| Task {
            step: Step {
                id: id.to_owned(),
                kind: Kind::named("check.command").unwrap(),
                ..nowhere()
            },
            after: after.iter().map(|&id| id.to_owned()).collect(),
            goal: TaskGoal::Check { settle },
        };
        let second = Duration::from_secs(1);
        let tasks = vec![
            // Adding so long a duration to an instant overflows, and panics.
            task("first", &[], Duration::MAX),
            task("second", &["first"], second),
            task("third", &["second"], second),
        ];
        let (_say, stop) = watch::channel(false);
        let state = State::default();
        let mut failed = Vec::new();
        let mut blocked = Vec::new();
        let tell = |event: &Event| match event {
            Event::Failed { step, error, .. } => failed.push((step.clone(), error.clone())),
            Event::Blocked { step, by } => blocked.push((step.clone(), by.clone())),
            _ => {}
        };
        let journal = JournalAccess::Read(&state);
        let ended = run(
            &client,
            Clusters::default(),
            tasks,
            journal,
            tell,
            DEFAULT,
            stop,
        )
        .await;
        let [(step, error)] = failed.as_slice() else {
            panic!("one step failed: {failed:?}");
        };
        assert_eq!(step, "first");
        assert!(error.starts_with("the step panicked: overflow"), "{error}");
        let by_first = |step: &str| (step.to_owned(), "first".to_owned());
        assert_eq!(blocked, [by_first("second"), by_first("third")]);
        assert_eq!((ended.tally.failed, ended.tally.blocked), (1, 2));
        assert_eq!(ended.how(), RunOutcome::Failed);
    }
}
