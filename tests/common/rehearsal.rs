//! Somebody's own cluster, which an emulator of its own stands in for, with an istiod that its owner has installed, and a user who
//! rehearses in it.

use std::fs;
use std::path::PathBuf;

use provision::google::{Api, Call};
use serde_json::{Value, json};

use super::cloud::{Cloud, PROJECT};
use super::kubernetes::BlockingClient;
use super::program::{Said, User};

/// Somebody's cluster, and a user who rehearses in it.
pub struct Rehearsal {
    /// Where the cluster is.
    pub cloud: Cloud,
    name: &'static str,
    /// The user.
    pub user: User,
    /// The user's kubeconfig.
    pub file: PathBuf,
}

impl Rehearsal {
    /// In a cluster with Istio.
    pub fn new() -> Rehearsal {
        let rehearsal = Rehearsal::bare("cluster1");
        rehearsal.cluster().install_istiod();
        rehearsal
    }

    /// In a cluster with nodes and nothing else.
    pub fn bare(name: &'static str) -> Rehearsal {
        let cloud = Cloud::new();
        let made = ["up", "--yes", "--through", "cluster"];
        let name_it = format!("cluster={name}");
        let plane = ["--set", "control_plane=in-cluster", "--set", &name_it];
        cloud.run(&[&made[..], &plane].concat()).ends(0);
        let user = User::new();
        let file = user.home().join("own.yaml");
        fs::write(&file, kubeconfig(&cloud, name)).unwrap();
        Rehearsal {
            cloud,
            name,
            user,
            file,
        }
    }

    /// Somebody else in the cluster.
    pub fn cluster(&self) -> BlockingClient {
        BlockingClient::named(&self.cloud, self.name)
    }

    /// Runs a verb with the kubeconfig named.
    pub fn named(&self, args: &[&str]) -> Said {
        let own = ["--emulate", "--kubeconfig", self.file.to_str().unwrap()];
        self.user.run(&[args, &own].concat())
    }

    /// Runs a verb with the emulator alone.
    pub fn emulated(&self, args: &[&str]) -> Said {
        self.user.run(&[args, &["--emulate"]].concat())
    }
}

/// A kubeconfig for the cloud's cluster, as its owner has it.
fn kubeconfig(cloud: &Cloud, name: &str) -> String {
    let path = format!("v1/projects/{PROJECT}/locations/us-central1-a/clusters/{name}");
    let told = cloud.call(Call::get(Api::Container, path));
    let server = format!("https://{}", told["endpoint"].as_str().unwrap());
    written(&server, &told["masterAuth"]["clusterCaCertificate"])
}

/// A kubeconfig for a server under an authority.
pub fn written(server: &str, authority: &Value) -> String {
    let context = |name: &str| json!({"name": name, "context": {"cluster": "own", "user": "me"}});
    serde_json::to_string_pretty(&json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "own", "cluster": {"server": server, "certificate-authority-data": authority}}],
        "users": [{"name": "me", "user": {"token": "a-token-that-nobody-reads"}}],
        "contexts": [context("own"), context("other")],
        "current-context": "own",
    }))
    .unwrap()
}

/// Where a user's journal is.
pub fn journal_of(user: &User) -> PathBuf {
    let state = user.home().join(".local/state/provision");
    state.join(PROJECT).join("journal.jsonl")
}
