//! What a cluster's connections share: the way to the cluster's objects and to the world around them, and when to stop.
//!
//! There is no clock that runs by itself: a request, and a watch that waits, look at the time and let the controllers
//! catch up.

use std::sync::Arc;

use tokio::sync::watch;

use super::cluster::Cluster;
use crate::state::StateError;
use crate::world::World;

/// The owner of the clusters: the emulator's server.
pub trait Keeper: Send + Sync + 'static {
    /// Gives `work` a cluster as it is now, and stores what it changes before the answer is sent.
    ///
    /// # Errors
    /// The cluster is gone, or the change cannot be stored.
    fn with(&self, cluster: &str, work: &mut dyn FnMut(&mut Cluster)) -> Result<(), NotStored>;

    /// Gives `work` the world around the clusters as it is now.
    fn look(&self, work: &mut dyn FnMut(&World));
}

/// Why a request cannot be answered, or its change not be stored.
#[derive(Debug, thiserror::Error)]
pub enum NotStored {
    /// There is no such cluster any more.
    #[error("the emulated cluster is gone")]
    Gone,
    /// The state cannot be written.
    #[error(transparent)]
    State(#[from] StateError),
}

/// A cluster, as its connections reach it.
pub struct ClusterHandle {
    keeper: Arc<dyn Keeper>,
    cluster: String,
    wake: watch::Sender<u64>,
    stopping: watch::Receiver<()>,
}

impl ClusterHandle {
    /// The cluster with this resource name. `stopping` closes when its server stops.
    pub fn new(
        keeper: Arc<dyn Keeper>,
        cluster: &str,
        stopping: watch::Receiver<()>,
    ) -> ClusterHandle {
        let (wake, _) = watch::channel(0);
        ClusterHandle {
            keeper,
            cluster: cluster.to_owned(),
            wake,
            stopping,
        }
    }

    /// The result of `work` on the cluster.
    ///
    /// # Errors
    /// As [`Keeper::with`].
    pub fn with<T>(&self, mut work: impl FnMut(&mut Cluster) -> T) -> Result<T, NotStored> {
        let mut result = None;
        let mut changed = false;
        let kept = self.keeper.with(&self.cluster, &mut |cluster| {
            let before = cluster.progress();
            result = Some(work(cluster));
            changed = before != cluster.progress();
        });
        if changed {
            self.wake.send_modify(|count| *count += 1);
        }
        kept?;
        result.ok_or(NotStored::Gone)
    }

    /// The result of `work` on the world and this cluster's resource name in it.
    pub fn look<T>(&self, mut work: impl FnMut(&World, &str) -> T) -> Option<T> {
        let mut result = None;
        self.keeper
            .look(&mut |world| result = Some(work(world, &self.cluster)));
        result
    }

    /// A receiver that is notified when a request may have changed the cluster.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.wake.subscribe()
    }

    /// Resolves when the server stops.
    pub async fn stopped(&self) {
        let mut stopping = self.stopping.clone();
        // Nothing is ever sent: the error is the signal.
        let _ = stopping.changed().await;
    }
}
