//! A cluster's server: https on a loopback port of its own.
//!
//! It accepts any token that does not state an expiry in the past: a client sends the token that it has for Google, or the
//! word that `provision token` prints if there is none. A secret would protect nothing, because the APIs that hand it out
//! check no credentials. Other machines and pages in a browser are kept out by address and by host name.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{Response, StatusCode};
use percent_encoding::percent_decode_str;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::api;
use super::call::ApiCall;
use super::cluster::Cluster;
use super::handle::{ClusterHandle, Keeper};
use super::listener::TlsListener;
use super::reply::ApiReply;
use super::socket;
use super::status::Status;
use super::stream;
use super::tls::TlsError;
use super::tokens;
use super::webhooks;
use crate::loopback;

/// The largest body that is read, as in Kubernetes.
const BODY_LIMIT: usize = 3 << 20;
/// How long a client may take for its TLS handshake.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

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

/// A running server. When this is dropped it accepts no more connections, answers the requests under way, and ends what
/// goes on: watches, logs that are followed, commands.
pub struct Serving {
    addr: SocketAddr,
    handle: Arc<ClusterHandle>,
    _stop: watch::Sender<()>,
}

/// What is in the cluster is not printed.
impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Serving");
        shown.field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl Serving {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The cluster behind it.
    pub fn handle(&self) -> Arc<ClusterHandle> {
        Arc::clone(&self.handle)
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
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::from_std(listener)?;
    let listener = TlsListener::new(listener, acceptor, HANDSHAKE_LIMIT);
    let (stop, stopping) = watch::channel(());
    let handle = Arc::new(ClusterHandle::new(keeper, key, stopping));
    let router = Router::new()
        .fallback(answer)
        .with_state(Arc::clone(&handle));
    let served = Arc::clone(&handle);
    tokio::spawn(async move {
        let stopped = async move { served.stopped().await };
        // The listener never fails; an error of a connection ends that connection only.
        let _ = axum::serve(listener, router)
            .with_graceful_shutdown(stopped)
            .await;
    });
    Ok(Serving {
        addr,
        handle,
        _stop: stop,
    })
}

async fn answer(State(handle): State<Arc<ClusterHandle>>, request: Request) -> Response<Body> {
    respond(handle, request).await
}

/// Answers one request to the cluster's API, whichever server it came to.
pub async fn respond(handle: Arc<ClusterHandle>, mut request: Request) -> Response<Body> {
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
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        let mut status =
            Status::bad_request(format!("Request entity too large: limit is {BODY_LIMIT}"));
        (status.code, status.reason) = (413, "RequestEntityTooLarge");
        return refused(&status);
    };
    let text = |name: HeaderName| {
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
    match handle.with(|cluster| webhooks::questions(cluster, &call)) {
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
    match handle.with(|cluster| api::answer(cluster, &call)) {
        Err(unkept) => refused(&Status::untyped(unkept.to_string())),
        Ok(Err(status)) => refused(&status),
        Ok(Ok(reply)) => rendered(handle, reply, upgrade),
    }
}

/// Kubernetes answers questions about its version and its health without a token.
fn is_public(path: &str) -> bool {
    matches!(path, "/version" | "/livez" | "/readyz" | "/healthz")
}

/// Seconds since the epoch. Tokens expire by the real clock, not by the pace of the emulated world.
fn seconds() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn rendered(
    handle: Arc<ClusterHandle>,
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
            *response.body_mut() = stream::watch(handle, *watch);
            response
        }
        ApiReply::Log(tail) => {
            let mut response = json(200, String::new());
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            *response.body_mut() = stream::log(handle, tail);
            response
        }
        ApiReply::Exec(run) => match upgrade {
            Some(upgrade) => socket::exec(handle, run, upgrade),
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
