//! The result of a check: data.

/// What a check expected and what it saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckResult {
    /// Whether it holds.
    pub holds: bool,
    /// What it expected.
    pub expected: String,
    /// What it saw.
    pub seen: String,
}

impl CheckResult {
    /// It holds if both texts are equal.
    pub(super) fn same(expected: String, seen: String) -> CheckResult {
        CheckResult {
            holds: expected == seen,
            expected,
            seen,
        }
    }

    /// It does not hold, because it could not be looked at.
    pub(super) fn not(expected: String, why: impl Into<String>) -> CheckResult {
        CheckResult {
            holds: false,
            expected,
            seen: why.into(),
        }
    }
}
