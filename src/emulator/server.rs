//! The server: one port on loopback, one world, one request at a time.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::answer::ErrorResponse;
use super::batch;
use super::clock::{Clock, Millis};
use super::compute;
use super::discovery;
use super::front::{self, Call, Reply};
use super::kubernetes::dns_endpoint::{self, DnsEndpoint};
use super::kubernetes::{self, Cluster, Hosting, Keeper, NotStored};
use super::loopback;
use super::settings::{MeshCleanup, Settings};
use super::state::{StateError, StateFile};
use super::world::World;

/// Where the emulator states its identity. No API of Google's has this path.
const IDENTITY: &str = "/emulator";
/// The largest body that is read.
const BODY_LIMIT: usize = 64 << 20;
/// The longest wait of `operations.wait`.
const LONGEST_WAIT: Millis = 120_000;
/// How many requests are remembered.
const SEEN_LIMIT: usize = 100_000;

/// A request that was answered: what tests and evidence read. Those to a cluster's own port are not among them.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestRecord {
    /// The HTTP method.
    pub method: String,
    /// The path, as it came.
    pub path: String,
    /// The query, as it came.
    pub query: String,
    /// The body if it was JSON, otherwise null. Null for a request to a cluster's DNS endpoint.
    pub body: Value,
    /// The status it was answered with.
    pub status: u16,
}

/// Why the emulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is reachable from other machines.
    #[error(
        "the emulator listens on loopback only, not on {0}: it does not check credentials; use 127.0.0.1"
    )]
    NotLoopback(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// The state file cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
}

/// An emulator that runs until it is stopped.
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What distinguishes its state from that of every other emulator.
    pub fn identity(&self) -> String {
        lock(&self.shared.world).identity().to_owned()
    }

    /// The requests it has answered, oldest first.
    pub fn seen(&self) -> Vec<RequestRecord> {
        lock(&self.shared.seen).iter().cloned().collect()
    }

    /// Every object that exists now, by its full resource name, except for what Google makes in every new project (the default
    /// network with its subnetworks and firewall rules) and what Traffic Director holds for a cluster that exists: this comes and goes
    /// by itself. What it holds for one that is gone is among them.
    pub fn inventory(&self) -> Vec<(String, Value)> {
        let mut world = lock(&self.shared.world);
        world.tick();
        let mut all = world.inventory();
        all.retain(|(_, value)| {
            value.get(compute::GIVEN).is_none() && !compute::is_held(&world, value)
        });
        all
    }

    /// What Traffic Director does with what no Service of a mesh asks for any more, from now on: for tests.
    pub fn set_mesh_cleanup(&self, cleanup: MeshCleanup) {
        lock(&self.shared.world).set_mesh_cleanup(cleanup);
    }

    /// Every object in every cluster that exists now, by cluster, kind, namespace and name.
    pub fn objects(&self) -> Vec<(String, Value)> {
        let mut world = lock(&self.shared.world);
        world.tick();
        world.objects_in_clusters()
    }

    /// Stops it: no new connection is accepted, and requests under way are answered, long polls with the present state.
    pub async fn stop(self) {
        // An error means that it has ended already.
        let _ = self.stop.send(true);
        // Watches that came by a cluster's DNS endpoint are requests to this server, and end with the cluster's.
        *lock(&self.shared.hosting) = Hosting::default();
        let _ = self.task.await;
        // The clusters' servers and this one hold references to each other.
        *lock(&self.shared.hosting) = Hosting::default();
    }
}

#[derive(Debug)]
struct Shared {
    world: Mutex<World>,
    /// The servers of the clusters; locked after the world, never before.
    hosting: Mutex<Hosting>,
    state: StateFile,
    seen: Mutex<VecDeque<RequestRecord>>,
    base: String,
    stopping: watch::Receiver<bool>,
}

/// Starts an emulator.
///
/// # Errors
/// The address is not loopback or taken, or the state file is unusable.
pub async fn start(settings: Settings) -> Result<Running, StartError> {
    serve(settings, true).await
}

/// Starts an emulator that reads its state file and never writes it: for verbs that only look, beside a running emulator.
///
/// # Errors
/// As [`start`].
pub async fn look(settings: Settings) -> Result<Running, StartError> {
    serve(settings, false).await
}

async fn serve(settings: Settings, keeps: bool) -> Result<Running, StartError> {
    if !settings.listen.ip().is_loopback() {
        return Err(StartError::NotLoopback(settings.listen));
    }
    let state = StateFile::new(settings.state);
    let world = match state.load()? {
        Some(world) => world.running(Clock::System, settings.pace),
        None => World::new(Clock::System, settings.pace).identified(settings.identity),
    };
    let state = if keeps { state } else { StateFile::default() };
    let taken = |error| StartError::Listen(settings.listen, error);
    let listener = TcpListener::bind(settings.listen).await.map_err(taken)?;
    let addr = listener.local_addr().map_err(taken)?;
    let (stop, stopping) = watch::channel(false);
    let shared = Arc::new(Shared {
        stopping: stopping.clone(),
        world: Mutex::new(world),
        hosting: Mutex::default(),
        state,
        seen: Mutex::default(),
        base: format!("http://{addr}"),
    });
    let router = Router::new()
        .fallback(handle)
        .with_state(Arc::clone(&shared));
    let task = tokio::spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(ended(stopping));
        // The listener never fails; an error of a connection ends that connection only.
        let _ = served.await;
    });
    Ok(Running {
        addr,
        shared,
        stop,
        task,
    })
}

/// Resolves when the emulator is to stop.
async fn ended(mut stopping: watch::Receiver<bool>) {
    // An error means that the sender is gone.
    let _ = stopping.wait_for(|stop| *stop).await;
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    let authority = request.uri().authority();
    let authority = authority.map(|authority| authority.as_str().to_owned());
    let headers = request.headers();
    if let Some(complaint) = loopback::reject_foreign_origin(authority.as_deref(), headers) {
        return plain(StatusCode::FORBIDDEN, &complaint);
    }
    if let Some((name, _)) = dns_endpoint::split(request.uri().path()) {
        let mut record = RequestRecord {
            method: request.method().as_str().to_owned(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            body: Value::Null,
            status: 0,
        };
        let response = match shared.dns_endpoint(name) {
            DnsEndpoint::Open(handle) => dns_endpoint::respond(handle, request).await,
            nowhere => dns_endpoint::refused(&nowhere),
        };
        record.status = response.status().as_u16();
        shared.note(record);
        return response;
    }
    let (head, body) = request.into_parts();
    if head.uri.path() == IDENTITY {
        let identity = lock(&shared.world).identity().to_owned();
        let body = json!({ "identity": identity }).to_string();
        return plain(StatusCode::OK, &body);
    }
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        return plain(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is too large or was cut off\n",
        );
    };
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str())
        .to_owned();
    let content_type = head
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let call = Call {
        method: head.method.as_str().to_owned(),
        target,
        content_type: content_type.map(str::to_owned),
        body: body.to_vec(),
        base: shared.base.clone(),
    };
    let reply = match discovery::batch(call.path()) {
        Some(api) => shared.batch(api, &call).await,
        None => shared.answer(&call).await,
    };
    rendered(reply)
}

impl Shared {
    async fn batch(self: &Arc<Self>, api: &str, batch: &Call) -> Reply {
        let Some(calls) = batch::calls(api, batch) else {
            let headers = vec![("content-type", "text/plain; charset=UTF-8".to_owned())];
            return Reply {
                http: 400,
                headers,
                body: b"Failed to parse batch request\n".to_vec(),
                hold: None,
            };
        };
        let mut replies = Vec::new();
        for (id, call) in calls {
            replies.push((id, self.answer(&call).await));
        }
        batch::reply(&replies)
    }

    /// Answers a call. A long poll looks at the world again when it may have changed.
    async fn answer(self: &Arc<Self>, call: &Call) -> Reply {
        let began = Clock::System.now();
        loop {
            let (reply, now) = self.once(call);
            match reply.hold {
                Some(until)
                    if now < until && now < began + LONGEST_WAIT && !*self.stopping.borrow() =>
                {
                    let pause = (until.min(began + LONGEST_WAIT) - now).max(1);
                    let pause = Duration::from_millis(pause.unsigned_abs());
                    // Whichever comes first: a possible change, or the stop.
                    let _ = tokio::time::timeout(pause, ended(self.stopping.clone())).await;
                }
                _ => {
                    self.note(RequestRecord {
                        method: call.method.clone(),
                        path: call.path().to_owned(),
                        query: call.raw_query().to_owned(),
                        body: serde_json::from_slice(&call.body).unwrap_or(Value::Null),
                        status: reply.http,
                    });
                    return reply;
                }
            }
        }
    }

    /// One look at the world. A change is on disk before its answer is sent.
    fn once(self: &Arc<Self>, call: &Call) -> (Reply, Millis) {
        let mut world = lock(&self.world);
        world.tick();
        self.reconcile(&mut world);
        let reply = front::answer(&mut world, call);
        // This request may have ended the operation that makes a cluster run.
        self.reconcile(&mut world);
        if world.take_changed()
            && let Err(error) = self.state.save(&world)
        {
            let refusal = ErrorResponse::not_kept(error.to_string());
            let reply = front::refusal("container", &refusal);
            return (reply, world.now());
        }
        (reply, world.now())
    }

    /// Starts servers for clusters that run, and stops those of clusters that are gone.
    fn reconcile(self: &Arc<Self>, world: &mut World) {
        let keeper: Arc<dyn Keeper> = Arc::clone(self) as Arc<dyn Keeper>;
        let mut hosting = lock(&self.hosting);
        hosting.reconcile(world, &keeper);
    }

    /// The cluster behind a DNS endpoint.
    fn dns_endpoint(self: &Arc<Self>, name: &str) -> DnsEndpoint {
        let mut world = lock(&self.world);
        world.tick();
        self.reconcile(&mut world);
        dns_endpoint::find(&world, &lock(&self.hosting), name)
    }

    fn note(&self, record: RequestRecord) {
        let mut seen = lock(&self.seen);
        if seen.len() == SEEN_LIMIT {
            seen.pop_front();
        }
        seen.push_back(record);
    }
}

impl Keeper for Shared {
    fn with(&self, cluster: &str, work: &mut dyn FnMut(&mut Cluster)) -> Result<(), NotStored> {
        let mut world = lock(&self.world);
        world.tick();
        kubernetes::refresh(&mut world, cluster);
        let found = world.change_cluster(cluster, work);
        if world.take_changed() {
            self.state.save(&world)?;
        }
        found.ok_or(NotStored::Gone)
    }

    fn look(&self, work: &mut dyn FnMut(&World)) {
        let mut world = lock(&self.world);
        world.tick();
        work(&world);
    }
}

fn rendered(reply: Reply) -> Response<Body> {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() =
        StatusCode::from_u16(reply.http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = status;
    response
}

/// A panic in another thread leaves consistent data, because every change is made by one call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
