//! `emulator`: serves Google's APIs on a loopback port until it is stopped.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::embedded::pace;
use super::output::{note, say};
use super::signals;
use crate::cli::Global;
use crate::error::{CommandError, Exit};

/// Serve Google's APIs on a loopback port
#[derive(Debug, Args)]
pub struct EmulatorArgs {
    /// Print shell exports instead, so that gcloud and provision use the emulator
    #[command(subcommand)]
    what: Option<EmulatorVerb>,
    /// The address to listen on; loopback only; port 0 takes a free port
    #[arg(
        long,
        global = true,
        value_name = "ADDR",
        default_value = "127.0.0.1:8787"
    )]
    listen: SocketAddr,
    /// The file that keeps the emulator's state [default: none]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
}

/// What to do with the emulator.
#[derive(Debug, Subcommand)]
pub enum EmulatorVerb {
    /// Print shell exports: eval "$(provision emulator env)"
    Env,
}

/// Serves, or prints the variables that point to an emulator.
pub async fn emulator(global: &Global, args: EmulatorArgs) -> Result<Exit, CommandError> {
    match args.what {
        Some(EmulatorVerb::Env) => {
            say(&::emulator::exports(args.listen));
            Ok(Exit::Done)
        }
        None => serve(global, args.listen, args.state).await,
    }
}

/// Serves, and prints the address to stdout.
async fn serve(
    global: &Global,
    listen: SocketAddr,
    state: Option<PathBuf>,
) -> Result<Exit, CommandError> {
    let settings = ::emulator::Settings {
        listen,
        state,
        identity: None,
        pace: pace(global)?,
    };
    let running = ::emulator::start(settings).await.map_err(|error| {
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
    // On an error no stop can arrive any more; signals then end the process by themselves.
    let _ = stop.wait_for(|stop| *stop).await;
    running.stop().await;
    Ok(Exit::Done)
}
