//! What shows that a resource is ours when the journal does not record it: data.

use serde::{Deserialize, Serialize};

/// The evidence for or against an earlier run having created a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// No resource has this name.
    Absent,
    /// The journal records that it is ours.
    Journal,
    /// It exists and is as the step wants it.
    Equal,
    /// It carries our mark.
    Mark,
    /// It exists and differs.
    Differs,
    /// It exists without the mark that ours would carry.
    Unmarked,
    /// It cannot be compared before these steps' resources exist.
    Unknown(Vec<String>),
}

impl Evidence {
    /// Whether it is enough to count the resource as ours, if the user confirms.
    pub fn suffices(&self) -> bool {
        matches!(self, Evidence::Equal | Evidence::Mark)
    }
}
