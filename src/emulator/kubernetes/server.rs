//! A cluster's server: https on a loopback port of its own.
//!
//! Any token is good that does not say itself that it has expired: a client comes with whatever token it has for Google, or
//! with the word that `provision token` gives where there is none. A secret would guard nothing, as the APIs that hand it
//! out ask for none; other machines and pages in a browser are kept out by address and name. There is no clock that
//! runs by itself: a request, and a watch that waits, look at the time and let the controllers catch up.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use percent_encoding::percent_decode_str;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::api;
use super::call::{ApiCall, ApiReply};
use super::cluster::Cluster;
use super::socket;
use super::status::Status;
use super::stream;
use super::tls::TlsError;
use super::tokens;
use super::webhooks;
use crate::loopback;
use crate::state::StateError;
use crate::world::World;

/// The largest body that is read, as in Kubernetes.
const BODY_LIMIT: usize = 3 << 20;

/// Who keeps the clusters.
pub trait Keeper: Send + Sync + 'static {
    /// Lets `work` see a cluster as it is now, and keeps what it changes before anybody hears of it.
    ///
    /// # Errors
    /// The cluster is gone, or what was changed cannot be kept.
    fn with(&self, cluster: &str, work: &mut dyn FnMut(&mut Cluster)) -> Result<(), NotStored>;

    /// Lets `work` see the world around the clusters as it is now.
    fn look(&self, work: &mut dyn FnMut(&World));
}

/// Why nobody may hear of a change, or of anything.
#[derive(Debug, thiserror::Error)]
pub enum NotStored {
    /// There is no such cluster any more.
    #[error("the emulated cluster is gone")]
    Gone,
    /// The state cannot be written.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It has no certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// It has no port.
    #[error("cannot listen for the emulated cluster: {0}")]
    Listen(#[from] io::Error),
}

/// A server at work; it stops when this is dropped.
#[derive(Debug)]
pub struct Serving {
    addr: SocketAddr,
    task: AbortHandle,
}

impl Serving {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What each connection needs.
pub struct Shared {
    keeper: Arc<dyn Keeper>,
    cluster: String,
    wake: watch::Sender<u64>,
}

impl Shared {
    /// What `work` makes of the cluster.
    ///
    /// # Errors
    /// As [`Keeper::with`].
    pub fn with<T>(&self, mut work: impl FnMut(&mut Cluster) -> T) -> Result<T, NotStored> {
        let mut result = None;
        let mut changed = false;
        let kept = self.keeper.with(&self.cluster, &mut |cluster| {
            let before = cluster.progress();
            result = Some(work(cluster));
            changed = before != cluster.progress();
        });
        if changed {
            self.wake.send_modify(|count| *count += 1);
        }
        kept?;
        result.ok_or(NotStored::Gone)
    }

    /// What `work` makes of the world and of this cluster's name in it.
    pub fn look<T>(&self, mut work: impl FnMut(&World, &str) -> T) -> Option<T> {
        let mut result = None;
        self.keeper
            .look(&mut |world| result = Some(work(world, &self.cluster)));
        result
    }

    /// Tells when something may have changed.
    pub fn listen(&self) -> watch::Receiver<u64> {
        self.wake.subscribe()
    }
}

/// Starts a server for a cluster, on `port` if that is free.
///
/// # Errors
/// No certificate, or no port at all. Needs a tokio runtime around it.
pub fn serve(
    keeper: Arc<dyn Keeper>,
    key: &str,
    cluster: &Cluster,
    port: Option<u16>,
) -> Result<Serving, ServeError> {
    let config = cluster.authority.server()?;
    let bind = |port: u16| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = match port.map(bind) {
        Some(Ok(listener)) => listener,
        _ => bind(0)?,
    };
    listener.set_nonblocking(true)?;
    let addr = listener.local_addr()?;
    let listener = TcpListener::from_std(listener)?;
    let (wake, _) = watch::channel(0);
    let shared = Arc::new(Shared {
        keeper,
        cluster: key.to_owned(),
        wake,
    });
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let task = tokio::spawn(async move {
        // Dropped with the task, and every connection with it.
        let mut connections = JoinSet::new();
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            while connections.try_join_next().is_some() {}
            let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
            connections.spawn(async move {
                // A client that does not trust the certificate goes away; that is its own affair.
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let service = hyper::service::service_fn(move |request| {
                    let shared = Arc::clone(&shared);
                    async move { Ok::<_, Infallible>(handle(shared, request).await) }
                });
                let connection = auto::Builder::new(TokioExecutor::new());
                // What a connection suffers is that connection's.
                let _ = connection
                    .serve_connection_with_upgrades(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    Ok(Serving {
        addr,
        task: task.abort_handle(),
    })
}

async fn handle(shared: Arc<Shared>, mut request: Request<Incoming>) -> Response<Body> {
    let authority = request.uri().authority().map(|one| one.as_str().to_owned());
    if let Some(complaint) =
        loopback::reject_foreign_origin(authority.as_deref(), request.headers())
    {
        let mut status = Status::bad_request(complaint.trim_end());
        (status.code, status.reason) = (403, "Forbidden");
        return refused(&status);
    }
    let path = request.uri().path().trim_end_matches('/').to_owned();
    if !is_public(&path) && !tokens::is_good(request.headers(), seconds()) {
        return refused(&Status::unauthorized());
    }
    let upgrade = socket::Upgrade::of(&mut request);
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(Body::new(body), BODY_LIMIT).await else {
        let mut status =
            Status::bad_request(format!("Request entity too large: limit is {BODY_LIMIT}"));
        (status.code, status.reason) = (413, "RequestEntityTooLarge");
        return refused(&status);
    };
    let text = |name: header::HeaderName| {
        let value = head.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let call = ApiCall {
        method: head.method.as_str().to_owned(),
        path: percent_decode_str(head.uri.path())
            .decode_utf8_lossy()
            .into_owned(),
        query: url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect(),
        accept: text(header::ACCEPT),
        content_type: text(header::CONTENT_TYPE),
        agent: text(header::USER_AGENT),
        body: body.to_vec(),
    };
    match shared.with(|cluster| webhooks::questions(cluster, &call)) {
        Err(unkept) => return refused(&Status::untyped(unkept.to_string())),
        Ok(Err(status)) => return refused(&status),
        Ok(Ok(questions)) => {
            for question in questions {
                if let Err(status) = question.ask().await {
                    return refused(&status);
                }
            }
        }
    }
    match shared.with(|cluster| api::answer(cluster, &call)) {
        Err(unkept) => refused(&Status::untyped(unkept.to_string())),
        Ok(Err(status)) => refused(&status),
        Ok(Ok(reply)) => rendered(shared, reply, upgrade),
    }
}

/// Kubernetes tells anybody its version and whether it is well.
fn is_public(path: &str) -> bool {
    matches!(path, "/version" | "/livez" | "/readyz" | "/healthz")
}

/// Tokens expire by everybody's clock, not by the pace of the emulated world.
fn seconds() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn rendered(
    shared: Arc<Shared>,
    reply: ApiReply,
    upgrade: Option<socket::Upgrade>,
) -> Response<Body> {
    match reply {
        ApiReply::Object {
            code,
            body,
            warnings,
        } => {
            let mut response = json(code, body.to_string());
            for warning in warnings {
                if let Ok(value) = HeaderValue::from_str(&format!("299 - {warning:?}")) {
                    response.headers_mut().append(header::WARNING, value);
                }
            }
            response
        }
        ApiReply::Document {
            content_type,
            body,
            keep,
        } => {
            let mut response = json(200, body);
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            if keep {
                headers.insert(
                    header::CACHE_CONTROL,
                    HeaderValue::from_static("public, immutable"),
                );
                headers.insert(
                    header::EXPIRES,
                    HeaderValue::from_static("Thu, 01 Jan 2099 00:00:00 GMT"),
                );
            }
            response
        }
        ApiReply::Nowhere => {
            let mut response = json(404, "404 page not found\n".to_owned());
            let text = HeaderValue::from_static("text/plain; charset=utf-8");
            response.headers_mut().insert(header::CONTENT_TYPE, text);
            response
        }
        ApiReply::Watch(watch) => {
            let mut response = json(200, String::new());
            *response.body_mut() = stream::watch(shared, *watch);
            response
        }
        ApiReply::Log(tail) => {
            let mut response = json(200, String::new());
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            *response.body_mut() = stream::log(shared, tail);
            response
        }
        ApiReply::Exec(run) => match upgrade {
            Some(upgrade) => socket::exec(shared, run, upgrade),
            None => refused(&Status::bad_request(
                "Upgrade request required: the emulated cluster runs commands over WebSocket (v5.channel.k8s.io or v4.channel.k8s.io), as kubectl does from 1.30 on",
            )),
        },
    }
}

fn json(code: u16, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

fn refused(status: &Status) -> Response<Body> {
    json(status.code, status.body().to_string())
}
