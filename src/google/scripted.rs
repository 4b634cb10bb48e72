//! A server for tests that follows a script: one reply per request, including failures of the connection. It
//! implements just enough HTTP/1.1, and records the requests.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The reaction to the next request.
pub(super) enum Reply {
    /// A JSON answer.
    Json(u16, Value),
    /// Any answer: code, extra header lines (each ending in CRLF), body.
    Raw(u16, String, String),
    /// The same, with a body that need not be text.
    Bytes(u16, String, Vec<u8>),
    /// The connection is reset before anything is read.
    ResetBefore,
    /// The whole request is read, then the connection is reset.
    ResetAfter,
    /// The answer ends before the announced length.
    CutOff,
    /// The request is read and never answered.
    Silent,
    /// An action while the client waits, followed by the reply.
    After(Box<dyn FnOnce() + Send>, Box<Reply>),
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// `GET /path?query`.
    pub line: String,
    head: String,
    pub body: String,
}

impl Seen {
    /// The value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// The server; it ends with the test's runtime.
pub(super) struct Scripted {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Scripted {
    /// Listens on a new port.
    pub async fn plays(script: impl IntoIterator<Item = Reply>) -> Scripted {
        Scripted::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), script)
    }

    /// Listens on a given listener.
    pub fn on(listener: TcpListener, script: impl IntoIterator<Item = Reply>) -> Scripted {
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mut script: VecDeque<Reply> = script.into_iter().collect();
        let log = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // No client repeats after `501 Not Implemented`, so a test that sends too many requests fails.
                let over = || Reply::Raw(501, String::new(), "the script is over".into());
                let reply = script.pop_front().unwrap_or_else(over);
                tokio::spawn(serve(stream, reply, log.clone()));
            }
        });
        Scripted { address, seen }
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The request lines, in order.
    pub fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }
}

async fn serve(mut stream: TcpStream, mut reply: Reply, log: Arc<Mutex<Vec<Seen>>>) {
    if matches!(reply, Reply::ResetBefore) {
        stream.set_zero_linger().unwrap();
        return;
    }
    let request = read(&mut stream).await;
    log.lock().unwrap().push(request);
    while let Reply::After(happens, then) = reply {
        happens();
        reply = *then;
    }
    let json = || "content-type: application/json\r\n".to_owned();
    let (code, headers, body, missing) = match reply {
        Reply::Json(code, body) => (code, json(), body.to_string().into_bytes(), 0),
        Reply::Raw(code, headers, body) => (code, headers, body.into_bytes(), 0),
        Reply::Bytes(code, headers, body) => (code, headers, body, 0),
        Reply::CutOff => (200, json(), b"{\"name\":".to_vec(), 9),
        Reply::Silent => return std::future::pending().await,
        _ => return stream.set_zero_linger().unwrap(),
    };
    let length = body.len() + missing;
    let head = format!(
        "HTTP/1.1 {code} X\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // A client that has read enough closes the connection.
    if stream.write_all(&body).await.is_ok() {
        let _ = stream.shutdown().await;
    }
}

async fn read(stream: &mut TcpStream) -> Seen {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        assert_ne!(
            stream.read_buf(&mut bytes).await.unwrap(),
            0,
            "the request ended in its head"
        );
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let line = head
        .lines()
        .next()
        .unwrap_or_default()
        .trim_end_matches(" HTTP/1.1")
        .to_owned();
    let mut seen = Seen {
        line,
        head,
        body: String::new(),
    };
    let length: usize = seen
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        assert_ne!(
            stream.read_buf(&mut body).await.unwrap(),
            0,
            "the request ended in its body"
        );
    }
    seen.body = String::from_utf8_lossy(&body).into_owned();
    seen
}
