//! The proxies on the way of a request, in a live cluster: their own configuration beside the model's result.
//!
//! The caller's proxy is read first, then each proxy to which one that was read sends the request. Where reading is not allowed, the
//! model's result stands alone, and that is said.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::session::Prepared;
use super::snapshot_input::cluster;
use crate::error::CommandError;
use crate::kinds::proxy_dump::{Proxies, UnreadDump, has_proxy};
use crate::ui::{Paint, proxy_trace};
use egress::config_dump::{ConfigDumps, Difference, ProxyTrace, differences};
use egress::request::Request;
use egress::snapshot_input::SnapshotInput;
use egress::trace::Trace;

/// The most proxies that are read for one request.
const MOST: usize = 8;

/// What the proxies say.
pub enum LiveProxies {
    /// There is none on the way, or nobody asked.
    NotOnTheWay,
    /// They were not read: why not.
    Unread(String),
    /// Their trace, and where the model differs.
    Read(Box<ProxyTrace>, Vec<Difference>),
}

impl LiveProxies {
    /// Whether they were read, and the model differs from them.
    pub fn differ(&self) -> bool {
        matches!(self, LiveProxies::Read(_, differences) if !differences.is_empty())
    }

    /// Their keys in the output for programs.
    pub fn json(&self) -> Value {
        match self {
            LiveProxies::NotOnTheWay => json!({}),
            LiveProxies::Unread(why) => json!({"proxies_unread": why}),
            LiveProxies::Read(trace, differences) => {
                json!({"proxies": trace, "differences": differences})
            }
        }
    }

    /// Their part of the text.
    pub fn text(&self, verbose: bool, paint: Paint) -> String {
        match self {
            LiveProxies::NotOnTheWay => String::new(),
            LiveProxies::Unread(why) => proxy_trace::unread(why),
            LiveProxies::Read(trace, differences) => {
                let title = paint.strong("the proxies' own configuration");
                let hops = proxy_trace::hops(trace, verbose, paint);
                format!(
                    "\n{title}\n{hops}{}",
                    proxy_trace::differences(differences, paint)
                )
            }
        }
    }
}

/// Follows a request through the proxies of the cluster.
///
/// # Errors
/// The cluster is not reached. A proxy that cannot be read is no error.
pub async fn follow(
    ready: &Prepared,
    sources: &SnapshotInput,
    request: &Request,
    model: &Trace,
) -> Result<LiveProxies, CommandError> {
    let pods = || {
        sources
            .kubernetes
            .iter()
            .filter(|object| object["kind"] == "Pod")
    };
    let caller = model
        .hops
        .first()
        .and_then(|hop| hop.name.strip_prefix("Pod "));
    let is_caller = |pod: &&Value| caller == Some(name(pod).as_str());
    let passes = model
        .lines
        .first()
        .map(|line| format!("{}/{}", line.pod.namespace, line.pod.name));
    let caller = pods().filter(|pod| has_proxy(pod)).find(is_caller);
    let (Some(caller), Some((clients, cluster))) = (caller, cluster(ready)) else {
        return Ok(LiveProxies::NotOnTheWay);
    };
    if passes.is_some_and(|first| first != name(caller)) {
        return Ok(LiveProxies::NotOnTheWay);
    }
    let unread =
        |pod: &Value, error: &UnreadDump| LiveProxies::Unread(format!("{}: {error}", name(pod)));
    let proxies = Proxies::open(&clients, &cluster.at).await;
    let proxies = match proxies.map_err(UnreadDump::Cluster) {
        Ok(Some(proxies)) => proxies,
        Ok(None) => return Ok(LiveProxies::NotOnTheWay),
        Err(error) => return Ok(unread(caller, &error)),
    };
    let from = match read(&proxies, caller).await {
        Ok(dump) => dump,
        Err(error) => return Ok(unread(caller, &error)),
    };
    let mut dumps = ConfigDumps::new(vec![from.clone()]);
    loop {
        let trace = dumps.follow(&from, request, model.connected);
        let address = trace.leaves_to.map(|address| address.ip());
        let next = pods()
            .find(|pod| has_proxy(pod) && address.is_some_and(|address| has_address(pod, address)));
        match next {
            Some(next) if dumps.all().len() < MOST => match read(&proxies, next).await {
                Ok(dump) => dumps.add(dump),
                Err(error) => return Ok(unread(next, &error)),
            },
            _ => {
                let differences = differences(model, &trace, &dumps);
                return Ok(LiveProxies::Read(Box::new(trace), differences));
            }
        }
    }
}

async fn read(
    proxies: &Proxies,
    pod: &Value,
) -> Result<egress::config_dump::ConfigDump, UnreadDump> {
    let text = |pointer: &str| json::text(pod, pointer);
    proxies
        .read(text("/metadata/namespace"), text("/metadata/name"))
        .await
}

/// A pod as `NAMESPACE/NAME`.
fn name(pod: &Value) -> String {
    let text = |pointer: &str| json::text(pod, pointer);
    format!("{}/{}", text("/metadata/namespace"), text("/metadata/name"))
}

/// Whether an address is one of a pod's.
fn has_address(pod: &Value, address: IpAddr) -> bool {
    let own = json::list(pod, "/status/podIPs").map(|one| json::text(one, "/ip"));
    let first = std::iter::once(json::text(pod, "/status/podIP"));
    own.chain(first).any(|own| own.parse() == Ok(address))
}
