//! Stands before the emulator of Google's APIs: every GKE cluster gets the laboratory's API server as its endpoint, and what the
//! VPC changes is carried out before the caller hears of it.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::layout::{API_PORT, API_SERVER, Lab};
use crate::vpc::{self, EMULATOR, FRONT};
use crate::{Error, Result};

/// Headers that are of one connection, or of a body that is written anew.
const HOP: &[&str] = &[
    "connection",
    "content-length",
    "content-encoding",
    "transfer-encoding",
    "host",
    "accept-encoding",
];

struct Front {
    lab: Lab,
    client: reqwest::Client,
    endpoint: String,
    authority: String,
    refreshing: Mutex<()>,
}

/// Serves until it is killed. `endpoint` stands for the API server where another program is to be between.
///
/// # Errors
/// The port cannot be listened on, or the laboratory has no authority.
pub async fn serve(lab: &Lab, endpoint: Option<String>) -> Result<()> {
    let authority = STANDARD.encode(std::fs::read(lab.pki().join("ca.crt"))?);
    let endpoint = endpoint.unwrap_or_else(|| format!("{API_SERVER}:{API_PORT}"));
    let front = Front {
        lab: lab.clone(),
        client: reqwest::Client::new(),
        endpoint,
        authority,
        refreshing: Mutex::new(()),
    };
    let router = Router::new().fallback(forward).with_state(Arc::new(front));
    let listener = tokio::net::TcpListener::bind(FRONT).await?;
    Ok(axum::serve(listener, router).await?)
}

/// A client that is killed does not end its request here: what the request has changed must reach the kernel.
async fn forward(State(front): State<Arc<Front>>, request: Request) -> Response {
    let forwarded = tokio::spawn(async move { front.forward(request).await });
    let answer = forwarded.await.map_err(Error::from).flatten();
    answer.unwrap_or_else(|error| (StatusCode::BAD_GATEWAY, error.to_string()).into_response())
}

impl Front {
    async fn forward(&self, request: Request) -> Result<Response, Error> {
        let (head, body) = request.into_parts();
        let path = head
            .uri
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .to_owned();
        let body = to_bytes(body, 64 << 20).await?;
        let sent = self
            .client
            .request(head.method.clone(), format!("http://{EMULATOR}{path}"));
        let answer = sent
            .headers(end_to_end(&head.headers))
            .body(body)
            .send()
            .await?;
        let (status, headers) = (answer.status(), end_to_end(answer.headers()));
        let bytes = answer.bytes().await?;
        let text = match serde_json::from_slice::<Value>(&bytes) {
            Ok(mut value)
                if headers
                    .get("content-type")
                    .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json")) =>
            {
                self.point(&mut value);
                let is_done = value["status"] == "DONE" || value["status"] == "done";
                if concerns_the_vpc(&path) && (head.method != "GET" || is_done) {
                    let _one_at_a_time = self.refreshing.lock().await;
                    vpc::refresh(&self.lab).await?;
                }
                serde_json::to_vec(&value)?
            }
            _ => bytes.to_vec(),
        };
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    /// Names the laboratory's API server wherever a cluster's is named.
    fn point(&self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.point(item)),
            Value::Object(fields) => {
                let has_endpoint = fields
                    .get("endpoint")
                    .and_then(Value::as_str)
                    .is_some_and(|endpoint| !endpoint.is_empty());
                if has_endpoint && fields.contains_key("masterAuth") {
                    fields.insert("endpoint".to_owned(), self.endpoint.clone().into());
                    fields["masterAuth"]["clusterCaCertificate"] = self.authority.clone().into();
                }
                fields.values_mut().for_each(|field| self.point(field));
            }
            _ => {}
        }
    }
}

/// Whether a path is of what the VPC's rules and zones follow from. Pure.
fn concerns_the_vpc(path: &str) -> bool {
    let kinds = [
        "/firewalls",
        "/global/operations/",
        "/managedZones",
        "/clusters",
        "/operations/",
    ];
    ["compute.", "dns.", "container."]
        .iter()
        .any(|api| path.trim_start_matches('/').starts_with(api))
        && kinds.iter().any(|kind| path.contains(kind))
}

fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers.clone();
    HOP.iter().for_each(|name| {
        kept.remove(*name);
    });
    kept
}
