//! Changes of a living cluster's node pools: what GKE changes in place is changed in place, one field with each request.

use std::time::{Duration, Instant};

use crate::common::cloud::{Cloud, PROJECT};
use crate::common::program::says_as_wanted;
use provision::google::{Api, Call};
use serde_json::{Value, json};

const UP: &[&str] = &["up", "--yes"];

/// The path of a pool of the tutorial's cluster.
fn pool(name: &str) -> String {
    format!("v1/projects/{PROJECT}/locations/us-central1-a/clusters/cluster1/nodePools/{name}")
}

/// A pool as GKE reports it.
fn live(cloud: &Cloud, name: &str) -> Value {
    cloud.call(Call::get(Api::Container, pool(name)))
}

/// Runs `up` with these values; what it sent to GKE to change something: method, the end of the path, body.
fn sent(cloud: &Cloud, values: &[&str]) -> Vec<String> {
    let sets = values.iter().flat_map(|value| ["--set", value]);
    let args: Vec<&str> = UP.iter().copied().chain(sets).collect();
    let (said, sent) = cloud.changes(&args);
    said.ends(0);
    let to_pools = sent.iter().filter(|seen| seen.path.contains("/clusters/"));
    let told = to_pools.map(|seen| {
        let end = seen.path.rsplit('/').next().unwrap_or_default();
        format!("{} {end}", seen.method)
    });
    told.collect()
}

#[test]
fn counts_and_machine_types_are_changed_in_place() {
    let cloud = Cloud::new();
    cloud.run(UP).ends(0);
    let planned = cloud.run(&["plan", "--set", "nodes=5"]).ends(3).out;
    assert!(
        planned.contains("default-pool") && planned.contains("initialNodeCount"),
        "{planned}"
    );

    assert_eq!(sent(&cloud, &["nodes=5"]), ["POST default-pool:setSize"]);
    assert_eq!(live(&cloud, "default-pool")["initialNodeCount"], 5);
    assert!(says_as_wanted(&cloud.run(&["plan"]).ends(0).out));
    assert_eq!(sent(&cloud, &["nodes=2"]), ["POST default-pool:setSize"]);
    assert_eq!(live(&cloud, "default-pool")["initialNodeCount"], 2);

    // Two fields of one pool, and one of the other.
    let mut both = sent(&cloud, &["nodes=3", "machine_type=e2-standard-8"]);
    both.sort();
    assert_eq!(
        both,
        [
            "POST default-pool:setSize",
            "PUT default-pool",
            "PUT gateway"
        ]
    );
    for (name, count) in [("default-pool", 3), ("gateway", 1)] {
        let pool = live(&cloud, name);
        assert_eq!(pool["initialNodeCount"], count, "{pool}");
        assert_eq!(pool["config"]["machineType"], "e2-standard-8", "{pool}");
    }
    assert!(says_as_wanted(&cloud.run(&["plan"]).ends(0).out));
    cloud.run(&["verify"]).ends(0);
    cloud.run(&["down", "--yes"]).ends(0);
}

#[test]
fn upgrades_and_repairs_are_set_back_by_their_own_method() {
    let cloud = Cloud::new();
    cloud.run(UP).ends(0);
    let off = json!({"management": {"autoUpgrade": true, "autoRepair": false}});
    let path = format!("{}:setManagement", pool("default-pool"));
    cloud.call(Call::post(Api::Container, path).json(off));
    // A call waits for Compute's operations alone.
    let until = Instant::now() + Duration::from_secs(20);
    while live(&cloud, "default-pool")["status"] != "RUNNING" {
        assert!(Instant::now() < until, "the pool is not ready again");
        std::thread::sleep(Duration::from_millis(50));
    }
    let planned = cloud.run(&["plan"]).ends(3).out;
    assert!(planned.contains("management.autoRepair"), "{planned}");
    assert_eq!(sent(&cloud, &[]), ["POST default-pool:setManagement"]);
    let management = &live(&cloud, "default-pool")["management"];
    assert_eq!(
        *management,
        json!({"autoUpgrade": true, "autoRepair": true})
    );
}
