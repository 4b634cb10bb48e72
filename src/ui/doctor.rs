//! What `doctor` found, as lines of text and as events. It decides nothing.

use serde::Serialize;
use serde_json::{Value, json};

use super::Paint;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// A run does not fail because of it.
    Pass,
    /// A run may fail because of it, or something else does not work.
    Warn,
    /// A run fails because of it.
    Fail,
    /// It could not be checked.
    Skip,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How it ended.
    pub verdict: Verdict,
    /// What was found.
    pub says: String,
    /// What to do about it.
    pub advice: Option<String>,
    /// The gcloud command that checks the same.
    pub gcloud: Option<String>,
    /// The permissions that are missing.
    pub missing: Vec<String>,
}

impl Finding {
    fn new(verdict: Verdict, says: impl Into<String>, advice: Option<String>) -> Finding {
        Finding {
            verdict,
            says: says.into(),
            advice,
            gcloud: None,
            missing: Vec::new(),
        }
    }

    /// It is as a run needs it.
    pub fn pass(says: impl Into<String>) -> Finding {
        Finding::new(Verdict::Pass, says, None)
    }

    /// A run may fail.
    pub fn warn(says: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding::new(Verdict::Warn, says, Some(advice.into()))
    }

    /// A run fails.
    pub fn fail(says: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding::new(Verdict::Fail, says, Some(advice.into()))
    }

    /// It could not be checked.
    pub fn skip(says: impl Into<String>, advice: Option<String>) -> Finding {
        Finding::new(Verdict::Skip, says, advice)
    }

    /// With the gcloud command that checks the same.
    #[must_use]
    pub fn gcloud(self, command: impl Into<String>) -> Finding {
        Finding {
            gcloud: Some(command.into()),
            ..self
        }
    }

    /// With the permissions that are missing.
    #[must_use]
    pub fn missing(self, missing: Vec<String>) -> Finding {
        Finding { missing, ..self }
    }
}

/// A finding as one line. The gcloud command is left out where nothing has to be done, unless the reader wants details.
pub fn line(check: &str, finding: &Finding, is_verbose: bool, paint: Paint) -> String {
    let verdict = match finding.verdict {
        Verdict::Pass => paint.good("PASS"),
        Verdict::Warn => paint.change("WARN"),
        Verdict::Fail => paint.bad("FAIL"),
        Verdict::Skip => paint.faint("SKIP"),
    };
    format!("{verdict}  {}\n", words(check, finding, is_verbose))
}

/// A finding without its verdict.
pub fn words(check: &str, finding: &Finding, is_verbose: bool) -> String {
    let mut words = format!("{check}: {}", super::plain(&finding.says));
    if let Some(advice) = &finding.advice {
        words += &format!("; {}", super::plain(advice));
    }
    let is_shown = is_verbose || finding.verdict != Verdict::Pass;
    if let Some(gcloud) = finding.gcloud.as_ref().filter(|_| is_shown) {
        words += &format!("; check with `{}`", super::plain(gcloud));
    }
    if is_verbose && !finding.missing.is_empty() {
        words += &format!("; missing: {}", finding.missing.join(", "));
    }
    words
}

/// A finding as an event, without its time.
pub fn event(check: &str, finding: &Finding) -> Value {
    let mut event = json!({
        "event": "checked",
        "check": check,
        "verdict": finding.verdict,
        "says": finding.says,
    });
    for (key, value) in [("do", &finding.advice), ("gcloud", &finding.gcloud)] {
        if let Some(value) = value {
            event[key] = value.as_str().into();
        }
    }
    if !finding.missing.is_empty() {
        event["missing"] = finding.missing.clone().into();
    }
    event
}

/// How many checks ended how, as the last line.
pub fn counts(verdicts: &[Verdict]) -> String {
    let of = |one: Verdict| verdicts.iter().filter(|verdict| **verdict == one).count();
    let named = [
        (of(Verdict::Pass), "passed"),
        (of(Verdict::Warn), "with a warning"),
        (of(Verdict::Fail), "failed"),
        (of(Verdict::Skip), "not checked"),
    ];
    let parts = named.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts.map(|(count, how)| format!("{count} {how}")).collect();
    format!("{} checks: {}\n", verdicts.len(), parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_to_do_and_how_to_check_it() {
        let paint = Paint::new(false);
        let fail = Finding::fail("it is off", "switch it on").gcloud("gcloud x");
        let pass = Finding::pass("it is on").gcloud("gcloud x");
        for (finding, is_verbose, expected) in [
            (
                &fail,
                false,
                "FAIL  billing: it is off; switch it on; check with `gcloud x`\n",
            ),
            (&pass, false, "PASS  billing: it is on\n"),
            (
                &pass,
                true,
                "PASS  billing: it is on; check with `gcloud x`\n",
            ),
        ] {
            assert_eq!(line("billing", finding, is_verbose, paint), expected);
        }
        let missing = Finding::skip("not seen", None).missing(vec!["a.b.c".to_owned()]);
        assert!(line("x", &missing, true, paint).ends_with("; missing: a.b.c\n"));
        let event = event("x", &missing);
        assert_eq!(
            event,
            json!({"event": "checked", "check": "x", "verdict": "SKIP", "says": "not seen", "missing": ["a.b.c"]})
        );
        assert_eq!(
            counts(&[Verdict::Pass, Verdict::Fail, Verdict::Pass]),
            "3 checks: 2 passed, 1 failed\n"
        );
    }
}
