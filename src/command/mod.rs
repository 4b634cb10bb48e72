//! The verbs. Each is a file with its arguments, its help and its code; this file lists them. What several verbs share has files
//! of its own: the session, the run lock, the execution of tasks and its presenter.

mod adopt;
mod allow_list;
mod analyze;
mod asking;
mod authorize;
mod completions;
mod config;
mod confirm;
mod doctor;
mod down;
mod embedded;
mod emulator;
mod ending;
mod environments;
mod execute;
mod expectation;
mod explain;
mod flag_rules;
mod follow;
mod given;
mod http_method;
mod identity;
mod known_environments;
mod kubeconfig;
mod kubefile;
#[cfg(test)]
mod kubefile_tests;
mod live_proxies;
mod man;
mod manifests;
mod obstacles;
mod outline;
mod output;
mod output_verb;
mod own_cluster;
mod pager;
mod place;
mod plan;
mod plan_file;
mod planned_snapshot;
mod preflight;
mod presenter;
mod proxy_config;
mod ranges;
mod rehearsal;
mod replace;
mod run_lock;
mod run_options;
mod session;
mod set_flags;
mod signals;
mod snapshot_input;
mod status;
mod steps;
mod steps_folder;
mod target;
mod token;
mod up;
mod verify;
mod writer;

use clap::{Command, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::cli::Global;
use crate::error::{CommandError, Exit};
pub use output::{note, report};
pub use writer::finish;

/// Creates the environment of Google's Cloud Service Mesh egress-gateway tutorial, and removes it again.
///
/// `up` always resumes: if it was interrupted or killed, the next `up` continues. `down` removes only what `up` created.
/// With --emulate, everything runs offline against a built-in emulator of Google's APIs.
#[derive(Debug, Parser)]
#[command(
    name = "provision",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// Flags that every verb takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
#[expect(
    missing_docs,
    reason = "the help of a verb is the comment of its arguments, which would be overridden here"
)]
pub enum Verb {
    Up(up::UpArgs),
    Adopt(adopt::AdoptArgs),
    Down(down::DownArgs),
    Verify(verify::VerifyArgs),
    Explain(explain::ExplainArgs),
    Analyze(analyze::AnalyzeArgs),
    Doctor(doctor::DoctorArgs),
    Plan(plan::PlanArgs),
    Status(status::StatusArgs),
    Config(config::ConfigArgs),
    Environments(environments::EnvironmentsArgs),
    Output(output_verb::OutputArgs),
    Authorize(authorize::AuthorizeArgs),
    Kubeconfig(kubeconfig::KubeconfigArgs),
    Token(token::TokenArgs),
    Steps(steps::StepsArgs),
    Emulator(emulator::EmulatorArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// Reads this process's command line. For `--help` and for what clap refuses, the process ends here.
///
/// # Errors
/// A flag that has no effect where it stands.
pub fn read() -> Result<Cli, CommandError> {
    let words: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let matches = command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let verb = matches.subcommand_name().unwrap_or_default();
    flag_rules::check(&cli.global, verb, &words)?;
    Ok(cli)
}

/// The command line as clap knows it, with the rules of the global flags in its help.
fn command() -> Command {
    flag_rules::described(Cli::command())
}

/// Runs a command line.
///
/// # Errors
/// The verb's error, with its exit code.
pub async fn carry_out(cli: Cli) -> Result<Exit, CommandError> {
    let global = &cli.global;
    match cli.verb {
        Verb::Up(args) => up::up(global, args).await,
        Verb::Adopt(args) => adopt::adopt(global, args).await,
        Verb::Down(args) => down::down(global, args).await,
        Verb::Verify(args) => verify::verify(global, args).await,
        Verb::Explain(args) => explain::explain(global, args).await,
        Verb::Analyze(args) => analyze::analyze(global, args).await,
        Verb::Doctor(args) => doctor::doctor(global, args).await,
        Verb::Plan(args) => plan::plan(global, args).await,
        Verb::Status(args) => status::status(global, args).await,
        Verb::Config(args) => config::config(global, args).await,
        Verb::Environments(args) => environments::environments(global, args),
        Verb::Output(args) => output_verb::output(global, args).await,
        Verb::Authorize(args) => authorize::authorize(global, args).await,
        Verb::Kubeconfig(args) => kubeconfig::kubeconfig(global, args).await,
        Verb::Token(args) => token::token(global, args).await,
        Verb::Steps(args) => steps::steps(global, args),
        Verb::Emulator(args) => emulator::emulator(global, args).await,
        Verb::Completions(args) => Ok(completions::completions(command(), args)),
        Verb::Man(args) => man::man(command(), args),
    }
}
