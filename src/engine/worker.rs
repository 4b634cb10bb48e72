//! What a step at work may use: the clients of Google and the cluster, the owner (who alone writes the journal and tells events), locks, and
//! the word to stop.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, mpsc, oneshot, watch};

use super::entry::Entry;
use super::event::Event;
use super::failure::Failure;
use super::journal::JournalError;
use super::retry_policy::patience;
use crate::google::{Class, Client, Watch};
use crate::kinds::Step;
use crate::kinds::{Clients, Clusters, Kind};

/// What a worker asks of the owner.
pub enum OwnerRequest {
    /// Write this, and say when it is on disk.
    Write(Box<Entry>, oneshot::Sender<Result<(), Arc<JournalError>>>),
    /// Tell this.
    Tell(Event),
}

/// What a step at work may use.
#[derive(Clone)]
pub struct Worker {
    /// The step's id.
    pub step: String,
    /// The step's reason, which of a wait says what it waits for.
    pub says: String,
    /// The clients of Google and the cluster; their watch tells the owner.
    pub clients: Clients,
    /// How long to wait for the step's thing.
    pub within: Duration,
    /// Hosts of APIs that this run has found or made enabled: a refusal by one of these passes.
    pub enabled: BTreeSet<String>,
    owner: mpsc::UnboundedSender<OwnerRequest>,
    locks: Locks,
    stop: watch::Receiver<bool>,
}

/// One lock a name, made when first asked for.
#[derive(Clone, Default)]
pub struct Locks(Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>>);

impl Worker {
    /// A worker for one step.
    pub fn new(
        step: &Step,
        client: &Client,
        clusters: Clusters,
        enabled: BTreeSet<String>,
        owner: mpsc::UnboundedSender<OwnerRequest>,
        locks: Locks,
        stop: watch::Receiver<bool>,
    ) -> Worker {
        let watch = ProgressWatch {
            step: step.id.clone(),
            owner: owner.clone(),
        };
        let clients = Clients {
            client: client.clone(),
            watch: Arc::new(watch),
            clusters,
        };
        Worker {
            step: step.id.clone(),
            says: step.says.trim().replace('\n', " "),
            clients,
            within: step.within,
            enabled,
            owner,
            locks,
            stop,
        }
    }

    /// How long to go on asking after this refusal, if at all.
    pub fn patience(&self, class: Class, kind: Kind) -> Option<Duration> {
        let enabled = self.enabled.contains(kind.api().host());
        let young = matches!(class, Class::ApiDisabled | Class::NotJson);
        patience(class, self.within).filter(|_| !young || enabled)
    }

    /// Writes an entry; on return it is on disk.
    pub async fn write(&self, entry: Entry) -> Result<(), Failure> {
        let (reply, written) = oneshot::channel();
        // An owner that is gone has stopped the run.
        self.owner
            .send(OwnerRequest::Write(Box::new(entry), reply))
            .map_err(|_| Failure::Stopped)?;
        Ok(written.await.map_err(|_| Failure::Stopped)??)
    }

    /// Tells an event.
    pub fn emit(&self, event: Event) {
        // Nobody left to be told is no reason to fail.
        let _ = self.owner.send(OwnerRequest::Tell(event));
    }

    /// Says what the step waits for.
    pub fn waiting(&self, on: impl Into<String>) {
        self.emit(Event::Waiting {
            step: self.step.clone(),
            on: on.into(),
        });
    }

    /// Waits for a lock, where one is needed.
    pub async fn lock(&self, name: Option<String>) -> Option<OwnedMutexGuard<()>> {
        let name = name?;
        let lock = {
            let mut all = self.locks.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(name.clone()).or_default())
        };
        if let Ok(free) = Arc::clone(&lock).try_lock_owned() {
            return Some(free);
        }
        self.waiting(format!("other writes to {name}"));
        Some(lock.lock_owned().await)
    }

    /// Whether the run was asked to stop: nothing new may be sent.
    pub fn stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Pauses, unless the run is asked to stop meanwhile.
    pub async fn pause(&self, time: Duration) -> Result<(), Failure> {
        self.unless_stopped(tokio::time::sleep(time)).await
    }

    /// Waits for what can be given up at any moment because nothing depends on its answer being seen.
    pub async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, Failure> {
        let mut stop = self.stop.clone();
        tokio::select! {
            done = work => Ok(done),
            Ok(_) = stop.wait_for(|stop| *stop) => Err(Failure::Stopped),
        }
    }
}

/// Passes on what the client of Google says, under the step's name.
struct ProgressWatch {
    step: String,
    owner: mpsc::UnboundedSender<OwnerRequest>,
}

impl Watch for ProgressWatch {
    fn retrying(&self, call: &str, why: &str, attempt: u32, after: Duration) {
        let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        let event = Event::Retrying {
            step: self.step.clone(),
            call: call.to_owned(),
            why: why.to_owned(),
            attempt,
            after,
        };
        let _ = self.owner.send(OwnerRequest::Tell(event));
    }

    fn progress(&self, says: &str) {
        let _ = self.owner.send(OwnerRequest::Tell(Event::Waiting {
            step: self.step.clone(),
            on: says.to_owned(),
        }));
    }
}
