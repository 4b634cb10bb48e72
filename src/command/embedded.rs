//! The emulator of `--emulate`: it runs inside this command and keeps its state beside the journals of the project. The
//! environments of a project share it, as they would share the project.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use crate::cli::Global;
use crate::engine::private::private_folder;
use crate::error::{CommandError, Exit};

/// How long a run waits for another one that is about to end.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause between two attempts to lock.
const NEXT_ATTEMPT: Duration = Duration::from_millis(50);

/// An emulator that serves until this is dropped.
pub struct Embedded {
    /// The emulator.
    pub running: emulator::Running,
    /// One run at a time writes the state file.
    _lock: Option<File>,
}

/// Starts the emulator with the state file. `keeps` is for a run that changes something; without it the file is not written.
/// `identity` is that of an emulator whose state file is gone.
///
/// # Errors
/// The folder or the file cannot be used; another run writes the file.
pub async fn start(
    global: &Global,
    file: &Path,
    identity: Option<String>,
    keeps: bool,
) -> Result<Embedded, CommandError> {
    let folder = file.parent().unwrap_or(file);
    let unusable = |error: std::io::Error| {
        CommandError::usage(
            format!("{}: {error}", folder.display()),
            "name another folder with --state-dir",
        )
    };
    private_folder(folder).map_err(unusable)?;
    let lock = match keeps {
        true => Some(locked(folder, unusable).await?),
        false => None,
    };
    let settings = emulator::Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        state: Some(file.to_owned()),
        identity,
        pace: pace(global)?,
    };
    let started = match keeps {
        true => emulator::start(settings).await,
        false => emulator::look(settings).await,
    };
    let running = started.map_err(|error| {
        CommandError::failed(
            format!("the emulator cannot start: {error}"),
            "free the port or the folder that the error names",
        )
    })?;
    Ok(Embedded {
        running,
        _lock: lock,
    })
}

/// Locks the folder of the state file: the lock ends with the process.
async fn locked(
    folder: &Path,
    unusable: impl Fn(std::io::Error) -> CommandError,
) -> Result<File, CommandError> {
    let file = File::open(folder).map_err(&unusable)?;
    let until = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                tokio::time::sleep(NEXT_ATTEMPT).await;
            }
            Err(TryLockError::WouldBlock) => {
                return Err(CommandError {
                    exit: Exit::Held,
                    errors: vec![format!(
                        "another run changes the emulator of {}",
                        folder.display()
                    )],
                    hint: Some(
                        "wait for it: the environments of a project share one emulator; `provision emulator` serves several runs at once"
                            .to_owned(),
                    ),
                });
            }
        }
    }
}

/// How long the emulator's operations take.
pub fn pace(global: &Global) -> Result<emulator::Pace, CommandError> {
    let pace = global.pace.as_deref().unwrap_or("0");
    pace.parse().map_err(|error: emulator::BadPace| {
        CommandError::usage(
            format!("--pace {pace}: {error}"),
            "write 0, real, or real/N",
        )
    })
}
