//! Sidecar resources: which hosts of the mesh a namespace's proxies know, and what they do with unknown ones.

use json::{list, text};
use serde_json::Value;

use super::field::{port, strange};
use super::host::{overlap, within};
use super::object::{Object, Unknown, texts};
use super::selector::Selector;

/// What a proxy does with an unknown destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OutboundPolicy {
    /// Passes traffic to its original destination.
    #[default]
    AllowAny,
    /// Rejects it.
    RegistryOnly,
}

impl OutboundPolicy {
    /// Parses `outboundTrafficPolicy`; `None` without a mode.
    fn read(value: &Value) -> Option<OutboundPolicy> {
        match text(value, "/outboundTrafficPolicy/mode") {
            "REGISTRY_ONLY" => Some(OutboundPolicy::RegistryOnly),
            "ALLOW_ANY" => Some(OutboundPolicy::AllowAny),
            _ => None,
        }
    }
}

/// One entry of `egress`: the known hosts on one port, or on all ports that no other entry names.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Egress {
    port: Option<u16>,
    /// The namespace (`*`, `.`, `~` or a name) and the host pattern.
    hosts: Vec<(String, String)>,
}

/// A Sidecar resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sidecar {
    /// The kind and name of the Sidecar.
    pub object: Object,
    /// The pods that it applies to; without labels, all pods of its namespace.
    pub workloads: Selector,
    /// What its proxies do with unknown destinations; `None` if the mesh's default applies.
    pub policy: Option<OutboundPolicy>,
    egress: Vec<Egress>,
    /// The creation time.
    pub created: String,
}

impl Sidecar {
    /// Parses a manifest or a live object; also returns what of it is not covered.
    pub fn read(value: &Value) -> (Sidecar, Vec<Unknown>) {
        let object = Object::of(value);
        let spec = value.get("spec").unwrap_or(&Value::Null);
        let known = ["workloadSelector", "egress", "outboundTrafficPolicy"];
        let mut unknown = strange(&object, spec, "spec", &known);
        let outbound = spec.get("outboundTrafficPolicy").unwrap_or(&Value::Null);
        unknown.extend(strange(
            &object,
            outbound,
            "spec.outboundTrafficPolicy",
            &["mode"],
        ));
        let mut egress = Vec::new();
        for (index, entry) in list(spec, "/egress").enumerate() {
            let path = format!("spec.egress[{index}]");
            unknown.extend(strange(&object, entry, &path, &["hosts", "port"]));
            let hosts = texts(entry, "/hosts");
            let hosts = hosts.iter().filter_map(|host| host.split_once('/'));
            egress.push(Egress {
                port: port(entry, "/port/number"),
                hosts: hosts
                    .map(|(namespace, host)| (namespace.to_owned(), host.to_ascii_lowercase()))
                    .collect(),
            });
        }
        let sidecar = Sidecar {
            workloads: Selector::read(spec.get("workloadSelector").unwrap_or(&Value::Null)),
            policy: OutboundPolicy::read(spec),
            egress,
            created: text(value, "/metadata/creationTimestamp").to_owned(),
            object,
        };
        (sidecar, unknown)
    }

    /// Whether a proxy in `own` knows the service `host` of `namespace` on `port` (on any port if it is `None`).
    pub fn knows(&self, own: &str, namespace: &str, host: &str, port: Option<u16>) -> bool {
        self.entries(port)
            .any(|(of, pattern)| meant(of, own, namespace) && within(pattern, host))
    }

    /// Whether a proxy in `own` uses routes of a VirtualService of `namespace` for `hosts`.
    pub fn takes(&self, own: &str, namespace: &str, hosts: &[String], port: Option<u16>) -> bool {
        self.entries(port).any(|(of, pattern)| {
            meant(of, own, namespace) && hosts.iter().any(|host| overlap(pattern, host))
        })
    }

    /// The hosts of the entries for a port. An empty `egress` is `*/*`: all hosts are known (Istio's
    /// `ConvertToSidecarScope`).
    fn entries(&self, port: Option<u16>) -> impl Iterator<Item = (&str, &str)> {
        // An entry with a port applies to that port alone, and then no other entry applies to it.
        let named = port.filter(|port| self.egress.iter().any(|entry| entry.port == Some(*port)));
        let asked = self.egress.iter().filter(move |entry| match (port, named) {
            (None, _) => true,
            (Some(_), named) => entry.port == named,
        });
        let all = self.egress.is_empty().then_some(("*", "*"));
        asked
            .flat_map(|entry| &entry.hosts)
            .map(|(namespace, host)| (namespace.as_str(), host.as_str()))
            .chain(all)
    }
}

/// Whether an entry's namespace covers `namespace`, as seen from `own`.
fn meant(entry: &str, own: &str, namespace: &str) -> bool {
    match entry {
        "*" => true,
        "." => own == namespace,
        entry => entry == namespace,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sidecar(egress: Value) -> Sidecar {
        Sidecar::read(&json!({"kind": "Sidecar", "metadata": {"name": "default", "namespace": "a"}, "spec": {"egress": egress}})).0
    }

    #[test]
    fn hosts_are_known_by_namespace_and_pattern() {
        // (egress, namespace and host of a service, known on port 80)
        let cases = [
            (json!([]), "b", "x.com", true),
            (json!([{"hosts": ["*/*"]}]), "b", "x.com", true),
            (json!([{"hosts": ["./*"]}]), "a", "x.com", true),
            (json!([{"hosts": ["./*"]}]), "b", "x.com", false),
            (json!([{"hosts": ["b/*.com"]}]), "b", "x.com", true),
            (json!([{"hosts": ["b/*.com"]}]), "b", "x.org", false),
            (json!([{"hosts": ["~/*"]}]), "a", "x.com", false),
            (
                json!([{"port": {"number": 80}, "hosts": ["b/*"]}, {"hosts": ["c/*"]}]),
                "b",
                "x.com",
                true,
            ),
            (
                json!([{"port": {"number": 80}, "hosts": ["b/*"]}, {"hosts": ["c/*"]}]),
                "c",
                "x.com",
                false,
            ),
            (
                json!([{"port": {"number": 81}, "hosts": ["b/*"]}, {"hosts": ["c/*"]}]),
                "c",
                "x.com",
                true,
            ),
        ];
        for (egress, namespace, host, known) in cases {
            let found = sidecar(egress.clone()).knows("a", namespace, host, Some(80));
            assert_eq!(found, known, "{egress} {namespace}/{host}");
        }
    }
}
