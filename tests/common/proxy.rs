//! Stands between the program and the cloud, counts the requests that change something, and kills the program at one of them:
//! before it reaches the cloud, or after it took effect with the answer lost.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use tokio::runtime::Runtime;

use super::cloud::is_change;

/// Which side of the request the program dies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The cloud never hears of it.
    Before,
    /// The cloud has done it; the program never hears the answer.
    After,
    /// Something runs, and the program asks on: it dies at the next request that changes nothing.
    Asking,
}

/// A proxy that runs until it is dropped.
pub struct Proxy {
    inner: Arc<Inner>,
    address: SocketAddr,
    // The server ends with it.
    _runtime: Runtime,
}

struct Inner {
    target: String,
    client: reqwest::Client,
    journal: Option<PathBuf>,
    state: Mutex<Watch>,
}

#[derive(Default)]
struct Watch {
    changes: usize,
    /// The program, and where it dies.
    victim: Option<(Child, usize, When)>,
    killed: bool,
    /// Requests that the journal did not hold when they arrived.
    unannounced: Vec<String>,
}

impl Proxy {
    /// Before a cloud. With a journal, each change is looked up there when it arrives.
    pub fn new(cloud: SocketAddr, journal: Option<PathBuf>) -> Proxy {
        let runtime = Runtime::new().unwrap();
        let inner = Arc::new(Inner {
            target: format!("http://{cloud}"),
            client: reqwest::Client::new(),
            journal,
            state: Mutex::default(),
        });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&inner));
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0)))
            .unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move { axum::serve(listener, router).await });
        Proxy {
            inner,
            address,
            _runtime: runtime,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests that change something have arrived.
    pub fn changes(&self) -> usize {
        self.inner.state.lock().unwrap().changes
    }

    /// Those that the journal did not hold when they arrived.
    pub fn unannounced(&self) -> Vec<String> {
        self.inner.state.lock().unwrap().unannounced.clone()
    }

    /// Runs the program until its `nth` change (from 1) and kills it there. Says whether it came that far.
    pub fn kill_at(&self, nth: usize, when: When, mut program: Command) -> bool {
        let pid = {
            // No request is looked at before the victim is known.
            let mut state = self.inner.state.lock().unwrap();
            let child = program
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap();
            let pid = child.id();
            state.victim = Some((child, state.changes + nth, when));
            pid
        };
        loop {
            let mut state = self.inner.state.lock().unwrap();
            let (child, ..) = state.victim.as_mut().unwrap();
            assert_eq!(child.id(), pid);
            if child.try_wait().unwrap().is_some() {
                state.victim = None;
                return std::mem::take(&mut state.killed);
            }
            drop(state);
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
}

impl Inner {
    /// Counts a change; kills the program if this is where it dies `when`. Says whether it did.
    fn dies(&self, counts: bool, when: When) -> bool {
        let mut state = self.state.lock().unwrap();
        if counts {
            state.changes += 1;
        }
        let changes = state.changes;
        match &mut state.victim {
            Some((child, nth, planned)) if *nth == changes && *planned == when => {
                child.kill().unwrap();
                child.wait().unwrap();
                state.killed = true;
                true
            }
            _ => false,
        }
    }

    /// Looks the request up in the journal: by its id, or, where the API takes none, by the number of intents.
    fn announced(&self, query: &str, said: String) {
        let Some(path) = &self.journal else { return };
        let journal = std::fs::read_to_string(path).unwrap_or_default();
        let intents = journal.matches("\"entry\":\"intent\"").count();
        let mut state = self.state.lock().unwrap();
        let id = query.split('&').find_map(|p| p.strip_prefix("requestId="));
        if !id.map_or(intents > state.changes, |id| journal.contains(id)) {
            state.unannounced.push(said);
        }
    }
}

async fn pass(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    let change = is_change(head.method.as_str(), path);
    if change {
        inner.announced(query, format!("{} {path}", head.method));
        if inner.dies(true, When::Before) {
            return gone();
        }
    } else if inner.dies(false, When::Asking) {
        return gone();
    }
    let mut onward = inner
        .client
        .request(head.method, format!("{}{}", inner.target, head.uri));
    for (name, value) in head
        .headers
        .iter()
        .filter(|(name, _)| !["host", "content-length"].contains(&name.as_str()))
    {
        onward = onward.header(name, value);
    }
    let Ok(answer) = onward.body(body).send().await else {
        return gone();
    };
    if change && inner.dies(false, When::After) {
        return gone();
    }
    let mut back = Response::builder().status(answer.status());
    for (name, value) in answer
        .headers()
        .iter()
        .filter(|(name, _)| !["transfer-encoding", "content-length"].contains(&name.as_str()))
    {
        back = back.header(name, value);
    }
    let bytes = answer.bytes().await.unwrap_or_default();
    back.body(Body::from(bytes)).unwrap()
}

/// What nobody reads.
fn gone() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}
