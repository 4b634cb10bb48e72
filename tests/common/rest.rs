//! Somebody else in the cluster that the program made: a client of its Kubernetes API, and steps changed a little.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use provision::google::{Api, Call};
use reqwest::{Certificate, Client, Method};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::cloud::{Cloud, PROJECT};

/// A client of the cluster of a cloud.
pub struct Inside {
    runtime: Runtime,
    client: Client,
    base: String,
}

impl Inside {
    /// The cluster that `up` has made.
    pub fn of(cloud: &Cloud) -> Inside {
        let path = format!("v1/projects/{PROJECT}/locations/us-central1-a/clusters/cluster1");
        let cluster = cloud.call(Call::get(Api::Container, path));
        let authority = cluster["masterAuth"]["clusterCaCertificate"]
            .as_str()
            .unwrap();
        let authority = base64::engine::general_purpose::STANDARD
            .decode(authority)
            .unwrap();
        let client = Client::builder()
            .tls_certs_only([Certificate::from_pem(&authority).unwrap()])
            .no_proxy()
            .build()
            .unwrap();
        Inside {
            runtime: Runtime::new().unwrap(),
            client,
            base: format!("https://{}", cluster["endpoint"].as_str().unwrap()),
        }
    }

    /// A call, and what is answered.
    pub fn answer(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: &Value,
    ) -> (u16, Value) {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = self
            .client
            .request(method, format!("{}{path}", self.base))
            .bearer_auth("theirs")
            .header("content-type", content_type)
            .body(body.to_string());
        self.runtime.block_on(async {
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            (status, response.json().await.unwrap_or_default())
        })
    }

    /// A call that is not refused.
    #[track_caller]
    pub fn call(&self, method: &str, path: &str, content_type: &str, body: &Value) -> Value {
        let (status, answer) = self.answer(method, path, content_type, body);
        assert!(status < 300, "{path}: {answer:#}");
        answer
    }

    /// Reads.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        self.call("GET", path, "application/json", &json!({}))
    }

    /// Creates.
    #[track_caller]
    pub fn post(&self, path: &str, body: Value) -> Value {
        self.call("POST", path, "application/json", &body)
    }

    /// Changes fields, as `kubectl patch --type merge`.
    #[track_caller]
    pub fn merge(&self, path: &str, body: Value) -> Value {
        self.call("PATCH", path, "application/merge-patch+json", &body)
    }
}

/// A copy of the program's steps in the user's home with these changes (file, text, what stands in its place); the argument
/// that names it.
pub fn changed_steps(home: &Path, changes: &[(&str, &str, &str)]) -> String {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("steps");
    let to = home.join("changed-steps");
    for folder in ["", "manifests"] {
        fs::create_dir_all(to.join(folder)).unwrap();
        for entry in fs::read_dir(from.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::copy(&path, to.join(folder).join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    for (file, text, instead) in changes {
        let path = to.join(file);
        let before = fs::read_to_string(&path).unwrap();
        assert!(before.contains(text), "{file} has no {text}");
        fs::write(path, before.replace(text, instead)).unwrap();
    }
    to.display().to_string()
}
