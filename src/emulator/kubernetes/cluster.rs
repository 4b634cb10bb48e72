//! A cluster as its Kubernetes API knows it: objects, logs, and waits of the controllers. All of it is data.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::reach::Inbound;
use super::resource::Resource;
use super::store::Store;
use super::tls::Authority;
use crate::clock::{Clock, Millis};
use crate::lro;
use crate::names;
use crate::pace::Pace;
use crate::traffic_director;

/// How many lines a container's log keeps at most; a kubelet turns logs over by size.
const LOG_LIMIT: usize = 10_000;

/// A node pool, as far as nodes show it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// What its nodes' names begin with, a group of instances each: `gke-c-pool-1a2b3c4d`.
    pub groups: Vec<String>,
    /// The zone of each group.
    pub zones: Vec<String>,
    /// How many nodes each group has.
    pub size: usize,
    /// Labels of its nodes.
    pub labels: BTreeMap<String, String>,
    /// Taints of its nodes, as Kubernetes writes them.
    pub taints: Vec<Value>,
    /// `e2-medium`.
    pub machine: String,
    /// The service account and the network tags of its nodes, for firewall rules.
    #[serde(default)]
    pub goes_by: Vec<String>,
}

/// What the cluster shows of Google's description of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// The cluster's name.
    pub name: String,
    /// The project's id.
    pub project: String,
    /// The version of the control plane: `1.33.5-gke.1080000`.
    pub version: String,
    /// The range of pods: `10.1.0.0/16`.
    pub pods: String,
    /// The range of services.
    pub services: String,
    /// The range of nodes.
    pub nodes: String,
    /// The pools that run.
    pub pools: Vec<Pool>,
    /// The ingress rules for its control plane; none if the control plane is not behind firewall rules.
    #[serde(default)]
    pub inbound: Option<Vec<Inbound>>,
}

/// A line that a proxy has buffered for its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BufferedLine {
    /// The pod's key in the store.
    pub pod: String,
    /// The log's key.
    pub log: String,
    /// The line.
    pub text: String,
}

/// A cluster.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Cluster {
    /// Google's description of it.
    pub site: Site,
    /// Its objects.
    pub store: Store,
    /// Its certificate authority.
    pub authority: Authority,
    /// The revision of the mesh that injects proxies, when there is one.
    pub mesh: Option<String>,
    /// How far Traffic Director is with what it makes for it in Google's project.
    #[serde(default)]
    pub traffic_director: traffic_director::State,
    waits: BTreeMap<String, Millis>,
    counters: BTreeMap<String, u64>,
    logs: BTreeMap<String, Vec<String>>,
    /// How many lines a log has lost at its beginning.
    #[serde(default)]
    lost: BTreeMap<String, usize>,
    /// Lines that proxies have not written yet, the oldest first.
    #[serde(skip)]
    buffered: VecDeque<BufferedLine>,
    /// How many lines were written since this cluster was read.
    #[serde(skip)]
    written: u64,
    /// The revision at which the controllers had nothing left to do.
    #[serde(skip)]
    settled: Option<u64>,
    #[serde(skip)]
    clock: Clock,
    #[serde(skip)]
    pace: Pace,
}

impl Cluster {
    /// A cluster without objects.
    pub fn empty(site: Site, authority: Authority, clock: Clock, pace: Pace) -> Cluster {
        Cluster {
            site,
            authority,
            clock,
            pace,
            ..Cluster::default()
        }
    }

    /// Gives a cluster that was read from a file its clock and pace.
    pub fn run(&mut self, clock: Clock, pace: Pace) {
        (self.clock, self.pace) = (clock, pace);
    }

    /// The present instant.
    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// How fast things go.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// The present instant as objects print it: whole seconds.
    pub fn time(&self) -> String {
        time(self.now())
    }

    /// Whether there may be work for the controllers: something has changed since they settled, or is due.
    pub fn has_work(&self, now: Millis) -> bool {
        let due = self.next_due().is_some_and(|due| due <= now);
        self.settled != Some(self.store.revision()) || due
    }

    /// Notes that the controllers, which began at `now`, have nothing left to do.
    pub fn set_settled(&mut self, now: Millis) {
        // Every controller has looked at its waits: one that is over and still here belonged to an object that is gone.
        self.waits.retain(|_, due| *due > now);
        self.settled = Some(self.store.revision());
    }

    /// Takes over Google's present description of the cluster.
    pub fn set_site(&mut self, site: &Site) {
        if self.site != *site {
            self.site = site.clone();
            self.settled = None;
        }
    }

    /// When the next wait of a controller is over.
    pub fn next_due(&self) -> Option<Millis> {
        self.waits.values().min().copied()
    }

    /// Whether the wait `what` is over. The first call starts it; it lasts [`Pace::duration`] of `takes`.
    pub fn elapsed(&mut self, what: String, takes: &str) -> bool {
        let now = self.now();
        let due = now + self.pace.duration(takes);
        let due = *self.waits.entry(what.clone()).or_insert(due);
        if due <= now {
            self.waits.remove(&what);
        }
        due <= now
    }

    /// The next value of a counter, from 1.
    pub fn count(&mut self, name: &str) -> u64 {
        let counter = self.counters.entry(name.to_owned()).or_insert(0);
        *counter += 1;
        *counter
    }

    /// A new object's uid.
    pub fn uid(&mut self) -> String {
        let serial = self.count("uid");
        lro::uuid(&format!(
            "{} {} {serial}",
            self.site.project, self.site.name
        ))
    }

    /// Five characters that make a name unique, of the letters that Kubernetes uses: none that could spell a word.
    pub fn suffix(&mut self) -> String {
        let serial = self.count("suffix");
        letters(&format!("{} {serial}", self.site.name), 5)
    }

    /// A mark that is another one after every change, lines of logs included.
    pub fn progress(&self) -> (u64, u64) {
        (self.store.revision(), self.written)
    }

    /// The lines of a container's log, see [`super::log::key`]; before them so many were dropped ([`Cluster::lost`]).
    pub fn log(&self, key: &str) -> &[String] {
        self.logs.get(key).map_or(&[], Vec::as_slice)
    }

    /// How many lines a log has lost at its beginning.
    pub fn lost(&self, key: &str) -> usize {
        self.lost.get(key).copied().unwrap_or_default()
    }

    /// Keeps a line that is written later.
    pub fn buffer_log(&mut self, line: BufferedLine) {
        self.buffered.push_back(line);
    }

    /// The oldest line that is not written yet.
    pub fn unbuffer_log(&mut self) -> Option<BufferedLine> {
        self.buffered.pop_front()
    }

    /// Adds a line to a container's log. A log that has grown too long loses its older half.
    pub fn write_log(&mut self, key: &str, line: String) {
        self.written += 1;
        let lines = self.logs.entry(key.to_owned()).or_default();
        lines.push(line);
        if lines.len() > LOG_LIMIT {
            let half = LOG_LIMIT / 2;
            lines.drain(..half);
            *self.lost.entry(key.to_owned()).or_default() += half;
        }
    }

    /// Drops the logs whose keys begin with `prefix`: their pod is gone.
    pub fn forget_logs(&mut self, prefix: &str) {
        self.logs.retain(|key, _| !key.starts_with(prefix));
        self.lost.retain(|key, _| !key.starts_with(prefix));
    }

    /// Whether it runs a mesh's control plane of its own.
    pub fn has_control_plane(&self) -> bool {
        let deployments = self.store.list("deployments.apps/istio-system/");
        deployments
            .iter()
            .any(|(_, deployment)| deployment["metadata"]["labels"]["app"] == "istiod")
    }

    /// An object of a kind.
    pub fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Option<&Value> {
        self.store.get(&resource.key(namespace, name))
    }
}

/// `count` of the letters and digits that Kubernetes puts into names; they depend on `seed` alone.
pub fn letters(seed: &str, count: usize) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut rest = names::hash(seed);
    let mut next = || {
        let at = usize::try_from(rest % 27).unwrap_or_default();
        rest = (rest / 27) ^ (rest << 40);
        char::from(LETTERS[at])
    };
    (0..count).map(|_| next()).collect()
}

/// An instant as objects print it: `2026-01-01T00:00:00Z`.
pub fn time(instant: Millis) -> String {
    let seconds = jiff::Timestamp::from_second(instant.div_euclid(1000))
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    seconds.to_string()
}
