//! The tutorial as data: steps in, order out. No clock, no network, and no knowledge of what a kind can do.
//!
//! `steps/` holds one file for each chapter, in the tutorial's own order. Its first document names the chapter, and every other one
//! is a step or a patch of steps. `steps/manifests/` holds Kubernetes objects that steps want, one in each file. [`Tutorial::load`] reads
//! and checks them, [`Tutorial::resolve`] gives the parameters their values, [`Tutorial::select`] makes the list of [`Step`]s that exist
//! for those values, and [`graph`] puts them in order.
//!
//! The only file access is that of [`Source`], and it stays within the folder it is given.

mod chapter;
mod diagnostic;
mod fields;
pub mod graph;
mod load;
mod manifest;
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
pub use params::Param;
pub use resolve_params::Params;
pub use select::Selection;
pub use source::Source;
pub use tutorial::{Chapter, Tutorial};
pub use values::ParamType;

/// One thing the tutorial says should exist.
#[derive(Debug, Clone)]
pub struct Step<K = String> {
    /// The name that references and messages use; unique in the tutorial.
    pub id: String,
    /// The chapter it stands in.
    pub chapter: String,
    /// The tutorial's reason, in a sentence.
    pub says: String,
    /// Its kind: as written, a name such as `compute.network`; after binding, what that name stands for.
    pub kind: K,
    /// Where the thing is: fills the path of its kind.
    pub at: Map<String, Value>,
    /// What it should look like, in the API's own JSON; only the fields we care about.
    pub want: Value,
    /// Steps that must be done before: those referred to, and those named in `needs`.
    pub needs: BTreeSet<String>,
    /// How long to wait for it before giving up.
    pub within: Duration,
    /// `down` leaves it.
    pub keep: bool,
    /// Where the step is written.
    pub source: SourceLocation,
}

impl<K> Step<K> {
    /// The same step with another word for its kind.
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
            source: self.source,
        }
    }
}

/// A file and a line, for complaints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLocation {
    /// The file, as the reader would name it: `steps/20-network.yaml`.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for SourceLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}
