//! A rehearsal in a cluster of somebody's own: Google's half is emulated, the cluster's half goes to that cluster, which stays.
//! Another emulator's cluster stands in for it here, with an istiod that its owner has installed.

use std::fs;
use std::time::{Duration, Instant};

use crate::common::program::{User, below, says_as_wanted};
use crate::common::rehearsal::{Rehearsal, journal_of};
use serde_json::{Value, json};

/// That a run is refused with these words, and leaves the cluster, the emulator and the journal as they were.
#[track_caller]
fn refused(own: &Rehearsal, args: &[&str], code: i32, words: &[&str]) {
    let folder = own.user.home().join(".local/state/provision");
    let kept = || {
        let files = below(&folder).into_iter().filter(|path| path.is_file());
        // The log of a run's events is no part of the environment.
        let files = files.filter(|path| !path.ends_with("events.jsonl"));
        let files = files.map(|path| (fs::read(&path).unwrap_or_default(), path));
        files
            .filter(|(text, _)| !text.is_empty())
            .collect::<Vec<_>>()
    };
    let before = (kept(), own.cloud.versions());
    let said = own.named(args).ends(code);
    for words in words {
        assert!(said.err.contains(words), "no `{words}` in:\n{}", said.err);
    }
    assert!(said.err.contains("hint: "), "{}", said.err);
    assert!(before == (kept(), own.cloud.versions()), "{}", said.err);
}

#[test]
fn flags_that_do_not_go_together_are_refused() {
    let user = User::new();
    for (args, words) in [
        (
            &["up", "--yes", "--kubeconfig", "f"][..],
            "--kubeconfig requires --emulate",
        ),
        (
            &["--kubeconfig", "f", "status"],
            "--kubeconfig requires --emulate",
        ),
        (
            &["plan", "--emulate", "--context", "c"],
            "--context requires --kubeconfig",
        ),
    ] {
        let said = user.run(args).ends(2);
        assert!(said.err.contains(words), "{}", said.err);
    }
}

#[test]
fn a_kubeconfig_that_leads_nowhere_is_refused_before_anything_is_sent() {
    let own = Rehearsal::bare("cluster1");
    let there = fs::read_to_string(&own.file).unwrap();
    refused(
        &own,
        &["up", "--yes", "--context", "third"],
        2,
        &[
            "~/own.yaml: it has no context `third`",
            "--context: own, other",
        ],
    );
    fs::write(
        &own.file,
        "users:\n- {name: u, user: {token: [secret-of-mine\n",
    )
    .unwrap();
    refused(&own, &["up", "--yes"], 2, &["~/own.yaml: not a kubeconfig"]);
    let said = own.named(&["status"]).ends(2);
    assert!(!said.err.contains("secret-of-mine"), "{}", said.err);
    fs::remove_file(&own.file).unwrap();
    refused(&own, &["up", "--yes"], 2, &["~/own.yaml: No such file"]);

    let plugin = json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin", "interactiveMode": "Never",
    }});
    let with = |change: &dyn Fn(&mut Value)| {
        let mut config: Value = serde_json::from_str(&there).unwrap();
        change(&mut config);
        fs::write(&own.file, config.to_string()).unwrap();
    };
    with(&|config| config["users"][0]["user"] = plugin.clone());
    refused(
        &own,
        &["up", "--yes"],
        1,
        &[
            "context own at https://127.0.0.1:",
            "the plugin `no-such-plugin` cannot be started",
        ],
    );
    // Nobody listens there.
    with(&|config| config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1".into());
    refused(
        &own,
        &["up", "--yes"],
        1,
        &["https://127.0.0.1:1", "Connection refused"],
    );
    // Somebody does, and says nothing.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("https://{}", mute.local_addr().unwrap());
    with(&|config| config["clusters"][0]["cluster"]["server"] = server.clone().into());
    let since = Instant::now();
    refused(&own, &["up", "--yes"], 1, &[&server]);
    assert!(
        since.elapsed() < Duration::from_secs(10),
        "{:?}",
        since.elapsed()
    );
}

#[test]
fn a_cluster_without_istio_or_without_nodes_is_refused_with_what_to_do() {
    let own = Rehearsal::bare("cluster1");
    refused(
        &own,
        &["up", "--yes"],
        1,
        &[
            "the cluster has no Istio: no authorizationpolicies.security.istio.io",
            "istioctl install --kubeconfig ~/own.yaml --context own",
        ],
    );
    let own = Rehearsal::new();
    refused(
        &own,
        &["up", "--yes", "--set", "gateway_nodes=2"],
        1,
        &[
            "1 of 2 nodes with the label cloud.google.com/gke-nodepool=gateway are Ready",
            "add nodes",
        ],
    );
    // The gateway's node is as any other is where nobody has labelled one.
    let cluster = own.cluster();
    let gateway = "cloud.google.com/gke-nodepool";
    let is_gateway = |name: &String| name.contains("-gateway-");
    let node = cluster
        .names("v1", "Node", "")
        .into_iter()
        .find(is_gateway)
        .unwrap();
    cluster.label("v1", "Node", &node, gateway, None);
    cluster.taint(&node, None);
    let up = ["up", "--yes", "--through", "cluster"];
    let said = own.named(&up).ends(1);
    let hint = said
        .err
        .lines()
        .find(|line| line.starts_with("hint: "))
        .unwrap();
    let kubectl = "kubectl --kubeconfig ~/own.yaml --context own";
    assert_eq!(
        hint,
        format!(
            "hint: {kubectl} label node {node} {gateway}=gateway && {kubectl} taint node {node} dedicated=gateway:NoSchedule"
        )
    );
    // What it says helps.
    for command in hint.trim_start_matches("hint: ").split(" && ") {
        let words: Vec<&str> = command.split(' ').skip(5).collect();
        let [verb, "node", node, what] = words[..] else {
            panic!("{command}");
        };
        match verb {
            "label" => {
                let (key, value) = what.split_once('=').unwrap();
                cluster.label("v1", "Node", node, key, Some(value));
            }
            "taint" => cluster.taint(node, Some(what)),
            other => panic!("{other}"),
        }
    }
    own.named(&["up", "--yes", "--through", "egress-gateway"])
        .ends(0);
}

#[test]
fn what_stands_there_and_is_not_ours_stops_the_run() {
    let own = Rehearsal::new();
    let cluster = own.cluster();
    let policy = |mode: &str| {
        json!({
            "apiVersion": "security.istio.io/v1beta1", "kind": "PeerAuthentication",
            "metadata": {"name": "default", "namespace": "istio-system"}, "spec": {"mtls": {"mode": mode}},
        })
    };
    cluster.apply(&policy("PERMISSIVE"));
    refused(
        &own,
        &["up", "--yes"],
        1,
        &[
            "PeerAuthentication",
            "istio-system/default",
            "PERMISSIVE",
            "STRICT",
        ],
    );
    cluster.apply(&policy("STRICT"));
    // Nobody is put into a namespace where others live, be it as wanted.
    let labels = json!({"istio-injection": "enabled"});
    cluster.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-x", "labels": labels}}));
    refused(
        &own,
        &["up", "--yes"],
        1,
        &["Namespace/team-x already exists in the cluster and was not created by provision"],
    );
    cluster.delete_object("v1", "Namespace", "", "team-x");
    cluster.until("team-x is gone", |cluster| {
        cluster.object("v1", "Namespace", "", "team-x").is_none()
    });
    // What is equal is nobody's loss: it stays whose it is, also when ours goes.
    let said = own
        .named(&["up", "--yes", "--through", "test-application"])
        .ends(0);
    assert!(
        said.err.contains(
            "not recorded as created by provision, so `provision down` keeps them: strict-mtls"
        ),
        "{}",
        said.err
    );
    own.emulated(&["down", "--yes"]).ends(0);
    let there = cluster.object(
        "security.istio.io/v1beta1",
        "PeerAuthentication",
        "istio-system",
        "default",
    );
    assert!(there.is_some());
    assert!(
        cluster
            .object("v1", "Namespace", "", "istio-egress")
            .is_none()
    );
}

#[test]
fn what_others_put_into_our_namespace_does_not_go_with_it() {
    let own = Rehearsal::new();
    own.named(&["up", "--yes", "--through", "second-namespace"])
        .ends(0);
    let cluster = own.cluster();
    let theirs = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "theirs", "namespace": "team-y"},
        "spec": {"ports": [{"port": 80}]}});
    cluster.apply(&theirs);
    let said = own.emulated(&["down", "--yes"]).ends(1);
    assert!(
        said.err
            .contains("it contains objects that provision did not create: Service theirs"),
        "{}",
        said.err
    );
    assert!(said.err.contains("move or delete them"), "{}", said.err);
    assert!(
        cluster
            .object("v1", "Service", "team-y", "theirs")
            .is_some()
    );
    assert!(cluster.object("v1", "Namespace", "", "team-x").is_none());
    cluster.delete_object("v1", "Service", "team-y", "theirs");
    own.emulated(&["down", "--yes"]).ends(0);
    assert!(cluster.object("v1", "Namespace", "", "team-y").is_none());
}

#[test]
fn a_lost_journal_is_rebuilt_from_the_cluster() {
    let own = Rehearsal::new();
    let before = own.cloud.objects();
    let up = ["up", "--yes", "--through", "egress-gateway"];
    own.named(&up).ends(0);
    fs::remove_file(journal_of(&own.user)).unwrap();
    // Nobody can tell any more that the namespace is ours.
    refused(
        &own,
        &up,
        1,
        &[
            "Namespace/istio-egress already exists in the cluster",
            "provision adopt",
        ],
    );
    own.named(&["adopt", "--yes"]).ends(0);
    own.emulated(&["down", "--yes"]).ends(0);
    assert_eq!(own.cloud.objects(), before);
}

#[test]
fn a_journal_speaks_of_one_cluster() {
    let own = Rehearsal::new();
    // Something stands in the emulator's own cluster.
    own.emulated(&["up", "--yes", "--through", "network"])
        .ends(0);
    refused(
        &own,
        &["up", "--yes"],
        2,
        &["belongs to the emulator's own cluster", "~/own.yaml"],
    );
    own.emulated(&["down", "--yes"]).ends(0);
    own.named(&["up", "--yes", "--through", "egress-gateway"])
        .ends(0);
    let uid = |own: &Rehearsal| {
        let system = own.cluster().object("v1", "Namespace", "", "kube-system");
        system.unwrap()["metadata"]["uid"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let other = Rehearsal::bare("cluster2");
    let theirs = fs::read_to_string(&other.file).unwrap();
    let ours = fs::read_to_string(&own.file).unwrap();
    fs::write(&own.file, theirs).unwrap();
    let uids = [uid(&own), uid(&other)];
    refused(
        &own,
        &["up", "--yes"],
        2,
        &[&uids[0], &uids[1], "another cluster"],
    );
    // Without the flags the same file is read.
    own.emulated(&["down", "--yes"]).ends(2);
    fs::write(&own.file, ours).unwrap();
    let said = own.emulated(&["status"]).ends(0);
    assert!(
        said.err.contains("context own at https://127.0.0.1:"),
        "{}",
        said.err
    );
    // The same cluster by another name is the same cluster.
    own.named(&["down", "--yes", "--context", "other"]).ends(0);
    assert!(
        own.cluster()
            .object("v1", "Namespace", "", "istio-egress")
            .is_none()
    );
    // When nothing stands any more the emulator alone is itself again, a managed mesh included.
    let plan = own.emulated(&["plan"]).ends(3);
    assert!(
        plan.out.contains("mesh-management") && plan.err.is_empty(),
        "{}{}",
        plan.out,
        plan.err
    );
}

#[test]
fn nobody_is_asked_where_there_is_no_terminal_and_a_kubeconfig_is_not_copied() {
    let own = Rehearsal::new();
    own.named(&["up"]).ends(2);
    own.named(&["up", "--yes", "--through", "egress-gateway"])
        .ends(0);
    let said = own.emulated(&["kubeconfig"]).ends(2);
    assert_eq!(said.out, "");
    assert!(
        said.err
            .contains("~/own.yaml already is the kubeconfig of this cluster (context own)"),
        "{}",
        said.err
    );
    let elsewhere = own.user.home().join("elsewhere");
    own.emulated(&["kubeconfig", "--write", elsewhere.to_str().unwrap()])
        .ends(2);
    assert!(!elsewhere.exists());
    let said = own
        .emulated(&["kubeconfig", "--write", own.file.to_str().unwrap()])
        .ends(0);
    assert_eq!(said.out, "~/own.yaml: context own\n");
    // No token in what is kept.
    for path in below(&own.user.home().join(".local"))
        .iter()
        .filter(|path| path.is_file())
    {
        let text = fs::read_to_string(path).unwrap();
        assert!(
            !text.contains("a-token-that-nobody-reads"),
            "{}",
            path.display()
        );
    }
}

#[test]
fn the_clusters_half_goes_to_that_cluster_and_only_ours_leaves_it_again() {
    let own = Rehearsal::new();
    let before = own.cloud.objects();
    let said = own.named(&["up", "--yes"]).ends(0);
    assert!(
        said.err
            .starts_with("cluster of your own: context own at https://127.0.0.1:"),
        "{}",
        said.err
    );
    assert!(
        own.cluster()
            .object("v1", "Namespace", "", "team-x")
            .is_some()
    );
    // From here on the journal knows which cluster it is.
    let plan = own.emulated(&["plan"]).ends(0);
    assert!(says_as_wanted(&plan.out), "{}", plan.out);
    assert!(plan.err.contains("context own at https://127.0.0.1:"));
    // Google's deprecation of in-cluster control planes does not concern a cluster of one's own, which has no other.
    assert!(!plan.err.contains("deprecated"), "{}", plan.err);
    let verified = own.emulated(&["verify"]).ends(0);
    assert!(
        verified
            .out
            .contains("18 of 18 checks hold; 2 not checked here"),
        "{}",
        verified.out
    );

    let said = own.emulated(&["down", "--yes"]).ends(0);
    assert!(!said.out.contains("left:"), "{}", said.out);
    assert_eq!(own.cloud.objects(), before);
}
