//! The journal as a file: it records what is ours and which requests are open, on disk before each request is sent.
//!
//! It does not decide what exists: the cloud does. A damaged record is detected and skipped (`replay`); a torn last line (a crash
//! during a write) is cut off. A journal in a newer format is read, never written. The lock is a lock on the file: it ends with
//! the process that holds it, so nothing ever needs to be unlocked by hand.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::entry::{Entry, FORMAT, Run};
use super::event_log;
use super::private::{private_file, private_folder};
use super::replay::{Replay, replay};
use super::state::State;

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system returned an error.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// The error.
        source: io::Error,
    },
    /// Another run holds the lock.
    #[error("another run holds this environment{}", .holder.as_ref().map_or_else(String::new, |run| format!(": {}", run.who())))]
    Held {
        /// That run, where it is known.
        holder: Option<Box<Run>>,
    },
    /// Records before the end are not valid.
    #[error("{path}{}", told(.damage))]
    Damaged {
        /// The file.
        path: String,
        /// The damaged lines, and what is lost with them.
        damage: Box<Replay>,
    },
    /// A newer version of provision wrote it.
    #[error(
        "{path}: the journal has format {found}, but this version of provision writes format {FORMAT}"
    )]
    Newer {
        /// The file.
        path: String,
        /// The journal's format.
        found: u32,
    },
}

/// The damaged lines, and what is lost with them.
fn told(damage: &Replay) -> String {
    let lost = match damage.lost.len() {
        0 => "the affected steps are unknown".to_owned(),
        _ => {
            let names: Vec<String> = damage.lost.iter().cloned().collect();
            format!("affected steps: {}", some(&names))
        }
    };
    match damage.damaged.as_slice() {
        [one] => {
            format!(":{}: damaged record ({}); {lost}", one.line, one.why)
        }
        several => {
            let each: Vec<String> = several
                .iter()
                .map(|damaged| format!("{} ({})", damaged.line, damaged.why))
                .collect();
            format!(": damaged records in lines {}; {lost}", some(&each))
        }
    }
}

/// The first of many, and the number of the others: an error message must stay short.
fn some(words: &[String]) -> String {
    const ENOUGH: usize = 12;
    match words.len().checked_sub(ENOUGH) {
        None | Some(0) => words.join(", "),
        Some(more) => format!("{} and {more} more", words[..ENOUGH].join(", ")),
    }
}

/// The journal of one environment, open for writing and locked against other processes.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    /// The state that the records add up to.
    pub state: State,
    /// The number of records.
    records: u64,
    /// A record was not written in full: another after it would turn a torn last line into damage in the middle.
    torn: bool,
}

/// A journal that is locked and may be damaged: for a caller that rebuilds it.
#[derive(Debug)]
pub struct LockedJournal {
    file: File,
    path: PathBuf,
    /// The valid records and the damaged ones.
    pub read: Replay,
}

impl Journal {
    /// Opens the journal for writing, and creates the folder and the file if they are missing. Only one process at a time can.
    pub fn open(path: &Path) -> Result<Journal, JournalError> {
        LockedJournal::open(path)?.whole()
    }

    /// The same, after waiting until no other process holds the lock. Blocks its thread.
    pub fn wait(path: &Path) -> Result<Journal, JournalError> {
        LockedJournal::of(path, |file| file.lock())?.whole()
    }

    /// Reads without the lock, for verbs that change nothing; a missing journal counts as an empty one.
    pub fn read(path: &Path) -> Result<State, JournalError> {
        let read = Journal::look(path)?;
        if read.damaged.is_empty() {
            return Ok(read.state);
        }
        Err(JournalError::Damaged {
            path: path.display().to_string(),
            damage: Box::new(read),
        })
    }

    /// Reads the valid records, without the lock.
    pub fn look(path: &Path) -> Result<Replay, JournalError> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(replay(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Replay::default()),
            Err(source) => Err(io_at(path)(source)),
        }
    }

    /// Appends one entry; on return it is on disk. After a failure nothing more is written: the next run starts from the records
    /// that are whole.
    pub fn write(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let io = io_at(&self.path);
        if self.torn {
            return Err(io(io::Error::other(
                "an earlier record could not be written",
            )));
        }
        self.state
            .take(entry)
            .map_err(|illegal| io(io::Error::other(illegal)))?;
        let line = entry
            .seal(self.records + 1)
            .map_err(|error| io(io::Error::other(error)))?;
        let written = self.file.write_all(line.as_bytes());
        let written = written.and_then(|()| self.file.sync_data());
        self.torn = written.is_err();
        self.records += 1;
        written.map_err(io)
    }
}

impl LockedJournal {
    /// Locks a journal, damaged or not, and creates the folder and the file if they are missing.
    pub fn open(path: &Path) -> Result<LockedJournal, JournalError> {
        LockedJournal::of(path, |file| match file.try_lock() {
            Ok(()) => Ok(()),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        })
    }

    fn of(
        path: &Path,
        lock: impl Fn(&File) -> io::Result<()>,
    ) -> Result<LockedJournal, JournalError> {
        let io = io_at(path);
        if let Some(folder) = path.parent() {
            private_folder(folder).map_err(&io)?;
            keep_private(folder, 0o700);
            is_ours(std::fs::metadata(folder)).map_err(&io)?;
        }
        let mut file = loop {
            let file = private_file(path, OpenOptions::new().create(true)).map_err(&io)?;
            keep_private(path, 0o600);
            is_ours(file.metadata()).map_err(&io)?;
            match lock(&file) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let holder = holder(path).map(Box::new);
                    return Err(JournalError::Held { holder });
                }
                Err(error) => return Err(io(error)),
            }
            // The lock belongs to a file, and the path may name another file by now.
            if is_at(&file, path) {
                break file;
            }
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(&io)?;
        let read = replay(&bytes);
        if read.state.format > FORMAT {
            return Err(JournalError::Newer {
                path: path.display().to_string(),
                found: read.state.format,
            });
        }
        let path = path.to_owned();
        Ok(LockedJournal { file, path, read })
    }

    /// The journal, if every record is valid. A torn last line is cut off: its request is not sent before the line is whole.
    pub fn whole(self) -> Result<Journal, JournalError> {
        let LockedJournal {
            mut file,
            path,
            read,
        } = self;
        if !read.damaged.is_empty() {
            return Err(JournalError::Damaged {
                path: path.display().to_string(),
                damage: Box::new(read),
            });
        }
        let made = file
            .set_len(read.whole)
            .and_then(|()| file.seek(SeekFrom::End(0)));
        made.map_err(io_at(&path))?;
        if read.whole == 0 {
            sync_folder(&path)?;
        }
        Ok(Journal {
            file,
            path,
            state: read.state,
            records: read.records,
            torn: false,
        })
    }

    /// The journal with `first` as its next record. A damaged journal is copied to a file beside it (the copy's path is returned)
    /// and then replaced by its valid records. The replacement is atomic, even in a crash.
    pub fn rebuilt(self, first: &Entry) -> Result<(Journal, Option<PathBuf>), JournalError> {
        if self.read.damaged.is_empty() {
            let mut journal = self.whole()?;
            journal.write(first)?;
            return Ok((journal, None));
        }
        let io = io_at(&self.path);
        let beside = |end: &str| {
            let mut name = self.path.clone().into_os_string();
            name.push(end);
            PathBuf::from(name)
        };
        let kept = beside(&format!(
            ".damaged-{}",
            jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%.3fZ")
        ));
        std::fs::copy(&self.path, &kept).map_err(&io)?;
        let new = beside(".new");
        // A file that a killed run left, or that another user wrote while the folder was open to others.
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
        let file = private_file(&new, OpenOptions::new().create_new(true)).map_err(&io)?;
        // Locked before it is renamed: there is no moment at which another process could lock it.
        file.lock().map_err(&io)?;
        let mut journal = Journal {
            file,
            path: new.clone(),
            state: State::default(),
            records: 0,
            torn: false,
        };
        let begins_with_run = matches!(self.read.believed.first(), Some(Entry::Run(_)));
        for entry in (!begins_with_run)
            .then_some(first)
            .into_iter()
            .chain(&self.read.believed)
            .chain([first])
        {
            journal.write(entry)?;
        }
        std::fs::rename(&new, &self.path).map_err(&io)?;
        sync_folder(&self.path)?;
        journal.path = self.path;
        Ok((journal, Some(kept)))
    }
}

/// The run that holds a journal: the one that started the event log, or the last one in the journal.
fn holder(path: &Path) -> Option<Run> {
    let logged = path.parent().and_then(event_log::header);
    // The holder may be in the middle of writing a line: the records before it are enough to name it.
    let journalled = Journal::look(path)
        .ok()
        .and_then(|read| read.state.last_run);
    [logged, journalled]
        .into_iter()
        .flatten()
        .max_by(|a, b| a.at.cmp(&b.at))
}

fn io_at(path: &Path) -> impl Fn(io::Error) -> JournalError + use<> {
    let path = path.display().to_string();
    move |source| JournalError::Io {
        path: path.clone(),
        source,
    }
}

/// Whether a path leads to this open file.
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(file), Ok(path)) => (file.dev(), file.ino()) == (path.dev(), path.ino()),
        _ => false,
    }
}

/// Syncs the folder: a new file survives a power cut only if its folder's entry is on disk.
fn sync_folder(path: &Path) -> Result<(), JournalError> {
    let Some(folder) = path.parent() else {
        return Ok(());
    };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(io_at(path))
}

/// Removes permissions of other users, which an earlier copy or an unpacked archive may have set.
fn keep_private(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    let open = |about: std::fs::Metadata| about.permissions().mode() & 0o077 != 0;
    if std::fs::metadata(path).is_ok_and(open) {
        // A file system without modes has no permissions to remove.
        let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode));
    }
}

/// Refuses a file or folder of another user, who could change what the journal records as ours, and `down` would delete it. Root
/// is exempt: in a container it works on folders of users outside.
fn is_ours(about: io::Result<std::fs::Metadata>) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let (owner, we) = (about?.uid(), rustix::process::geteuid().as_raw());
    if owner == we || we == 0 {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "it belongs to another user (uid {owner}), who could change its content"
    )))
}

/// A run's access to the journal.
pub enum JournalAccess<'a> {
    /// For runs that change resources.
    Write(&'a mut Journal),
    /// For runs that only read.
    Read(&'a State),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::entry::now;

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
        // A handle that cannot be written to represents a full disk, and a good one represents space that was freed.
        let good = std::mem::replace(&mut journal.file, File::open(&path).unwrap());
        journal.write(&entry).unwrap_err();
        journal.file = good;
        let error = journal.write(&entry).unwrap_err().to_string();
        assert!(error.contains("an earlier record"), "{error}");
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert_eq!(lines, 1);
    }
}
