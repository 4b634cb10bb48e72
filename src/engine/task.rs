//! One step of a run and its goal: data.

use std::collections::BTreeSet;
use std::time::Duration;

use super::state::TrackedResource;
use crate::kinds::{ResourceId, Step};

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
