//! A command in a container, played: its words go to whoever listens, its waits pass, and proxies log what it asked.
//!
//! A wait that time-outs and retries decide is told as long as it really is and passes as the pace has it: at pace 0 not at
//! all. What a log says of the time of a request is the told time, so that lines fit their own durations.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::cluster::Cluster;
use super::exec::{self, Missing, Run};
use super::log;
use super::server::Shared;
use super::telemetry;
use crate::egress::account::Account;
use crate::egress::log::Stamp;
use crate::emulator::clock::{self, Millis};
use crate::emulator::lro;
use crate::emulator::names;
use crate::emulator::pod::Container;
use crate::emulator::pod::run::{Act, Ran};
use crate::emulator::pod::shell::{Command, Redirect, Shell};

/// Ports of callers, as Linux gives them out.
const EPHEMERAL: std::ops::Range<u64> = 32_768..60_999;

/// Who hears what a command writes.
pub trait Listener {
    /// Hears a text, of the output or of the errors; none when nobody listens any more.
    fn hear(&mut self, errors: bool, text: &str) -> impl Future<Output = Option<()>> + Send;
}

/// How long a script that may never end pauses before each of its commands: at pace 0 nothing else would hold it.
const PAUSE: Duration = Duration::from_millis(50);

/// Runs a command and says the last word; none when nobody listens any more.
pub async fn play(shared: &Arc<Shared>, run: &Run, listener: &mut impl Listener) -> Option<Value> {
    let here = Container::named(&run.container) == Container::Application;
    let code = match Shell::of(&run.command).filter(|_| here) {
        None => {
            let whole = Command {
                words: run.command.clone(),
                redirect: Redirect::default(),
            };
            match command(shared, run, &whole, listener).await? {
                Ok(code) => code,
                Err(last_word) => return Some(last_word),
            }
        }
        Some(Err(complaint)) => {
            listener.hear(true, &complaint).await?;
            2
        }
        Some(Ok(mut shell)) => {
            let mut status = 0;
            while let Some(next) = shell.next(status) {
                if shell.may_never_end() {
                    tokio::time::sleep(PAUSE).await;
                }
                // A container that has a shell says by itself what it has not.
                status = command(shared, run, &next, listener).await?.unwrap_or(127);
            }
            shell.status()
        }
    };
    Some(exec::verdict(code))
}

/// Runs one command: its exit code, or the runtime's complaint where there is none.
async fn command(
    shared: &Arc<Shared>,
    run: &Run,
    command: &Command,
    listener: &mut impl Listener,
) -> Option<Result<u8, Value>> {
    let Command { words, redirect } = command;
    let ran = shared
        .look(|world, key| exec::outcome(world, key, run, words))
        .flatten();
    let ran = match ran.map_or_else(|| exec::missing(run, words), Missing::Here) {
        Missing::Here(ran) => ran,
        Missing::There(status) => return Some(Err(status)),
    };
    let Ran { acts, code } = ran;
    for act in acts {
        match act {
            Act::Out(_) if redirect.out_nowhere => {}
            Act::Out(text) => listener.hear(false, &text).await?,
            Act::Err(_)
                if redirect.err_nowhere || (redirect.err_to_out && redirect.out_nowhere) => {}
            Act::Err(text) => listener.hear(!redirect.err_to_out, &text).await?,
            Act::Wait(time) => pass(shared, time).await,
            Act::Asked(account) => asked(shared, &account).await,
        }
    }
    Some(Ok(code))
}

/// A request is under way, and then it is in the logs.
async fn asked(shared: &Arc<Shared>, account: &Account) {
    let began = shared.with(|cluster| cluster.now());
    pass(shared, account.waits).await;
    // A cluster that has gone meanwhile logs nothing.
    let _ = shared.with(|cluster| {
        began
            .as_ref()
            .map(|began| write(cluster, account, *began))
            .ok()
    });
}

/// Lets time pass as the pace has it.
async fn pass(shared: &Arc<Shared>, time: Duration) {
    let scaled = shared
        .with(|cluster| cluster.pace().scaled(time))
        .unwrap_or_default();
    if !scaled.is_zero() {
        tokio::time::sleep(scaled).await;
    }
}

/// Writes what proxies log of a request that began at `began`, where they are told to.
fn write(cluster: &mut Cluster, account: &Account, began: Millis) {
    let mut remote_port = ephemeral(cluster);
    for line in &account.lines {
        let pod = &line.pod;
        let found = cluster
            .store
            .get(&format!("pods/{}/{}", pod.namespace, pod.name));
        let Some(labels) = found.map(|found| found["metadata"]["labels"].clone()) else {
            continue;
        };
        let upstream_port = ephemeral(cluster);
        if telemetry::logs(cluster, &pod.namespace, &labels) {
            let after = Millis::try_from(line.after.as_millis()).unwrap_or_default();
            let stamp = Stamp {
                time: clock::utc(began + after),
                request_id: lro::uuid(&format!("request {began} {}", cluster.count("request"))),
                upstream_port,
                remote_port,
            };
            let key = log::key(&pod.namespace, &pod.name, "istio-proxy");
            cluster.write_log(&key, line.text(&stamp));
        }
        // The next proxy on the way sees this one as its caller.
        remote_port = upstream_port;
    }
}

fn ephemeral(cluster: &mut Cluster) -> u16 {
    let serial = cluster.count("port");
    let port = EPHEMERAL.start
        + names::hash(&format!("port {serial}")) % (EPHEMERAL.end - EPHEMERAL.start);
    u16::try_from(port).unwrap_or(u16::MAX)
}
