//! Emulated clusters, and the one client that tests have for their Kubernetes API: [`ClusterClient`], and [`BlockingClient`] over it for
//! tests that are not async.

mod blocking;
mod client;
mod exec;
mod istiod;

use std::ops::Deref;
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::emulator::Cloud;
use crate::common::emulator::longrunning::{ZONE, cluster_body};

pub use blocking::BlockingClient;
pub use client::ClusterClient;

/// A cluster in an emulated cloud, with a client.
pub struct EmulatedCluster {
    pub cloud: Cloud,
    pub client: ClusterClient,
}

impl Deref for EmulatedCluster {
    type Target = ClusterClient;

    fn deref(&self) -> &ClusterClient {
        &self.client
    }
}

impl EmulatedCluster {
    /// The tutorial's cluster: three nodes without a taint, and one with the gateway's taint.
    pub async fn start() -> EmulatedCluster {
        EmulatedCluster::of(Cloud::with_vpc().await).await
    }

    /// The tutorial's cluster in a cloud that has a network for it.
    pub async fn of(cloud: Cloud) -> EmulatedCluster {
        let mut body = cluster_body();
        body["fleet"] = json!({"project": "demo-proj"});
        body["nodePools"].as_array_mut().unwrap().push(json!({
            "name": "gateway", "initialNodeCount": 1,
            "config": {"machineType": "e2-medium", "taints": [{"key": "dedicated", "value": "gateway", "effect": "NO_SCHEDULE"}]},
        }));
        let clusters = format!("{ZONE}/clusters");
        let begun = cloud.post(&clusters, json!({"cluster": body})).await;
        cloud.finish(&clusters, begun).await;
        EmulatedCluster::join(cloud).await
    }

    /// The cluster that exists in the cloud.
    pub async fn join(cloud: Cloud) -> EmulatedCluster {
        let (_, cluster) = cloud.get(&format!("{ZONE}/clusters/cluster1")).await;
        EmulatedCluster {
            client: ClusterClient::of(&cluster),
            cloud,
        }
    }

    /// Sends a request to the fleet's API and waits for its operation. An API that was just enabled refuses requests for a while, so
    /// a refusal is repeated.
    async fn begin(&self, method: &str, path: &str, body: Value) {
        let mut begun = self.cloud.call(method, path, Some(body.clone())).await;
        while begun.0 == 403 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            begun = self.cloud.call(method, path, Some(body.clone())).await;
        }
        let version = if path.contains("/v2/") { "v2" } else { "v1" };
        self.cloud
            .finish(&format!("/gkehub.googleapis.com/{version}"), begun)
            .await;
    }

    /// Enables the managed mesh and waits until its CustomResourceDefinitions exist.
    pub async fn mesh(&self) {
        self.cloud.enable(&["mesh"]).await;
        let hub = "/gkehub.googleapis.com";
        let place = "projects/demo-proj/locations";
        self.begin(
            "POST",
            &format!("{hub}/v1/{place}/global/features?featureId=servicemesh"),
            json!({}),
        )
        .await;
        let half = format!(
            "{hub}/v2/{place}/us-central1/memberships/cluster1/features/servicemesh?allowMissing=true&updateMask=spec"
        );
        self.begin(
            "PATCH",
            &half,
            json!({"spec": {"servicemesh": {"management": "MANAGEMENT_AUTOMATIC"}}}),
        )
        .await;
        self.until(
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            |list| {
                list["items"]
                    .as_array()
                    .is_some_and(|items| !items.is_empty())
            },
        )
        .await;
    }
}

/// The test application of the tutorial.
pub fn deployment(name: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "replicas": 1, "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [
            {"name": name, "image": "gcr.io/google.com/cloudsdktool/cloud-sdk:slim", "command": ["/bin/sleep", "infinity"]}]}}}})
}

/// The reason and the message of a refusal.
pub fn reason_and_message(refusal: &Value) -> (&str, &str) {
    (
        refusal["reason"].as_str().unwrap_or_default(),
        refusal["message"].as_str().unwrap_or_default(),
    )
}
