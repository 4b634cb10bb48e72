//! The Kubernetes objects of `steps/`, chapter by chapter, against what the tutorial prints
//! (`fixtures/tutorial-objects.yaml`) and what istioctl makes; and the order in which they come.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use provision::steps::{Source, Step, Tutorial, refs};
use serde_json::{Value, json};

mod order;
mod validators;

const PRINTED: &str = include_str!("../../../fixtures/tutorial-objects.yaml");
const GATEWAY: &str = include_str!("../../../fixtures/istioctl-egress-gateway.json");

/// Objects by API group, kind, namespace and name, as a cluster tells them apart.
type Objects = BTreeMap<String, Value>;

/// Where ours differs from the tutorial on purpose: chapter, object, field, the tutorial's value, ours.
///
/// The three versions are one reason: the tutorial changes these objects under v1alpha3 that it made under v1beta1. To
/// the cluster that is the same object; to whoever compares or deletes it, it should not look like another. The label is the one
/// that istiod's pods have in Google's build and in the open-source one, whose `istio` is `pilot`. The image is a fixed version
/// under its present name.
const DIFFERENCES: &[(&str, &str, &str, &str, &str)] = &[
    (
        "test-application",
        "apps Deployment team-x/test",
        "/spec/template/spec/containers/0/image",
        "gcr.io/google.com/cloudsdktool/cloud-sdk:slim",
        "us-docker.pkg.dev/google.com/cloudsdktool/gcr.io/google-cloud-cli:587.0.0-slim",
    ),
    (
        "second-namespace",
        "apps Deployment team-y/test",
        "/spec/template/spec/containers/0/image",
        "gcr.io/google.com/cloudsdktool/cloud-sdk:slim",
        "us-docker.pkg.dev/google.com/cloudsdktool/gcr.io/google-cloud-cli:587.0.0-slim",
    ),
    (
        "tls-origination",
        "networking.istio.io VirtualService istio-egress/example-com-through-egress-gateway",
        "/apiVersion",
        "networking.istio.io/v1alpha3",
        "networking.istio.io/v1beta1",
    ),
    (
        "tls-passthrough",
        "networking.istio.io DestinationRule istio-egress/target-egress-gateway",
        "/apiVersion",
        "networking.istio.io/v1alpha3",
        "networking.istio.io/v1beta1",
    ),
    (
        "tls-passthrough",
        "networking.istio.io VirtualService istio-egress/example-com-through-egress-gateway",
        "/apiVersion",
        "networking.istio.io/v1alpha3",
        "networking.istio.io/v1beta1",
    ),
    (
        "network-policy",
        "networking.k8s.io NetworkPolicy team-x/allow-egress-to-control-plane",
        "/spec/egress/0/to/0/podSelector/matchLabels",
        r#"{"istio":"istiod"}"#,
        r#"{"app":"istiod"}"#,
    ),
];

/// A value of [`DIFFERENCES`]: JSON, or a text.
fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

/// What the tutorial has its reader make without printing it: with istioctl, and by Google's instructions for logs.
fn is_printed(key: &str) -> bool {
    !key.contains("istio-egress/istio-egressgateway") && !key.starts_with("telemetry.istio.io ")
}

fn key(object: &Value) -> String {
    let text = |at: &str| object.pointer(at).and_then(Value::as_str).unwrap_or("");
    let group = text("/apiVersion").split_once('/').map_or("", |(g, _)| g);
    format!(
        "{group} {} {}/{}",
        text("/kind"),
        text("/metadata/namespace"),
        text("/metadata/name")
    )
}

fn tutorial() -> Tutorial {
    Tutorial::load(&Source::Embedded).unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
}

/// The steps through a chapter.
fn steps(tutorial: &Tutorial, control_plane: &str, through: &str) -> Vec<Step> {
    let given = [
        ("project", "demo-proj"),
        ("region", "us-central1"),
        ("zone", "us-central1-a"),
        ("authorized_networks", "203.0.113.99/32"),
        ("control_plane", control_plane),
    ];
    let given = given.map(|(name, value)| (name.to_owned(), json!(value)));
    let params = tutorial.resolve(&given.into()).unwrap();
    let selection = tutorial.select(&params, Some(through));
    selection
        .unwrap_or_else(|diagnostics| panic!("{through}: {diagnostics}"))
        .steps
}

/// The objects that steps want, with the one reference that they have filled.
fn objects(steps: &[Step]) -> Objects {
    let known = |reference: &refs::Ref| {
        let account = steps.iter().find(|step| step.id == reference.step)?;
        assert_eq!(reference.field, "email");
        let name = account.at["account"].as_str()?;
        Some(json!(format!("{name}@demo-proj.iam.gserviceaccount.com")))
    };
    let made = steps.iter().filter(|step| step.kind == "kubernetes.object");
    made.map(|step| {
        let object = refs::fill(&step.want, &known).unwrap();
        (key(&object), object)
    })
    .collect()
}

/// What the tutorial prints in a chapter, in its order.
fn printed(chapter: &str) -> Vec<(String, Value)> {
    let all: Vec<Value> = serde_saphyr::from_multiple(PRINTED).unwrap();
    let of_chapter = all.into_iter().filter(|entry| entry["chapter"] == chapter);
    of_chapter
        .map(|entry| {
            let text = entry["object"]
                .to_string()
                .replace("${PROJECT_ID}", "demo-proj");
            let mut object: Value = serde_json::from_str(&text).unwrap();
            // `kubectl -n team-x create -f`: the namespace stands in the command.
            let words: Vec<&str> = entry["by"].as_str().unwrap().split(' ').collect();
            if words[1] == "-n" {
                object["metadata"]["namespace"] = json!(words[2]);
            }
            (key(&object), object)
        })
        .collect()
}

#[test]
fn every_chapter_leaves_what_the_tutorial_prints() {
    let tutorial = tutorial();
    let mut used = BTreeSet::new();
    for control_plane in ["managed", "in-cluster"] {
        let mut expected = Objects::new();
        let mut seen = 0;
        for chapter in &tutorial.chapters {
            for (key, mut object) in printed(&chapter.name) {
                seen += 1;
                for (n, (of, which, field, theirs, ours)) in DIFFERENCES.iter().enumerate() {
                    if *of == chapter.name && *which == key {
                        assert_eq!(object.pointer(field), Some(&value(theirs)), "{key}");
                        *object.pointer_mut(field).unwrap() = value(ours);
                        used.insert(n);
                    }
                }
                expected.insert(key, object);
            }
            let mut found = objects(&steps(&tutorial, control_plane, &chapter.name));
            found.retain(|key, _| is_printed(key));
            assert_eq!(
                found.keys().collect::<Vec<_>>(),
                expected.keys().collect::<Vec<_>>(),
                "{}",
                chapter.name
            );
            for (key, object) in &expected {
                assert_eq!(&found[key], object, "{}: {key}", chapter.name);
            }
        }
        // An entry under a chapter that does not exist would never be compared.
        assert_eq!(seen, PRINTED.matches("\nobject:").count());
    }
    assert_eq!(used.len(), DIFFERENCES.len(), "a difference that is none");
}

#[test]
fn the_gateway_is_what_istioctl_makes() {
    let expected: Vec<Value> = serde_json::from_str(GATEWAY).unwrap();
    let tutorial = tutorial();
    let found = objects(&steps(&tutorial, "managed", "egress-gateway"));
    for object in &expected {
        assert_eq!(found.get(&key(object)), Some(object), "{}", key(object));
    }
    // And the namespace.
    assert_eq!(found.len(), expected.len() + 1);

    // As the tutorial shows it: [map[matchExpressions:[map[key:cloud.google.com/gke-nodepool operator:In
    // values:[gateway]]]]] and map[key:dedicated operator:Equal value:gateway].
    let pod =
        &found["apps Deployment istio-egress/istio-egressgateway"]["spec"]["template"]["spec"];
    let on = &pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let pool =
        json!({"key": "cloud.google.com/gke-nodepool", "operator": "In", "values": ["gateway"]});
    assert_eq!(
        on["nodeSelectorTerms"],
        json!([{"matchExpressions": [pool]}])
    );
    let past = json!([{"key": "dedicated", "operator": "Equal", "value": "gateway"}]);
    assert_eq!(pod["tolerations"], past);
}

#[test]
fn access_logs_of_each_control_plane() {
    let tutorial = tutorial();
    let envoy = json!({"providers": [{"name": "envoy"}]});
    let no_traffic_log = json!({"providers": [{"name": "stackdriver"}], "disabled": true});
    for (control_plane, expected) in [
        ("managed", json!([envoy.clone(), no_traffic_log])),
        ("in-cluster", json!([envoy])),
    ] {
        let found = objects(&steps(&tutorial, control_plane, "access-logs"));
        let logging: Vec<(&String, &Value)> = found
            .iter()
            .filter(|(key, _)| key.starts_with("telemetry.istio.io Telemetry istio-system/"))
            .map(|(key, object)| (key, &object["spec"]["accessLogging"]))
            .collect();
        // A managed control plane heeds only one in the whole cluster.
        assert_eq!(logging.len(), 1, "{logging:?}");
        assert_eq!(logging[0].1, &expected);
    }
}

#[test]
fn every_file_is_some_steps() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("steps");
    let names = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    let mut named = BTreeSet::new();
    for chapter in names(&folder).iter().filter(|name| name.ends_with(".yaml")) {
        let text = fs::read_to_string(folder.join(chapter)).unwrap();
        let from = text
            .lines()
            .filter_map(|line| line.strip_prefix("from: manifests/"));
        named.extend(from.map(str::to_owned));
    }
    let there: BTreeSet<String> = names(&folder.join("manifests")).into_iter().collect();
    assert_eq!(there, named);
}

#[test]
fn every_reader_of_yaml_reads_the_same() {
    // To kubectl, as to YAML 1.1, these are true and false; to us, and to YAML 1.2, they are texts. `team: y` is such a
    // label.
    let words = ["y", "n", "yes", "no", "on", "off"];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("steps/manifests");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        for line in fs::read_to_string(&path).unwrap().lines() {
            let line = line.split(" #").next().unwrap().to_lowercase();
            let mut tokens = line.split([' ', ',', '[', ']', '{', '}']);
            let bare = tokens.any(|token| words.contains(&token.trim_end_matches(':')));
            assert!(
                !bare || line.trim_start().starts_with('#'),
                "{}: {line}",
                path.display()
            );
        }
    }
}
