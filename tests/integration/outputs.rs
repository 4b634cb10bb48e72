//! `output`: the values that a chapter declares, read from the live resources, for people, for shells and for programs.

use std::fs;

use serde_json::{Value, json};

use crate::common::methods::{Document, full, shape};
use crate::common::program::{User, below};
use provision::kinds::resource_table::ROWS;

/// What the tutorial's own outputs are after a full run.
const VALUES: &[(&str, &str)] = &[
    ("network", "vpc-network"),
    ("subnet", "subnet-gke"),
    (
        "application-account",
        "sa-application-nodes@egress-demo.iam.gserviceaccount.com",
    ),
    (
        "gateway-account",
        "sa-gateway-nodes@egress-demo.iam.gserviceaccount.com",
    ),
    ("cluster", "cluster1"),
    (
        "gateway-service",
        "istio-egressgateway.istio-egress.svc.cluster.local",
    ),
];

#[test]
fn the_values_of_a_full_run_are_printed_for_people_shells_and_programs() {
    let user = User::new();
    let before = user.run(&["output", "--emulate"]).ends(0);
    assert!(
        before.out.contains("none: vpc-network does not exist\n"),
        "{}",
        before.out
    );
    let absent = user.run(&["output", "network", "--emulate"]).ends(1);
    assert_eq!(
        (absent.out.as_str(), absent.err.as_str()),
        (
            "",
            "error: network: vpc-network does not exist yet\nhint: `provision up` creates it\n"
        )
    );
    user.run(&["up", "--emulate", "--yes"]).ends(0);
    let all = user.run(&["output", "--emulate"]).ends(0).out;
    for (name, value) in VALUES {
        let row = all
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        assert!(
            row.is_some_and(|row| row.ends_with(&format!("  {value}"))),
            "{name}: {all}"
        );
        let bare = user.run(&["output", name, "--emulate"]).ends(0);
        assert_eq!((bare.out, bare.err), (format!("{value}\n"), String::new()));
    }
    assert!(all.lines().all(|line| line.chars().count() <= 80), "{all}");
    let chosen = "Google chooses the addresses and may change them";
    assert!(all.contains(&format!("  none: {chosen}\n")), "{all}");
    let nat = user.run(&["output", "nat-addresses", "--emulate"]).ends(0);
    assert_eq!(
        (nat.out, nat.err),
        (
            String::new(),
            format!("note: nat-addresses is empty: {chosen}\n")
        )
    );
    let endpoint = user
        .run(&["output", "cluster-endpoint", "--emulate"])
        .ends(0);
    assert!(endpoint.out.starts_with("127.0.0.1:"), "{}", endpoint.out);

    let lines = user
        .run(&["output", "--emulate", "--output", "json"])
        .ends(0)
        .out;
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), all.lines().count());
    let network = lines
        .iter()
        .find(|line| line["output"] == "network")
        .unwrap();
    assert_eq!(network["value"], "vpc-network");
    let nat = lines
        .iter()
        .find(|line| line["output"] == "nat-addresses")
        .unwrap();
    assert_eq!(
        (&nat["value"], &nat["none"]),
        (&Value::Null, &json!(chosen))
    );
    assert_eq!(
        user.run(&["plan", "--emulate"]).ends(0).code,
        Some(0),
        "nothing was changed"
    );
}

#[test]
fn an_unknown_output_is_refused_with_the_nearest_before_anything_is_read() {
    let user = User::new();
    let said = user.run(&["output", "buckt", "--emulate"]).ends(2);
    let expected =
        "error: unknown output `buckt`, did you mean `bucket`?\nhint: use one of network, ";
    assert!(said.err.starts_with(expected), "{}", said.err);
    assert_eq!(below(user.home()), [user.home()]);
}

/// A chapter for `--overlay`: the tutorial's router with a static address, and outputs of its own.
const STATIC: &str = "chapter: static-nat\ntitle: Static addresses\nsays: Partners can allow them.\n---\n\
    step: nat-address\nsays: The address.\nkind: compute.address\nneeds: [services]\n\
    at: {project: \"${param.project}\", region: \"${param.region}\", address: nat-1}\n\
    want: {addressType: EXTERNAL, networkTier: PREMIUM}\n---\n\
    step: static-router\nsays: The NAT.\nkind: compute.router\n\
    at: {project: \"${param.project}\", region: \"${param.region}\", router: nat-router}\n\
    want:\n  network: ${vpc-network.selfLink}\n  nats:\n    - name: nat-config\n      natIpAllocateOption: MANUAL_ONLY\n      \
    natIps: [\"${nat-address.selfLink}\"]\n      sourceSubnetworkIpRangesToNat: ALL_SUBNETWORKS_ALL_IP_RANGES\n---\n\
    output: partner\nsays: For a partner.\nvalue: ${nat-address.address}/32 of ${param.project}\n";

#[test]
fn static_addresses_are_listed_and_an_overlay_has_outputs_of_its_own() {
    let user = User::new();
    let over = user.home().join("over");
    fs::create_dir(&over).unwrap();
    fs::write(over.join("95-static-nat.yaml"), STATIC).unwrap();
    let run = |verb: &[&str]| user.run(&[verb, &["--emulate", "--overlay", "over"]].concat());
    run(&["up", "--yes"]).ends(0);
    let address = run(&["output", "nat-addresses"]).ends(0).out;
    assert!(address.starts_with("198.51.100."), "{address}");
    let partner = run(&["output", "partner"]).ends(0).out;
    assert_eq!(partner, format!("{}/32 of egress-demo\n", address.trim()));
}

#[test]
fn an_output_of_a_field_that_is_not_there_is_refused_with_its_line() {
    let user = User::new();
    let over = user.home().join("over");
    fs::create_dir(&over).unwrap();
    fs::write(
        over.join("95-mine.yaml"),
        "chapter: mine\ntitle: t\nsays: s\n---\noutput: link\nsays: s\nvalue: ${vpc-network.selfLnk}\n",
    )
    .unwrap();
    let said = user
        .run(&["output", "--emulate", "--overlay", "over"])
        .ends(2);
    assert_eq!(
        said.err,
        "error: over/95-mine.yaml:5: link: `vpc-network`: compute.network gives no `selfLnk`, did you mean `selfLink`?\n"
    );
}

#[test]
fn every_value_that_a_request_of_its_own_reads_is_one_that_google_serves() {
    let mut looked = 0;
    for row in ROWS {
        let Some(derived) = row.derived else { continue };
        looked += 1;
        let document = Document::of(row.api, row.path).unwrap();
        let path = shape(&full(row.api, &format!("{}/{}", row.path, derived.method)));
        let method = document.serving("GET", &path).unwrap();
        let list = derived.list.trim_start_matches('/').replace('/', ".");
        let field = document.field(method.response(), &format!("{list}.{}", derived.field));
        assert!(field.is_some(), "{}: {}", row.kind, derived.name);
    }
    assert!(looked > 0);
}
