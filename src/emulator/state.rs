//! The state file: the whole world as JSON, replaced whole, so that a kill at any instant leaves the old state or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::world::World;

/// Where a world is kept; nowhere if there is no path.
#[derive(Debug, Clone, Default)]
pub struct StateFile(Option<PathBuf>);

/// Why a state file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be read or written.
    #[error("cannot use the emulator's state file {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It does not hold an emulator's state.
    #[error("{} is not an emulator's state file ({source}); move it away to start from an empty state", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Where the reading stopped.
        source: serde_json::Error,
    },
}

impl StateFile {
    /// A state file at `path`.
    pub fn new(path: Option<PathBuf>) -> StateFile {
        StateFile(path)
    }

    /// The world that was kept; none if nothing was yet.
    ///
    /// # Errors
    /// The file is there and cannot be read, or is something else.
    pub fn load(&self) -> Result<Option<World>, StateError> {
        let Some(path) = &self.0 else { return Ok(None) };
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|source| StateError::Io {
                path: path.clone(),
                source,
            })?,
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| StateError::Content {
                path: path.clone(),
                source,
            })
    }

    /// Keeps a world.
    ///
    /// # Errors
    /// The file cannot be written; the old one is still there.
    pub fn save(&self, world: &World) -> Result<(), StateError> {
        let Some(path) = &self.0 else { return Ok(()) };
        replace(path, world).map_err(|source| StateError::Io {
            path: path.clone(),
            source,
        })
    }
}

fn replace(path: &Path, world: &World) -> io::Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    // A leftover of a killed process, or another file.
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = private(&fresh)?;
    file.write_all(&serde_json::to_vec(world)?)?;
    // The page cache survives a killed process; a crash of the machine may cost the emulator its toy world.
    drop(file);
    fs::rename(&fresh, path)
}

/// A new file that only its owner may read: uploaded objects and the keys of clusters are in it.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
