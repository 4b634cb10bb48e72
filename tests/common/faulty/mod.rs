//! Stands between the program and the cloud, and between the program and its cluster, and puts faults on the wire: what arrives
//! there is what an unlucky day looks like, and no part of the program knows of it.

pub mod fault;
pub mod plan;
pub mod request;
pub mod truth;
pub mod undisturbed;

use std::collections::{HashMap, HashSet};
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
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use fault::Fault;
use plan::Plan;
use request::Asked;

/// How long a slow answer takes.
const SLOW: Duration = Duration::from_millis(1200);

/// Runs until it is dropped.
pub struct Faulty {
    inner: Arc<Inner>,
    address: SocketAddr,
    // The servers end with it.
    _runtime: Runtime,
}

struct Inner {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    plan: Plan,
    /// What befell which request.
    hits: Vec<(Fault, String)>,
    /// How often a kind of request came, in the order of their first coming.
    heard: Vec<(Asked, usize)>,
    /// Requests that began an operation of the cloud's: sent again, they are answered with that one, which does not fail.
    begun: HashSet<Vec<u8>>,
    /// Operations that exist only to fail, and how they end.
    doomed: HashMap<String, Value>,
    /// Servers before clusters: the cluster's own address, the server's, its certificate.
    clusters: HashMap<String, (SocketAddr, String)>,
}

/// Where a request goes on to.
#[derive(Clone)]
struct Onward {
    base: String,
    client: reqwest::Client,
    cluster: bool,
}

impl Faulty {
    /// Before a cloud, calm.
    pub fn new(cloud: SocketAddr) -> Faulty {
        let runtime = Runtime::new().unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let inner = Arc::new(Inner {
            state: Mutex::default(),
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
        let shared = Arc::clone(&inner);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared), onward.clone()));
            }
        });
        Faulty {
            inner,
            address,
            _runtime: runtime,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What is going to happen from now on.
    pub fn plans(&self, plan: Plan) {
        let mut state = self.inner.state.lock().unwrap();
        state.plan = plan;
        state.hits.clear();
        state.heard.clear();
    }

    /// What has happened since.
    pub fn hits(&self) -> Vec<(Fault, String)> {
        self.inner.state.lock().unwrap().hits.clone()
    }

    /// One request of each kind that came since, and how many there were.
    pub fn heard(&self) -> Vec<(Asked, usize)> {
        self.inner.state.lock().unwrap().heard.clone()
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
        if let Some(end) = self.doomed(&asked.path) {
            return Ok(said(200, &end));
        }
        let itself = [asked.method.as_bytes(), asked.path.as_bytes(), &body].concat();
        let fault = self.decide(&asked);
        match fault {
            Some(Fault::ResetBefore) => return Err(broken()),
            Some(Fault::Slow) => tokio::time::sleep(SLOW).await,
            Some(fault @ (Fault::OperationFails | Fault::OperationQuota))
                if !self.state.lock().unwrap().begun.contains(&itself) =>
            {
                return Ok(said(200, &self.doom(fault, &asked)));
            }
            _ => {}
        }
        if let Some((http, body)) = fault.and_then(|fault| fault.answer(&asked)) {
            return Ok(said(http, &body));
        }
        if asked.begins_operation() {
            self.state.lock().unwrap().begun.insert(itself);
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
        match fault {
            Some(Fault::AnswerLost) => Err(broken()),
            Some(Fault::CutOff) => {
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

    fn decide(&self, asked: &Asked) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
        let kind = asked.kind();
        match state.heard.iter_mut().find(|(one, _)| one.kind() == kind) {
            Some((_, count)) => *count += 1,
            None => state.heard.push((asked.clone(), 1)),
        }
        let fault = state.plan.decide(asked)?;
        state.hits.push((fault, kind));
        Some(fault)
    }

    /// The end of an operation that exists only to fail.
    fn doomed(&self, path: &str) -> Option<Value> {
        let state = self.state.lock().unwrap();
        let part = path.split('/').find(|part| part.contains("doomed-"))?;
        state.doomed.get(part).cloned()
    }

    /// Begins an operation that is going to fail; the cloud hears nothing of it.
    fn doom(&self, fault: Fault, asked: &Asked) -> Value {
        let mut state = self.state.lock().unwrap();
        let number = state.doomed.len();
        let name = match asked.api() {
            "serviceusage" => format!("acat.doomed-{number}"),
            _ => format!("operation-doomed-{number}"),
        };
        let place = asked
            .path
            .split_once("/locations/")
            .and_then(|(before, after)| {
                let project = before.rsplit('/').next()?;
                let location = after.split('/').next()?;
                Some(format!(
                    "projects/{project}/locations/{location}/operations/{name}"
                ))
            });
        let (running, shown) = match asked.api() {
            "compute" => (
                json!({"kind": "compute#operation", "status": "RUNNING", "progress": 0}),
                name.clone(),
            ),
            "container" => (json!({"status": "RUNNING"}), name.clone()),
            "serviceusage" => (json!({}), format!("operations/{name}")),
            _ => (
                json!({"done": false}),
                place.unwrap_or_else(|| name.clone()),
            ),
        };
        let named = |mut operation: Value| {
            operation["name"] = json!(shown);
            operation
        };
        state
            .doomed
            .insert(name, named(fault.end_of_operation(asked.api())));
        named(running)
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
        let known = self.state.lock().unwrap().clusters.get(&endpoint).cloned();
        let (address, certificate) = match known {
            Some(known) => known,
            None => {
                let made = self.before_cluster(&endpoint, &authority);
                let mut state = self.state.lock().unwrap();
                state.clusters.entry(endpoint).or_insert(made).clone()
            }
        };
        cluster["endpoint"] = json!(address.to_string());
        cluster["masterAuth"]["clusterCaCertificate"] = json!(STANDARD.encode(certificate));
        Bytes::from(cluster.to_string())
    }

    /// Starts a server before a cluster, with a certificate of its own.
    fn before_cluster(self: &Arc<Self>, endpoint: &str, authority: &str) -> (SocketAddr, String) {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key =
            rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
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
        (address, made.cert.pem())
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
