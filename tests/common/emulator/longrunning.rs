//! Operations of the services that do not have `operations.wait`, the usual project for a cluster, and the check that
//! every answer fits its schema.

use emulator::discovery;
use emulator::schema::{Direction, fit};
use serde_json::{Value, json};

use super::{Cloud, compute};

/// Where `demo-proj`'s zone is.
pub const ZONE: &str = "/container.googleapis.com/v1/projects/demo-proj/locations/us-central1-a";

/// Fails if a successful answer has a field, a type or a value that Google's discovery document does not know.
pub fn assert_fits(method: &str, path: &str, status: u16, answer: &Value) {
    let (bare, query) = path.split_once('?').unwrap_or((path, ""));
    let Some(matched) = discovery::route(method, bare) else {
        return;
    };
    let Some(name) = &matched.method.response else {
        return;
    };
    // A mask leaves out what it likes; media is no JSON.
    if status != 200 || !answer.is_object() || query.contains("alt=media") {
        return;
    }
    if let Err(found) = fit(matched.document, name, answer, Direction::Answer) {
        panic!("{method} {path}: {found:#?}\n{answer:#}");
    }
}

impl Cloud {
    /// Polls an operation of any service but compute until it is over; the answer to the call that began it is `begun`.
    pub async fn finish(&self, base: &str, begun: (u16, Value)) -> Value {
        let (status, mut operation) = begun;
        assert_eq!(status, 200, "{operation}");
        let path = if base.contains("container.googleapis.com") {
            let name = operation["name"].as_str().unwrap();
            let place = base.split("/clusters").next().unwrap();
            format!("{place}/operations/{name}")
        } else {
            format!("{base}/{}", operation["name"].as_str().unwrap())
        };
        let mut polls = 0;
        while operation["done"] != true && operation["status"] != "DONE" {
            (_, operation) = self.get(&path).await;
            polls += 1;
            assert!(polls < 50, "{operation}");
        }
        operation
    }

    /// A VPC as a cluster needs it, and the APIs.
    pub async fn with_vpc() -> Cloud {
        let cloud = Cloud::with_apis(&["compute", "dns", "container", "gkehub"]).await;
        cloud.network().await;
        let ranges = json!([
            {"rangeName": "pods", "ipCidrRange": "10.4.0.0/16"},
            {"rangeName": "services", "ipCidrRange": "10.6.0.0/20"},
        ]);
        let subnet = json!({"name": "subnet-gke", "network": "global/networks/vpc", "ipCidrRange": "10.0.0.0/24",
            "secondaryIpRanges": ranges});
        cloud
            .operate("POST", "regions/us-central1/subnetworks", Some(subnet))
            .await;
        cloud.settled(&format!("{ZONE}/clusters")).await;
        cloud
            .settled("/gkehub.googleapis.com/v1/projects/demo-proj/locations/global/features")
            .await;
        cloud
    }

    /// Waits until an API that was just enabled answers everybody.
    pub async fn settled(&self, path: &str) {
        let mut passed = 0;
        while passed < 3 {
            passed = if self.get(path).await.0 == 200 {
                passed + 1
            } else {
                0
            };
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    /// Makes the tutorial's cluster, whole.
    pub async fn cluster(&self) -> Value {
        let clusters = format!("{ZONE}/clusters");
        let begun = self
            .post(&clusters, json!({"cluster": cluster_body()}))
            .await;
        self.finish(&clusters, begun).await;
        self.get(&format!("{clusters}/cluster1")).await.1
    }

    /// The names of the project's resources in a collection of compute's.
    pub async fn names(&self, collection: &str) -> Vec<String> {
        let (_, list) = self.get(&compute(collection)).await;
        let items = list["items"].as_array().cloned().unwrap_or_default();
        let mut names: Vec<String> = items
            .iter()
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }
}

/// The body that gcloud sends for the tutorial's cluster, less what the account is.
pub fn cluster_body() -> Value {
    json!({
        "name": "cluster1",
        "network": "vpc",
        "subnetwork": "subnet-gke",
        "ipAllocationPolicy": {"useIpAliases": true, "createSubnetwork": false,
            "clusterSecondaryRangeName": "pods", "servicesSecondaryRangeName": "services"},
        "privateClusterConfig": {"enablePrivateNodes": true, "masterIpv4CidrBlock": "10.5.0.0/28"},
        "networkConfig": {"datapathProvider": "ADVANCED_DATAPATH", "defaultEnablePrivateNodes": true},
        "controlPlaneEndpointsConfig": {"ipEndpointsConfig": {"authorizedNetworksConfig":
            {"enabled": true, "cidrBlocks": [{"cidrBlock": "203.0.113.99/32"}]}}},
        "releaseChannel": {"channel": "REGULAR"},
        "workloadIdentityConfig": {"workloadPool": "demo-proj.svc.id.goog"},
        "nodePools": [{"name": "default-pool", "initialNodeCount": 3,
            "management": {"autoRepair": true, "autoUpgrade": true}, "upgradeSettings": {"maxSurge": 1},
            "config": {"machineType": "e2-standard-4", "oauthScopes": ["https://www.googleapis.com/auth/cloud-platform"]}}],
    })
}
