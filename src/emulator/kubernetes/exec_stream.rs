//! A command in a container, played: its words go to whoever listens, its waits pass, and proxies log what it asked.
//!
//! A wait that time-outs and retries decide is told as long as it really is and passes as the pace has it: at pace 0 not at
//! all. What a log says of the time of a request is the told time, so that lines fit their own durations. A line is written some
//! time after what it tells of, as a proxy gathers lines.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::cluster::Cluster;
use super::exec::{self, Missing, Run};
use super::log;
use super::server::Shared;
use super::telemetry;
use crate::clock::{self, Millis};
use crate::lro;
use crate::names;
use crate::pod::PodContainer;
use crate::pod::run::{ProgramOutput, ProgramResult};
use crate::pod::shell::{Command, Redirect, Shell};
use egress::log::AccessLogStamp;
use egress::object::Object;
use egress::trace::Trace;

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
    let here = PodContainer::named(&run.container) == PodContainer::Application;
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
        Some(Err(error)) => {
            listener.hear(true, &format!("{error}\n")).await?;
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
    let ProgramResult { acts, code } = ran;
    for act in acts {
        match act {
            ProgramOutput::Out(_) if redirect.out_nowhere => {}
            ProgramOutput::Out(text) => listener.hear(false, &text).await?,
            ProgramOutput::Err(_)
                if redirect.err_nowhere || (redirect.err_to_out && redirect.out_nowhere) => {}
            ProgramOutput::Err(text) => listener.hear(!redirect.err_to_out, &text).await?,
            ProgramOutput::Wait(time) => pass(shared, time).await,
            ProgramOutput::Asked(account) => asked(shared, &account).await,
        }
    }
    Some(Ok(code))
}

/// A request is under way, and some time after it is in the logs.
async fn asked(shared: &Arc<Shared>, account: &Trace) {
    let began = shared.with(|cluster| cluster.now());
    pass(shared, account.waits).await;
    // A cluster that has gone meanwhile logs nothing.
    let Ok(gathered) = shared.with(|cluster| {
        let began = began.as_ref().copied().unwrap_or_default();
        (flush(cluster), gather(cluster, account, began))
    }) else {
        return;
    };
    let (late, lines) = gathered;
    let shared = Arc::clone(shared);
    // The caller has its answer before that; an emulator that ends meanwhile loses the lines, as a proxy does.
    tokio::spawn(async move {
        tokio::time::sleep(late).await;
        let _ = shared.with(|cluster| write(cluster, &lines));
    });
}

/// How long a proxy gathers lines of its log before it writes them.
pub fn flush(cluster: &Cluster) -> Duration {
    let late = cluster.pace().duration("proxy.log.flush");
    Duration::from_millis(late.unsigned_abs())
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

/// A line that a proxy has gathered: its pod's key in the store, its log's, and the text.
struct ClusterInput {
    pod: String,
    log: String,
    text: String,
}

/// Writes gathered lines; with a pod its log has gone.
fn write(cluster: &mut Cluster, lines: &[ClusterInput]) {
    for line in lines {
        if cluster.store.get(&line.pod).is_some() {
            cluster.write_log(&line.log, line.text.clone());
        }
    }
}

/// What proxies log of a request that began at `began`, where they are told to.
fn gather(cluster: &mut Cluster, account: &Trace, began: Millis) -> Vec<ClusterInput> {
    let mut gathered = Vec::new();
    // The port by which each proxy on the way was called: that from which the one before it went on.
    let mut called: Vec<(&Object, u16)> = Vec::new();
    let mut caller = ephemeral(cluster);
    for line in &account.lines {
        let upstream_port = ephemeral(cluster);
        let known = called.iter().find(|(pod, _)| *pod == &line.pod);
        let remote_port = match known {
            // A retry comes over the same connection.
            Some((_, port)) => *port,
            None => {
                called.push((&line.pod, caller));
                std::mem::replace(&mut caller, upstream_port)
            }
        };
        let (namespace, name) = (&line.pod.namespace, &line.pod.name);
        let pod = format!("pods/{namespace}/{name}");
        let found = cluster.store.get(&pod);
        let labels = found.map(|found| found["metadata"]["labels"].clone());
        if labels.is_none_or(|labels| !telemetry::logs(cluster, namespace, &labels)) {
            continue;
        }
        let after = Millis::try_from(line.after.as_millis()).unwrap_or_default();
        let stamp = AccessLogStamp {
            time: clock::utc(began + after),
            request_id: lro::uuid(&format!("request {began} {}", cluster.count("request"))),
            upstream_port,
            remote_port,
        };
        gathered.push(ClusterInput {
            pod,
            log: log::key(namespace, name, "istio-proxy"),
            text: line.text(&stamp),
        });
    }
    gathered
}

fn ephemeral(cluster: &mut Cluster) -> u16 {
    let serial = cluster.count("port");
    let port = EPHEMERAL.start
        + names::hash(&format!("port {serial}")) % (EPHEMERAL.end - EPHEMERAL.start);
    u16::try_from(port).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use serde_json::json;

    use super::*;
    use egress::log::AccessLogLine;
    use egress::trace::{CallerOutcome, Failure};

    fn line(pod: &str, after: u64) -> AccessLogLine {
        let address = IpAddr::from([10, 1, 0, 17]);
        AccessLogLine {
            pod: Object::new("Pod", "team-x", pod),
            after: Duration::from_secs(after),
            http: None,
            status: 0,
            flags: "",
            details: String::new(),
            termination: String::new(),
            transport_failure: String::new(),
            received: 0,
            sent: 0,
            duration: Duration::ZERO,
            service_time: None,
            forwarded_for: None,
            agent: String::new(),
            authority: String::new(),
            upstream: None,
            cluster: String::new(),
            upstream_local: Some(address),
            local: (address, 80).into(),
            remote: address,
            server_name: String::new(),
            route: String::new(),
        }
    }

    #[test]
    fn a_proxy_is_called_from_the_port_that_the_one_before_it_tells() {
        let mut cluster = Cluster::default();
        let telemetry =
            json!({"metadata": {"namespace": "istio-system"}, "spec": {"accessLogging": [{}]}});
        cluster
            .store
            .put("telemetries.telemetry.istio.io/istio-system/on", telemetry);
        for pod in ["sidecar", "gateway"] {
            cluster.store.put(
                &format!("pods/team-x/{pod}"),
                json!({"metadata": {"labels": {}}}),
            );
        }
        let account = Trace {
            hops: Vec::new(),
            got: CallerOutcome::Failure(Failure::TlsReset),
            waits: Duration::ZERO,
            connected: None,
            received: Vec::new(),
            lines: vec![
                line("sidecar", 0),
                line("gateway", 0),
                line("gateway", 10),
                line("nobody", 0),
            ],
            unknown: Vec::new(),
        };
        let lines = gather(&mut cluster, &account, 0);
        write(&mut cluster, &lines);
        // The caller's port and the proxy's own, from the end of a line: `OWN LOCAL REMOTE SNI ROUTE`.
        let ports = |pod: &str| -> Vec<(String, String)> {
            let lines = cluster.log(&log::key("team-x", pod, "istio-proxy")).iter();
            let port = |address: &str| address.rsplit(':').next().unwrap().to_owned();
            lines
                .map(|line| {
                    let words: Vec<&str> = line.rsplit(' ').collect();
                    (port(words[2]), port(words[4]))
                })
                .collect()
        };
        let (sidecar, gateway) = (ports("sidecar"), ports("gateway"));
        assert_eq!((sidecar.len(), gateway.len()), (1, 2));
        assert_eq!(gateway[0].0, sidecar[0].1);
        assert_eq!(
            gateway[1].0, sidecar[0].1,
            "a retry comes over the same connection"
        );
        let times: Vec<&str> = cluster
            .log("team-x/gateway/istio-proxy")
            .iter()
            .map(|line| &line[..26])
            .collect();
        assert_eq!(
            times,
            ["[1970-01-01T00:00:00.000Z]", "[1970-01-01T00:00:10.000Z]"]
        );
        assert!(cluster.log("team-x/nobody/istio-proxy").is_empty());

        cluster.store.remove("pods/team-x/sidecar");
        cluster.forget_logs("team-x/sidecar/");
        write(&mut cluster, &lines);
        assert!(
            cluster.log("team-x/sidecar/istio-proxy").is_empty(),
            "a log goes with its pod"
        );
    }
}
