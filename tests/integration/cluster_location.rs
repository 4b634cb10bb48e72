//! A regional cluster: `--set location=REGION`.

use crate::common::cloud::{Cloud, PROJECT};
use crate::common::program::{User, says_as_wanted};
use provision::google::{Api, Call};

#[test]
fn a_regional_cluster_stands_is_verified_and_goes() {
    let cloud = Cloud::new();
    cloud
        .run(&["up", "--yes", "--set", "location=us-central1"])
        .ends(0);
    let path = format!("v1/projects/{PROJECT}/locations/us-central1/clusters/cluster1");
    let cluster = cloud.call(Call::get(Api::Container, path));
    assert_eq!(
        cluster["locations"].as_array().map(Vec::len),
        Some(3),
        "{cluster}"
    );
    // Three nodes of the default pool and one of the gateway's in each zone.
    assert_eq!(cluster["currentNodeCount"], 12, "{cluster}");
    assert!(says_as_wanted(&cloud.run(&["plan"]).ends(0).out));
    cloud.run(&["verify"]).ends(0);
    let kubeconfig = cloud.run(&["kubeconfig"]).ends(0).out;
    let context = format!("gke_{PROJECT}_us-central1_cluster1");
    assert!(kubeconfig.contains(&context), "{kubeconfig}");
    let down = cloud.run(&["down", "--yes"]).ends(0);
    assert!(!down.out.contains("left:"), "{}", down.out);
}

#[test]
fn a_location_outside_the_region_is_refused() {
    let user = User::new();
    for location in ["europe-west1", "europe-west1-b", "us-central"] {
        let set = format!("location={location}");
        let told = user.run(&["plan", "--emulate", "--set", &set]).ends(2).err;
        assert!(told.contains("parameter `location`"), "{told}");
    }
}
