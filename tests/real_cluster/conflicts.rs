//! Server-side apply as it really is: others' fields, others' objects, and ours that are no longer stated.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::common::program::says_as_wanted;
use crate::lab::{Lab, UP};

/// A lab in which everything of the first chapters stands, and the flags that say so.
const THROUGH: &[&str] = &["--through", "second-namespace"];

fn up(lab: &Lab, more: &[&str]) -> crate::common::program::Said {
    lab.run(&[UP, THROUGH, more].concat())
}

fn plan(lab: &Lab, code: i32) -> String {
    let said = lab.run(&[&["plan", "--output", "json"], THROUGH].concat());
    said.ends(code).out
}

/// What `plan` found of a step.
fn change(plan: &str, step: &str) -> Value {
    let lines = plan
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut of_step = lines.filter(|line| line["event"] == "looked" && line["step"] == step);
    of_step.next().unwrap_or_default()
}

#[track_caller]
fn nothing_to_do(lab: &Lab) {
    let said = lab.run(&[&["plan"], THROUGH].concat()).ends(0);
    assert!(says_as_wanted(&said.out), "{}", said.out);
}

#[test]
fn fields_of_others_are_told_left_and_taken_over_as_asked() {
    let Some(lab) = Lab::up("conflict") else {
        return;
    };
    up(&lab, &[]).ends(0);
    nothing_to_do(&lab);

    // A field of ours that kubectl has changed: told with its owner and both values, refused, taken over where that is asked.
    let autoscaler = [
        "--namespace=istio-egress",
        "patch",
        "hpa",
        "istio-egressgateway",
    ];
    let edit = [
        "--field-manager=kubectl-edit",
        "--type=merge",
        "--patch",
        r#"{"spec": {"maxReplicas": 7}}"#,
    ];
    lab.kubectl(&[&autoscaler[..], &edit].concat()).ends(0);
    let found = change(&plan(&lab, 3), "gateway-autoscaler");
    assert_eq!(found["change"], "conflict", "{found}");
    let field = json!({"path": "spec.maxReplicas", "have": 7, "want": 5, "fixed": false, "owner": "kubectl-edit"});
    assert_eq!(found["fields"], json!([field]));
    let refused = up(&lab, &[]).ends(1);
    for words in [
        "error: gateway-autoscaler: ",
        "spec.maxReplicas is 7, wanted 5 (owned by kubectl-edit)",
        "--force-conflicts",
        "left: istio-egressgateway is unchanged",
    ] {
        assert!(
            refused.err.contains(words),
            "no `{words}`:\n{}",
            refused.err
        );
    }
    up(&lab, &["--force-conflicts"]).ends(0);
    let live = lab.get(&["hpa", "--namespace=istio-egress", "istio-egressgateway"]);
    assert_eq!(live.unwrap()["spec"]["maxReplicas"], 5);
    nothing_to_do(&lab);

    // What is stated by nobody else but somebody is no difference, and stays.
    let note = [
        "--namespace=team-x",
        "annotate",
        "service",
        "test",
        "example.com/note=theirs",
    ];
    lab.kubectl(&note).ends(0);
    // The replicas that an autoscaler decides are not ours either.
    let scale = [
        "--namespace=istio-egress",
        "scale",
        "deployment",
        "istio-egressgateway",
        "--replicas=2",
    ];
    lab.kubectl(&scale).ends(0);
    // The second pod is a wait until it is ready.
    let rollout = [
        "--namespace=istio-egress",
        "rollout",
        "status",
        "deployment",
        "istio-egressgateway",
        "--timeout=60s",
    ];
    lab.kubectl(&rollout).ends(0);
    nothing_to_do(&lab);
    let before = lab.journal().len();
    up(&lab, &[]).ends(0);
    let written = lab.journal()[before..].join("\n");
    assert!(!written.contains("\"intent\""), "{written}");
    let service = lab.get(&["service", "--namespace=team-x", "test"]).unwrap();
    assert_eq!(
        service["metadata"]["annotations"]["example.com/note"],
        "theirs"
    );
    let gateway = lab.get(&[
        "deployment",
        "--namespace=istio-egress",
        "istio-egressgateway",
    ]);
    assert_eq!(gateway.unwrap()["spec"]["replicas"], 2);
}

/// Copies the tutorial's steps, with one manifest written anew.
fn steps_with(folder: &Path, manifest: &str, change: impl Fn(String) -> String) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("steps");
    fs::create_dir_all(folder.join("manifests")).unwrap();
    for below in ["", "manifests"] {
        for entry in fs::read_dir(from.join(below)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.file_name().unwrap();
                fs::copy(&path, folder.join(below).join(name)).unwrap();
            }
        }
    }
    let path = folder.join("manifests").join(manifest);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, change(text)).unwrap();
}

#[test]
fn a_field_that_a_step_no_longer_states_goes_and_a_pod_that_is_never_ready_is_told() {
    let Some(lab) = Lab::up("fields") else {
        return;
    };
    let own = lab.user.home().join("steps");
    let probe = "          readinessProbe: {httpGet: {path: /status/503, port: 80}}\n";
    steps_with(&own, "test-deployment.yaml", |text| text + probe);
    let own = own.to_str().unwrap();
    let through = ["--through", "test-application"];
    let mut run = lab.begin(&[UP, &through, &["--steps", own]].concat());
    run.says("waiting: test: pod test-");
    run.says("ContainersNotReady: containers with unready status: [test]");
    run.says("Readiness probe failed: HTTP probe failed with statuscode: ");
    // What is waited for does not come: whoever reads that stops.
    run.stop();
    // The tutorial's own step states no probe: an apply takes ours away. Its folder is used again once ours is forgotten.
    lab.run(&["config", "--unset", "steps"]).ends(0);
    lab.run(&[UP, &through].concat()).ends(0);
    let live = lab
        .get(&["deployment", "--namespace=team-x", "test"])
        .unwrap();
    let container = &live["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["readinessProbe"], Value::Null, "{container}");
    let plan = lab.run(&[&["plan"], &through[..]].concat()).ends(0);
    assert!(says_as_wanted(&plan.out), "{}", plan.out);
}

#[test]
fn what_somebody_else_made_anew_is_theirs() {
    let Some(lab) = Lab::bare("anew", &[]) else {
        return;
    };
    let kubeconfig = lab.kubeconfig();
    let own = ["--emulate", "--kubeconfig", &kubeconfig];
    let up = [&["up", "--yes", "--through", "test-application"], &own[..]].concat();
    lab.run(&up).ends(0);
    // One of a namespace that stays, deleted and made anew, equal in all that the step states.
    let theirs = ["peerauthentication", "--namespace=istio-system", "default"];
    let mut live = lab.get(&theirs).unwrap();
    let of_step = lab.status("strict-mtls");
    assert_eq!(
        (&of_step["ours"], &of_step["live"]),
        (&json!(true), &json!("as wanted"))
    );
    lab.kubectl(&[&["delete"], &theirs[..]].concat()).ends(0);
    live["metadata"] = json!({"name": "default", "namespace": "istio-system"});
    let made = lab.create(&live);
    assert!(made.out.contains("created"), "{}{}", made.out, made.err);
    let of_step = lab.status("strict-mtls");
    assert_eq!(
        (&of_step["ours"], &of_step["live"]),
        (&json!(false), &json!("as wanted"))
    );
    lab.run(&up).ends(0);
    // The same, but for a field: in the way, as any stranger's.
    let permissive = [
        "--type=merge",
        "--patch",
        r#"{"spec": {"mtls": {"mode": "PERMISSIVE"}}}"#,
    ];
    lab.kubectl(&[&["patch"], &theirs[..], &permissive].concat())
        .ends(0);
    let refused = lab.run(&up).ends(1);
    assert!(
        refused.err.contains("error: strict-mtls: ")
            && refused.err.contains("was not created by provision"),
        "{}",
        refused.err
    );
    let down = lab.run(&["down", "--yes", "--emulate"]).ends(0);
    let words = "was deleted and recreated by someone else: it is kept";
    assert!(
        down.err.contains(words) || down.out.contains(words),
        "{}{}",
        down.out,
        down.err
    );
    assert_eq!(
        lab.get(&theirs).unwrap()["spec"]["mtls"]["mode"],
        "PERMISSIVE"
    );
    assert!(lab.get(&["namespace", "team-x"]).is_none());
}
