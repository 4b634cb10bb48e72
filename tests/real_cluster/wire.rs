//! The requests that the program makes get the same answers from the emulator and from the real API server, one by one: status,
//! warnings, the words of a refusal, the last word of a command, and the shape of every body.

mod recorder;
mod refusals;
mod shape;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use provision::google::{Api, Call};
use serde_json::{Value, json};

use crate::common::cloud::{Cloud, PROJECT};
use crate::common::kubernetes::BlockingClient;
use crate::common::program::{Said, User};
use crate::lab::Lab;
use recorder::{Line, Recorder};

/// Where the recorder before the laboratory's API server listens, and the API server.
const REAL: (&str, &str) = ("10.0.0.10:6445", "10.0.0.10:6443");
/// Where the one before the emulated cluster listens.
const EMULATED: &str = "127.0.0.1:6446";

/// A cluster with an istiod, a recorder before it, and a user who rehearses there.
struct Side {
    user: User,
    file: PathBuf,
    server: String,
    network: Option<String>,
    recorder: Recorder,
    verbs: Vec<(String, u64)>,
}

impl Side {
    /// `authority` is that of the recorder's own certificate.
    fn new(authority: &str, server: &str, network: Option<String>, recorder: Recorder) -> Side {
        let user = User::new();
        let file = user.home().join("own.yaml");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "own",
            "clusters": [{"name": "own", "cluster": {"server": format!("https://{server}"), "certificate-authority": authority}}],
            "users": [{"name": "me", "user": {"token": "lab-admin"}}],
            "contexts": [{"name": "own", "context": {"cluster": "own", "user": "me"}}],
        });
        fs::write(&file, config.to_string()).unwrap();
        Side {
            user,
            file,
            server: server.to_owned(),
            network,
            recorder,
            verbs: Vec::new(),
        }
    }

    /// A program where the cluster can be reached.
    fn command(&self, program: &Command) -> Command {
        let mut command = match &self.network {
            Some(network) => {
                let mut command = Command::new("nsenter");
                command
                    .arg(format!("--net=/run/netns/{network}"))
                    .arg(program.get_program());
                command
            }
            None => Command::new(program.get_program()),
        };
        command.args(program.get_args());
        command
    }

    /// Notes what runs from now on.
    fn begins(&mut self, verb: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = u64::try_from(now.as_millis()).unwrap();
        self.verbs.push((verb.to_owned(), now));
    }

    /// Runs the program in a rehearsal; `how` tells two runs of a verb apart.
    fn run(&mut self, how: &str, args: &[&str]) -> Said {
        self.begins(how);
        let own = ["--emulate", "--kubeconfig", self.file.to_str().unwrap()];
        let program = self.user.command(&[args, &own].concat());
        let mut command = self.command(&program);
        command
            .env_clear()
            .env("HOME", self.user.home())
            .current_dir(self.user.home());
        Said::of(command.output().unwrap(), self.user.home())
    }

    /// The answers to each request, by what was running.
    fn answers(&self) -> BTreeMap<String, Vec<Line>> {
        let mut answers: BTreeMap<String, Vec<Line>> = BTreeMap::new();
        for line in self.recorder.lines() {
            let running = self
                .verbs
                .iter()
                .rev()
                .find(|(_, since)| *since <= line.started());
            // What comes before the first is the test's own.
            if let Some((verb, _)) = running {
                let request = format!("{verb}: {}", line.request());
                answers.entry(request).or_default().push(line);
            }
        }
        answers
    }
}

/// Everything the program says to a cluster, and what a cluster refuses.
fn whole(side: &mut Side) {
    let up = ["up", "--yes"];
    side.run("up", &up).ends(0);
    side.run("plan", &["plan"]).ends(0);
    side.run("up again", &up).ends(0);
    side.run("verify", &["verify", "--settle", "60"]).ends(0);
    side.begins("refusals");
    refusals::ask(side);
    side.run("down", &["down", "--yes"]).ends(0);
}

/// The laboratory's cluster.
fn real(lab: &Lab) -> Side {
    let mut record = Command::new("nsenter");
    record
        .arg(format!("--net=/run/netns/{}", lab.name()))
        .arg(lab.command(&[]).get_program())
        .args(["--name", lab.name()]);
    let log = lab.user.home().join("real.jsonl");
    let recorder = Recorder::start(record, REAL.0, REAL.1, None, log);
    Side::new(
        &authority(lab),
        REAL.0,
        Some(lab.name().to_owned()),
        recorder,
    )
}

/// An emulated cluster with an istiod.
fn emulated(lab: &Lab, cloud: &Cloud) -> Side {
    let through = ["up", "--yes", "--through", "cluster"];
    let plane = ["--set", "control_plane=in-cluster"];
    cloud.run(&[&through[..], &plane].concat()).ends(0);
    BlockingClient::named(cloud, "cluster1").install_istiod();
    let path = format!("v1/projects/{PROJECT}/locations/us-central1-a/clusters/cluster1");
    let cluster = cloud.call(Call::get(Api::Container, path));
    let own = {
        use base64::Engine as _;
        let text = cluster["masterAuth"]["clusterCaCertificate"].as_str();
        base64::engine::general_purpose::STANDARD
            .decode(text.unwrap())
            .unwrap()
    };
    let file = lab.user.home().join("emulated.crt");
    fs::write(&file, own).unwrap();
    let log = lab.user.home().join("emulated.jsonl");
    let endpoint = cluster["endpoint"].as_str().unwrap();
    let recorder = Recorder::start(lab.command(&[]), EMULATED, endpoint, Some(&file), log);
    Side::new(&authority(lab), EMULATED, None, recorder)
}

/// The file of the authority that signs for the recorders.
fn authority(lab: &Lab) -> String {
    let config = lab
        .kubectl(&["config", "view", "--output", "json"])
        .ends(0)
        .out;
    let config: Value = serde_json::from_str(&config).unwrap();
    let cluster = &config["clusters"][0]["cluster"];
    cluster["certificate-authority"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn what_the_program_asks_is_answered_alike_by_the_emulator_and_the_api_server() {
    let Some(lab) = Lab::bare("wire", &[]) else {
        return;
    };
    let cloud = Cloud::new();
    let (mut real, mut emulated) = (real(&lab), emulated(&lab, &cloud));
    whole(&mut real);
    whole(&mut emulated);
    let differs = shape::differences(&real.answers(), &emulated.answers());
    assert!(differs.is_empty(), "{}", differs.join("\n"));
}
