//! The journal: what is ours and what is open, as JSON lines that are on disk before the request they announce.
//!
//! It is never asked what exists: the cloud is. A line carries a checksum of itself and of the one before, so that a record
//! that is damaged, gone or in another's place is seen and not believed; a torn last line (a crash while writing) is cut off. A journal of a newer format is read, never written.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::state::State;
use crate::google::Operation;
use crate::kinds::Thing;

/// The format that this program writes.
pub const FORMAT: u32 = 1;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub enum Entry {
    /// A run begins.
    Run(Run),
    /// A request that changes something is about to be sent.
    Intent {
        /// When.
        at: String,
        /// The step, as readers know it.
        step: String,
        /// What it is about.
        thing: Thing,
        /// What is about to happen to it.
        verb: Verb,
        /// The id under which the request may be repeated.
        request: String,
        /// The parts of a set that it concerns.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        parts: Vec<String>,
        /// Things that the same request makes inside this one.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        inside: Vec<Thing>,
    },
    /// The request was accepted and Google goes on with it.
    Sent {
        /// When.
        at: String,
        /// The thing's key.
        key: String,
        /// How to ask how far it is.
        operation: Operation,
    },
    /// It is as it was meant to be.
    Done {
        /// When.
        at: String,
        /// The thing's key.
        key: String,
        /// Milliseconds since the intent.
        took: u64,
    },
    /// It is not.
    Failed {
        /// When.
        at: String,
        /// The thing's key.
        key: String,
        /// Google's own words.
        message: String,
        /// What exists because of it.
        left: Left,
    },
    /// The run ended by itself.
    End {
        /// When.
        at: String,
        /// How: `done`, `failed`, `interrupted`.
        how: String,
    },
}

/// The first line of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// When.
    pub at: String,
    /// The format of the lines that follow.
    pub format: u32,
    /// A name for this run.
    pub run: String,
    /// The verb that was asked for.
    pub verb: String,
    /// The process, so that a second run can say who holds the environment.
    pub pid: u32,
    /// The version of the program.
    pub program: String,
    /// Whether the cloud was the emulator: the two never share a journal.
    pub emulated: bool,
    /// Project, region, zone and the parameters that were given.
    pub given: Map<String, Value>,
}

/// What a request does to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Makes it.
    Create,
    /// Changes it.
    Update,
    /// Removes it.
    Delete,
}

impl Verb {
    /// As readers see it.
    pub fn word(self) -> &'static str {
        match self {
            Verb::Create => "create",
            Verb::Update => "update",
            Verb::Delete => "delete",
        }
    }
}

/// What exists because of a failed request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Left {
    /// Nothing that was not there before.
    Nothing,
    /// Something that was not there before.
    Something,
    /// Nobody knows: the answer was lost.
    Unknown,
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system said no.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What it said.
        source: io::Error,
    },
    /// Another run holds it.
    #[error("another run holds this environment{holder}")]
    Held {
        /// Who, where the journal says so.
        holder: String,
    },
    /// A line in the middle cannot be believed.
    #[error("{path}:{line}: damaged record ({why}); what it said about what is ours is lost")]
    Damaged {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// It was written by a newer program.
    #[error("{path}: written in format {found}, this program writes format {FORMAT}")]
    Newer {
        /// The file.
        path: String,
        /// Its format.
        found: u32,
    },
}

/// The journal of one environment. Its lock is the file's: it dies with the process.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    /// What the lines add up to.
    pub state: State,
    /// The checksum of the last line.
    sum: u32,
    /// A record could not be written whole: another after it would turn a torn last line into damage in the middle.
    torn: bool,
}

impl Journal {
    /// Opens for writing, making folder and file where they are not; only one process at a time can.
    pub fn open(path: &Path) -> Result<Journal, JournalError> {
        let io = |source| JournalError::Io {
            path: path.display().to_string(),
            source,
        };
        if let Some(folder) = path.parent() {
            private_folder(folder).map_err(io)?;
            keep_private(folder, 0o700);
        }
        let mut file = private_file(path).map_err(io)?;
        keep_private(path, 0o600);
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                // The holder may be in the middle of a line: what it said before is enough to name it.
                let last = Self::read(path).ok().and_then(|state| state.last_run);
                let holder = last.map_or_else(String::new, |run| {
                    format!(
                        ": process {}, `provision {}`, since {}",
                        run.pid, run.verb, run.at
                    )
                });
                return Err(JournalError::Held { holder });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let (state, good, sum) = replay(&mut file, path)?;
        if state.format > FORMAT {
            return Err(JournalError::Newer {
                path: path.display().to_string(),
                found: state.format,
            });
        }
        // A torn last line was never acted upon: its request waited for it to be whole.
        file.set_len(good).map_err(io)?;
        if good == 0
            && let Some(folder) = path.parent()
        {
            // A new file is there after a power cut only if its folder says so.
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(io)?;
        }
        file.seek(SeekFrom::End(0)).map_err(io)?;
        Ok(Journal {
            file,
            path: path.to_owned(),
            state,
            sum,
            torn: false,
        })
    }

    /// Reads without the lock, for verbs that change nothing; an absent journal is an empty one.
    pub fn read(path: &Path) -> Result<State, JournalError> {
        match File::open(path) {
            Ok(mut file) => replay(&mut file, path).map(|(state, ..)| state),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(State::default()),
            Err(source) => Err(JournalError::Io {
                path: path.display().to_string(),
                source,
            }),
        }
    }

    /// Appends one entry; on return it is on disk. After a failure nothing more is written: the next run begins with what
    /// is whole.
    pub fn write(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let io = |source| JournalError::Io {
            path: self.path.display().to_string(),
            source,
        };
        if self.torn {
            return Err(io(io::Error::other(
                "an earlier record could not be written",
            )));
        }
        self.state
            .take(entry)
            .map_err(|illegal| io(io::Error::other(illegal.to_string())))?;
        let (line, sum) = seal(entry, self.sum).map_err(|error| io(io::Error::other(error)))?;
        let written = self.file.write_all(line.as_bytes());
        let written = written.and_then(|()| self.file.sync_data());
        self.torn = written.is_err();
        self.sum = sum;
        written.map_err(io)
    }
}

/// Takes from others what an earlier copy or an unpacked archive gave them.
fn keep_private(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    let open = |about: std::fs::Metadata| about.permissions().mode() & 0o077 != 0;
    if std::fs::metadata(path).is_ok_and(open) {
        // A file system without modes has none to take.
        let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode));
    }
}

/// Makes a folder that only its owner can enter.
pub fn private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

fn private_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// An entry as a line, with its checksum: its JSON with the checksum as last field. `before` is that of the line before.
fn seal(entry: &Entry, before: u32) -> serde_json::Result<(String, u32)> {
    let body = serde_json::to_string(entry)?;
    let sum = checksum(&body, before);
    let open = body.strip_suffix('}').unwrap_or(&body);
    Ok((format!("{open},\"sum\":\"{sum:08x}\"}}\n"), sum))
}

/// The entry of a line and its checksum, if that holds.
fn unseal(line: &str, before: u32) -> Result<(Entry, u32), String> {
    let (body, sum) = line.rsplit_once(",\"sum\":\"").ok_or("no checksum")?;
    let body = format!("{body}}}");
    let said = sum.strip_suffix("\"}").ok_or("no end")?;
    let sum = checksum(&body, before);
    if format!("{sum:08x}") != said {
        return Err("checksum does not match".to_owned());
    }
    let entry = serde_json::from_str(&body).map_err(|error| error.to_string())?;
    Ok((entry, sum))
}

/// The CRC-32 of a line's JSON, continued from that of the line before; the first continues from 0.
fn checksum(body: &str, before: u32) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(before);
    hasher.update(body.as_bytes());
    hasher.finalize()
}

/// Folds the lines of a file; also says how many bytes of it are whole lines, and the checksum of the last of them.
fn replay(file: &mut File, path: &Path) -> Result<(State, u64, u32), JournalError> {
    let shown = path.display().to_string();
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))
        .and_then(|_| file.read_to_end(&mut bytes))
        .map_err(|source| JournalError::Io {
            path: shown.clone(),
            source,
        })?;
    let mut state = State::default();
    let (mut good, mut sum) = (0, 0);
    for (index, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
        if !line.ends_with(b"\n") {
            break;
        }
        let damaged = |why| JournalError::Damaged {
            path: shown.clone(),
            line: index + 1,
            why,
        };
        let text = std::str::from_utf8(line).map_err(|error| damaged(error.to_string()))?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        let entry = match unseal(text, sum) {
            Ok((entry, own)) => {
                sum = own;
                entry
            }
            // What a newer program wrote after its own `Run` need not be understood to be kept.
            Err(_) if state.format > FORMAT => continue,
            Err(why) => return Err(damaged(why)),
        };
        if state.format <= FORMAT {
            state
                .take(&entry)
                .map_err(|illegal| damaged(illegal.to_string()))?;
        }
        good += line.len() as u64;
    }
    Ok((state, good, sum))
}

/// Now, as the journal writes it: UTC, to the millisecond.
pub fn now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_after_a_record_that_was_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let mut journal = Journal::open(&path).unwrap();
        let entry = Entry::End {
            at: now(),
            how: "done".to_owned(),
        };
        journal.write(&entry).unwrap();
        // A handle that cannot be written to stands for a disk that is full, and a good one for space that was made.
        let good = std::mem::replace(&mut journal.file, File::open(&path).unwrap());
        journal.write(&entry).unwrap_err();
        journal.file = good;
        let error = journal.write(&entry).unwrap_err().to_string();
        assert!(error.contains("an earlier record"), "{error}");
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert_eq!(lines, 1);
    }
}
