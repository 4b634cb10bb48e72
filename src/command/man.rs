//! `man`: the manual page, derived from the command line.

use clap::{Args, Command};

use super::output::say;
use crate::error::{CommandError, Exit};

/// Print the manual page
#[derive(Debug, Args)]
pub struct ManArgs {}

/// Prints the page of `command`.
pub fn man(command: Command, _args: ManArgs) -> Result<Exit, CommandError> {
    let mut text = Vec::new();
    let rendered = clap_mangen::Man::new(command).render(&mut text);
    rendered.map_err(|error| CommandError::failed(error.to_string(), "write it to a file"))?;
    say(&String::from_utf8_lossy(&text));
    Ok(Exit::Done)
}
