//! The identity of one resource in the cloud, as the journal keeps it. `kind.rs` looks up its names and its kind.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One resource in the cloud: its kind and its place. This is enough to find it again without the step that created it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResourceId {
    /// The kind's name.
    pub kind: String,
    /// The values that fill the path.
    pub at: Map<String, Value>,
}
