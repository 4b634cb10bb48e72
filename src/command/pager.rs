//! Shows a long text in the user's pager, if stdout is a terminal that is too low for it. Nothing is asked in it.

use std::io::{IsTerminal, Write};
use std::process::{Command, Stdio};

use super::output::say;
use super::signals::lend_terminal;
use crate::google::process_env;
use crate::ui::printable;

/// Shows a text: in a pager, or at once.
pub fn page(text: &str) {
    let is_terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    let height = usize::from(console::Term::stdout().size().0);
    let is_high = text.lines().count() >= height;
    if !(is_terminal && is_high && shown_by_pager(text)) {
        say(text);
    }
}

/// Whether the pager has shown it. One that is not there, or ends before it has read anything, has not.
fn shown_by_pager(text: &str) -> bool {
    let given = process_env("PAGER");
    let Some((program, args)) = pager(given.as_deref()) else {
        return false;
    };
    let child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        return false;
    };
    let ended = lend_terminal(|| {
        if let Some(mut input) = child.stdin.take() {
            // A pager that is left before its end takes no more.
            let _ = input.write_all(printable(text).as_bytes());
        }
        child.wait()
    });
    ended.is_ok_and(|ended| ended.success())
}

/// The program and its arguments; none if the user wants none. Pure.
fn pager(given: Option<&str>) -> Option<(String, Vec<String>)> {
    let mut words = given
        .unwrap_or("less")
        .split_whitespace()
        .map(str::to_owned);
    let program = words.next().filter(|program| program != "cat")?;
    let mut args: Vec<String> = words.collect();
    let is_less = program.rsplit('/').next() == Some("less");
    if is_less && args.is_empty() {
        // Leaves at once if the text fits, shows colours, and leaves the text on the screen.
        args.push("-FRX".to_owned());
    }
    Some((program, args))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_pager_is_used() {
        let words =
            |given| pager(given).map(|(program, args)| format!("{program} {}", args.join(" ")));
        for (given, expected) in [
            (None, Some("less -FRX")),
            (Some("less"), Some("less -FRX")),
            (Some("/usr/bin/less"), Some("/usr/bin/less -FRX")),
            (Some("less -S"), Some("less -S")),
            (Some("more"), Some("more ")),
            (Some(""), None),
            (Some("cat"), None),
        ] {
            assert_eq!(words(given).as_deref(), expected, "{given:?}");
        }
    }
}
