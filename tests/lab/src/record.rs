//! Stands between a client and an API server and writes down what passes: a line of JSON for each request, with its answer.
//!
//! It changes nothing and decides nothing. Each request gets a connection of its own, so that no answer depends on an earlier one.
//! An answer that comes in pieces (a log that is followed, a watch) goes on piece by piece, and its line is written when it ends.

mod frames;

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::{Body, BodyDataStream, Bytes, to_bytes};
use futures_util::Stream;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, UPGRADE, WARNING};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::{Lab, Result};

/// The most that is kept of a body, in bytes; all of it goes on.
const KEPT: usize = 16 << 20;

/// Between whom it stands.
#[derive(Debug, Clone, clap::Args)]
pub struct Settings {
    /// Where to listen, under the laboratory's own certificate.
    #[arg(long)]
    pub listen: SocketAddr,
    /// The API server.
    #[arg(long)]
    pub to: SocketAddr,
    /// The authority of the API server's certificate, as PEM; the laboratory's, if none is named.
    #[arg(long)]
    pub authority: Option<PathBuf>,
    /// The file that the lines go to.
    #[arg(long)]
    pub log: PathBuf,
}

struct Recorder {
    to: SocketAddr,
    connector: TlsConnector,
    log: Mutex<File>,
}

/// What is known of a request before its answer has ended.
struct Note {
    recorder: Arc<Recorder>,
    line: Value,
    answer: Vec<u8>,
}

impl Drop for Note {
    fn drop(&mut self) {
        let answer = match self.line["status"].as_u64() {
            Some(101) => Value::from(frames::messages(&self.answer)),
            _ => readable(&self.answer),
        };
        self.line["answer"] = answer;
        self.line["ended"] = now();
        if let Ok(mut log) = self.recorder.log.lock() {
            // Nobody is left to hear that the line cannot be written; it is missed in the file.
            let _ = writeln!(log, "{}", self.line);
        }
    }
}

impl Note {
    fn keep(&mut self, piece: &[u8]) {
        let room = KEPT.saturating_sub(self.answer.len()).min(piece.len());
        self.answer.extend_from_slice(&piece[..room]);
    }
}

/// A body on its way, whose pieces are kept.
struct Passing {
    body: BodyDataStream,
    note: Note,
}

impl Stream for Passing {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = Pin::new(&mut self.body).poll_next(context);
        if let Poll::Ready(Some(Ok(piece))) = &next {
            self.note.keep(piece);
        }
        next
    }
}

/// Serves until it is killed.
///
/// # Errors
/// The address cannot be listened on, the file cannot be written, a certificate cannot be read.
pub async fn serve(lab: &Lab, settings: Settings) -> Result<()> {
    let authority = settings
        .authority
        .unwrap_or_else(|| lab.pki().join("ca.crt"));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(authority)? {
        roots.add(certificate?)?;
    }
    let client = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let chain = CertificateDer::pem_file_iter(lab.pki().join("apiserver.crt"))?
        .collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(lab.pki().join("apiserver.key"))?;
    let server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let recorder = Arc::new(Recorder {
        to: settings.to,
        connector: TlsConnector::from(Arc::new(client)),
        log: Mutex::new(
            File::options()
                .create(true)
                .append(true)
                .open(settings.log)?,
        ),
    });
    let listener = TcpListener::bind(settings.listen).await?;
    println!("listening on {}", settings.listen);
    loop {
        let (stream, _) = listener.accept().await?;
        let (acceptor, recorder) = (acceptor.clone(), Arc::clone(&recorder));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let service = service_fn(|request| {
                let recorder = Arc::clone(&recorder);
                async move { pass(recorder, request).await.map_err(std::io::Error::other) }
            });
            // A connection that ends early is its client's to notice.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
                .await;
        });
    }
}

async fn pass(recorder: Arc<Recorder>, mut request: Request<Incoming>) -> Result<Response<Body>> {
    let upgrade = request
        .headers()
        .contains_key(UPGRADE)
        .then(|| hyper::upgrade::on(&mut request));
    let (head, body) = request.into_parts();
    let body = to_bytes(Body::new(body), KEPT).await?;
    let mut line = json!({
        "method": head.method.as_str(),
        "path": head.uri.path(),
        "query": head.uri.query().unwrap_or_default(),
        "sent": header(&head.headers, CONTENT_TYPE.as_str()),
        "request": readable(&body),
        "started": now(),
    });
    let stream = TcpStream::connect(recorder.to).await?;
    let name = ServerName::from(recorder.to.ip());
    let stream = recorder.connector.connect(name, stream).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());
    let mut answer = sender
        .send_request(Request::from_parts(head, Body::from(body)))
        .await?;
    line["status"] = answer.status().as_u16().into();
    line["type"] = header(answer.headers(), CONTENT_TYPE.as_str());
    let warnings = answer.headers().get_all(WARNING).iter();
    line["warnings"] = warnings
        .map(|warning| String::from_utf8_lossy(warning.as_bytes()))
        .collect();
    let note = Note {
        recorder,
        line,
        answer: Vec::new(),
    };
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS
        && let Some(upgrade) = upgrade
    {
        let onward = hyper::upgrade::on(&mut answer);
        tokio::spawn(async move {
            if let (Ok(near), Ok(far)) = (upgrade.await, onward.await) {
                let _ = both_ways(near, far, note).await;
            }
        });
        let (head, _) = answer.into_parts();
        return Ok(Response::from_parts(head, Body::empty()));
    }
    let (head, body) = answer.into_parts();
    let body = Body::new(body).into_data_stream();
    // The connection lasts as long as its sender.
    let passing = Passing { body, note };
    let body = Body::from_stream(futures_util::stream::unfold(
        (passing, sender),
        |(mut passing, sender)| async move {
            let piece =
                futures_util::future::poll_fn(|context| Pin::new(&mut passing).poll_next(context))
                    .await?;
            Some((piece, (passing, sender)))
        },
    ));
    Ok(Response::from_parts(head, body))
}

/// Carries bytes both ways until either side ends; what comes from the server is kept.
async fn both_ways(
    near: hyper::upgrade::Upgraded,
    far: hyper::upgrade::Upgraded,
    mut note: Note,
) -> std::io::Result<()> {
    let (mut near_reads, mut near_writes) = tokio::io::split(TokioIo::new(near));
    let (mut far_reads, mut far_writes) = tokio::io::split(TokioIo::new(far));
    let back = async {
        let mut piece = vec![0_u8; 64 << 10];
        loop {
            let read = far_reads.read(&mut piece).await?;
            if read == 0 {
                return near_writes.shutdown().await;
            }
            note.keep(&piece[..read]);
            near_writes.write_all(&piece[..read]).await?;
        }
    };
    let there = async {
        tokio::io::copy(&mut near_reads, &mut far_writes).await?;
        far_writes.shutdown().await
    };
    // The server's side has the last word: its close follows the client's.
    let (back, _) = tokio::join!(back, there);
    back
}

/// Milliseconds since 1970, so that whoever reads the lines knows what was running then.
fn now() -> Value {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since
        .ok()
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .into()
}

fn header(headers: &HeaderMap, name: &str) -> Value {
    headers.get(name).map_or(Value::Null, |value| {
        String::from_utf8_lossy(value.as_bytes()).into()
    })
}

/// A body as JSON if it is such, else as text.
fn readable(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into())
}
