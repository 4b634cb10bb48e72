//! A plan that is saved, read by somebody, and carried out: exactly it, or nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use provision::google::{Api, Call};
use serde_json::json;

use crate::common::changed_steps::changed_steps;
use crate::common::cloud::{Cloud, PROJECT, variables};
use crate::common::program::{Said, User, says_as_wanted};

const PLAN: [&str; 5] = ["plan", "--through", "network", "--out", "approved.json"];

/// A cloud with a project whose APIs are enabled.
fn enabled() -> Cloud {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes", "--through", "project"]).ends(0);
    cloud
}

/// Somebody else's network of the tutorial's name, with other settings.
fn theirs(cloud: &Cloud) {
    let body = json!({"name": "vpc-network", "autoCreateSubnetworks": false, "routingConfig": {"routingMode": "GLOBAL"}});
    let path = format!("projects/{PROJECT}/global/networks");
    cloud.call(Call::post(Api::Compute, path).json(body));
}

/// A user with a saved plan of an emulated network in another zone and with another range.
fn planned() -> (User, PathBuf) {
    let user = User::new();
    let flags = ["--emulate", "--zone", "europe-west1-b"];
    let set = ["--set", "subnet_range=10.200.0.0/22"];
    let said = user.run(&[&PLAN[..], &flags, &set].concat()).ends(3);
    let expected = "saved: `provision up approved.json` does this and nothing else\n";
    assert!(said.err.ends_with(expected), "{}", said.err);
    let file = user.home().join("approved.json");
    (user, file)
}

#[test]
fn what_was_approved_is_done_without_a_flag_or_a_question() {
    let (user, file) = planned();
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let said = user.run(&["up", "approved.json"]).ends(0);
    assert!(said.place.contains("zone europe-west1-b, EMULATOR"));
    let plan = user.run(&["plan", "--emulate", "--through", "network"]);
    assert!(says_as_wanted(&plan.ends(0).out));
    let output = user.run(&["config", "--emulate"]).ends(0).out;
    assert!(output.contains("10.200.0.0/22"), "{output}");
    // The same file once more: it says to create what exists now.
    let again = user.run(&["up", "approved.json"]).ends(1);
    let expected = "error: vpc-network: the plan says: create; now: as wanted\n";
    assert!(again.err.contains(expected), "{}", again.err);
    assert!(
        again
            .err
            .contains("hint: make a new plan with `provision plan --out approved.json`"),
        "{}",
        again.err
    );
}

#[test]
fn a_plan_for_another_cloud_or_that_moved_changes_nothing() {
    let cloud = Cloud::new();
    cloud.run(&PLAN).ends(3);
    let other = Cloud::new();
    let mut there = cloud.user.command(&["up", "approved.json"]);
    there.envs(variables(other.address()));
    let before = other.inventory();
    let said = Said::of(there.output().unwrap(), cloud.user.home()).ends(1);
    assert!(
        said.err.contains("the plan is for the emulator "),
        "{}",
        said.err
    );
    assert_eq!(other.inventory(), before);

    let cloud = enabled();
    cloud.run(&PLAN).ends(3);
    theirs(&cloud);
    let before = cloud.inventory();
    let said = cloud.run(&["up", "approved.json"]).ends(1);
    let expected = "error: vpc-network: the plan says: create; now: not created by provision, and differs in routingConfig.routingMode \"GLOBAL\" -> \"REGIONAL\"";
    assert!(said.err.contains(expected), "{}", said.err);
    assert_eq!(cloud.inventory(), before);
}

#[test]
fn a_plan_names_its_steps_and_notices_their_change() {
    let user = User::new();
    let folder = changed_steps(user.home(), &[]);
    let flags = ["--emulate", "--steps", &folder];
    user.run(&[&PLAN[..], &flags].concat()).ends(3);
    let file = user.home().join("changed-steps/20-network.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("REGIONAL", "GLOBAL")).unwrap();
    let said = user.run(&["up", "approved.json"]).ends(1);
    let expected = "error: vpc-network: the plan has another value of routingConfig.routingMode\n";
    assert!(said.err.contains(expected), "{}", said.err);
    fs::write(&file, text).unwrap();
    user.run(&["up", "approved.json"]).ends(0);
}

#[test]
fn a_flag_that_the_plan_decides_and_a_file_that_is_no_plan_are_refused() {
    let (user, file) = planned();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(user.home().join("notes"), "mine").unwrap();
    let version = format!("\"provision\": \"{}\"", env!("CARGO_PKG_VERSION"));
    fs::write(
        user.home().join("older"),
        text.replace(&version, "\"provision\": \"0.0.1\""),
    )
    .unwrap();
    fs::write(user.home().join("cut"), &text[..text.len() / 2]).unwrap();
    for (args, expected) in [
        (
            &["approved.json", "--through", "network"][..],
            "error: the argument '[FILE]' cannot be used with '--through",
        ),
        (
            &["approved.json", "--adopt"],
            "error: the argument '[FILE]' cannot be used with '--adopt",
        ),
        (
            &["approved.json", "--set", "nodes=2"],
            "error: --set has no effect beside a plan",
        ),
        (
            &["approved.json", "--zone", "europe-west1-c"],
            "error: --zone has no effect beside a plan",
        ),
        (
            &["approved.json", "--env", "blue"],
            "error: --env has no effect beside a plan",
        ),
        (
            &["approved.json", "--project", "other-proj"],
            "error: --project has no effect beside a plan",
        ),
        (
            &["approved.json", "--steps", "x"],
            "error: --steps has no effect beside a plan",
        ),
        (&["network"], "error: network: No such file or directory"),
        (&["notes"], "error: notes: not a plan: "),
        (&["."], "error: .: not a plan\n"),
        (&["cut"], "error: cut: not a plan: "),
        (
            &["older"],
            "error: older was made by another version, provision 0.0.1",
        ),
    ] {
        let said = user.run(&[&["up"], args].concat()).ends(2);
        assert!(said.err.contains(expected), "{args:?}: {}", said.err);
    }
    // Another file is not replaced, and an older plan is.
    let plan = ["plan", "--emulate", "--through", "network", "--out"];
    let said = user.run(&[&plan[..], &["notes"]].concat()).ends(2);
    let expected = "error: notes exists and is not a plan, so it is not replaced\n";
    assert!(said.err.contains(expected), "{}", said.err);
    assert_eq!(
        fs::read_to_string(user.home().join("notes")).unwrap(),
        "mine"
    );
    user.run(&[&plan[..], &["approved.json"]].concat()).ends(3);
    assert_ne!(fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn a_plan_that_cannot_be_carried_out_is_not_saved() {
    let cloud = enabled();
    theirs(&cloud);
    let said = cloud.run(&PLAN).ends(1);
    let expected = "error: approved.json was not written, because the plan cannot be carried out: vpc-network\n";
    assert!(said.err.contains(expected), "{}", said.err);
    assert!(!cloud.user.home().join("approved.json").exists());
}

#[test]
fn a_plan_is_carried_out_once() {
    let user = User::new();
    user.run(&["up", "--yes", "--emulate", "--through", "network"])
        .ends(0);
    // Nothing that can be seen tells the new subnet from the old one.
    let replace = ["--replace", "subnet-gke", "--emulate"];
    user.run(&[&PLAN[..], &replace].concat()).ends(3);
    let said = user.run(&["up", "approved.json"]).ends(0);
    assert!(said.out.contains("1 created, 1 removed"), "{}", said.out);
    let again = user.run(&["up", "approved.json"]).ends(1);
    assert!(
        again.err.contains("error: `provision up` ran at 20"),
        "{}",
        again.err
    );
    let plan = user.run(&["plan", "--emulate", "--through", "network"]);
    assert!(says_as_wanted(&plan.ends(0).out));
}
