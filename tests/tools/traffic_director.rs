//! What Traffic Director keeps for a mesh, as the real gcloud finds it: its lists name the resources, and its deletions meet the refusals.

use std::process::Command;
use std::time::{Duration, Instant};

use super::gcloud::{environment, gcloud, say};
use crate::common::cloud::{Cloud, PROJECT};

/// How long Traffic Director may take to make everything.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn gcloud_lists_what_a_mesh_holds_and_cannot_delete_it() {
    if Command::new("gcloud").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "CI has to have gcloud");
        say("gcloud is not installed: it was not asked about the resources of a mesh");
        return;
    }
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes", "--through", "mesh"]).ends(0);
    let folder = tempfile::tempdir().unwrap();
    let environment = environment(cloud.address(), folder.path());
    let run = |line: &str| {
        let words = line.split(' ').chain(["--project", PROJECT]);
        let words: Vec<String> = words.map(str::to_owned).collect();
        gcloud(&words, &environment, folder.path())
    };
    let names = |collection: &str| -> Vec<String> {
        let output = run(&format!("compute {collection} list --format value(name)"));
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{collection}: {told}");
        let listed = String::from_utf8(output.stdout).unwrap();
        let mut names: Vec<String> = listed
            .lines()
            .filter(|name| name.starts_with("gsmrsvd-"))
            .map(str::to_owned)
            .collect();
        names.sort();
        names
    };
    let until = Instant::now() + PATIENCE;
    let held = loop {
        let found = names("backend-services");
        if !found.is_empty() {
            break found;
        }
        assert!(Instant::now() < until, "Traffic Director made nothing");
    };
    for collection in ["health-checks", "network-endpoint-groups"] {
        assert_eq!(names(collection), held, "{collection}");
    }
    let name = &held[0];
    let refused = [
        (
            format!("compute backend-services delete {name} --global"),
            "Required 'compute.backendServices.delete' permission".to_owned(),
        ),
        (
            format!("compute health-checks delete {name} --global"),
            format!("is already being used by 'projects/{PROJECT}/global/backendServices/{name}'"),
        ),
        (
            format!("compute network-endpoint-groups delete {name} --zone us-central1-a"),
            format!("is already being used by 'projects/{PROJECT}/global/backendServices/{name}'"),
        ),
    ];
    for (line, words) in refused {
        let output = run(&line);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && told.contains(&words),
            "{line}: {told}"
        );
    }
}
