//! The slowest steps of a run, in one line at its end.
//!
//! Steps run concurrently, so their times do not add up to the run's.

use super::table::WIDTH;
use super::time;
use crate::engine::event::{Event, StepOutcome, Tally};

/// A run that took less than this gets no line, in milliseconds.
const WORTH_A_WORD: u64 = 5_000;
/// The number of steps that are named.
const NAMED: usize = 5;
/// A step that took less than this is not slow, in milliseconds.
const AT_ONCE: u64 = 100;

/// The steps of a run that succeeded, with their milliseconds.
#[derive(Default)]
pub struct Slow {
    steps: Vec<(u64, String)>,
}

impl Slow {
    /// Processes one event.
    pub fn record(&mut self, event: &Event) {
        if let Event::Finished {
            step,
            outcome,
            took,
        } = event
            && *outcome != StepOutcome::Looked
            && *took >= AT_ONCE
        {
            self.steps.push((*took, step.clone()));
        }
    }

    /// The slowest first. None for a run that created and changed nothing and, unless `verbose`, for one whose `took`
    /// milliseconds are too few to need an explanation.
    pub fn text(mut self, tally: Tally, took: u64, verbose: bool) -> Option<String> {
        let did = tally.created + tally.updated > 0;
        if !did || self.steps.is_empty() || (took < WORTH_A_WORD && !verbose) {
            return None;
        }
        self.steps.sort_by(|a, b| b.cmp(a));
        let named = self.steps.iter().take(NAMED);
        let named: Vec<String> = named
            .map(|(took, step)| format!("{step}\u{a0}{}", time(*took)))
            .collect();
        // A step and its time stay in one line.
        let options = textwrap::Options::new(WIDTH)
            .word_separator(textwrap::WordSeparator::AsciiSpace)
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            .subsequent_indent("  ");
        let text = format!("slowest: {}", named.join(", "));
        Some(textwrap::fill(&text, options).replace('\u{a0}', " "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(steps: &[(&str, u64)], created: usize, took: u64, verbose: bool) -> Option<String> {
        let mut slow = Slow::default();
        for (step, took) in steps {
            let (step, took) = ((*step).to_owned(), *took);
            let outcome = StepOutcome::Created;
            slow.record(&Event::Finished {
                step,
                outcome,
                took,
            });
        }
        let tally = Tally {
            created,
            ..Tally::default()
        };
        slow.text(tally, took, verbose)
    }

    #[test]
    fn the_slowest_are_named_where_a_reader_would_ask() {
        let steps = [
            ("services", 12_000),
            ("vpc-network", 50),
            ("cluster", 362_000),
            ("nat-router", 900),
        ];
        let line = "slowest: cluster 6m02s, services 12s, nat-router 0.9s";
        for (created, took, verbose, expected) in [
            (4, 400_000, false, Some(line)),
            (4, 4_999, false, None),
            (4, 4_999, true, Some(line)),
            // This run only read.
            (0, 400_000, true, None),
        ] {
            assert_eq!(
                told(&steps, created, took, verbose).as_deref(),
                expected,
                "{created} {took} {verbose}"
            );
        }
        assert_eq!(told(&[("a", 50)], 1, 9_000, false), None);
    }

    #[test]
    fn five_at_most_and_no_line_is_too_wide() {
        let long = "a-step-with-a-rather-long-name-indeed";
        let steps = [(long, 5_000); 7];
        let text = told(&steps, 7, 9_000, false).unwrap();
        assert_eq!(text.matches(long).count(), 5, "{text}");
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
        assert!(
            text.lines()
                .all(|line| line.trim_end_matches(',').ends_with("5.0s")),
            "{text}"
        );
    }
}
