//! A validating webhook as somebody runs it beside a cluster: https with a certificate of its own, an answer to each review.

use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use base64::Engine as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::certified::certified;

/// Runs until it is dropped.
pub struct Webhook {
    state: Arc<Mutex<State>>,
    url: String,
    certificate: String,
    // The server ends with it.
    _runtime: Runtime,
}

struct State {
    /// The status that it refuses with; none while it agrees.
    refusal: Option<Value>,
    asked: Vec<Value>,
}

impl Webhook {
    /// One that refuses everything with this status.
    pub fn refusing(status: Value) -> Webhook {
        let (acceptor, certificate) = certified();
        let state = Arc::new(Mutex::new(State {
            refusal: Some(status),
            asked: Vec::new(),
        }));
        let runtime = Runtime::new().unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0)))
            .unwrap();
        let url = format!("https://{}/validate", listener.local_addr().unwrap());
        let shared = Arc::clone(&state);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let service = service_fn(|request| answer(Arc::clone(&shared), request));
                    let connection = hyper::server::conn::http1::Builder::new();
                    let _ = connection
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Webhook {
            state,
            url,
            certificate,
            _runtime: runtime,
        }
    }

    /// How a configuration names it.
    pub fn client_config(&self) -> Value {
        let bundle = base64::engine::general_purpose::STANDARD.encode(&self.certificate);
        json!({"url": self.url, "caBundle": bundle})
    }

    /// The reviews that it was asked for.
    pub fn asked(&self) -> Vec<Value> {
        self.state.lock().unwrap().asked.clone()
    }

    /// From now on it agrees.
    pub fn relent(&self) {
        self.state.lock().unwrap().refusal = None;
    }
}

async fn answer(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Response<Body>, std::convert::Infallible> {
    let body = to_bytes(Body::new(request.into_body()), usize::MAX)
        .await
        .unwrap();
    let review: Value = serde_json::from_slice(&body).unwrap();
    let mut state = state.lock().unwrap();
    let mut response = json!({"uid": review["request"]["uid"], "allowed": state.refusal.is_none()});
    if let Some(status) = &state.refusal {
        response["status"] = status.clone();
    }
    state.asked.push(review);
    let review = json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": response});
    Ok(Response::builder()
        .header("content-type", "application/json")
        .body(Body::from(review.to_string()))
        .unwrap())
}
