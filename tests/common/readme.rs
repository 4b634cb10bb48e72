//! The commands of the documents for users, as they stand in their fenced blocks, and how a test runs each of them.
//!
//! A command that stands in a document and not here fails a test, and so does one that stands only here.

use std::path::Path;

use super::source::root;

/// How a command is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To its end, with this exit code.
    Ends(i32),
    /// The same on a terminal, where its question is answered with yes.
    Asks(i32),
    /// On a terminal, with an emulator in Google's place; a question is answered with yes.
    OnGoogle(i32),
    /// With the other commands of its block, by `tests/tools/readme.rs`, because it takes gcloud or kubectl.
    WithTools,
    /// Not at all, for this reason.
    Never(&'static str),
}

use Way::{Asks, Ends, Never, OnGoogle, WithTools};

/// The documents, and their commands in order.
pub const WALK: &[(&str, &[(&str, Way)])] = &[
    (
        "README.md",
        &[
            ("cargo run --release -- up --emulate --yes", Ends(0)),
            ("cargo test", Never("this test is a part of it")),
            ("cargo run --release -- plan --emulate", Ends(0)),
            ("cargo run --release -- status --emulate", Ends(0)),
            ("cargo run --release -- verify --emulate", Ends(0)),
            ("cargo run --release -- down --emulate --yes", Ends(0)),
            (
                "provision up --emulate --kubeconfig ~/.kube/config --context kind-egress",
                Asks(0),
            ),
            ("provision verify --emulate", Ends(0)),
            ("provision down --emulate", Asks(0)),
            ("provision up --emulate --yes", Ends(0)),
            ("provision verify --emulate", Ends(0)),
            ("provision explain team-x http://httpbin.org/", Ends(0)),
            ("provision explain --matrix", Ends(0)),
            (
                "provision explain team-x http://example.com/ --expect reaches",
                Ends(0),
            ),
            ("provision analyze", Ends(0)),
            ("provision analyze --for traffic-director", Ends(0)),
            (
                "provision plan --project my-project --zone us-central1-a",
                OnGoogle(3),
            ),
            (
                "provision up   --project my-project --zone us-central1-a",
                OnGoogle(0),
            ),
            (
                "provision plan --set network=prod-vpc --set subnet_range=10.20.0.0/24 --set pods_range=10.21.0.0/16 --set services_range=10.22.0.0/20 --set control_plane_range=10.23.0.0/28",
                Never("it takes a network of somebody else, which `existing_network.rs` makes"),
            ),
            (
                "cargo build -p provision-lab && target/debug/lab build",
                Never("it is the build of the laboratory, which takes root and minutes"),
            ),
            (
                "PROVISION_LAB=$PWD/target/debug/lab cargo test --test real_cluster -- --test-threads=2",
                Never("it runs other tests than this one; `.ci/run` runs it"),
            ),
            (
                "provision emulator --listen 127.0.0.1:8787 --state emulator.json &",
                WithTools,
            ),
            ("eval \"$(provision emulator env)\"", WithTools),
            (
                "gcloud services enable compute.googleapis.com --project any-project",
                WithTools,
            ),
            (
                "gcloud compute networks create my-network --subnet-mode custom --project any-project",
                WithTools,
            ),
            (
                "gcloud compute networks list --project any-project",
                WithTools,
            ),
        ],
    ),
    (
        "docs/rehearsal.md",
        &[
            (
                "printf '%s\\n' 'kind: Cluster' 'apiVersion: kind.x-k8s.io/v1alpha4' 'nodes: [{role: control-plane}, {role: worker}, {role: worker}]' | kind create cluster --name egress --config -",
                Never("kind needs Docker; an emulated cluster stands in for it"),
            ),
            (
                "kubectl label node egress-worker cloud.google.com/gke-nodepool=default-pool && kubectl label node egress-worker2 cloud.google.com/gke-nodepool=gateway && kubectl taint node egress-worker2 dedicated=gateway:NoSchedule",
                Never("the nodes of the cluster that stands in for kind's have their labels"),
            ),
            (
                "istioctl install --context kind-egress --set profile=minimal --skip-confirmation",
                Never("the cluster that stands in for kind's has an istiod"),
            ),
            (
                "provision up --emulate --kubeconfig ~/.kube/config --context kind-egress",
                Asks(0),
            ),
            ("provision verify --emulate", Ends(0)),
            ("provision down --emulate", Asks(0)),
        ],
    ),
    (
        "docs/emulator.md",
        &[
            (
                "kubectl -n team-x exec deploy/test -c test -- curl -s -o /dev/null -w '%{http_code}\\n' http://example.com",
                WithTools,
            ),
            (
                "kubectl -n istio-egress logs -f deploy/istio-egressgateway",
                WithTools,
            ),
        ],
    ),
];

/// The first line of each block that quotes an output, and the command whose output it is.
pub const QUOTED: &[(&str, &str)] = &[
    (
        "environment default, project egress-demo, zone us-central1-a, EMULATOR",
        "cargo run --release -- up --emulate --yes",
    ),
    (
        "  X  gateway   Pod istio-egress/istio-egressgateway",
        "provision explain team-x http://httpbin.org/",
    ),
];

/// A fenced block without a language.
#[derive(Debug)]
pub struct Block {
    /// The line of its fence, from 1.
    pub line: usize,
    /// Its lines.
    pub lines: Vec<String>,
}

/// A document's text.
pub fn document(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The fenced blocks of a document that have no language.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<(&str, Block)> = None;
    for (n, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => {
                let (language, block) = open.take().unwrap();
                if language.is_empty() {
                    found.push(block);
                }
            }
            (Some(language), None) => {
                let lines = Vec::new();
                open = Some((language, Block { line: n + 1, lines }));
            }
            (None, Some((_, block))) => block.lines.push(line.to_owned()),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block without an end");
    found
}

/// A line's command, without the comment behind it.
pub fn command(line: &str) -> &str {
    let end = line.find("  #").unwrap_or(line.len());
    line[..end].trim_end()
}

/// The command as it runs here: the program that was built, by its name.
pub fn as_run(command: &str) -> String {
    command.replace("cargo run --release --", "provision")
}

/// Writes a program named `provision` into a folder for `PATH`.
pub fn install(bin: &Path) {
    std::fs::create_dir_all(bin).unwrap();
    let built = env!("CARGO_BIN_EXE_provision");
    let text = format!("#!/bin/sh\nexec '{built}' \"$@\"\n");
    super::program::script(&bin.join("provision"), &text);
}
