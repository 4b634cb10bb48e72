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
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role};

use super::cluster::Cluster;
use super::exec::{self, Run};
use super::server::Shared;

/// What is spoken, the best first. Only v5 can say that the input has ended.
const PROTOCOLS: &[&str] = &["v5.channel.k8s.io", "v4.channel.k8s.io"];
const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const CLOSE: u8 = 255;
/// How long a command waits for input that does not come.
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
    let identity = shared
        .with(|cluster| identity(cluster, &run))
        .unwrap_or_default();
    tokio::spawn(async move {
        if let Ok(upgraded) = connection.await {
            let mut socket =
                WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
            // A client that goes away early has said what it thinks of the output.
            let _ = tokio::time::timeout(PATIENCE, play(&mut socket, &run, &identity)).await;
            // Without a code, kubectl takes the end for an accident.
            let farewell = CloseFrame {
                code: CloseCode::Normal,
                reason: Utf8Bytes::from_static(""),
            };
            let _ = socket.close(Some(farewell)).await;
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

/// The Google account that the metadata server gives the pod: the one its Kubernetes account is annotated with.
fn identity(cluster: &mut Cluster, run: &Run) -> String {
    let account = cluster.store.get(&format!(
        "serviceaccounts/{}/{}",
        run.namespace, run.account
    ));
    let annotated = account.and_then(|account| {
        account["metadata"]["annotations"]["iam.gke.io/gcp-service-account"].as_str()
    });
    annotated.map_or_else(
        || format!("{}.svc.id.goog", cluster.site.project),
        str::to_owned,
    )
}

type Socket = WebSocketStream<TokioIo<Upgraded>>;

async fn play(socket: &mut Socket, run: &Run, identity: &str) -> Option<()> {
    if run.stdin && exec::reads(&run.command) {
        echo(socket).await?;
        return say(socket, ERROR, exec::verdict(0).to_string().as_bytes()).await;
    }
    let outcome = exec::outcome(&run.command, "", identity);
    say(socket, STDOUT, outcome.stdout.as_bytes()).await?;
    // A terminal has one stream for both.
    say(
        socket,
        if run.tty { STDOUT } else { STDERR },
        outcome.stderr.as_bytes(),
    )
    .await?;
    say(
        socket,
        ERROR,
        exec::verdict(outcome.code).to_string().as_bytes(),
    )
    .await
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
