//! The table of kinds that may decide about a request and are not covered, by API group and kind. Kinds that only affect
//! telemetry are not listed.

use json::text;
use serde_json::Value;

/// What an object of a kind may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Affects {
    /// Packets of the pods that it selects.
    Packets,
    /// The proxies that it selects.
    Proxies,
    /// Requests with a token at the proxies that it selects; a request without one passes.
    Tokens,
    /// The endpoints of the services that select it.
    Endpoints,
    /// The routes of the services and gateways that it names as its parents.
    Routes,
    /// Connections of proxies to the services that it targets.
    Backends,
    /// The gateway of its name.
    Gateways,
}

/// The kinds of each API group.
const KINDS: &[(&str, &[&str], Affects)] = &[
    (
        "networking.istio.io",
        &["EnvoyFilter", "ProxyConfig"],
        Affects::Proxies,
    ),
    (
        "networking.istio.io",
        &["WorkloadEntry"],
        Affects::Endpoints,
    ),
    (
        "extensions.istio.io",
        &["WasmPlugin", "TrafficExtension"],
        Affects::Proxies,
    ),
    (
        "security.istio.io",
        &["RequestAuthentication"],
        Affects::Tokens,
    ),
    ("gateway.networking.k8s.io", &["Gateway"], Affects::Gateways),
    (
        "gateway.networking.k8s.io",
        &["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"],
        Affects::Routes,
    ),
    (
        "gateway.networking.k8s.io",
        &["BackendTLSPolicy"],
        Affects::Backends,
    ),
    (
        "gateway.networking.x-k8s.io",
        &["XBackendTrafficPolicy"],
        Affects::Backends,
    ),
    (
        "cilium.io",
        &[
            "CiliumNetworkPolicy",
            "CiliumClusterwideNetworkPolicy",
            "CiliumEgressGatewayPolicy",
            "CiliumLocalRedirectPolicy",
            "CiliumEnvoyConfig",
            "CiliumClusterwideEnvoyConfig",
        ],
        Affects::Packets,
    ),
    (
        "projectcalico.org",
        &["NetworkPolicy", "GlobalNetworkPolicy"],
        Affects::Packets,
    ),
    (
        "crd.projectcalico.org",
        &["NetworkPolicy", "GlobalNetworkPolicy"],
        Affects::Packets,
    ),
    (
        "networking.gke.io",
        &["FQDNNetworkPolicy"],
        Affects::Packets,
    ),
    (
        "policy.networking.k8s.io",
        &[
            "AdminNetworkPolicy",
            "BaselineAdminNetworkPolicy",
            "ClusterNetworkPolicy",
        ],
        Affects::Packets,
    ),
];

/// The API group of an object; empty for the core group.
pub fn group(object: &Value) -> &str {
    text(object, "/apiVersion")
        .split_once('/')
        .map_or("", |(group, _)| group)
}

/// What an object may change, if its kind is not covered. A network policy of a group that the table does not name may change
/// packets too, except one that is only staged: it is not enforced.
pub fn affects(object: &Value) -> Option<Affects> {
    let (group, kind) = (group(object), text(object, "/kind"));
    let listed = KINDS
        .iter()
        .find(|(own, kinds, _)| *own == group && kinds.contains(&kind));
    let foreign = kind.ends_with("NetworkPolicy")
        && !kind.starts_with("Staged")
        && group != "networking.k8s.io";
    match listed {
        Some((_, _, affects)) => Some(*affects),
        None => foreign.then_some(Affects::Packets),
    }
}

/// The kinds of the table, each with its API group.
pub fn uncovered_kinds() -> impl Iterator<Item = (&'static str, &'static str)> {
    let of = |(group, kinds, _): &(&'static str, &'static [&'static str], Affects)| {
        let group = *group;
        kinds.iter().map(move |kind| (group, *kind))
    };
    KINDS.iter().flat_map(of)
}
