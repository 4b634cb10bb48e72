//! Commands in pods over WebSocket, as kubectl runs them.

use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use rustls::pki_types::pem::PemObject as _;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::Message;

/// Where a cluster is, and who signs for it.
pub struct Server<'a> {
    pub endpoint: &'a str,
    pub authority: &'a [u8],
}

impl Server<'_> {
    /// Opens a WebSocket for what `query` says at `path` (`/api/v1/namespaces/n/pods/p/exec`): the socket, and the protocol that
    /// was chosen.
    pub async fn open(
        &self,
        path: &str,
        protocol: &'static str,
        query: &str,
    ) -> (WebSocketStream<TlsStream<TcpStream>>, String) {
        let mut roots = rustls::RootCertStore::empty();
        let certificate =
            rustls::pki_types::CertificateDer::from_pem_slice(self.authority).unwrap();
        roots.add(certificate).unwrap();
        let config = rustls::ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(self.endpoint).await.unwrap();
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

    /// Runs what `query` says at `path`: the protocol that was chosen, and what came on each channel.
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
        let mut said = Vec::new();
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Binary(bytes) = message {
                let (channel, text) = bytes.split_first().unwrap();
                said.push((*channel, String::from_utf8(text.to_vec()).unwrap()));
            }
        }
        (spoken, said)
    }
}
