//! An emulator and a client for tests over HTTP.

pub mod longrunning;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use emulator::{Pace, Running, Settings, start};
use reqwest::{Client, Method};
use serde_json::{Value, json};

/// A running emulator and a client of it.
pub struct Cloud {
    pub running: Running,
    client: Client,
}

impl Cloud {
    /// An emulator at pace 0 that forgets.
    pub async fn start() -> Cloud {
        Cloud::with("0", None).await
    }

    /// An emulator at this pace, with its state in this file.
    pub async fn with(pace: &str, state: Option<PathBuf>) -> Cloud {
        // Another test of this process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let pace: Pace = pace.parse().unwrap();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let running = start(Settings {
            listen,
            state,
            identity: None,
            pace,
        })
        .await
        .unwrap();
        let client = Client::builder()
            .timeout(Duration::from_secs(20))
            .build()
            .unwrap();
        Cloud { running, client }
    }

    /// An emulator in which `demo-proj` has enabled these APIs and may use them.
    pub async fn with_apis(apis: &[&str]) -> Cloud {
        let cloud = Cloud::start().await;
        cloud.enable(apis).await;
        cloud
    }

    /// Enables APIs and waits until they are usable.
    pub async fn enable(&self, apis: &[&str]) {
        for api in apis {
            let service = format!(
                "/serviceusage.googleapis.com/v1/projects/demo-proj/services/{api}.googleapis.com"
            );
            let (status, mut operation) = self.post(&format!("{service}:enable"), json!({})).await;
            assert_eq!(status, 200, "{operation}");
            while operation["done"] != true {
                tokio::time::sleep(Duration::from_millis(5)).await;
                let name = operation["name"].as_str().unwrap().to_owned();
                operation = self
                    .get(&format!("/serviceusage.googleapis.com/v1/{name}"))
                    .await
                    .1;
            }
        }
        for probe in apis.iter().filter_map(|api| probe(api)) {
            // An API that was just enabled refuses every other call for a while.
            let mut passed = 0;
            while passed < 3 {
                passed = if self.get(probe).await.0 == 200 {
                    passed + 1
                } else {
                    0
                };
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// A call; an empty body is null.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(method.clone(), self.url(path));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        let value = if text.trim().is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap_or(json!(text))
        };
        longrunning::assert_fits(method.as_str(), path, status, &value);
        (status, value)
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.call("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call("POST", path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> (u16, Value) {
        self.call("PATCH", path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> (u16, Value) {
        self.call("PUT", path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> (u16, Value) {
        self.call("DELETE", path, None).await
    }

    /// A request with headers and bytes of its own.
    pub fn raw(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(
            Method::from_bytes(method.as_bytes()).unwrap(),
            self.url(path),
        )
    }

    /// A call to compute in `demo-proj` that begins an operation; the operation when it is over.
    pub async fn operate(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let (status, operation) = self.call(method, &compute(path), body).await;
        assert_eq!(status, 200, "{method} {path}: {operation}");
        self.wait(&operation).await
    }

    /// Waits for a compute operation.
    pub async fn wait(&self, operation: &Value) -> Value {
        let link = operation["selfLink"].as_str().unwrap();
        let path = link.split_once("/projects/demo-proj/").unwrap().1;
        let (status, done) = self
            .post(&compute(&format!("{path}/wait")), Value::Null)
            .await;
        assert_eq!((status, &done["status"]), (200, &json!("DONE")), "{done}");
        done
    }

    /// The network that most tests need.
    pub async fn network(&self) {
        let body = json!({"name": "vpc", "autoCreateSubnetworks": false});
        let done = self.operate("POST", "global/networks", Some(body)).await;
        assert!(done.get("error").is_none(), "{done}");
    }

    /// Deletes what Google makes in every new project: the default network and its rules.
    pub async fn delete_default_network(&self) {
        for rule in ["icmp", "internal", "rdp", "ssh"] {
            let path = format!("global/firewalls/default-allow-{rule}");
            self.operate("DELETE", &path, None).await;
        }
        let done = self
            .operate("DELETE", "global/networks/default", None)
            .await;
        assert!(done.get("error").is_none(), "{done}");
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.addr())
    }
}

/// A path of compute in `demo-proj`.
pub fn compute(path: &str) -> String {
    format!("/compute.googleapis.com/compute/v1/projects/demo-proj/{path}")
}

/// A read of an API that a project without anything in it can make.
fn probe(api: &str) -> Option<&'static str> {
    match api {
        "compute" => {
            Some("/compute.googleapis.com/compute/v1/projects/demo-proj/regions/us-central1")
        }
        "dns" => Some("/dns.googleapis.com/dns/v1/projects/demo-proj/managedZones"),
        "gkehub" => Some("/gkehub.googleapis.com/v1/projects/demo-proj/locations/global/features"),
        _ => None,
    }
}

/// The reason of a refusal, wherever its API puts it.
pub fn reason(refusal: &Value) -> &str {
    refusal["error"]["errors"][0]["reason"]
        .as_str()
        .unwrap_or_default()
}

/// The message of a refusal.
pub fn message(refusal: &Value) -> &str {
    refusal["error"]["message"].as_str().unwrap_or_default()
}
