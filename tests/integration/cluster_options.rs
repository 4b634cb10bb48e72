//! What can be chosen about the cluster's API server and the test application, and changed while they exist.

use crate::common::cloud::{Cloud, PROJECT};
use crate::common::kubernetes::BlockingClient;
use crate::common::program::{User, says_as_wanted};
use provision::google::{Api, Call};
use serde_json::{Value, json};

fn egress(cloud: &Cloud) -> Value {
    let path = format!("v1/projects/{PROJECT}/locations/us-central1-a/clusters/cluster1");
    cloud.call(Call::get(Api::Container, path))["controlPlaneEgress"].take()
}

#[test]
fn the_api_servers_egress_is_changed_in_place() {
    let cloud = Cloud::new();
    let up = |value: &str| {
        let set = format!("api_server_egress={value}");
        let args = ["--through", "cluster", "--set", &set];
        cloud.run(&[&["up", "--yes"][..], &args].concat()).ends(0);
        let plan = cloud.run(&[&["plan"][..], &args].concat()).ends(0).out;
        assert!(says_as_wanted(&plan), "{plan}");
    };
    cloud.run(&["up", "--yes", "--through", "cluster"]).ends(0);
    let by_google = json!({"mode": "VIA_CONTROL_PLANE"});
    assert_eq!(egress(&cloud), by_google, "a new cluster's");
    for (value, mode) in [("none", "NONE"), ("all", "VIA_CONTROL_PLANE")] {
        up(value);
        assert_eq!(egress(&cloud), json!({"mode": mode}), "{value}");
    }
    // Not stated: as it is.
    up("default");
    assert_eq!(egress(&cloud), by_google);
    let none = ["plan", "--emulate", "--set", "api_server_egress=some"];
    User::new().run(&none).ends(2);
}

#[test]
fn the_test_applications_image_can_be_another_one() {
    let cloud = Cloud::new();
    let image = |cluster: &BlockingClient, namespace: &str| {
        let test = cluster.object("apps/v1", "Deployment", namespace, "test");
        test.unwrap()["spec"]["template"]["spec"]["containers"][0].take()
    };
    cloud
        .run(&["up", "--yes", "--through", "second-namespace"])
        .ends(0);
    let cluster = BlockingClient::of(&cloud);
    let usual = image(&cluster, "team-x");
    let name = usual["image"].as_str().unwrap();
    let (repository, tag) = name.rsplit_once(':').unwrap();
    assert!(repository.starts_with("us-docker.pkg.dev/"), "{name}");
    assert!(
        tag.starts_with(|c: char| c.is_ascii_digit()),
        "{name} floats"
    );
    assert_eq!(image(&cluster, "team-y"), usual);

    let own = "us-docker.pkg.dev/my-project/images/curl@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let set = format!("test_image={own}");
    cloud
        .run(&[
            "up",
            "--yes",
            "--through",
            "second-namespace",
            "--set",
            &set,
        ])
        .ends(0);
    for namespace in ["team-x", "team-y"] {
        // Nothing else of the container is another.
        let mut expected = usual.clone();
        expected["image"] = own.into();
        assert_eq!(image(&cluster, namespace), expected, "{namespace}");
    }
}
