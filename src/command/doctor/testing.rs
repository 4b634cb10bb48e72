//! What the tests of several checks use.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::google::{ApiError, Class};
use crate::kinds::{Kind, Step};
use crate::steps::SourceLocation;

/// A refusal of this class.
pub fn refused(class: Class) -> ApiError {
    ApiError {
        class,
        ..ApiError::unsent("GET x", "it is refused.")
    }
}

/// A step of this kind.
pub fn step(kind: &str, at: Value, want: Value) -> Step {
    Step {
        id: kind.to_owned(),
        chapter: String::new(),
        says: String::new(),
        kind: Kind::named(kind).unwrap(),
        at: at.as_object().unwrap().clone(),
        want,
        needs: BTreeSet::new(),
        within: Duration::from_secs(1),
        keep: false,
        lookup: None,
        source: SourceLocation {
            file: String::new(),
            line: 1,
        },
    }
}
