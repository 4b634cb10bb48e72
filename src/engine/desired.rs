//! The desired resource of a step, and the step's result: data.

use serde_json::{Map, Value};

use super::event::StepOutcome;
use super::task::Replaced;
use crate::kinds::{Kind, ResourceId};
use crate::steps::Lookup;

/// The desired resource of a step.
#[derive(Clone)]
pub struct DesiredResource {
    /// The resource.
    pub resource: ResourceId,
    /// The resource's kind.
    pub kind: Kind,
    /// The desired body, with its references filled.
    pub want: Value,
    /// Steps that must be done before the rest of `want` is known; only a run that changes nothing has any.
    pub unknown: Vec<String>,
    /// Resources that the same request creates inside it, if it is created.
    pub inside: Vec<(ResourceId, Value)>,
    /// The step whose request would include this resource.
    pub with: Option<String>,
    /// Whether that request was sent in this run.
    pub came_along: bool,
    /// Whether an existing resource that is not ours is to be adopted.
    pub adopt: bool,
    /// Whether parts of a set that are ours and not wanted any more are to be removed.
    pub prunes: bool,
    /// Why the resource is replaced, if it is; only a run that changes nothing needs it.
    pub replaced: Option<Replaced>,
    /// Whether it is ours, was never seen to be complete, and nothing of ours is in it: if it is broken, it is made again.
    pub never_ran: bool,
    /// What names the existing resource, if the step only looks it up.
    pub lookup: Option<Lookup>,
}

/// A step's result, with the fields that other steps may use.
pub struct Converged {
    /// How the step ended.
    pub outcome: StepOutcome,
    /// Whether a run that changes resources would do something.
    pub differs: bool,
    /// Fields that other steps may refer to.
    pub outputs: Map<String, Value>,
}
