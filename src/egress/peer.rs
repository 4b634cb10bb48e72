//! PeerAuthentication: whether a sidecar accepts traffic without the mesh's mutual TLS.
//!
//! It applies to inbound traffic of a pod with a sidecar. A gateway's servers state themselves what they accept, so it is not
//! evaluated there. The most specific policy with a mode decides: port, workload, namespace, mesh; of several at the same
//! level, the oldest.

use serde_json::Value;

use super::object::{Labels, Object};
use super::selector::Selector;

/// What a sidecar accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Only mutual TLS.
    Strict,
    /// Mutual TLS and plain text.
    Permissive,
    /// No mutual TLS.
    Disable,
}

impl Mode {
    /// Parses a `mode`; `None` for `UNSET` and for a missing mode, which inherit.
    fn read(mtls: &Value) -> Option<Mode> {
        match mtls["mode"].as_str() {
            Some("STRICT") => Some(Mode::Strict),
            Some("PERMISSIVE") => Some(Mode::Permissive),
            Some("DISABLE") => Some(Mode::Disable),
            _ => None,
        }
    }
}

/// A PeerAuthentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerAuthentication {
    /// The policy.
    pub object: Object,
    selector: Selector,
    mode: Option<Mode>,
    /// By the workload's port.
    ports: Vec<(u16, Option<Mode>)>,
    /// The creation time as RFC 3339 in UTC, which sorts as text; manifests have none.
    made: String,
}

impl PeerAuthentication {
    /// Parses a policy.
    pub fn read(object: &Value) -> PeerAuthentication {
        let spec = &object["spec"];
        let ports = spec["portLevelMtls"].as_object().into_iter().flatten();
        let made = object
            .pointer("/metadata/creationTimestamp")
            .and_then(Value::as_str);
        PeerAuthentication {
            selector: Selector::read(&spec["selector"]),
            mode: Mode::read(&spec["mtls"]),
            ports: ports
                .filter_map(|(port, mtls)| Some((port.parse().ok()?, Mode::read(mtls))))
                .collect(),
            made: made.unwrap_or_default().to_owned(),
            object: Object::of(object),
        }
    }
}

/// What a sidecar accepts on a port, and the policy that decides it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Required {
    /// The mode.
    pub mode: Mode,
    /// The policy that decides; `None` for the default.
    pub by: Option<Object>,
    /// The reason, in a clause: `STRICT for the whole mesh`.
    pub because: String,
}

/// What the sidecar of a workload accepts on `port`, which is the workload's port.
pub fn mode(
    policies: &[PeerAuthentication],
    namespace: &str,
    labels: &Labels,
    port: u16,
    root_namespace: &str,
) -> Required {
    let oldest = |namespace: &str, workload: bool| {
        let mut found: Vec<&PeerAuthentication> = policies
            .iter()
            .filter(|policy| {
                policy.object.namespace == namespace && policy.selector.is_empty() != workload
            })
            .filter(|policy| !workload || policy.selector.matches(labels))
            .collect();
        found.sort_by_key(|policy| (policy.made.as_str(), &policy.object));
        found.first().copied()
    };
    let workload = oldest(namespace, true);
    let own_port = workload.and_then(|policy| {
        let (_, mode) = policy.ports.iter().find(|(own, _)| *own == port)?;
        Some((policy, (*mode)?, "for the port"))
    });
    let stated = |policy: Option<&'_ PeerAuthentication>, whom| {
        policy.and_then(|policy| Some((policy.object.clone(), policy.mode?, whom)))
    };
    let found = own_port
        .map(|(policy, mode, whom)| (policy.object.clone(), mode, whom))
        .or_else(|| stated(workload, "for the workload"))
        .or_else(|| match namespace == root_namespace {
            // There, the two are the same.
            true => None,
            false => stated(oldest(namespace, false), "for the namespace"),
        })
        .or_else(|| stated(oldest(root_namespace, false), "for the whole mesh"));
    let word = |mode| match mode {
        Mode::Strict => "STRICT",
        Mode::Permissive => "PERMISSIVE",
        Mode::Disable => "DISABLE",
    };
    match found {
        Some((by, mode, whom)) => Required {
            mode,
            because: format!("{} {whom}", word(mode)),
            by: Some(by),
        },
        None => Required {
            mode: Mode::Permissive,
            by: None,
            because: "PERMISSIVE, the default".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn policy(place: &str, spec: Value) -> Value {
        let (namespace, name) = place.split_once('/').unwrap();
        json!({"kind": "PeerAuthentication", "metadata": {"namespace": namespace, "name": name}, "spec": spec})
    }

    fn of(mode: &str) -> Value {
        json!({"mtls": {"mode": mode}})
    }

    fn on(selected: &str, spec: Value) -> Value {
        let mut spec = spec;
        spec["selector"] = json!({"matchLabels": {"app": selected}});
        spec
    }

    #[test]
    fn the_narrowest_policy_that_says_something_holds() {
        let mesh = || policy("istio-system/default", of("STRICT"));
        let ports = |port: &str, mode: &str| json!({"mtls": {"mode": "STRICT"}, "portLevelMtls": {port: {"mode": mode}}});
        // (policies, mode, deciding policy)
        let cases = [
            (vec![], Mode::Permissive, ""),
            (vec![mesh()], Mode::Strict, "istio-system/default"),
            (
                vec![policy("istio-system/other-name", of("STRICT"))],
                Mode::Strict,
                "istio-system/other-name",
            ),
            (
                vec![mesh(), policy("team-x/a", of("PERMISSIVE"))],
                Mode::Permissive,
                "team-x/a",
            ),
            (
                vec![mesh(), policy("team-x/a", of("UNSET"))],
                Mode::Strict,
                "istio-system/default",
            ),
            (
                vec![mesh(), policy("team-x/a", json!({}))],
                Mode::Strict,
                "istio-system/default",
            ),
            (
                vec![mesh(), policy("team-y/a", of("DISABLE"))],
                Mode::Strict,
                "istio-system/default",
            ),
            (
                vec![mesh(), policy("team-x/a", on("test", of("DISABLE")))],
                Mode::Disable,
                "team-x/a",
            ),
            (
                vec![mesh(), policy("team-x/a", on("other", of("DISABLE")))],
                Mode::Strict,
                "istio-system/default",
            ),
            // Selectors in the root namespace select only its own workloads.
            (
                vec![policy("istio-system/a", on("test", of("STRICT")))],
                Mode::Permissive,
                "",
            ),
            (
                vec![
                    mesh(),
                    policy("team-x/a", on("test", ports("80", "DISABLE"))),
                ],
                Mode::Disable,
                "team-x/a",
            ),
            (
                vec![
                    mesh(),
                    policy("team-x/a", on("test", ports("81", "DISABLE"))),
                ],
                Mode::Strict,
                "team-x/a",
            ),
            (
                vec![mesh(), policy("team-x/a", on("test", ports("80", "UNSET")))],
                Mode::Strict,
                "team-x/a",
            ),
            // Port-level modes require a selector.
            (
                vec![policy("team-x/a", ports("80", "DISABLE"))],
                Mode::Strict,
                "team-x/a",
            ),
        ];
        let labels = Labels::from([("app".to_owned(), "test".to_owned())]);
        for (policies, expected, by) in cases {
            let read: Vec<PeerAuthentication> =
                policies.iter().map(PeerAuthentication::read).collect();
            let turned: Vec<PeerAuthentication> = policies
                .iter()
                .rev()
                .map(PeerAuthentication::read)
                .collect();
            let found = mode(&read, "team-x", &labels, 80, "istio-system");
            assert_eq!(found, mode(&turned, "team-x", &labels, 80, "istio-system"));
            let who = found
                .by
                .map(|object| format!("{}/{}", object.namespace, object.name))
                .unwrap_or_default();
            assert_eq!((found.mode, who.as_str()), (expected, by), "{policies:?}");
        }
    }

    #[test]
    fn of_several_the_oldest_holds() {
        let made = |place: &str, mode: &str, when: &str| {
            let mut policy = policy(place, of(mode));
            policy["metadata"]["creationTimestamp"] = json!(when);
            PeerAuthentication::read(&policy)
        };
        let policies = [
            made("team-x/a", "STRICT", "2026-02-01T00:00:00Z"),
            made("team-x/b", "DISABLE", "2026-01-01T00:00:00Z"),
        ];
        let found = mode(&policies, "team-x", &Labels::new(), 80, "istio-system");
        assert_eq!(
            (found.mode, found.because.as_str()),
            (Mode::Disable, "DISABLE for the namespace")
        );
    }

    #[test]
    fn nothing_panics() {
        for object in [
            json!(null),
            json!({"spec": 1}),
            json!({"spec": {"portLevelMtls": {"x": 1, "70000": {}}, "mtls": []}}),
        ] {
            mode(
                &[PeerAuthentication::read(&object)],
                "",
                &Labels::new(),
                80,
                "",
            );
        }
    }
}
