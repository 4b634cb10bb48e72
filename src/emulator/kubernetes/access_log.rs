//! Access logs of the proxies: the lines of a request, buffered and then written.
//!
//! A proxy writes a line some time after its request, because it buffers lines. Which lines there are, and what they say, is
//! the evaluator's part ([`egress`]); ids, ports and times are added here.

use std::time::Duration;

use super::cluster::{BufferedLine, Cluster};
use super::log;
use super::telemetry;
use crate::clock::{self, Millis};
use crate::lro;
use crate::names;
use egress::log::AccessLogStamp;
use egress::object::Object;
use egress::trace::Trace;

/// The ephemeral ports of Linux, without the last.
const EPHEMERAL: std::ops::Range<u64> = 32_768..60_999;

/// How long a proxy buffers the lines of its log.
pub fn flush_interval(cluster: &Cluster) -> Duration {
    let late = cluster.pace().duration("proxy.log.flush");
    Duration::from_millis(late.unsigned_abs())
}

/// Buffers what proxies log of a request that began at `began`, if Telemetry objects enable it. Returns the number of lines.
pub fn buffer(cluster: &mut Cluster, trace: &Trace, began: Millis) -> usize {
    let mut count = 0;
    // The remote port of each proxy on the way: the local port of the connection that the proxy before it opened.
    let mut called: Vec<(&Object, u16)> = Vec::new();
    let mut caller = ephemeral(cluster);
    for line in &trace.lines {
        let upstream_port = ephemeral(cluster);
        let known = called.iter().find(|(pod, _)| *pod == &line.pod);
        let remote_port = match known {
            // A retry comes over the same connection.
            Some((_, port)) => *port,
            None => {
                called.push((&line.pod, caller));
                std::mem::replace(&mut caller, upstream_port)
            }
        };
        let (namespace, name) = (&line.pod.namespace, &line.pod.name);
        let pod = format!("pods/{namespace}/{name}");
        let found = cluster.store.get(&pod);
        let labels = found.map(|found| found["metadata"]["labels"].clone());
        if labels.is_none_or(|labels| !telemetry::logs(cluster, namespace, &labels)) {
            continue;
        }
        let after = Millis::try_from(line.after.as_millis()).unwrap_or_default();
        let stamp = AccessLogStamp {
            time: clock::utc(began + after),
            request_id: lro::uuid(&format!("request {began} {}", cluster.count("request"))),
            upstream_port,
            remote_port,
        };
        let line = BufferedLine {
            pod,
            log: log::key(namespace, name, "istio-proxy"),
            text: line.text(&stamp),
        };
        cluster.buffer_log(line);
        count += 1;
    }
    count
}

/// Writes the `count` oldest buffered lines, except those of pods that are gone. Lines are written in the order of their
/// requests, whichever request's interval is noticed to be over first.
pub fn flush(cluster: &mut Cluster, count: usize) {
    for _ in 0..count {
        let Some(line) = cluster.unbuffer_log() else {
            return;
        };
        if cluster.store.get(&line.pod).is_some() {
            cluster.write_log(&line.log, line.text);
        }
    }
}

fn ephemeral(cluster: &mut Cluster) -> u16 {
    let serial = cluster.count("port");
    let port = EPHEMERAL.start
        + names::hash(&format!("port {serial}")) % (EPHEMERAL.end - EPHEMERAL.start);
    u16::try_from(port).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use serde_json::json;

    use super::*;
    use egress::log::AccessLogLine;
    use egress::trace::{CallerOutcome, Failure};

    fn line(pod: &str, after: u64) -> AccessLogLine {
        let address = IpAddr::from([10, 1, 0, 17]);
        AccessLogLine {
            pod: Object::new("Pod", "team-x", pod),
            after: Duration::from_secs(after),
            http: None,
            status: 0,
            flags: "",
            details: String::new(),
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
            cluster: String::new(),
            upstream_local: Some(address),
            local: (address, 80).into(),
            remote: address,
            server_name: String::new(),
            route: String::new(),
        }
    }

    #[test]
    fn a_proxy_is_called_from_the_port_that_the_one_before_it_tells() {
        let mut cluster = Cluster::default();
        let telemetry =
            json!({"metadata": {"namespace": "istio-system"}, "spec": {"accessLogging": [{}]}});
        cluster
            .store
            .put("telemetries.telemetry.istio.io/istio-system/on", telemetry);
        for pod in ["sidecar", "gateway"] {
            cluster.store.put(
                &format!("pods/team-x/{pod}"),
                json!({"metadata": {"labels": {}}}),
            );
        }
        let trace = Trace {
            hops: Vec::new(),
            got: CallerOutcome::Failure(Failure::TlsReset),
            waits: Duration::ZERO,
            connected: None,
            received: Vec::new(),
            lines: vec![
                line("sidecar", 0),
                line("gateway", 0),
                line("gateway", 10),
                line("nobody", 0),
            ],
            unknown: Vec::new(),
        };
        assert_eq!(buffer(&mut cluster, &trace, 0), 3);
        flush(&mut cluster, 3);
        // The caller's port and the proxy's own, from the end of a line: `OWN LOCAL REMOTE SNI ROUTE`.
        let ports = |pod: &str| -> Vec<(String, String)> {
            let lines = cluster.log(&log::key("team-x", pod, "istio-proxy")).iter();
            let port = |address: &str| address.rsplit(':').next().unwrap().to_owned();
            lines
                .map(|line| {
                    let words: Vec<&str> = line.rsplit(' ').collect();
                    (port(words[2]), port(words[4]))
                })
                .collect()
        };
        let (sidecar, gateway) = (ports("sidecar"), ports("gateway"));
        assert_eq!((sidecar.len(), gateway.len()), (1, 2));
        assert_eq!(gateway[0].0, sidecar[0].1);
        assert_eq!(
            gateway[1].0, sidecar[0].1,
            "a retry comes over the same connection"
        );
        let times: Vec<&str> = cluster
            .log("team-x/gateway/istio-proxy")
            .iter()
            .map(|line| &line[..26])
            .collect();
        assert_eq!(
            times,
            ["[1970-01-01T00:00:00.000Z]", "[1970-01-01T00:00:10.000Z]"]
        );
        assert!(cluster.log("team-x/nobody/istio-proxy").is_empty());

        let count = buffer(&mut cluster, &trace, 0);
        cluster.store.remove("pods/team-x/sidecar");
        cluster.forget_logs("team-x/sidecar/");
        flush(&mut cluster, count);
        assert!(
            cluster.log("team-x/sidecar/istio-proxy").is_empty(),
            "a log goes with its pod"
        );
    }
}
