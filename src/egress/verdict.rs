//! The verdict on a request: whether it reaches its server, is refused, or cannot be judged; and the objects behind it.
//!
//! A verdict is no prediction of the latency or of the content of an answer. What is not understood is never counted as met
//! nor as absent: one such object or field on the way makes the verdict [`Verdict::Unknown`], whatever the rest decides.

use std::collections::BTreeSet;

use serde::Serialize;

use super::matrix::{Cell, CellSummary};
use super::object::Object;
use super::trace::{CallerOutcome, Trace};

/// The verdict on a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The server answers.
    Reaches,
    /// Something on the way stops it, or nothing listens at its end.
    Refused,
    /// Something that may decide is not understood, or was not read.
    Unknown,
}

impl Verdict {
    fn of(taints: bool, answered: bool, stopped: bool) -> Verdict {
        match (taints, answered && !stopped) {
            (true, _) => Verdict::Unknown,
            (false, true) => Verdict::Reaches,
            (false, false) => Verdict::Refused,
        }
    }

    /// The verdict in one word, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Reaches => "reaches",
            Verdict::Refused => "refused",
            Verdict::Unknown => "unknown",
        }
    }
}

impl Trace {
    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        let answered = matches!(self.got, CallerOutcome::Answer(_));
        let stopped = self.stopped_at().is_some();
        Verdict::of(!self.unknown.is_empty(), answered, stopped)
    }

    /// The objects behind the verdict, each once: those that are not understood; or what refuses the request; or, for a
    /// request that reaches its server, everything that let it pass, in the order of its path.
    pub fn deciding(&self) -> Vec<Object> {
        match self.verdict() {
            Verdict::Unknown => once(self.unknown.iter().map(|unknown| &unknown.object)),
            Verdict::Refused => self.stopped_at().map_or_else(Vec::new, |hop| {
                once(hop.ruling.by.iter().chain(hop.ruling.jointly()))
            }),
            Verdict::Reaches => once(self.hops.iter().filter_map(|hop| hop.ruling.by.as_ref())),
        }
    }
}

impl Cell {
    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        let answered = matches!(self.got, CellSummary::Status(_));
        Verdict::of(!self.unknown.is_empty(), answered, !self.reaches)
    }

    /// The objects behind the verdict, each once: those that are not understood, or what refuses the request. What lets a
    /// request pass is not recorded for a cell.
    pub fn deciding(&self) -> Vec<Object> {
        match self.verdict() {
            Verdict::Unknown => once(self.unknown.iter().map(|unknown| &unknown.object)),
            Verdict::Refused => once(
                self.by
                    .iter()
                    .chain(self.jointly.iter().flat_map(|all| all.iter())),
            ),
            Verdict::Reaches => Vec::new(),
        }
    }
}

/// The objects in their order, each once.
fn once<'o>(objects: impl Iterator<Item = &'o Object>) -> Vec<Object> {
    let mut seen = BTreeSet::new();
    objects
        .filter(|object| seen.insert(*object))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taint_comes_before_everything_else() {
        // (tainted, answered, stopped, verdict)
        for (taints, answered, stopped, verdict) in [
            (false, true, false, Verdict::Reaches),
            (false, true, true, Verdict::Refused),
            (false, false, true, Verdict::Refused),
            // The caller itself refuses the server's certificate.
            (false, false, false, Verdict::Refused),
            (true, true, false, Verdict::Unknown),
            (true, false, true, Verdict::Unknown),
        ] {
            assert_eq!(Verdict::of(taints, answered, stopped), verdict);
        }
    }
}
