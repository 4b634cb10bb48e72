//! kubectl reaches the cluster that `up` made with our kubeconfig and our token, and `kubectl diff` finds that the cluster is as the
//! manifests state. In a kubeconfig with other entries, kubectl reads the same of them after ours is added.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

use crate::common::cloud::{Cloud, PROJECT};
use emulator::exports;
use serde_json::Value;

/// A kubeconfig with scalars that readers of YAML 1.1 and of YAML 1.2 do not read alike.
const OTHERS: &str = r#"apiVersion: v1
kind: Config
preferences: {colors: yes}
clusters:
- name: other
  cluster:
    server: https://192.0.2.1
    insecure-skip-tls-verify: On
    extensions:
    - {name: x, extension: {mode: 0644, hex: 0x1F, thousand: 1_000, exponent: 12e3, when: 2001-01-01, time: 12:30, none: ~}}
contexts:
- {name: other, context: {cluster: other, user: "0123", namespace: "1e3"}}
users:
- {name: "0123", user: {token: "yes"}}
- {name: "null", user: {token: "12:30:45", username: "0o17", password: "a: b #c"}}
- name: text
  user:
    token: >-
      folded
      text
    tokenFile: |
      lines

      of text
    as: "tab\tand \u0007"
"#;

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
    let run = cloud.run(&["kubeconfig", "--write", &config_arg]).ends(0);
    let name = format!("gke_{PROJECT}_us-central1-a_cluster1");
    assert!(run.out.contains(&name), "{}", run.out);
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

    let shared = cloud.user.home().join("shared");
    std::fs::write(&shared, OTHERS).unwrap();
    let shared = shared.display().to_string();
    let view = || -> Value {
        let output = kubectl(&[
            "--kubeconfig",
            &shared,
            "config",
            "view",
            "--raw",
            "-o",
            "json",
        ]);
        let errors = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{errors}"))
    };
    let before = view();
    cloud.run(&["kubeconfig", "--write", &shared]).ends(0);
    let after = view();
    assert_eq!(after["preferences"], before["preferences"]);
    for list in ["clusters", "contexts", "users"] {
        let (before, after) = (&before[list], &after[list]);
        let entries = |of: &Value| of.as_array().unwrap().clone();
        let others: Vec<Value> = entries(after)
            .into_iter()
            .filter(|entry| entry["name"] != name.as_str())
            .collect();
        assert_eq!(others, entries(before));
        assert_eq!(entries(after).len(), entries(before).len() + 1);
    }
}
