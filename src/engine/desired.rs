//! What a step should bring about, and how it ended: data.

use serde_json::{Map, Value};

use super::event::StepOutcome;
use crate::kinds::{Kind, ResourceId};

/// What a step is to bring about.
#[derive(Clone)]
pub struct DesiredResource {
    /// The thing.
    pub thing: ResourceId,
    /// Its kind.
    pub kind: Kind,
    /// What it should look like, references filled.
    pub want: Value,
    /// Steps that must be done before the rest of `want` is known; only a run that does not act meets any.
    pub unknown: Vec<String>,
    /// Things to be made inside it by the same request, if it is made.
    pub inside: Vec<(ResourceId, Value)>,
    /// The step whose request would bring this one along.
    pub with: Option<String>,
    /// That request was sent in this run.
    pub came_along: bool,
    /// What is there and not ours is to count as ours.
    pub adopt: bool,
}

/// How a step ended, and what others may know of its thing.
pub struct Converged {
    /// How.
    pub outcome: StepOutcome,
    /// Whether a run that acts would do something.
    pub differs: bool,
    /// Fields that other steps may refer to.
    pub outputs: Map<String, Value>,
}
