//! The way from the world outside to the project's emulator, which listens on the nodes' loopback: a socket in the file system,
//! as those do not end at a network's border.

use std::path::PathBuf;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use crate::Result;

/// The emulator, by its socket.
#[derive(Debug, Clone)]
pub struct Emulator {
    socket: PathBuf,
}

impl Emulator {
    pub fn new(socket: PathBuf) -> Emulator {
        Emulator { socket }
    }

    /// Sends a request as it is, and returns the answer as it comes.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>> {
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|_| "it is not there: run `lab google` first")?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(connection);
        let answer = sender.send_request(request).await?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        driver.abort();
        Ok(Response::from_parts(head, Full::new(body)))
    }

    /// Asks for JSON; none where there is no such thing.
    pub async fn json(&self, method: &str, path: &str) -> Result<Option<Value>> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "127.0.0.1")
            .header("content-type", "application/json");
        let answer = self
            .send(request.body(Full::new(Bytes::from_static(b"{}")))?)
            .await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        match status.as_u16() {
            200..=299 => Ok(Some(serde_json::from_slice(&body)?)),
            404 => Ok(None),
            _ => Err(format!(
                "{method} {path}: {status}: {}",
                String::from_utf8_lossy(&body)
            )
            .into()),
        }
    }
}
