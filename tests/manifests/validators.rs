//! Our objects before two validators of other people: `kubernetes-validate` (Python) for Kubernetes' own kinds, strictly,
//! and `@kubernetes-models/istio` (Node) for Istio's. Where one is not installed the test says so and passes.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The version that GKE's regular channel has.
const KUBERNETES: &str = "1.33";

/// Reads files of objects and prints a line for each that its model refuses.
const MODELS: &str = "
const fs = require('fs');
for (const file of process.argv.slice(1)) {
  const object = JSON.parse(fs.readFileSync(file, 'utf8'));
  const model = require(`@kubernetes-models/istio/${object.apiVersion}/${object.kind}`)[object.kind];
  try { new model(object).validate(); } catch (error) { console.log(file, error.message); }
}";

/// Every object of every chapter, each version of it once, as files; Istio's apart.
fn written(folder: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let tutorial = super::tutorial();
    let mut all: BTreeMap<String, Value> = BTreeMap::new();
    for control_plane in ["managed", "in-cluster"] {
        for chapter in &tutorial.chapters {
            let steps = super::steps(&tutorial, control_plane, &chapter.name);
            all.extend(
                super::objects(&steps)
                    .into_values()
                    .map(|o| (o.to_string(), o)),
            );
        }
    }
    let (mut plain, mut istio) = (Vec::new(), Vec::new());
    for (n, (text, object)) in all.iter().enumerate() {
        let file = folder.join(format!("{n}.json"));
        std::fs::write(&file, text).unwrap();
        let group = object["apiVersion"].as_str().unwrap().split('/').next();
        let of_istio = group.is_some_and(|group| group.ends_with(".istio.io"));
        if of_istio { &mut istio } else { &mut plain }.push(file);
    }
    (plain, istio)
}

fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[test]
fn kubernetes_validate_takes_every_object_of_kubernetes_own() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, _) = written(folder.path());
    assert!(plain.len() >= 20, "{}", plain.len());
    let run = Command::new("kubernetes-validate")
        .args(["-k", KUBERNETES, "--strict", "--quiet"])
        .args(&plain)
        .output();
    let Ok(output) = run else {
        return say("kubernetes-validate is not installed: it was not asked");
    };
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    say(&format!("kubernetes-validate: {} objects", plain.len()));
}

#[test]
fn the_models_take_every_object_of_istio() {
    let folder = tempfile::tempdir().unwrap();
    let (_, istio) = written(folder.path());
    assert!(istio.len() >= 20, "{}", istio.len());
    let known = Command::new("node")
        .args(["-e", "require.resolve('@kubernetes-models/istio')"])
        .output();
    if !known.is_ok_and(|output| output.status.success()) {
        return say(
            "@kubernetes-models/istio is not where node looks (NODE_PATH): it was not asked",
        );
    }
    let output = Command::new("node")
        .args(["-e", MODELS])
        .args(&istio)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.is_empty(), "{told}");
    say(&format!(
        "@kubernetes-models/istio: {} objects",
        istio.len()
    ));
}
