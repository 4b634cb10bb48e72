//! Being asked to stop: once lets what has left reach the journal, twice is at once.

use std::sync::OnceLock;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::note;
use crate::error::Exit;

/// A word that turns true at the first SIGINT or SIGTERM; the second ends the process. Every call hears the same word.
pub fn listen() -> watch::Receiver<bool> {
    static WORD: OnceLock<watch::Receiver<bool>> = OnceLock::new();
    WORD.get_or_init(install).clone()
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
            note("stopping: nothing new is begun; once more ends at once");
        }
    });
    heard
}
