//! Reading a journal's bytes: what they add up to, which lines cannot be believed, and what goes on being known without
//! them. Pure; no file.
//!
//! A record that cannot be believed takes with it what it said and nothing else: those before and after it have checksums of
//! their own. A line after it that makes no sense alone (the end of a request whose announcement is lost) is lost with it.

use std::collections::BTreeSet;

use super::entry::{Entry, FORMAT, LeftBehind, LineError};
use super::state::{IllegalEntry, State};

/// What the bytes of a journal add up to.
#[derive(Debug, Default)]
pub struct Replay {
    /// The fold of every line that can be believed.
    pub state: State,
    /// How many bytes are whole lines; what follows is a torn last line, whose request was never sent.
    pub whole: u64,
    /// How many records it has, those that cannot be believed included.
    pub records: u64,
    /// The lines that cannot be believed.
    pub damaged: Vec<DamagedLine>,
    /// What is lost with them: steps, or keys of things where no line names a step.
    pub lost: BTreeSet<String>,
    /// The lines that can be believed, as another journal may begin with them.
    pub believed: Vec<Entry>,
}

/// A line that cannot be believed.
#[derive(Debug)]
pub struct DamagedLine {
    /// Which, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: Damage,
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// It cannot be read.
    #[error(transparent)]
    Line(#[from] LineError),
    /// It stands behind its own place: a copy.
    #[error("record {number} found where record {next} was expected")]
    OutOfPlace {
        /// Its number.
        number: u64,
        /// The number that would follow.
        next: u64,
    },
    /// Records before it are gone.
    #[error("{}", gap(*.first, *.last))]
    Gap {
        /// The first of them.
        first: u64,
        /// The last.
        last: u64,
    },
    /// It cannot follow those before it.
    #[error(transparent)]
    Order(#[from] IllegalEntry),
}

fn gap(first: u64, last: u64) -> String {
    match last == first {
        true => format!("record {first} before it is missing"),
        false => format!("records {first} to {last} before it are missing"),
    }
}

/// Reads the lines.
pub fn replay(bytes: &[u8]) -> Replay {
    let mut all = Replay::default();
    for (index, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
        let Some(line) = line.strip_suffix(b"\n") else {
            break;
        };
        all.whole += line.len() as u64 + 1;
        // What a newer program wrote after its own `Run` need not be understood to be kept.
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
    /// Takes a line whose checksum holds, if it is in its place.
    fn numbered(&mut self, line: usize, number: u64, entry: Entry) {
        let next = self.records + 1;
        if number < next {
            // What a copy says is said, and known, in its own place.
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

    /// Takes a line whose checksum holds.
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
        // It follows from what is lost. The announcement of a request stands by itself: whatever was open on its thing had
        // come to an end that is lost.
        if let Entry::Intent { at, thing, .. } = &entry {
            let end = Entry::Failed {
                at: at.clone(),
                key: thing.key(),
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

/// What a line that cannot be believed seems to be about: told to a reader, and never relied upon.
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
        Entry::Run(Run {
            at: "t".to_owned(),
            format: FORMAT,
            run: "r".to_owned(),
            verb: "up".to_owned(),
            pid: 1,
            host: String::new(),
            asked: Vec::new(),
            program: String::new(),
            emulated: true,
            cluster: None,
            given: Default::default(),
        })
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
            thing: network(name),
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

    /// The lines with those of these numbers damaged.
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
        // (lines damaged, what is lost, whether a and b are ours after it)
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
            // What is believed is a journal of its own.
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
