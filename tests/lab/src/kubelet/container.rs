//! One container: which program it is, what it sees, and that it runs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::files::{expanded, field};
use super::pod::Pod;
use super::probe::Probe;
use super::sandbox::{SERVER, sandbox};
use super::{list, text};
use crate::Result;
use crate::layout::{KUBERNETES_SERVICE, MARK};

/// The user of Istio's proxy where its container names none.
const PROXY_USER: u64 = 1337;
/// The ports of a server whose container names none.
const PORTS: &[u64] = &[80, 443, 3306, 5432, 8080, 8443, 9000, 9090];
/// First and longest pause before a container that ended is started again.
pub(super) const BACK_OFF: (Duration, Duration) =
    (Duration::from_millis(500), Duration::from_secs(10));

/// A container that runs, or is to be started again.
pub(super) struct Container {
    spec: Value,
    child: Child,
    log: JoinHandle<()>,
    /// When it is started again, and how long the next pause is.
    again: (Option<Instant>, Duration),
    /// How often it was started again.
    pub restarts: u64,
    /// Whether it is ready.
    pub ready: bool,
    probe: Probe,
}

impl Container {
    /// Starts a container of a pod.
    pub fn start(pod: &Pod, spec: &Value) -> Result<Container> {
        let (child, log) = (spawn(pod, spec)?, logged(pod, spec)?);
        let probe = Probe::new(spec.get("readinessProbe"));
        Ok(Container {
            spec: spec.clone(),
            child,
            log,
            again: (None, BACK_OFF.0),
            restarts: 0,
            ready: false,
            probe,
        })
    }

    /// Waits for a container that does its work and ends.
    pub async fn finish(&mut self, name: &str) -> Result<()> {
        let ended = self.child.wait().await?;
        self.log.abort();
        if ended.success() {
            Ok(())
        } else {
            Err(format!("init container {name}: {ended}").into())
        }
    }

    /// Starts it again if it ended, after a pause. Whether anything changed.
    pub async fn keep(&mut self, pod: &Pod) -> Result<bool> {
        let Some(_) = self.child.try_wait()? else {
            return Ok(false);
        };
        match self.again {
            (None, pause) => {
                self.again = (Some(Instant::now() + pause), (pause * 2).min(BACK_OFF.1));
                self.probe = Probe::new(self.spec.get("readinessProbe"));
                Ok(std::mem::replace(&mut self.ready, false))
            }
            (Some(at), _) if Instant::now() < at => Ok(false),
            (Some(_), pause) => {
                self.child = spawn(pod, &self.spec)?;
                self.restarts += 1;
                self.again = (None, pause);
                Ok(true)
            }
        }
    }

    /// Probes it when that is due. Whether its readiness changed.
    pub async fn probe(&mut self, pod: &Pod) -> bool {
        // What waits to be started again is not ready.
        if self.again.0.is_some() {
            return false;
        }
        let ready = self.probe.look(pod, &self.spec, self.ready).await;
        std::mem::replace(&mut self.ready, ready) != ready
    }

    /// Whether its startup probe, or the readiness probe where there is none, succeeds.
    pub async fn has_started(&mut self, pod: &Pod) -> bool {
        let startup = self
            .spec
            .get("startupProbe")
            .or(self.spec.get("readinessProbe"));
        Probe::new(startup).look(pod, &self.spec, false).await
    }

    /// Kills it.
    pub async fn end(mut self) {
        let _ = self.child.kill().await;
        self.log.abort();
    }
}

/// The argument list that enters a container; a command is appended to it.
fn entering(pod: &Pod, spec: &Value) -> Vec<String> {
    let mounts: Vec<(PathBuf, String)> = list(spec, "/volumeMounts")
        .iter()
        .map(|mount| {
            let volume = pod.folder.join("volumes").join(text(mount, "/name"));
            let source = match mount["subPath"].as_str() {
                Some(path) => volume.join(path),
                None => volume,
            };
            (source, text(mount, "/mountPath"))
        })
        .collect();
    let mut argv = pod.lab.entering(&pod.netns).to_vec();
    argv.extend(sandbox(&pod.lab, &pod.folder, user(pod, spec), &mounts));
    argv.push("env".to_owned());
    argv.extend(
        environment(pod, spec)
            .into_iter()
            .map(|(name, value)| format!("{name}={value}")),
    );
    argv
}

fn fifo(pod: &Pod, spec: &Value) -> PathBuf {
    pod.folder.join(format!("{}.fifo", text(spec, "/name")))
}

/// Copies what the container writes into its log, in the format of the container runtime interface.
fn logged(pod: &Pod, spec: &Value) -> Result<JoinHandle<()>> {
    let name = format!("{}_{}_{}.log", pod.namespace, pod.name, text(spec, "/name"));
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(pod.lab.run().join("log").join(name))?;
    let reader = pipe::OpenOptions::new()
        .read_write(true)
        .open_receiver(fifo(pod, spec))?;
    Ok(tokio::spawn(async move {
        let mut lines = BufReader::new(reader).split(b'\n');
        while let Ok(Some(line)) = lines.next_segment().await {
            let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%9fZ");
            let mut text = format!("{now} stdout F ").into_bytes();
            text.extend(line);
            text.push(b'\n');
            if file.write_all(&text).is_err() {
                return;
            }
        }
    }))
}

fn spawn(pod: &Pod, spec: &Value) -> Result<Child> {
    let path = fifo(pod, spec);
    if !path.exists() {
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            0o666.into(),
            0,
        )?;
        // Envoy opens its output anew under its own user.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
    }
    // Both ways, so that it does not wait for a reader.
    let out = File::options().read(true).write(true).open(&path)?;
    let argv = entering(pod, spec);
    let told = pod.folder.join(format!("{}.json", text(spec, "/name")));
    fs::write(told, Value::from(argv.clone()).to_string())?;
    let mut command = Command::new("setsid");
    command.args(&argv).args(program(pod, spec)).env_clear();
    command
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env(MARK, pod.lab.run());
    command
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        .kill_on_drop(true);
    Ok(command.spawn()?)
}

fn user(pod: &Pod, spec: &Value) -> u64 {
    let of = |object: &Value| {
        object
            .pointer("/securityContext/runAsUser")
            .and_then(Value::as_u64)
    };
    let unnamed = if spec["name"] == "istio-proxy" {
        PROXY_USER
    } else {
        0
    };
    of(spec)
        .or_else(|| of(&pod.object["spec"]))
        .unwrap_or(unnamed)
}

fn environment(pod: &Pod, spec: &Value) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for variable in list(spec, "/env") {
        let value = if let Some(value) = variable["value"].as_str() {
            expanded(value, &variables)
        } else if let Some(path) = variable
            .pointer("/valueFrom/fieldRef/fieldPath")
            .and_then(Value::as_str)
        {
            field(pod, path)
        } else if let Some(resource) = variable
            .pointer("/valueFrom/resourceFieldRef/resource")
            .and_then(Value::as_str)
        {
            if resource.contains("cpu") {
                "2".to_owned()
            } else {
                (1_u64 << 30).to_string()
            }
        } else {
            continue;
        };
        variables.insert(text(variable, "/name"), value);
    }
    for (name, value) in [
        ("KUBERNETES_SERVICE_HOST", KUBERNETES_SERVICE),
        ("KUBERNETES_SERVICE_PORT", "443"),
        ("CLOUD_PLATFORM", "none"),
    ] {
        variables.insert(name.to_owned(), value.to_owned());
    }
    variables
}

/// What stands for the container's image and command.
fn program(pod: &Pod, spec: &Value) -> Vec<String> {
    let variables = environment(pod, spec);
    let words = |pointer: &str| -> Vec<String> {
        let words = list(spec, pointer).iter().filter_map(Value::as_str);
        words.map(|word| expanded(word, &variables)).collect()
    };
    let (image, command, arguments) = (text(spec, "/image"), words("/command"), words("/args"));
    let name = image
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .split([':', '@'])
        .next()
        .unwrap_or_default()
        .to_owned();
    let shell = command.first().and_then(|first| first.rsplit('/').next());
    let begins = match name.as_str() {
        "proxyv2" if command.is_empty() => vec!["pilot-agent".to_owned()],
        "pilot" => vec!["pilot-discovery".to_owned()],
        "coredns" | "kube-network-policies" => vec![name],
        _ if name == "proxyv2" || matches!(shell, Some("sleep" | "sh" | "bash")) => command,
        _ => return server(pod, spec),
    };
    begins.into_iter().chain(arguments).collect()
}

/// The laboratory's own server, in the pod's name.
fn server(pod: &Pod, spec: &Value) -> Vec<String> {
    let named: Vec<u64> = list(spec, "/ports")
        .iter()
        .filter_map(|port| port["containerPort"].as_u64())
        .collect();
    let ports = if named.is_empty() {
        PORTS.to_vec()
    } else {
        named
    };
    let ports = ports
        .iter()
        .map(u64::to_string)
        .collect::<Vec<_>>()
        .join(",");
    let who = json!(format!("{}/{}", pod.namespace, pod.name));
    [
        SERVER,
        "answer",
        "--pki",
        "/pki",
        "--ports",
        &ports,
        "--who",
        who.as_str().unwrap_or_default(),
    ]
    .map(str::to_owned)
    .to_vec()
}
