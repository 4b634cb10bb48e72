//! `--record`: the file holds what was asked and answered, without secrets and identities, and can be replayed: to a new emulator,
//! which answers the same, and to the program, which says the same.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{Method, StatusCode, Uri};
use serde_json::{Value, json};

use crate::common::emulator::Cloud;
use crate::common::kubernetes::ClusterClient;
use crate::common::program::User;
use crate::recorded::{is_operation, is_over};

const PROJECT: &str = "acme-egress";
/// What stands for the project in a recording.
const RECORDED_PROJECT: &str = "demo-proj";
/// The host of a cluster in a recording.
const CLUSTER: &str = "https://kubernetes.default.svc";

/// The types of the two patches that the program sends; a recording has no headers.
const APPLY_PATCH: &str = "application/apply-patch+yaml";
const MERGE_PATCH: &str = "application/merge-patch+json";

/// How often a question is asked again whose answer is to be another one.
const PATIENCE: usize = 300;
const PAUSE: Duration = Duration::from_millis(10);

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn exchanges(recording: &Value) -> &[Value] {
    recording["exchanges"].as_array().unwrap()
}

fn record(user: &User, args: &[&str], name: &str) -> Value {
    let path = user.home().join(name);
    let record = ["--project", PROJECT, "--zone", "us-central1-a", "--record"];
    let args = [args, &record, &[path.to_str().unwrap()]].concat();
    user.run(&args).ends(0);
    read(&path)
}

/// What a placeholder of a recording stands for in a replay.
#[derive(Default)]
struct Bindings(BTreeMap<String, String>);

impl Bindings {
    /// Learns from an answer what the placeholders of the recorded one stand for.
    fn learn(&mut self, recorded: &Value, answered: &Value) {
        match (recorded, answered) {
            (Value::Object(recorded), Value::Object(answered)) => {
                for (key, value) in recorded {
                    if let Some(answered) = answered.get(key) {
                        self.learn(value, answered);
                    }
                }
            }
            (Value::Array(recorded), Value::Array(answered)) => {
                for (recorded, answered) in recorded.iter().zip(answered) {
                    self.learn(recorded, answered);
                }
            }
            (Value::String(recorded), Value::String(answered)) => {
                let Some(start) = recorded.find("${") else {
                    return;
                };
                let end = start + recorded[start..].find('}').unwrap() + 1;
                let (before, after) = (&recorded[..start], &recorded[end..]);
                let stands_for = answered.strip_prefix(before);
                // Elsewhere the project's number differs, too.
                if let Some(stands_for) = stands_for.and_then(|rest| rest.strip_suffix(after)) {
                    let placeholder = recorded[start..end].to_owned();
                    self.0.insert(placeholder, stands_for.to_owned());
                }
            }
            _ => {}
        }
    }

    /// A text as it is to be sent.
    fn filled(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (placeholder, stands_for) in &self.0 {
            text = text.replace(placeholder, stands_for);
        }
        text
    }
}

fn is_running(answer: &Value) -> bool {
    is_operation(answer) && !is_over(answer)
}

/// The fields of a recorded answer that another one has not.
fn missing(recorded: &Value, answered: &Value) -> Vec<String> {
    let fields = recorded.as_object().into_iter().flatten();
    let missing = fields.filter(|(key, _)| answered.get(key.as_str()).is_none());
    missing.map(|(key, _)| key.clone()).collect()
}

/// Sends what was recorded to a new emulator; what it answers with another status, or without a recorded field.
async fn replay(recording: &Value) -> Vec<String> {
    let cloud = Cloud::start().await;
    let mut bindings = Bindings::default();
    let mut cluster = None;
    let mut different = Vec::new();
    for (n, exchange) in exchanges(recording).iter().enumerate() {
        let text = |key: &str| exchange[key].as_str().unwrap();
        let Some(expected) = exchange["status"].as_u64().filter(|status| *status != 101) else {
            continue;
        };
        let url = bindings.filled(text("url"));
        let body = exchange
            .get("body")
            .map(|body| bindings.filled(&body.to_string()));
        let body: Value = body.map_or(Value::Null, |body| serde_json::from_str(&body).unwrap());
        let (method, recorded) = (text("method"), &exchange["response"]);
        let mut answer = (0, Value::Null);
        for _ in 0..PATIENCE {
            answer = match url.strip_prefix(CLUSTER) {
                Some(path) => {
                    let cluster: &ClusterClient = cluster.as_ref().unwrap();
                    let is_apply =
                        path.contains("fieldManager=") && body.get("apiVersion").is_some();
                    let patch = if is_apply { APPLY_PATCH } else { MERGE_PATCH };
                    cluster.send(method, path, patch, &body).await
                }
                None => {
                    let path = url.replacen("https://", "/", 1);
                    cloud
                        .call(method, &path, Some(body.clone()).filter(|b| !b.is_null()))
                        .await
                }
            };
            // Whatever was refused or only read can be asked again.
            let again = answer.0 >= 400 || method == "GET";
            let is_done = is_running(recorded) || !is_running(&answer.1);
            // What Google's own controllers write comes later than the answer to a request.
            let is_whole = url.starts_with(CLUSTER)
                || answer.0 >= 400
                || missing(recorded, &answer.1).is_empty();
            if !again || (u64::from(answer.0) == expected && is_done && is_whole) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let (status, answer) = answer;
        if u64::from(status) != expected {
            different.push(format!(
                "#{n} {method} {url}: {status} instead of {expected}: {answer}"
            ));
        }
        // A refusal may be worded otherwise: an API that was just enabled answers some requests with a page.
        if !url.starts_with(CLUSTER) && status < 400 {
            for key in missing(recorded, &answer) {
                different.push(format!("#{n} {method} {url}: no {key}"));
            }
        }
        bindings.learn(recorded, &answer);
        if answer["masterAuth"]["clusterCaCertificate"].is_string() {
            cluster = Some(ClusterClient::of(&answer));
        }
    }
    different
}

#[tokio::test]
async fn a_recorded_run_has_no_identity_and_replays() {
    let user = User::new();
    let up = record(&user, &["up", "--emulate", "--yes"], "up.json");
    // Commands in pods and logs that are followed pass through the recording as they are.
    let verify = record(&user, &["verify", "--emulate"], "verify.json");
    let down = record(&user, &["down", "--emulate", "--yes"], "down.json");
    let text = [&up, &verify, &down].map(Value::to_string).concat();
    for identity in [PROJECT, "BEGIN CERTIFICATE", "Bearer "] {
        assert!(!text.contains(identity), "{identity} is in the recording");
    }
    let urls: Vec<&str> = exchanges(&up)
        .iter()
        .map(|one| one["url"].as_str().unwrap())
        .collect();
    for part in [
        "https://compute.googleapis.com/compute/v1/projects/demo-proj/",
        CLUSTER,
    ] {
        assert!(urls.iter().any(|url| url.starts_with(part)), "no {part}");
    }
    let different = replay(&up).await;
    assert!(
        different.is_empty(),
        "{} of {}:\n{}",
        different.len(),
        urls.len(),
        different.join("\n")
    );
}

/// A server that answers each request with what was recorded of it: in turn, and the last answer again when all were given.
async fn serve(recording: &Value) -> String {
    let answers = Arc::new(Mutex::new(BTreeMap::<String, Vec<(u16, Value)>>::new()));
    for exchange in exchanges(recording).iter().rev() {
        let url = exchange["url"]
            .as_str()
            .unwrap()
            .replacen("https://", "/", 1);
        let key = format!("{} {url}", exchange["method"].as_str().unwrap());
        let status = u16::try_from(exchange["status"].as_u64().unwrap()).unwrap();
        let answer = (status, exchange["response"].clone());
        answers.lock().unwrap().entry(key).or_default().push(answer);
    }
    let app = axum::Router::new().fallback(move |method: Method, uri: Uri| {
        let key = format!("{method} {}", uri.path_and_query().unwrap());
        let mut answers = answers.lock().unwrap();
        let (status, answer) = match answers.get_mut(&key) {
            Some(list) if list.len() > 1 => list.pop().unwrap(),
            Some(list) => list[0].clone(),
            None => (
                404,
                json!({"error": {"code": 404, "message": format!("not recorded: {key}")}}),
            ),
        };
        let status = StatusCode::from_u16(status).unwrap();
        let json = [("content-type", "application/json")];
        async move { (status, json, answer.to_string()) }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_says_to_a_recording_what_it_said_to_the_services() {
    let recorder = User::new();
    // A cluster needs credentials, which nobody has here.
    let plan = ["plan", "--through", "firewall", "--output", "json"];
    let args = [&plan[..], &["--emulate"]].concat();
    let path = recorder.home().join("plan.json");
    let place = ["--project", RECORDED_PROJECT, "--zone", "us-central1-a"];
    let record = ["--record", path.to_str().unwrap()];
    let said = recorder.run(&[&args[..], &place, &record].concat()).ends(3);
    let base = serve(&read(&path)).await;
    let mut reader = User::new();
    for (api, host) in [
        ("COMPUTE", "compute"),
        ("DNS", "dns"),
        ("IAM", "iam"),
        ("CLOUDRESOURCEMANAGER", "cloudresourcemanager"),
        ("CONTAINER", "container"),
        ("SERVICEUSAGE", "serviceusage"),
        ("GKEHUB", "gkehub"),
        ("STORAGE", "storage"),
        ("CLOUDBILLING", "cloudbilling"),
    ] {
        let name = format!("CLOUDSDK_API_ENDPOINT_OVERRIDES_{api}");
        reader = reader.with(&name, format!("{base}/{host}.googleapis.com/"));
    }
    let again = reader.run(&[&plan[..], &place].concat()).ends(3);
    let changes = |text: &str| -> Vec<Value> {
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut looked: Vec<Value> = lines
            .filter(|line| line["event"] == "looked")
            .map(|line| json!([line["step"], line["change"]]))
            .collect();
        looked.sort_by_key(Value::to_string);
        looked
    };
    assert_eq!(changes(&said.out), changes(&again.out));
    assert!(changes(&said.out).len() > 10, "{}", said.out);
}

#[test]
fn a_recording_is_a_new_file_of_a_verb_that_sends_requests() {
    let user = User::new();
    let there = user.home().join("there.json");
    std::fs::write(&there, "theirs").unwrap();
    let place = ["--emulate", "--project", PROJECT, "--zone", "us-central1-a"];
    let run = |verb: &str, file: &str| user.run(&[&[verb, "--record", file][..], &place].concat());
    let refused = run("plan", there.to_str().unwrap()).ends(2);
    assert!(
        refused.err.contains("there.json: File exists"),
        "{}",
        refused.err
    );
    assert_eq!(std::fs::read_to_string(&there).unwrap(), "theirs");
    let refused = run("steps", "new.json").ends(2);
    assert!(
        refused
            .err
            .contains("--record has no effect on `provision steps`"),
        "{}",
        refused.err
    );
    run("plan", "new.json").ends(3);
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(user.home().join("new.json"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_full_disk_ends_the_recording_and_not_the_run() {
    let user = User::new();
    let place = ["--emulate", "--project", PROJECT, "--zone", "us-central1-a"];
    let args = [&["plan", "--record", "short.json"][..], &place].concat();
    let said = user.run_with_blocks(16, &args).ends(3);
    let told = said
        .err
        .matches("the recording ends here, and the run goes on: ");
    assert_eq!(told.count(), 1, "{}", said.err);
    let recording = read(&user.home().join("short.json"));
    assert!(!exchanges(&recording).is_empty(), "{recording}");
}
