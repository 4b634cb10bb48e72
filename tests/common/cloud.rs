//! A cloud in the test's own process, which counts what is asked of it, and a user whose program is pointed at it by the
//! variables that `provision emulator env` prints.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use emulator::{Pace, RequestRecord, Running, Settings, exports, look, start};
use provision::google::{ApiError, Auth, Call, Client, Dialect, Endpoints, NoWatch, Operation};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::program::{Said, User};

/// The project of every test.
pub const PROJECT: &str = "egress-demo";
/// Where its firewall rules are.
pub const FIREWALLS: &str = "projects/egress-demo/global/firewalls";

/// How long somebody else's call may be refused.
const PATIENCE: Duration = Duration::from_secs(20);

/// A cloud and its one user.
pub struct Cloud {
    /// The emulator. It is dropped before the runtime that it runs on.
    pub running: Running,
    client: Client,
    runtime: Runtime,
    /// The user.
    pub user: User,
}

impl Cloud {
    /// A cloud in which nothing is.
    pub fn new() -> Cloud {
        let runtime = Runtime::new().unwrap();
        let running = runtime.block_on(start(settings(None))).unwrap();
        Cloud::of(runtime, running)
    }

    /// A cloud in which nothing is, and a file that holds at any moment what is there.
    pub fn kept_in(file: &Path) -> Cloud {
        let runtime = Runtime::new().unwrap();
        let running = runtime.block_on(start(settings(Some(file)))).unwrap();
        Cloud::of(runtime, running)
    }

    /// Another cloud with all that was in one when its file was as it is; the file stays so.
    pub fn copy_of(file: &Path) -> Cloud {
        let runtime = Runtime::new().unwrap();
        let running = runtime.block_on(look(settings(Some(file)))).unwrap();
        Cloud::of(runtime, running)
    }

    fn of(runtime: Runtime, running: Running) -> Cloud {
        let endpoints = Endpoints::emulator(&format!("http://{}", running.addr()));
        let client = Client::new(endpoints, Auth::none()).unwrap();
        let user = pointed_at(User::new(), running.addr());
        Cloud {
            running,
            client,
            runtime,
            user,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.running.addr()
    }

    /// Runs the program against it.
    pub fn run(&self, args: &[&str]) -> Said {
        self.user.run(args)
    }

    /// Runs the program, and counts the requests that it sent to change something.
    pub fn changes(&self, args: &[&str]) -> (Said, Vec<RequestRecord>) {
        let before = self.running.seen().len();
        let said = self.run(args);
        let sent = self
            .running
            .seen()
            .into_iter()
            .skip(before)
            .filter(changes)
            .collect();
        (said, sent)
    }

    /// Somebody else's call, to its end: where compute answers with an operation, that is waited for. What is refused is
    /// asked again, because an API or an account that was just made is not seen everywhere at once.
    pub fn call(&self, call: Call) -> Value {
        let answer = self.until_taken(|| self.client.send(&call, &NoWatch));
        if answer["kind"] == "compute#operation"
            && let Some(operation) = Operation::of(Dialect::Compute, &call, &answer).unwrap()
        {
            self.until_taken(|| operation.wait(&self.client, PATIENCE, &NoWatch));
        }
        answer
    }

    /// Somebody else's call, once; whether it was taken.
    pub fn try_call(&self, call: Call) -> bool {
        self.runtime
            .block_on(self.client.send(&call, &NoWatch))
            .is_ok()
    }

    fn until_taken<F: Future<Output = Result<Value, ApiError>>>(
        &self,
        ask: impl Fn() -> F,
    ) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.runtime.block_on(ask()) {
                Ok(answer) => return answer,
                Err(error) => assert!(Instant::now() < until, "still refused: {error}"),
            }
        }
    }

    /// The requests that it has answered, oldest first.
    pub fn seen(&self) -> Vec<RequestRecord> {
        self.running.seen()
    }

    /// Everything that is there, by name, without what is different each time it is made: ids, times, etags.
    pub fn inventory(&self) -> BTreeMap<String, Value> {
        self.running
            .inventory()
            .into_iter()
            .map(|(name, value)| (unhashed(&name), masked(value)))
            .collect()
    }

    /// Every object in a cluster that somebody applied, by cluster, kind and name, without what is different each time.
    pub fn objects(&self) -> BTreeMap<String, Value> {
        let objects = self.running.objects().into_iter().filter(is_applied);
        objects
            .map(|(name, object)| (name, masked_object(object)))
            .collect()
    }

    /// The resource version of each of them.
    pub fn versions(&self) -> BTreeMap<String, Value> {
        let objects = self.running.objects().into_iter().filter(is_applied);
        objects
            .map(|(name, object)| (name, object["metadata"]["resourceVersion"].clone()))
            .collect()
    }

    /// Everything under Google's name of an API (`compute`) whose name holds these words.
    pub fn there(&self, api: &str, words: &str) -> Vec<String> {
        let names = self.inventory().into_keys();
        names
            .filter(|name| name.starts_with(&format!("//{api}.")) && name.contains(words))
            .collect()
    }
}

fn settings(state: Option<&Path>) -> Settings {
    Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        state: state.map(Path::to_owned),
        identity: None,
        pace: Pace::Zero,
    }
}

/// What one inventory has and the other has not, or has otherwise: names, with the fields that differ.
pub fn between(one: &BTreeMap<String, Value>, other: &BTreeMap<String, Value>) -> Vec<String> {
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let differs = names
        .into_iter()
        .filter(|name| one.get(*name) != other.get(*name));
    differs
        .map(|name| {
            let fields = |all: &BTreeMap<String, Value>| {
                all.get(name)
                    .and_then(Value::as_object)
                    .cloned()
                    .unwrap_or_default()
            };
            let (here, there) = (fields(one), fields(other));
            let keys: BTreeSet<&String> = here.keys().chain(there.keys()).collect();
            let differing = keys
                .into_iter()
                .filter(|key| here.get(*key) != there.get(*key))
                .cloned();
            format!("{name}: {}", differing.collect::<Vec<_>>().join(", "))
        })
        .collect()
}

/// Whether an object came by server-side apply, and not from a controller. One of which nothing but the name was stated has no
/// manager: a cluster forgets those that own no field.
fn is_applied((_, object): &(String, Value)) -> bool {
    let managers = object["metadata"]["managedFields"].as_array();
    managers.is_none_or(|managers| managers.iter().any(|entry| entry["operation"] == "Apply"))
}

/// An object without its uid, versions, times, addresses, status, and when it was restarted.
fn masked_object(mut object: Value) -> Value {
    let told = [
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "generation",
        "managedFields",
    ];
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|name, _| !told.contains(&name.as_str()));
    }
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    // Addresses are given out in the order in which objects come.
    if let Some(spec) = object["spec"].as_object_mut() {
        spec.retain(|name, _| !name.starts_with("clusterIP"));
    }
    if let Some(annotations) = object.pointer_mut("/spec/template/metadata/annotations") {
        annotations
            .as_object_mut()
            .unwrap()
            .retain(|name, _| !name.contains("restarted"));
    }
    object
}

/// The variables that point a program at a cloud.
pub fn variables(address: SocketAddr) -> Vec<(String, String)> {
    let exports = exports(address);
    let pairs = exports.lines().map(|line| {
        let (name, value) = line
            .strip_prefix("export ")
            .unwrap()
            .split_once('=')
            .unwrap();
        (name.to_owned(), value.trim_matches('\'').to_owned())
    });
    pairs.collect()
}

/// A user whose program is pointed at a cloud.
pub fn pointed_at(mut user: User, address: SocketAddr) -> User {
    for (name, value) in variables(address) {
        user = user.with(&name, value);
    }
    user.with("CLOUDSDK_CORE_PROJECT", PROJECT)
        .with("CLOUDSDK_COMPUTE_ZONE", "us-central1-a")
}

/// Whether a request is meant to change something: not one that reads, and not one that only waits.
fn changes(seen: &RequestRecord) -> bool {
    is_change(&seen.method, &seen.path)
}

/// The same of a method and a path.
pub fn is_change(method: &str, path: &str) -> bool {
    let reads = ["getIamPolicy", "testIamPermissions", "/wait"]
        .iter()
        .any(|end| path.ends_with(end));
    method != "GET" && !reads
}

/// Fields that differ from one making to the next.
const MASKED: &[&str] = &[
    // Each cluster has an authority of its own.
    "clusterCaCertificate",
    "creationTimestamp",
    "effectiveTime",
    "etag",
    "externalId",
    "fingerprint",
    "generation",
    "id",
    "lastConnectionTime",
    "mediaLink",
    "oauth2ClientId",
    "timeCreated",
    "timeFinalized",
    "timeStorageClassUpdated",
    "uid",
    "uniqueId",
    "updated",
];

fn masked(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            // The emulator's own notes begin with an underscore; a cluster is reached elsewhere each time.
            let kept = fields.into_iter().filter(|(name, value)| {
                let address = name.to_lowercase().ends_with("endpoint") && value.is_string();
                !(address
                    || name.starts_with('_')
                    || name.ends_with("Time")
                    || MASKED.contains(&name.as_str()))
            });
            Value::Object(kept.map(|(name, value)| (name, masked(value))).collect())
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(masked).collect();
            items.sort_by_key(Value::to_string);
            items.into()
        }
        Value::String(text) => unhashed(&text).into(),
        other => other,
    }
}

/// A name without the hashes that GKE puts into it, which are another cluster's the next time.
pub fn unhashed(name: &str) -> String {
    let parts = name.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    let is_hash = |word: &str| word.len() >= 8 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let shown =
        parts.map(
            |part| match part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()) {
                word if is_hash(word) => format!("HASH{}", &part[word.len()..]),
                _ => part.to_owned(),
            },
        );
    shown.collect()
}
