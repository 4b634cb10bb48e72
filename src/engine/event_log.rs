//! The log of a run's events, in a file beside the journal: a second shell follows the run by it.
//!
//! It decides nothing and does not have to survive a crash: the journal does. Each run that changes resources starts a new log; a
//! process that still reads the old one can continue. A log that cannot be written is dropped, and the run continues.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::entry::{Run, now};
use super::event::Event;
use super::private::private_file;

/// The file's name in the environment's folder.
pub const FILE: &str = "events.jsonl";

/// One line after the header.
#[derive(Serialize, Deserialize)]
struct EventLogLine {
    at: String,
    #[serde(flatten)]
    event: Event,
}

/// A log that is being written.
#[derive(Debug)]
pub struct EventLog(Option<File>);

impl EventLog {
    /// Starts a log, whose first line is the run, as the journal will record it.
    pub fn begin(folder: &Path, run: &Run) -> EventLog {
        let path = folder.join(FILE);
        // Replaced, not truncated: a process that reads the old log continues to read the old one.
        let _ = std::fs::remove_file(&path);
        let mut log = EventLog(private_file(&path, OpenOptions::new().create_new(true)).ok());
        log.write(serde_json::to_string(run));
        log
    }

    /// Appends an event.
    pub fn append(&mut self, event: &Event) {
        let at = now();
        let event = event.clone();
        self.write(serde_json::to_string(&EventLogLine { at, event }));
    }

    fn write(&mut self, line: serde_json::Result<String>) {
        let (Some(file), Ok(line)) = (&mut self.0, line) else {
            return;
        };
        if file.write_all(format!("{line}\n").as_bytes()).is_err() {
            self.0 = None;
        }
    }
}

/// The first line of a folder's log.
pub fn header(folder: &Path) -> Option<Run> {
    EventLogTail::open(folder).map(|tail| tail.run)
}

/// A log that is read while it grows.
pub struct EventLogTail {
    /// The run that writes the log.
    pub run: Run,
    file: BufReader<File>,
    path: PathBuf,
    /// The start of a line whose end is not written yet.
    rest: String,
}

impl EventLogTail {
    /// Opens a folder's log; none if there is no log or its first line is not complete.
    pub fn open(folder: &Path) -> Option<EventLogTail> {
        let path = folder.join(FILE);
        let mut file = BufReader::new(File::open(&path).ok()?);
        let mut line = String::new();
        file.read_line(&mut line).ok()?;
        let run = serde_json::from_str(line.strip_suffix('\n')?).ok()?;
        Some(EventLogTail {
            run,
            file,
            path,
            rest: String::new(),
        })
    }

    /// The events that were appended since the last read, each with its time since the start of the run. A line that cannot be
    /// parsed is skipped: another version of provision may have written it.
    pub fn read(&mut self) -> Vec<(Duration, Event)> {
        // Whole characters only: a line is written at once, and is read again if it was not complete.
        if self.file.read_to_string(&mut self.rest).is_err() {
            return Vec::new();
        }
        let whole = self.rest.rfind('\n').map_or(0, |end| end + 1);
        let lines: String = self.rest.drain(..whole).collect();
        lines
            .lines()
            .filter_map(|line| serde_json::from_str::<EventLogLine>(line).ok())
            .map(|line| (since(&self.run.at, &line.at), line.event))
            .collect()
    }

    /// The time since the start of the run.
    pub fn age(&self) -> Duration {
        since(&self.run.at, &now())
    }

    /// Whether another run has started a log of its own.
    pub fn is_replaced(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        match (
            self.file.get_ref().metadata(),
            std::fs::metadata(&self.path),
        ) {
            (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) != (there.dev(), there.ino()),
            _ => false,
        }
    }
}

/// The time between two of the journal's timestamps; zero if one cannot be parsed.
fn since(from: &str, to: &str) -> Duration {
    let at = |text: &str| text.parse::<jiff::Timestamp>().ok();
    match (at(from), at(to)) {
        (Some(from), Some(to)) => to.duration_since(from).unsigned_abs(),
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::change::Change;
    use crate::engine::entry::{ChangeVerb, FORMAT};
    use crate::engine::event::{RunOutcome, StepOutcome, Tally};
    use crate::kinds::FieldDiff;
    use serde_json::json;

    fn run(name: &str) -> Run {
        Run {
            at: now(),
            format: FORMAT,
            run: name.to_owned(),
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
        }
    }

    /// Events of several variants, with every shape of their fields.
    fn events() -> Vec<Event> {
        let step = || "s".to_owned();
        let fields = vec![FieldDiff {
            path: "a.b".to_owned(),
            have: json!(null),
            want: json!({"x": [1, 2.5]}),
            fixed: true,
            owner: Some("somebody".to_owned()),
        }];
        let looked = |change| Event::Looked {
            step: step(),
            change,
            ours: true,
            want: json!({"a": 1}),
            inside: None,
        };
        vec![
            Event::RunStarted {
                verb: "up".to_owned(),
                project: "p".to_owned(),
                steps: 3,
                identity: None,
            },
            looked(Change::None),
            looked(Change::Update(fields.clone())),
            looked(Change::Adopt(fields)),
            looked(Change::Waits(vec!["t".to_owned()])),
            Event::Sending {
                step: step(),
                verb: ChangeVerb::Create,
            },
            Event::Finished {
                step: step(),
                outcome: StepOutcome::Created,
                took: 7,
            },
            Event::RunFinished {
                how: RunOutcome::Failed,
                tally: Tally::default(),
                took: 9,
            },
        ]
    }

    #[test]
    fn what_is_told_is_read_as_it_comes() {
        let folder = tempfile::tempdir().unwrap();
        assert!(EventLogTail::open(folder.path()).is_none());
        let mut log = EventLog::begin(folder.path(), &run("first"));
        let mut tail = EventLogTail::open(folder.path()).unwrap();
        assert_eq!(tail.run.run, "first");
        for event in events() {
            assert!(tail.read().is_empty());
            log.append(&event);
            let read: Vec<String> = tail
                .read()
                .iter()
                .map(|(_, event)| serde_json::to_string(event).unwrap())
                .collect();
            assert_eq!(read, [serde_json::to_string(&event).unwrap()]);
        }
        assert!(!tail.is_replaced());
        let mut other = EventLog::begin(folder.path(), &run("second"));
        other.append(&events()[0]);
        assert!(tail.is_replaced());
        assert!(tail.read().is_empty(), "it goes on reading the old one");
        assert_eq!(header(folder.path()).unwrap().run, "second");
    }

    #[test]
    fn half_a_line_waits_for_its_other_half() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = EventLog::begin(folder.path(), &run("r"));
        let mut tail = EventLogTail::open(folder.path()).unwrap();
        let event = serde_json::to_value(&events()[0]).unwrap();
        let mut line = json!({"at": "2026-01-01T00:00:00Z"});
        line.as_object_mut()
            .unwrap()
            .extend(event.as_object().unwrap().clone());
        let line = format!("{line}\n");
        let (one, other) = line.split_at(20);
        let file = log.0.as_mut().unwrap();
        file.write_all(one.as_bytes()).unwrap();
        assert!(tail.read().is_empty());
        file.write_all(other.as_bytes()).unwrap();
        assert_eq!(tail.read().len(), 1);
        file.write_all(b"{\"at\":\"\",\"event\":\"of the future\"}\n")
            .unwrap();
        assert!(tail.read().is_empty());
    }
}
