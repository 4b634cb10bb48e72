//! Parse, run, exit.

use std::process::ExitCode;

use clap::Parser;

use provision::command::Cli;
use provision::{command, error};

/// A core file would hold the tokens of the run, and it stays on the disk.
fn no_core_file() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // A limit that is lower already is as good.
    let _ = setrlimit(Resource::Core, none);
}

fn main() -> ExitCode {
    no_core_file();
    let cli = Cli::parse();
    // Fails only where a provider is installed already, which would be the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            command::note(&format!("error: the runtime cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let exit = runtime
        .block_on(command::carry_out(cli))
        .unwrap_or_else(|halt| {
            command::note(&halt.to_string());
            halt.exit
        });
    // A request that nobody waits for any more must not hold the exit up.
    runtime.shutdown_background();
    ExitCode::from(error::code(exit))
}
