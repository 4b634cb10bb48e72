//! Nonsense from outside: journals, steps and requests that nobody wrote, made of real ones by breaking them.
//!
//! A short run each, whose counts are printed; `PROPTEST_CASES=100000 cargo test --test slow nonsense::` is a long one, and
//! `PROPTEST_RNG_SEED=N` makes the same inputs again. What the client makes of nonsense from Google is tried in
//! `src/google/nonsense_tests.rs`, kubeconfigs in `src/command/kubefile_tests.rs`, objects in `tests/integration/evaluator/laws.rs`.

use std::cell::Cell;
use std::fs;
use std::io::Write;
use std::path::Path;

use crate::common::breaks::breaks;
use crate::common::emulator::Cloud;
use crate::common::kubernetes::EmulatedCluster;
use crate::common::program::{User, below};
use egress::{log, request::Request};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;
use provision::engine::journal::{Journal, JournalError};
use provision::steps::{Source, Tutorial, refs};
use serde_json::{Value, json};

/// A run of this many cases, unless the environment asks for more.
fn short(cases: u32) -> ProptestConfig {
    let config = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(cases),
    };
    // A case is told whole when it fails; there is no file of old ones to keep.
    ProptestConfig {
        failure_persistence: None,
        ..config
    }
}

/// How many inputs were taken and how many refused: nonsense that is all refused at the door tries nothing.
#[derive(Default)]
struct Told {
    taken: Cell<u32>,
    refused: Cell<u32>,
}

impl Told {
    fn hear(&self, taken: bool) {
        let count = if taken { &self.taken } else { &self.refused };
        count.set(count.get() + 1);
    }

    /// Takes in an answer; there has to be one, and none that says that the server itself failed.
    fn answer(&self, asked: &str, answer: reqwest::Result<u16>) -> Result<(), TestCaseError> {
        let status = answer.map_err(|error| TestCaseError::fail(format!("{asked}: {error:?}")))?;
        prop_assert_ne!(status, 500, "{}", asked);
        self.hear(status < 300);
        Ok(())
    }

    /// Says the counts past the capture of the test's output.
    fn say(self, what: &str) {
        let (taken, refused) = (self.taken.get(), self.refused.get());
        let all = taken + refused;
        let told = format!("nonsense: {all} {what}: {refused} refused, {taken} taken");
        let _ = writeln!(std::io::stderr(), "{told}");
        assert!(taken > 0 && refused > 0, "{told}");
    }
}

/// What is not torn of a text: its whole lines.
fn whole(bytes: &[u8]) -> &[u8] {
    let end = bytes
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1);
    &bytes[..end]
}

/// Nothing is believed but what was written, in its order and from its beginning: a crash loses the end of a journal, and
/// nothing loses its middle.
#[test]
fn a_broken_journal_is_refused_or_has_only_lost_its_end() {
    let user = User::new();
    for verb in ["up", "down", "up"] {
        user.run(
            &[verb, "--emulate", "--yes", "--through", "nat"][..if verb == "up" { 5 } else { 3 }],
        )
        .ends(0);
    }
    let path = user
        .home()
        .join(".local/state/provision/egress-demo/journal.jsonl");
    let real = fs::read(&path).unwrap();
    assert!(real.split(|b| *b == b'\n').count() > 20);
    let told = Told::default();
    let mut runner = TestRunner::new(short(512));
    runner
        .run(&proptest::collection::vec(breaks(), 1..3), |breaks| {
            let broken = breaks
                .iter()
                .fold(real.clone(), |bytes, one| one.apply(bytes));
            fs::write(&path, &broken).unwrap();
            let read = Journal::read(&path);
            let believed = read.is_ok();
            told.hear(believed);
            match read {
                Ok(_) => prop_assert!(real.starts_with(whole(&broken)), "believed: {breaks:?}"),
                Err(JournalError::Damaged { .. }) => {}
                Err(other) => prop_assert!(false, "{other}"),
            }
            // Opening to write says the same, and does not touch what cannot be believed.
            let opened = Journal::open(&path).is_ok();
            prop_assert_eq!(opened, believed, "opened to write: {:?}", breaks);
            if !opened {
                prop_assert_eq!(fs::read(&path).unwrap(), broken);
            }
            Ok(())
        })
        .unwrap();
    told.say("broken journals");
}

proptest! {
    #![proptest_config(short(256))]

    #[test]
    fn any_bytes_are_a_journal_or_damage(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        fs::write(&path, &bytes).unwrap();
        let read = Journal::read(&path);
        prop_assert_eq!(read.is_ok(), whole(&bytes).is_empty());
    }

    #[test]
    fn any_text_has_references_or_none(text in "(\\$\\{|\\$\\$\\{|\\}|[a-z.$-]|\\PC){0,30}") {
        let value = json!({"a": [text], text.clone(): 1});
        let found = refs::find(&value);
        let known = |_: &refs::Ref| Some(json!("x"));
        prop_assert!(refs::fill(&value, &known).is_ok());
        let missing = refs::fill(&value, &|_| None).err().map_or(0, |missing| missing.len());
        prop_assert_eq!(missing > 0, !found.is_empty(), "{:?}", found);
    }

    #[test]
    fn any_address_and_any_line_of_a_log_are_read(url in "(https?://|[a-z]{0,3}:?)\\PC{0,30}", line in "(\\[|\\]|\"|-| |[0-9a-z.:/]|\\PC){0,80}") {
        if let Ok(request) = Request::get("team-x", &url) {
            let _ = (request.url(), request.authority());
        }
        let _ = log::read(&line);
    }
}

#[test]
fn broken_steps_are_told_or_still_steps() {
    let origin = Path::new(env!("CARGO_MANIFEST_DIR")).join("steps");
    let files: Vec<_> = below(&origin)
        .into_iter()
        .filter(|path| path.is_file())
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let copy = |path: &Path| folder.path().join(path.strip_prefix(&origin).unwrap());
    for file in &files {
        fs::create_dir_all(copy(file).parent().unwrap()).unwrap();
        fs::copy(file, copy(file)).unwrap();
    }
    let strategy = (any::<Index>(), proptest::collection::vec(breaks(), 1..3));
    let given = [
        ("project", "demo-proj"),
        ("region", "us-central1"),
        ("zone", "us-central1-a"),
    ];
    let given = given
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .into();
    let told = Told::default();
    TestRunner::new(short(48))
        .run(&strategy, |(file, breaks)| {
            let file = file.get(&files);
            let real = fs::read(file).unwrap();
            let broken = breaks
                .iter()
                .fold(real.clone(), |bytes, one| one.apply(bytes));
            fs::write(copy(file), broken).unwrap();
            let loaded = Tutorial::load(&Source::Dir(folder.path().to_owned()));
            fs::write(copy(file), real).unwrap();
            match loaded {
                Ok(tutorial) => {
                    told.hear(true);
                    if let Ok(params) = tutorial.resolve(&given) {
                        let _ = tutorial.select(&params, None);
                    }
                }
                Err(diagnostics) => {
                    told.hear(false);
                    prop_assert!(!diagnostics.to_string().is_empty());
                }
            }
            Ok(())
        })
        .unwrap();
    told.say("broken folders of steps");
}

/// Any JSON.
fn nonsense() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,6}|projects/[a-z/]{0,9}|10\\.0\\.0\\.0/[0-9]{1,2}|é{1,3}|\\$\\{x\\}"
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::vec(("name|metadata|spec|[a-z]{0,4}", inner), 0..3)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// How a real request is broken: a segment of its path, a part of its body, its method, its query.
#[derive(Debug, Clone)]
struct Bent {
    row: Index,
    method: Option<&'static str>,
    segment: Option<(Index, String)>,
    hole: Option<(Index, Value)>,
    query: String,
    bytes: Option<Vec<u8>>,
}

fn bent(query: &'static str) -> impl Strategy<Value = Bent> {
    let methods = prop::sample::select(vec!["GET", "GET", "GET", "POST", "PUT", "PATCH", "DELETE"]);
    (
        any::<Index>(),
        prop::option::weighted(0.3, methods),
        prop::option::weighted(
            0.3,
            (
                any::<Index>(),
                "[a-z0-9]{0,4}|%[0-9a-f]{2}|%c3%a9|:[a-z]{0,3}|\\*|-|\\.{1,2}x",
            ),
        ),
        prop::option::weighted(0.5, (any::<Index>(), nonsense())),
        prop::option::weighted(0.3, query).prop_map(Option::unwrap_or_default),
        prop::option::weighted(0.1, proptest::collection::vec(any::<u8>(), 0..60)),
    )
        .prop_map(|(row, method, segment, hole, query, bytes)| Bent {
            row,
            method,
            segment,
            hole,
            query,
            bytes,
        })
}

impl Bent {
    /// Method, path with query, and body, of the real request `(method, path, body)`.
    fn apply(&self, (method, path, body): &(String, String, Value)) -> (String, String, Vec<u8>) {
        let mut segments: Vec<&str> = path.split('/').collect();
        if let Some((at, with)) = &self.segment {
            // The first is empty, the second says which API.
            let at = 2 + at.index(segments.len() - 2);
            segments[at] = with;
        }
        let mut body = body.clone();
        if let Some((at, with)) = &self.hole {
            let mut places = Vec::new();
            walk(&body, String::new(), &mut places);
            if let Some(place) = body.pointer_mut(&places[at.index(places.len())]) {
                *place = with.clone();
            }
        }
        let separator = match self.query.as_str() {
            "" => "",
            _ if path.contains('?') => "&",
            _ => "?",
        };
        (
            self.method.unwrap_or(method).to_owned(),
            format!("{}{separator}{}", segments.join("/"), self.query),
            match (&self.bytes, &body) {
                (Some(bytes), _) => bytes.clone(),
                (None, Value::Null) => Vec::new(),
                (None, body) => body.to_string().into_bytes(),
            },
        )
    }
}

/// Sends it and reads the answer to its end.
async fn answered(request: reqwest::RequestBuilder) -> reqwest::Result<u16> {
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    answer.bytes().await.map(|_| status)
}

/// The places of a value, itself included.
fn walk(value: &Value, at: String, all: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (key.replace('~', "~0").replace('/', "~1"), value))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, value)| (index.to_string(), value))
            .collect(),
        _ => Vec::new(),
    };
    for (key, value) in children {
        walk(value, format!("{at}/{key}"), all);
    }
    all.push(at);
}

const QUERY: &str = "|pageToken=[a-z0-9]{0,4}|maxResults=-?[0-9]{1,3}|filter=[a-z()=:\" ]{0,12}|requestId=[0-9a-f-]{0,9}|\
    updateMask=[a-z.,]{0,9}|fields=[a-z(),/*]{0,9}|alt=[a-z]{0,5}|prefix=%c3%a9&delimiter=%a9|%ff=%zz|returnPartialSuccess=x";

#[test]
fn any_request_to_the_emulator_is_answered() {
    let requests: Vec<(String, String, Value)> =
        include_str!("../../fixtures/gcloud/tutorial.jsonl")
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .flat_map(|row| {
                let text = |key: &str| row[key].as_str().unwrap().to_owned();
                let path = format!("/{}{}", text("host"), text("path"));
                // What is made is looked at, too.
                let bare = path.split('?').next().unwrap_or_default().to_owned();
                [
                    (text("method"), path, row["body"].clone()),
                    ("GET".to_owned(), bare, Value::Null),
                ]
            })
            .collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // With all of the tutorial in it, so that what is broken finds something to break.
    let cloud = runtime.block_on(async {
        let cloud = Cloud::with_vpc().await;
        for (method, path, body) in &requests {
            let mut request = cloud.raw(method, path);
            if !body.is_null() {
                request = request.json(body);
            }
            request.send().await.unwrap();
        }
        cloud
    });
    let told = Told::default();
    TestRunner::new(short(400))
        .run(&bent(QUERY), |bent| {
            let (method, path, body) = bent.apply(bent.row.get(&requests));
            let request = cloud
                .raw(&method, &path)
                .header("content-type", "application/json")
                .body(body);
            told.answer(
                &format!("{method} {path}"),
                runtime.block_on(answered(request)),
            )
        })
        .unwrap();
    told.say("broken requests to the emulated Google");
}

const KUBERNETES_QUERY: &str = "|labelSelector=[a-z!=,() ]{0,9}|fieldSelector=[a-z.!=,]{0,9}|limit=-?[0-9]{0,3}|continue=[a-z]{0,4}|\
    fieldManager=[a-z]{0,3}&force=(true|x)|dryRun=(All|x)|fieldValidation=(Strict|Ignore|x)|command=[a-z]{0,3}&command=%c3|\
    tailLines=-?[0-9]{0,3}|resourceVersion=[a-z0-9]{0,3}|propagationPolicy=[A-Z][a-z]{0,3}|%ff=%zz";

#[test]
fn any_request_to_an_emulated_cluster_is_answered() {
    let printed: Vec<Value> =
        serde_saphyr::from_multiple(include_str!("../../fixtures/tutorial-objects.yaml")).unwrap();
    let mut test = crate::common::kubernetes::deployment("test");
    test["metadata"]["namespace"] = json!("team-x");
    let objects = printed.into_iter().map(|row| row["object"].clone());
    let mut requests: Vec<(String, String, Value)> =
        objects.chain([test]).flat_map(calls).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // With all of the tutorial in it, so that what is broken finds something to break.
    let cluster = runtime.block_on(async {
        let cluster = EmulatedCluster::start().await;
        cluster.mesh().await;
        for (method, path, body) in &requests {
            cluster.send(method, path, "application/json", body).await;
        }
        let pods = "/api/v1/namespaces/team-x/pods";
        let found = cluster
            .until(pods, |list| {
                list["items"]
                    .as_array()
                    .is_some_and(|pods| !pods.is_empty())
            })
            .await;
        let name = found["items"][0]["metadata"]["name"].as_str().unwrap();
        for below in [
            "log",
            "exec?command=echo&command=a&stdout=true",
            "status",
            "log?container=test",
        ] {
            requests.push((
                "GET".to_owned(),
                format!("{pods}/{name}/{below}"),
                Value::Null,
            ));
        }
        cluster
    });
    let types = prop::sample::select(vec![
        "application/json",
        "application/yaml",
        "application/apply-patch+yaml",
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/vnd.kubernetes.protobuf",
        "x",
    ]);
    let accepts = prop::sample::select(vec![
        "application/json",
        "application/json;as=Table;v=v1;g=meta.k8s.io",
        "*/*",
        "x",
    ]);
    let told = Told::default();
    TestRunner::new(short(400))
        .run(
            &(bent(KUBERNETES_QUERY), types, accepts),
            |(bent, content_type, accept)| {
                let (method, path, body) = bent.apply(bent.row.get(&requests));
                let request = cluster
                    .request(&method, &path)
                    .header("content-type", content_type)
                    .header("accept", accept)
                    .body(body);
                told.answer(
                    &format!("{method} {path}"),
                    runtime.block_on(answered(request)),
                )
            },
        )
        .unwrap();
    told.say("broken requests to an emulated cluster");
}

/// The calls about an object: its creation, a change, a list, a look, and what is below it.
fn calls(object: Value) -> Vec<(String, String, Value)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
    let (name, namespace) = (
        text(&object["metadata"]["name"]),
        text(&object["metadata"]["namespace"]),
    );
    let root = if version.contains('/') {
        "/apis"
    } else {
        "/api"
    };
    let plural = match kind.to_lowercase() {
        kind if kind.ends_with('y') && !kind.ends_with("ay") => {
            format!("{}ies", kind.trim_end_matches('y'))
        }
        kind => format!("{kind}s"),
    };
    let within = match namespace.as_str() {
        "" => String::new(),
        namespace => format!("/namespaces/{namespace}"),
    };
    let list = format!("{root}/{version}{within}/{plural}");
    let one = format!("{list}/{name}");
    let steps = json!([{"op": "replace", "path": "/metadata/labels", "value": {"a": "b"}}]);
    vec![
        ("POST".to_owned(), list.clone(), object.clone()),
        ("PATCH".to_owned(), one.clone(), object),
        ("PATCH".to_owned(), one.clone(), steps),
        ("GET".to_owned(), list, Value::Null),
        ("GET".to_owned(), format!("{one}/status"), Value::Null),
        (
            "PUT".to_owned(),
            format!("{one}/scale"),
            json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {"name": name}, "spec": {"replicas": 1}}),
        ),
        ("GET".to_owned(), one, Value::Null),
    ]
}
