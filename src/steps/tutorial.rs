//! The tutorial as it is written: parameters, chapters, and steps with unresolved references. Data.

use serde_json::Value;

use super::output::{Output, OutputTemplate};
use super::params::Param;
use super::step_fields::Condition;
use super::{SourceLocation, Step};

/// A part of the tutorial, under the tutorial's own heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chapter {
    /// The name, as in `--through NAME`.
    pub name: String,
    /// The tutorial's heading.
    pub title: String,
    /// The chapter's purpose.
    pub says: String,
    /// The chapter's location.
    pub source: SourceLocation,
}

/// The tutorial, as it was loaded.
#[derive(Debug, Clone)]
pub struct Tutorial {
    /// The parameters, in the order of their file.
    pub params: Vec<Param>,
    /// The chapters, in the tutorial's order.
    pub chapters: Vec<Chapter>,
    pub(super) templates: Vec<Template>,
    pub(super) outputs: Vec<OutputTemplate>,
}

/// A step as it is written.
#[derive(Debug, Clone)]
pub(super) struct Template {
    /// The step, with unresolved references.
    pub step: Step,
    /// The values of parameters for which the step exists; all must hold.
    pub conditions: Vec<Condition>,
    /// Every text in `at`, `want` and `needs`, with its location, for diagnostics about references.
    pub texts: Vec<(SourceLocation, String)>,
    /// The location of each of its `needs`.
    pub needs_at: Vec<(SourceLocation, String)>,
}

impl Tutorial {
    /// All steps as they are written, in the tutorial's order: references unresolved, `when` not applied, superseded steps
    /// included.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.templates.iter().map(|template| &template.step)
    }

    /// All outputs as they are written, in the tutorial's order.
    pub fn outputs(&self) -> impl Iterator<Item = &Output> {
        self.outputs.iter().map(|template| &template.output)
    }

    /// The parameters' values for which a step exists; none: always.
    pub fn when(&self, id: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.compared(id, true)
    }

    /// The parameters' values for which a step does not exist.
    pub fn unless(&self, id: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.compared(id, false)
    }

    fn compared(&self, id: &str, equal: bool) -> impl Iterator<Item = (&str, &Value)> {
        let of_step = self
            .templates
            .iter()
            .filter(move |template| template.step.id == id);
        let all = of_step.flat_map(|template| &template.conditions);
        let those = all.filter(move |condition| condition.equal == equal);
        those.map(|condition| (condition.param.as_str(), &condition.value))
    }
}
