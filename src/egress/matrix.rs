//! Who reaches what: many callers, many requests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::thread;

use serde::Serialize;

use super::dataplane::Evaluator;
use super::object::Object;
use super::pod::Proxy;
use super::request::{Request, Scheme, Source};
use super::service::Protocol;
use super::snapshot::Snapshot;
use super::trace::{CallerOutcome, Failure};

/// What a caller gets, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CellSummary {
    /// An answer with this status.
    Status(u16),
    /// None.
    Failure(Failure),
}

impl From<&CallerOutcome> for CellSummary {
    fn from(got: &CallerOutcome) -> CellSummary {
        match got {
            CallerOutcome::Answer(answer) => CellSummary::Status(answer.status),
            CallerOutcome::Failure(failure) => CellSummary::Failure(*failure),
        }
    }
}

impl fmt::Display for CellSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CellSummary::Status(status) => write!(f, "{status}"),
            CellSummary::Failure(failure) => write!(f, "curl exit {}", failure.exit()),
        }
    }
}

/// What one caller gets of one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// What it gets.
    pub got: CellSummary,
    /// Whether nothing on the way stopped it: the answer is the server's.
    pub reaches: bool,
    /// The object that stopped it; none where nothing did, or a default.
    pub by: Option<Object>,
}

impl Snapshot {
    /// A caller for each namespace that has pods other than gateways and is not the system's.
    pub fn callers(&self) -> Vec<Source> {
        let system = |name: &str| name.starts_with("kube-") || name == self.mesh.root_namespace;
        let pods = self.pods.iter().filter(|pod| pod.proxy != Proxy::Gateway);
        let names: BTreeSet<&str> = pods
            .map(|pod| pod.namespace())
            .filter(|name| !system(name))
            .collect();
        let caller = |namespace: &str| Source {
            namespace: namespace.to_owned(),
            pod: None,
            sidecar: None,
        };
        names.into_iter().map(caller).collect()
    }

    /// A request for each host outside that a ServiceEntry names and each of its ports; patterns name none.
    pub fn destinations(&self) -> Vec<Request> {
        let mut found = BTreeMap::new();
        for service in self.services.iter().filter(|service| !service.kubernetes) {
            if service.host.contains('*') {
                continue;
            }
            for port in &service.ports {
                let scheme = match port.protocol {
                    Protocol::Tls => Scheme::Https,
                    Protocol::Http | Protocol::Http2 => Scheme::Http,
                    Protocol::Tcp | Protocol::Detected | Protocol::Udp => continue,
                };
                let (word, number) = (scheme.word(), port.number);
                let url = format!("{word}://{}:{number}/", service.host);
                if let Ok(request) = Request::get("", &url) {
                    found.insert((service.host.clone(), number), request);
                }
            }
        }
        found.into_values().collect()
    }

    /// What each caller gets of each request, a row a caller; the requests' own callers are passed over.
    ///
    /// What a proxy sees, which policies concern a caller, where a name leads and what the firewall says is made out once, not
    /// once a cell; nobody reads why, so hops that pass and log lines are not put into words.
    pub fn matrix(&self, callers: &[Source], requests: &[Request]) -> Vec<Vec<Cell>> {
        let hands = thread::available_parallelism().map_or(1, usize::from);
        let share = callers.len().div_ceil(hands).max(1);
        thread::scope(|scope| {
            let shares = callers.chunks(share);
            let working: Vec<_> = shares
                .map(|callers| scope.spawn(|| self.rows(callers, requests)))
                .collect();
            // A thread that panics panics here too.
            let rows = working.into_iter().map(|each| match each.join() {
                Ok(rows) => rows,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            rows.flatten().collect()
        })
    }

    fn rows(&self, callers: &[Source], requests: &[Request]) -> Vec<Vec<Cell>> {
        let evaluator = Evaluator::new(self, false);
        let row = |source: &Source| {
            let pod = self.pod(source);
            let cell = |request: &Request| {
                let account = evaluator.trace_of(&pod, request);
                let stopped = account.stopped_at();
                Cell {
                    reaches: stopped.is_none(),
                    by: stopped.and_then(|hop| hop.ruling.by.clone()),
                    got: CellSummary::from(&account.got),
                }
            };
            let row = requests.iter().map(cell).collect();
            evaluator.forget(&pod);
            row
        };
        callers.iter().map(row).collect()
    }
}
