//! `emulator`: serves Google's APIs on a loopback port until it is told to stop.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::session::pace;
use super::{note, signals};
use crate::cli::Global;
use crate::error::{CommandError, Exit};
use emulator;

/// Serves, and says where on stdout.
pub async fn serve(
    global: &Global,
    listen: SocketAddr,
    state: Option<PathBuf>,
) -> Result<Exit, CommandError> {
    let settings = emulator::Settings {
        listen,
        state,
        pace: pace(global)?,
    };
    let running = emulator::start(settings).await.map_err(|error| {
        CommandError::failed(
            format!("the emulator cannot start: {error}"),
            "choose another address with --listen, on loopback",
        )
    })?;
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "listening on http://{}", running.addr()).and_then(|()| out.flush());
    drop(out);
    note(
        "This is an emulator. What passes here shows that the requests are valid and that the objects allow and refuse what they should.",
    );
    note(
        "It moves no packets and has no quotas. It cannot show that Google's network and mesh do what the objects say.",
    );
    note(&format!(
        "`provision emulator env --listen {}` prints exports for gcloud.",
        running.addr()
    ));
    let mut stop = signals::listen();
    // An error means that nobody can say stop any more; signals then end the process by themselves.
    let _ = stop.wait_for(|stop| *stop).await;
    running.stop().await;
    Ok(Exit::Done)
}
