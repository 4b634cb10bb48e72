//! The DNS endpoint of a cluster as the real gcloud and kubectl know it: what gcloud writes for it is what we write, its commands open
//! and close it, and what kubectl does with an emulated one.

use std::process::{Command, Output};

use serde_json::Value;

use super::gcloud::{environment, gcloud, say};
use crate::common::cloud::{Cloud, PROJECT};

const ENDPOINT: &str = "controlPlaneEndpointsConfig.dnsEndpointConfig";

fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

/// The cluster in a kubeconfig of one.
fn cluster(kubeconfig: &str) -> Value {
    let file: Value = serde_saphyr::from_str(kubeconfig).unwrap();
    file["clusters"][0].clone()
}

#[test]
fn gcloud_opens_closes_and_names_it_as_we_do() {
    if Command::new("gcloud").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "CI has to have gcloud");
        say("gcloud is not installed: its DNS endpoint was not compared");
        return;
    }
    let cloud = Cloud::new();
    let up = [
        "up",
        "--yes",
        "--through",
        "cluster",
        "--set",
        "endpoint=dns",
    ];
    cloud.run(&up).ends(0);
    let folder = tempfile::tempdir().unwrap();
    let environment = environment(cloud.address(), folder.path());
    let run = |line: &str| {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let place = ["--zone", "us-central1-a", "--project", PROJECT].map(str::to_owned);
        gcloud(
            &[words, place.to_vec()].concat(),
            &environment,
            folder.path(),
        )
    };
    let works = |line: &str| {
        let output = run(line);
        assert!(output.status.success(), "{line}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let credentials = "container clusters get-credentials cluster1 --dns-endpoint";
    works(credentials);
    let theirs = std::fs::read_to_string(folder.path().join("kubeconfig")).unwrap();
    let ours = cloud.run(&["kubeconfig"]).ends(0).out;
    let name = works(&format!(
        "container clusters describe cluster1 --format value({ENDPOINT}.endpoint)"
    ));
    let mut expected = cluster(&theirs);
    assert_eq!(expected["cluster"]["server"], format!("https://{name}"));
    // Only an emulator's name is a folder on this machine.
    expected["cluster"]["server"] = format!("http://{}/{name}", cloud.address()).into();
    assert_eq!(cluster(&ours), expected);

    works("container clusters update cluster1 --no-enable-dns-access");
    let refused = run(credentials);
    let told = text(&refused);
    assert!(
        !refused.status.success() && told.contains("allowExternalTraffic is"),
        "{told}"
    );
    let told = cloud.run(&["kubeconfig"]).ends(1).err;
    assert!(told.contains("--enable-dns-access"), "{told}");
    // The command of our hint.
    works("container clusters update cluster1 --enable-dns-access");
    works(credentials);
    cloud.run(&["plan", "--through", "cluster"]).ends(0);
}

#[test]
fn kubectl_sends_no_token_to_an_emulated_name_because_it_has_no_tls() {
    if Command::new("kubectl").arg("--help").output().is_err() {
        say("kubectl is not installed: it was not asked about an emulated DNS endpoint");
        return;
    }
    let cloud = Cloud::new();
    cloud
        .run(&[
            "up",
            "--yes",
            "--through",
            "test-application",
            "--set",
            "endpoint=dns",
        ])
        .ends(0);
    let file = cloud.user.home().join("kubeconfig");
    let write = ["kubeconfig", "--write", &file.display().to_string()];
    cloud.run(&write).ends(0);
    let output = Command::new("kubectl")
        .args(["get", "namespaces"])
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap())
        .env("HOME", cloud.user.home())
        .env("KUBECONFIG", &file)
        .output()
        .unwrap();
    let told = text(&output);
    assert!(
        !output.status.success() && told.contains("You must be logged in"),
        "{told}"
    );
}
