//! Readiness and startup probes: an HTTP request, a connection, a command.

use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::time::Instant;

use super::pod::Pod;
use super::{events, list, text};

/// How often a container that was not ready yet is probed: faster than any kubelet, so that nobody waits for a period's end.
const EAGER: Duration = Duration::from_millis(200);

/// After how many failures in a row that is told: one who starts may fail a few times.
const TOLD: u64 = 3;

/// A probe, and when it is due.
pub(super) struct Probe {
    spec: Option<Value>,
    due: Instant,
    failures: u64,
}

impl Probe {
    pub fn new(spec: Option<&Value>) -> Probe {
        Probe {
            spec: spec.cloned(),
            due: Instant::now(),
            failures: 0,
        }
    }

    /// Whether the container counts as ready after this look, which does nothing before the probe is due.
    pub async fn look(&mut self, pod: &Pod, container: &Value, was: bool) -> bool {
        let Some(spec) = self.spec.clone() else {
            return true;
        };
        if Instant::now() < self.due {
            return was;
        }
        let refusal = refusal(pod, container, &spec).await;
        let number = |name: &str, default: u64| spec[name].as_u64().unwrap_or(default);
        self.failures = refusal.as_ref().map_or(0, |_| self.failures + 1);
        if let Some(why) = refusal.as_ref().filter(|_| self.failures == TOLD) {
            events::tell(pod, "Unhealthy", &format!("Readiness probe failed: {why}")).await;
        }
        let succeeds = refusal.is_none();
        // As Kubernetes has it: one success is enough, one failure is not.
        let ready = succeeds || (was && self.failures < number("failureThreshold", 3));
        let period = Duration::from_secs(number("periodSeconds", 10));
        self.due = Instant::now() + if ready { period } else { EAGER };
        ready
    }
}

/// Why a probe does not succeed; none where it does.
async fn refusal(pod: &Pod, container: &Value, spec: &Value) -> Option<String> {
    let port = |of: &Value| match &of["port"] {
        Value::Number(port) => port.to_string(),
        named => {
            let ports = list(container, "/ports").iter();
            let port = ports.clone().find(|port| port["name"] == *named);
            port.map(|port| port["containerPort"].to_string())
                .unwrap_or_default()
        }
    };
    let within = spec["timeoutSeconds"]
        .as_u64()
        .unwrap_or(1)
        .max(2)
        .to_string();
    let mut command = if let Some(get) = spec.get("httpGet") {
        let scheme = get["scheme"].as_str().unwrap_or("HTTP").to_lowercase();
        let url = format!(
            "{scheme}://{}:{}{}",
            pod.address,
            port(get),
            get["path"].as_str().unwrap_or("/")
        );
        let mut command = in_network(pod);
        command.args(["curl", "-skf", "-m", &within, "-o", "/dev/null"]);
        command.args([
            "-w",
            "HTTP probe failed with statuscode: %{http_code}",
            &url,
        ]);
        command
    } else if let Some(tcp) = spec.get("tcpSocket") {
        let mut command = in_network(pod);
        command.args([
            "socat",
            "-u",
            "/dev/null",
            &format!(
                "TCP4:{}:{},connect-timeout={within}",
                pod.address,
                port(tcp)
            ),
        ]);
        command
    } else if spec.get("exec").is_some() {
        let file = pod
            .folder
            .join(format!("{}.json", text(container, "/name")));
        let told = std::fs::read_to_string(file).unwrap_or_default();
        let argv: Vec<String> = serde_json::from_str(&told).unwrap_or_default();
        let Some((program, arguments)) = argv.split_first() else {
            return Some("no such container".to_owned());
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .args(list(spec, "/exec/command").iter().filter_map(Value::as_str));
        command
    } else {
        // A kind of probe that this kubelet does not know is no reason to hold the pod back.
        return None;
    };
    let ended = command
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    match ended {
        Ok(ended) if ended.status.success() => None,
        Ok(ended) => Some(String::from_utf8_lossy(&ended.stdout).into_owned()),
        Err(error) => Some(error.to_string()),
    }
}

fn in_network(pod: &Pod) -> Command {
    let [nsenter, net] = pod.lab.entering(&pod.netns);
    let mut command = Command::new(nsenter);
    command.arg(net);
    command
}
