//! The six commands of `docs/rehearsal.md`, in a laboratory instead of kind: each as it stands there, but for the names of the
//! cluster and its nodes.

use std::collections::BTreeSet;
use std::process::Command;

use crate::common::program::Said;
use crate::lab::Lab;

const PAGE: &str = include_str!("../../docs/rehearsal.md");

/// What the laboratory's plain Envoy lacks is switched off in its mesh.
const MESH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/manifests/mesh.yaml");

/// The commands of the page.
fn commands() -> Vec<&'static str> {
    let (_, rest) = PAGE.split_once("## Six commands").unwrap();
    let (_, rest) = rest.split_once("```\n").unwrap();
    rest.split_once("```").unwrap().0.lines().collect()
}

/// A command of the page as it is for the laboratory.
fn here(lab: &Lab, command: &str) -> String {
    let kubeconfig = lab.kubeconfig();
    let names = [
        ("egress-worker2", "gateway-1"),
        ("egress-worker", "default-pool-1"),
        ("kind-egress", lab.name()),
        ("~/.kube/config", kubeconfig.as_str()),
        (
            "--skip-confirmation",
            &format!("--skip-confirmation -f {MESH}"),
        ),
    ];
    names
        .iter()
        .fold(command.to_owned(), |text, (there, here)| {
            text.replace(there, here)
        })
}

/// Types a command into a shell in the nodes' network.
fn types(lab: &Lab, command: &str) -> Said {
    let mut shell = Command::new("nsenter");
    let path = format!(
        "{}:{}:{}",
        lab.programs(),
        env!("CARGO_BIN_EXE_provision").trim_end_matches("/provision"),
        std::env::var("PATH").unwrap()
    );
    shell
        .arg(format!("--net=/run/netns/{}", lab.name()))
        .args(["bash", "-c", command])
        .env_clear();
    shell
        .env("PATH", path)
        .env("HOME", lab.user.home())
        .env("KUBECONFIG", lab.kubeconfig())
        .current_dir(lab.user.home());
    Said::of(shell.output().unwrap(), lab.user.home())
}

/// Every object of the cluster by its name, but for those that come and go by themselves.
fn objects(lab: &Lab) -> BTreeSet<String> {
    let kinds = lab
        .kubectl(&["api-resources", "--verbs=list", "-o", "name"])
        .ends(0)
        .out;
    let passing = [
        "events",
        "events.events.k8s.io",
        "leases.coordination.k8s.io",
        "endpoints",
        "ipaddresses.networking.k8s.io",
    ];
    let kinds: Vec<&str> = kinds
        .lines()
        .filter(|kind| !passing.contains(kind))
        .collect();
    let name = "custom-columns=:.kind,:.metadata.namespace,:.metadata.name";
    let said = lab
        .kubectl(&["get", "-A", "-o", name, "--no-headers", &kinds.join(",")])
        .ends(0);
    said.out
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .collect()
}

#[test]
fn the_six_commands_do_what_the_page_says() {
    let Some(lab) = Lab::bare("rehearse", &["--no-mesh"]) else {
        return;
    };
    let commands = commands();
    let [create, label, install, up, verify, down] = commands[..] else {
        panic!("{commands:?}")
    };
    assert!(create.contains("kind create cluster"), "{create}");
    // Nodes as kind makes them: of no pool.
    lab.kubectl(&["label", "node", "--all", "cloud.google.com/gke-nodepool-"])
        .ends(0);
    lab.kubectl(&["taint", "node", "gateway-1", "dedicated-"])
        .ends(0);
    types(&lab, &here(&lab, install)).ends(0);
    lab.lab(&["settle"]).ends(0);
    let before = objects(&lab);

    // Without the labels it says which they are, and changes nothing.
    let said = types(&lab, &format!("{} --yes", here(&lab, up))).ends(1);
    let labels = "label node default-pool-1 cloud.google.com/gke-nodepool=default-pool";
    assert!(said.err.contains(labels), "{}", said.err);
    assert_eq!(objects(&lab), before);

    types(&lab, &here(&lab, label)).ends(0);
    types(&lab, &format!("{} --yes", here(&lab, up))).ends(0);
    lab.in_sync();
    let said = types(&lab, &here(&lab, verify)).ends(0);
    assert!(said.out.contains("not checked here"), "{}", said.out);
    assert_ne!(objects(&lab), before);

    types(&lab, &format!("{} --yes", here(&lab, down))).ends(0);
    let after = objects(&lab);
    let left: Vec<&String> = after.symmetric_difference(&before).collect();
    assert!(left.is_empty(), "{left:?}");
}
