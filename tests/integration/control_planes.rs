//! The whole tutorial under the control planes that are not the usual one: an istiod that somebody has installed in the
//! cluster, and Google's own where Google runs it with istiod.

use crate::common::cloud::{Cloud, FIREWALLS, PROJECT};
use crate::common::kubernetes::BlockingClient;
use crate::common::program::says_as_wanted;
use provision::google::{Api, Call};
use serde_json::{Value, json};

/// The warning for an in-cluster control plane on Google's clusters.
const DEPRECATED: &str = "warning: control_plane=in-cluster: Google has deprecated in-cluster control planes on GKE in favour of managed ones (https://docs.cloud.google.com/service-mesh/deprecations)\n";
/// The warning for a managed control plane that is istiod.
const MANAGED_ISTIOD: &str =
    "the implementation of the control plane is ISTIOD, which Google has deprecated";

const RULE: &str = "allow-ingress-api-server-to-webhook";

/// The revisions that injected the pods of a namespace, with how many containers each pod has.
fn injected(cluster: &BlockingClient, namespace: &str) -> Vec<(String, usize)> {
    let told = |pod: &Value| {
        let revision = &pod["metadata"]["annotations"]["istio.io/rev"];
        let containers = pod["spec"]["containers"].as_array().unwrap().len();
        (revision.as_str().unwrap_or_default().to_owned(), containers)
    };
    cluster.pods(namespace).iter().map(told).collect()
}

fn is_available(cluster: &BlockingClient, namespace: &str, name: &str) -> bool {
    let found = cluster
        .object("apps/v1", "Deployment", namespace, name)
        .unwrap();
    let conditions = found["status"]["conditions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let mut available = conditions.iter().filter(|c| c["type"] == "Available");
    available.any(|condition| condition["status"] == "True")
}

/// What keeps a deployment from having its pods, in Kubernetes' words.
fn refusal(cluster: &BlockingClient, namespace: &str, name: &str) -> Option<String> {
    let found = cluster.object("apps/v1", "Deployment", namespace, name)?;
    let conditions = found["status"]["conditions"].as_array()?;
    let refused = conditions.iter().find(|c| c["type"] == "ReplicaFailure")?;
    Some(refused["message"].as_str()?.to_owned())
}

#[test]
fn an_istiod_that_somebody_has_installed_carries_the_whole_tutorial() {
    let cloud = Cloud::new();
    let in_cluster = ["--yes", "--set", "control_plane=in-cluster"];
    let said = cloud
        .run(&[&["up", "--through", "cluster"][..], &in_cluster].concat())
        .ends(0);
    assert_eq!(said.err.matches(DEPRECATED).count(), 1, "{}", said.err);
    let cluster = BlockingClient::of(&cloud);
    cluster.install_istiod();
    cloud.run(&[&["up"][..], &in_cluster].concat()).ends(0);
    let said = cloud.run(&["plan"]).ends(0);
    assert!(says_as_wanted(&said.out), "{}", said.out);
    assert_eq!(said.err.matches(DEPRECATED).count(), 1, "{}", said.err);

    // Injection is istiod's, by its webhook for the default; Google has no part in it.
    for (namespace, containers) in [("istio-egress", 1), ("team-x", 2), ("team-y", 2)] {
        let expected = vec![("asm-1282-4".to_owned(), containers)];
        assert_eq!(injected(&cluster, namespace), expected, "{namespace}");
    }
    assert_eq!(cloud.there("gkehub", "servicemesh"), Vec::<String>::new());
    let telemetry =
        |name: &str| cluster.object("telemetry.istio.io/v1", "Telemetry", "istio-system", name);
    let logging = telemetry("enable-envoy").unwrap()["spec"]["accessLogging"].take();
    assert_eq!(logging, json!([{"providers": [{"name": "envoy"}]}]));
    assert_eq!(telemetry("enable-envoy-disable-sd"), None);
    assert_eq!(cloud.there("compute", RULE).len(), 1);

    // The rule is what lets the API server call istiod: without it no pod is admitted, and the next `up` mends that.
    cloud.call(Call::delete(Api::Compute, format!("{FIREWALLS}/{RULE}")));
    cluster.delete_pods("team-x");
    cluster.until("a pod is refused", |cluster| {
        refusal(cluster, "team-x", "test").is_some()
    });
    let said = refusal(&cluster, "team-x", "test").unwrap();
    assert_eq!(
        said,
        "Internal error occurred: failed calling webhook \"namespace.sidecar-injector.istio.io\": failed to call webhook: Post \
         \"https://istiod-asm-1282-4.istio-system.svc:443/inject?timeout=10s\": context deadline exceeded"
    );
    let said = cloud.run(&["up", "--yes"]).ends(0);
    assert!(said.out.contains("1 created"), "{}", said.out);
    cluster.until("a pod is admitted", |cluster| {
        is_available(cluster, "team-x", "test")
    });
    assert_eq!(injected(&cluster, "team-x"), [("asm-1282-4".to_owned(), 2)]);

    cloud.run(&["down", "--yes"]).ends(0);
    assert_eq!(cloud.there("compute", "vpc-network"), Vec::<String>::new());
}

#[test]
fn google_runs_the_control_plane_with_istiod_where_the_fleet_has_one_already() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes", "--through", "cluster"]).ends(0);
    let zone = format!("v1/projects/{PROJECT}/locations/us-central1-a/clusters");
    let body = json!({"cluster": {
        "name": "older", "initialNodeCount": 1, "network": "vpc-network", "subnetwork": "subnet-gke",
        "ipAllocationPolicy": {"useIpAliases": true},
        "workloadIdentityConfig": {"workloadPool": format!("{PROJECT}.svc.id.goog")},
        "fleet": {"project": PROJECT},
    }});
    cloud.call(Call::post(Api::Container, zone.clone()).json(body));
    let older = || cloud.call(Call::get(Api::Container, format!("{zone}/older")));
    while older()["status"] != "RUNNING" {}
    BlockingClient::named(&cloud, "older").install_istiod();

    let said = cloud.run(&["up", "--yes"]).ends(0);
    assert!(said.err.contains(MANAGED_ISTIOD), "{}", said.err);
    assert!(!said.err.contains(DEPRECATED), "{}", said.err);
    let said = cloud.run(&["plan"]).ends(0);
    assert!(says_as_wanted(&said.out), "{}", said.out);
    assert_eq!(said.err.matches(MANAGED_ISTIOD).count(), 1, "{}", said.err);
    let feature = format!("v1/projects/{PROJECT}/locations/global/features/servicemesh");
    let feature = cloud.call(Call::get(Api::GkeHub, feature));
    let states = feature["membershipStates"].as_object().unwrap();
    let ours = states
        .iter()
        .find(|(key, _)| key.ends_with("/memberships/cluster1"));
    let plane = &ours.unwrap().1["servicemesh"]["controlPlaneManagement"];
    assert_eq!(
        (&plane["implementation"], &plane["state"]),
        (&json!("ISTIOD"), &json!("ACTIVE"))
    );

    let cluster = BlockingClient::of(&cloud);
    for (namespace, containers) in [("istio-egress", 1), ("team-x", 2), ("team-y", 2)] {
        let expected = vec![("asm-managed".to_owned(), containers)];
        assert_eq!(injected(&cluster, namespace), expected, "{namespace}");
    }
    // Its configuration is where this implementation has it; the log is switched on without it.
    assert!(
        cluster
            .object("v1", "ConfigMap", "istio-system", "istio-asm-managed")
            .is_some()
    );
    let telemetry = cluster.object(
        "telemetry.istio.io/v1",
        "Telemetry",
        "istio-system",
        "enable-envoy-disable-sd",
    );
    assert!(telemetry.is_some());
    // Nothing of ours in the other cluster.
    assert_eq!(
        BlockingClient::named(&cloud, "older").pods("team-x"),
        Vec::<Value>::new()
    );
}
