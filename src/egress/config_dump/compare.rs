//! The model's trace beside that of the proxies' own configuration: proxy by proxy, where they differ and why that is likely.

use std::fmt;

use serde::Serialize;

use super::config_dumps::ConfigDumps;
use super::trace::{ProxyPassage, ProxyTrace, Verdict};
use crate::log::AccessLogLine;
use crate::object::Object;
use crate::trace::Trace;

/// Where model and proxies differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The proxy.
    pub pod: Object,
    /// What the model says.
    pub model: String,
    /// What the proxy's configuration says.
    pub proxy: String,
    /// The likeliest cause.
    pub cause: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference {
            pod,
            model,
            proxy,
            cause,
        } = self;
        write!(
            f,
            "{pod}: the objects lead to {model}, and the proxy's configuration to {proxy}; {cause}"
        )
    }
}

/// What happens at a proxy, in the same words for both.
fn told(cluster: &str, status: Option<u16>) -> String {
    let cluster = match cluster {
        "" => "no cluster".to_owned(),
        name => format!("cluster {name}"),
    };
    match status {
        Some(status) => format!("{cluster} and its own answer {status}"),
        None => cluster,
    }
}

/// What the model says of a proxy: a line of its log.
fn of_model(line: &AccessLogLine) -> ProxyPassage {
    // A proxy that got its answer from the upstream did not decide it, nor did one whose connection the network broke.
    let own = line.http.is_some() && line.details != "via_upstream" && !is_broken(line);
    ProxyPassage {
        pod: line.pod.clone(),
        cluster: line.cluster.clone(),
        status: own.then_some(line.status),
    }
}

/// Whether the connection to the upstream failed or ended: the network or the upstream decided that.
fn is_broken(line: &AccessLogLine) -> bool {
    line.flags
        .split(',')
        .any(|flag| matches!(flag, "UF" | "UC"))
}

/// Whether access was refused. The cluster is chosen before or after that, which the two tell differently.
fn is_denied(line: &AccessLogLine) -> bool {
    let words = "rbac_access_denied";
    line.details.starts_with(words) || line.termination.starts_with(words)
}

/// The differences, proxy by proxy in the order of the request. There are none if the proxies' own result is unknown, because then
/// nothing is known to differ. The first difference is the cause of the later ones, so they end there; and behind a connection
/// that the model's network breaks there is nothing to compare.
pub fn differences(model: &Trace, proxies: &ProxyTrace, dumps: &ConfigDumps) -> Vec<Difference> {
    if proxies.verdict == Verdict::Unknown {
        return Vec::new();
    }
    for passage in &proxies.proxies {
        let line = model.lines.iter().find(|line| line.pod == passage.pod);
        let own = told(&passage.cluster, passage.status);
        let modelled = match line {
            None => "another way, which does not pass this proxy".to_owned(),
            Some(line) if is_denied(line) && passage.cluster.is_empty() => own.clone(),
            Some(line) => {
                let line = of_model(line);
                told(&line.cluster, line.status)
            }
        };
        if modelled != own {
            return vec![Difference {
                pod: passage.pod.clone(),
                model: modelled,
                proxy: own,
                cause: cause(passage, dumps),
            }];
        }
        if line.is_some_and(is_broken) {
            break;
        }
    }
    Vec::new()
}

/// The likeliest cause at a proxy.
fn cause(passage: &ProxyPassage, dumps: &ConfigDumps) -> String {
    let mut all = dumps.all().iter();
    let dump = all.find(|dump| {
        dump.node.namespace == passage.pod.namespace && dump.node.pod == passage.pod.name
    });
    let refused = dump.and_then(|dump| dump.rejected.first());
    let warming = dump.and_then(|dump| dump.warming.first());
    match (refused, warming) {
        (Some((resource, words)), _) => format!("the proxy refused the newest {resource}: {words}"),
        (None, Some(resource)) => format!("the proxy has not yet activated the newest {resource}"),
        (None, None) => {
            "the proxy has an older configuration, or the control plane does something that the model does not cover".to_owned()
        }
    }
}
