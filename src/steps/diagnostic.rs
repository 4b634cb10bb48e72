//! The errors in the data, with their locations: all of them at once, so that a file can be fixed in one edit.

use std::fmt;

use super::SourceLocation;

use crate::text::{nearest, quoted};

/// One error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The location; none for an error on the command line.
    pub place: Option<SourceLocation>,
    /// The error: a lowercase fragment, with the nearest names for an unknown name.
    pub text: String,
}

impl Diagnostic {
    /// An error in the text at `place`.
    pub fn at(place: &SourceLocation, text: impl Into<String>) -> Self {
        Self {
            place: Some(place.clone()),
            text: text.into(),
        }
    }

    /// An error that is in no file.
    pub fn nowhere(text: impl Into<String>) -> Self {
        Self {
            place: None,
            text: text.into(),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// All errors, in the order of files and lines; one line each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// `value` if there is no error; otherwise the errors, sorted.
    pub(super) fn or<T>(mut self, value: T) -> Result<T, Diagnostics> {
        if self.0.is_empty() {
            return Ok(value);
        }
        self.0
            .sort_by_key(|c| c.place.as_ref().map(|p| (p.file.clone(), p.line)));
        self.0.dedup();
        Err(self)
    }

    pub(super) fn add(&mut self, place: &SourceLocation, text: impl Into<String>) {
        self.0.push(Diagnostic::at(place, text));
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, diagnostic) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// ``unknown WHAT `name`, did you mean `a` or `b`?``; if no name is near, all names, if these are few.
pub(super) fn unknown<'a>(
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let near = nearest(name, known.iter().copied());
    let text = format!("unknown {what} `{name}`");
    if !near.is_empty() {
        return format!("{text}, did you mean {}?", quoted(&near));
    }
    match known.len() {
        0 => format!("{text}, none is defined"),
        1..=12 => format!("{text}, known are {}", quoted(&known)),
        _ => {
            let mut nearest = known;
            nearest.sort_by_key(|candidate| strsim::osa_distance(name, candidate));
            format!("{text}, the nearest are {}", quoted(&nearest[..3]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_answered_with_what_was_probably_meant() {
        for (name, known, text) in [
            (
                "wants",
                &["want", "when", "at"][..],
                "unknown field `wants`, did you mean `want`?",
            ),
            (
                "netwrok",
                &["network", "nat"],
                "unknown field `netwrok`, did you mean `network`?",
            ),
            (
                "net",
                &["network", "nat"],
                "unknown field `net`, did you mean `nat` or `network`?",
            ),
            (
                "zebra",
                &["at", "want"],
                "unknown field `zebra`, known are `at` or `want`",
            ),
            ("zebra", &[], "unknown field `zebra`, none is defined"),
        ] {
            assert_eq!(unknown("field", name, known.iter().copied()), text);
        }
    }

    #[test]
    fn complaints_come_in_the_order_of_the_files() {
        let place = |line| SourceLocation {
            file: "steps/a.yaml".into(),
            line,
        };
        let mut all = Diagnostics::default();
        all.add(&place(9), "late");
        all.add(&place(2), "early");
        assert_eq!(
            all.or(()).unwrap_err().to_string(),
            "steps/a.yaml:2: early\nsteps/a.yaml:9: late"
        );
        assert_eq!(Diagnostics::default().or(7), Ok(7));
    }
}
