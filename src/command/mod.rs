//! From a verb to what it does. The table below is all that tells `up`, `plan`, `status`, `authorize`, `kubeconfig` and `down` apart;
//! nothing under it knows a verb's name.

mod adopt;
mod analyze;
mod ask;
mod authorize;
mod explain;
mod follow;
mod hold;
mod kubeconfig;
mod kubefile;
#[cfg(test)]
mod kubefile_tests;
mod picture;
mod place;
mod prepare;
mod rehearsal;
mod serve;
mod show;
mod sources;
mod stop;
mod verbs;
mod verify;

use std::io::Write;

use clap::CommandFactory;

use crate::cli::{Cli, Verb};
use crate::error::{Exit, Halt};
use crate::ui::printable;
use prepare::Ground;
use verbs::Asked;

/// What a run is towards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Every step's thing is there.
    Present,
    /// What is ours is gone.
    Absent,
}

/// What a reader gets of a run that only looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draws {
    /// What happens, as it happens.
    Progress,
    /// What would change.
    Plan,
    /// What is, whose it is, and what is open.
    Status,
    /// What holds.
    Claims,
}

/// A verb, as the engine needs it told.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its name.
    pub verb: &'static str,
    /// What it is towards.
    pub goal: Goal,
    /// Whether it changes anything.
    pub acts: bool,
    /// What the reader gets.
    pub draws: Draws,
    /// Whether a difference is the answer to a question (exit 3).
    pub asks: bool,
    /// Whether this machine's address is looked up for it.
    pub looks_up: bool,
}

/// The verbs that are one path through the engine.
pub const TABLE: &[Row] = &[
    Row {
        verb: "up",
        goal: Goal::Present,
        acts: true,
        draws: Draws::Progress,
        asks: false,
        looks_up: true,
    },
    Row {
        verb: "adopt",
        goal: Goal::Present,
        acts: true,
        draws: Draws::Progress,
        asks: false,
        looks_up: false,
    },
    Row {
        verb: "plan",
        goal: Goal::Present,
        acts: false,
        draws: Draws::Plan,
        asks: true,
        looks_up: true,
    },
    Row {
        verb: "status",
        goal: Goal::Present,
        acts: false,
        draws: Draws::Status,
        asks: false,
        looks_up: false,
    },
    Row {
        verb: "verify",
        goal: Goal::Present,
        acts: false,
        draws: Draws::Claims,
        asks: true,
        looks_up: false,
    },
    Row {
        verb: "kubeconfig",
        goal: Goal::Present,
        acts: false,
        draws: Draws::Status,
        asks: false,
        looks_up: false,
    },
    Row {
        verb: "authorize",
        goal: Goal::Present,
        acts: true,
        draws: Draws::Progress,
        asks: false,
        looks_up: true,
    },
    Row {
        verb: "down",
        goal: Goal::Absent,
        acts: true,
        draws: Draws::Progress,
        asks: false,
        looks_up: false,
    },
];

/// The row of a verb.
fn row(verb: &str) -> Row {
    TABLE
        .iter()
        .copied()
        .find(|row| row.verb == verb)
        .unwrap_or(TABLE[0])
}

/// Carries out a command line.
pub async fn carry_out(cli: Cli) -> Result<Exit, Halt> {
    let global = &cli.global;
    rehearsal::flags(global)?;
    match cli.verb {
        Verb::Up {
            through,
            yes,
            force_conflicts,
            adopt,
            follow,
        } => {
            let mut ground = Ground::lay(global)?;
            ground.force = force_conflicts;
            let asked = Asked {
                through,
                yes,
                adopt,
                follow,
            };
            verbs::towards(&mut ground, row("up"), asked).await
        }
        Verb::Adopt { yes } => adopt::adopt(global, row("adopt"), yes).await,
        Verb::Plan {
            through,
            force_conflicts,
        } => {
            let mut ground = Ground::lay(global)?;
            ground.force = force_conflicts;
            let asked = Asked {
                through,
                ..Asked::default()
            };
            verbs::towards(&mut ground, row("plan"), asked).await
        }
        Verb::Status => {
            verbs::towards(&mut Ground::lay(global)?, row("status"), Asked::default()).await
        }
        Verb::Verify { through, settle } => {
            let ground = &mut Ground::lay(global)?;
            verify::verify(ground, row("verify"), through.as_deref(), settle).await
        }
        Verb::Explain {
            namespace,
            url,
            method,
            no_sidecar,
            matrix: _,
            looks,
        } => {
            let question = explain::Question {
                request: namespace.zip(url),
                method,
                no_sidecar,
            };
            explain::explain(global, question, &looks).await
        }
        Verb::Analyze { namespace, looks } => {
            analyze::analyze(global, namespace.as_deref(), &looks).await
        }
        Verb::Kubeconfig { write } => {
            let ground = &mut Ground::lay(global)?;
            kubeconfig::kubeconfig(ground, row("kubeconfig"), write.as_deref()).await
        }
        Verb::Token => kubeconfig::token(global.emulate).await,
        Verb::Authorize => authorize::authorize(&mut Ground::lay(global)?, row("authorize")).await,
        Verb::Down {
            yes,
            delete_project,
        } => verbs::down(&mut Ground::lay(global)?, row("down"), yes, delete_project).await,
        Verb::Steps { markdown, dot } => show::steps(global, markdown, dot),
        Verb::Emulator {
            what: None,
            listen,
            state,
        } => serve::serve(global, listen, state).await,
        Verb::Emulator {
            what: Some(crate::cli::EmulatorVerb::Env),
            listen,
            ..
        } => {
            say(&emulator::exports(listen));
            Ok(Exit::Done)
        }
        Verb::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "provision", &mut text);
            say(&String::from_utf8_lossy(&text));
            Ok(Exit::Done)
        }
        Verb::Man => {
            let mut text = Vec::new();
            let rendered = clap_mangen::Man::new(Cli::command()).render(&mut text);
            rendered.map_err(|error| Halt::failed(error.to_string(), "write it to a file"))?;
            say(&String::from_utf8_lossy(&text));
            Ok(Exit::Done)
        }
    }
}

/// Writes data to stdout. A reader who went away is no reason to fail.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let text = printable(text);
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Writes a line for people to stderr. A reader who went away is no reason to fail: a pipe may end before the run does.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", printable(text));
}

/// `, did you mean …?` with the nearest of the names, or nothing.
fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> String {
    let distance = |other: &str| strsim::damerau_levenshtein(name, other);
    let best = names
        .min_by_key(|other| distance(other))
        .filter(|other| distance(other) <= other.len() / 2 + 1);
    best.map_or_else(String::new, |best| format!(", did you mean `{best}`?"))
}
