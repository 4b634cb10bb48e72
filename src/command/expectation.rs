//! What `explain --expect` expects of a request. An unknown verdict meets no expectation.

use std::fmt;
use std::str::FromStr;

use egress::trace::{CallerOutcome, Trace};
use egress::verdict::Verdict;

/// An expected verdict, or an expected answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expectation {
    /// The server answers.
    Reaches,
    /// Something on the way refuses the request.
    Refused,
    /// The caller gets an answer with this status, from the server or from a proxy.
    Status(u16),
}

/// A text that is no expectation.
#[derive(Debug, thiserror::Error)]
#[error("expected `reaches`, `refused` or the status of an answer from 100 to 599")]
pub struct NoExpectation;

impl FromStr for Expectation {
    type Err = NoExpectation;

    fn from_str(text: &str) -> Result<Expectation, NoExpectation> {
        match text {
            "reaches" => Ok(Expectation::Reaches),
            "refused" => Ok(Expectation::Refused),
            status => match status.parse() {
                Ok(status @ 100..=599) => Ok(Expectation::Status(status)),
                _ => Err(NoExpectation),
            },
        }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expectation::Reaches => f.write_str("reaches"),
            Expectation::Refused => f.write_str("refused"),
            Expectation::Status(status) => write!(f, "{status}"),
        }
    }
}

impl Expectation {
    /// Whether a request is as expected.
    pub fn is_met(self, account: &Trace) -> bool {
        match (account.verdict(), self) {
            (Verdict::Unknown, _) => false,
            (verdict, Expectation::Reaches) => verdict == Verdict::Reaches,
            (verdict, Expectation::Refused) => verdict == Verdict::Refused,
            (_, Expectation::Status(status)) => match &account.got {
                CallerOutcome::Answer(answer) => answer.status == status,
                CallerOutcome::Failure(_) => false,
            },
        }
    }
}

/// What was found instead of what was expected: `refused (403)`, `refused (curl exit 28)`, `unknown`.
pub fn observed(account: &Trace) -> String {
    let verdict = account.verdict();
    match (verdict, &account.got) {
        (Verdict::Unknown, _) => verdict.word().to_owned(),
        (_, CallerOutcome::Answer(answer)) => format!("{} ({})", verdict.word(), answer.status),
        (_, CallerOutcome::Failure(failure)) => {
            format!("{} (curl exit {})", verdict.word(), failure.exit())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use egress::object::{Object, Unknown};
    use egress::trace::{Failure, HttpAnswer};

    use super::*;

    fn trace(got: CallerOutcome, tainted: bool) -> Trace {
        let unknown = Unknown {
            object: Object::new("EnvoyFilter", "x", "y"),
            field: String::new(),
        };
        Trace {
            hops: Vec::new(),
            got,
            waits: Duration::ZERO,
            connected: None,
            received: Vec::new(),
            lines: Vec::new(),
            unknown: if tainted { vec![unknown] } else { Vec::new() },
        }
    }

    #[test]
    fn an_unknown_verdict_meets_no_expectation() {
        let answer = |status| CallerOutcome::Answer(HttpAnswer::bare(status));
        let dropped = CallerOutcome::Failure(Failure::TimedOut);
        // (result, whether something is not covered, expectation, whether it is met, what is observed)
        for (got, tainted, expected, met, seen) in [
            (answer(200), false, "reaches", true, "reaches (200)"),
            (answer(200), false, "200", true, "reaches (200)"),
            (answer(200), false, "403", false, "reaches (200)"),
            (answer(200), false, "refused", false, "reaches (200)"),
            (
                dropped.clone(),
                false,
                "refused",
                true,
                "refused (curl exit 28)",
            ),
            (
                dropped.clone(),
                false,
                "200",
                false,
                "refused (curl exit 28)",
            ),
            (answer(200), true, "reaches", false, "unknown"),
            (answer(200), true, "200", false, "unknown"),
            (dropped, true, "refused", false, "unknown"),
        ] {
            let (account, expected) = (trace(got, tainted), expected.parse::<Expectation>());
            let expected = expected.unwrap();
            assert_eq!(expected.is_met(&account), met, "{expected} {account:?}");
            assert_eq!(observed(&account), seen);
        }
    }

    #[test]
    fn only_verdicts_and_statuses_can_be_expected() {
        for text in ["unknown", "", "99", "600", "20x", "-1", "Reaches"] {
            assert!(text.parse::<Expectation>().is_err(), "{text}");
        }
        assert_eq!("403".parse::<Expectation>().unwrap().to_string(), "403");
    }
}
