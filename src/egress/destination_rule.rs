//! DestinationRules: subsets of a host, and how a proxy opens connections to it.

use std::time::Duration;

use json::{list, text};
use serde_json::Value;

use super::field::{ExportTo, duration, port, strange};
use super::object::{Object, Unknown, labels};
use super::selector::Selector;

/// `tls.mode`, as far as it affects what is sent over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TlsMode {
    /// Plain text.
    Disable,
    /// TLS without a client certificate.
    Simple,
    /// TLS with a client certificate from the rule.
    Mutual,
    /// TLS with the client certificate of the mesh.
    IstioMutual,
}

/// The TLS settings of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The mode.
    pub mode: TlsMode,
    /// The SNI; empty if the rule states none.
    pub sni: String,
    /// Whether it names a Secret, which a sidecar reads only for a rule that selects workloads.
    pub credential: bool,
    /// Whether the rule names certificate authorities to verify the server with.
    pub authorities: bool,
    /// Whether the rule disables verification.
    pub insecure: bool,
}

/// The connection settings of a traffic policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectionPolicy {
    /// The TLS settings.
    pub tls: Option<Tls>,
    /// The connect timeout.
    pub connect_timeout: Option<Duration>,
}

/// A traffic policy with its port-level overrides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct TrafficPolicy {
    every: ConnectionPolicy,
    ports: Vec<(u16, ConnectionPolicy)>,
}

/// A subset of a host's endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subset {
    /// Its name.
    pub name: String,
    /// The labels of its endpoints; without any, all endpoints.
    pub labels: Selector,
    policy: Option<TrafficPolicy>,
}

/// A DestinationRule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationRule {
    /// The kind and name of the rule.
    pub object: Object,
    /// The host, in lower case, qualified as a name of the mesh.
    pub host: String,
    /// The namespaces in which it is visible.
    pub export: ExportTo,
    /// The pods to whose proxies it applies; without labels, all.
    pub workloads: Selector,
    /// The subsets.
    pub subsets: Vec<Subset>,
    policy: Option<TrafficPolicy>,
    /// The creation time.
    pub created: String,
}

impl DestinationRule {
    /// Parses a manifest or a live object; also returns what of it is not covered.
    pub fn read(value: &Value) -> (DestinationRule, Vec<Unknown>) {
        let object = Object::of(value);
        let spec = value.get("spec").unwrap_or(&Value::Null);
        let known = [
            "host",
            "trafficPolicy",
            "subsets",
            "exportTo",
            "workloadSelector",
        ];
        let mut unknown = strange(&object, spec, "spec", &known);
        let top = spec.get("trafficPolicy");
        let policy =
            top.map(|top| TrafficPolicy::read(&object, top, "spec.trafficPolicy", &mut unknown));
        let subsets = list(spec, "/subsets").enumerate().map(|(index, subset)| {
            let path = format!("spec.subsets[{index}].trafficPolicy");
            let read = |value| TrafficPolicy::read(&object, value, &path, &mut unknown);
            Subset {
                name: text(subset, "/name").to_owned(),
                labels: Selector::exact(labels(subset, "/labels")),
                policy: subset.get("trafficPolicy").map(read),
            }
        });
        let subsets = subsets.collect();
        let rule = DestinationRule {
            host: super::host::qualified(text(spec, "/host"), &object.namespace)
                .to_ascii_lowercase(),
            export: ExportTo::read(value),
            workloads: Selector::read(spec.get("workloadSelector").unwrap_or(&Value::Null)),
            subsets,
            policy,
            created: text(value, "/metadata/creationTimestamp").to_owned(),
            object,
        };
        (rule, unknown)
    }

    /// The subset of this name.
    pub fn subset(&self, name: &str) -> Option<&Subset> {
        self.subsets.iter().find(|subset| subset.name == name)
    }

    /// Whether it has a traffic policy of its own.
    pub fn has_policy(&self) -> bool {
        self.policy.is_some()
    }

    /// Whether only its own namespace sees it. A rule that selects workloads is never exported.
    pub fn is_private(&self) -> bool {
        !self.workloads.is_empty() || self.export.is_private(&self.object.namespace)
    }

    /// Whether it is merged with an older rule of its host: both select the same, and it is exported to the same namespaces or to
    /// more.
    pub fn merges_with(&self, older: &DestinationRule) -> bool {
        let selecting = !self.workloads.is_empty();
        let exports = || self.export.same(&older.export) || self.export.covers(&older.export);
        self.workloads == older.workloads && (selecting || exports())
    }

    /// The settings for connections to a port of a subset (or of the host, if `subset` is `None`); `top` is the rule whose
    /// traffic policy the subset inherits.
    ///
    /// A subset's settings replace the rule's one by one; port-level settings replace all others and inherit nothing (Istio's
    /// `MergeTrafficPolicy`).
    pub fn merged(
        top: Option<&DestinationRule>,
        subset: Option<&Subset>,
        port: u16,
    ) -> ConnectionPolicy {
        let top = top.and_then(|rule| rule.policy.as_ref());
        let top = top.map(|policy| policy.at(port)).unwrap_or_default();
        match subset.and_then(|subset| subset.policy.as_ref()) {
            None => top,
            Some(own) if own.has(port) => own.at(port),
            Some(own) => ConnectionPolicy {
                tls: own.every.tls.clone().or(top.tls),
                connect_timeout: own.every.connect_timeout.or(top.connect_timeout),
            },
        }
    }
}

impl Subset {
    /// Whether it has a traffic policy of its own.
    pub fn has_policy(&self) -> bool {
        self.policy.is_some()
    }
}

impl TrafficPolicy {
    fn read(
        object: &Object,
        value: &Value,
        path: &str,
        unknown: &mut Vec<Unknown>,
    ) -> TrafficPolicy {
        let known = [
            "tls",
            "portLevelSettings",
            "connectionPool",
            // Neither the choice among equal endpoints nor the reaction to earlier failures affects a decision here.
            "loadBalancer",
            "outlierDetection",
        ];
        unknown.extend(strange(object, value, path, &known));
        let ports = list(value, "/portLevelSettings").enumerate();
        let ports = ports.filter_map(|(index, each)| {
            let path = format!("{path}.portLevelSettings[{index}]");
            Some((
                port(each, "/port/number")?,
                ConnectionPolicy::read(object, each, &path, unknown),
            ))
        });
        let ports = ports.collect();
        TrafficPolicy {
            every: ConnectionPolicy::read(object, value, path, unknown),
            ports,
        }
    }

    fn has(&self, port: u16) -> bool {
        self.ports.iter().any(|(number, _)| *number == port)
    }

    fn at(&self, port: u16) -> ConnectionPolicy {
        let own = self.ports.iter().find(|(number, _)| *number == port);
        own.map_or_else(|| self.every.clone(), |(_, policy)| policy.clone())
    }
}

impl ConnectionPolicy {
    fn read(
        object: &Object,
        value: &Value,
        path: &str,
        unknown: &mut Vec<Unknown>,
    ) -> ConnectionPolicy {
        let tls = value.get("tls");
        if let Some(tls) = tls {
            let known = [
                "mode",
                "sni",
                "caCertificates",
                "insecureSkipVerify",
                "clientCertificate",
                "privateKey",
                "credentialName",
            ];
            unknown.extend(strange(object, tls, &format!("{path}.tls"), &known));
        }
        let connect = text(value, "/connectionPool/tcp/connectTimeout");
        ConnectionPolicy {
            tls: tls.map(Tls::read),
            connect_timeout: duration(connect),
        }
    }
}

impl Tls {
    fn read(value: &Value) -> Tls {
        let mode = match text(value, "/mode") {
            "SIMPLE" => TlsMode::Simple,
            "MUTUAL" => TlsMode::Mutual,
            "ISTIO_MUTUAL" => TlsMode::IstioMutual,
            _ => TlsMode::Disable,
        };
        let named = ["caCertificates", "credentialName"]
            .iter()
            .any(|field| !text(value, &format!("/{field}")).is_empty());
        let credential = text(value, "/credentialName");
        Tls {
            credential: !credential.is_empty() && !credential.starts_with("configmap://"),
            mode,
            sni: text(value, "/sni").to_owned(),
            authorities: named,
            insecure: value.get("insecureSkipVerify") == Some(&Value::Bool(true)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_of_a_port_inherit_nothing_and_a_subset_replaces_one_by_one() {
        let (rule, unknown) = DestinationRule::read(&json!({
            "kind": "DestinationRule", "metadata": {"name": "r", "namespace": "n"},
            "spec": {
                "host": "x",
                "trafficPolicy": {"tls": {"mode": "SIMPLE"}, "connectionPool": {"tcp": {"connectTimeout": "3s"}}},
                "subsets": [
                    {"name": "plain"},
                    {"name": "mutual", "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}},
                    {"name": "port", "trafficPolicy": {"portLevelSettings": [{"port": {"number": 80}, "tls": {"mode": "ISTIO_MUTUAL"}}]}},
                ],
            },
        }));
        assert_eq!(unknown, []);
        assert_eq!(rule.host, "x.n.svc.cluster.local");
        let mode = |subset: &str, port| {
            let policy = DestinationRule::merged(Some(&rule), rule.subset(subset), port);
            (
                policy.tls.map(|tls| tls.mode),
                policy.connect_timeout.map(|time| time.as_secs()),
            )
        };
        assert_eq!(mode("none", 80), (Some(TlsMode::Simple), Some(3)));
        assert_eq!(mode("plain", 80), (Some(TlsMode::Simple), Some(3)));
        assert_eq!(mode("mutual", 80), (Some(TlsMode::IstioMutual), Some(3)));
        assert_eq!(mode("port", 80), (Some(TlsMode::IstioMutual), None));
        assert_eq!(mode("port", 443), (Some(TlsMode::Simple), Some(3)));
    }
}
