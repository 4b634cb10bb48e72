//! The trace of a request through dumps, in the shape of the model's trace.

use std::net::SocketAddr;

use serde::Serialize;

use crate::object::{Object, Unknown};
use crate::trace::{CallerOutcome, Hop};
use crate::verdict::Verdict;

/// What one proxy did with the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProxyPassage {
    /// Its pod.
    pub pod: Object,
    /// The cluster that it chose; empty for none.
    pub cluster: String,
    /// The status of its own answer; `None` if it forwarded the request, or ended a connection.
    pub status: Option<u16>,
}

/// The trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProxyTrace {
    /// Whether the request reaches a server.
    pub verdict: Verdict,
    /// The decisions, in order: the listener, the filter chain, the filters, the virtual host and route, the cluster, for each
    /// proxy.
    pub hops: Vec<Hop>,
    /// What the caller gets from a proxy; `None` if a server answers, or if that is not known.
    pub got: Option<CallerOutcome>,
    /// What each proxy did, in the order in which the request reached them.
    pub proxies: Vec<ProxyPassage>,
    /// The address to which the last proxy sends it, if no dump of that address is there.
    pub leaves_to: Option<SocketAddr>,
    /// What may have affected a decision and is not understood or not in the dumps: if there is any, the verdict is unknown.
    pub unknown: Vec<Unknown>,
}

impl ProxyTrace {
    /// The hop that stopped the request.
    pub fn stopped_at(&self) -> Option<&Hop> {
        self.hops.iter().find(|hop| !hop.ruling.passes)
    }
}
