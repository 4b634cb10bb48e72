//! Commands in containers: the request, what the command does there, and its final status.

use serde_json::{Value, json};

use super::access_log;
use super::call::ApiCall;
use super::cluster_snapshot;
use super::log;
use super::object::plain;
use super::resource::Resource;
use super::status::Status;
use crate::clock;
use crate::pod::run::ProgramResult;
use crate::pod::{self, ClusterNetwork, ExecContext, PodContainer};
use crate::storage;
use crate::world::World;
use egress::request::Source;

/// A command to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// The command and its arguments.
    pub command: Vec<String>,
    /// Whether the client sends input.
    pub stdin: bool,
    /// Whether there is a terminal, on which output and errors are one stream.
    pub tty: bool,
    /// The Kubernetes service account that the pod runs as.
    pub account: String,
    /// The pod's address.
    pub address: String,
}

/// The command that a request is to run.
///
/// # Errors
/// 400 for no command, or a container that is not there or does not run.
pub fn run(call: &ApiCall, _: &Resource, pod: &Value) -> Result<Run, Status> {
    let container = log::container(call, pod)?;
    log::running(pod, &container)?;
    let command = call.queries("command");
    if command.is_empty() {
        return Err(Status::bad_request(
            "you must specify at least one command for the container",
        ));
    }
    Ok(Run {
        namespace: plain(&pod["metadata"]["namespace"]),
        pod: plain(&pod["metadata"]["name"]),
        container,
        command,
        stdin: call.flag("stdin"),
        tty: call.flag("tty"),
        account: plain(&pod["spec"]["serviceAccountName"]),
        address: plain(&pod["status"]["podIP"]),
    })
}

/// Whether the command reads its input to the end before it does anything.
pub fn reads(run: &Run) -> bool {
    let program = run.command.first().map(|first| first.rsplit('/').next());
    let files = run.command.get(1..).unwrap_or_default();
    run.stdin
        && program == Some(Some("cat"))
        && matches!(files.first().map(String::as_str), None | Some("-"))
}

/// What a command does in the pod of `run`, in the present world; none if the container has no such program.
pub fn outcome(world: &World, key: &str, run: &Run, command: &[String]) -> Option<ProgramResult> {
    let cluster = world.cluster(key)?;
    let network = ClusterNetwork {
        snapshot: cluster_snapshot::snapshot(world, key, cluster),
        identity: cluster_snapshot::identity(world, cluster, &run.namespace, &run.account),
    };
    let email = &network.identity.email;
    let object = |bucket: &str, name: &str| storage::access::read(world, bucket, name, email);
    let seat = ExecContext {
        from: Source {
            namespace: run.namespace.clone(),
            pod: Some(run.pod.clone()),
            sidecar: None,
        },
        container: PodContainer::named(&run.container),
        address: run.address.clone(),
        terminal: run.tty,
        date: clock::http(world.now()),
        flush: access_log::flush_interval(cluster),
        identity: email.clone(),
        network: &network,
        object: &object,
    };
    pod::run(command, &seat)
}

/// The outcome of a command whose program is missing.
#[derive(Debug, Clone, PartialEq)]
pub enum Missing {
    /// The real container has it or may have it: the emulated one lists its programs, and exits as a shell would.
    Here(ProgramResult),
    /// The real container does not have it either: the container runtime's error.
    There(Value),
}

/// See [`Missing`].
pub fn missing(run: &Run, command: &[String]) -> Missing {
    let name = command.first().map_or("", String::as_str);
    let container = PodContainer::named(&run.container);
    if container == PodContainer::Proxy {
        let message = format!(
            "Internal error occurred: error executing command in container: failed to exec in container: failed to start exec: OCI \
             runtime exec failed: exec failed: unable to start container process: exec: \"{name}\": executable file not found in \
             $PATH: unknown"
        );
        return Missing::There(json!({
            "metadata": {}, "status": "Failure", "message": message, "reason": "InternalError", "code": 500,
            "details": {"causes": [{"message": message}]},
        }));
    }
    let installed = pod::installed(container).join(", ");
    let complaint = format!(
        "{name}: not available in the emulated container, which has {installed}, and sh -c of these\n"
    );
    Missing::Here(ProgramResult::failed(127, complaint))
}

/// The final status on the error channel.
pub fn verdict(code: u8) -> Value {
    if code == 0 {
        return json!({"metadata": {}, "status": "Success"});
    }
    json!({
        "metadata": {},
        "status": "Failure",
        "message": format!("command terminated with non-zero exit code: exit status {code}"),
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(container: &str, command: &[&str]) -> Run {
        Run {
            namespace: "team-x".to_owned(),
            pod: "test".to_owned(),
            container: container.to_owned(),
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            stdin: true,
            tty: false,
            account: "test".to_owned(),
            address: "10.1.0.17".to_owned(),
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_told_by_whom_it_is_missed() {
        let run = running("istio-proxy", &["curl", "http://example.com"]);
        let Missing::There(status) = missing(&run, &run.command) else {
            panic!("the proxy's image has no curl")
        };
        let message = status["message"].as_str().unwrap();
        assert!(
            message.contains("exec: \"curl\": executable file not found in $PATH"),
            "{message}"
        );
        let run = running("test", &["/usr/bin/python3"]);
        let Missing::Here(ran) = missing(&run, &run.command) else {
            panic!("the application's may have it")
        };
        assert_eq!(ran.code, 127);
        assert!(ran.stderr().starts_with(
            "/usr/bin/python3: not available in the emulated container, which has true"
        ));
        assert_eq!(verdict(127)["details"]["causes"][0]["message"], "127");
    }

    #[test]
    fn cat_reads_what_comes_in() {
        let cases = [
            (vec!["cat"], true),
            (vec!["/bin/cat", "-"], true),
            (vec!["cat", "/etc/hosts"], false),
            (vec!["curl"], false),
        ];
        for (command, reading) in cases {
            assert_eq!(reads(&running("test", &command)), reading, "{command:?}");
        }
    }
}
