//! Which caller reaches which destination: many callers, many requests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::thread;

use serde::Serialize;

use super::dataplane::Evaluator;
use super::object::{Object, Unknown};
use super::pod::Proxy;
use super::request::{Request, Scheme, Source};
use super::service::Protocol;
use super::snapshot::Snapshot;
use super::trace::{CallerOutcome, Failure};

/// The result of a request, in brief.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CellSummary {
    /// An answer with this status.
    Status(u16),
    /// No answer.
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

/// The result of one request for one caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// The result.
    pub got: CellSummary,
    /// Whether nothing on the path stopped it: the answer is the server's.
    pub reaches: bool,
    /// The object that stopped it; `None` if nothing did, or if a default did.
    pub by: Option<Object>,
    /// The objects that stopped it together, if no single one did.
    #[serde(skip)]
    pub jointly: Option<Arc<[Object]>>,
    /// What may have affected the result and is not covered.
    #[serde(skip)]
    pub unknown: Vec<Unknown>,
}

impl Snapshot {
    /// A caller for each namespace that contains pods other than gateways and is not a system namespace.
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

    /// A request for each HTTP or TLS port of each external host of a ServiceEntry; patterns give no request.
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

    /// The result of each request for each caller, one row per caller; the callers in the requests themselves are ignored.
    ///
    /// The view of a proxy, the policies that concern a caller, the resolution of a name and the decisions of the firewall
    /// are computed once, not once per cell. The reasons are not needed, so no texts are created for hops that pass and for
    /// log lines.
    pub fn matrix(&self, callers: &[Source], requests: &[Request]) -> Vec<Vec<Cell>> {
        let hands = thread::available_parallelism().map_or(1, usize::from);
        let share = callers.len().div_ceil(hands).max(1);
        thread::scope(|scope| {
            let shares = callers.chunks(share);
            let working: Vec<_> = shares
                .map(|callers| scope.spawn(|| self.rows(callers, requests)))
                .collect();
            // A panic of a thread is propagated.
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
                    jointly: stopped.and_then(|hop| hop.ruling.together.clone()),
                    got: CellSummary::from(&account.got),
                    unknown: account.unknown,
                }
            };
            let row = requests.iter().map(cell).collect();
            evaluator.forget(&pod);
            row
        };
        callers.iter().map(row).collect()
    }
}
