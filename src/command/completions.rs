//! `completions`: a completion script for a shell, derived from the command line.

use clap::{Args, Command};
use clap_complete::Shell;

use super::output::say;
use crate::error::Exit;

/// Print a completion script for a shell
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the script for `command`.
pub fn completions(mut command: Command, args: CompletionsArgs) -> Exit {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, "provision", &mut text);
    say(&String::from_utf8_lossy(&text));
    Exit::Done
}
