//! A command in a container: its output is written, its waits pass, and the proxies log its requests.
//!
//! No program runs: what a command does is data ([`crate::pod`]). A wait that timeouts and retries decide is reported with its
//! real length, and takes the time that the pace gives it: none at pace 0. The time of a request in a log is the reported one,
//! so that it fits the line's durations.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::access_log;
use super::exec::{self, Missing, Run};
use super::handle::ClusterHandle;
use crate::pod::PodContainer;
use crate::pod::run::{ProgramOutput, ProgramResult};
use crate::pod::shell::{Command, Redirect, Shell};
use egress::trace::Trace;

/// Where a command writes.
pub trait CommandOutput {
    /// Writes a text to the output, or to the errors. None if the client is gone.
    fn write(&mut self, errors: bool, text: &str) -> impl Future<Output = Option<()>> + Send;
}

/// The pause before each command of a script that may never end: at pace 0 nothing else would slow it down.
const PAUSE: Duration = Duration::from_millis(50);

/// Runs a command: its final status, as the error channel has it. None if the client is gone.
pub async fn execute(
    handle: &Arc<ClusterHandle>,
    run: &Run,
    output: &mut impl CommandOutput,
) -> Option<Value> {
    let here = PodContainer::named(&run.container) == PodContainer::Application;
    let code = match Shell::of(&run.command).filter(|_| here) {
        None => {
            let whole = Command {
                words: run.command.clone(),
                redirect: Redirect::default(),
            };
            match command(handle, run, &whole, output).await? {
                Ok(code) => code,
                Err(status) => return Some(status),
            }
        }
        Some(Err(error)) => {
            output.write(true, &format!("{error}\n")).await?;
            2
        }
        Some(Ok(mut shell)) => {
            let mut status = 0;
            while let Some(next) = shell.next(status) {
                if shell.may_never_end() {
                    tokio::time::sleep(PAUSE).await;
                }
                // In a container with a shell, a missing program is the shell's error and not the runtime's.
                status = command(handle, run, &next, output).await?.unwrap_or(127);
            }
            shell.status()
        }
    };
    Some(exec::verdict(code))
}

/// Runs one command: its exit code, or the container runtime's error if the program is missing.
async fn command(
    handle: &Arc<ClusterHandle>,
    run: &Run,
    command: &Command,
    output: &mut impl CommandOutput,
) -> Option<Result<u8, Value>> {
    let Command { words, redirect } = command;
    let ran = handle
        .look(|world, key| exec::outcome(world, key, run, words))
        .flatten();
    let ran = match ran.map_or_else(|| exec::missing(run, words), Missing::Here) {
        Missing::Here(ran) => ran,
        Missing::There(status) => return Some(Err(status)),
    };
    let ProgramResult { acts, code } = ran;
    for act in acts {
        match act {
            ProgramOutput::Out(_) if redirect.out_nowhere => {}
            ProgramOutput::Out(text) => output.write(false, &text).await?,
            ProgramOutput::Err(_)
                if redirect.err_nowhere || (redirect.err_to_out && redirect.out_nowhere) => {}
            ProgramOutput::Err(text) => output.write(!redirect.err_to_out, &text).await?,
            ProgramOutput::Wait(time) => pass(handle, time).await,
            ProgramOutput::Asked(trace) => asked(handle, &trace).await,
        }
    }
    Some(Ok(code))
}

/// A request takes its time; later it is in the logs.
async fn asked(handle: &Arc<ClusterHandle>, trace: &Trace) {
    let began = handle.with(|cluster| cluster.now());
    pass(handle, trace.waits).await;
    // A cluster that was deleted meanwhile logs nothing.
    let Ok((late, count)) = handle.with(|cluster| {
        let began = began.as_ref().copied().unwrap_or_default();
        let count = access_log::buffer(cluster, trace, began);
        (access_log::flush_interval(cluster), count)
    }) else {
        return;
    };
    let handle = Arc::clone(handle);
    // The caller has its answer before that. An emulator that ends meanwhile loses the lines, as a proxy does.
    tokio::spawn(async move {
        tokio::time::sleep(late).await;
        let _ = handle.with(|cluster| access_log::flush(cluster, count));
    });
}

/// Waits as long as the pace makes of `time`.
async fn pass(handle: &Arc<ClusterHandle>, time: Duration) {
    let scaled = handle
        .with(|cluster| cluster.pace().scaled(time))
        .unwrap_or_default();
    if !scaled.is_zero() {
        tokio::time::sleep(scaled).await;
    }
}
