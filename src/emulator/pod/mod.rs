//! The programs of emulated pods: what `kubectl exec` runs there.
//!
//! No program runs. What a program does follows from its command line and from the results of its requests, which are evaluated
//! over the cluster's objects ([`egress`]). It is data ([`run::ProgramResult`]), and [`crate::kubernetes`] executes it in time.

mod basics;
pub mod curl;
mod exec_context;
mod gcloud;
pub mod metadata;
mod proxy;
pub mod run;
pub mod shell;

pub use exec_context::{ClusterNetwork, Denied, ExecContext, PodContainer};

use run::ProgramResult;

/// A program of the emulated container.
type Program = fn(&[String], &ExecContext) -> ProgramResult;

/// What is installed: in which container, under which name.
const PROGRAMS: &[(PodContainer, &str, Program)] = &[
    (PodContainer::Application, "true", |_, _| {
        ProgramResult::default()
    }),
    (PodContainer::Application, "false", |_, _| {
        ProgramResult::failed(1, "")
    }),
    (PodContainer::Application, "echo", |words, _| {
        basics::echo(words)
    }),
    (PodContainer::Application, "cat", |words, _| {
        basics::cat(words)
    }),
    (PodContainer::Application, "sleep", |words, _| {
        basics::sleep(words)
    }),
    (PodContainer::Application, "curl", |words, seat| {
        curl::run(words, &seat.caller(), seat.network)
    }),
    (PodContainer::Application, "gcloud", gcloud::run),
    (PodContainer::Application, "gsutil", gcloud::gsutil),
    (PodContainer::Proxy, "pilot-agent", proxy::pilot_agent),
];

/// What a command does; none if its program is not in the container.
pub fn run(command: &[String], seat: &ExecContext) -> Option<ProgramResult> {
    let (first, arguments) = command.split_first()?;
    // Without the directory it is in.
    let name = first.rsplit('/').next().unwrap_or(first);
    let found = PROGRAMS
        .iter()
        .find(|(container, program, _)| *container == seat.container && *program == name);
    found.map(|(_, _, program)| program(arguments, seat))
}

/// The programs of a container, by name.
pub fn installed(container: PodContainer) -> Vec<&'static str> {
    let here = PROGRAMS.iter().filter(|(other, ..)| *other == container);
    here.map(|(_, name, _)| *name).collect()
}
