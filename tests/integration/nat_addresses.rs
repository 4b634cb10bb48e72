//! Static addresses of the NAT, and the logs of NAT and firewall: parameters of a living environment, switched on and off again.

use std::fs;

use crate::common::changed_steps::changed_steps;
use crate::common::cloud::{Cloud, FIREWALLS, PROJECT};
use crate::common::program::{User, says_as_wanted};
use provision::google::{Api, Call};
use serde_json::{Value, json};

/// A cloud, and a copy of the steps that ends with the firewall: `--through` would not delete what no step asks for any more.
fn cloud() -> Cloud {
    let cloud = Cloud::new();
    let folder = changed_steps(cloud.user.home(), &[]);
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_file() && name.as_str() > "27" && name != "params.yaml" {
            fs::remove_file(path).unwrap();
        }
    }
    cloud
}

/// The flags that name this copy, which is in the user's home.
const STEPS: [&str; 2] = ["--steps", "changed-steps"];

/// Runs `up` with these values.
fn up(cloud: &Cloud, values: &[&str]) {
    let sets = values.iter().flat_map(|value| ["--set", value]);
    let args: Vec<&str> = ["up", "--yes"]
        .into_iter()
        .chain(STEPS)
        .chain(sets)
        .collect();
    cloud.run(&args).ends(0);
    let plan = cloud.run(&[&["plan"][..], &STEPS].concat()).ends(0).out;
    assert!(says_as_wanted(&plan), "{values:?}: {plan}");
}

/// The one NAT.
fn nat(cloud: &Cloud) -> Value {
    let path = format!("projects/{PROJECT}/regions/us-central1/routers/nat-router");
    cloud.call(Call::get(Api::Compute, path))["nats"][0].clone()
}

/// The names of the reserved addresses.
fn addresses(cloud: &Cloud) -> Vec<String> {
    let path = format!("projects/{PROJECT}/regions/us-central1/addresses");
    let list = cloud.call(Call::get(Api::Compute, path));
    let items = list["items"].as_array().into_iter().flatten();
    let mut names: Vec<String> = items
        .map(|one| one["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

fn is_logged(cloud: &Cloud, rule: &str) -> Value {
    cloud.call(Call::get(Api::Compute, format!("{FIREWALLS}/{rule}")))["logConfig"]["enable"]
        .clone()
}

#[test]
fn addresses_come_grow_and_go_again() {
    let cloud = cloud();
    up(&cloud, &[]);
    let before = nat(&cloud);
    assert_eq!(before["natIpAllocateOption"], "AUTO_ONLY");
    up(&cloud, &["nat_addresses=1"]);
    let one = nat(&cloud)["natIps"].clone();
    assert_eq!(one.as_array().map(Vec::len), Some(1), "{one}");
    up(&cloud, &["nat_addresses=3"]);
    let three = nat(&cloud);
    assert_eq!(three["natIpAllocateOption"], "MANUAL_ONLY");
    assert_eq!(three["natIps"].as_array().map(Vec::len), Some(3), "{three}");
    // The address that partners know already stays.
    assert_eq!(three["natIps"][0], one[0]);
    assert_eq!(
        addresses(&cloud),
        ["nat-address-1", "nat-address-2", "nat-address-3"]
    );
    up(&cloud, &["nat_addresses=2"]);
    assert_eq!(addresses(&cloud), ["nat-address-1", "nat-address-2"]);
    up(&cloud, &["nat_addresses=0"]);
    assert_eq!(nat(&cloud), before);
    assert_eq!(addresses(&cloud), [""; 0]);
    up(&cloud, &["nat_addresses=2"]);
    let down = cloud
        .run(&[&["down", "--yes"][..], &STEPS].concat())
        .ends(0);
    assert!(!down.out.contains("left:"), "{}", down.out);
    assert_eq!(addresses(&cloud), [""; 0]);
}

#[test]
fn logs_are_switched_on_and_off() {
    let cloud = cloud();
    up(
        &cloud,
        &[
            "firewall_logging=true",
            "nat_logging=errors",
            "nat_addresses=1",
        ],
    );
    assert_eq!(
        nat(&cloud)["logConfig"],
        json!({"enable": true, "filter": "ERRORS_ONLY"})
    );
    assert_eq!(is_logged(&cloud, "global-deny-egress-all"), true);
    up(&cloud, &["firewall_logging=false", "nat_logging=off"]);
    assert_eq!(nat(&cloud)["logConfig"], Value::Null);
    assert_eq!(nat(&cloud)["natIpAllocateOption"], "MANUAL_ONLY");
    assert_eq!(is_logged(&cloud, "global-deny-egress-all"), false);
}

#[test]
fn what_these_parameters_do_not_take_is_refused() {
    let user = User::new();
    for (set, told) in [
        (
            "nat_addresses=4",
            "parameter `nat_addresses`: unknown value `4`",
        ),
        (
            "nat_addresses=-1",
            "parameter `nat_addresses`: unknown value `-1`",
        ),
        (
            "nat_logging=on",
            "parameter `nat_logging`: unknown value `on`",
        ),
        (
            "firewall_logging=yes",
            "parameter `firewall_logging`: unknown value `yes`",
        ),
    ] {
        let said = user.run(&["plan", "--emulate", "--set", set]).ends(2);
        assert!(said.err.contains(told), "{}", said.err);
    }
}
