//! Parses the command line, runs it, and exits.

use std::process::ExitCode;

use provision::cli::Output;
use provision::{command, error};

/// Disables core files: one would contain the tokens of the run, and stays on the disk.
fn no_core_file() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // A limit that is lower already is fine.
    let _ = setrlimit(Resource::Core, none);
}

fn main() -> ExitCode {
    no_core_file();
    let cli = match command::read() {
        Ok(cli) => cli,
        Err(refused) => {
            command::note(&refused.to_string());
            command::finish();
            return ExitCode::from(error::code(refused.exit));
        }
    };
    // Fails only if a provider is installed already, which would be the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            command::note(&format!("error: the runtime cannot start: {error}"));
            command::finish();
            return ExitCode::FAILURE;
        }
    };
    let json = cli.global.output == Output::Json;
    let exit = runtime
        .block_on(command::carry_out(cli))
        .unwrap_or_else(|halt| {
            command::report(&halt, json);
            halt.exit
        });
    command::finish();
    // A request whose result is not needed any more must not delay the exit.
    runtime.shutdown_background();
    ExitCode::from(error::code(exit))
}
