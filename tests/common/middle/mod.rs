//! Stands between the program and the cloud, and between the program and its cluster: shows each request to whoever watches, and
//! does to it what the watcher says. No part of the program knows of it. What happens, and why, is the watcher's alone.

pub mod request;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::certified::certified;
use request::Asked;

/// What happens to a request on its way.
pub enum Fate {
    /// It arrives, and its answer too.
    Passes,
    /// The same, after a while.
    Late(Duration),
    /// The connection ends before it arrives.
    Broken,
    /// This is answered, and the cloud hears nothing of it.
    Said(u16, Value),
    /// It arrives, and the connection ends before the answer.
    AnswerLost,
    /// It arrives, and the answer ends in its middle.
    AnswerCut,
}

/// Who decides.
pub trait Watch: Send + Sync + 'static {
    /// A request is here; the cloud has not heard of it.
    fn comes(&self, asked: &Asked, body: &[u8]) -> Fate;

    /// It has taken effect; the program has not heard of it, and does not where this says so.
    fn loses(&self, _asked: &Asked) -> bool {
        false
    }
}

/// Servers that run until it is dropped.
pub struct Middle {
    address: SocketAddr,
    // The servers end with it.
    _runtime: Runtime,
}

struct Inner {
    watch: Arc<dyn Watch>,
    /// Servers before clusters: the cluster's own address, the server's, its certificate.
    clusters: Mutex<HashMap<String, (SocketAddr, String)>>,
}

/// Where a request goes on to.
#[derive(Clone)]
struct Onward {
    base: String,
    client: reqwest::Client,
    cluster: bool,
}

impl Middle {
    /// Before a cloud.
    pub fn new(cloud: SocketAddr, watch: Arc<dyn Watch>) -> Middle {
        let runtime = Runtime::new().unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let inner = Arc::new(Inner {
            watch,
            clusters: Mutex::default(),
        });
        let listener = runtime
            .block_on(TcpListener::bind(("127.0.0.1", 0)))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let onward = Onward {
            base: format!("http://{cloud}"),
            client,
            cluster: false,
        };
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&inner), onward.clone()));
            }
        });
        Middle {
            address,
            _runtime: runtime,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, inner: Arc<Inner>, onward: Onward) {
    let service = service_fn(|request| {
        let (inner, onward) = (Arc::clone(&inner), onward.clone());
        async move { inner.pass(onward, request).await }
    });
    // An error of the service ends the connection without an answer: that is what it is for.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn broken() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

impl Inner {
    async fn pass(
        self: Arc<Self>,
        onward: Onward,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, io::Error> {
        let (head, body) = request.into_parts();
        let body = to_bytes(Body::new(body), usize::MAX)
            .await
            .map_err(|_| broken())?;
        let asked = Asked {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            cluster: onward.cluster,
        };
        let fate = self.watch.comes(&asked, &body);
        match &fate {
            Fate::Broken => return Err(broken()),
            Fate::Said(http, body) => return Ok(said(*http, body)),
            Fate::Late(time) => tokio::time::sleep(*time).await,
            Fate::Passes | Fate::AnswerLost | Fate::AnswerCut => {}
        }
        let mut request = onward
            .client
            .request(head.method, format!("{}{}", onward.base, head.uri));
        for (name, value) in &head.headers {
            if !["host", "content-length", "accept-encoding", "connection"].contains(&name.as_str())
            {
                request = request.header(name, value);
            }
        }
        let answer = request.body(body).send().await.map_err(|_| broken())?;
        let mut back = Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            if !["transfer-encoding", "content-length", "connection"].contains(&name.as_str()) {
                back = back.header(name, value);
            }
        }
        let bytes = answer.bytes().await.map_err(|_| broken())?;
        let bytes = match onward.cluster {
            false => self.redirected(bytes),
            true => bytes,
        };
        let lost = self.watch.loses(&asked);
        match fate {
            _ if lost => Err(broken()),
            Fate::AnswerLost => Err(broken()),
            Fate::AnswerCut => {
                let half = bytes.slice(..bytes.len() / 2);
                let pieces = [Ok(half), Err(broken())];
                // The length that was promised says that it is not all.
                back = back.header("content-length", bytes.len().max(1));
                Ok(back
                    .body(Body::from_stream(futures_util::stream::iter(pieces)))
                    .unwrap())
            }
            _ => Ok(back.body(Body::from(bytes)).unwrap()),
        }
    }

    /// A description of a cluster names a server of ours in the cluster's place.
    fn redirected(self: &Arc<Self>, bytes: Bytes) -> Bytes {
        let Ok(mut cluster) = serde_json::from_slice::<Value>(&bytes) else {
            return bytes;
        };
        let own = |pointer: &str| {
            cluster
                .pointer(pointer)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let (Some(endpoint), Some(authority)) =
            (own("/endpoint"), own("/masterAuth/clusterCaCertificate"))
        else {
            return bytes;
        };
        let known = self.clusters.lock().unwrap().get(&endpoint).cloned();
        let (address, certificate) = match known {
            Some(known) => known,
            None => {
                let made = self.before_cluster(&endpoint, &authority);
                let mut clusters = self.clusters.lock().unwrap();
                clusters.entry(endpoint).or_insert(made).clone()
            }
        };
        cluster["endpoint"] = json!(address.to_string());
        cluster["masterAuth"]["clusterCaCertificate"] = json!(STANDARD.encode(certificate));
        Bytes::from(cluster.to_string())
    }

    /// Starts a server before a cluster, with a certificate of its own.
    fn before_cluster(self: &Arc<Self>, endpoint: &str, authority: &str) -> (SocketAddr, String) {
        let (acceptor, certificate) = certified();
        let authority = STANDARD.decode(authority).unwrap();
        let client = reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(&authority).unwrap()])
            .no_proxy()
            .build()
            .unwrap();
        let onward = Onward {
            base: format!("https://{endpoint}"),
            client,
            cluster: true,
        };
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, shared, onward) =
                    (acceptor.clone(), Arc::clone(&shared), onward.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, shared, onward).await;
                    }
                });
            }
        });
        (address, certificate)
    }
}

/// An answer: a text is a page, all else JSON.
fn said(http: u16, body: &Value) -> Response<Body> {
    let (kind, text) = match body {
        Value::String(page) => ("text/html; charset=UTF-8", page.clone()),
        body => ("application/json; charset=UTF-8", body.to_string()),
    };
    let mut back = Response::builder()
        .status(http)
        .header("content-type", kind);
    if http == 429 {
        back = back.header("retry-after", "1");
    }
    back.body(Body::from(text)).unwrap()
}
