//! A cluster behind a company's proxy, which may inspect what passes.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_rustls::TlsAcceptor;

use super::hostile_tests::certified_for;
use super::*;

/// The address of the cluster; nothing but the proxy leads there.
const CLUSTER: &str = "192.0.2.1";

/// A proxy that opens each tunnel itself, with a certificate of its own authority, and answers in the cluster's place.
struct InspectingProxy {
    address: String,
    authority: String,
    heads: UnboundedReceiver<String>,
}

impl InspectingProxy {
    /// `is_https` is how the proxy itself is reached.
    async fn start(is_https: bool) -> InspectingProxy {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (config, authority) = certified_for(&["127.0.0.1", CLUSTER]);
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if is_https { "https" } else { "http" };
        let address = format!("{scheme}://me:secret@{}", listener.local_addr().unwrap());
        let (told, heads) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream: Box<dyn Stream> = match is_https {
                    false => Box::new(stream),
                    true => match acceptor.accept(stream).await {
                        Ok(stream) => Box::new(stream),
                        Err(_) => continue,
                    },
                };
                let _ = told.send(head(&mut stream).await);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
                let Ok(mut inner) = acceptor.accept(stream).await else {
                    continue;
                };
                let _ = told.send(head(&mut inner).await);
                let body =
                    r#"{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}"#;
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                let _ = inner.write_all(answer.as_bytes()).await;
                let _ = inner.shutdown().await;
            }
        });
        InspectingProxy {
            address,
            authority,
            heads,
        }
    }

    /// Reads a namespace of the cluster through the proxy, with these authorities in `SSL_CERT_FILE`.
    async fn get(&self, trusted: &str) -> Result<Option<Value>, ClusterError> {
        let (_, own) = certified_for(&[CLUSTER]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("company.pem");
        std::fs::write(&file, trusted).unwrap();
        let env = |name: &str| match name {
            "HTTPS_PROXY" => Some(self.address.clone()),
            "SSL_CERT_FILE" => Some(file.display().to_string()),
            _ => None,
        };
        let cluster =
            ClusterClient::connect_in(CLUSTER, own.as_bytes(), "secret-token", &env).unwrap();
        let namespace = ObjectRef {
            api_version: "v1".to_owned(),
            kind: "Namespace".to_owned(),
            namespace: None,
            name: "n".to_owned(),
        };
        cluster.get(&namespace).await
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// The head of a request.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

#[tokio::test]
async fn a_cluster_is_reached_through_a_proxy_whose_authority_the_user_names() {
    for is_https in [false, true] {
        let mut proxy = InspectingProxy::start(is_https).await;
        let found = proxy.get(&proxy.authority.clone()).await;
        found
            .unwrap_or_else(|error| panic!("https: {is_https}: {error}"))
            .unwrap();
        let tunnel = proxy.heads.recv().await.unwrap();
        assert!(tunnel.starts_with("CONNECT 192.0.2.1:443 "), "{tunnel}");
        // me:secret
        let credentials = "proxy-authorization: basic bwu6c2vjcmv0";
        assert!(tunnel.to_lowercase().contains(credentials), "{tunnel}");
        assert!(!tunnel.contains("secret-token"), "{tunnel}");
        let request = proxy.heads.recv().await.unwrap();
        assert!(request.contains("Bearer secret-token"), "{request}");
    }
}

#[tokio::test]
async fn a_proxy_that_opens_the_tunnel_with_another_authority_is_told_no_token() {
    let mut proxy = InspectingProxy::start(false).await;
    let error = proxy.get("").await.unwrap_err();
    assert_eq!(error.fault, ClusterErrorKind::Unreachable, "{error}");
    assert!(proxy.heads.try_recv().unwrap().starts_with("CONNECT "));
    while let Ok(head) = proxy.heads.try_recv() {
        assert!(head.is_empty() || head.starts_with("CONNECT "), "{head}");
    }
}
