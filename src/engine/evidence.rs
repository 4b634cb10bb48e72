//! What shows that a resource is ours when the journal does not record it: data.

use serde::{Deserialize, Serialize};

/// What speaks for a thing being what an earlier run made, or against it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// There is nothing of this name.
    Absent,
    /// The journal says that it is ours.
    Journal,
    /// It is there and as the step wants it.
    Equal,
    /// It carries our mark.
    Mark,
    /// It is there and is something else.
    Differs,
    /// It is there without the mark that ours would carry.
    Unmarked,
    /// It cannot be compared before these steps' things are there.
    Unknown(Vec<String>),
}

impl Evidence {
    /// Whether it is enough to count the thing as ours, if a person says yes.
    pub fn suffices(&self) -> bool {
        matches!(self, Evidence::Equal | Evidence::Mark)
    }
}
