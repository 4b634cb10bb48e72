//! The programs of emulated pods: what `kubectl exec` runs there.
//!
//! No program runs. Each is played from its command line and from what the network makes of its requests, which is evaluated
//! over the objects that are there ([`egress`]); what one does is data ([`run::Ran`]), played by whoever has the clock.

mod basics;
pub mod curl;
mod gcloud;
pub mod metadata;
mod proxy;
pub mod run;
mod seat;
pub mod shell;

pub use seat::{Container, Denied, Neighbourhood, Network, Seat};

use run::Ran;

/// A program of the emulated container.
type Program = fn(&[String], &Seat) -> Ran;

/// What is installed: in which container, under which name.
const PROGRAMS: &[(Container, &str, Program)] = &[
    (Container::Application, "true", |_, _| Ran::default()),
    (Container::Application, "false", |_, _| Ran::failed(1, "")),
    (Container::Application, "echo", |words, _| {
        basics::echo(words)
    }),
    (Container::Application, "cat", |words, _| basics::cat(words)),
    (Container::Application, "sleep", |words, _| {
        basics::sleep(words)
    }),
    (Container::Application, "curl", |words, seat| {
        curl::run(words, &seat.caller(), seat.network)
    }),
    (Container::Application, "gcloud", gcloud::run),
    (Container::Application, "gsutil", gcloud::gsutil),
    (Container::Proxy, "pilot-agent", proxy::pilot_agent),
];

/// What a command does; none where its program is not in the container.
pub fn run(command: &[String], seat: &Seat) -> Option<Ran> {
    let (first, arguments) = command.split_first()?;
    // Without the directory it is in.
    let name = first.rsplit('/').next().unwrap_or(first);
    let found = PROGRAMS
        .iter()
        .find(|(container, program, _)| *container == seat.container && *program == name);
    found.map(|(_, _, program)| program(arguments, seat))
}

/// The programs of a container, by name.
pub fn installed(container: Container) -> Vec<&'static str> {
    let here = PROGRAMS.iter().filter(|(other, ..)| *other == container);
    here.map(|(_, name, _)| *name).collect()
}
