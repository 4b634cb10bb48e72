//! The scheduler: which task may start, the outputs of those before it, and its filled references. No clock, no network.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value};

use super::absent::{absent, absent_early};
use super::adopt::find;
use super::check::check;
use super::desired::{Converged, DesiredResource};
use super::event::StepOutcome;
use super::failure::Failure;
use super::journal::JournalAccess;
use super::lookup::look_up;
use super::present::{look_only, present};
use super::prune::look_absent;
use super::state::{State, TrackedResource};
use super::task::{Task, TaskGoal};
use super::tasks::goes_with;
use super::worker::{Learned, Worker};
use crate::kinds::{Kind, ResourceId};
use crate::steps::refs;

/// The tasks of a run: which are waiting, which are done, and their outputs.
pub struct Scheduler {
    tasks: BTreeMap<String, Task>,
    /// Not started yet, in the order in which they were given.
    waiting: Vec<String>,
    done: BTreeSet<String>,
    outputs: BTreeMap<String, Map<String, Value>>,
    /// Tasks whose resources this run created.
    created: BTreeSet<String>,
    /// Hosts of APIs that are known to be enabled.
    enabled: BTreeSet<String>,
    /// Whether this run has enabled one.
    has_enabled: bool,
}

/// Why a ready task is not started.
pub enum NotPrepared {
    /// There is nothing to do for it.
    Settled(StepOutcome),
    /// Its location is not known before these steps are done.
    Waits(Vec<String>),
}

/// A task with its references filled.
pub enum Job {
    /// Read and compare.
    Look(DesiredResource, Option<TrackedResource>),
    /// Make the resource exist as wanted.
    Present(DesiredResource, Option<TrackedResource>),
    /// Read an existing resource that the step does not change; whether the step fails if it is missing.
    LookUp(DesiredResource, bool),
    /// Find the live resource under the step's name.
    Find(DesiredResource, Option<TrackedResource>),
    /// Check whether the claim holds, for at most this long.
    Check(DesiredResource, Duration),
    /// Read whether the resource, which should not exist, exists.
    LookAbsent(Kind, Box<TrackedResource>),
    /// Delete the resource.
    Absent(Kind, Box<TrackedResource>, Value, Vec<ResourceId>),
    /// Delete the resource before its parent, with which it goes otherwise.
    AbsentEarly(Kind, Box<TrackedResource>, Value),
}

impl Scheduler {
    /// A scheduler of tasks that have not started.
    pub fn new(tasks: Vec<Task>) -> Scheduler {
        let waiting = tasks.iter().map(Task::id).collect();
        let tasks = tasks.into_iter().map(|task| (task.id(), task)).collect();
        Scheduler {
            tasks,
            waiting,
            done: BTreeSet::new(),
            outputs: BTreeMap::new(),
            created: BTreeSet::new(),
            enabled: BTreeSet::new(),
            has_enabled: false,
        }
    }

    /// The task with this id.
    pub fn task(&self, id: &str) -> &Task {
        &self.tasks[id]
    }

    /// Takes the tasks that never became ready although nothing that they wait for failed.
    pub fn stuck(&mut self) -> Vec<String> {
        std::mem::take(&mut self.waiting)
    }

    /// What the tasks so far have shown of the project, and the accounts that its tasks delete.
    pub fn learned(&self) -> Learned {
        let accounts = self.outputs.values().filter_map(|outputs| {
            let address = outputs.get("email")?.as_str()?;
            Some(address.to_owned())
        });
        // An account that this run is to delete was created by us.
        let ours = self.tasks.values().filter_map(|task| match &task.goal {
            TaskGoal::Absent { tracked, .. } => {
                let address = tracked.resource.predict("email")?;
                address.as_str().map(str::to_owned)
            }
            _ => None,
        });
        let names = self.outputs.values().filter_map(|outputs| {
            let name = outputs.get("name")?.as_str()?;
            name.rsplit('/').next().map(str::to_owned)
        });
        Learned {
            names: names.collect(),
            enabled: self.enabled.clone(),
            has_enabled: self.has_enabled,
            accounts: accounts.chain(ours).collect(),
        }
    }

    /// Takes the first task that may start.
    pub fn next_ready(&mut self) -> Option<String> {
        let ready = self.waiting.iter().position(|id| {
            self.tasks[id]
                .after
                .iter()
                .all(|before| self.done.contains(before))
        })?;
        Some(self.waiting.remove(ready))
    }

    /// Records that a task succeeded, with the outputs that other steps may use.
    pub fn done(&mut self, id: &str, outputs: Map<String, Value>) {
        let step = &self.tasks[id].step;
        self.enabled.extend(step.kind.enables(&step.want));
        self.done.insert(id.to_owned());
        self.outputs.insert(id.to_owned(), outputs);
    }

    /// Records that this run changed something for a task: perhaps it enabled an API.
    pub fn changed(&mut self, id: &str) {
        let step = &self.tasks[id].step;
        self.has_enabled |= !step.kind.enables(&step.want).is_empty();
    }

    /// Records that this run created a task's resource.
    pub fn made(&mut self, id: &str) {
        self.created.insert(id.to_owned());
    }

    /// Takes every task that was to come after a failed one.
    pub fn block(&mut self, failed: &str) -> Vec<String> {
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

    /// Fills a task's references from the outputs of others, and returns what to do for it.
    pub fn prepare(&self, id: &str, journal: &JournalAccess<'_>) -> Result<Job, NotPrepared> {
        let task = self.task(id);
        let state = match journal {
            JournalAccess::Write(journal) => &journal.state,
            JournalAccess::Read(state) => state,
        };
        match &task.goal {
            TaskGoal::Present { .. } | TaskGoal::Found if task.step.lookup.is_some() => {
                let acts = matches!(journal, JournalAccess::Write(_));
                Ok(Job::LookUp(self.wanted(id, None)?, acts))
            }
            TaskGoal::Absent { with: true, .. } => {
                Err(NotPrepared::Settled(StepOutcome::WithParent))
            }
            TaskGoal::Absent { .. } if task.step.keep || !task.step.kind.is_deletable() => {
                Err(NotPrepared::Settled(StepOutcome::Kept))
            }
            TaskGoal::Absent {
                tracked,
                inside,
                early,
                ..
            } => {
                let kind = task.step.kind;
                let want = task.step.want.clone();
                Ok(match journal {
                    JournalAccess::Write(_) if *early => {
                        Job::AbsentEarly(kind, tracked.clone(), want)
                    }
                    JournalAccess::Write(_) => {
                        Job::Absent(kind, tracked.clone(), want, inside.clone())
                    }
                    JournalAccess::Read(_) => Job::LookAbsent(kind, tracked.clone()),
                })
            }
            TaskGoal::Check { settle } => Ok(Job::Check(self.wanted(id, None)?, *settle)),
            TaskGoal::Found => {
                let wanted = self.wanted(id, None)?;
                let tracked = state.get(&wanted.resource.key()).cloned();
                Ok(Job::Find(wanted, tracked))
            }
            TaskGoal::Present {
                inside,
                with,
                adopt,
                prunes,
                replaced,
            } => {
                let mut wanted = self.wanted(id, None)?;
                wanted.came_along = with
                    .as_ref()
                    .is_some_and(|with| self.created.contains(with));
                wanted.with.clone_from(with);
                wanted.adopt = *adopt;
                wanted.prunes = *prunes;
                wanted.replaced.clone_from(replaced);
                wanted.never_ran = never_ran(state, &wanted.resource);
                wanted.inside = inside
                    .iter()
                    .filter_map(|inner| self.wanted(inner, Some((id, &wanted.resource))).ok())
                    .filter(|inner| inner.unknown.is_empty())
                    .map(|inner| (inner.resource, inner.want))
                    .collect();
                let tracked = state.get(&wanted.resource.key()).cloned();
                Ok(match journal {
                    JournalAccess::Write(_) => Job::Present(wanted, tracked),
                    JournalAccess::Read(_) => Job::Look(wanted, tracked),
                })
            }
        }
    }

    /// The task's desired resource. `parent` is a step whose resource does not exist yet but whose names are known from its
    /// location.
    fn wanted(
        &self,
        id: &str,
        parent: Option<(&str, &ResourceId)>,
    ) -> Result<DesiredResource, NotPrepared> {
        let step = &self.task(id).step;
        let tracked = |reference: &refs::Ref| {
            if let Some((parent, resource)) = parent
                && parent == reference.step
            {
                return match reference.field.as_str() {
                    "name" => Some(resource.short().into()),
                    field => resource.at.get(field).cloned(),
                };
            }
            let outputs = self.outputs.get(&reference.step)?;
            reference
                .field
                .split('.')
                .try_fold(&Value::Object(outputs.clone()), |value, key| value.get(key))
                .cloned()
        };
        let names = |missing: Vec<refs::Ref>| {
            missing
                .into_iter()
                .map(|reference| reference.step)
                .collect::<Vec<_>>()
        };
        let at = match refs::fill(&Value::Object(step.at.clone()), &tracked) {
            Ok(Value::Object(at)) => at,
            Ok(_) => Map::new(),
            Err(missing) => return Err(NotPrepared::Waits(names(missing))),
        };
        let (want, unknown) = match refs::fill(&step.want, &tracked) {
            Ok(want) => (want, Vec::new()),
            Err(missing) => (step.want.clone(), names(missing)),
        };
        let kind = step.kind;
        let resource = ResourceId::new(kind, at);
        Ok(DesiredResource {
            resource,
            kind,
            want,
            unknown,
            inside: Vec::new(),
            with: None,
            came_along: false,
            adopt: false,
            prunes: false,
            replaced: None,
            never_ran: false,
            lookup: step.lookup.clone(),
        })
    }
}

/// Whether a resource of ours was never seen to be complete, so that it is in nobody's use: its creation failed, and the journal has
/// nothing of ours in it that was created on its own. One that was adopted may have run before.
fn never_ran(state: &State, resource: &ResourceId) -> bool {
    let Some(tracked) = state.get(&resource.key()) else {
        return false;
    };
    let alone = resource.kind().is_some_and(|kind| kind.parent().is_none());
    let is_in_it = |other: &TrackedResource| {
        let by_itself = other.made.is_some()
            || other
                .resource
                .kind()
                .is_some_and(|kind| kind.is_in_cluster());
        by_itself && goes_with(other, tracked)
    };
    alone
        && tracked.is_ours()
        && tracked.made.is_none()
        && !tracked.adopted
        && !state.ours().any(is_in_it)
}

impl Job {
    /// The resource's name, as messages show it.
    pub fn name(&self) -> String {
        match self {
            Job::Look(wanted, _)
            | Job::Present(wanted, _)
            | Job::Find(wanted, _)
            | Job::LookUp(wanted, _)
            | Job::Check(wanted, _) => wanted.resource.short(),
            Job::LookAbsent(_, tracked)
            | Job::Absent(_, tracked, ..)
            | Job::AbsentEarly(_, tracked, ..) => tracked.resource.short(),
        }
    }

    /// What the journal records of the resource.
    pub fn tracked(&self) -> Option<&TrackedResource> {
        match self {
            Job::Look(_, tracked) | Job::Present(_, tracked) | Job::Find(_, tracked) => {
                tracked.as_ref()
            }
            Job::LookAbsent(_, tracked)
            | Job::Absent(_, tracked, ..)
            | Job::AbsentEarly(_, tracked, ..) => Some(tracked),
            Job::LookUp(..) | Job::Check(..) => None,
        }
    }

    /// Carries out the job.
    pub async fn carry_out(self, worker: &Worker) -> Result<Converged, Failure> {
        match self {
            Job::Look(wanted, tracked) => look_only(worker, &wanted, tracked.as_ref()).await,
            Job::Present(wanted, tracked) => present(worker, &wanted, tracked.as_ref()).await,
            Job::LookUp(wanted, acts) => look_up(worker, &wanted, acts).await,
            Job::Find(wanted, tracked) => find(worker, &wanted, tracked.as_ref()).await,
            Job::Check(wanted, settle) => check(worker, &wanted, settle).await,
            Job::LookAbsent(kind, tracked) => look_absent(worker, kind, &tracked).await,
            Job::Absent(kind, tracked, want, inside) => {
                absent(worker, kind, &tracked, &want, &inside).await
            }
            Job::AbsentEarly(kind, tracked, want) => {
                absent_early(worker, kind, &tracked, &want).await
            }
        }
    }
}
