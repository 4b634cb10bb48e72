//! An environment in a network that exists already: what is not ours is looked at and never changed, rules apply only to our own
//! nodes, and the ranges of two environments do not overlap.

use provision::google::{Api, Call};
use serde_json::{Value, json};

use crate::common::cloud::{Cloud, FIREWALLS, PROJECT, between, is_change};
use crate::common::program::says_as_wanted;

/// The flag that names the network.
const SHARED: [&str; 2] = ["--set", "network=shared"];

fn enable(cloud: &Cloud, project: &str) {
    let body = json!({"serviceIds": ["compute.googleapis.com", "dns.googleapis.com", "container.googleapis.com"]});
    let path = format!("v1/projects/{project}/services:batchEnable");
    cloud.call(Call::post(Api::ServiceUsage, path).json(body));
}

/// Somebody else's network in a project, with a subnetwork in it.
fn network_in(cloud: &Cloud, project: &str) {
    enable(cloud, project);
    let network = json!({"name": "shared", "autoCreateSubnetworks": false});
    let path = format!("projects/{project}/global/networks");
    cloud.call(Call::post(Api::Compute, path).json(network));
    let link = format!("projects/{project}/global/networks/shared");
    let subnetwork = json!({"name": "theirs", "network": link, "ipCidrRange": "10.90.0.0/24"});
    let path = format!("projects/{project}/regions/us-central1/subnetworks");
    cloud.call(Call::post(Api::Compute, path).json(subnetwork));
}

fn shared() -> Cloud {
    let cloud = Cloud::new();
    network_in(&cloud, PROJECT);
    cloud
}

fn run<'a>(cloud: &Cloud, verb: &[&'a str], more: &[&'a str]) -> crate::common::program::Said {
    cloud.run(&[verb, &SHARED, more].concat())
}

#[test]
fn the_network_of_others_is_looked_at_and_stays_as_it_was() {
    let cloud = shared();
    let before = cloud.inventory();
    let plan = run(&cloud, &["plan"], &[]).ends(3).out;
    for words in [
        "global-deny-egress-all-own-nodes",
        "a rule without a target would cut off every other machine",
        "private-google-apis-network-wide",
    ] {
        assert!(
            plan.replace("\n      ", " ").contains(words),
            "{words}: {plan}"
        );
    }
    let (up, sent) = cloud.changes(&[&["up", "--yes"][..], &SHARED].concat());
    up.ends(0);
    let theirs = |path: &str| {
        ["/networks/shared", "/subnetworks/theirs"]
            .iter()
            .any(|end| path.ends_with(end))
    };
    let touched: Vec<_> = sent.iter().filter(|one| theirs(&one.path)).collect();
    assert!(touched.is_empty(), "{touched:?}");
    let rule = cloud.call(Call::get(
        Api::Compute,
        format!("{FIREWALLS}/global-deny-egress-all"),
    ));
    let accounts = ["sa-application-nodes", "sa-gateway-nodes"]
        .map(|name| format!("{name}@{PROJECT}.iam.gserviceaccount.com"));
    assert_eq!(rule["targetServiceAccounts"], json!(accounts));
    let path = format!("projects/{PROJECT}/regions/us-central1/routers/nat-router");
    let nat = cloud.call(Call::get(Api::Compute, path))["nats"][0].clone();
    assert_eq!(nat["sourceSubnetworkIpRangesToNat"], "LIST_OF_SUBNETWORKS");
    assert!(says_as_wanted(&run(&cloud, &["plan"], &[]).ends(0).out));
    run(&cloud, &["verify"], &[]).ends(0);
    let status = run(&cloud, &["status"], &[]).ends(0).out;
    let line = status.lines().find(|line| line.starts_with("vpc-network"));
    assert!(line.unwrap().contains("looked up"), "{status}");
    // Every rule that this environment made names its nodes; those of GKE name the cluster's by a tag. The project's default network
    // has rules of its own.
    let rules = cloud.call(Call::get(Api::Compute, FIREWALLS));
    let elsewhere = |rule: &&Value| {
        let network = rule["network"].as_str().unwrap();
        network.ends_with("/networks/default")
    };
    let rules = rules["items"].as_array().unwrap().iter();
    for rule in rules.filter(|rule| !elsewhere(rule)) {
        let aimed = rule.get("targetServiceAccounts").or(rule.get("targetTags"));
        assert!(aimed.is_some(), "{rule}");
    }

    let adopt = run(&cloud, &["adopt", "--yes"], &[]).ends(0).out;
    assert!(!adopt.contains("shared"), "{adopt}");
    let down = cloud.run(&["down", "--yes"]).ends(0);
    assert!(!down.out.contains("left:"), "{}", down.out);
    let changed = between(&before, &cloud.inventory());
    let network: Vec<&String> = changed
        .iter()
        .filter(|line| line.contains("/networks/") || line.contains("/subnetworks/"))
        .collect();
    assert!(network.is_empty(), "{changed:#?}");
}

#[test]
fn a_network_that_does_not_exist_stops_up_before_the_first_write() {
    let cloud = shared();
    for (flag, words) in [
        (
            "network=sharde",
            "compute.network sharde cannot be looked up: The resource 'projects/egress-demo/global/networks/sharde' was not found",
        ),
        (
            "subnet=nothing",
            "compute.subnetwork nothing cannot be looked up: The resource 'projects/egress-demo/regions/us-central1/subnetworks/nothing' was not found",
        ),
        (
            "subnet=theirs",
            "compute.subnetwork theirs exists, and is not as this step needs it",
        ),
    ] {
        let sets = match flag.starts_with("network") {
            true => vec!["--set", flag],
            false => vec!["--set", "network=shared", "--set", flag],
        };
        let (said, sent) = cloud.changes(&[&["up", "--yes"][..], &sets].concat());
        let said = said.ends(1);
        assert!(said.err.contains(words), "{flag}: {}", said.err);
        let hint = match words.contains("cannot be looked up") {
            true => format!(
                "or name another with --set {}=...",
                flag.split_once('=').unwrap().0
            ),
            false => "provision only looks it up".to_owned(),
        };
        assert!(said.err.contains(&hint), "{flag}: {}", said.err);
        assert_eq!(sent.len(), 0, "{flag}");
        cloud.run(&[&["plan"][..], &sets].concat()).ends(3);
    }
    // Nothing was remembered.
    cloud.run(&["plan"]).ends(3);
}

#[test]
fn explain_says_the_same_in_a_network_of_others() {
    let cloud = shared();
    let matrix = |more: &[&str]| {
        cloud
            .run(&[&["explain", "--matrix"][..], more].concat())
            .ends(0)
            .out
    };
    assert_eq!(matrix(&SHARED), matrix(&[]));
}

#[test]
fn a_subnet_a_router_and_zones_that_exist_are_used_as_they_are() {
    let cloud = shared();
    let (first, blue) = (["--env", "first"], ["--env", "blue"]);
    run(&cloud, &["up", "--yes"], &first).ends(0);
    // Another environment uses what the first one made.
    let sets = [
        "subnet=first-subnet-gke",
        "nat_router=first-nat-router",
        "googleapis_zone=first-private-google-apis",
        "gcr_io_zone=first-private-gcr-io",
        "pkg_dev_zone=first-private-pkg-dev",
        "control_plane_range=10.6.0.0/28",
    ];
    let flags: Vec<&str> = sets
        .iter()
        .flat_map(|set| ["--set", set])
        .chain(blue)
        .collect();
    let before = cloud.inventory();
    run(&cloud, &["up", "--yes"], &flags).ends(0);
    run(&cloud, &["verify"], &flags).ends(0);
    cloud.run(&["down", "--yes", "--env", "blue"]).ends(0);
    let changed = between(&before, &cloud.inventory());
    let theirs: Vec<&String> = changed
        .iter()
        .filter(|line| line.contains("/first-"))
        .collect();
    assert!(theirs.is_empty(), "{theirs:#?}");
    assert!(says_as_wanted(&run(&cloud, &["plan"], &first).ends(0).out));
}

#[test]
fn ranges_of_two_environments_in_one_network_do_not_overlap() {
    let cloud = shared();
    run(
        &cloud,
        &["up", "--yes", "--through", "network"],
        &["--env", "first"],
    )
    .ends(0);
    let blue = |set: &str| {
        let flags = ["--env", "blue", "--set", set];
        cloud.changes(
            &[
                &["up", "--yes", "--through", "network"][..],
                &SHARED,
                &flags,
            ]
            .concat(),
        )
    };
    for (set, words) in [
        (
            "subnet_range=10.0.0.0/25",
            "subnet_range 10.0.0.0/25 overlaps subnet_range of environment first 10.0.0.0/24 in network shared",
        ),
        ("subnet_range=10.90.0.0/16", "overlaps"),
    ] {
        let (said, sent) = blue(set);
        let said = said.ends(1);
        assert!(said.err.contains(words), "{}", said.err);
        assert!(
            said.err.contains("--set subnet_range=RANGE"),
            "{}",
            said.err
        );
        assert_eq!(sent.len(), 0, "{set}");
    }
    // A subnetwork of nobody's environment.
    let sets = [
        "subnet_range=10.90.0.0/24",
        "pods_range=10.91.0.0/16",
        "services_range=10.92.0.0/20",
        "control_plane_range=10.93.0.0/28",
    ];
    let flags: Vec<&str> = sets
        .iter()
        .flat_map(|set| ["--set", set])
        .chain(["--env", "blue"])
        .collect();
    let plan = run(&cloud, &["plan", "--through", "network"], &flags).ends(1);
    let words =
        "subnet_range 10.90.0.0/24 overlaps subnetwork theirs 10.90.0.0/24 in network shared";
    assert!(plan.err.contains(words), "{}", plan.err);
    let free = flags
        .iter()
        .map(|flag| flag.replace("10.90.0.0", "10.94.0.0"));
    let free: Vec<String> = free.collect();
    let free: Vec<&str> = free.iter().map(String::as_str).collect();
    run(&cloud, &["up", "--yes", "--through", "network"], &free).ends(0);
    // What lives is not compared with itself.
    run(&cloud, &["plan", "--through", "network"], &free).ends(0);
}

#[test]
fn an_environment_is_not_moved_into_another_network() {
    let cloud = shared();
    let up = ["up", "--yes", "--through", "network"];
    run(&cloud, &up, &[]).ends(0);
    let (said, sent) = cloud.changes(&[&up[..], &["--set", "network=other"]].concat());
    let said = said.ends(2);
    assert!(said.err.contains("network shared"), "{}", said.err);
    assert_eq!(sent.len(), 0);
    let replace = ["up", "--yes", "--replace", "vpc-network-existing"];
    let (said, sent) = cloud.changes(&[&replace[..], &SHARED].concat());
    let words = "--replace vpc-network-existing: it only looks up a resource that exists already";
    assert!(said.ends(2).err.contains(words));
    assert_eq!(sent.len(), 0);
}

#[test]
fn an_environment_in_its_own_network_is_not_moved_into_another() {
    let cloud = shared();
    let up = ["up", "--yes", "--through", "network"];
    cloud.run(&up).ends(0);
    for (set, exists) in [
        ("network=shared", "exists in a network of its own"),
        (
            "network_project=host-proj",
            "exists in network_project egress-demo",
        ),
        ("location=us-central1", "exists in location us-central1-a"),
    ] {
        let (said, sent) = cloud.changes(&[&up[..], &["--set", set]].concat());
        let said = said.ends(2);
        assert!(said.err.contains(exists), "{set}: {}", said.err);
        assert_eq!(sent.len(), 0);
    }
    // Where it is may be said.
    let set = ["--set", "location=us-central1-a", "--set", "network="];
    cloud.run(&[&up[..], &set].concat()).ends(0);
}

#[test]
fn with_a_shared_vpc_the_network_is_in_the_host_project() {
    let cloud = Cloud::new();
    network_in(&cloud, "host-proj");
    let host = ["--set", "network_project=host-proj"];
    let before = cloud.inventory();
    run(&cloud, &["up", "--yes"], &host).ends(0);
    assert!(says_as_wanted(&run(&cloud, &["plan"], &host).ends(0).out));
    run(&cloud, &["verify"], &host).ends(0);
    let names = cloud.inventory().into_keys();
    let misplaced: Vec<String> = names
        .filter(|name| name.contains(&format!("/{PROJECT}/")))
        .filter(|name| {
            [
                "/subnetworks/",
                "/routers/",
                "/firewalls/",
                "/managedZones/",
            ]
            .iter()
            .any(|part| name.contains(part))
        })
        .collect();
    assert!(misplaced.is_empty(), "{misplaced:#?}");
    let path = format!("v1/projects/{PROJECT}/locations/us-central1-a/clusters/cluster1");
    let cluster = cloud.call(Call::get(Api::Container, path));
    let network = "projects/host-proj/global/networks/shared";
    assert_eq!(cluster["networkConfig"]["network"], network);
    let live = run(
        &cloud,
        &["explain", "team-x", "http://example.com/", "--live"],
        &host,
    )
    .ends(0)
    .out;
    assert!(live.contains("firewall"), "{live}");
    let down = cloud.run(&["down", "--yes"]).ends(0);
    assert!(!down.out.contains("left:"), "{}", down.out);
    let changed = between(&before, &cloud.inventory());
    let left: Vec<&String> = changed
        .iter()
        .filter(|line| {
            line.contains("host-proj")
                && !line.contains("iamPolicy")
                && !line.contains("/services/")
        })
        .collect();
    assert!(left.is_empty(), "{left:#?}");
}

#[test]
fn roles_in_the_host_project_are_googles_to_ask_for() {
    let cloud = Cloud::new();
    network_in(&cloud, "host-proj");
    let flags = [
        "--set",
        "network_project=host-proj",
        "--set",
        "host_roles=granted",
    ];
    let said = run(&cloud, &["up", "--yes", "--through", "cluster"], &flags).ends(1);
    let words =
        "required \"container.hostServiceAgent.use\" permission(s) for \"projects/host-proj\"";
    assert!(said.err.contains(words), "{}", said.err);
    assert!(
        said.err
            .contains("grant roles/container.hostServiceAgentUser"),
        "{}",
        said.err
    );
    let policy = cloud.seen().into_iter().filter(|one| {
        one.path.contains("host-proj")
            && one.path.contains("etIamPolicy")
            && is_change(&one.method, &one.path)
    });
    assert_eq!(policy.count(), 0);
    // Somebody else's rule in a service project cannot name the host project's network.
    let rule = json!({"name": "stray", "network": "projects/host-proj/global/networks/shared", "allowed": [{"IPProtocol": "tcp"}]});
    assert!(!cloud.try_call(Call::post(Api::Compute, FIREWALLS).json(rule)));
}
