//! The real kubectl types every kubectl command of the tutorial, as the tutorial writes it, in the cluster that `up --through
//! mesh` leaves; and then what people do beside it.
//!
//! Every kubectl on the path is tried. Where there is none the test says so and passes, except in CI.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::common::cloud::{Cloud, PROJECT};
use crate::common::kubernetes::BlockingClient;
use crate::common::session::{Row, Session, rows};
use emulator::exports;
use provision::google::{Api, Call};
use serde_json::{Value, json};

const TUTORIAL: &str = include_str!("../../fixtures/kubectl/tutorial.yaml");
const BEYOND: &str = include_str!("../../fixtures/kubectl/beyond.yaml");
const IN_CLUSTER: &str = include_str!("../../fixtures/kubectl/in-cluster.yaml");
const LINES: &str = include_str!("../../fixtures/kubectl/lines.txt");
const PRINTED: &str = include_str!("../../fixtures/tutorial-objects.yaml");
const ACCESS_LOGS: &str = include_str!("../../steps/manifests/access-logs-managed.yaml");
const GATEWAY: &str = include_str!("../../fixtures/istioctl-egress-gateway.json");

/// A command without what the tutorial's text has otherwise: spaces, line breaks and the marks of them.
fn bare(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '\\' | ';'))
        .collect()
}

#[test]
fn no_command_of_the_tutorial_is_missing() {
    let rows = rows(TUTORIAL);
    assert!(rows.is_sorted_by_key(|row| row.line));
    let (mut whole, mut ends) = (String::new(), Vec::new());
    for row in &rows {
        whole.push_str(&bare(&row.run));
        ends.push((whole.len(), row.line));
    }
    let mut from = 0;
    for text in LINES.lines().skip(1) {
        let (number, text) = text.split_once(' ').unwrap();
        let number: usize = number.parse().unwrap();
        let text = bare(text);
        let at = whole[from..].find(&text);
        let at = from + at.unwrap_or_else(|| panic!("line {number} is in no row: {text}"));
        from = at + text.len();
        let row = ends.iter().position(|(end, _)| *end > at).unwrap();
        let next = ends[row..].iter().find(|(_, line)| *line > ends[row].1);
        // A loop begins before its first kubectl, a command that is nested stands after it.
        assert!(
            ends[row].1 <= number && next.is_none_or(|(_, line)| *line > number),
            "line {number} is in the row of line {}",
            ends[row].1
        );
    }
    assert_eq!(words(&whole), words(&LINES[LINES.find('\n').unwrap()..]));
}

fn words(text: &str) -> usize {
    text.matches("kubectl").count()
}

#[test]
fn what_is_applied_is_what_the_tutorial_prints() {
    let printed: Vec<Value> = serde_saphyr::from_multiple(PRINTED).unwrap();
    let text = |object: &Value| object.to_string();
    let mut expected: BTreeSet<String> = BTreeSet::new();
    for entry in &printed {
        if !entry["by"].as_str().unwrap().contains("create namespace") {
            expected.insert(text(&entry["object"]));
        }
    }
    let mut found = BTreeSet::new();
    for row in rows(TUTORIAL) {
        let Some((_, rest)) = row.run.split_once("EOF") else {
            continue;
        };
        let (first, body) = rest.split_once('\n').unwrap();
        assert!(
            first.contains("kubectl apply -f -") || first.contains("> ./test.yaml"),
            "{first}"
        );
        let objects: Vec<Value> =
            serde_saphyr::from_multiple(body.trim_end().strip_suffix("EOF").unwrap()).unwrap();
        found.extend(objects.iter().map(text));
    }
    assert_eq!(found, expected);
}

/// Every kubectl on the path, each once.
fn kubectls() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = Vec::new();
    for folder in std::env::split_paths(&path) {
        if let Ok(program) = folder.join("kubectl").canonicalize()
            && !found.contains(&program)
        {
            found.push(program);
        }
    }
    found
}

fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// What the reader has before the first kubectl: the program by its name, the cluster's address, and what istioctl made of the
/// operator manifest. istioctl itself has nothing to ask here, so that the word for it only repeats what it is given.
fn environment(cloud: &Cloud, folder: &Path, program: &Path) -> Vec<(String, String)> {
    let bin = folder.join("bin");
    std::fs::create_dir(&bin).unwrap();
    // The program may be a dispatcher that looks beside itself, so it is named and not linked to.
    let script = format!("#!/bin/sh\nexec '{}' \"$@\"\n", program.display());
    crate::common::program::script(&bin.join("kubectl"), &script);
    let objects: Vec<Value> = serde_json::from_str(GATEWAY).unwrap();
    let text: String = objects.iter().map(|o| format!("---\n{o}\n")).collect();
    // istioctl makes a folder a component.
    let gateways = folder.join("egressgateway/Base/Pilot/EgressGateways");
    std::fs::create_dir_all(&gateways).unwrap();
    std::fs::write(gateways.join("EgressGateways.yaml"), text).unwrap();
    let config = folder.join("config").display().to_string();
    cloud.run(&["kubeconfig", "--write", &config]).ends(0);

    let path = std::env::var("PATH").unwrap();
    let mut all: Vec<(String, String)> = exports(cloud.address())
        .lines()
        .map(|line| {
            let (name, value) = line
                .strip_prefix("export ")
                .unwrap()
                .split_once('=')
                .unwrap();
            (name.to_owned(), value.trim_matches('\'').to_owned())
        })
        .collect();
    for (name, value) in [
        ("PATH", format!("{}:{path}", bin.display())),
        ("HOME", folder.display().to_string()),
        ("KUBECONFIG", config),
        ("PROJECT_ID", PROJECT.to_owned()),
        ("ISTIOCTL", "echo".to_owned()),
    ] {
        all.push((name.to_owned(), value));
    }
    all
}

/// What the last chapter has gcloud make, on which the last commands in a pod depend: an account for the application, a bucket
/// with a file, and that the one may read the other.
fn what_gcloud_makes(cloud: &Cloud) {
    let accounts = format!("v1/projects/{PROJECT}/serviceAccounts");
    let email = format!("sa-test-app-team-x@{PROJECT}.iam.gserviceaccount.com");
    let bucket = format!("{PROJECT}-bucket");
    let binding = |role: &str, member: String| json!([{"role": role, "members": [member]}]);
    let acts = binding(
        "roles/iam.workloadIdentityUser",
        format!("serviceAccount:{PROJECT}.svc.id.goog[team-x/test]"),
    );
    let reads = binding(
        "roles/storage.objectViewer",
        format!("serviceAccount:{email}"),
    );
    let buckets = "b";
    for call in [
        Call::post(Api::Iam, &accounts).json(json!({"accountId": "sa-test-app-team-x"})),
        Call::post(Api::Iam, format!("{accounts}/{email}:setIamPolicy"))
            .json(json!({"policy": {"bindings": acts}})),
        Call::post(Api::Storage, buckets)
            .query("project", PROJECT)
            .json(json!({"name": bucket})),
        Call::post(Api::Storage, format!("{buckets}/{bucket}/o"))
            .query("name", "hello")
            .upload("application/octet-stream", b"Hello, World!\n".to_vec()),
        Call::put(Api::Storage, format!("{buckets}/{bucket}/iam")).json(json!({"bindings": reads})),
    ] {
        cloud.call(call);
    }
}

#[test]
fn the_real_kubectl_runs_the_tutorial() {
    let programs = kubectls();
    if programs.is_empty() {
        assert!(std::env::var_os("CI").is_none(), "CI has to have kubectl");
        return say("kubectl is not installed: its session was not run");
    }
    for program in programs {
        let began = Instant::now();
        let cloud = Cloud::new();
        cloud.run(&["up", "--yes", "--through", "mesh"]).ends(0);
        what_gcloud_makes(&cloud);
        // The tutorial has no command for the access log: it links to this.
        let telemetry: Value = serde_saphyr::from_str(ACCESS_LOGS).unwrap();
        BlockingClient::of(&cloud).apply(&telemetry);
        let folder = tempfile::tempdir().unwrap();
        let session = Session {
            folder: folder.path(),
            environment: environment(&cloud, folder.path(), &program),
        };
        // What the reader puts in for the label, the command before has shown.
        let with_label = |table: &str, label: &str| -> Vec<Row> {
            rows(&table.replace("REVISION_LABEL", label))
        };
        let wrong = |rows: &[Row]| -> Vec<String> {
            rows.iter().filter_map(|row| session.wrong(row)).collect()
        };
        let mut all = with_label(TUTORIAL, "asm-managed");
        all.extend(rows(BEYOND));
        let mut diagnostics = wrong(&all);
        BlockingClient::of(&cloud).install_istiod();
        let in_cluster = with_label(IN_CLUSTER, "asm-1282-4");
        diagnostics.extend(wrong(&in_cluster));
        all.extend(in_cluster);
        assert!(
            diagnostics.is_empty(),
            "{}:\n{}",
            program.display(),
            diagnostics.join("\n")
        );
        say(&format!(
            "{}: {} commands in {:.0} s",
            program.display(),
            all.len(),
            began.elapsed().as_secs_f64(),
        ));
    }
}
