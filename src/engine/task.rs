//! One step of a run and its goal: data.

use std::collections::BTreeSet;
use std::time::Duration;

use super::state::TrackedResource;
use crate::kinds::{ResourceId, Step};

/// One step of a run.
pub struct Task {
    /// The step; for a resource that no step declares any more, reconstructed from the journal.
    pub step: Step,
    /// Ids of tasks that must succeed before it starts.
    pub after: BTreeSet<String>,
    /// The state to reach.
    pub goal: TaskGoal,
}

/// The state that a task must reach.
pub enum TaskGoal {
    /// The resource exists and is as the step wants it.
    Present {
        /// Ids of the tasks whose resources its create may include.
        inside: Vec<String>,
        /// The task whose create may include this resource.
        with: Option<String>,
        /// Whether an existing resource that provision did not create is to be adopted.
        adopt: bool,
        /// Whether parts of a set that the step does not name any more are to be removed.
        prunes: bool,
        /// Why the resource is replaced, if it is.
        replaced: Option<Replaced>,
    },
    /// The live resource under the step's name is known, and the evidence that provision created it.
    Found,
    /// A claim holds.
    Check {
        /// How long to wait until it holds.
        settle: Duration,
    },
    /// The resource that the journal records as ours is deleted.
    Absent {
        /// What the journal records of it.
        tracked: Box<TrackedResource>,
        /// Resources that are deleted with it.
        inside: Vec<ResourceId>,
        /// It is deleted with its parent: this task sends nothing.
        with: bool,
        /// It is deleted before its parent, and with it if that fails.
        early: bool,
        /// The same run creates it again.
        replaced: bool,
    },
}

/// Why a resource is deleted and created again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// The step whose resource it uses or is in, which is replaced; none if the user named the step itself.
    pub because: Option<String>,
    /// Whether it is deleted with that resource, whoever created it.
    pub inside: bool,
}

impl Task {
    /// Its id: that of its step, except for the deletion of a resource that the same run creates again.
    pub fn id(&self) -> String {
        match &self.goal {
            TaskGoal::Absent { replaced: true, .. } => deletion_id(&self.step.id),
            _ => self.step.id.clone(),
        }
    }
}

/// The id of the task that deletes the resource of a step before the same run creates it again. No step has such an id.
pub fn deletion_id(step: &str) -> String {
    format!("replaced {step}")
}
