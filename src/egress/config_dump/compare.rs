//! The model's trace beside that of the proxies' own configuration: proxy by proxy, where they differ and why that is likely.

use std::fmt;

use serde::Serialize;

use super::config_dumps::ConfigDumps;
use super::trace::{ProxyPassage, ProxyTrace};
use crate::log::AccessLogLine;
use crate::object::Object;
use crate::trace::Trace;
use crate::verdict::Verdict;

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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::trace::{CallerOutcome, HttpAnswer};

    fn pod(name: &str) -> Object {
        Object::new("Pod", "team-x", name)
    }

    /// A line of a proxy's log: `POD CLUSTER STATUS FLAGS DETAILS`, `-` for none. Without a status it is one of a connection.
    fn line(text: &'static str) -> AccessLogLine {
        let or_empty = |word| if word == "-" { "" } else { word };
        let words: Vec<&'static str> = text.split(' ').map(or_empty).collect();
        let [name, cluster, status, flags, details] = words[..] else {
            panic!("{text}")
        };
        let http = (!status.is_empty()).then(|| ("GET".to_owned(), "/".to_owned(), "HTTP/1.1"));
        AccessLogLine {
            pod: pod(name),
            after: Duration::ZERO,
            http,
            status: status.parse().unwrap_or_default(),
            flags,
            details: details.to_owned(),
            termination: String::new(),
            transport_failure: String::new(),
            received: 0,
            sent: 0,
            duration: Duration::ZERO,
            service_time: None,
            forwarded_for: None,
            agent: String::new(),
            authority: String::new(),
            upstream: None,
            cluster: cluster.to_owned(),
            upstream_local: None,
            local: "192.0.2.1:80".parse().unwrap(),
            remote: "10.1.0.1".parse().unwrap(),
            server_name: String::new(),
            route: String::new(),
        }
    }

    fn model(lines: &[&'static str]) -> Trace {
        Trace {
            hops: Vec::new(),
            got: CallerOutcome::Answer(HttpAnswer::bare(200)),
            waits: Duration::ZERO,
            connected: None,
            received: Vec::new(),
            lines: lines.iter().map(|text| line(text)).collect(),
            unknown: Vec::new(),
        }
    }

    fn proxies(verdict: Verdict, all: &[(&str, &str, Option<u16>)]) -> ProxyTrace {
        let passage = |(name, cluster, status): &(&str, &str, Option<u16>)| ProxyPassage {
            pod: pod(name),
            cluster: (*cluster).to_owned(),
            status: *status,
        };
        ProxyTrace {
            verdict,
            hops: Vec::new(),
            got: None,
            proxies: all.iter().map(passage).collect(),
            leaves_to: None,
            unknown: Vec::new(),
        }
    }

    #[test]
    fn the_first_proxy_that_differs_is_told() {
        let sent = &["x gw 200 - via_upstream", "gw out 200 - via_upstream"];
        let denied = &[
            "x gw 403 - via_upstream",
            "gw out 403 - rbac_access_denied_matched_policy[none]",
        ];
        // (the model's lines, what the proxies did, the proxy that differs)
        let cases: &[(&[&'static str], &[(&str, &str, Option<u16>)], Option<&str>)] = &[
            (sent, &[("x", "gw", None), ("gw", "out", None)], None),
            (sent, &[("x", "other", None)], Some("x")),
            (
                sent,
                &[("x", "gw", None), ("gw", "", Some(404))],
                Some("gw"),
            ),
            (
                &["x gw 200 - via_upstream"],
                &[("x", "gw", None), ("gw", "out", None)],
                Some("gw"),
            ),
            // The cluster is chosen before or after access is refused.
            (denied, &[("x", "gw", None), ("gw", "", Some(403))], None),
            (
                denied,
                &[("x", "gw", None), ("gw", "out", None)],
                Some("gw"),
            ),
            (
                &["x - 502 - direct_response"],
                &[("x", "", Some(502))],
                None,
            ),
            (
                &["x BlackHoleCluster - UH -"],
                &[("x", "BlackHoleCluster", None)],
                None,
            ),
            // Behind what the network breaks there is nothing to compare.
            (
                &["x gw 503 UF,URX x"],
                &[("x", "gw", None), ("gw", "out", None)],
                None,
            ),
        ];
        for (lines, all, expected) in cases {
            let proxies = proxies(Verdict::Reaches, all);
            let found = differences(&model(lines), &proxies, &ConfigDumps::default());
            let found = found.first().map(|one| one.pod.name.as_str());
            assert_eq!(found, *expected, "{lines:?} {all:?}");
        }
        let unknown = proxies(Verdict::Unknown, &[("x", "other", None)]);
        assert_eq!(
            differences(&model(sent), &unknown, &ConfigDumps::default()),
            []
        );
    }

    #[test]
    fn the_likeliest_cause_is_what_the_proxy_refused() {
        let dump = serde_json::json!({"configs": [
            {"@type": "x/envoy.admin.v3.BootstrapConfigDump", "bootstrap": {"node": {"id": "sidecar~10.1.0.1~x.team-x~d"}}},
            {"@type": "x/envoy.admin.v3.ListenersConfigDump", "dynamic_listeners": [
                {"name": "0.0.0.0_80", "error_state": {"details": "no such filter"}},
            ]},
        ]});
        let dump = super::super::ConfigDump::read(&dump, None).unwrap();
        let dumps = ConfigDumps::new(vec![dump]);
        let found = differences(
            &model(&["x gw 200 - via_upstream"]),
            &proxies(Verdict::Reaches, &[("x", "old", None)]),
            &dumps,
        );
        assert_eq!(
            found[0].to_string(),
            "Pod team-x/x: the objects lead to cluster gw, and the proxy's configuration to cluster old; the proxy refused the newest \
             listener 0.0.0.0_80: no such filter"
        );
    }
}
