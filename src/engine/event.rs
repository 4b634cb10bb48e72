//! All that a screen may know. The engine and the screen meet here and nowhere else; a retry is an event, not a log line.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::change::Change;
use super::entry::ChangeVerb;
use super::evidence::Evidence;
use crate::kinds::{FieldDiff, ResourceId};

/// Something that happened, as `--output json` prints it: one object a line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A run begins.
    RunStarted {
        /// Its verb.
        verb: String,
        /// The project.
        project: String,
        /// How many steps it looks at.
        steps: usize,
    },
    /// A step begins.
    StepStarted {
        /// The step.
        step: String,
        /// Its kind.
        kind: String,
        /// What readers call the thing.
        name: String,
        /// Milliseconds that it took the last time, where the journal knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected: Option<u64>,
    },
    /// A step has looked and compared.
    Looked {
        /// The step.
        step: String,
        /// What it found.
        #[serde(flatten)]
        change: Change,
        /// Whether the thing is ours.
        ours: bool,
        /// What it should be, as far as that is known.
        want: Value,
        /// The step whose request brings it along.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inside: Option<String>,
    },
    /// What stands under a step's name, and whether it may count as ours.
    Found {
        /// The step.
        step: String,
        /// The thing.
        thing: ResourceId,
        /// What speaks for it, or against it.
        evidence: Evidence,
        /// The parts of a set that it is about.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        parts: Vec<String>,
        /// The fields that are not as the step wants them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        fields: Vec<FieldDiff>,
    },
    /// Work of an earlier run is taken up again.
    Reattached {
        /// The step.
        step: String,
        /// What was being done.
        verb: ChangeVerb,
        /// Since when.
        since: String,
    },
    /// A request that changes something is about to leave.
    Sending {
        /// The step.
        step: String,
        /// What it does.
        verb: ChangeVerb,
    },
    /// The step waits for something.
    Waiting {
        /// The step.
        step: String,
        /// For what.
        on: String,
    },
    /// A request is about to be repeated.
    Retrying {
        /// The step.
        step: String,
        /// The request.
        call: String,
        /// Why.
        why: String,
        /// Which attempt failed, from 1.
        attempt: u32,
        /// Milliseconds until the next.
        after: u64,
    },
    /// Something worth knowing that stops nothing.
    Warned {
        /// The step.
        step: String,
        /// What.
        text: String,
    },
    /// A claim was looked at until it held, or until that was waited for in vain.
    Claimed {
        /// The step.
        step: String,
        /// Whether it holds.
        holds: bool,
        /// What it expected.
        expected: String,
        /// What it saw.
        seen: String,
        /// What decides otherwise than expected, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
    /// A step came to its end.
    Finished {
        /// The step.
        step: String,
        /// How.
        outcome: StepOutcome,
        /// Milliseconds since it began.
        took: u64,
    },
    /// A step failed.
    Failed {
        /// The step.
        step: String,
        /// What, where, and Google's own words.
        error: String,
        /// What to do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
        /// What exists because of it.
        left: String,
    },
    /// A step was not begun because another failed.
    Blocked {
        /// The step.
        step: String,
        /// The step that failed.
        by: String,
    },
    /// The run ended.
    RunFinished {
        /// How.
        how: RunOutcome,
        /// How many steps came to which end.
        tally: Tally,
        /// Milliseconds since it began.
        took: u64,
    },
}

/// How a run came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunOutcome {
    /// Every step came to a good end.
    Done,
    /// A step failed, or the journal could not be written.
    Failed,
    /// It was asked to stop.
    Interrupted,
}

impl RunOutcome {
    /// As the journal has it.
    pub fn word(self) -> &'static str {
        match self {
            RunOutcome::Done => "done",
            RunOutcome::Failed => "failed",
            RunOutcome::Interrupted => "interrupted",
        }
    }
}

/// How a step came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepOutcome {
    /// It was made.
    Created,
    /// It was changed.
    Updated,
    /// It was there, was not ours, and is from now on.
    Adopted,
    /// It was as wanted.
    Unchanged,
    /// It was removed.
    Deleted,
    /// It was gone already.
    Gone,
    /// It stays, on purpose.
    Kept,
    /// It goes with the thing that holds it.
    WithParent,
    /// It was only looked at.
    Looked,
    /// The claim holds.
    Holds,
    /// The claim does not hold.
    Unmet,
}

impl StepOutcome {
    /// As readers see it.
    pub fn word(self) -> &'static str {
        match self {
            StepOutcome::Created => "created",
            StepOutcome::Updated => "updated",
            StepOutcome::Adopted => "taken over",
            StepOutcome::Unchanged => "unchanged",
            StepOutcome::Deleted => "deleted",
            StepOutcome::Gone => "gone already",
            StepOutcome::Kept => "kept",
            StepOutcome::WithParent => "goes with its parent",
            StepOutcome::Looked => "looked",
            StepOutcome::Holds => "holds",
            StepOutcome::Unmet => "does not hold",
        }
    }
}

/// How many steps came to which end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Made.
    pub created: usize,
    /// Changed.
    pub updated: usize,
    /// Taken over.
    pub adopted: usize,
    /// As wanted.
    pub unchanged: usize,
    /// Removed.
    pub deleted: usize,
    /// Kept on purpose.
    pub kept: usize,
    /// Not as wanted, and only looked at.
    pub different: usize,
    /// Claims that hold.
    pub holds: usize,
    /// Claims that do not.
    pub unmet: usize,
    /// Failed.
    pub failed: usize,
    /// Not begun because another failed.
    pub blocked: usize,
}

impl Tally {
    /// Counts one more.
    pub fn count(&mut self, outcome: StepOutcome) {
        match outcome {
            StepOutcome::Created => self.created += 1,
            StepOutcome::Updated => self.updated += 1,
            StepOutcome::Adopted => self.adopted += 1,
            StepOutcome::Unchanged => self.unchanged += 1,
            StepOutcome::Deleted | StepOutcome::Gone | StepOutcome::WithParent => self.deleted += 1,
            StepOutcome::Kept => self.kept += 1,
            StepOutcome::Holds => self.holds += 1,
            StepOutcome::Unmet => self.unmet += 1,
            StepOutcome::Looked => {}
        }
    }
}

/// Whole milliseconds.
pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
