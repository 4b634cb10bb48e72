//! A laboratory of a test's own: a cluster of the real programs, and a user whose program is pointed at it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::program::{Said, User};

/// The variable that names the laboratory's program. Without it these tests have nothing to look at, and say so.
pub const VARIABLE: &str = "PROVISION_LAB";

/// `up` with the control plane that the laboratory has.
pub const UP: &[&str] = &["up", "--yes", "--set", "control_plane=in-cluster"];

/// How long something in the cluster may take that nobody else waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A laboratory. It is taken down when it is dropped.
// Each test uses its part of it.
#[allow(dead_code)]
pub struct Lab {
    program: PathBuf,
    name: String,
    pub user: User,
}

#[allow(dead_code)]
impl Lab {
    /// A cluster with its mesh, and Google's APIs in the project's emulator. None where there is no laboratory.
    pub fn up(name: &str) -> Option<Lab> {
        let lab = Lab::bare(name, &[])?;
        lab.lab(&["google", "--provision", env!("CARGO_BIN_EXE_provision")])
            .ends(0);
        Some(lab)
    }

    /// A cluster alone; `how` is told to the laboratory's `up`.
    pub fn bare(name: &str, how: &[&str]) -> Option<Lab> {
        let Some(program) = std::env::var_os(VARIABLE) else {
            eprintln!("not tried: {VARIABLE} names no laboratory");
            return None;
        };
        let mut lab = Lab {
            program: program.into(),
            name: name.to_owned(),
            user: User::new(),
        };
        lab.lab(&[&["up"], how].concat()).ends(0);
        let exports = lab
            .lab(&["env", "--provision", env!("CARGO_BIN_EXE_provision")])
            .ends(0)
            .out;
        for line in exports.lines() {
            let (name, value) = line
                .strip_prefix("export ")
                .unwrap()
                .split_once('=')
                .unwrap();
            lab.user =
                std::mem::replace(&mut lab.user, User::new()).with(name, value.trim_matches('\''));
        }
        Some(lab)
    }

    /// Its name, which is that of its nodes' network namespace and of its kubeconfig's context.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder of the cluster's programs.
    pub fn programs(&self) -> String {
        Lab::home().join("bin").display().to_string()
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> String {
        Lab::home()
            .join("run")
            .join(&self.name)
            .join("admin.conf")
            .display()
            .to_string()
    }

    /// Where the laboratory keeps what it built and what runs.
    pub fn home() -> PathBuf {
        let usual =
            || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/provision-lab");
        std::env::var_os("LAB_HOME").map_or_else(usual, PathBuf::from)
    }

    /// The laboratory's own program.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(["--name", &self.name])
            .args(args)
            .stdin(Stdio::null());
        command
    }

    /// Runs the laboratory's own program to its end.
    pub fn lab(&self, args: &[&str]) -> Said {
        Said::of(self.command(args).output().unwrap(), self.user.home())
    }

    /// The program under test in the nodes' network, ready to run.
    pub fn program(&self, args: &[&str]) -> Command {
        let provision = self.user.command(args);
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net=/run/netns/{}", self.name))
            .arg(provision.get_program())
            .args(provision.get_args())
            .env_clear()
            .envs(
                provision
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .current_dir(self.user.home())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program under test to its end.
    pub fn run(&self, args: &[&str]) -> Said {
        Said::of(self.program(args).output().unwrap(), self.user.home())
    }

    /// Runs the checks, which hold within a minute. A cluster behind the emulator counts as emulated, whose checks hold at once;
    /// here istiod and the proxies take their time.
    #[track_caller]
    pub fn verify(&self, more: &[&str]) {
        let verify = ["verify", "--settle", "60"];
        self.run(&[&verify, more].concat()).ends(0);
    }

    /// Runs kubectl to its end.
    pub fn kubectl(&self, args: &[&str]) -> Said {
        self.lab(&[&["kubectl"], args].concat())
    }

    /// An object as JSON; none where there is none.
    pub fn get(&self, args: &[&str]) -> Option<Value> {
        let said = self
            .kubectl(&[&["get", "-o", "json", "--ignore-not-found"], args].concat())
            .ends(0);
        (!said.out.trim().is_empty()).then(|| serde_json::from_str(&said.out).unwrap())
    }

    /// Applies manifests with kubectl, without waiting for anything.
    pub fn apply(&self, manifests: &str) -> Said {
        let Output {
            status,
            stdout,
            stderr,
        } = self.with_input(&["kubectl", "apply", "--server-side", "-f", "-"], manifests);
        Said::of(
            Output {
                status,
                stdout,
                stderr,
            },
            self.user.home(),
        )
    }

    /// Makes an object with kubectl, as somebody else would.
    pub fn create(&self, object: &Value) -> Said {
        let done = self.with_input(&["kubectl", "create", "-f", "-"], &object.to_string());
        Said::of(done, self.user.home())
    }

    /// What `status` says of a step.
    pub fn status(&self, step: &str) -> Value {
        let said = self
            .run(&["status", "--emulate", "--output", "json"])
            .ends(0);
        let mut lines = said
            .out
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.find(|line| line["step"] == step).unwrap_or_default()
    }

    /// Makes requests from pods and returns what became of each.
    pub fn ask(&self, requests: &Value) -> Vec<Value> {
        let done = self.with_input(&["ask"], &requests.to_string());
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        serde_json::from_slice(&done.stdout).unwrap()
    }

    fn with_input(&self, args: &[&str], input: &str) -> Output {
        let mut command = self.command(args);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    }

    /// Calls one of Google's APIs, as somebody else.
    pub fn google(&self, method: &str, path: &str) -> Value {
        let url = format!("http://127.0.0.1:8787/{path}");
        let said = self.lab(&[
            "run",
            "curl",
            "-sS",
            "-X",
            method,
            "-H",
            "content-type: application/json",
            "-d",
            "{}",
            &url,
        ]);
        serde_json::from_str(&said.ends(0).out).unwrap()
    }

    /// Waits until pods are ready and proxies have what istiod sends, and until istiod says so of each of them too.
    pub fn in_sync(&self) {
        self.lab(&["settle"]).ends(0);
        let is_proxy = |container: &Value| container["name"] == "istio-proxy";
        let has_proxy = |pod: &&Value| {
            let lists = ["containers", "initContainers"].map(|list| pod["spec"][list].as_array());
            lists.into_iter().flatten().flatten().any(is_proxy)
        };
        let pods = self.get(&["pods", "-A"]).unwrap();
        let proxies = pods["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(has_proxy)
            .count();
        if proxies == 0 {
            return;
        }
        self.until("istiod says that every proxy has what it was sent", |lab| {
            let told = lab
                .lab(&["istioctl", "proxy-status", "--output", "json"])
                .out;
            let told: Value = serde_json::from_str(&told).unwrap_or_default();
            let known = told["resources"].as_array().cloned().unwrap_or_default();
            let kinds = known
                .iter()
                .flat_map(|proxy| proxy["genericXdsConfigs"].as_array());
            let mut kinds = kinds.flatten();
            known.len() == proxies && kinds.all(|kind| kind["configStatus"] == "SYNCED")
        });
    }

    /// Waits for something in the cluster.
    #[track_caller]
    pub fn until(&self, what: &str, mut test: impl FnMut(&Lab) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !test(self) {
            assert!(
                Instant::now() < end,
                "not within {} s: {what}",
                PATIENCE.as_secs()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The network namespaces that are of this laboratory.
    pub fn namespaces(&self) -> Vec<OsString> {
        let all = std::fs::read_dir("/run/netns")
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        let pods = format!("{}-", self.name);
        all.filter(|name| *name == *self.name || name.to_string_lossy().starts_with(&pods))
            .collect()
    }

    /// What `explain --live --matrix` says: by caller and URL, in the words of the terminal.
    pub fn matrix(&self) -> BTreeMap<(String, String), Value> {
        let said = self
            .run(&["explain", "--live", "--matrix", "--output", "json"])
            .ends(0);
        let cells = said
            .out
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        cells
            .map(|line| {
                (
                    (text(&line["namespace"]), text(&line["url"])),
                    line["cell"].clone(),
                )
            })
            .collect()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let said = self.lab(&["down"]);
        if !std::thread::panicking() {
            said.ends(0);
        }
    }
}
