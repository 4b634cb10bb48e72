//! A cluster that runs in an emulated cloud, and a client of its Kubernetes API.

pub mod exec;

use std::time::Duration;

use base64::Engine as _;
use reqwest::{Certificate, Client, Method};
use serde_json::{Value, json};

use crate::common::emulator::Cloud;
use crate::common::emulator::longrunning::{ZONE, cluster_body};

/// How long something may take that the cluster does by itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// A cluster from inside.
pub struct Inside {
    pub cloud: Cloud,
    pub endpoint: String,
    pub authority: Vec<u8>,
    client: Client,
}

impl Inside {
    /// The tutorial's cluster: three nodes for everybody, one that is tainted for the gateway.
    pub async fn start() -> Inside {
        Inside::of(Cloud::with_vpc().await).await
    }

    /// The tutorial's cluster in a cloud that has a network for it.
    pub async fn of(cloud: Cloud) -> Inside {
        let mut body = cluster_body();
        body["fleet"] = json!({"project": "demo-proj"});
        body["nodePools"].as_array_mut().unwrap().push(json!({
            "name": "gateway", "initialNodeCount": 1,
            "config": {"machineType": "e2-medium", "taints": [{"key": "dedicated", "value": "gateway", "effect": "NO_SCHEDULE"}]},
        }));
        let clusters = format!("{ZONE}/clusters");
        let begun = cloud.post(&clusters, json!({"cluster": body})).await;
        cloud.finish(&clusters, begun).await;
        Inside::join(cloud).await
    }

    /// A client of the cluster as Google's side describes it now.
    pub async fn join(cloud: Cloud) -> Inside {
        let (_, cluster) = cloud.get(&format!("{ZONE}/clusters/cluster1")).await;
        let encoded = cluster["masterAuth"]["clusterCaCertificate"]
            .as_str()
            .unwrap();
        let authority = base64::engine::general_purpose::STANDARD
            .decode(encoded)
            .unwrap();
        let client = Client::builder()
            .timeout(Duration::from_secs(20))
            .tls_certs_only([Certificate::from_pem(&authority).unwrap()])
            .build()
            .unwrap();
        let endpoint = cluster["endpoint"].as_str().unwrap().to_owned();
        Inside {
            cloud,
            endpoint,
            authority,
            client,
        }
    }

    /// A request with the token that everybody has.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.bare(method, path)
            .bearer_auth("a-token")
            .header("user-agent", "tests/1")
    }

    /// A request without a token.
    pub fn bare(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.client
            .request(method, format!("https://{}{path}", self.endpoint))
    }

    /// A call with a body of this type; null is none.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: &Value,
    ) -> (u16, Value) {
        let mut request = self.request(method, path);
        if !body.is_null() {
            request = request
                .header("content-type", content_type)
                .body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(json!(text)))
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.call("GET", path, "", &Value::Null).await
    }

    pub async fn delete(&self, path: &str) -> (u16, Value) {
        self.call("DELETE", path, "", &Value::Null).await
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call("POST", path, "application/json", &body).await
    }

    /// Creates an object that nobody refuses.
    pub async fn create(&self, path: &str, body: Value) -> Value {
        let (status, created) = self.post(path, body).await;
        assert_eq!(status, 201, "{created:#}");
        created
    }

    /// Server-side apply.
    pub async fn apply(&self, path: &str, manager: &str, body: Value) -> (u16, Value) {
        let separator = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{separator}fieldManager={manager}");
        self.call("PATCH", &path, "application/apply-patch+yaml", &body)
            .await
    }

    /// Looks until what is there is as wanted.
    pub async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let looking = async {
            loop {
                let (_, found) = self.get(path).await;
                if wanted(&found) {
                    return found;
                }
                // The cluster does nothing between two looks, so there is nothing else to wait for.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, looking).await {
            Ok(found) => found,
            Err(_) => panic!("{path} is still {:#}", self.get(path).await.1),
        }
    }

    /// Makes a namespace with these labels.
    pub async fn namespace(&self, name: &str, labels: Value) {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
        self.create("/api/v1/namespaces", namespace).await;
    }

    /// Begins something of the fleet's, as often as an API that was just enabled refuses it, and waits until it is over.
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

    /// Turns the mesh on and waits until it is there.
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
pub fn told(refusal: &Value) -> (&str, &str) {
    (
        refusal["reason"].as_str().unwrap_or_default(),
        refusal["message"].as_str().unwrap_or_default(),
    )
}
