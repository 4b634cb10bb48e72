//! A server that answers HTTP, HTTPS and anything else, and says who answered, which address was meant, and in whose name.
//!
//! It stands for the world outside (every address there leads to one port of it) and for every pod whose image the laboratory has
//! not. The path `/status/N` is answered with the status N. It is no httpbin: it says the same of every path.

mod tls;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::Result;
use crate::google::Google;

/// How long a client may take to say something.
const PATIENCE: Duration = Duration::from_secs(20);
/// The first byte of a TLS connection.
const TLS: u8 = 0x16;
/// The body of a teapot, which the tutorial looks for.
const TEAPOT: &str = "-=[ teapot ]=-";

/// Who answers, where.
#[derive(Debug, Clone, clap::Args)]
pub struct Settings {
    /// Who answers.
    #[arg(long)]
    pub who: String,
    /// The ports.
    #[arg(long, value_delimiter = ',')]
    pub ports: Vec<u16>,
    /// The folder of the authority that signs certificates, one for each name asked for.
    #[arg(long)]
    pub pki: PathBuf,
    /// The ports are where connections to other addresses are redirected to.
    #[arg(long)]
    pub redirected: bool,
}

/// What is known of a connection before anything is asked on it.
#[derive(Debug, Clone)]
struct Connection {
    peer: SocketAddr,
    meant: SocketAddr,
    /// Whether it is TLS, and the server name in it.
    tls: bool,
    server_name: Option<String>,
}

/// Serves until it is killed. `google` answers what is meant for Google.
///
/// # Errors
/// A port cannot be listened on.
pub async fn serve(settings: Settings, google: Option<Google>) -> Result<()> {
    let tls = tls::acceptor(&settings.pki)?;
    let server = Arc::new(Server {
        settings,
        google,
        tls,
    });
    let mut listeners = tokio::task::JoinSet::new();
    for port in &server.settings.ports {
        let listener = TcpListener::bind(("0.0.0.0", *port)).await?;
        listeners.spawn(listen(server.clone(), listener));
    }
    while let Some(ended) = listeners.join_next().await {
        ended??;
    }
    Ok(())
}

async fn listen(server: Arc<Server>, listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, peer) = listener.accept().await?;
        let server = server.clone();
        tokio::spawn(async move {
            // What a client breaks is the client's business.
            if let Err(error) = server.meet(stream, peer).await {
                println!("{peer}: {error}");
            }
        });
    }
}

struct Server {
    settings: Settings,
    google: Option<Google>,
    tls: tokio_rustls::TlsAcceptor,
}

impl Server {
    /// Finds out what a connection is, and answers on it.
    async fn meet(self: Arc<Self>, stream: TcpStream, peer: SocketAddr) -> Result<()> {
        let original = socket2::SockRef::from(&stream).original_dst_v4();
        let redirected = original.ok().and_then(|address| address.as_socket());
        let meant = match redirected {
            Some(meant) if self.settings.redirected => meant,
            _ => stream.local_addr()?,
        };
        let mut first = [0_u8];
        if tokio::time::timeout(PATIENCE, stream.peek(&mut first)).await?? == 0 {
            return Ok(());
        }
        let mut connection = Connection {
            peer,
            meant,
            tls: false,
            server_name: None,
        };
        if first[0] != TLS {
            return self.plain(stream, connection).await;
        }
        let stream = tokio::time::timeout(PATIENCE, self.tls.accept(stream)).await??;
        connection.tls = true;
        connection.server_name = stream.get_ref().1.server_name().map(str::to_owned);
        self.plain(stream, connection).await
    }

    /// Answers HTTP as HTTP, and any other bytes with a line that says so.
    async fn plain<S>(self: Arc<Self>, mut stream: S, connection: Connection) -> Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut first = vec![0_u8; 4096];
        let mut length = 0;
        while length < 24 && !first[..length].contains(&b'\n') {
            match tokio::time::timeout(PATIENCE, stream.read(&mut first[length..])).await?? {
                0 => break,
                read => length += read,
            }
        }
        first.truncate(length);
        if !is_http(&first) {
            let got = String::from_utf8_lossy(&first[..length.min(40)]).into_owned();
            let line = json!({"who": self.settings.who, "meant": connection.meant.to_string(), "tls": connection.tls,
                "sni": connection.server_name, "protocol": "tcp", "got": got});
            stream.write_all(format!("{line}\n").as_bytes()).await?;
            return Ok(stream.shutdown().await?);
        }
        let (reader, writer) = tokio::io::split(stream);
        let stream = tokio::io::join(io::Cursor::new(first).chain(reader), writer);
        let service = service_fn(move |request: Request<Incoming>| {
            let (server, connection) = (self.clone(), connection.clone());
            async move { Ok::<_, std::convert::Infallible>(server.answer(request, &connection).await) }
        });
        let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
        builder
            .serve_connection(TokioIo::new(stream), service)
            .await
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        connection: &Connection,
    ) -> Response<Full<Bytes>> {
        if let Some(google) = &self.google
            && google.is_meant(connection.meant, connection.server_name.as_deref())
        {
            return google
                .answer(request, connection.peer.ip(), connection.meant)
                .await;
        }
        let path = request.uri().path().to_owned();
        let status = status_of(&path);
        let header = |name: &str| {
            request
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let host =
            header("host").or_else(|| request.uri().authority().map(|host| host.to_string()));
        let mut body = json!({
            "who": self.settings.who, "meant": connection.meant.to_string(), "from": connection.peer.ip().to_string(),
            "tls": connection.tls, "sni": connection.server_name, "protocol": "http", "method": request.method().as_str(),
            "path": path, "host": host, "caller": header("x-forwarded-client-cert").unwrap_or_default(),
        });
        if status == 418 {
            body["body"] = TEAPOT.into();
        }
        respond(request.method(), status, &self.settings.who, &body)
    }
}

/// An answer in JSON; to HEAD its length alone.
pub(crate) fn respond(
    method: &Method,
    status: u16,
    who: &str,
    body: &Value,
) -> Response<Full<Bytes>> {
    let text = body.to_string();
    let length = text.len();
    let body = if *method == Method::HEAD {
        Bytes::new()
    } else {
        text.into()
    };
    let built = Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .header("x-answered-by", who)
        .header("content-length", length)
        .body(Full::new(body));
    // A status that cannot be is the only thing that could be wrong with it.
    built.unwrap_or_else(|_| Response::new(Full::new(Bytes::new())))
}

/// The status that a path asks for. Pure.
fn status_of(path: &str) -> u16 {
    let asked = path
        .split_once("/status/")
        .map(|(_, rest)| rest.split('/').next().unwrap_or_default());
    asked
        .and_then(|text| text.parse().ok())
        .filter(|status| (200..600).contains(status))
        .unwrap_or(200)
}

/// Whether bytes begin a request of HTTP/1 or the preface of HTTP/2. Pure.
fn is_http(first: &[u8]) -> bool {
    let line = first
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let method = line.split(' ').next().unwrap_or_default();
    let is_method = !method.is_empty()
        && method
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    // A long path hides the version beyond what was read.
    is_method
        && (line
            .trim_end()
            .rsplit(' ')
            .next()
            .is_some_and(|end| end.starts_with("HTTP/"))
            || first.len() >= 24 && !first.contains(&b'\n') && line.contains(" /"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_told_from_other_bytes() {
        for (bytes, expected) in [
            ("GET / HTTP/1.1\r\n", true),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", true),
            ("hello\n", false),
            ("EHLO example.com\r\n", false),
            ("", false),
            ("GET /a/very/long/path/that/does/not/end", true),
        ] {
            assert_eq!(is_http(bytes.as_bytes()), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_path_may_ask_for_a_status() {
        for (path, expected) in [
            ("/", 200),
            ("/status/418", 418),
            ("/a/status/503/", 503),
            ("/status/x", 200),
            ("/status/1", 200),
        ] {
            assert_eq!(status_of(path), expected, "{path}");
        }
    }
}
