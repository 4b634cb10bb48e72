//! Stands between the program and the cloud and changes what the cloud answers. An answer that becomes an error of Google's has its code.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;
use tokio::runtime::Runtime;

/// Runs until it is dropped.
pub struct Rewriting {
    address: SocketAddr,
    // The server ends with it.
    _runtime: Runtime,
}

/// What is done to the answer at a path.
type Change = dyn Fn(&str, &mut Value) + Send + Sync;

impl Rewriting {
    /// Before a cloud.
    pub fn new(
        cloud: SocketAddr,
        change: impl Fn(&str, &mut Value) + Send + Sync + 'static,
    ) -> Rewriting {
        let runtime = Runtime::new().unwrap();
        let client = reqwest::Client::new();
        let change: Arc<Change> = Arc::new(change);
        let handler = move |request: Request| {
            let (client, change) = (client.clone(), Arc::clone(&change));
            async move { pass(cloud, client, &*change, request).await }
        };
        let router = Router::new().fallback(handler);
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0)))
            .unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move { axum::serve(listener, router).await });
        Rewriting {
            address,
            _runtime: runtime,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn pass(
    cloud: SocketAddr,
    client: reqwest::Client,
    change: &Change,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let mut onward = client.request(head.method, format!("http://{cloud}{}", head.uri));
    for (name, value) in &head.headers {
        if !["host", "content-length", "accept-encoding"].contains(&name.as_str()) {
            onward = onward.header(name, value);
        }
    }
    let answer = onward.body(body).send().await.unwrap();
    let mut status = answer.status();
    let mut back = Response::builder();
    if let Some(kind) = answer.headers().get("content-type") {
        back = back.header("content-type", kind);
    }
    let mut bytes = answer.bytes().await.unwrap().to_vec();
    if let Ok(mut value) = serde_json::from_slice::<Value>(&bytes) {
        let before = value.clone();
        change(head.uri.path(), &mut value);
        let code = value.pointer("/error/code").and_then(Value::as_u64);
        if let Some(code) = code.filter(|_| value != before) {
            status = StatusCode::from_u16(u16::try_from(code).unwrap()).unwrap();
        }
        bytes = value.to_string().into_bytes();
    }
    back.status(status).body(Body::from(bytes)).unwrap()
}
