//! Being asked to stop: once lets what has left reach the journal, twice is at once. And not being asked to: a run that acts
//! outlives the terminal it was started on.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::output::note;
use crate::error::Exit;

/// Whether what would stop is only following another run.
static FOLLOWING: AtomicBool = AtomicBool::new(false);

/// A word that turns true at the first SIGINT or SIGTERM; the second ends the process. Every call hears the same word.
pub fn listen() -> watch::Receiver<bool> {
    static WORD: OnceLock<watch::Receiver<bool>> = OnceLock::new();
    WORD.get_or_init(install).clone()
}

/// The same for a process that follows another's run: it has nothing of its own to stop.
pub fn listen_following() -> watch::Receiver<bool> {
    FOLLOWING.store(true, Ordering::Relaxed);
    listen()
}

/// From here on there is something of its own to stop again.
pub fn listen_again() {
    FOLLOWING.store(false, Ordering::Relaxed);
}

/// From here on SIGHUP is heard and nothing follows from it: the terminal went away (a shell that was closed, a session that was
/// dropped), the run did not. Writing to a terminal that is gone fails, which nobody minds.
pub fn outlive_terminal() {
    static WORD: OnceLock<()> = OnceLock::new();
    WORD.get_or_init(|| {
        // Without a handler a hang-up ends the process at once, which is safe too: the next run goes on.
        let Ok(mut hangup) = signal(SignalKind::hangup()) else {
            return;
        };
        tokio::spawn(async move { while hangup.recv().await.is_some() {} });
    });
}

fn install() -> watch::Receiver<bool> {
    let (say, heard) = watch::channel(false);
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        // Without handlers a signal ends the process at once, which is safe too.
        return heard;
    };
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if say.send_replace(true) {
                std::process::exit(Exit::Interrupted as i32);
            }
            if !FOLLOWING.load(Ordering::Relaxed) {
                note("stopping: finishing requests in flight; press Ctrl-C again to quit now");
            }
        }
    });
    heard
}
