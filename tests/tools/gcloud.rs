//! The real gcloud stands the tutorial up against the emulator and takes it down again, its commands unchanged; in between, what
//! it made is held against what `up` makes.
//!
//! One test, some minutes. Where gcloud is not installed it says so and passes, except in CI.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use crate::common::cloud::{Cloud, PROJECT, between};
use emulator::exports;

const SCRIPT: &str = include_str!("../../fixtures/gcloud/tutorial.txt");

/// What `up` leaves otherwise than the tutorial's commands do: names, with the fields that differ. The reasons are in
/// docs/architecture.md but for two: the tutorial's transactions renew the SOA of a zone, whose serial number then counts
/// them, and gcloud writes the emulator's address into the membership.
const DIFFERENCES: &[&str] = &[
    "//cloudresourcemanager.googleapis.com/projects/egress-demo/iamPolicy: bindings",
    "//compute.googleapis.com/projects/egress-demo/global/firewalls/allow-egress-to-konnectivity: allowed, description, destinationRanges, direction, disabled, kind, logConfig, name, network, priority, selfLink, targetServiceAccounts",
    "//compute.googleapis.com/projects/egress-demo/global/firewalls/allow-ingress-api-server-to-webhook: allowed, description, direction, disabled, kind, logConfig, name, network, priority, selfLink, sourceRanges, targetServiceAccounts",
    "//dns.googleapis.com/projects/egress-demo/managedZones/private-gcr-io/rrsets/gcr.io./SOA: rrdatas",
    "//dns.googleapis.com/projects/egress-demo/managedZones/private-google-apis/rrsets/googleapis.com./SOA: rrdatas",
    "//dns.googleapis.com/projects/egress-demo/managedZones/private-pkg-dev: cloudLoggingConfig, description, dnsName, kind, name, nameServers, privateVisibilityConfig, visibility",
    "//dns.googleapis.com/projects/egress-demo/managedZones/private-pkg-dev/rrsets/*.pkg.dev./CNAME: kind, name, rrdatas, ttl, type",
    "//dns.googleapis.com/projects/egress-demo/managedZones/private-pkg-dev/rrsets/pkg.dev./A: kind, name, rrdatas, ttl, type",
    "//dns.googleapis.com/projects/egress-demo/managedZones/private-pkg-dev/rrsets/pkg.dev./NS: kind, name, rrdatas, ttl, type",
    "//dns.googleapis.com/projects/egress-demo/managedZones/private-pkg-dev/rrsets/pkg.dev./SOA: kind, name, rrdatas, ttl, type",
    "//gkehub.googleapis.com/projects/egress-demo/locations/us-central1/memberships/cluster1: endpoint",
    // New organizations refuse the tutorial's bucket, which has access control lists.
    "//storage.googleapis.com/projects/_/buckets/egress-demo-bucket: iamConfiguration",
    "//storage.googleapis.com/projects/_/buckets/egress-demo-bucket/iamPolicy: bindings",
];

#[test]
fn the_real_gcloud_makes_what_up_makes_and_leaves_nothing() {
    if Command::new("gcloud").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "CI has to have gcloud");
        say("gcloud is not installed: its session was not run");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hello"), "Hello, World!\n").unwrap();
    let cloud = Cloud::new();
    let environment = environment(cloud.address(), folder.path());

    let began = Instant::now();
    let mut failed = Vec::new();
    let lines: Vec<&str> = SCRIPT
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(lines.len(), 89);
    let mut compared = None;
    for line in &lines {
        if line.starts_with("remove") && compared.is_none() {
            compared = Some(differences(&cloud));
        }
        let words = words(line, folder.path());
        let output = gcloud(&words[1..], &environment, folder.path());
        if !output.status.success() {
            failed.push(format!(
                "{line}\n{}",
                String::from_utf8_lossy(&output.stderr)
            ));
        }
    }
    say(&format!(
        "gcloud: {} commands in {:.0} s",
        lines.len(),
        began.elapsed().as_secs_f64()
    ));
    assert!(
        failed.is_empty(),
        "{} of {} failed:\n{}",
        failed.len(),
        lines.len(),
        failed.join("\n")
    );
    assert_eq!(compared.unwrap(), DIFFERENCES);

    // Google keeps three things for itself: the project's policy, its fleet, its pool of identities.
    let left = cloud.inventory();
    let kept = ["/iamPolicy", "/fleets/default", ".svc.id.goog"];
    let strange: Vec<&String> = left
        .keys()
        .filter(|key| !kept.iter().any(|end| key.ends_with(end)))
        .collect();
    assert!(strange.is_empty(), "{strange:?}");
    let traces = left
        .values()
        .filter(|value| value.to_string().contains("serviceAccount:sa-"));
    assert_eq!(traces.count(), 0, "{left:?}");
}

/// What stands in this cloud after gcloud, and not or otherwise in another one after `up`.
fn differences(gcloud: &Cloud) -> Vec<String> {
    let ours = Cloud::new();
    ours.run(&["up", "--yes", "--authorized-network", "203.0.113.99/32"])
        .ends(0);
    between(&ours.inventory(), &gcloud.inventory())
}

pub(super) fn gcloud(words: &[String], environment: &[(String, String)], folder: &Path) -> Output {
    let mut command = Command::new("gcloud");
    command
        .args(words)
        .arg("--quiet")
        .env_clear()
        .envs(environment.iter().cloned())
        .current_dir(folder);
    command.output().unwrap()
}

/// Nothing of this machine's own configuration: an empty home, the exports of the emulator, and the way to the programs.
pub(super) fn environment(addr: SocketAddr, folder: &Path) -> Vec<(String, String)> {
    let home = folder.display().to_string();
    let mut all = vec![
        ("PATH".to_owned(), std::env::var("PATH").unwrap()),
        ("HOME".to_owned(), home.clone()),
        ("CLOUDSDK_CONFIG".to_owned(), format!("{home}/gcloud")),
        ("KUBECONFIG".to_owned(), format!("{home}/kubeconfig")),
    ];
    for line in exports(addr).lines() {
        let (name, value) = line
            .strip_prefix("export ")
            .unwrap()
            .split_once('=')
            .unwrap();
        all.push((name.to_owned(), value.trim_matches('\'').to_owned()));
    }
    all
}

/// A line's words as a shell would cut them, its placeholders filled in.
fn words(line: &str, folder: &Path) -> Vec<String> {
    let filled = line
        .replace("{accounts}", &format!("{PROJECT}.iam.gserviceaccount.com"))
        .replace("{project}", PROJECT)
        .replace("{region}", "us-central1")
        .replace("{zone}", "us-central1-a")
        .replace("{machine}", "203.0.113.99")
        .replace("{folder}", &folder.display().to_string());
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in filled.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A line that the test runner does not keep to itself.
pub(super) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
