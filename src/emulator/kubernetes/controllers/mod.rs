//! What a cluster does by itself: nodes appear, workloads become pods, pods are scheduled and started, deleted objects go.
//!
//! Each controller looks at the objects and does the next thing; they run until nothing is left to do. What takes time waits
//! until it is due, see [`Cluster::elapsed`]. StatefulSets and Jobs are stored and have no controller; memory and processors are
//! never short.

mod bootstrap;
mod kubelet;
mod lifecycle;
mod nodes;
mod objects;
mod policies;
mod replicas;
mod rollout;
mod scheduler;

use super::cluster::{Cluster, Site};
use super::tls::Authority;
use crate::clock::Clock;
use crate::pace::Pace;

/// More rounds than any chain of causes needs. It keeps a defect from hanging the server.
const ROUNDS: usize = 64;

/// A cluster with the objects that every cluster has from the start.
pub fn new_cluster(site: Site, authority: Authority, clock: Clock, pace: Pace) -> Cluster {
    let mut cluster = Cluster::empty(site, authority, clock, pace);
    bootstrap::run(&mut cluster);
    cluster
}

/// Lets the controllers do what is to be done now: nothing, if nothing has changed and nothing is due.
pub fn tick(cluster: &mut Cluster) {
    let now = cluster.now();
    if cluster.has_work(now) {
        run(cluster);
        cluster.set_settled(now);
    }
}

fn run(cluster: &mut Cluster) {
    for _ in 0..ROUNDS {
        let before = cluster.store.revision();
        nodes::run(cluster);
        lifecycle::run(cluster);
        rollout::run(cluster);
        replicas::run(cluster);
        scheduler::run(cluster);
        kubelet::run(cluster);
        policies::run(cluster);
        if cluster.store.revision() == before {
            return;
        }
    }
}
