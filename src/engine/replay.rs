//! Reads a journal's bytes: the state of its records, the damaged lines, and what remains known without them. Pure: reads no file.
//!
//! A damaged record loses its own content and nothing else: the records before and after it have checksums of their own. A later
//! record that is meaningless alone (the end of a request whose announcement is lost) is lost with it.

use std::collections::BTreeSet;

use super::entry::{Entry, FORMAT, LeftBehind, LineError};
use super::state::{IllegalEntry, State};

/// The content of a journal.
#[derive(Debug, Default)]
pub struct Replay {
    /// The fold of every valid record.
    pub state: State,
    /// The number of bytes in whole lines; the rest is a torn last line, whose request was never sent.
    pub whole: u64,
    /// The number of records, including the damaged ones.
    pub records: u64,
    /// The damaged lines.
    pub damaged: Vec<DamagedLine>,
    /// What is lost with them: steps, or keys of resources where no line names a step.
    pub lost: BTreeSet<String>,
    /// The valid records, as another journal may start with them.
    pub believed: Vec<Entry>,
}

/// A damaged line.
#[derive(Debug)]
pub struct DamagedLine {
    /// The line's number, from 1.
    pub line: usize,
    /// The reason.
    pub why: Damage,
}

/// The reason why a line is damaged.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// It cannot be parsed.
    #[error(transparent)]
    Line(#[from] LineError),
    /// Its number has already been passed: it is a copy.
    #[error("record {number} found where record {next} was expected")]
    OutOfPlace {
        /// The line's number.
        number: u64,
        /// The number that was expected.
        next: u64,
    },
    /// Records before it are missing.
    #[error("{}", gap(*.first, *.last))]
    Gap {
        /// The number of the first missing record.
        first: u64,
        /// The number of the last missing record.
        last: u64,
    },
    /// It cannot follow the records before it.
    #[error(transparent)]
    Order(#[from] IllegalEntry),
}

fn gap(first: u64, last: u64) -> String {
    match last == first {
        true => format!("record {first} before it is missing"),
        false => format!("records {first} to {last} before it are missing"),
    }
}

/// Replays a journal's bytes.
pub fn replay(bytes: &[u8]) -> Replay {
    let mut all = Replay::default();
    for (index, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
        let Some(line) = line.strip_suffix(b"\n") else {
            break;
        };
        all.whole += line.len() as u64 + 1;
        // What a newer version wrote after its own `Run` need not be understood to be kept.
        if all.state.format > FORMAT {
            continue;
        }
        let entry = std::str::from_utf8(line)
            .map_err(LineError::from)
            .and_then(|text| Entry::unseal(text.trim_end()));
        match entry {
            Ok((number, entry)) => {
                let number = number.unwrap_or(all.records + 1);
                all.numbered(index + 1, number, entry);
            }
            Err(error) => {
                all.records += 1;
                all.lost.extend(about(&String::from_utf8_lossy(line)));
                all.damaged.push(DamagedLine {
                    line: index + 1,
                    why: error.into(),
                });
            }
        }
    }
    all
}

impl Replay {
    /// Applies a line with a valid checksum, if its number is in order.
    fn numbered(&mut self, line: usize, number: u64, entry: Entry) {
        let next = self.records + 1;
        if number < next {
            // The content of a copy has been applied in its own place.
            let why = Damage::OutOfPlace { number, next };
            return self.damaged.push(DamagedLine { line, why });
        }
        if number > next {
            let why = Damage::Gap {
                first: next,
                last: number - 1,
            };
            self.damaged.push(DamagedLine { line, why });
        }
        self.records = number;
        self.take(line, entry);
    }

    /// Applies a line with a valid checksum.
    fn take(&mut self, line: usize, entry: Entry) {
        let illegal = match self.state.take(&entry) {
            Ok(()) => return self.believed.push(entry),
            Err(illegal) => illegal,
        };
        if self.damaged.is_empty() {
            self.lost.extend(names(&entry));
            let why = illegal.into();
            return self.damaged.push(DamagedLine { line, why });
        }
        // It follows a lost record. The announcement of a request is valid by itself: whatever was open on its resource had an
        // end, which is lost.
        if let Entry::Intent { at, resource, .. } = &entry {
            let end = Entry::Failed {
                at: at.clone(),
                key: resource.key(),
                message: "its outcome is lost".to_owned(),
                left: LeftBehind::Unknown,
            };
            if self.state.take_alone(&end).is_ok() {
                self.believed.push(end);
            }
        }
        match self.state.take_alone(&entry) {
            Ok(()) => self.believed.push(entry),
            Err(_) => self.lost.extend(names(&entry)),
        }
    }
}

/// The step or the key that an entry names.
fn names(entry: &Entry) -> Option<String> {
    match entry {
        Entry::Intent { step, .. } | Entry::Adopted { step, .. } => Some(step.clone()),
        Entry::Sent { key, .. } | Entry::Done { key, .. } | Entry::Failed { key, .. } => {
            Some(key.clone())
        }
        Entry::Run(_) | Entry::End { .. } => None,
    }
}

/// The step or the key that a damaged line seems to name: shown to the user, and never relied upon.
fn about(line: &str) -> Option<String> {
    ["\"step\":\"", "\"key\":\""].iter().find_map(|field| {
        let (_, rest) = line.split_once(field)?;
        let (name, _) = rest.split_once('"')?;
        let fits = !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic() || c == ' ');
        fits.then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::entry::{ChangeVerb, Run};
    use crate::kinds::ResourceId;
    use serde_json::json;

    fn run() -> Entry {
        Entry::Run(Box::new(Run {
            at: "t".to_owned(),
            format: FORMAT,
            run: "r".to_owned(),
            verb: "up".to_owned(),
            pid: 1,
            host: String::new(),
            asked: Vec::new(),
            program: String::new(),
            emulated: true,
            cloud: None,
            folders: Default::default(),
            kept: Vec::new(),
            cluster: None,
            given: Default::default(),
        }))
    }

    fn network(name: &str) -> ResourceId {
        let at = json!({"project": "p", "network": name});
        ResourceId {
            kind: "compute.network".to_owned(),
            at: at.as_object().unwrap().clone(),
        }
    }

    fn intent(name: &str, verb: ChangeVerb) -> Entry {
        Entry::Intent {
            at: "t".to_owned(),
            step: format!("step-{name}"),
            resource: network(name),
            verb,
            request: format!("{name} {}", verb.word()),
            parts: Vec::new(),
            inside: Vec::new(),
        }
    }

    fn done(name: &str) -> Entry {
        Entry::Done {
            at: "t".to_owned(),
            key: network(name).key(),
            took: 1,
        }
    }

    /// Replays the entries, with the lines of these numbers damaged.
    fn read(entries: &[Entry], damaged: &[usize]) -> Replay {
        let lines = entries.iter().enumerate().map(|(index, entry)| {
            let line = entry.seal(index as u64 + 1).unwrap();
            if damaged.contains(&(index + 1)) {
                line.replacen("\"at\":\"t", "\"at\":\"x", 1)
            } else {
                line
            }
        });
        replay(lines.collect::<String>().as_bytes())
    }

    #[test]
    fn a_damaged_line_takes_only_what_it_said() {
        use ChangeVerb::{Create, Delete};
        let a = "compute.network projects/p/global/networks/a";
        let all = [
            run(),
            intent("a", Create),
            done("a"),
            intent("b", Create),
            done("b"),
            intent("a", Delete),
            done("a"),
        ];
        // (damaged lines, what is lost, whether a is ours, whether b is ours)
        let cases: [(&[usize], &[&str], bool, bool); 6] = [
            (&[], &[], false, true),
            (&[1], &[], false, true),
            (&[2], &["step-a", a], false, true),
            (&[3], &[a], false, true),
            (
                &[4],
                &["compute.network projects/p/global/networks/b", "step-b"],
                false,
                false,
            ),
            (&[6, 7], &["step-a", a], true, true),
        ];
        for (damaged, lost, ours_a, ours_b) in cases {
            let read = read(&all, damaged);
            let lines: Vec<usize> = read.damaged.iter().map(|damaged| damaged.line).collect();
            assert_eq!(lines, damaged);
            let expected: BTreeSet<String> = lost.iter().map(|s| (*s).to_owned()).collect();
            assert_eq!(read.lost, expected, "{damaged:?}");
            assert_eq!(
                read.state.is_ours(&network("a").key()),
                ours_a,
                "{damaged:?}"
            );
            assert_eq!(
                read.state.is_ours(&network("b").key()),
                ours_b,
                "{damaged:?}"
            );
            // The valid records form a journal of their own.
            let mut again = State::default();
            again.take(&run()).unwrap();
            for entry in &read.believed {
                again.take(entry).unwrap();
            }
            assert_eq!(again.is_ours(&network("a").key()), ours_a, "{damaged:?}");
        }
    }

    #[test]
    fn what_a_damaged_line_is_about_is_told_only_where_it_can_be_read() {
        for (line, expected) in [
            (r#"{"entry":"intent","step":"vpc","key":"k"#, Some("vpc")),
            (
                r#"{"entry":"done","key":"compute.network n","#,
                Some("compute.network n"),
            ),
            ("{\"step\":\"a\u{1b}[31m\"", None),
            (r#"{"step":"#, None),
            ("", None),
        ] {
            assert_eq!(about(line).as_deref(), expected, "{line}");
        }
    }
}
