//! Whose a thing is when the journal does not say so: a journal that was lost or damaged, names that somebody else has taken,
//! and what was changed behind our back. What is a stranger's stays a stranger's.

use std::fs;
use std::path::PathBuf;

use crate::common::cloud::{Cloud, FIREWALLS, PROJECT, between};
use crate::common::program::says_as_wanted;
use provision::google::{Api, Call};
use provision::kinds::Kind;
use serde_json::{Value, json};

const UP: &[&str] = &["up", "--yes"];
const DOWN: &[&str] = &["down", "--yes"];
const ADOPT: &[&str] = &["adopt", "--yes"];
/// As far as the firewall rules: enough to be taken, and over in a moment.
const FIREWALL: &[&str] = &["up", "--yes", "--through", "firewall"];

/// The folder of the journal.
fn folder(cloud: &Cloud) -> PathBuf {
    cloud
        .user
        .home()
        .join(".local/state/provision")
        .join(PROJECT)
}

/// The entries of the journal.
fn entries(cloud: &Cloud) -> Vec<Value> {
    let text = fs::read_to_string(folder(cloud).join("journal.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The path of a network of the project.
fn network(name: &str) -> String {
    format!("projects/{PROJECT}/global/networks/{name}")
}

/// Makes things of somebody else's, in a network of theirs.
fn strangers(cloud: &Cloud) {
    cloud.run(&["up", "--yes", "--through", "project"]).ends(0);
    let theirs = json!({"name": "theirs", "autoCreateSubnetworks": false});
    cloud
        .call(Call::post(Api::Compute, format!("projects/{PROJECT}/global/networks")).json(theirs));
    cloud.call(Call::post(Api::Compute, FIREWALLS).json(json!({
        "name": "their-rule", "network": network("theirs"), "direction": "INGRESS",
        "sourceRanges": ["192.0.2.0/24"], "allowed": [{"IPProtocol": "tcp"}],
    })));
}

#[test]
fn a_lost_journal_is_rebuilt_and_down_then_leaves_nothing_of_ours() {
    let cloud = Cloud::new();
    strangers(&cloud);
    cloud.run(UP).ends(0);
    let built = cloud.inventory();
    fs::remove_dir_all(cloud.user.home().join(".local")).unwrap();

    let refused = cloud.run(&["adopt"]).ends(2);
    assert_eq!(
        refused.err,
        "error: `provision adopt` changes resources, and there is no terminal to ask for confirmation\nhint: check `provision plan` or `provision status`, then pass --yes\n"
    );
    let up = cloud.run(UP).ends(0);
    let hint = "note: not recorded as created by provision, so `provision down` keeps them: ";
    assert!(
        up.err.contains(hint) && up.err.contains("vpc-network"),
        "{}",
        up.err
    );

    let (said, sent) = cloud.changes(ADOPT);
    let said = said.ends(0);
    assert_eq!(sent, [], "nothing in the cloud is changed");
    for words in [
        "  + vpc-network ",
        "exists, as wanted\n",
        "exists, applied by the field manager provision\n",
        "roles/logging.logWriter serviceAccount:sa-application-nodes",
        " to adopt",
    ] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
    assert!(!said.out.contains("  ! "), "{}", said.out);
    assert_eq!(between(&cloud.inventory(), &built), [""; 0]);

    // A second time there is nothing left to adopt.
    let again = cloud.run(ADOPT).ends(0);
    assert!(again.out.ends_with(" in the journal\n"), "{}", again.out);
    assert!(says_as_wanted(&cloud.run(&["plan"]).ends(0).out));
    let status = cloud.run(&["status", "--output", "json"]).ends(0).out;
    let strange = status.lines().find(|line| {
        let row: Value = serde_json::from_str(line).unwrap();
        let kind = row["kind"].as_str().and_then(Kind::named).unwrap();
        kind.is_deletable() && line.contains("\"ours\":false")
    });
    assert_eq!(strange, None);

    let down = cloud.run(DOWN).ends(0);
    assert!(!down.out.contains("left:"), "{}", down.out);
    let clean = Cloud::new();
    strangers(&clean);
    clean.run(UP).ends(0);
    clean.run(DOWN).ends(0);
    assert_eq!(between(&cloud.inventory(), &clean.inventory()), [""; 0]);
    assert_eq!(
        cloud.there("compute", "their"),
        clean.there("compute", "their")
    );
}

#[test]
fn a_damaged_journal_is_kept_and_what_of_it_can_be_believed_counts() {
    let cloud = Cloud::new();
    let set = ["--set", "subnet_range=10.0.8.0/24"];
    cloud.run(&[FIREWALL, &set].concat()).ends(0);
    let built = cloud.inventory();
    let path = folder(&cloud).join("journal.jsonl");
    let good = fs::read_to_string(&path).unwrap();
    // Every record of the subnetwork, and a bit of another.
    let damaged: String = good
        .lines()
        .map(|line| {
            let line = line.replace("subnet-gke", "subnet-gkf");
            format!(
                "{}\n",
                line.replacen(
                    "\"took\":",
                    "\"took\": ",
                    usize::from(line.contains("vpc-network"))
                )
            )
        })
        .collect();
    fs::write(&path, &damaged).unwrap();
    for verb in [&["status"][..], UP, DOWN] {
        let said = cloud.run(verb).ends(2);
        assert!(
            said.err.contains("damaged records in lines "),
            "{}",
            said.err
        );
        assert!(said.err.contains("`provision adopt`"), "{}", said.err);
    }

    let (said, sent) = cloud.changes(&["adopt", "--yes", "--output", "json"]);
    assert_eq!(sent, []);
    let events: Vec<Value> = said
        .ends(0)
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let last = events.last().unwrap();
    assert_eq!(last["event"], "adopted");
    assert_eq!(
        last["steps"],
        json!(["subnet-gke"]),
        "the parameters are those of the run before"
    );
    let kept = last["damaged"]
        .as_str()
        .unwrap()
        .replace('~', cloud.user.home().to_str().unwrap());
    assert_eq!(fs::read_to_string(&kept).unwrap(), damaged);
    assert!(kept.contains("journal.jsonl.damaged-"), "{kept}");
    let found = events
        .iter()
        .find(|event| event["event"] == "found" && event["step"] == "vpc-network");
    assert_eq!(found.unwrap()["evidence"], "journal");

    let (said, sent) = cloud.changes(FIREWALL);
    said.ends(0);
    assert_eq!(sent, [], "up goes on with the same parameters");
    assert_eq!(between(&cloud.inventory(), &built), [""; 0]);
    cloud.run(DOWN).ends(0);
    assert_eq!(cloud.there("compute", ""), [""; 0]);
}

#[test]
fn what_has_our_name_and_is_something_else_is_not_adopted() {
    let cloud = Cloud::new();
    strangers(&cloud);
    // A rule of our name in their network: nobody moves a rule to another network.
    let rule = format!("{FIREWALLS}/allow-egress-gcp-apis");
    cloud.call(Call::post(Api::Compute, FIREWALLS).json(json!({
        "name": "allow-egress-gcp-apis", "network": network("theirs"), "direction": "EGRESS",
        "destinationRanges": ["192.0.2.0/24"], "allowed": [{"IPProtocol": "tcp"}],
    })));
    let theirs = cloud.call(Call::get(Api::Compute, &rule));
    let before = cloud.inventory();
    let differs = "compute.firewall allow-egress-gcp-apis already exists and was not created by provision: network is ";
    for args in [FIREWALL.to_vec(), [FIREWALL, &["--adopt"]].concat()] {
        // It cannot become as wanted, so it is not taken over either.
        let up = cloud.run(&args).ends(1);
        assert!(up.err.contains(differs), "{}", up.err);
        assert!(
            up.err.contains("it cannot be changed to match the step"),
            "{}",
            up.err
        );
    }
    fs::remove_dir_all(cloud.user.home().join(".local")).unwrap();
    let adopt = cloud.run(ADOPT).ends(0);
    assert!(
        adopt.out.contains("  ! allow-egress-gcp-apis ")
            && adopt.out.contains("exists, differs: network is "),
        "{}",
        adopt.out
    );
    let adopted =
        |entry: &Value| entry["entry"] == "adopted" && entry["step"] == "allow-egress-gcp-apis";
    assert!(!entries(&cloud).iter().any(adopted));
    cloud.run(DOWN).ends(0);
    // A policy that members came to and went from is written anew, and says the same.
    let differing = between(&before, &cloud.inventory());
    let differing = differing
        .iter()
        .filter(|name| !name.contains("/iamPolicy: "));
    assert_eq!(
        differing.collect::<Vec<_>>(),
        [""; 0],
        "nothing of theirs is gone, nothing of ours is left"
    );
    assert_eq!(cloud.call(Call::get(Api::Compute, &rule)), theirs);
}

#[test]
fn what_can_become_as_wanted_is_taken_over_where_that_was_asked_for() {
    let cloud = Cloud::new();
    cloud
        .run(&["up", "--yes", "--through", "service-accounts"])
        .ends(0);
    let rule = format!("{FIREWALLS}/allow-egress-gcp-apis");
    cloud.call(Call::post(Api::Compute, FIREWALLS).json(json!({
        "name": "allow-egress-gcp-apis", "network": network("vpc-network"), "direction": "EGRESS",
        "destinationRanges": ["192.0.2.0/24"], "allowed": [{"IPProtocol": "tcp"}],
    })));
    let keep_going = [FIREWALL, &["--keep-going"]].concat();
    let up = cloud.run(&keep_going).ends(1);
    assert!(
        up.err
            .contains("destinationRanges is [\"192.0.2.0/24\"], wanted"),
        "{}",
        up.err
    );
    assert!(
        up.err.contains("`provision up --adopt` takes it over"),
        "{}",
        up.err
    );

    let (said, sent) = cloud.changes(&[FIREWALL, &["--adopt"]].concat());
    let said = said.ends(0);
    assert!(said.out.contains("1 taken over"), "{}", said.out);
    assert_eq!(sent.len(), 1, "{sent:#?}");
    let live = cloud.call(Call::get(Api::Compute, &rule));
    assert_eq!(live["destinationRanges"], json!(["199.36.153.8/30"]));
    let adopted: Vec<Value> = entries(&cloud)
        .into_iter()
        .filter(|entry| entry["entry"] == "adopted")
        .map(|entry| entry["step"].clone())
        .collect();
    assert_eq!(adopted, ["allow-egress-gcp-apis"]);
    cloud.run(DOWN).ends(0);
    assert_eq!(cloud.there("compute", "/firewalls/"), [""; 0]);
}

#[test]
fn a_cluster_of_our_name_that_is_not_ours_stops_what_needs_it() {
    let cloud = Cloud::new();
    cloud
        .run(&["up", "--yes", "--through", "google-apis"])
        .ends(0);
    let clusters = format!("v1/projects/{PROJECT}/locations/us-central1-a/clusters");
    let body = json!({"cluster": {"name": "cluster1", "initialNodeCount": 1, "network": "vpc-network", "subnetwork": "subnet-gke"}});
    cloud.call(Call::post(Api::Container, &clusters).json(body));
    let up = cloud.run(UP).ends(1);
    assert!(
        up.err.contains(
            "container.cluster cluster1 already exists and was not created by provision: "
        ),
        "{}",
        up.err
    );
    let down = cloud.run(DOWN).ends(1);
    assert_eq!(
        cloud
            .there("container", "/clusters/cluster1")
            .first()
            .map(|_| ()),
        Some(())
    );
    assert!(
        down.out.contains("left:\n"),
        "its network cannot go: {}",
        down.out
    );
}

#[test]
fn what_was_changed_behind_our_back_is_shown_and_mended_or_told() {
    let cloud = Cloud::new();
    cloud.run(FIREWALL).ends(0);
    let built = cloud.inventory();
    let rule = format!("{FIREWALLS}/allow-egress-gcp-apis");
    cloud.call(Call::patch(Api::Compute, &rule).json(
        json!({"name": "allow-egress-gcp-apis", "destinationRanges": ["0.0.0.0/0"], "priority": 7}),
    ));
    let plan = cloud.run(&["plan", "--through", "firewall"]).ends(3).out;
    for words in [
        "allow-egress-gcp-apis",
        "0.0.0.0/0 -> 199.36.153.8/30",
        "7 -> 1000",
        "1 to change",
    ] {
        assert!(plan.contains(words), "{words}: {plan}");
    }
    let said = cloud.run(FIREWALL).ends(0);
    assert!(said.out.contains("1 changed"), "{}", said.out);
    assert_eq!(between(&cloud.inventory(), &built), [""; 0]);

    // Google wants to know which state of a subnetwork a change is meant for.
    let subnetwork = format!("projects/{PROJECT}/regions/us-central1/subnetworks/subnet-gke");
    let live = cloud.call(Call::get(Api::Compute, &subnetwork));
    let private = json!({"fingerprint": live["fingerprint"], "privateIpGoogleAccess": false});
    cloud.call(Call::patch(Api::Compute, &subnetwork).json(private));
    let said = cloud.run(FIREWALL).ends(0);
    assert!(said.out.contains("1 changed"), "{}", said.out);
    assert_eq!(between(&cloud.inventory(), &built), [""; 0]);

    // A subnetwork of another range stands where ours stood: nobody can change that in place.
    let subnetworks = format!("projects/{PROJECT}/regions/us-central1/subnetworks");
    cloud.call(Call::delete(
        Api::Compute,
        format!("{subnetworks}/subnet-gke"),
    ));
    cloud.call(Call::post(Api::Compute, &subnetworks).json(
        json!({"name": "subnet-gke", "network": network("vpc-network"), "ipCidrRange": "10.77.0.0/24", "privateIpGoogleAccess": true}),
    ));
    let plan = cloud.run(&["plan", "--through", "firewall"]).ends(3).out;
    assert!(
        plan.contains("must be replaced") && plan.contains("10.0.0.0/24, forces replacement"),
        "{plan}"
    );
    let said = cloud.run(FIREWALL).ends(1);
    assert!(
        said.err.contains("compute.subnetwork subnet-gke differs in fields that cannot be changed: ipCidrRange is \"10.77.0.0/24\", wanted"),
        "{}",
        said.err
    );
}

#[test]
fn a_journal_that_was_cut_short_leads_to_adopt() {
    let cloud = Cloud::new();
    cloud.run(FIREWALL).ends(0);
    let journal = folder(&cloud).join("journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    // Its last records are lost, with the first rule and all others; what is left is a valid journal.
    let rule = text.find("compute.firewall").unwrap();
    let cut = text[..rule].rfind('\n').unwrap() + 1;
    fs::write(&journal, &text[..cut]).unwrap();
    let down = cloud.run(DOWN).ends(1);
    assert!(
        down.err.contains("is already being used by") && down.err.contains("/firewalls/"),
        "{}",
        down.err
    );
    assert!(
        down.err
            .contains("run `provision adopt` and then `provision down` again"),
        "{}",
        down.err
    );
    cloud.run(ADOPT).ends(0);
    cloud.run(DOWN).ends(0);
    assert!(
        !cloud
            .inventory()
            .keys()
            .any(|what| what.contains("vpc-network"))
    );
}
