//! Commands in pods over WebSocket, as kubectl runs them.

use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use rustls::pki_types::pem::PemObject as _;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::Message;

use super::client::ClusterClient;

impl ClusterClient {
    /// Opens a WebSocket for what `query` says at `path` (`/api/v1/namespaces/n/pods/p/exec`). Returns the socket, and the protocol
    /// that the server chose.
    pub async fn open(
        &self,
        path: &str,
        protocol: &'static str,
        query: &str,
    ) -> (WebSocketStream<TlsStream<TcpStream>>, String) {
        let mut roots = rustls::RootCertStore::empty();
        let certificate =
            rustls::pki_types::CertificateDer::from_pem_slice(&self.authority).unwrap();
        roots.add(certificate).unwrap();
        let config = rustls::ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(&self.endpoint).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = connector
            .connect("127.0.0.1".try_into().unwrap(), stream)
            .await
            .unwrap();
        let url = format!("wss://{}{path}?{query}", self.endpoint);
        let mut request = url.into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("authorization", "Bearer a-token".parse().unwrap());
        headers.insert("sec-websocket-protocol", protocol.parse().unwrap());
        let (socket, answer) = tokio_tungstenite::client_async(request, stream)
            .await
            .unwrap();
        let spoken = answer.headers()["sec-websocket-protocol"].to_str().unwrap();
        (socket, spoken.to_owned())
    }

    /// Runs the command of `query` at `path`. Returns the protocol that the server chose, and the frames of each channel.
    pub async fn exec(
        &self,
        path: &str,
        protocol: &'static str,
        query: &str,
        input: &[&[u8]],
    ) -> (String, Vec<(u8, String)>) {
        let (mut socket, spoken) = self.open(path, protocol, query).await;
        for frame in input {
            let frame = Message::Binary(frame.to_vec().into());
            socket.send(frame).await.unwrap();
        }
        let mut frames = Vec::new();
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Binary(bytes) = message {
                let (channel, text) = bytes.split_first().unwrap();
                frames.push((*channel, String::from_utf8(text.to_vec()).unwrap()));
            }
        }
        (spoken, frames)
    }
}
