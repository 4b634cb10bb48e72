//! The loop: one owner of what is ready, of the journal and of events; steps at work beside each other where order allows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::absent::absent;
use super::event::{Event, Outcome, Tally};
use super::failure::{Failure, Told};
use super::journal::{Entry, Journal, JournalError, now};
use super::present::{Settled, Wanted, look_only, millis, present};
use super::state::{Known, State};
use super::worker::{Ask, Locks, Worker};
use crate::google::Client;
use crate::kinds::{Kind, Thing};
use crate::steps::{Step, refs};

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
    pub goal: Goal,
}

/// What a task is towards.
pub enum Goal {
    /// The thing is there, as the step wants it; tasks whose things its create may bring along.
    Present {
        /// Ids of those tasks.
        inside: Vec<String>,
        /// The task whose create may bring this one's thing along.
        with: Option<String>,
    },
    /// What the journal says is ours is gone.
    Absent {
        /// What the journal knows.
        known: Box<Known>,
        /// Things that go with it.
        inside: Vec<Thing>,
        /// It goes with the thing that holds it: there is nothing to do for it.
        with: bool,
    },
}

/// The journal, as far as a run may touch it.
pub enum Book<'a> {
    /// For runs that act.
    Write(&'a mut Journal),
    /// For runs that only look.
    Read(&'a State),
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// The counts.
    pub tally: Tally,
    /// Whether it was asked to stop.
    pub stopped: bool,
    /// The journal failed: nothing more was sent.
    pub journal: Option<JournalError>,
}

/// Runs the tasks. `tell` hears every event in order; `stop` turns true when the run should end.
pub async fn run(
    client: &Client,
    tasks: Vec<Task>,
    mut book: Book<'_>,
    mut tell: impl FnMut(&Event),
    stop: watch::Receiver<bool>,
) -> Ended {
    let began = Instant::now();
    let (owner, mut asks) = mpsc::unbounded_channel();
    let mut work: JoinSet<(String, Instant, Result<Settled, Failure>)> = JoinSet::new();
    let mut board = Board::new(tasks);
    let mut ended = Ended {
        tally: Tally::default(),
        stopped: false,
        journal: None,
    };
    let mut stopping = stop.clone();
    let locks = Locks::default();
    let last_words = tokio::time::sleep(Duration::MAX);
    tokio::pin!(last_words);

    loop {
        while !ended.stopped && ended.journal.is_none() && work.len() < AT_ONCE {
            let Some(id) = board.next_ready() else { break };
            let worker = Worker::new(
                &board.task(&id).step,
                client,
                board.enabled.clone(),
                owner.clone(),
                locks.clone(),
                stop.clone(),
            );
            match board.prepare(&id, &book) {
                Ok(job) => {
                    tell(&Event::StepStarted {
                        step: id.clone(),
                        kind: board.task(&id).step.kind.clone(),
                        name: job.name(),
                        expected: job.known().and_then(|known| known.took),
                    });
                    work.spawn(async move { (id, Instant::now(), job.carry_out(&worker).await) });
                }
                Err(Unprepared::Settled(outcome)) => settle(
                    &mut board,
                    &mut ended.tally,
                    &mut tell,
                    &id,
                    Instant::now(),
                    Settled {
                        outcome,
                        differs: false,
                        gives: Map::new(),
                    },
                ),
                Err(Unprepared::Waits(steps)) => {
                    let step = id.clone();
                    let want = board.task(&id).step.want.clone();
                    tell(&Event::Looked {
                        step,
                        change: super::change::Change::Waits(steps),
                        ours: false,
                        want,
                        inside: None,
                    });
                    let settled = Settled {
                        outcome: Outcome::Looked,
                        differs: true,
                        gives: Map::new(),
                    };
                    settle(
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
                    Ok((id, since, Ok(settled))) => settle(&mut board, &mut ended.tally, &mut tell, &id, since, settled),
                    Ok((id, _, Err(Failure::Told(told)))) => fail(&mut board, &mut ended.tally, &mut tell, &id, told),
                    Ok((_, _, Err(Failure::Stopped))) | Err(_) => {}
                }
            }
            _ = stopping.wait_for(|stop| *stop), if !ended.stopped => {
                ended.stopped = true;
                last_words.as_mut().reset(Instant::now() + LAST_WORDS);
            }
            () = &mut last_words, if ended.stopped => break,
        }
    }
    if let Book::Write(journal) = &mut book {
        let how = if ended.stopped {
            "interrupted"
        } else if ended.tally.failed > 0 {
            "failed"
        } else {
            "done"
        };
        if let Err(error) = journal.write(&Entry::End {
            at: now(),
            how: how.to_owned(),
        }) {
            ended.journal.get_or_insert(error);
        }
    }
    tell(&Event::RunFinished {
        tally: ended.tally,
        took: millis(began.elapsed()),
    });
    ended
}

fn answer(ask: Ask, book: &mut Book<'_>, tell: &mut impl FnMut(&Event), ended: &mut Ended) {
    match ask {
        Ask::Tell(event) => tell(&event),
        Ask::Write(entry, reply) => {
            let written = match book {
                Book::Write(journal) => journal.write(&entry),
                Book::Read(_) => Ok(()),
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

fn settle(
    board: &mut Board,
    tally: &mut Tally,
    tell: &mut impl FnMut(&Event),
    id: &str,
    since: Instant,
    settled: Settled,
) {
    tally.count(settled.outcome);
    if settled.differs {
        tally.different += 1;
    } else if settled.outcome == Outcome::Looked {
        tally.unchanged += 1;
    }
    tell(&Event::Finished {
        step: id.to_owned(),
        outcome: settled.outcome,
        took: millis(since.elapsed()),
    });
    if settled.outcome == Outcome::Created {
        board.created.insert(id.to_owned());
    }
    board.done(id, settled.gives);
}

fn fail(board: &mut Board, tally: &mut Tally, tell: &mut impl FnMut(&Event), id: &str, told: Told) {
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

/// Who is ready, who is done, and what they gave.
struct Board {
    tasks: BTreeMap<String, Task>,
    /// Not begun yet, in the order in which they were given.
    waiting: Vec<String>,
    done: BTreeSet<String>,
    gives: BTreeMap<String, Map<String, Value>>,
    /// Those that were made in this run.
    created: BTreeSet<String>,
    /// Hosts of APIs that are enabled for sure.
    enabled: BTreeSet<String>,
}

/// Why a task that is ready is not begun.
enum Unprepared {
    /// There is nothing to do for it.
    Settled(Outcome),
    /// Where it is cannot be said before these steps are done.
    Waits(Vec<String>),
}

/// A task with its references filled.
enum Job {
    Look(Wanted, Option<Known>),
    Present(Wanted, Option<Known>),
    Absent(Kind, Box<Known>, Vec<Thing>),
}

impl Board {
    fn new(tasks: Vec<Task>) -> Board {
        let waiting = tasks.iter().map(|task| task.step.id.clone()).collect();
        let tasks = tasks
            .into_iter()
            .map(|task| (task.step.id.clone(), task))
            .collect();
        Board {
            tasks,
            waiting,
            done: BTreeSet::new(),
            gives: BTreeMap::new(),
            created: BTreeSet::new(),
            enabled: BTreeSet::new(),
        }
    }

    fn task(&self, id: &str) -> &Task {
        &self.tasks[id]
    }

    /// Takes the first task that may begin.
    fn next_ready(&mut self) -> Option<String> {
        let ready = self.waiting.iter().position(|id| {
            self.tasks[id]
                .after
                .iter()
                .all(|before| self.done.contains(before))
        })?;
        Some(self.waiting.remove(ready))
    }

    fn done(&mut self, id: &str, gives: Map<String, Value>) {
        let step = &self.tasks[id].step;
        if let Some(Kind::Services) = Kind::named(&step.kind) {
            self.enabled.extend(Kind::Services.parts(&step.want));
        }
        self.done.insert(id.to_owned());
        self.gives.insert(id.to_owned(), gives);
    }

    /// Takes away every task that was to come after a failed one.
    fn block(&mut self, failed: &str) -> Vec<String> {
        let mut blocked = Vec::new();
        let mut causes = vec![failed.to_owned()];
        while let Some(cause) = causes.pop() {
            let tasks = &self.tasks;
            let (stuck, rest): (Vec<_>, Vec<_>) = self
                .waiting
                .drain(..)
                .partition(|id| tasks[id].after.contains(&cause));
            self.waiting = rest;
            causes.extend(stuck.iter().cloned());
            blocked.extend(stuck);
        }
        blocked
    }

    fn prepare(&self, id: &str, book: &Book<'_>) -> Result<Job, Unprepared> {
        let task = self.task(id);
        let state = match book {
            Book::Write(journal) => &journal.state,
            Book::Read(state) => state,
        };
        match &task.goal {
            Goal::Absent { with: true, .. } => Err(Unprepared::Settled(Outcome::WithParent)),
            Goal::Absent { .. } if task.step.keep => Err(Unprepared::Settled(Outcome::Kept)),
            Goal::Absent { known, inside, .. } => {
                let kind =
                    Kind::named(&known.thing.kind).ok_or(Unprepared::Settled(Outcome::Kept))?;
                Ok(Job::Absent(kind, known.clone(), inside.clone()))
            }
            Goal::Present { inside, with } => {
                let mut wanted = self.wanted(id, None)?;
                wanted.came_along = with
                    .as_ref()
                    .is_some_and(|with| self.created.contains(with));
                wanted.with.clone_from(with);
                wanted.inside = inside
                    .iter()
                    .filter_map(|inner| self.wanted(inner, Some((id, &wanted.thing))).ok())
                    .filter(|inner| inner.unknown.is_empty())
                    .map(|inner| (inner.thing, inner.want))
                    .collect();
                let known = state.get(&wanted.thing.key()).cloned();
                Ok(match book {
                    Book::Write(_) => Job::Present(wanted, known),
                    Book::Read(_) => Job::Look(wanted, known),
                })
            }
        }
    }

    /// The task's thing and what it should look like. `parent` is a step whose thing is not there yet but whose names
    /// are known from where it will be.
    fn wanted(&self, id: &str, parent: Option<(&str, &Thing)>) -> Result<Wanted, Unprepared> {
        let step = &self.task(id).step;
        let known = |reference: &refs::Ref| {
            if let Some((parent, thing)) = parent
                && parent == reference.step
            {
                return match reference.field.as_str() {
                    "name" => Some(thing.short().into()),
                    field => thing.at.get(field).cloned(),
                };
            }
            let gives = self.gives.get(&reference.step)?;
            reference
                .field
                .split('.')
                .try_fold(&Value::Object(gives.clone()), |value, key| value.get(key))
                .cloned()
        };
        let names = |missing: Vec<refs::Ref>| {
            missing
                .into_iter()
                .map(|reference| reference.step)
                .collect::<Vec<_>>()
        };
        let at = match refs::fill(&Value::Object(step.at.clone()), &known) {
            Ok(Value::Object(at)) => at,
            Ok(_) => Map::new(),
            Err(missing) => return Err(Unprepared::Waits(names(missing))),
        };
        let (want, unknown) = match refs::fill(&step.want, &known) {
            Ok(want) => (want, Vec::new()),
            Err(missing) => (step.want.clone(), names(missing)),
        };
        // Kinds are checked when the steps are loaded.
        let kind =
            Kind::named(&step.kind).ok_or_else(|| Unprepared::Waits(vec![step.kind.clone()]))?;
        let thing = Thing {
            kind: step.kind.clone(),
            at,
        };
        Ok(Wanted {
            thing,
            kind,
            want,
            unknown,
            inside: Vec::new(),
            with: None,
            came_along: false,
        })
    }
}

impl Job {
    fn name(&self) -> String {
        match self {
            Job::Look(wanted, _) | Job::Present(wanted, _) => wanted.thing.short(),
            Job::Absent(_, known, _) => known.thing.short(),
        }
    }

    fn known(&self) -> Option<&Known> {
        match self {
            Job::Look(_, known) | Job::Present(_, known) => known.as_ref(),
            Job::Absent(_, known, _) => Some(known),
        }
    }

    async fn carry_out(self, worker: &Worker) -> Result<Settled, Failure> {
        match self {
            Job::Look(wanted, known) => look_only(worker, &wanted, known.as_ref()).await,
            Job::Present(wanted, known) => present(worker, &wanted, known.as_ref()).await,
            Job::Absent(kind, known, inside) => absent(worker, kind, &known, &inside).await,
        }
    }
}
