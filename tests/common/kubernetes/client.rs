//! The one client that tests have for the Kubernetes API of an emulated cluster: plain HTTP requests, so that a test states the path,
//! the type and the body that it sends. It is not the program's client, and it knows no kinds of objects.

use std::time::Duration;

use base64::Engine as _;
use reqwest::{Certificate, Client, Method, RequestBuilder};
use serde_json::{Value, json};

/// How long the cluster's controllers may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The type of a JSON body.
pub const JSON: &str = "application/json";
/// The type of a JSON merge patch.
pub const MERGE_PATCH: &str = "application/merge-patch+json";
/// The type of a server-side apply.
pub const APPLY_PATCH: &str = "application/apply-patch+yaml";

/// A client of one cluster. Its field manager is `tests` unless the path names another.
pub struct ClusterClient {
    /// Address and port.
    pub endpoint: String,
    /// The cluster's certificate authority, as PEM.
    pub authority: Vec<u8>,
    http: Client,
}

impl ClusterClient {
    /// A client of the cluster that GKE describes so (`projects.locations.clusters.get`).
    pub fn of(cluster: &Value) -> ClusterClient {
        let authority = base64::engine::general_purpose::STANDARD
            .decode(
                cluster["masterAuth"]["clusterCaCertificate"]
                    .as_str()
                    .unwrap(),
            )
            .unwrap();
        let http = Client::builder()
            .timeout(Duration::from_secs(20))
            .tls_certs_only([Certificate::from_pem(&authority).unwrap()])
            .no_proxy()
            .build()
            .unwrap();
        ClusterClient {
            endpoint: cluster["endpoint"].as_str().unwrap().to_owned(),
            authority,
            http,
        }
    }

    /// A request with a token. An emulated cluster accepts any.
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.bare(method, path)
            .bearer_auth("a-token")
            .header("user-agent", "tests/1")
    }

    /// A request without a token.
    pub fn bare(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.http
            .request(method, format!("https://{}{path}", self.endpoint))
    }

    /// Sends a body of this type, or none if it is null. Returns the status and the answer; an answer that is not JSON is a string.
    pub async fn send(
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
        self.send("GET", path, "", &Value::Null).await
    }

    pub async fn delete(&self, path: &str) -> (u16, Value) {
        self.send("DELETE", path, "", &Value::Null).await
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send("POST", path, JSON, &body).await
    }

    /// Creates an object. Panics if it is refused.
    pub async fn create(&self, path: &str, body: Value) -> Value {
        let (status, created) = self.post(path, body).await;
        assert_eq!(status, 201, "{created:#}");
        created
    }

    /// Server-side apply.
    pub async fn apply(&self, path: &str, manager: &str, body: Value) -> (u16, Value) {
        let separator = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{separator}fieldManager={manager}");
        self.send("PATCH", &path, APPLY_PATCH, &body).await
    }

    /// Reads until the answer is as wanted.
    pub async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let reading = async {
            loop {
                let (_, found) = self.get(path).await;
                if wanted(&found) {
                    return found;
                }
                // There is no event to wait for.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, reading).await {
            Ok(found) => found,
            Err(_) => panic!("{path} is still {:#}", self.get(path).await.1),
        }
    }

    /// Creates a namespace with these labels.
    pub async fn namespace(&self, name: &str, labels: Value) {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
        self.create("/api/v1/namespaces", namespace).await;
    }
}
