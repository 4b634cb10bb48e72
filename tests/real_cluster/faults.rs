//! A control plane that goes away under `up`, is slow, or refuses: `up` goes on when it may, and says what blocks until then.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::program::says_as_wanted;
use crate::lab::{Lab, UP};
use crate::under_way::UnderWay;

/// A relay before the API server, on an address that its certificate has. It ends when it is dropped.
struct Relay(Child);

/// Where a relay listens.
const RELAY: &str = "127.0.0.1:7443";

impl Relay {
    fn new(lab: &Lab, how: &[&str]) -> Relay {
        let ends = ["relay", "--listen", RELAY, "--to", "10.0.0.10:6443"];
        let mut relay = lab.command(&[&ends, how].concat());
        Relay(relay.stdout(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // One that has ended is as wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[track_caller]
fn all_is_as_wanted(lab: &Lab) {
    let plan = lab.run(&["plan"]).ends(0).out;
    assert!(says_as_wanted(&plan), "{plan}");
}

/// One line of a table: what happened, and how long `up` took with it.
fn told(what: &str, since: Instant) {
    eprintln!("{what}: converged in {} s", since.elapsed().as_secs());
}

/// Does what a run says of a namespace that istiod has given up on, until the run ends.
///
/// That happens if the API server was killed when the namespace was new: istiod tries five times within a second.
fn follow_advice(lab: &Lab, run: &mut UnderWay) {
    let mut namespaces = vec!["istio-egress", "team-x", "team-y"];
    let mut told = None;
    let advice =
        |namespace: &str| format!("kubectl annotate --overwrite namespace {namespace} retry=now");
    while run.until("its end, or what to do", |run| {
        let err = run.err();
        told = namespaces
            .iter()
            .position(|name| err.contains(&advice(name)));
        told.is_some()
    }) {
        let Some(namespace) = told else { return };
        let command = advice(namespaces.remove(namespace));
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        lab.kubectl(&words).ends(0);
    }
}

#[test]
fn up_goes_on_when_the_api_server_and_etcd_are_back() {
    let Some(lab) = Lab::up("away") else {
        return;
    };
    let since = Instant::now();
    let mut run = lab.begin(UP);
    for (lines, program) in [(80, "kube-apiserver"), (120, "etcd")] {
        assert!(run.until("its next line", |_| lab.journal().len() >= lines));
        lab.lab(&["kill", program]).ends(0);
        // It is away until `up` has said so: an attempt failed, or, since an API server without etcd may not answer for minutes,
        // what still runs.
        let noticed =
            |text: &str| text.matches("attempt ").count() + text.matches("still running: ").count();
        let before = noticed(&run.err());
        run.until("that it notices", |run| noticed(&run.err()) > before);
        lab.lab(&["start", program]).ends(0);
    }
    follow_advice(&lab, &mut run);
    run.ended().ends(0);
    told("the API server and then etcd killed under `up`", since);
    all_is_as_wanted(&lab);
    lab.verify(&[]);
}

#[test]
fn a_slow_and_a_flapping_api_server_make_up_slow() {
    let Some(lab) = Lab::bare("relay", &[]) else {
        return;
    };
    let google = ["google", "--endpoint", RELAY, "--provision"];
    lab.lab(&[&google[..], &[env!("CARGO_BIN_EXE_provision")]].concat())
        .ends(0);
    let since = Instant::now();
    let slow = Relay::new(&lab, &["--delay", "150"]);
    lab.run(&[UP, &["--through", "test-application"]].concat())
        .ends(0);
    told("each piece of an answer 150 ms late", since);
    drop(slow);
    let since = Instant::now();
    let flapping = Relay::new(&lab, &["--up", "1500", "--down", "700"]);
    lab.run(UP).ends(0);
    told("1.5 s there and 0.7 s away in turn", since);
    drop(flapping);
    let _there = Relay::new(&lab, &[]);
    all_is_as_wanted(&lab);
}

/// A quota of no pods in team-y.
const NO_PODS: &str = "---\n{apiVersion: v1, kind: ResourceQuota, metadata: {name: none, namespace: team-y}, spec: {hard: {pods: '0'}}}";

/// A policy that lets nobody name a host outside.
const NO_HOSTS: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-hosts.example.com}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [networking.istio.io], apiVersions: ['*'], operations: [CREATE, UPDATE], resources: [serviceentries]}
  validations:
  - {expression: 'false', message: ask the network team}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-hosts.example.com}
spec: {policyName: no-hosts.example.com, validationActions: [Deny]}
";

#[test]
fn what_refuses_pods_and_objects_is_named_and_up_goes_on_without_it() {
    let Some(lab) = Lab::up("refusals") else {
        return;
    };
    lab.run(&[UP, &["--through", "second-namespace"]].concat())
        .ends(0);
    let up = ["up", "--yes", "--through", "second-namespace"];
    let no_pod = |namespace: &str| {
        let gone = [
            "--namespace",
            namespace,
            "delete",
            "pod",
            "--selector=app=test",
            "--wait=false",
        ];
        lab.kubectl(&gone).ends(0);
    };

    // Istiod is away: its webhook refuses pods, and what it would check.
    let since = Instant::now();
    let istiod = |replicas: &str| {
        let scale = [
            "--namespace=istio-system",
            "scale",
            "deployment",
            "istiod",
            replicas,
        ];
        lab.kubectl(&scale).ends(0);
    };
    istiod("--replicas=0");
    lab.until("no istiod", |lab| {
        let pods = ["pods", "--namespace=istio-system", "--selector=app=istiod"];
        lab.get(&pods).is_none()
    });
    no_pod("team-x");
    let mut run = lab.begin(&up);
    run.says("failed calling webhook \"validation.istio.io\"");
    run.says("failed calling webhook \"namespace.sidecar-injector.istio.io\"");
    run.says("and retries ");
    istiod("--replicas=1");
    run.ended().ends(0);
    told("istiod away, and back", since);

    // A quota refuses pods.
    let since = Instant::now();
    lab.apply(NO_PODS).ends(0);
    no_pod("team-x");
    no_pod("team-y");
    let mut run = lab.begin(&up);
    run.says("is forbidden: exceeded quota: none, requested: pods=1, used: pods=");
    lab.kubectl(&["--namespace=team-y", "delete", "resourcequota", "none"])
        .ends(0);
    run.ended().ends(0);
    told("a quota of no pods, and none", since);

    // A policy refuses objects: in Kubernetes' own words, by step, and the rest goes on.
    let since = Instant::now();
    lab.apply(NO_HOSTS).ends(0);
    let entry = [
        "--namespace=istio-egress",
        "delete",
        "serviceentry",
        "httpbin-org-ext",
    ];
    lab.until("that the policy holds", |lab| {
        let dry = [
            "annotate",
            "serviceentry",
            "httpbin-org-ext",
            "--namespace=istio-egress",
            "a=b",
            "--dry-run=server",
        ];
        lab.kubectl(&dry).err.contains("ask the network team")
    });
    lab.kubectl(&entry).ends(0);
    let refused = lab.run(&up).ends(1);
    for words in [
        "error: httpbin-org: create kubernetes.object httpbin-org-ext: serviceentries.networking.istio.io \"httpbin-org-ext\" is forbidden",
        "ValidatingAdmissionPolicy 'no-hosts.example.com' with binding 'no-hosts.example.com' denied request: ask the network team",
        "hint: a webhook or a policy in the cluster refused the object",
        "left: nothing new",
    ] {
        assert!(
            refused.err.contains(words),
            "no `{words}`:\n{}",
            refused.err
        );
    }
    let policies = [
        "delete",
        "validatingadmissionpolicy,validatingadmissionpolicybinding",
        "no-hosts.example.com",
    ];
    lab.kubectl(&policies).ends(0);
    lab.until("that the policy is forgotten", |lab| {
        lab.run(&up).code == Some(0)
    });
    told(
        "an admission policy against ServiceEntries, and none",
        since,
    );

    // Istiod has given up on a new namespace: what the pods wait for is said, and what makes istiod try again.
    let since = Instant::now();
    let role = ["clusterrole", "istiod-clusterrole-istio-system"];
    let whole = lab.get(&role).unwrap();
    let mut rules = whole["rules"].as_array().unwrap().clone();
    rules.retain(|rule| rule["resources"] != json!(["configmaps"]));
    let may = |rules: &Value| {
        let patch = json!({ "rules": rules }).to_string();
        let patch = ["patch", role[0], role[1], "--type=merge", "--patch", &patch];
        lab.kubectl(&patch).ends(0);
    };
    may(&rules.into());
    lab.kubectl(&["delete", "namespace", "team-y"]).ends(0);
    let mut run = lab.begin(&up);
    run.says("configmap \"istio-ca-root-cert\" not found (istiod writes it; ");
    may(&whole["rules"]);
    follow_advice(&lab, &mut run);
    run.ended().ends(0);
    told(
        "a namespace that istiod has given up on, and what is said to do",
        since,
    );

    // A namespace hangs in deletion.
    let since = Instant::now();
    let held = "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: held, namespace: team-y, finalizers: [example.com/hold]}}";
    lab.apply(held).ends(0);
    lab.kubectl(&["delete", "namespace", "team-y", "--wait=false"])
        .ends(0);
    let mut run = lab.begin(&up);
    run.says(
        "team-y: being deleted: Some resources are remaining: configmaps. has 1 resource instances",
    );
    run.says("Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances");
    let release = [
        "--namespace=team-y",
        "patch",
        "configmap",
        "held",
        "--type=json",
        "--patch",
    ];
    let nothing = r#"[{"op": "remove", "path": "/metadata/finalizers"}]"#;
    lab.kubectl(&[&release[..], &[nothing]].concat()).ends(0);
    run.ended().ends(0);
    told("a namespace that hangs in deletion, and goes", since);

    let plan = lab
        .run(&["plan", "--through", "second-namespace"])
        .ends(0)
        .out;
    assert!(says_as_wanted(&plan), "{plan}");
    let verified = Instant::now();
    lab.in_sync();
    lab.verify(&["--through", "second-namespace"]);
    assert!(verified.elapsed() < Duration::from_secs(60));
}
