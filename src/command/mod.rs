//! From a verb to what it does. The constants below are all that tells `up`, `plan`, `status`, `authorize`, `kubeconfig` and `down` apart;
//! nothing under it knows a verb's name.

mod adopt;
mod analyze;
mod authorize;
mod confirm;
mod explain;
mod follow;
mod kubeconfig;
mod kubefile;
#[cfg(test)]
mod kubefile_tests;
mod planned_snapshot;
mod rehearsal;
mod run_lock;
mod serve;
mod session;
mod show;
mod signals;
mod snapshot_input;
mod target;
mod verbs;
mod verify;

use std::io::Write;

use clap::CommandFactory;

use crate::cli::{Cli, Verb};
use crate::error::{CommandError, Exit};
use crate::ui::printable;
use session::Session;
use verbs::VerbOptions;

/// What a reader gets of a run that only looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunDisplay {
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
pub struct VerbSpec {
    /// Its name.
    pub verb: &'static str,
    /// Whether it changes anything.
    pub acts: bool,
    /// What the reader gets.
    pub draws: RunDisplay,
    /// Whether a difference is the answer to a question (exit 3).
    pub asks: bool,
    /// Whether this machine's address is looked up for it.
    pub looks_up: bool,
}

// The verbs that are one path through the engine, a constant each: a verb that is not there does not compile.

const UP: VerbSpec = VerbSpec {
    verb: "up",
    acts: true,
    draws: RunDisplay::Progress,
    asks: false,
    looks_up: true,
};

const ADOPT: VerbSpec = VerbSpec {
    verb: "adopt",
    acts: true,
    draws: RunDisplay::Progress,
    asks: false,
    looks_up: false,
};

const PLAN: VerbSpec = VerbSpec {
    verb: "plan",
    acts: false,
    draws: RunDisplay::Plan,
    asks: true,
    looks_up: true,
};

const STATUS: VerbSpec = VerbSpec {
    verb: "status",
    acts: false,
    draws: RunDisplay::Status,
    asks: false,
    looks_up: false,
};

const VERIFY: VerbSpec = VerbSpec {
    verb: "verify",
    acts: false,
    draws: RunDisplay::Claims,
    asks: true,
    looks_up: false,
};

const KUBECONFIG: VerbSpec = VerbSpec {
    verb: "kubeconfig",
    acts: false,
    draws: RunDisplay::Status,
    asks: false,
    looks_up: false,
};

const AUTHORIZE: VerbSpec = VerbSpec {
    verb: "authorize",
    acts: true,
    draws: RunDisplay::Progress,
    asks: false,
    looks_up: true,
};

const DOWN: VerbSpec = VerbSpec {
    verb: "down",
    acts: true,
    draws: RunDisplay::Progress,
    asks: false,
    looks_up: false,
};

/// Carries out a command line.
pub async fn carry_out(cli: Cli) -> Result<Exit, CommandError> {
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
            let mut session = Session::open(global)?;
            session.force = force_conflicts;
            let asked = VerbOptions {
                through,
                yes,
                adopt,
                follow,
            };
            verbs::converge(&mut session, UP, asked).await
        }
        Verb::Adopt { yes } => adopt::adopt(global, ADOPT, yes).await,
        Verb::Plan {
            through,
            force_conflicts,
        } => {
            let mut session = Session::open(global)?;
            session.force = force_conflicts;
            let asked = VerbOptions {
                through,
                ..VerbOptions::default()
            };
            verbs::converge(&mut session, PLAN, asked).await
        }
        Verb::Status => {
            verbs::converge(&mut Session::open(global)?, STATUS, VerbOptions::default()).await
        }
        Verb::Verify { through, settle } => {
            let session = &mut Session::open(global)?;
            verify::verify(session, VERIFY, through.as_deref(), settle).await
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
            let session = &mut Session::open(global)?;
            kubeconfig::kubeconfig(session, KUBECONFIG, write.as_deref()).await
        }
        Verb::Token => kubeconfig::token(global.emulate).await,
        Verb::Authorize => authorize::authorize(&mut Session::open(global)?, AUTHORIZE).await,
        Verb::Down {
            yes,
            delete_project,
        } => verbs::down(&mut Session::open(global)?, DOWN, yes, delete_project).await,
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
            rendered
                .map_err(|error| CommandError::failed(error.to_string(), "write it to a file"))?;
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
