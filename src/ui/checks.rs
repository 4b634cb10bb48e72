//! The results of the checks: one line for each check by chapter, then a matrix of the requests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::table::{columns, folded};
use super::{Paint, plain};
use crate::engine::event::Event;
use crate::kinds::Step;
use crate::steps::Chapter;

/// The results of all checks.
#[derive(Default)]
pub struct CheckReport {
    found: BTreeMap<String, CheckRow>,
    /// Checks that were not run, because this cluster lacks what they need; what that is.
    not_here: BTreeMap<String, String>,
}

struct CheckRow {
    holds: bool,
    expected: String,
    seen: String,
    hint: Option<String>,
}

impl CheckReport {
    /// Processes one event.
    pub fn record(&mut self, event: &Event) {
        if let Event::Claimed {
            step,
            holds,
            expected,
            seen,
            hint,
        } = event
        {
            let found = CheckRow {
                holds: *holds,
                expected: plain(expected),
                seen: plain(seen),
                hint: hint.as_deref().map(plain),
            };
            self.found.insert(step.clone(), found);
        }
    }

    /// Records a check that is not checked, because only GKE has what it needs.
    pub fn not_here(&mut self, step: &str, only_gke: &str) {
        self.not_here.insert(step.to_owned(), plain(only_gke));
    }

    /// The report as text.
    pub fn text(&self, chapters: &[Chapter], steps: &[Step], paint: Paint) -> String {
        let mut text = String::new();
        for chapter in chapters {
            let of_chapter: Vec<&Step> = steps
                .iter()
                .filter(|step| step.chapter == chapter.name)
                .collect();
            if of_chapter.is_empty() {
                continue;
            }
            let _ = writeln!(text, "{}", paint.strong(&chapter.title));
            for step in of_chapter {
                text += &self.line(step, paint);
            }
        }
        let matrix = self.matrix(steps);
        if !matrix.is_empty() {
            let _ = write!(text, "\n{}\n{matrix}", paint.strong("who gets what"));
        }
        if steps.is_empty() {
            return "these chapters have no check\n".to_owned();
        }
        let holds = self.found.values().filter(|found| found.holds).count();
        let elsewhere = self.not_here.len();
        let _ = write!(text, "\n{holds} of {} checks hold", steps.len() - elsewhere);
        if elsewhere > 0 {
            let _ = write!(text, "; {elsewhere} not checked here");
        }
        text.push('\n');
        text
    }

    fn line(&self, step: &Step, paint: Paint) -> String {
        if let Some(only_gke) = self.not_here.get(&step.id) {
            let mut text = format!("  {}  {}\n", paint.change("not checked here"), step.id);
            text += &folded(
                "         it needs  ",
                &format!("{only_gke}; only GKE has this"),
            );
            return text;
        }
        let Some(found) = self.found.get(&step.id) else {
            return format!("  {}  {}\n", paint.change("not checked"), step.id);
        };
        let mut text = match found.holds {
            true => format!("  {}  {}\n", paint.good("holds"), step.id),
            false => format!("  {}  {}\n", paint.bad("FAILS"), step.id),
        };
        if !found.holds {
            let hint = found.hint.as_deref().map(|hint| ("hint", hint));
            let says = step.says.trim().replace('\n', " ");
            let told = [
                ("check", says.as_str()),
                ("expected", &found.expected),
                ("seen", &found.seen),
            ];
            for (word, said) in told.into_iter().chain(hint) {
                text += &folded(&format!("         {word:<8}  "), said);
            }
        }
        text
    }

    /// A row for each destination, a column for each source.
    fn matrix(&self, steps: &[Step]) -> String {
        let text = |step: &Step, key: &str| step.at.get(key)?.as_str().map(str::to_owned);
        let of_request = |step: &&Step| step.kind.name() == "check.request";
        let cells: BTreeMap<(String, String), String> = steps
            .iter()
            .filter(of_request)
            .filter_map(|step| {
                let found = self.found.get(&step.id)?;
                Some((
                    (text(step, "request")?, text(step, "namespace")?),
                    cell(found),
                ))
            })
            .collect();
        let sources: BTreeSet<&String> = cells.keys().map(|(_, source)| source).collect();
        let requests: BTreeSet<&String> = cells.keys().map(|(request, _)| request).collect();
        if cells.is_empty() {
            return String::new();
        }
        let mut rows = vec![vec!["  request".to_owned()]];
        rows[0].extend(sources.iter().map(|source| (*source).clone()));
        for request in requests {
            let mut row = vec![format!("  {request}")];
            row.extend(sources.iter().map(|source| {
                let cell = cells.get(&(request.clone(), (*source).clone()));
                cell.cloned().unwrap_or_else(|| "-".to_owned())
            }));
            rows.push(row);
        }
        columns(&rows)
    }
}

/// A request's cell: its status or how curl ended, with a mark if that or the body is not as expected. Pure.
fn cell(found: &CheckRow) -> String {
    // If the body differs, only the body is reported: the status was as expected.
    let told = match found.seen.starts_with('"') {
        true => &found.expected,
        false => &found.seen,
    };
    let first = told.split([':', '"']).next().unwrap_or_default().trim();
    let got = first.starts_with("curl ") || first.parse::<u16>().is_ok();
    // Nothing was sent: a pod was missing or not running.
    let first = if got { first } else { "none" };
    format!("{first}{}", if found.holds { "" } else { " !" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_says_what_a_request_got_and_marks_what_was_not_expected() {
        for (holds, expected, seen, cell_of) in [
            (true, "200", "200", "200"),
            (true, "503 \"reset\"", "503 \"reset\"", "503"),
            (false, "200", "403 \"RBAC: access denied\"", "403 !"),
            (false, "403 \"RBAC\"", "\"teapot\"", "403 !"),
            (true, "curl exit 35", "curl exit 35", "curl exit 35"),
            (
                false,
                "200",
                "curl exit 28: curl: (28) timed out",
                "curl exit 28 !",
            ),
            (false, "200", "no pod app=test in team-x", "none !"),
        ] {
            let found = CheckRow {
                holds,
                expected: expected.to_owned(),
                seen: seen.to_owned(),
                hint: None,
            };
            assert_eq!(cell(&found), cell_of, "{seen}");
        }
    }
}
