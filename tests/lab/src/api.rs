//! The API server, as the laboratory's own programs speak to it: JSON in, JSON out, as the administrator.

use std::time::Duration;

use futures_util::Stream;
use hyper::Request;
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::WatchEvent;
use serde_json::Value;

use crate::{Lab, Result};

/// A connection.
#[derive(Clone)]
pub struct Api {
    client: Client,
}

/// Why a request got nothing.
pub type Refusal = kube::Error;

/// The HTTP status of a refusal; 0 where there was no answer.
pub fn status(refusal: &Refusal) -> u16 {
    match refusal {
        kube::Error::Api(status) => status.code,
        _ => 0,
    }
}

impl Api {
    /// Connects as the administrator. The caller is in the nodes' network namespace.
    ///
    /// # Errors
    /// The laboratory has no kubeconfig: it is not up.
    pub async fn connect(lab: &Lab) -> Result<Api> {
        let kubeconfig =
            Kubeconfig::read_from(lab.kubeconfig()).map_err(|_| "this laboratory is not up")?;
        let mut config =
            kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        config.read_timeout = Some(Duration::from_secs(330));
        Ok(Api {
            client: Client::try_from(config)?,
        })
    }

    /// Whether the API server says that it is ready.
    pub async fn is_ready(&self) -> bool {
        let request = Request::get("/readyz").body(Vec::new());
        match request {
            Ok(request) => self.client.request_text(request).await.is_ok(),
            Err(_) => false,
        }
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> Result<Value, Refusal> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", kind)
            .body(body);
        self.client
            .request(request.map_err(kube::Error::HttpError)?)
            .await
    }

    /// Reads.
    ///
    /// # Errors
    /// The API server's refusal.
    pub async fn get(&self, path: &str) -> Result<Value, Refusal> {
        self.send("GET", path, "application/json", Vec::new()).await
    }

    /// Makes.
    ///
    /// # Errors
    /// The API server's refusal.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Refusal> {
        self.send(
            "POST",
            path,
            "application/json",
            body.to_string().into_bytes(),
        )
        .await
    }

    /// Changes fields, as a merge patch.
    ///
    /// # Errors
    /// The API server's refusal.
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Value, Refusal> {
        self.send(
            "PATCH",
            path,
            "application/merge-patch+json",
            body.to_string().into_bytes(),
        )
        .await
    }

    /// Deletes.
    ///
    /// # Errors
    /// The API server's refusal.
    pub async fn delete(&self, path: &str) -> Result<Value, Refusal> {
        self.send("DELETE", path, "application/json", Vec::new())
            .await
    }

    /// What happens to objects of a list from a version on, for some minutes.
    ///
    /// # Errors
    /// The API server's refusal; an event that tells of an error ends the stream too.
    pub async fn watch(
        &self,
        path: &str,
        version: &str,
    ) -> Result<impl Stream<Item = Result<WatchEvent<Value>, Refusal>> + use<>, Refusal> {
        let uri = format!(
            "{path}?watch=true&allowWatchBookmarks=true&timeoutSeconds=290&resourceVersion={version}"
        );
        let request = Request::get(uri)
            .body(Vec::new())
            .map_err(kube::Error::HttpError)?;
        self.client.request_events::<Value>(request).await
    }

    /// The pods of the whole cluster that are not on their way out.
    ///
    /// # Errors
    /// The API server's refusal.
    pub async fn pods(&self) -> Result<Vec<Value>, Refusal> {
        let list = self.get("/api/v1/pods").await?;
        let items = list["items"].as_array().cloned().unwrap_or_default();
        Ok(items
            .into_iter()
            .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null())
            .collect())
    }
}

/// Whether a condition of an object is true.
pub fn is_true(object: &Value, condition: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.is_some_and(|all| {
        all.iter()
            .any(|c| c["type"] == condition && c["status"] == "True")
    })
}
