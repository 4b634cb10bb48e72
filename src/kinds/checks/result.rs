//! The result of a check, as data.

/// What a check expected and what it saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckResult {
    /// Whether the check holds.
    pub holds: bool,
    /// The expectation, for the reader.
    pub expected: String,
    /// The observation, for the reader.
    pub seen: String,
}

impl CheckResult {
    /// A result that holds if both texts are equal.
    pub(super) fn same(expected: String, seen: String) -> CheckResult {
        CheckResult {
            holds: expected == seen,
            expected,
            seen,
        }
    }

    /// A result that does not hold because the check could not read its subject.
    pub(super) fn not(expected: String, why: impl Into<String>) -> CheckResult {
        CheckResult {
            holds: false,
            expected,
            seen: why.into(),
        }
    }
}
