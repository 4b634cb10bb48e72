//! What a run warns of before it begins, and what it says to do after it has failed: `0.0.0.0/0` on an allow list, and hints that
//! name the next command.

use crate::common::cloud::{Cloud, FIREWALLS};
use crate::common::program::{Said, User};
use crate::common::terminal::{COLUMNS, Terminal};
use provision::google::{Api, Call};
use serde_json::json;

const EVERYBODY: [&str; 2] = ["--authorized-network", "0.0.0.0/0"];
const WARNING: &str = "warning: cluster: 0.0.0.0/0 is on the allow list, so every machine on the internet may reach the API server; name your own ranges with --authorized-network";
/// The chapters with the cluster.
const CLUSTER: [&str; 3] = ["--emulate", "--through", "cluster"];

fn warnings(text: &str) -> usize {
    text.matches("on the allow list, so every machine").count()
}

#[test]
fn everybody_on_the_allow_list_is_a_warning() {
    let user = User::new();
    let run = |verb: &[&str], flags: &[&str]| user.run(&[verb, &CLUSTER, flags].concat());
    let warned = |said: &Said| {
        assert_eq!(warnings(&said.err), 1, "{}", said.err);
        assert!(said.err.lines().any(|line| line == WARNING), "{}", said.err);
    };
    warned(&run(&["plan"], &EVERYBODY).ends(3));
    // A range of one's own is none, and a program is not told.
    let own = ["--authorized-network", "192.0.2.0/24"];
    assert_eq!(warnings(&run(&["plan"], &own).ends(3).err), 0);
    let json = run(&["plan", "--output", "json"], &EVERYBODY).ends(3);
    assert_eq!(warnings(&json.err) + warnings(&json.out), 0);
    // Without the cluster there is no allow list.
    let early = ["plan", "--emulate", "--through", "network"];
    let early = user.run(&[&early[..], &EVERYBODY].concat()).ends(3);
    assert_eq!(warnings(&early.err), 0, "{}", early.err);

    // Who is asked is warned before the question.
    let mut asked = Terminal::start(
        &user,
        COLUMNS,
        &[&["up"], &CLUSTER[..], &EVERYBODY].concat(),
    );
    asked.shows("[y/N]");
    asked.types(b"no\n");
    asked.ends(1);
    let text = asked.written_lines().join(" ").replace("   ", " ");
    assert!(text.contains(WARNING), "{text}");
    assert!(text.find(WARNING) < text.find("[y/N]"), "{text}");
    assert_eq!(warnings(&text), 1, "{text}");
    warned(&run(&["up", "--yes"], &EVERYBODY).ends(0));
    // It lives with that list: each plan and each run says so.
    warned(&run(&["plan"], &EVERYBODY).ends(0));
    warned(&run(&["up", "--yes"], &EVERYBODY).ends(0));
}

/// Whether a text names a command, a flag, or a page to read.
fn names_what_to_do(hint: &str) -> bool {
    let quotes = ["`provision ", "`kubectl ", "`gcloud "];
    let is_flag = |word: &str| word.starts_with("--") || word.starts_with("(--");
    quotes.iter().any(|quote| hint.contains(quote))
        || hint.contains("https://")
        || hint.split_whitespace().any(is_flag)
}

/// The hints of a run that has failed: at least one, and each names what to do.
#[track_caller]
fn hints(said: &Said) -> Vec<String> {
    let lines = said.err.lines();
    let hints: Vec<String> = lines
        .filter_map(|line| line.strip_prefix("hint: "))
        .map(str::to_owned)
        .collect();
    assert!(!hints.is_empty(), "no hint: {}", said.err);
    for hint in &hints {
        assert!(names_what_to_do(hint), "{hint}");
    }
    hints
}

/// What steps say of themselves: a reason is no hint.
fn sentences(cloud: &Cloud) -> Vec<String> {
    let steps = cloud.run(&["steps", "--output", "json"]).ends(0).out;
    let says = steps.lines().map(|line| {
        let step: serde_json::Value = serde_json::from_str(line).unwrap();
        step["says"].as_str().unwrap().replace('\n', " ")
    });
    says.filter(|says| says.len() > 20).collect()
}

#[test]
fn a_hint_names_the_next_command() {
    let cloud = Cloud::new();
    let through = ["--through", "network"];
    let up = ["up", "--yes"];
    let mut all = Vec::new();
    let mut fails = |args: &[&str], code: i32, words: &str| {
        let said = cloud.run(args).ends(code);
        let found = hints(&said);
        let all_hints = found.join("\n");
        assert!(all_hints.contains(words), "{all_hints}");
        all.extend(found);
    };
    // Before anything is there: what is not there yet, what cannot be asked, what was written wrongly.
    fails(&["verify"], 1, "`provision up`");
    fails(&["output", "network"], 1, "`provision up`");
    fails(&["up"], 2, "`provision plan`");
    fails(
        &[&up[..], &["--set", "nodes"]].concat(),
        2,
        "`provision steps`",
    );
    fails(&["config", "--unset", "nodse"], 2, "`provision config`");
    // Somebody else's resource has the name of ours.
    let network = "projects/egress-demo/global/networks";
    let services = "v1/projects/egress-demo/services/compute.googleapis.com:enable";
    cloud.call(Call::post(Api::ServiceUsage, services).json(json!({})));
    cloud.call(Call::post(Api::Compute, network).json(json!({
        "name": "vpc-network", "autoCreateSubnetworks": false, "routingConfig": {"routingMode": "GLOBAL"},
    })));
    fails(&[&up[..], &through].concat(), 1, "another project");
    cloud.call(Call::delete(Api::Compute, format!("{network}/vpc-network")));
    cloud.run(&[&up[..], &through].concat()).ends(0);
    // A difference that cannot be made, a place that cannot be changed, a journal without its record.
    let range = ["--set", "subnet_range=10.9.0.0/24"];
    fails(
        &[&up[..], &through, &range].concat(),
        1,
        "`provision up --replace subnet-gke`",
    );
    let zone = ["--zone", "us-east1-b"];
    fails(&[&up[..], &through, &zone].concat(), 2, "--env NAME");
    fails(&["config", "--unset", "zone"], 2, "`provision down`");
    // What somebody else uses cannot be deleted.
    let rule = json!({
        "name": "theirs", "network": "global/networks/vpc-network", "allowed": [{"IPProtocol": "tcp"}],
    });
    cloud.call(Call::post(Api::Compute, FIREWALLS).json(rule));
    fails(&["down", "--yes"], 1, "`provision adopt`");

    let sentences = sentences(&cloud);
    assert!(sentences.len() > 50);
    for hint in all {
        let said = sentences.iter().find(|says| hint.contains(says.as_str()));
        assert_eq!(said, None, "the sentence of a step is no hint: {hint}");
    }
}
