//! The tutorial as data: steps in, order out. No clock, no network, and no knowledge of what a kind can do.
//!
//! `steps/` contains one file for each chapter, in the tutorial's own order. Its first document names the chapter, and every other
//! one is a step or a patch of steps. `steps/manifests/` contains Kubernetes objects that steps want, one in each file.
//! [`Tutorial::load`] reads and checks them, [`Tutorial::resolve`] gives the parameters their values, [`Tutorial::select`] makes the
//! list of [`Step`]s that exist for those values, and [`graph`] puts them in order.
//!
//! The only file access is that of [`Source`], and it stays within the folder it is given.

mod chapter;
mod diagnostic;
mod fields;
pub mod graph;
mod load;
mod lookup;
mod manifest;
mod output;
mod params;
mod patch;
mod references;
pub mod refs;
mod resolve_params;
mod select;
mod source;
mod step_fields;
#[cfg(test)]
mod testing;
mod tutorial;
mod values;
mod yaml;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

pub use diagnostic::{Diagnostic, Diagnostics};
pub use lookup::Lookup;
pub use output::Output;
pub use params::Param;
pub use resolve_params::Params;
pub use select::Selection;
pub use source::{Source, embedded_files};
pub use tutorial::{Chapter, Tutorial};
pub use values::{ParamType, is_region, of_domain};
pub(crate) use yaml::{Node, manifest as yaml_of_manifest};

/// One resource that the tutorial declares.
#[derive(Debug, Clone)]
pub struct Step<K = String> {
    /// The name that references and messages use; unique in the tutorial.
    pub id: String,
    /// The name of its chapter.
    pub chapter: String,
    /// The tutorial's reason, in a sentence.
    pub says: String,
    /// The kind: as written, a name such as `compute.network`; after binding, the kind with this name.
    pub kind: K,
    /// The location of the resource: the values in its kind's path.
    pub at: Map<String, Value>,
    /// The desired body, in the API's own JSON; only the fields that matter here.
    pub want: Value,
    /// Steps that must be done before: those in references, and those in `needs`.
    pub needs: BTreeSet<String>,
    /// The time limit for it.
    pub within: Duration,
    /// Whether `down` keeps it.
    pub keep: bool,
    /// What names an existing resource that the step only looks up. Of a selected step: it is there only if the step does so.
    pub lookup: Option<Lookup>,
    /// The location of the step.
    pub source: SourceLocation,
}

impl<K> Step<K> {
    /// The same step with its kind in another form.
    pub fn with_kind<L>(self, kind: L) -> Step<L> {
        Step {
            kind,
            id: self.id,
            chapter: self.chapter,
            says: self.says,
            at: self.at,
            want: self.want,
            needs: self.needs,
            within: self.within,
            keep: self.keep,
            lookup: self.lookup,
            source: self.source,
        }
    }
}

/// A file and a line, for error messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLocation {
    /// The file's path, as messages show it: `steps/20-network.yaml`.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for SourceLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}
