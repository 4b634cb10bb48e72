//! What a program runs in: its pod and container, its identity at Google, its network.

use std::time::Duration;

use super::curl::Caller;
use super::metadata::{self, Identity};
use super::run;
use egress::envoy_cluster::EnvoyCluster;
use egress::request::{Request, Source};
use egress::snapshot::Snapshot;
use egress::trace::Trace;

/// Which of a pod's containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodContainer {
    /// The application's: the tutorial's image, Google's SDK on Debian.
    Application,
    /// The mesh's proxy, whose distroless image has almost no programs.
    Proxy,
}

impl PodContainer {
    /// The container of this name.
    pub fn named(name: &str) -> PodContainer {
        match name {
            "istio-proxy" => PodContainer::Proxy,
            _ => PodContainer::Application,
        }
    }
}

/// Why Cloud Storage gives no object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// There is no such bucket.
    NoBucket,
    /// There is no such object in it. Only a caller who may list the bucket learns that.
    NoObject,
    /// The caller may not read it.
    NotAllowed,
}

/// The network, as a pod's programs see it.
pub trait Network: run::Network {
    /// The outbound clusters of a pod's proxy.
    fn clusters(&self, of: &Source) -> Vec<EnvoyCluster>;
}

/// The network of a cluster, with the metadata server that each of its nodes has.
pub struct ClusterNetwork {
    /// What requests depend on.
    pub snapshot: Snapshot,
    /// What the metadata server knows.
    pub identity: Identity,
}

impl run::Network for ClusterNetwork {
    fn trace(&self, request: &Request) -> Trace {
        metadata::answered(self.snapshot.trace(request), request, &self.identity)
    }
}

impl Network for ClusterNetwork {
    fn clusters(&self, of: &Source) -> Vec<EnvoyCluster> {
        self.snapshot.clusters(of)
    }
}

/// What a program runs in.
pub struct ExecContext<'a> {
    /// The pod.
    pub from: Source,
    /// Which of its containers.
    pub container: PodContainer,
    /// Its address.
    pub address: String,
    /// Whether output goes to a terminal.
    pub terminal: bool,
    /// The time, as a `Date` header has it.
    pub date: String,
    /// How long the pod's proxy buffers the lines of its log.
    pub flush: Duration,
    /// The Google account that the metadata server names.
    pub identity: String,
    /// What it reaches.
    pub network: &'a dyn Network,
    /// An object of Cloud Storage by bucket and name, as far as `identity` may read it.
    pub object: &'a dyn Fn(&str, &str) -> Result<String, Denied>,
}

impl ExecContext<'_> {
    /// curl's caller.
    pub fn caller(&self) -> Caller {
        Caller {
            from: self.from.clone(),
            address: self.address.clone(),
            terminal: self.terminal,
            date: self.date.clone(),
        }
    }
}
