//! What `up` leaves is what the manifests say, by kubectl's own word: it reaches the cluster with our kubeconfig and our token,
//! and `kubectl diff` has nothing to say.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

use crate::common::cloud::{Cloud, PROJECT};
use emulator::exports;

/// Manifests that are not what a whole `up` leaves: a later chapter has another version of the object, the control plane is
/// not the managed one, or the namespace is the step's.
const NOT_SO: &[&str] = &[
    "access-logs-in-cluster.yaml",
    "egress-gateway.yaml",
    "example-com-virtualservice.yaml",
    "target-egress-gateway.yaml",
    "test-deployment.yaml",
    "test-service.yaml",
    "test-serviceaccount.yaml",
];

#[test]
fn kubectl_finds_nothing_to_change_after_up() {
    if Command::new("kubectl").arg("--help").output().is_err() {
        let _ = writeln!(
            std::io::stderr(),
            "kubectl is not installed: its word was not heard"
        );
        return;
    }
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes"]).ends(0);
    let config = cloud.user.home().join("some folder/config");
    std::fs::create_dir_all(config.parent().unwrap()).unwrap();
    let config_arg = config.display().to_string();
    let said = cloud.run(&["kubeconfig", "--write", &config_arg]).ends(0);
    assert!(
        said.out
            .contains(&format!("gke_{PROJECT}_us-central1-a_cluster1")),
        "{}",
        said.out
    );
    let printed = cloud.run(&["kubeconfig"]).ends(0).out;
    assert_eq!(printed, std::fs::read_to_string(&config).unwrap());

    let kubectl = |args: &[&str]| -> Output {
        let mut command = Command::new("kubectl");
        command
            .args(args)
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap());
        command
            .env("HOME", cloud.user.home())
            .env("KUBECONFIG", &config);
        for line in exports(cloud.address()).lines() {
            let (name, value) = line
                .strip_prefix("export ")
                .unwrap()
                .split_once('=')
                .unwrap();
            command.env(name, value.trim_matches('\''));
        }
        command.output().unwrap()
    };
    let nodes = kubectl(&[
        "get",
        "nodes",
        "-l",
        "cloud.google.com/gke-nodepool=gateway",
        "-o",
        "jsonpath={.items[*].spec.taints}",
    ]);
    let taints = String::from_utf8_lossy(&nodes.stdout).into_owned();
    assert!(
        taints.contains("NoSchedule") && taints.contains("dedicated"),
        "{taints}{}",
        String::from_utf8_lossy(&nodes.stderr)
    );

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("steps/manifests");
    let mut differing = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let output = kubectl(&["diff", "-f", &path.display().to_string()]);
        match output.status.code() {
            Some(0) => {}
            Some(1) => differing.push(path.file_name().unwrap().to_string_lossy().into_owned()),
            _ => panic!(
                "{}: {}",
                path.display(),
                String::from_utf8_lossy(&output.stderr)
            ),
        }
    }
    differing.sort();
    assert_eq!(differing, NOT_SO);
}
