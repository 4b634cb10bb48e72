//! The TLS listener of an emulated cluster: axum's server takes its connections from here.
//!
//! A handshake runs in a task of its own, so a client that is slow or silent delays no other. HTTP is axum's part.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

type Accepted = (TlsStream<TcpStream>, SocketAddr);

/// A TCP listener and the handshakes of the connections that it accepted. They are aborted when it is dropped.
pub struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    limit: Duration,
    /// None where a handshake failed or took too long.
    handshakes: JoinSet<Option<Accepted>>,
}

impl TlsListener {
    /// Accepts from `tcp`, with the certificate and the protocols of `acceptor`. A handshake that takes longer than `limit`
    /// is given up.
    pub fn new(tcp: TcpListener, acceptor: TlsAcceptor, limit: Duration) -> TlsListener {
        TlsListener {
            tcp,
            acceptor,
            limit,
            handshakes: JoinSet::new(),
        }
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Accepted {
        loop {
            tokio::select! {
                (stream, from) = Listener::accept(&mut self.tcp) => {
                    let handshake = timeout(self.limit, self.acceptor.accept(stream));
                    self.handshakes.spawn(async move {
                        // A client that does not trust the certificate closes the connection. That is no error of the server.
                        Some((handshake.await.ok()?.ok()?, from))
                    });
                }
                Some(done) = self.handshakes.join_next() => {
                    if let Ok(Some(accepted)) = done {
                        return accepted;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::AsyncReadExt as _;

    use super::*;
    use crate::kubernetes::tls::Authority;

    #[tokio::test]
    async fn a_silent_client_is_disconnected() {
        let config = Authority::new().unwrap().server().unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let mut listener = TlsListener::new(tcp, acceptor, Duration::from_millis(20));
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let mut byte = [0; 1];
        tokio::select! {
            _ = listener.accept() => panic!("there was no handshake"),
            read = client.read(&mut byte) => assert_eq!(read.unwrap(), 0),
        }
    }
}
