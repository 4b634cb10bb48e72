//! Connections to clusters, found by a cluster's path. GKE is asked once per run, and a connection is kept while its token is
//! valid.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::cluster_endpoint::{self, ClusterEndpoint};
use super::cluster_error::{by_name, no_endpoint, of_cluster, of_own};
use super::own::OwnCluster;
use super::path_template;
use crate::cluster::{ClusterClient, ObjectRef};
use crate::google::{Api, ApiError, Call, Class, Client, MayHaveApplied, Watch, retry};

/// What every kind needs to reach Google and Google's clusters.
#[derive(Clone)]
pub struct Clients {
    /// The client of Google's APIs.
    pub client: Client,
    /// Receives retries and progress.
    pub watch: Arc<dyn Watch>,
    /// The connections to clusters.
    pub clusters: Clusters,
}

/// A cluster's path below the API's base.
pub const PATH: &str = "v1/projects/{project}/locations/{location}/clusters/{cluster}";

/// How long a cluster may be unreachable: a zonal cluster has no API server for minutes while Google resizes or repairs its
/// control plane (GKE's documentation; not recorded).
const AWAY: Duration = Duration::from_secs(5 * 60);
/// How long to retry a cluster that has never answered. A connection that was reset may succeed on a retry; if packets are
/// dropped, they will be dropped again.
const UNKNOWN: Duration = Duration::from_secs(3);
/// The first and the longest pause between two attempts.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// Connections to clusters, by path, each with the token that it was made with.
#[derive(Clone, Default)]
pub struct Clusters {
    connections: Arc<Mutex<HashMap<String, (String, ClusterClient)>>>,
    /// Whether a cluster has answered in this run.
    answered: Arc<AtomicBool>,
    /// The user's own cluster that replaces Google's.
    own: Option<OwnCluster>,
    /// The paths of the clusters that are reached by their DNS endpoint.
    by_name: Arc<BTreeSet<String>>,
    /// Whether an apply takes over fields that another field manager owns.
    pub force: bool,
}

impl Clusters {
    /// Starts without connections. If `own` is given, every path leads to it. `by_name` are the paths of the clusters that are reached
    /// by their DNS endpoint.
    pub fn new(force: bool, own: Option<OwnCluster>, by_name: BTreeSet<String>) -> Clusters {
        Clusters {
            by_name: Arc::new(by_name),
            force,
            own,
            ..Clusters::default()
        }
    }

    /// Whether the cluster is a user's own. Such a cluster remains when Google's is deleted, and it is not in Google's network.
    pub fn is_own(&self) -> bool {
        self.own.is_some()
    }
}

/// The connection to the cluster of `at`; `None` if there is no such cluster, or none yet. A user's own cluster always exists,
/// whatever the state of Google's: its objects are read before the first step, and they are never assumed deleted after the last
/// one.
pub async fn connect(
    clients: &Clients,
    at: &Map<String, Value>,
) -> Result<Option<ClusterClient>, ApiError> {
    if let Some(own) = &clients.clusters.own {
        return Ok(Some(own.cluster.clone()));
    }
    let path = path_template::path(PATH, at)?;
    let unsigned = |error: &dyn fmt::Display| ApiError::unsent(&path, error);
    let token = clients
        .client
        .auth()
        .token()
        .await
        .map_err(|error| unsigned(&error).caused_by(error))?;
    // If an API asks for no credentials, its clusters accept any token.
    let token = token.map_or_else(|| "anonymous".to_owned(), |token| token.reveal().to_owned());
    let mut connections = clients.clusters.connections.lock().await;
    if let Some((made_with, cluster)) = connections.get(&path)
        && *made_with == token
    {
        return Ok(Some(cluster.clone()));
    }
    let live = match clients
        .client
        .send(&Call::get(Api::Container, &path), &*clients.watch)
        .await
    {
        Err(error) if error.class == Class::NotFound => return Ok(None),
        live => live?,
    };
    let text = |pointer: &str| {
        live.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    // A cluster that is still being created has no endpoint and no objects, and neither has one whose creation failed.
    let has_no_address = text("/endpoint").is_empty();
    match text("/status") {
        "PROVISIONING" => return Ok(None),
        "ERROR" if has_no_address => return Ok(None),
        _ => {}
    }
    let by_name = clients.clusters.by_name.contains(&path);
    let endpoint = cluster_endpoint::choose(&live, by_name);
    let endpoint = endpoint.map_err(|error| no_endpoint(&path, error))?;
    let cluster = match &endpoint {
        ClusterEndpoint::Name(name) => {
            let server = cluster_endpoint::server(name, clients.client.endpoints());
            ClusterClient::connect_by_name(&server, &token)
        }
        ClusterEndpoint::Address | ClusterEndpoint::AddressForNow => {
            if has_no_address {
                return Err(unsigned(&format!(
                    "the cluster is {} and has no endpoint",
                    text("/status")
                )));
            }
            let authority = STANDARD
                .decode(text("/masterAuth/clusterCaCertificate"))
                .map_err(|error| {
                    unsigned(&format!(
                        "the cluster's CA certificate is not base64: {error}"
                    ))
                    .caused_by(error)
                })?;
            ClusterClient::connect(text("/endpoint"), &authority, &token)
        }
    };
    let cluster = cluster
        .map_err(of_cluster)?
        .recorded(clients.client.recorder());
    // The address serves until the run has opened the DNS endpoint, and not after it.
    if endpoint != ClusterEndpoint::AddressForNow {
        connections.insert(path, (token, cluster.clone()));
    }
    Ok(Some(cluster))
}

/// Runs `work`, and repeats it while a cluster that has answered before is unreachable or fails, because it will come back. A
/// cluster that has never answered does not admit this machine, and waiting would not change that. Every request to a cluster may
/// be repeated.
///
/// # Errors
/// The error of `work`.
pub async fn steadily<T, R>(clients: &Clients, work: impl Fn() -> R) -> Result<T, ApiError>
where
    R: Future<Output = Result<T, ApiError>>,
{
    let since = Instant::now();
    let mut attempt = 0;
    let mut may_have_applied = MayHaveApplied::No;
    let mut pauses = retry::delays(PAUSES.0, PAUSES.1);
    loop {
        let done = with_good_token(clients, &work)
            .await
            .map_err(|error| advised(clients, error).after(&mut may_have_applied));
        let error = match done {
            Err(error) if matches!(error.class, Class::LostConnection | Class::ServerFault) => {
                error
            }
            done => {
                if done.is_ok() {
                    clients.clusters.answered.store(true, Ordering::Relaxed);
                }
                return done;
            }
        };
        attempt += 1;
        let patience = match error.class {
            Class::ServerFault => retry::PATIENCE,
            _ if clients.clusters.answered.load(Ordering::Relaxed) => AWAY,
            _ => UNKNOWN,
        };
        let returns = since.elapsed() < patience;
        match pauses.next() {
            Some(pause) if returns => {
                clients
                    .watch
                    .retrying(&error.call, &error.message, attempt, pause);
                tokio::time::sleep(pause).await;
            }
            _ => {
                return Err(ApiError {
                    attempts: attempt,
                    ..error
                });
            }
        }
    }
}

/// Runs `work`. If the cluster rejects the token, runs it once more with another token, if one is available: a token that was
/// valid when a run began may expire or be revoked during the run.
///
/// # Errors
/// The error of `work`.
async fn with_good_token<T, R>(clients: &Clients, work: &impl Fn() -> R) -> Result<T, ApiError>
where
    R: Future<Output = Result<T, ApiError>>,
{
    let auth = clients.client.auth();
    // Without a token, `work` itself reports the reason.
    let used = auth.token().await.ok().flatten();
    match (work().await, used) {
        (Err(error), Some(used)) if error.class == Class::Unauthenticated => {
            if auth.renew(&used).await {
                work().await
            } else {
                Err(error)
            }
        }
        (done, _) => done,
    }
}

/// An error with the advice that fits the cluster.
pub fn advised(clients: &Clients, error: ApiError) -> ApiError {
    match &clients.clusters.own {
        Some(_) => of_own(error),
        None if !clients.clusters.by_name.is_empty() => by_name(error),
        None => error,
    }
}

/// The object that `at` names.
///
/// # Errors
/// A key that `at` lacks.
pub fn object(at: &Map<String, Value>) -> Result<ObjectRef, ApiError> {
    ObjectRef::at(at).map_err(|error| ApiError::unsent("kubernetes.object", error).caused_by(error))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::google::{Auth, Client, Endpoints, NoWatch};

    fn error(class: Class, left_machine: MayHaveApplied) -> ApiError {
        ApiError {
            class,
            left_machine,
            ..ApiError::unsent("an object", "words".to_owned())
        }
    }

    #[tokio::test]
    async fn a_refusal_does_not_undo_what_a_lost_answer_may_have_done() {
        use Class::{LostConnection, PermissionDenied, ServerFault};
        let endpoints = Endpoints::emulator("http://127.0.0.1:1");
        let clients = Clients {
            client: Client::new(endpoints, Auth::none()).unwrap(),
            watch: Arc::new(NoWatch),
            clusters: Clusters::default(),
        };
        let lost = error(LostConnection, MayHaveApplied::Unknown);
        let failed = error(ServerFault, MayHaveApplied::Yes);
        for (first, may_have_applied) in [
            (None, MayHaveApplied::No),
            (Some(lost), MayHaveApplied::Unknown),
            (Some(failed), MayHaveApplied::Yes),
        ] {
            let refused = error(PermissionDenied, MayHaveApplied::No);
            let script = Mutex::new([Some(refused), first]);
            let told = steadily(&clients, || {
                let mut script = script.lock().unwrap();
                let error = script[1].take().or_else(|| script[0].take()).unwrap();
                async move { Err::<(), _>(error) }
            });
            let told = told.await.unwrap_err();
            assert_eq!(
                (told.class, told.left_machine),
                (PermissionDenied, may_have_applied)
            );
        }
    }
}
