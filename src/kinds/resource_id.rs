//! One resource in the cloud: what the journal keeps of it. Its names and its kind are looked up in `kind.rs`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One resource in the cloud: its kind and its place. Enough to find it again without the step that created it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResourceId {
    /// The kind's name.
    pub kind: String,
    /// What fills the path.
    pub at: Map<String, Value>,
}
