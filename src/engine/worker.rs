//! What a running step may use: the clients of Google and the cluster, the owner (which alone writes the journal and emits
//! events), locks, and the stop signal.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::{OwnedMutexGuard, mpsc, oneshot, watch};

use super::entry::Entry;
use super::event::Event;
use super::failure::Failure;
use super::journal::JournalError;
use super::patience;
use super::retry_policy;
use crate::google::{ApiError, Class, Client, Watch, missing_account};
use crate::kinds::Step;
use crate::kinds::{Clients, Clusters, Kind};

/// A worker's request to the owner.
pub enum OwnerRequest {
    /// Write this entry, and reply when it is on disk.
    Write(Box<Entry>, oneshot::Sender<Result<(), Arc<JournalError>>>),
    /// Emit this event.
    Emit(Event),
}

/// What a running step may use.
#[derive(Clone)]
pub struct Worker {
    /// The step's id.
    pub step: String,
    /// The clients of Google and the cluster; their watch reports to the owner.
    pub clients: Clients,
    /// The time limit for the step's resource.
    pub within: Duration,
    /// How long a deletion is tried at least that something of Google's prevents.
    pub deletion_patience: Duration,
    /// What the run has learned of the project so far.
    pub learned: Learned,
    owner: mpsc::UnboundedSender<OwnerRequest>,
    locks: Locks,
    run: RunState,
}

/// The state of a run, which its workers watch while they work.
#[derive(Clone)]
pub struct RunState {
    /// Whether the run is to stop.
    pub stop: watch::Receiver<bool>,
    /// How many steps have ended.
    pub ended: watch::Receiver<usize>,
}

/// What a run has learned of the project before a step starts.
#[derive(Debug, Clone, Default)]
pub struct Learned {
    /// Hosts of APIs that this run has enabled or seen enabled: a refusal by one of these is temporary.
    pub enabled: BTreeSet<String>,
    /// Whether this run has enabled an API. Google enables others along with it, so a refusal by any API is temporary.
    pub has_enabled: bool,
    /// The addresses of the service accounts that the steps so far have created or found.
    pub accounts: BTreeSet<String>,
    /// The short names of the other resources that they have created or found.
    pub names: BTreeSet<String>,
}

impl Learned {
    /// Whether a step has created or found what a resource belongs to, where Google's replicas may learn late of that.
    fn has_late_holder(&self, kind: Kind, at: &Map<String, Value>) -> bool {
        let holder = kind.late_holder().and_then(|key| at.get(key)?.as_str());
        holder.is_some_and(|holder| self.accounts.contains(holder) || self.names.contains(holder))
    }
}

/// One lock for each name, created at its first use.
#[derive(Clone, Default)]
pub struct Locks(Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>>);

impl Worker {
    /// A worker for one step.
    pub fn new(
        step: &Step,
        client: &Client,
        clusters: Clusters,
        learned: Learned,
        owner: mpsc::UnboundedSender<OwnerRequest>,
        locks: Locks,
        run: RunState,
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
            clients,
            within: step.within,
            deletion_patience: patience::DEFAULT,
            learned,
            owner,
            locks,
            run,
        }
    }

    /// How long to retry after this refusal, if at all.
    pub fn patience(&self, class: Class, kind: Kind) -> Option<Duration> {
        let enabled = self.learned.has_enabled || self.learned.enabled.contains(kind.api().host());
        let young = matches!(class, Class::ApiDisabled | Class::NotJson);
        retry_policy::patience(class, self.within).filter(|_| !young || enabled)
    }

    /// How long to retry after a 404 of a request that changes something: only if what the resource belongs to was created or found by
    /// a step, so that it is there and some of Google's replicas do not know it yet.
    pub fn holder_patience(&self, kind: Kind, at: &Map<String, Value>) -> Option<Duration> {
        let known = self.learned.has_late_holder(kind, at);
        retry_policy::patience(Class::MembershipNotVisible, self.within).filter(|_| known)
    }

    /// The account that a refused policy names, if waiting does not make it visible: no step has created or found it, and it is
    /// none of the accounts that Google creates itself some time after an API is enabled.
    pub fn unknown_account<'a>(&self, error: &'a ApiError) -> Option<&'a str> {
        let account = missing_account(&error.message)?;
        let known = self.learned.accounts.contains(account) || is_of_google(account);
        (error.class == Class::AccountNotVisible && !known).then_some(account)
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

    /// Emits an event.
    pub fn emit(&self, event: Event) {
        // A missing receiver is no reason to fail.
        let _ = self.owner.send(OwnerRequest::Emit(event));
    }

    /// Reports what the step waits for.
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

    /// Whether the run was asked to stop: no new request may be sent.
    pub fn stopping(&self) -> bool {
        *self.run.stop.borrow()
    }

    /// The same worker with a shorter time limit for the step's resource.
    pub fn at_most(&self, limit: Duration) -> Worker {
        Worker {
            within: self.within.min(limit),
            ..self.clone()
        }
    }

    /// How many steps of the run have ended.
    pub fn ended(&self) -> usize {
        *self.run.ended.borrow()
    }

    /// Pauses, unless the run is stopped meanwhile or another step ends: that may be what this one waits for.
    pub async fn pause_until_one_ends(&self, time: Duration) -> Result<(), Failure> {
        let mut ended = self.run.ended.clone();
        ended.mark_unchanged();
        let one_ends = async {
            // Without a run nothing ends.
            if ended.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let pause = async {
            tokio::select! {
                () = tokio::time::sleep(time) => {}
                () = one_ends => {}
            }
        };
        self.unless_stopped(pause).await
    }

    /// Pauses, unless the run is stopped meanwhile.
    pub async fn pause(&self, time: Duration) -> Result<(), Failure> {
        self.unless_stopped(tokio::time::sleep(time)).await
    }

    /// Awaits work that can be dropped at any moment because nothing depends on its result.
    pub async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, Failure> {
        let mut stop = self.run.stop.clone();
        tokio::select! {
            done = work => Ok(done),
            Ok(_) = stop.wait_for(|stop| *stop) => Err(Failure::Stopped),
        }
    }
}

/// Whether Google creates an account with this address: a default account of compute, or a service agent.
fn is_of_google(account: &str) -> bool {
    let (name, domain) = account.split_once('@').unwrap_or((account, ""));
    let is_default = ["developer", "cloudservices"]
        .iter()
        .any(|kind| domain == format!("{kind}.gserviceaccount.com"));
    let number = name.strip_prefix("service-").unwrap_or_default();
    let is_agent = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_default || is_agent
}

/// Forwards the reports of Google's client, under the step's id.
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
        let _ = self.owner.send(OwnerRequest::Emit(event));
    }

    fn progress(&self, says: &str) {
        let _ = self.owner.send(OwnerRequest::Emit(Event::Waiting {
            step: self.step.clone(),
            on: says.to_owned(),
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_404_is_waited_for_only_where_a_step_has_what_it_misses() {
        let learned = Learned {
            accounts: BTreeSet::from(["sa@p.iam.gserviceaccount.com".to_owned()]),
            names: BTreeSet::from(["cluster1".to_owned()]),
            ..Learned::default()
        };
        for (kind, key, value, expected) in [
            (
                "iam.serviceAccountMembers",
                "account",
                "sa@p.iam.gserviceaccount.com",
                true,
            ),
            (
                "iam.serviceAccountMembers",
                "account",
                "theirs@p.iam.gserviceaccount.com",
                false,
            ),
            ("gkehub.membershipFeature", "membership", "cluster1", true),
            ("gkehub.membershipFeature", "membership", "theirs", false),
            ("storage.bucketMembers", "bucket", "cluster1", false),
        ] {
            let at = Map::from_iter([(key.to_owned(), Value::from(value))]);
            let kind = Kind::named(kind).unwrap();
            assert_eq!(learned.has_late_holder(kind, &at), expected, "{value}");
        }
    }

    #[test]
    fn an_account_of_googles_is_known_by_its_address() {
        for (account, expected) in [
            ("123456789012-compute@developer.gserviceaccount.com", true),
            ("123456789012@cloudservices.gserviceaccount.com", true),
            (
                "service-123456789012@container-engine-robot.iam.gserviceaccount.com",
                true,
            ),
            (
                "service-123456789012@gcp-sa-gkehub.iam.gserviceaccount.com",
                true,
            ),
            ("sa-gateway@p.iam.gserviceaccount.com", false),
            ("service-mesh@p.iam.gserviceaccount.com", false),
            ("service-@p.iam.gserviceaccount.com", false),
            ("somebody@example.com", false),
        ] {
            assert_eq!(is_of_google(account), expected, "{account}");
        }
    }
}
