//! exec over WebSocket: channels v5 and v4, a byte in front of each message that says which stream it is of.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role};

use super::exec::{self, Run};
use super::exec_stream::{self, Listener};
use super::server::Shared;

/// What is spoken, the best first. Only v5 can say that the input has ended.
const PROTOCOLS: &[&str] = &["v5.channel.k8s.io", "v4.channel.k8s.io"];
const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const CLOSE: u8 = 255;
/// How long a command may run, and wait for input that does not come.
const PATIENCE: Duration = Duration::from_secs(600);

/// A connection that wants to become a WebSocket.
pub struct Upgrade {
    accept: String,
    protocol: &'static str,
    connection: OnUpgrade,
}

impl Upgrade {
    /// The wish of a request, if it has one that can be fulfilled.
    pub fn of(request: &mut Request<Incoming>) -> Option<Upgrade> {
        let headers = request.headers();
        let wants = headers
            .get(header::UPGRADE)?
            .to_str()
            .ok()?
            .eq_ignore_ascii_case("websocket");
        let offered: Vec<&str> = headers
            .get_all(header::SEC_WEBSOCKET_PROTOCOL)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .collect();
        let protocol = *PROTOCOLS
            .iter()
            .find(|protocol| offered.contains(*protocol))?;
        let accept = derive_accept_key(headers.get(header::SEC_WEBSOCKET_KEY)?.as_bytes());
        wants.then(|| Upgrade {
            accept,
            protocol,
            connection: hyper::upgrade::on(request),
        })
    }
}

/// Runs a command over the connection.
pub fn exec(shared: Arc<Shared>, run: Run, upgrade: Upgrade) -> Response<Body> {
    let Upgrade {
        accept,
        protocol,
        connection,
    } = upgrade;
    tokio::spawn(async move {
        if let Ok(upgraded) = connection.await {
            let mut socket =
                WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
            // A client that goes away early has said what it thinks of the output.
            let _ = tokio::time::timeout(PATIENCE, serve(&mut socket, &shared, &run)).await;
            // Without a code, kubectl takes the end for an accident.
            let farewell = CloseFrame {
                code: CloseCode::Normal,
                reason: Utf8Bytes::from_static(""),
            };
            let _ = socket.close(Some(farewell)).await;
            // Clients wait until the server ends the connection.
            let _ = socket.get_mut().shutdown().await;
            // What the client still sends is read, or the system would tear down what it has not read yet.
            let rest = async { while let Some(Ok(_)) = socket.next().await {} };
            let _ = tokio::time::timeout(Duration::from_secs(5), rest).await;
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(
        header::SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(protocol),
    );
    if let Ok(accept) = HeaderValue::from_str(&accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// The client's end of a command: channels, of which a terminal has one for output and errors.
struct Client<'a> {
    socket: &'a mut Socket,
    tty: bool,
}

impl Listener for Client<'_> {
    async fn hear(&mut self, errors: bool, text: &str) -> Option<()> {
        if self.tty {
            // A terminal's driver makes a new line out of each line feed.
            let text = text.replace('\n', "\r\n");
            return say(self.socket, STDOUT, text.as_bytes()).await;
        }
        let channel = if errors { STDERR } else { STDOUT };
        say(self.socket, channel, text.as_bytes()).await
    }
}

async fn serve(socket: &mut Socket, shared: &Arc<Shared>, run: &Run) -> Option<()> {
    let verdict = if exec::reads(run) {
        echo(socket).await?;
        exec::verdict(0)
    } else {
        let mut client = Client {
            socket: &mut *socket,
            tty: run.tty,
        };
        exec_stream::play(shared, run, &mut client).await?
    };
    say(socket, ERROR, verdict.to_string().as_bytes()).await
}

/// Gives back what comes in until the client says that nothing more comes.
async fn echo(socket: &mut Socket) -> Option<()> {
    while let Some(message) = socket.next().await {
        let bytes = match message.ok()? {
            Message::Binary(bytes) => bytes,
            Message::Close(_) => return Some(()),
            _ => continue,
        };
        match bytes.split_first() {
            Some((&STDIN, input)) => say(socket, STDOUT, input).await?,
            Some((&CLOSE, [STDIN])) => return Some(()),
            _ => {}
        }
    }
    Some(())
}

/// Sends what is not empty; None when nobody listens.
async fn say(socket: &mut Socket, channel: u8, content: &[u8]) -> Option<()> {
    if content.is_empty() {
        return Some(());
    }
    let mut message = vec![channel];
    message.extend(content);
    socket.send(Message::Binary(message.into())).await.ok()
}
