//! `explain` and `analyze`: from the steps alone, from what is there, and with a user's own files laid over; and that what is
//! explained is what the claims of the steps expect.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::cloud::{Cloud, pointed_at};
use crate::common::program::{User, below};
use crate::common::rewriting::Rewriting;
use provision::steps::{Source, Tutorial};
use serde_json::{Value, json};

const DENIED: &str = include_str!("../../fixtures/explain-denied.txt");

/// The objects of `--output json`, a line each.
fn lines(out: &str) -> Vec<Value> {
    out.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What a caller gets, as curl would show it.
fn status(account: &Value) -> &Value {
    &account["got"]["answer"]["status"]
}

#[test]
fn a_request_is_explained_from_the_steps_and_nobody_is_asked() {
    let cloud = Cloud::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let between = Rewriting::new(cloud.address(), move |_, _| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    // A project that is named, one that is not, and none that ever was: it is the same.
    let user = pointed_at(User::new(), between.address());
    let nobody = User::new();
    let question = ["explain", "team-x", "http://httpbin.org/"];
    for user in [&user, &nobody] {
        let said = user.run(&question).ends(0);
        assert_eq!((said.out.as_str(), said.err.as_str()), (DENIED, ""));
        assert_eq!(below(user.home()), [user.home()]);
    }
    // A cluster's name is to be copied whole.
    let narrow = |line: &str| line.chars().count() <= 80 || line.contains("outbound|");
    assert!(DENIED.lines().all(narrow));

    let told = lines(
        &nobody
            .run(&[&question[..], &["--output", "json"]].concat())
            .ends(0)
            .out,
    );
    let [told] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(
        (&told["namespace"], &told["url"]),
        (&json!("team-x"), &json!("http://httpbin.org/"))
    );
    let account = &told["account"];
    assert_eq!(*status(account), 403);
    let last = account["hops"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["place"], &last["passes"]),
        (&json!("gateway"), &json!(false))
    );
    assert_eq!(last["others"].as_array().unwrap().len(), 3, "{last}");

    nobody.run(&["explain", "--matrix"]).ends(0);
    nobody.run(&["analyze"]).ends(0);
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    // Live, somebody is.
    user.run(&["explain", "--live", "--matrix"]).ends(1);
    assert!(asked.load(Ordering::SeqCst) > 0);
}

#[test]
fn method_sidecar_chapter_and_files_are_part_of_the_question() {
    let user = User::new();
    let overlay = "apiVersion: security.istio.io/v1beta1\nkind: AuthorizationPolicy\n\
        metadata: {name: NAME, namespace: istio-egress}\nspec: {action: ACTION, rules: [{from: [{source: {namespaces: [team-x]}}]}]}\n";
    let write = |file: &str, name: &str, action: &str| {
        let text = overlay.replace("NAME", name).replace("ACTION", action);
        std::fs::write(user.home().join(file), text).unwrap();
    };
    write("deny.yaml", "deny-x", "DENY");
    write("instead.yaml", "egress-team-x-to-example-com", "ALLOW");
    let httpbin = "http://httpbin.org/";
    for (asked, got, named) in [
        (
            &["team-x", "http://example.com/"][..],
            "gets 200",
            "VirtualService istio-egress/example-com-through-egress-gateway",
        ),
        (
            &["team-x", "http://example.com/", "--from", "deny.yaml"],
            "gets 403",
            "AuthorizationPolicy istio-egress/deny-x",
        ),
        // In the place of the steps' own of that name.
        (
            &["team-x", httpbin, "--from", "instead.yaml"],
            "gets 200",
            "AuthorizationPolicy istio-egress/egress-team-x-to-example-com",
        ),
        (
            &[
                "team-x",
                httpbin,
                "--from",
                "instead.yaml",
                "--from",
                "deny.yaml",
            ],
            "gets 403",
            "AuthorizationPolicy istio-egress/deny-x",
        ),
        (
            &["team-x", httpbin, "--through", "second-namespace"],
            "gets 200",
            "VirtualService istio-egress/httpbin-org-through-egress-gateway",
        ),
        (
            &[
                "team-x",
                "http://example.com/",
                "--through",
                "test-application",
            ],
            "gets 503",
            "firewall global-deny-egress-all",
        ),
        (
            &["team-x", "http://example.com/", "--no-sidecar"],
            "curl exit 28",
            "6 NetworkPolicies isolate the pod",
        ),
        (
            &["team-y", "http://example.com/", "--no-sidecar"],
            "curl exit 28",
            "firewall global-deny-egress-all",
        ),
        (
            &["team-x", httpbin, "--method", "DELETE"],
            "gets 403",
            "team-x DELETE http://httpbin.org/",
        ),
        (
            &[
                "team-x",
                httpbin,
                "--method",
                "HEAD",
                "--through",
                "second-namespace",
            ],
            "gets 200",
            "team-x HEAD",
        ),
        // No step makes these namespaces, and every cluster has them.
        (
            &["default", "http://example.com/"],
            "curl exit 28",
            "firewall global-deny-egress-all",
        ),
        (
            &["team-x", "http://nowhere.example/"],
            "curl exit 6",
            "nowhere.example",
        ),
    ] {
        let said = user.run(&[&["explain"], asked].concat()).ends(0);
        let said = said.out.replace("\n               ", " ");
        assert!(said.contains(got), "{asked:?}:\n{said}");
        assert!(said.contains(named), "{asked:?}:\n{said}");
        assert!(!said.contains("was not found"), "{asked:?}:\n{said}");
    }
    // Why the others did not apply is told of the hop that decides, and of every hop to who wants it.
    let brief = user.run(&["explain", "team-x", "http://example.com/"]).out;
    let whole = user
        .run(&["explain", "team-x", "http://example.com/", "-v"])
        .out;
    assert!(brief.contains("others (-v shows why)"), "{brief}");
    assert!(!whole.contains("(-v shows why)"), "{whole}");
    assert!(whole.len() > brief.len());
}

#[test]
fn what_cannot_be_explained_is_refused_with_what_can() {
    let user = User::new();
    let write = |name: &str, text: &str| std::fs::write(user.home().join(name), text).unwrap();
    write("empty.yaml", "---\n");
    write("odd.yaml", "a: 1\n");
    for (args, told) in [
        (
            &["explain", "team-z", "http://example.com/"][..],
            "error: namespace `team-z` not found, did you mean `team-x`?\n\
             hint: use one of default, istio-egress, istio-system, kube-node-lease, kube-public, kube-system, team-x, team-y\n",
        ),
        // A namespace of a later chapter does not exist yet.
        (
            &[
                "explain",
                "team-x",
                "http://example.com/",
                "--through",
                "cluster",
            ],
            "error: namespace `team-x` not found\n",
        ),
        (
            &["analyze", "-n", "istio-egres"],
            "error: namespace `istio-egres` not found, did you mean `istio-egress`?\n",
        ),
        (
            &["explain", "team-x", "not a url"],
            "error: not a url: invalid international domain name\nhint: write the URL as for curl: http://example.com/\n",
        ),
        (
            &["explain", "team-x", "ftp://example.com/"],
            "error: ftp://example.com/: ftp is neither http nor https\n",
        ),
        (
            &[
                "explain",
                "team-x",
                "http://example.com/",
                "--through",
                "rooting",
            ],
            "error: unknown chapter `rooting`",
        ),
        (
            &["explain", "team-x"],
            "error: the following required arguments were not provided:\n  <URL>\n",
        ),
        (
            &["explain", "--matrix", "team-x"],
            "error: the argument '--matrix' cannot be used with '[NAMESPACE]'\n",
        ),
        (
            &["analyze", "--from", "none.yaml"],
            "error: none.yaml: No such file",
        ),
        (
            &["analyze", "--from", "empty.yaml"],
            "error: empty.yaml: it contains no object\nhint: name manifest files, as for `kubectl apply -f`\n",
        ),
        (
            &[
                "explain",
                "team-x",
                "http://example.com/",
                "--from",
                "odd.yaml",
            ],
            "error: odd.yaml: object 1 is neither",
        ),
        (
            &["explain", "--live", "--matrix"],
            "error: no project is set\n",
        ),
    ] {
        let said = user.run(args).ends(2);
        assert!(said.err.starts_with(told), "{args:?}:\n{}", said.err);
        assert_eq!(said.out, "");
    }
    // Nothing is there.
    for args in [
        &["explain", "--live", "--matrix"][..],
        &["analyze", "--live"],
    ] {
        let said = user.run(&[args, &["--emulate"]].concat()).ends(1);
        assert!(
            said.err
                .starts_with("error: the cluster does not exist yet\nhint: "),
            "{}",
            said.err
        );
    }
}

#[test]
fn what_is_there_is_what_the_steps_say() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes"]).ends(0);
    let both = |args: &[&str]| {
        let steps = cloud.run(args);
        let live = cloud.run(&[args, &["--live"]].concat());
        assert_eq!(live.code, steps.code, "{}", live.err);
        (steps, live)
    };
    let (steps, live) = both(&["explain", "--matrix", "--output", "json"]);
    let cells = lines(&steps.out);
    assert_eq!(cells, lines(&live.out));
    // Two teams, five hosts, two ports.
    assert_eq!(cells.len(), 20);
    let cell = |namespace: &str, url: &str| {
        let found = cells
            .iter()
            .find(|cell| cell["namespace"] == namespace && cell["url"] == url);
        &found.unwrap()["cell"]
    };
    assert_eq!(cell("team-x", "http://example.com/")["got"]["status"], 200);
    assert_eq!(cell("team-x", "http://example.com/")["reaches"], true);
    let refused = cell("team-y", "https://example.com/");
    assert_eq!(
        (&refused["got"]["failure"], &refused["reaches"]),
        (&json!("tls-reset"), &json!(false))
    );
    assert_eq!(refused["by"]["kind"], "Sidecar");
    for args in [
        &["explain", "--matrix"][..],
        &["analyze"],
        &["analyze", "-n", "team-x"],
        &["explain", "team-y", "http://httpbin.org/status/418"],
    ] {
        let (steps, live) = both(args);
        // Live pods have names and addresses of their own.
        if !args.contains(&"team-y") {
            assert_eq!(steps.out, live.out, "{args:?}");
        }
        assert_eq!(steps.code, Some(0));
    }
}

#[test]
fn analyze_ends_with_3_where_something_is_wrong() {
    let user = User::new();
    let said = user.run(&["analyze"]).ends(0);
    // What is worth knowing is no reason to end otherwise.
    assert!(
        said.out.starts_with("note IST0102 Namespace default\n"),
        "{}",
        said.out
    );
    assert!(
        said.out
            .lines()
            .all(|line| !line.starts_with("error ") && !line.starts_with("warning ")),
        "{}",
        said.out
    );
    let wrong = "apiVersion: networking.istio.io/v1beta1\nkind: VirtualService\nmetadata: {name: nowhere, namespace: istio-egress}\n\
        spec: {hosts: [nowhere.example], gateways: [istio-egress/nowhere], http: [{route: [{destination: {host: example.com, port: {number: 80}}}]}]}\n";
    std::fs::write(user.home().join("wrong.yaml"), wrong).unwrap();
    let analyze = ["analyze", "--from", "wrong.yaml"];
    let said = user.run(&analyze).ends(3);
    assert!(
        said.out
            .starts_with("error IST0101 VirtualService istio-egress/nowhere\n"),
        "{}",
        said.out
    );
    assert!(!said.out.contains("report no issue"), "{}", said.out);
    user.run(&[&analyze[..], &["-n", "istio-egress"]].concat())
        .ends(3);
    let elsewhere = user
        .run(&[&analyze[..], &["-n", "team-y"]].concat())
        .ends(0);
    assert_eq!(
        elsewhere.out,
        "istioctl's analyzers report no issue in namespace team-y\n"
    );
    let told = lines(
        &user
            .run(&[&analyze[..], &["--output", "json"]].concat())
            .ends(3)
            .out,
    );
    let levels = ["error", "warning", "info", "note"];
    let rank = |finding: &Value| levels.iter().position(|level| finding["level"] == *level);
    assert!(told.is_sorted_by_key(rank), "the gravest first: {told:?}");
    assert_eq!(told[0]["object"]["name"], "nowhere");
}

/// The tutorial itself has nothing that Traffic Director lacks; what a user adds is found, and what is not known is said.
#[test]
fn analyze_knows_what_traffic_director_lacks() {
    let cloud = Cloud::new();
    let for_it = ["analyze", "--for", "traffic-director"];
    let plain = cloud.run(&["analyze"]).ends(0);
    assert_eq!(
        cloud.run(&["analyze", "--for", "istiod"]).ends(0).out,
        plain.out
    );
    let said = cloud.run(&for_it).ends(0);
    let closing =
        "nothing in any namespace that Google names as not supported by Traffic Director\n";
    assert_eq!(said.out, format!("{}{closing}", plain.out));

    let file = "apiVersion: networking.istio.io/v1beta1\nkind: ServiceEntry\nmetadata: {name: inside, namespace: team-x}\n\
        spec: {hosts: [inside.example], location: MESH_INTERNAL, resolution: NONE, ports: [{number: 80, name: http, protocol: HTTP}]}\n\
        ---\napiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: {name: own, namespace: team-y}\nspec: {}\n";
    std::fs::write(cloud.user.home().join("more.yaml"), file).unwrap();
    let more = ["--from", "more.yaml"];
    let said = cloud.run(&[&for_it[..], &more].concat()).ends(3);
    let starts = "warning EGR0005 ServiceEntry team-x/inside\n";
    assert!(said.out.starts_with(starts), "{}", said.out);
    assert!(
        said.out
            .contains("\nunknown EGR0006 EnvoyFilter team-y/own\n"),
        "{}",
        said.out
    );
    assert!(!said.out.contains(closing.trim()), "{}", said.out);
    // What is only unknown is no reason to end otherwise.
    let one = ["-n", "team-y", "--output", "json"];
    let told = lines(&cloud.run(&[&for_it[..], &more, &one].concat()).ends(0).out);
    assert_eq!(
        (&told[0]["code"], &told[0]["level"]),
        (&json!("EGR0006"), &json!("unknown"))
    );
    cloud.run(&[&["analyze"][..], &more].concat()).ends(0);
    cloud.run(&["analyze", "--for", "consul"]).ends(2);

    // Live, the fleet says which control plane it is; the result is the same until it is asked for.
    cloud.run(&["up", "--yes", "--through", "mesh"]).ends(0);
    let hint = "note: the control plane of this cluster is Traffic Director: `--for traffic-director` also reports what it does not support";
    let hinted = |args: &[&str]| {
        let said = cloud.run(&[args, &["--live"]].concat());
        said.err.lines().filter(|line| *line == hint).count()
    };
    assert_eq!(hinted(&["analyze"]), 1);
    assert_eq!(hinted(&for_it), 0);
    assert_eq!(hinted(&["analyze", "--output", "json"]), 0);
    assert_eq!(cloud.run(&["analyze"]).ends(0).err.matches(hint).count(), 0);
}

#[test]
fn what_a_claim_expects_is_what_is_explained() {
    let tutorial = Tutorial::load(&Source::Embedded).unwrap();
    let user = User::new();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut claims = 0;
    for step in tutorial.steps().filter(|step| step.kind == "check.request") {
        let request = text(&step.at["request"]);
        let (method, url) = request.split_once(' ').unwrap();
        let namespace = text(&step.at["namespace"]);
        let asked = [
            "explain",
            &namespace,
            url,
            "--method",
            method,
            "--through",
            &step.chapter,
            "--output",
            "json",
        ];
        let told = lines(&user.run(&asked).ends(0).out);
        let answer = &told[0]["account"]["got"]["answer"];
        assert_eq!(
            answer["status"], step.want["status"],
            "{}: {}",
            step.id, told[0]
        );
        if let Some(body) = step.want.get("body") {
            assert!(
                text(&answer["body"]).contains(&text(body)),
                "{}: {answer}",
                step.id
            );
        }
        claims += 1;
    }
    assert_eq!(claims, 18);
}
