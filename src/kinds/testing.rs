//! Steps for the tests of this package.

use serde_json::Value;

use super::{Kind, Step};
use crate::steps::SourceLocation;

impl Step {
    /// A step for tests, whose id is the name of its kind.
    pub fn sample(kind: &str, at: &Value, want: Value) -> Step {
        Step {
            id: kind.to_owned(),
            chapter: String::new(),
            says: String::new(),
            kind: Kind::named(kind).unwrap(),
            at: at.as_object().cloned().unwrap_or_default(),
            want,
            needs: Default::default(),
            within: std::time::Duration::from_secs(1),
            keep: false,
            lookup: None,
            source: SourceLocation {
                file: String::new(),
                line: 1,
            },
        }
    }
}
