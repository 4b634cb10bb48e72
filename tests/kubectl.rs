//! The real kubectl runs the tutorial's commands against an emulated cluster, with an empty home.
//!
//! Every kubectl on the path is tried. Where there is none the test says so and passes, except in CI.

// What a test calls may unwrap like the test itself.
#![allow(clippy::unwrap_used)]

mod emulator;
mod kubernetes;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use kubernetes::Inside;

/// A command as a shell runs it, how it ends, and what its output has to contain; `!` before a text says that it must not.
type Row = (&'static str, i32, &'static [&'static str]);

/// The pod of the test application, as the tutorial finds it.
const POD: &str = "$(kubectl -n team-x get pod -l app=test -o jsonpath={.items..metadata.name})";

const TUTORIAL: &[Row] = &[
    ("kubectl version", 0, &["Server Version: v1."]),
    ("kubectl auth can-i create pods", 0, &["yes"]),
    (
        "kubectl get nodes -l cloud.google.com/gke-nodepool=gateway -o=custom-columns='name:metadata.name,taints:spec.taints[?(@.key==\"dedicated\")]'",
        0,
        &[
            "gke-cluster1-gateway-",
            "map[effect:NoSchedule key:dedicated value:gateway]",
        ],
    ),
    (
        "kubectl create namespace istio-egress",
        0,
        &["namespace/istio-egress created"],
    ),
    (
        "kubectl create namespace istio-egress",
        1,
        &["namespaces \"istio-egress\" already exists"],
    ),
    (
        "kubectl label namespace istio-egress istio.io/rev- istio-injection=enabled --overwrite",
        0,
        &["namespace/istio-egress labeled"],
    ),
    (
        "kubectl -n istio-system get controlplanerevision",
        0,
        &["RECONCILED", "asm-managed", "True"],
    ),
    (
        "kubectl get deploy -n istio-system -l app=istiod -o jsonpath={.items[*].metadata.labels.'istio\\.io\\/rev'}",
        0,
        &[],
    ),
    (
        "kubectl apply --recursive --filename egressgateway/",
        0,
        &[
            "deployment.apps/istio-egressgateway created",
            "horizontalpodautoscaler.autoscaling/istio-egressgateway created",
        ],
    ),
    (
        "kubectl -n istio-egress rollout status deployment istio-egressgateway --timeout=20s",
        0,
        &["successfully rolled out"],
    ),
    (
        "kubectl apply --recursive --filename egressgateway/",
        0,
        &[
            "service/istio-egressgateway unchanged",
            "horizontalpodautoscaler.autoscaling/istio-egressgateway unchanged",
            "!created",
        ],
    ),
    (
        "kubectl diff --recursive --filename egressgateway/",
        0,
        &["!+"],
    ),
    (
        "kubectl get pods -n istio-egress -o wide",
        0,
        &["1/1", "Running", "gke-cluster1-gateway-", "NOMINATED NODE"],
    ),
    (
        "kubectl -n istio-egress get pod -l istio=egressgateway -o=custom-columns='name:metadata.name,node-affinity:spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms,tolerations:spec.tolerations[?(@.key==\"dedicated\")]'",
        0,
        &[
            "[map[matchExpressions:[map[key:cloud.google.com/gke-nodepool operator:In values:[gateway]]]]]",
            "map[key:dedicated operator:Equal value:gateway]",
        ],
    ),
    (
        "kubectl create namespace team-x && kubectl create namespace team-y",
        0,
        &["namespace/team-y created"],
    ),
    (
        "kubectl label namespace team-x team=x && kubectl label namespace team-y team=y",
        0,
        &["namespace/team-y labeled"],
    ),
    (
        "kubectl label ns team-x istio.io/rev- istio-injection=enabled --overwrite",
        0,
        &["namespace/team-x labeled"],
    ),
    (
        "kubectl -n team-x create -f ./test.yaml",
        0,
        &[
            "serviceaccount/test created",
            "service/test created",
            "deployment.apps/test created",
        ],
    ),
    (
        "kubectl -n team-x wait --for=condition=Available deployment/test --timeout=20s",
        0,
        &["condition met"],
    ),
    (
        "kubectl -n team-x get po -l app=test -o wide",
        0,
        &["2/2", "Running", "10.4.", "gke-cluster1-default-pool-"],
    ),
    (
        "kubectl -n team-x exec -it POD -c test -- curl -sI http://example.com",
        0,
        &["HTTP/1.1 200 OK", "server: envoy"],
    ),
    (
        "kubectl -n team-x exec POD -c istio-proxy -- curl http://example.com",
        1,
        &["exec: \"curl\": executable file not found in $PATH"],
    ),
    (
        "kubectl apply -f mesh.yaml",
        0,
        &[
            "virtualservice.networking.istio.io/example-com-through-egress-gateway created",
            "networkpolicy.networking.k8s.io/allow-egress-to-same-namespace created",
        ],
    ),
    (
        "kubectl apply -f mesh.yaml",
        0,
        &[
            "virtualservice.networking.istio.io/example-com-through-egress-gateway unchanged",
            "!created",
            "!configured",
        ],
    ),
    ("kubectl diff -f mesh.yaml", 0, &["!+"]),
    (
        "kubectl apply --server-side -f mesh.yaml",
        0,
        &["gateway.networking.istio.io/egress-gateway serverside-applied"],
    ),
    (
        "kubectl get serviceentries,vs -A",
        0,
        &[
            "istio-egress",
            "example-com-ext",
            "[\"example.com\"]",
            "MESH_EXTERNAL",
        ],
    ),
    ("kubectl -n team-x exec -it POD -c test -- true", 0, &[]),
    (
        "kubectl -n team-x exec POD -c test -- echo hello there",
        0,
        &["hello there"],
    ),
    (
        "echo through | kubectl -n team-x exec -i POD -c test -- cat",
        0,
        &["through"],
    ),
    (
        // The Sidecar lets nobody reach the metadata server yet.
        "kubectl -n team-x exec deploy/test -- gcloud auth list",
        0,
        &["No credentialed accounts."],
    ),
    (
        "kubectl -n team-x exec POD -c test -- frobnicate",
        127,
        &["frobnicate: not in the emulated container", "exit code 127"],
    ),
    (
        "sed s/resolution/resolutoin/ mesh.yaml | kubectl apply -f -",
        1,
        &["unknown field \"spec.resolutoin\""],
    ),
    (
        "sed s/replicas/replicaz/ test.yaml | kubectl -n team-x apply -f -",
        1,
        &["unknown field \"spec.replicaz\""],
    ),
    (
        "kubectl -n team-x logs POD -c istio-proxy",
        0,
        &["Envoy proxy is ready"],
    ),
    (
        "timeout 2 kubectl -n team-x logs -f POD -c istio-proxy",
        124,
        &["Envoy proxy is ready"],
    ),
    (
        "kubectl -n team-x rollout restart deployment",
        0,
        &["deployment.apps/test restarted"],
    ),
    (
        "kubectl -n team-x rollout status deployment test --timeout=20s",
        0,
        &["successfully rolled out"],
    ),
    (
        "kubectl -n team-x scale deployment test --replicas=2",
        0,
        &["deployment.apps/test scaled"],
    ),
    ("kubectl -n team-x get events", 0, &["Scheduled"]),
    (
        "kubectl -n team-x describe $(kubectl -n team-x get pod -l app=test -o name | head -1)",
        0,
        &["Successfully assigned team-x/test-"],
    ),
    (
        "kubectl api-resources",
        0,
        &["virtualservices", "deployments", "controlplanerevisions"],
    ),
    ("kubectl explain serviceentry.spec.hosts", 0, &["hosts"]),
    (
        "kubectl delete namespace team-x team-y --timeout=20s",
        0,
        &["namespace \"team-y\" deleted"],
    ),
    (
        "kubectl get ns team-x",
        1,
        &["namespaces \"team-x\" not found"],
    ),
];

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

/// A file by which kubectl finds the cluster.
fn config(inside: &Inside) -> String {
    let authority = base64::engine::general_purpose::STANDARD.encode(&inside.authority);
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters:\n- name: c\n  cluster:\n    server: https://{}\n    certificate-authority-data: {authority}\ncontexts:\n- name: c\n  context: {{cluster: c, user: u}}\nusers:\n- name: u\n  user: {{token: a-token}}\n",
        inside.endpoint
    )
}

/// Runs a row; says what is wrong with what it did.
fn wrong((command, code, wanted): &Row, home: &Path, program: &Path) -> Option<String> {
    let command = command.replace("POD", POD);
    // The program may be a dispatcher that looks beside itself, so it is named and not linked to.
    let shell = format!("kubectl() {{ {:?} \"$@\"; }}\n{command}", program);
    let shell = if command.starts_with("timeout") {
        command
            .replacen("kubectl", &format!("{program:?}"), 1)
            .replace("$(kubectl", &format!("$({program:?}"))
    } else {
        shell
    };
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kubectl");
    let output = Command::new("sh")
        .arg("-c")
        .arg(&shell)
        .current_dir(fixtures)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("KUBECONFIG", home.join("config"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let fits = |text: &str| match text.strip_prefix('!') {
        Some(unwanted) => !said.contains(unwanted),
        None => said.contains(text),
    };
    let fine = output.status.code() == Some(*code) && wanted.iter().all(|text| fits(text));
    (!fine).then(|| {
        format!(
            "$ {command}\n{said}-> {:?}, not {code} with {wanted:?}\n",
            output.status.code()
        )
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn the_real_kubectl_runs_the_tutorials_commands() {
    let programs = kubectls();
    if programs.is_empty() {
        assert!(std::env::var_os("CI").is_none(), "CI has to have kubectl");
        println!("kubectl is not installed: its session was not run");
        return;
    }
    for program in programs {
        let inside = Inside::start().await;
        inside.mesh().await;
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("config"), config(&inside)).unwrap();
        let session = {
            let (home, program) = (home.path().to_owned(), program.clone());
            tokio::task::spawn_blocking(move || -> Vec<String> {
                TUTORIAL
                    .iter()
                    .filter_map(|row| wrong(row, &home, &program))
                    .collect()
            })
        };
        let complaints = session.await.unwrap();
        assert!(
            complaints.is_empty(),
            "{}:\n{}",
            program.display(),
            complaints.join("\n")
        );
        println!("{}: {} commands", program.display(), TUTORIAL.len());
    }
}
