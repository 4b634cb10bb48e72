//! `--replace STEP`: a resource and what uses it are deleted and created again; everything else stays.

use crate::common::changed_steps::changed_steps;
use crate::common::cloud::{Cloud, PROJECT, between};
use crate::common::program::{User, says_as_wanted};
use provision::google::{Api, Call};
use serde_json::Value;

const UP: [&str; 2] = ["up", "--yes"];

/// What a run sent to delete and to create something, as `DELETE name` and `POST name`: the ends of the paths.
fn sent(cloud: &Cloud, args: &[&str]) -> Vec<String> {
    let (said, sent) = cloud.changes(args);
    said.ends(0);
    let told = sent.iter().map(|seen| {
        let end = seen.path.rsplit('/').next().unwrap_or_default();
        let name = seen.body["name"].as_str();
        let name = name.or(seen.body["accountId"].as_str()).unwrap_or_default();
        format!("{} {end} {name}", seen.method).trim().to_owned()
    });
    told.collect()
}

fn is_as_wanted(cloud: &Cloud, more: &[&str]) {
    let plan = cloud.run(&[&["plan"], more].concat()).ends(0).out;
    assert!(says_as_wanted(&plan), "{plan}");
}

#[test]
fn a_node_pool_alone_is_replaced_and_nothing_else_moves() {
    let cloud = Cloud::new();
    cloud.run(&UP).ends(0);
    let before = cloud.inventory();
    let objects = cloud.versions();
    let planned = cloud
        .run(&["plan", "--replace", "gateway-pool"])
        .ends(3)
        .out;
    assert!(planned.contains("-/+ gateway-pool"), "{planned}");
    assert!(planned.contains("1 to replace, 79 as wanted"), "{planned}");
    let sent = sent(&cloud, &["up", "--yes", "--replace", "gateway-pool"]);
    assert_eq!(sent, ["DELETE gateway", "POST nodePools"]);
    assert_eq!(between(&before, &cloud.inventory()), [""; 0]);
    assert_eq!(cloud.versions().len(), objects.len());
    is_as_wanted(&cloud, &[]);
    cloud.run(&["verify"]).ends(0);
    let down = cloud.run(&["down", "--yes"]).ends(0);
    assert!(!down.out.contains("left:"), "{}", down.out);
}

#[test]
fn a_difference_that_cannot_be_made_says_how_and_is_made_with_the_flag() {
    let cloud = Cloud::new();
    cloud.run(&UP).ends(0);
    let moved = ["--set", "subnet_range=10.9.0.0/24"];
    let planned = cloud.run(&[&["plan"], &moved[..]].concat()).ends(3).out;
    for words in [
        "-/+ subnet-gke",
        "provision up --replace subnet-gke",
        "ipCidrRange",
        "forces replacement",
        "cluster (with 2 pools and 38 objects)",
        "1 in the way",
    ] {
        assert!(planned.contains(words), "{words}: {planned}");
    }
    let (said, sent) = cloud.changes(&[&UP[..], &moved].concat());
    assert!(
        said.ends(1)
            .err
            .contains("provision up --replace subnet-gke")
    );
    assert_eq!(sent, []);

    let with = [&moved[..], &["--replace", "subnet-gke"]].concat();
    let planned = cloud.run(&[&["plan"], &with[..]].concat()).ends(3).out;
    for words in [
        "-/+ subnet-gke",
        "goes with subnet-gke",
        "goes with cluster",
        " to replace, ",
    ] {
        assert!(planned.contains(words), "{words}: {planned}");
    }
    assert!(!planned.contains("in the way"), "{planned}");
    // Nothing is asked where nobody can answer.
    cloud.run(&[&["up"], &with[..]].concat()).ends(2);
    let said = cloud.run(&[&UP[..], &with].concat()).ends(0);
    assert!(said.err.contains("subnet-gke"), "{}", said.err);
    let path = format!("projects/{PROJECT}/regions/us-central1/subnetworks/subnet-gke");
    let subnet: Value = cloud.call(Call::get(Api::Compute, path));
    assert_eq!(subnet["ipCidrRange"], "10.9.0.0/24");
    // The value is remembered like any other.
    is_as_wanted(&cloud, &[]);
    cloud.run(&["verify"]).ends(0);
    let down = cloud.run(&["down", "--yes"]).ends(0);
    assert!(!down.out.contains("left:"), "{}", down.out);
}

#[test]
fn an_account_takes_its_own_roles_along_and_no_others() {
    let cloud = Cloud::new();
    let through = ["--through", "cluster"];
    cloud.run(&[&UP[..], &through].concat()).ends(0);
    let before = cloud.inventory();
    let account = || {
        let path = format!(
            "v1/projects/{PROJECT}/serviceAccounts/sa-gateway-nodes@{PROJECT}.iam.gserviceaccount.com"
        );
        cloud.call(Call::get(Api::Iam, path))["uniqueId"].clone()
    };
    let old = account();
    let flags = ["--replace", "sa-gateway-nodes"];
    let (said, sent) = cloud.changes(&[&UP[..], &through, &flags].concat());
    said.ends(0);
    assert_ne!(account(), old);
    let policies = sent
        .iter()
        .filter(|seen| seen.path.ends_with(":setIamPolicy"));
    for policy in policies {
        assert!(
            policy.body.to_string().contains("sa-application-nodes@"),
            "{}",
            policy.body
        );
    }
    let clusters = sent.iter().filter(|seen| seen.path.ends_with("/clusters"));
    assert_eq!(clusters.count(), 0);
    assert_eq!(between(&before, &cloud.inventory()), [""; 0]);
    is_as_wanted(&cloud, &through);
    let down = cloud.run(&["down", "--yes"]).ends(0);
    assert!(!down.out.contains("left:"), "{}", down.out);
}

#[test]
fn what_cannot_be_replaced_is_refused_by_name_and_nothing_is_sent() {
    let cloud = Cloud::new();
    cloud
        .run(&[&UP[..], &["--through", "cluster"]].concat())
        .ends(0);
    for (args, told) in [
        (
            &["--replace", "gateway-pol"][..],
            "did you mean `gateway-pool`",
        ),
        (
            &["--replace", "services"],
            "leaves nothing that could be deleted",
        ),
        (
            &["--replace", "gateway-nodes"],
            "leaves nothing that could be deleted",
        ),
        (
            &["--replace", "mesh-feature"],
            "a project has only one gkehub.feature",
        ),
        (
            &["--replace", "cluster", "--through", "network"],
            "the step is in chapter cluster",
        ),
        (
            &["--replace", "subnet-gke", "--through", "firewall"],
            "would be deleted and not created again: cluster, ",
        ),
    ] {
        for verb in [&["plan"][..], &UP] {
            let (said, sent) = cloud.changes(&[verb, args].concat());
            let said = said.ends(2);
            assert!(said.err.contains(told), "{args:?}: {}", said.err);
            assert_eq!(sent, []);
        }
    }
    // What does not exist is only created.
    let plan = cloud.run(&["plan", "--replace", "membership"]).ends(3);
    assert!(
        plan.err
            .contains("it does not exist, so it is only created"),
        "{}",
        plan.err
    );
}

#[test]
fn a_saved_plan_replaces_what_it_says() {
    let cloud = Cloud::new();
    let through = ["--through", "network"];
    cloud.run(&[&UP[..], &through].concat()).ends(0);
    let flags = ["--replace", "subnet-gke", "--out", "saved.plan"];
    cloud
        .run(&[&["plan"], &through[..], &flags].concat())
        .ends(3);
    // Nothing beside the plan may change what it does.
    cloud
        .run(&["up", "saved.plan", "--replace", "vpc-network"])
        .ends(2);
    assert_eq!(
        sent(&cloud, &["up", "saved.plan"]),
        ["DELETE subnet-gke", "POST subnetworks subnet-gke"]
    );
    is_as_wanted(&cloud, &through);
}

#[test]
fn what_is_not_ours_is_not_replaced() {
    let cloud = Cloud::new();
    // The subnet is somebody else's.
    cloud
        .run(&[&UP[..], &["--through", "network"]].concat())
        .ends(0);
    let journal = crate::common::kill::journal_of(&cloud.user);
    std::fs::remove_file(&journal).unwrap();
    for step in ["subnet-gke", "vpc-network"] {
        let flags = ["--through", "network", "--replace", step];
        let (said, sent) = cloud.changes(&[&UP[..], &flags].concat());
        let said = said.ends(1);
        assert!(
            said.err
                .contains("was not created by provision, so it is not replaced"),
            "{}",
            said.err
        );
        assert_eq!(sent, []);
        // Not even where others may go on: nothing of what uses it is deleted.
        let (said, sent) = cloud.changes(&[&UP[..], &flags, &["--keep-going"]].concat());
        said.ends(1);
        assert_eq!(sent, []);
    }
}

#[test]
fn what_no_step_asks_for_is_deleted_before_the_network_that_it_is_in() {
    let cloud = Cloud::new();
    let home = cloud.user.home();
    let through = ["up", "--yes"];
    let subnet = "subnetwork: ${param.name_prefix}subnet-gke";
    let steps = changed_steps(home, &[]);
    for entry in std::fs::read_dir(&steps).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_file() && name.as_str() > "23" && name != "params.yaml" {
            std::fs::remove_file(path).unwrap();
        }
    }
    let flags = ["--steps", &steps];
    cloud.run(&[&through[..], &flags].concat()).ends(0);
    let file = std::path::Path::new(&steps).join("20-network.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let renamed = text
        .replace(subnet, "subnetwork: renamed")
        .replace("${param.subnet_range}", "10.99.0.0/24");
    assert_ne!(text, renamed);
    std::fs::write(
        &file,
        renamed
            .replace("${param.pods_range}", "10.80.0.0/14")
            .replace("${param.services_range}", "10.60.0.0/20"),
    )
    .unwrap();
    let replace = ["--replace", "vpc-network"];
    let said = cloud
        .run(&[&through[..], &flags, &replace].concat())
        .ends(0);
    assert!(said.out.contains("removed"), "{}", said.out);
    assert_eq!(cloud.there("compute", "/subnetworks/").len(), 1);
    is_as_wanted(&cloud, &flags);
    let down = cloud
        .run(&[&["down", "--yes"], &flags[..]].concat())
        .ends(0);
    assert!(!down.out.contains("left:"), "{}", down.out);
}

#[test]
fn the_flag_is_in_the_help_and_events_say_replace() {
    let user = User::new();
    for verb in ["up", "plan"] {
        let help = user.run(&[verb, "--help"]).ends(0).out;
        assert!(help.contains("--replace <STEP>"), "{help}");
    }
    let through = ["--emulate", "--through", "network"];
    user.run(&[&UP[..], &through].concat()).ends(0);
    let flags = ["--replace", "vpc-network", "--output", "json"];
    let plan = user
        .run(&[&["plan"], &through[..], &flags].concat())
        .ends(3)
        .out;
    let changes = plan.lines().filter_map(|line| {
        let event: Value = serde_json::from_str(line).unwrap();
        let change = event["change"].as_str()?.to_owned();
        Some((event["step"].as_str()?.to_owned(), change))
    });
    let replaced: Vec<String> = changes
        .filter(|(_, change)| change == "replace")
        .map(|(step, _)| step)
        .collect();
    assert_eq!(replaced, ["vpc-network", "subnet-gke"]);
    let up = user.run(&[&UP[..], &through, &flags].concat()).ends(0).out;
    let ended: Vec<(String, String)> = up
        .lines()
        .filter_map(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            let outcome = event["outcome"].as_str()?.to_owned();
            Some((event["step"].as_str()?.to_owned(), outcome))
        })
        .filter(|(_, outcome)| outcome != "unchanged")
        .collect();
    let told: Vec<String> = ended
        .iter()
        .map(|(step, outcome)| format!("{step} {outcome}"))
        .collect();
    assert_eq!(
        told,
        [
            "subnet-gke deleted",
            "vpc-network deleted",
            "vpc-network created",
            "subnet-gke created"
        ]
    );
}
