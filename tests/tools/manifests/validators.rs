//! Our objects before two validators of other people: `kubernetes-validate` (Python) for Kubernetes' own kinds, strictly,
//! and `@kubernetes-models/istio` (Node) for Istio's. Where one is not installed the test says so and passes, unless
//! `HAS_TO_ASK` names it: `.ci/run` does so for those that it has installed.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

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

/// The first of these objects with this in the place of its spec, as a file.
fn broken(folder: &Path, files: &[PathBuf], spec: Value) -> PathBuf {
    let text = std::fs::read_to_string(&files[0]).unwrap();
    let mut object: Value = serde_json::from_str(&text).unwrap();
    object["spec"] = spec;
    let file = folder.join("broken.json");
    std::fs::write(&file, object.to_string()).unwrap();
    file
}

fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A validator was not asked: fine where nobody has installed it.
fn unasked(package: &str, why: &str) {
    let has_to = std::env::var("HAS_TO_ASK").unwrap_or_default();
    assert!(
        !has_to.split(' ').any(|name| name == package),
        "{package} {why}"
    );
    say(&format!("{package} {why}: it was not asked"));
}

#[test]
fn kubernetes_validate_takes_every_object_of_kubernetes_own() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, _) = written(folder.path());
    assert!(plain.len() >= 20, "{}", plain.len());
    let ask = |files: &[PathBuf]| {
        Command::new("kubernetes-validate")
            .args(["-k", KUBERNETES, "--strict", "--quiet"])
            .args(files)
            .output()
    };
    let Ok(output) = ask(&plain) else {
        return unasked("kubernetes-validate", "is not installed");
    };
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let refused = ask(&[broken(folder.path(), &plain, json!({"misspelt": 1}))]).unwrap();
    assert!(!refused.status.success(), "it refuses nothing");
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
        return unasked(
            "@kubernetes-models/istio",
            "is not where node looks (NODE_PATH)",
        );
    }
    let ask = |files: &[PathBuf]| -> String {
        let output = Command::new("node")
            .args(["-e", MODELS])
            .args(files)
            .output();
        let output = output.unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(ask(&istio), "");
    // Their schemas are open: a field that is not there goes unseen, one of a wrong type does not.
    let refused = ask(&[broken(folder.path(), &istio, json!("text"))]);
    assert!(refused.contains("/spec"), "it refuses nothing: {refused}");
    say(&format!(
        "@kubernetes-models/istio: {} objects",
        istio.len()
    ));
}
