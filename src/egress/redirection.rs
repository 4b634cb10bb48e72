//! Which connections of a pod its sidecar takes: the rules that Istio's injection writes into the pod's network namespace
//! (`tools/istio-iptables`), from annotations and from the user of its containers.

use std::net::IpAddr;

use ipnet::IpNet;
use json::{list, text};
use serde_json::Value;

use super::object::{Labels, labels};

/// The user and group of the proxy: what they send is never redirected.
const PROXY_USER: u64 = 1337;
/// The proxy's own ports, which injection excludes from what comes in: the agent's metrics, readiness and Envoy's metrics.
const OWN_PORTS: [u16; 3] = [15020, 15021, 15090];
/// The annotations of this kind.
const PREFIX: &str = "traffic.sidecar.istio.io/";

/// A list of ports or ranges; `*` stands for all.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listed<T> {
    every: bool,
    items: Vec<T>,
}

/// The redirection of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirection {
    /// Whether nothing is redirected (`sidecar.istio.io/interceptionMode: NONE`).
    none: bool,
    /// Whether the application runs as the proxy's user.
    as_proxy: bool,
    out_ports: Listed<u16>,
    out_ports_excluded: Listed<u16>,
    out_ranges: Listed<IpNet>,
    out_ranges_excluded: Listed<IpNet>,
    in_ports: Listed<u16>,
    in_ports_excluded: Listed<u16>,
    /// Annotations of this kind that are not covered.
    pub unknown: Vec<String>,
}

impl<T: std::str::FromStr> Listed<T> {
    fn read(annotations: &Labels, name: &str, otherwise: &str) -> Listed<T> {
        let stated = annotations.get(&format!("{PREFIX}{name}"));
        let items = stated.map_or(otherwise, String::as_str).split(',');
        let items: Vec<&str> = items
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .collect();
        Listed {
            every: items.contains(&"*"),
            items: items.iter().filter_map(|item| item.parse().ok()).collect(),
        }
    }
}

impl Listed<u16> {
    fn holds(&self, port: u16) -> bool {
        self.every || self.items.contains(&port)
    }
}

impl Listed<IpNet> {
    fn holds(&self, address: IpAddr) -> bool {
        self.every || self.items.iter().any(|range| range.contains(&address))
    }
}

impl Redirection {
    /// Reads a pod or a pod template.
    pub fn read(pod: &Value) -> Redirection {
        let annotations = labels(pod, "/metadata/annotations");
        let known = [
            "includeOutboundPorts",
            "excludeOutboundPorts",
            "includeOutboundIPRanges",
            "excludeOutboundIPRanges",
            "includeInboundPorts",
            "excludeInboundPorts",
        ];
        let strange = |name: &&String| {
            let own = name.strip_prefix(PREFIX);
            own.is_some_and(|own| !known.contains(&own))
        };
        let mode = annotations.get("sidecar.istio.io/interceptionMode");
        let mut unknown: Vec<String> = annotations.keys().filter(strange).cloned().collect();
        let config = annotations.get("proxy.istio.io/config");
        if config.is_some_and(|config| config.contains("interceptionMode")) {
            unknown.push("proxy.istio.io/config".to_owned());
        }
        Redirection {
            none: mode.is_some_and(|mode| mode.eq_ignore_ascii_case("NONE")),
            as_proxy: runs_as_proxy(pod),
            out_ports: Listed::read(&annotations, "includeOutboundPorts", ""),
            out_ports_excluded: Listed::read(&annotations, "excludeOutboundPorts", ""),
            out_ranges: Listed::read(&annotations, "includeOutboundIPRanges", "*"),
            out_ranges_excluded: Listed::read(&annotations, "excludeOutboundIPRanges", ""),
            in_ports: Listed::read(&annotations, "includeInboundPorts", "*"),
            in_ports_excluded: Listed::read(&annotations, "excludeInboundPorts", ""),
            unknown,
        }
    }

    /// Why a connection of the application does not go through the sidecar, in a clause; `None` if it does. An included port is
    /// taken whatever its address is; an excluded port or address is never taken.
    pub fn passes_by(&self, own: Option<IpAddr>, to: IpAddr, port: u16) -> Option<&'static str> {
        if self.none {
            Some("the pod has interceptionMode NONE")
        } else if self.as_proxy {
            Some("the application runs as user or group 1337, that of the proxy")
        } else if to.is_loopback() || own == Some(to) {
            Some("the pod connects to itself")
        } else if self.out_ports_excluded.holds(port) {
            Some("excludeOutboundPorts names the port")
        } else if self.out_ranges_excluded.holds(to) {
            Some("excludeOutboundIPRanges contains the address")
        } else if self.out_ports.holds(port) || self.out_ranges.holds(to) {
            None
        } else {
            Some("includeOutboundIPRanges does not contain the address")
        }
    }

    /// Why a connection to the pod does not go through the sidecar, in a clause; `None` if it does.
    pub fn lets_past(&self, port: u16) -> Option<&'static str> {
        if self.none {
            Some("the pod has interceptionMode NONE")
        } else if OWN_PORTS.contains(&port) {
            Some("the port is one of the proxy's own, which are not redirected")
        } else if !self.in_ports.every {
            match self.in_ports.holds(port) {
                true => None,
                false => Some("includeInboundPorts does not name the port"),
            }
        } else if self.in_ports_excluded.holds(port) {
            Some("excludeInboundPorts names the port")
        } else {
            None
        }
    }

    /// Whether nothing is redirected: then what comes in depends on listeners that the proxy binds itself.
    pub fn is_off(&self) -> bool {
        self.none
    }
}

/// Whether a port is one of the proxy's own.
pub fn is_own_port(port: u16) -> bool {
    OWN_PORTS.contains(&port)
}

/// Whether a port is one to which connections are redirected: outgoing and incoming ones.
pub fn is_capture_port(port: u16) -> bool {
    [15001, 15006].contains(&port)
}

/// Whether every container of the application runs as the proxy's user or group.
fn runs_as_proxy(pod: &Value) -> bool {
    let runs = |context: &Value, field: &str| context.pointer(field).and_then(Value::as_u64);
    let of_pod = |field: &str| runs(pod, &format!("/spec/securityContext/{field}"));
    let (user, group) = (of_pod("runAsUser"), of_pod("runAsGroup"));
    let is_proxy = |container: &&Value| text(container, "/name") == super::injection::PROXY;
    let mut own = list(pod, "/spec/containers")
        .filter(|each| !is_proxy(each))
        .peekable();
    own.peek().is_some()
        && own.all(|container| {
            let own = |field: &str| runs(container, &format!("/securityContext/{field}"));
            let (user, group) = (own("runAsUser").or(user), own("runAsGroup").or(group));
            user == Some(PROXY_USER) || group == Some(PROXY_USER)
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn annotated(name: &str, value: &str) -> Redirection {
        let name = match name.contains('/') {
            true => name.to_owned(),
            false => format!("{PREFIX}{name}"),
        };
        Redirection::read(&json!({"metadata": {"annotations": {name: value}}}))
    }

    #[test]
    fn what_goes_out() {
        // (annotation, value, port, taken)
        let cases = [
            ("excludeOutboundPorts", "443, 80", 80, false),
            ("excludeOutboundPorts", "443", 80, true),
            ("excludeOutboundIPRanges", "203.0.113.0/24", 80, false),
            ("excludeOutboundIPRanges", "198.51.100.0/24", 80, true),
            ("includeOutboundIPRanges", "10.0.0.0/8", 80, false),
            (
                "includeOutboundIPRanges",
                "10.0.0.0/8,203.0.113.7/32",
                80,
                true,
            ),
            ("includeOutboundIPRanges", "*", 80, true),
            ("includeOutboundIPRanges", "", 80, false),
            ("includeOutboundPorts", "80", 80, true),
            ("includeOutboundPorts", "81", 80, true),
            ("sidecar.istio.io/interceptionMode", "NONE", 80, false),
            ("sidecar.istio.io/interceptionMode", "TPROXY", 80, true),
        ];
        for (name, value, port, taken) in cases {
            let found = annotated(name, value);
            let to = [203, 0, 113, 7].into();
            assert_eq!(
                found.passes_by(None, to, port).is_none(),
                taken,
                "{name} {value}"
            );
            assert_eq!(found.unknown, Vec::<String>::new());
        }
        let own = Redirection::read(&json!({}));
        let to: IpAddr = [10, 1, 0, 2].into();
        assert!(own.passes_by(Some(to), to, 80).is_some());
        let other = annotated("kubevirtInterfaces", "eth1");
        assert_eq!(
            other.unknown,
            ["traffic.sidecar.istio.io/kubevirtInterfaces"]
        );
    }

    #[test]
    fn what_comes_in() {
        // (annotation, value, port, taken)
        let cases = [
            ("excludeInboundPorts", "80", 80, false),
            ("excludeInboundPorts", "81", 80, true),
            ("includeInboundPorts", "81", 80, false),
            ("includeInboundPorts", "80,81", 80, true),
            ("includeInboundPorts", "", 80, false),
            ("excludeOutboundPorts", "80", 80, true),
            ("includeInboundPorts", "*", 15021, false),
        ];
        for (name, value, port, taken) in cases {
            let found = annotated(name, value).lets_past(port);
            assert_eq!(found.is_none(), taken, "{name} {value} {port}");
        }
    }

    #[test]
    fn who_runs_as_the_proxy() {
        // (spec, whether it does)
        let cases = [
            (json!({"containers": [{"name": "a"}]}), false),
            (
                json!({"securityContext": {"runAsUser": 1337}, "containers": [{"name": "a"}]}),
                true,
            ),
            (
                json!({"containers": [{"name": "a", "securityContext": {"runAsGroup": 1337}}]}),
                true,
            ),
            (
                json!({"securityContext": {"runAsUser": 1337}, "containers": [{"name": "a", "securityContext": {"runAsUser": 1}}]}),
                false,
            ),
            (
                json!({"containers": [{"name": "a"}, {"name": "istio-proxy", "securityContext": {"runAsUser": 1337}}]}),
                false,
            ),
        ];
        for (spec, expected) in cases {
            assert_eq!(runs_as_proxy(&json!({"spec": spec})), expected, "{spec}");
        }
    }
}
