//! A cluster that is reached by its DNS endpoint (`--set endpoint=dns`): a whole run by it, the change of a living cluster, and an
//! endpoint that somebody has closed.

use std::time::{Duration, Instant};

use crate::common::cloud::{Cloud, PROJECT};
use crate::common::program::says_as_wanted;
use emulator::RequestRecord;
use provision::google::{Api, Call};
use serde_json::{Value, json};

const FIELD: &str = "controlPlaneEndpointsConfig.dnsEndpointConfig.allowExternalTraffic";
const BY_NAME: [&str; 2] = ["--set", "endpoint=dns"];

fn path() -> String {
    format!("v1/projects/{PROJECT}/locations/us-central1-a/clusters/cluster1")
}

/// How GKE describes the endpoints of the cluster.
fn endpoints(cloud: &Cloud) -> Value {
    cloud.call(Call::get(Api::Container, path()))["controlPlaneEndpointsConfig"].clone()
}

/// The networks on the allow list, without their other fields.
fn networks(endpoints: &Value) -> Vec<&str> {
    let list = &endpoints["ipEndpointsConfig"]["authorizedNetworksConfig"];
    assert_eq!(list["enabled"], true, "{list}");
    let blocks = list["cidrBlocks"].as_array().into_iter().flatten();
    blocks
        .filter_map(|block| block["cidrBlock"].as_str())
        .collect()
}

/// How many requests came to the cluster by its name.
fn by_name(cloud: &Cloud, name: &str) -> usize {
    let folder = format!("/{name}/");
    let is_there = |seen: &&RequestRecord| seen.path.starts_with(&folder);
    cloud.seen().iter().filter(is_there).count()
}

#[test]
fn a_whole_run_by_the_dns_endpoint_needs_no_address() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes", BY_NAME[0], BY_NAME[1]]).ends(0);
    let live = endpoints(&cloud);
    assert_eq!(live["dnsEndpointConfig"]["allowExternalTraffic"], true);
    assert_eq!(networks(&live), [""; 0]);
    let name = live["dnsEndpointConfig"]["endpoint"].as_str().unwrap();
    assert!(
        name.starts_with("gke-") && name.ends_with(".us-central1-a.gke.goog"),
        "{name}"
    );
    assert!(by_name(&cloud, name) > 40, "the objects came by the name");

    // The parameter is remembered; commands in pods and logs come by the name too.
    assert!(says_as_wanted(&cloud.run(&["plan"]).ends(0).out));
    let before = by_name(&cloud, name);
    cloud.run(&["verify"]).ends(0);
    assert!(by_name(&cloud, name) > before + 20);

    let (said, sent) = cloud.changes(&["authorize"]);
    assert!(said.ends(0).out.starts_with("not needed: "));
    assert!(sent.is_empty(), "{sent:?}");
    let refused = cloud.run(&["up", "--yes", "--authorized-network", "192.0.2.0/24"]);
    let refused = refused.ends(2).err;
    assert!(
        refused.contains("has no effect with endpoint=dns"),
        "{refused}"
    );
    let config = cloud.run(&["config"]).ends(0).out;
    assert!(config.contains("nobody needs the address"), "{config}");
    let doctor = cloud.run(&["doctor"]).out;
    let skipped = "SKIP  address: not needed with endpoint=dns";
    assert!(doctor.contains(skipped), "{doctor}");

    let config = cloud.run(&["kubeconfig"]).ends(0).out;
    let server = format!("http://{}/{name}", cloud.address());
    assert!(config.contains(&server), "{config}");
    assert!(!config.contains("certificate-authority"), "{config}");
    cloud.run(&["down", "--yes"]).ends(0);
}

/// Runs `up` to the end of the chapter with the cluster; the body of the one request that changes it.
fn changed(cloud: &Cloud, endpoint: &str) -> Value {
    let set = format!("endpoint={endpoint}");
    let (said, sent) = cloud.changes(&["up", "--yes", "--through", "cluster", "--set", &set]);
    said.ends(0);
    let sent: Vec<&RequestRecord> = sent.iter().collect();
    let [only] = sent[..] else {
        panic!("{sent:?}");
    };
    assert_eq!(only.method, "PUT");
    only.body["update"]["desiredControlPlaneEndpointsConfig"].clone()
}

#[test]
fn the_endpoint_of_a_living_cluster_is_changed_in_place() {
    let cloud = Cloud::new();
    let plan = |sets: &[&str]| cloud.run(&[&["plan", "--through", "cluster"][..], sets].concat());
    cloud.run(&["up", "--yes", "--through", "cluster"]).ends(0);
    let before = endpoints(&cloud);
    assert_eq!(before["dnsEndpointConfig"]["allowExternalTraffic"], false);
    assert_eq!(networks(&before), ["127.0.0.1/32"]);
    assert!(says_as_wanted(&plan(&[]).ends(0).out));

    let planned = plan(&BY_NAME).ends(3).out;
    assert!(planned.contains(FIELD), "{planned}");
    assert!(planned.contains("1 to change"), "{planned}");
    let sent = changed(&cloud, "dns");
    assert_eq!(
        sent["dnsEndpointConfig"],
        json!({"allowExternalTraffic": true})
    );
    let after = endpoints(&cloud);
    assert_eq!(after["dnsEndpointConfig"]["allowExternalTraffic"], true);
    assert_eq!(networks(&after), [""; 0], "no network is kept");
    assert!(says_as_wanted(&plan(&[]).ends(0).out));

    let planned = plan(&["--set", "endpoint=ip"]).ends(3).out;
    assert!(planned.contains(FIELD), "{planned}");
    let sent = changed(&cloud, "ip");
    assert_eq!(
        sent["dnsEndpointConfig"],
        json!({"allowExternalTraffic": false})
    );
    let after = endpoints(&cloud);
    assert_eq!(after["dnsEndpointConfig"]["allowExternalTraffic"], false);
    assert_eq!(networks(&after), ["127.0.0.1/32"]);
    assert!(says_as_wanted(&plan(&[]).ends(0).out));
}

/// Somebody opens or closes the DNS endpoint.
fn set(cloud: &Cloud, open: bool) {
    let config = json!({"dnsEndpointConfig": {"allowExternalTraffic": open}});
    let update = json!({"update": {"desiredControlPlaneEndpointsConfig": config}});
    cloud.call(Call::put(Api::Container, path()).json(update));
    let until = Instant::now() + Duration::from_secs(20);
    while cloud.call(Call::get(Api::Container, path()))["status"] != "RUNNING" {
        assert!(Instant::now() < until, "the cluster is not ready again");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_dns_endpoint_that_somebody_closed_is_named_with_what_opens_it() {
    let cloud = Cloud::new();
    let up = [
        "up",
        "--yes",
        "--through",
        "cluster",
        BY_NAME[0],
        BY_NAME[1],
    ];
    cloud.run(&up).ends(0);
    set(&cloud, false);
    let opens = "--enable-dns-access";
    let planned = cloud.run(&["plan", "--through", "cluster"]).ends(1);
    let told = format!("{}{}", planned.out, planned.err);
    assert!(told.contains(&format!("{FIELD} is false")), "{told}");
    assert!(told.contains(opens), "{told}");
    let told = cloud.run(&["kubeconfig"]).ends(1).err;
    assert!(told.contains(&format!("{FIELD} is false")), "{told}");
    let command = format!(
        "gcloud container clusters update cluster1 --location us-central1-a --project {PROJECT} {opens}"
    );
    assert!(told.contains(&command), "{told}");
    cloud.run(&up).ends(0);
    assert_eq!(
        endpoints(&cloud)["dnsEndpointConfig"]["allowExternalTraffic"],
        true
    );
}

#[test]
fn authorize_changes_the_list_alone() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes", "--through", "cluster"]).ends(0);
    set(&cloud, true);
    let authorize = ["authorize", "--authorized-network", "192.0.2.1/32"];
    cloud.run(&authorize).ends(0);
    let live = endpoints(&cloud);
    assert_eq!(live["dnsEndpointConfig"]["allowExternalTraffic"], true);
    assert_eq!(networks(&live), ["127.0.0.1/32", "192.0.2.1/32"]);
    let planned = cloud.run(&["plan", "--through", "cluster"]).ends(3).out;
    assert!(planned.contains(FIELD), "{planned}");
}
