//! The events, which are all that a screen gets from the engine: there is no other path. A retry is an event, not a log line.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::change::Change;
pub use super::entry::ChangeVerb;
use super::evidence::Evidence;
use crate::google::Identity;
use crate::kinds::{FieldDiff, ResourceId};

/// An event, as `--output json` prints it: one object a line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A run starts.
    RunStarted {
        /// The run's verb.
        verb: String,
        /// The project.
        project: String,
        /// The number of its steps.
        steps: usize,
        /// Whose credentials it uses; none where the cloud asks for none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        identity: Option<Identity>,
    },
    /// A step starts.
    StepStarted {
        /// The step.
        step: String,
        /// Its kind.
        kind: String,
        /// The resource's name, as messages show it.
        name: String,
        /// Milliseconds that it took the last time, where the journal has it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected: Option<u64>,
    },
    /// A step has read the live resource and compared it.
    Looked {
        /// The step.
        step: String,
        /// The result of the comparison.
        #[serde(flatten)]
        change: Change,
        /// Whether the resource is ours.
        ours: bool,
        /// The desired resource, as far as it is known.
        want: Value,
        /// The step whose request includes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inside: Option<String>,
    },
    /// The live resource under a step's name, and whether it may count as ours.
    Found {
        /// The step.
        step: String,
        /// The resource.
        // Its name in the output of `--output json`.
        #[serde(rename = "thing")]
        resource: ResourceId,
        /// The evidence for or against it.
        evidence: Evidence,
        /// The parts of a set that it concerns.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        parts: Vec<String>,
        /// The fields that differ from what the step wants.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        fields: Vec<FieldDiff>,
    },
    /// A step continues an open request of an earlier run.
    Reattached {
        /// The step.
        step: String,
        /// The request's verb.
        verb: ChangeVerb,
        /// The time at which it was announced.
        since: String,
    },
    /// A request that changes something is about to be sent.
    Sending {
        /// The step.
        step: String,
        /// The request's verb.
        verb: ChangeVerb,
    },
    /// The step waits for something.
    Waiting {
        /// The step.
        step: String,
        /// What it waits for.
        on: String,
    },
    /// A request is about to be repeated.
    Retrying {
        /// The step.
        step: String,
        /// The request.
        call: String,
        /// The reason.
        why: String,
        /// The number of the attempt that failed, from 1.
        attempt: u32,
        /// Milliseconds until the next attempt.
        after: u64,
    },
    /// A warning, which does not stop the step.
    Warned {
        /// The step.
        step: String,
        /// The text of the warning.
        text: String,
    },
    /// A check was repeated until it held, or until the time limit.
    Claimed {
        /// The step.
        step: String,
        /// Whether it holds.
        holds: bool,
        /// What the check expects.
        expected: String,
        /// What was observed.
        seen: String,
        /// What decides differently than expected, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
    /// A step ended.
    Finished {
        /// The step.
        step: String,
        /// How it ended.
        outcome: StepOutcome,
        /// Milliseconds since the step started.
        took: u64,
    },
    /// A step failed.
    Failed {
        /// The step.
        step: String,
        /// The error, its location, and Google's own message.
        error: String,
        /// The same as an object, if an API refused something.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<Box<Cause>>,
        /// What to do about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
        /// What exists as a result.
        left: String,
    },
    /// A step was not started because another failed.
    Blocked {
        /// The step.
        step: String,
        /// The step that failed.
        by: String,
    },
    /// The run ended.
    RunFinished {
        /// How it ended.
        how: RunOutcome,
        /// The number of steps by outcome.
        tally: Tally,
        /// Milliseconds since the run started.
        took: u64,
    },
}

/// The error of an API, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// What was tried: `create compute.network vpc-network`.
    pub what: String,
    /// The request.
    pub call: String,
    /// The class of the failure.
    pub class: String,
    /// The message of Google, of Kubernetes or of the operating system.
    pub message: String,
    /// The HTTP status, if there was an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<u16>,
    /// Google's name for the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunOutcome {
    /// Every step succeeded.
    Done,
    /// A step failed, or the journal could not be written.
    Failed,
    /// It was stopped.
    Interrupted,
}

impl RunOutcome {
    /// The outcome, as the journal records it.
    pub fn word(self) -> &'static str {
        match self {
            RunOutcome::Done => "done",
            RunOutcome::Failed => "failed",
            RunOutcome::Interrupted => "interrupted",
        }
    }
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepOutcome {
    /// The resource was created.
    Created,
    /// The resource was changed.
    Updated,
    /// The resource existed and was not ours. It is ours from now on.
    Adopted,
    /// The resource was as wanted.
    Unchanged,
    /// The resource was deleted.
    Deleted,
    /// The resource was already gone.
    Gone,
    /// The resource is kept on purpose.
    Kept,
    /// The resource is deleted with its parent.
    WithParent,
    /// The resource was only read.
    Looked,
    /// The check holds.
    Holds,
    /// The check does not hold.
    Unmet,
}

impl StepOutcome {
    /// The outcome, as messages show it.
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

/// The number of steps by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Resources that were created.
    pub created: usize,
    /// Resources that were changed.
    pub updated: usize,
    /// Resources that were adopted.
    pub adopted: usize,
    /// Resources as wanted.
    pub unchanged: usize,
    /// Resources that were deleted, now or before, or that are deleted with their parent.
    pub deleted: usize,
    /// Resources kept on purpose.
    pub kept: usize,
    /// Resources that differ and were only read, and checks that do not hold.
    pub different: usize,
    /// Checks that hold.
    pub holds: usize,
    /// Checks that do not.
    pub unmet: usize,
    /// Steps that failed.
    pub failed: usize,
    /// Steps that were not started because another failed.
    pub blocked: usize,
}

impl Tally {
    /// Counts one more step.
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

/// The duration in whole milliseconds.
pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
