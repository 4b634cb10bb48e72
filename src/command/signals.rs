//! The stop signals: the first lets requests in flight reach the journal, the second ends the process at once. A run that changes
//! something also outlives the terminal on which it was started.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::error::Exit;

/// Whether another program has the terminal: an interrupt is meant for it.
static LENT: AtomicBool = AtomicBool::new(false);

/// Runs something while the terminal is another program's, such as a pager: an interrupt (Ctrl-C) is left to that.
pub fn lend_terminal<T>(other: impl FnOnce() -> T) -> T {
    listen();
    LENT.store(true, Ordering::Relaxed);
    let result = other();
    LENT.store(false, Ordering::Relaxed);
    result
}

/// A channel that becomes true at the first SIGINT or SIGTERM; the second ends the process. Every call returns the same channel.
pub fn listen() -> watch::Receiver<bool> {
    static WORD: OnceLock<watch::Receiver<bool>> = OnceLock::new();
    WORD.get_or_init(install).clone()
}

/// From here on SIGHUP is ignored: the terminal has closed (a closed shell, a dropped session), but the run continues. Writing to
/// a closed terminal fails, which is harmless.
pub fn outlive_terminal() {
    static WORD: OnceLock<()> = OnceLock::new();
    WORD.get_or_init(|| {
        // Without a handler a hang-up ends the process at once, which is safe too: the next run continues.
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
                _ = interrupt.recv() => {
                    if LENT.load(Ordering::Relaxed) {
                        continue;
                    }
                }
                _ = terminate.recv() => {}
            }
            if say.send_replace(true) {
                std::process::exit(Exit::Interrupted as i32);
            }
        }
    });
    heard
}
