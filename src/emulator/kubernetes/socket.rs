//! exec over WebSocket: the protocols v5.channel.k8s.io and v4.channel.k8s.io, in which the first byte of a message names its
//! stream.
//!
//! axum's handler gives the upgrade, and tokio-tungstenite the WebSocket: `axum::extract::ws` would bring a second version of
//! tungstenite (0.29, while the Kubernetes client uses 0.30), and it has no access to the connection below, which has to be
//! shut down after the closing frame.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{self, HeaderValue};
use axum::http::{Response, StatusCode};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role};

use super::exec::{self, Run};
use super::exec_stream::{self, CommandOutput};
use super::handle::ClusterHandle;

/// The protocols, the preferred one first. Only v5 has a message for the end of the input.
const PROTOCOLS: &[&str] = &["v5.channel.k8s.io", "v4.channel.k8s.io"];
const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const CLOSE: u8 = 255;
/// How long a command may run, waiting for input included.
const LONGEST_RUN: Duration = Duration::from_secs(600);

/// A request for a WebSocket, and the connection to come.
pub struct Upgrade {
    accept: String,
    protocol: &'static str,
    connection: OnUpgrade,
}

impl Upgrade {
    /// The upgrade that a request asks for. None if it asks for none, or for no protocol of the two.
    pub fn of(request: &mut Request) -> Option<Upgrade> {
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
pub fn exec(handle: Arc<ClusterHandle>, run: Run, upgrade: Upgrade) -> Response<Body> {
    let Upgrade {
        accept,
        protocol,
        connection,
    } = upgrade;
    tokio::spawn(async move {
        if let Ok(upgraded) = connection.await {
            let mut socket =
                WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
            // kubectl reports any code but Normal as an error. A command that was cut off has no exit code to send.
            let code = tokio::select! {
                // A client may close the connection before the command ends: nothing is left to do for it then.
                _ = serve(&mut socket, &handle, &run) => CloseCode::Normal,
                () = tokio::time::sleep(LONGEST_RUN) => CloseCode::Away,
                () = handle.stopped() => CloseCode::Away,
            };
            let reason = Utf8Bytes::from_static("");
            let _ = socket.close(Some(CloseFrame { code, reason })).await;
            // Clients wait until the server ends the connection.
            let _ = socket.get_mut().shutdown().await;
            // Unread input would make the system reset the connection, and the client would lose output that it has not read.
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

/// The client of a command. Output and errors have a channel each, and share one if there is a terminal.
struct Client<'a> {
    socket: &'a mut Socket,
    tty: bool,
}

impl CommandOutput for Client<'_> {
    async fn write(&mut self, errors: bool, text: &str) -> Option<()> {
        if self.tty {
            // As a terminal's driver does.
            let text = text.replace('\n', "\r\n");
            return send(self.socket, STDOUT, text.as_bytes()).await;
        }
        let channel = if errors { STDERR } else { STDOUT };
        send(self.socket, channel, text.as_bytes()).await
    }
}

async fn serve(socket: &mut Socket, handle: &Arc<ClusterHandle>, run: &Run) -> Option<()> {
    let verdict = if exec::reads(run) {
        echo(socket).await?;
        exec::verdict(0)
    } else {
        let mut client = Client {
            socket: &mut *socket,
            tty: run.tty,
        };
        exec_stream::execute(handle, run, &mut client).await?
    };
    send(socket, ERROR, verdict.to_string().as_bytes()).await
}

/// Sends the input back until the client sends its end.
async fn echo(socket: &mut Socket) -> Option<()> {
    while let Some(message) = socket.next().await {
        let bytes = match message.ok()? {
            Message::Binary(bytes) => bytes,
            Message::Close(_) => return Some(()),
            _ => continue,
        };
        match bytes.split_first() {
            Some((&STDIN, input)) => send(socket, STDOUT, input).await?,
            Some((&CLOSE, [STDIN])) => return Some(()),
            _ => {}
        }
    }
    Some(())
}

/// Sends a message unless it is empty. None if the client is gone.
async fn send(socket: &mut Socket, channel: u8, content: &[u8]) -> Option<()> {
    if content.is_empty() {
        return Some(());
    }
    let mut message = vec![channel];
    message.extend(content);
    socket.send(Message::Binary(message.into())).await.ok()
}
